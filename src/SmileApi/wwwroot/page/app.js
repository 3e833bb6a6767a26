// The page: what belongs to what. Each part is in a module of its own.

import { Camera } from './camera.js';
import { announce, byId, download, element, tabs } from './dom.js';
import { toCsv, toJson } from './exports.js';
import { Gallery } from './gallery.js';
import { takeIn } from './intake.js';
import { Learned } from './learned.js';
import { Pictures } from './pictures.js';
import { Problem } from './problems.js';
import { base, describe, key, model } from './service.js';
import { snippets } from './snippets.js';
import { Stage } from './stage.js';
import { percent, plural, summary } from './verdict.js';

const settings = { threshold: 0.5, modelThreshold: 0.5, explains: false, wantsKey: false };
const pictures = new Pictures();
const stage = new Stage(pictures, settings);
const gallery = new Gallery(pictures, settings, (picture) => show(picture, true));
const camera = new Camera(settings, (file) => {
  selectSection(byId('tab-pictures'));
  take([file]);
});

const learned = new Learned();

/** Whether somebody has chosen the picture that is shown; until then it is the best. */
let chosen = false;

function show(picture, byHand = false) {
  chosen ||= byHand;
  stage.show(picture);
  gallery.update(picture);
  writeSnippet();
  if (byHand) {
    byId('stage').scrollIntoView({ block: 'nearest' });
  }
}

function take(files) {
  if (files.length > 0) {
    const first = pictures.all.length === 0;
    const added = pictures.add(files);
    chosen = !first && added.length === 1;
    show(first || added.length === 1 ? added[0] : stage.picture);
  }
}

pictures.addEventListener('change', ({ detail: picture }) => {
  const some = pictures.all.length > 0;
  document.body.classList.toggle('working', some);
  byId('controls').hidden = !some;
  if (!pictures.all.includes(stage.picture)) {
    chosen = false;
    stage.show(pictures.ordered[0] ?? null);
  } else if (!chosen && pictures.best) {
    stage.show(pictures.best);
  } else if (picture === null || picture === stage.picture) {
    stage.show(stage.picture);
  }

  gallery.update(stage.picture);
  writeSnippet();
  if (picture?.problem?.status === 401) {
    openKey(true, 'The service answered that it wants an API key, or another one than this.');
  }

  if (some && pictures.pending === 0) {
    announce(pictures.all.length === 1 && pictures.all[0].verdict
      ? `${summary(pictures.all[0].verdict, settings.threshold)}. ${pictures.all[0].verdict.faces.map((face) => percent(face.probability)).join(', ')}`
      : `${plural(pictures.judged.length, 'picture')} judged`);
  }
});

takeIn((files) => {
  selectSection(byId('tab-pictures'));
  take(files);
});

byId('samples').addEventListener('click', async () => {
  const names = ['mean-smile.png', 'mean-neutral.png'];
  take(await Promise.all(names.map(async (name) => new File([await (await fetch(`${base}page/${name}`)).blob()], name, { type: 'image/png' }))));
});

// Threshold: two sliders, one number.
for (const slider of document.querySelectorAll('[data-threshold]')) {
  slider.addEventListener('input', () => setThreshold(slider.valueAsNumber / 100));
}

function setThreshold(threshold) {
  settings.threshold = threshold;
  for (const slider of document.querySelectorAll('[data-threshold]')) {
    slider.value = Math.round(threshold * 100);
    slider.style.setProperty('--value', threshold);
    slider.setAttribute('aria-valuetext', `${Math.round(threshold * 100)} %`);
  }

  for (const output of document.querySelectorAll('[data-threshold-value]')) {
    output.textContent = `${Math.round(threshold * 100)} %`;
  }

  stage.update();
  gallery.update(stage.picture);
  camera.update();
  writeSnippet();
}

// Options that the service has to know.
for (const [id, name] of [['faces', 'faces'], ['confidence', 'confidence'], ['min-face', 'minFace']]) {
  byId(id).addEventListener('change', (event) => {
    if (event.target.reportValidity()) {
      pictures.options[name] = event.target.value;
      pictures.again();
    }
  });
}

byId('order').addEventListener('change', (event) => {
  pictures.order = event.target.value;
  gallery.update(stage.picture);
});
byId('clear').addEventListener('click', () => {
  pictures.clear();
  byId('choose').focus();
});
byId('export-csv').addEventListener('click', () => download(new Blob([toCsv(pictures.ordered, settings.threshold)], { type: 'text/csv' }), 'smiles.csv'));
byId('export-json').addEventListener('click', () => download(new Blob([toJson(pictures.ordered, settings.threshold)], { type: 'application/json' }), 'smiles.json'));

// The request in four languages.
let language = 'curl';
tabs(byId('code').querySelector('[role=tablist]'), (tab) => {
  language = tab.id.replace('tab-', '');
  byId('snippet').setAttribute('aria-labelledby', tab.id);
  writeSnippet();
});

