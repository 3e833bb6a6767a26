// How pictures come in: chosen, dropped (folders, too) or pasted.

import { byId } from './dom.js';

export function takeIn(onFiles) {
  const input = byId('files');
  byId('choose').addEventListener('click', () => input.click());
  input.addEventListener('change', () => {
    onFiles([...input.files]);
    input.value = '';
  });

  const drop = byId('drop');
  let depth = 0;
  const isFiles = (event) => event.dataTransfer?.types.includes('Files');
  const mark = (over) => drop.classList.toggle('over', over);
  document.addEventListener('dragenter', (event) => {
    if (isFiles(event)) {
      depth++;
      mark(true);
    }
  });
  document.addEventListener('dragleave', (event) => {
    if (isFiles(event)) {
      depth--;
      mark(depth > 0);
    }
  });
  document.addEventListener('dragover', (event) => {
    if (isFiles(event)) {
      event.preventDefault();
    }
  });
  document.addEventListener('drop', async (event) => {
    if (isFiles(event)) {
      event.preventDefault();
      depth = 0;
      mark(false);
      onFiles(await filesOf(event.dataTransfer));
    }
  });

  document.addEventListener('paste', (event) => {
    const files = [...event.clipboardData.files];
    if (files.length > 0) {
      event.preventDefault();
      onFiles(files);
    }
  });
}

/** What was dropped. A file is taken whatever it is, and the service says what is wrong with it; of a folder, what looks like a picture. */
async function filesOf(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.());
  const files = [...transfer.files];
  if (!entries.some((entry) => entry?.isDirectory)) {
    return files;
  }

  const found = await Promise.all(entries.map((entry) => (entry ? walk(entry, false) : [])));
  return found.flat();
}

async function walk(entry, inFolder) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return !inFolder || file.type.startsWith('image/') || /\.hei[cf]$/i.test(file.name) ? [file] : [];
  }

  const reader = entry.createReader();
  const files = [];
  for (;;) {
    // A hundred at a time, until there are none.
    const entries = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (entries.length === 0) {
      return files;
    }

    files.push(...(await Promise.all(entries.map((each) => walk(each, true)))).flat());
  }
}
