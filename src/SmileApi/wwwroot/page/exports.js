// The verdicts as files.

import { judge } from './verdict.js';

/** As `POST /classify/batch` would answer. */
export function toJson(pictures, threshold) {
  const results = pictures.map(({ file, verdict, problem }, index) => (verdict
    ? { index, name: file.name, status: 200, result: judge(verdict, threshold) }
    : { index, name: file.name, status: problem.status, problem: problem.document }));
  return JSON.stringify({ results }, null, 2) + '\n';
}

const columns = ['file', 'status', 'face', 'smile', 'probability', 'threshold', 'x', 'y', 'width', 'height', 'confidence', 'image_width', 'image_height', 'problem'];

/** A line a face; a picture without one, or with a problem, has one line nevertheless. */
export function toCsv(pictures, threshold) {
  const lines = pictures.flatMap(({ file, verdict, problem }) => {
    if (problem) {
      return [{ file: file.name, status: problem.status, problem: problem.name }];
    }

    const picture = { file: file.name, status: 200, threshold, image_width: verdict.image.width, image_height: verdict.image.height };
    const faces = judge(verdict, threshold).faces.map(({ box, ...face }, index) => ({ ...picture, ...face, ...box, face: index + 1 }));
    return faces.length > 0 ? faces : [picture];
  });
  return [columns.join(','), ...lines.map((line) => columns.map((column) => cell(line[column])).join(','))].map((line) => line + '\r\n').join('');
}

function cell(value) {
  if (value === null || value === undefined) {
    return '';
  }

  // A file's name that begins like a formula would be one to a spreadsheet.
  const text = typeof value === 'string' && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