function writeSnippet() {
  const threshold = settings.threshold === settings.modelThreshold ? null : settings.threshold;
  byId('snippet').firstElementChild.textContent = snippets[language]({
    query: { ...pictures.query, threshold },
    file: stage.picture?.file.name ?? 'photo.jpg',
    withKey: settings.wantsKey || key.get() !== '',
  });
}

byId('copy').addEventListener('click', async () => {
  const text = byId('snippet').textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // No clipboard without HTTPS: what is selected can still be copied by hand, and the old way often works.
    getSelection().selectAllChildren(byId('snippet'));
    document.execCommand('copy');
  }

  byId('copy').textContent = 'Copied';
  announce('Copied');
  setTimeout(() => { byId('copy').textContent = 'Copy'; }, 2000);
});

// Sections; the address names the one that is shown.
const selectSection = tabs(document.querySelector('.top [role=tablist]'), (tab) => {
  for (const section of document.querySelectorAll('main > [role=tabpanel]')) {
    section.hidden = section.id !== tab.getAttribute('aria-controls');
  }

  if (tab.id !== 'tab-camera') {
    camera.stop();
  }

  if (tab.id === 'tab-learned') {
    learned.open();
  } else {
    learned.pause();
  }

  history.replaceState(null, '', tab.id === 'tab-pictures' ? location.pathname + location.search : `#${tab.getAttribute('aria-controls')}`);
});

// The key.
byId('key-open').addEventListener('click', () => openKey(byId('key-panel').hidden));
byId('key-panel').addEventListener('submit', (event) => {
  event.preventDefault();
  const value = byId('key').value.trim();
  if (!/^[\x21-\x7e]*$/.test(value)) {
    openKey(true, 'A key has only letters, digits and signs of ASCII, and no spaces.');
    return;
  }

  key.set(value);
  byId('key-panel').hidden = true;
  byId('key-open').setAttribute('aria-expanded', false);
  byId('key-open').focus();
  readModel();
  writeSnippet();
  pictures.again(pictures.all.filter((picture) => picture.problem?.status === 401));
});
byId('key-forget').addEventListener('click', () => {
  key.set('');
  byId('key').value = '';
  openKey(true, 'Forgotten.');
  writeSnippet();
});

function openKey(open, words = null) {
  byId('key-panel').hidden = !open;
  byId('key-open').setAttribute('aria-expanded', open);
  byId('key-note').textContent = words ?? (settings.wantsKey
    ? 'This service wants a key; whoever runs it has one for you. It is kept until this tab is closed, and sent to this service only.'
    : 'This service asks for none. A key is kept until this tab is closed, and sent to this service only.');
  if (open) {
    byId('key').value = key.get();
    byId('key').focus();
  }
}

// Light, dark, or as the system has it.
const themes = { '': 'Auto', light: 'Light', dark: 'Dark' };
function nameTheme() {
  const theme = document.documentElement.dataset.theme ?? '';
  byId('theme').textContent = `${{ '': '◐', light: '☀', dark: '☾' }[theme]} ${themes[theme]}`;
  byId('theme').setAttribute('aria-label', `Colours: ${themes[theme]}`);
}

byId('theme').addEventListener('click', () => {
  const names = Object.keys(themes);
  const next = names[(names.indexOf(document.documentElement.dataset.theme ?? '') + 1) % names.length];
  if (next) {
    document.documentElement.dataset.theme = next;
    localStorage.setItem('theme', next);
  } else {
    delete document.documentElement.dataset.theme;
    localStorage.removeItem('theme');
  }

  nameTheme();
});

/** Tells of the service; what cannot be told now is told by the first picture. */
async function readModel() {
  try {
    const card = await model();
    const untouched = settings.threshold === settings.modelThreshold;
    settings.modelThreshold = card.threshold;
    setThreshold(untouched ? card.threshold : settings.threshold);
    const test = card.scores.test;
    byId('model-line').replaceChildren(
      `Model ${card.name} ${card.version}`,
      test ? `: right on ${(100 * test.accuracy).toFixed(1)} % of ${test.count} faces it had never seen. ` : '. ',
      element('span', { className: 'licence' }, card.licence));
  } catch (failure) {
    if (!(failure instanceof Problem)) {
      throw failure;
    }
  }
}

async function begin() {
  nameTheme();
  setThreshold(settings.threshold);
  const tab = byId(`tab-${location.hash.slice(1)}`);
  if (tab?.closest('.top')) {
    selectSection(tab);
  }

  try {
    Object.assign(settings, await describe());
  } catch (failure) {
    if (!(failure instanceof Problem)) {
      throw failure;
    }
  }

  byId('key-open').hidden = !settings.wantsKey;
  writeSnippet();
  stage.update();
  if (settings.wantsKey && !key.get()) {
    openKey(true);
  } else {
    await readModel();
  }
}

await begin();
document.body.dataset.ready = '';
