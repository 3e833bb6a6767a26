// Faces drawn over their picture: a box each, and a label with a mouth and the probability.

import { drawn } from './dom.js';
import { percent } from './verdict.js';

const labelHeight = 22;

/**
 * Draws boxes into an SVG that covers the picture. Lines and letters are as large on a phone as on a screen, whatever the picture's
 * size: the drawing is in pixels of the page, `scale` of them to a pixel of the picture.
 */
export function drawBoxes(svg, faces, { width, height }, threshold, { mirrored = false, chosen = -1 } = {}) {
  const scale = svg.clientWidth / width;
  svg.setAttribute('viewBox', `0 0 ${Math.max(1, width * scale)} ${Math.max(1, height * scale)}`);
  svg.replaceChildren(...faces.map((face, index) => {
    const x = (mirrored ? width - face.box.x - face.box.width : face.box.x) * scale;
    const [y, w, h] = [face.box.y * scale, face.box.width * scale, face.box.height * scale];
    const smiles = face.probability >= threshold;
    const group = drawn('g', { class: `face ${smiles ? 'smiles' : 'serious'}${index === chosen ? ' chosen' : ''}`, 'data-face': index });
    group.append(drawn('rect', { class: 'halo', x, y, width: w, height: h, rx: 6 }), drawn('rect', { class: 'line', x, y, width: w, height: h, rx: 6 }));
    if (w >= 34 || index === chosen) {
      group.append(label(percent(face.probability), smiles, x, y, w, width * scale));
    }

    return group;
  }));
}

function label(text, smiles, x, y, w, pageWidth) {
  const width = 34 + text.length * 8.6;
  const left = Math.max(0, Math.min(x + w / 2 - width / 2, pageWidth - width));
  const top = y >= labelHeight + 2 ? y - labelHeight / 2 - 1 : y + 3;
  const middle = top + labelHeight / 2;
  return drawn('g', { class: 'label' },
    drawn('rect', { x: left, y: top, width, height: labelHeight, rx: labelHeight / 2 }),
    drawn('path', { d: smiles ? `M${left + 8} ${middle - 1} q5.5 7 11 0` : `M${left + 8} ${middle + 1} h11` }),
    Object.assign(drawn('text', { x: left + 25, y: middle + 4.6 }), { textContent: text }));
}
