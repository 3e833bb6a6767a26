// Many pictures, small, in the order chosen.

import { byId, element } from './dom.js';
import { percent, plural, smileOf, summary } from './verdict.js';

export class Gallery {
  #tiles = new Map();
  #stale = false;

  constructor(pictures, settings, onChoose) {
    this.pictures = pictures;
    this.settings = settings;
    this.onChoose = onChoose;
  }

  /** Draws what has changed, once before the next paint however often it is asked. */
  update(shown) {
    this.shown = shown;
    if (!this.#stale) {
      this.#stale = true;
      requestAnimationFrame(() => {
        this.#stale = false;
        this.#render();
      });
    }
  }

  #render() {
    const ordered = this.pictures.ordered;
    byId('gallery').hidden = ordered.length < 2;
    const best = this.pictures.best;
    for (const [picture, tile] of this.#tiles) {
      if (!ordered.includes(picture)) {
        tile.remove();
        this.#tiles.delete(picture);
      }
    }

    const list = byId('tiles');
    ordered.forEach((picture, index) => {
      const tile = this.#tiles.get(picture) ?? this.#make(picture);
      this.#fill(tile, picture, picture === best);
      if (list.children[index] !== tile) {
        const hadFocus = tile.contains(document.activeElement);
        list.insertBefore(tile, list.children[index] ?? null);
        if (hadFocus) {
          tile.firstElementChild.focus();
        }
      }
    });

    const { pending } = this.pictures;
    const refused = ordered.filter((picture) => picture.problem).length;
    byId('progress').textContent = pending > 0
      ? `${ordered.length - pending} of ${ordered.length} judged`
      : plural(ordered.length, 'picture') + (refused > 0 ? `, ${plural(refused, 'problem')}` : '');
    for (const id of ['export-csv', 'export-json']) {
      byId(id).disabled = pending > 0;
    }
  }

  #make(picture) {
    const image = element('img', { src: picture.url, alt: picture.file.name, loading: 'lazy', decoding: 'async' });
    image.addEventListener('error', () => image.classList.add('unseen'));
    const tile = element('li', { className: 'tile' },
      element('button', { type: 'button', onclick: () => this.onChoose(picture) }, image, element('span', { className: 'ribbon' }, 'Best shot'), element('span', { className: 'tile-words' })));
    this.#tiles.set(picture, tile);
    return tile;
  }

  #fill(tile, picture, isBest) {
    const { threshold } = this.settings;
    const { verdict, problem } = picture;
    const smile = verdict ? smileOf(verdict) : null;
    const [large, small] = verdict
      ? [smile === null ? '–' : percent(smile), summary(verdict, threshold)]
      : problem ? ['!', problem.title] : ['…', picture.wait > 0 ? `waits ${Math.ceil(picture.wait)} s` : 'looking'];
    const smiling = smile !== null && smile >= threshold;
    tile.className = `tile ${problem ? 'refused' : !verdict ? 'pending' : smiling ? 'smiles' : 'serious'}${isBest ? ' best' : ''}`;

    const button = tile.firstElementChild;
    button.setAttribute('aria-pressed', picture === this.shown);
    button.title = picture.file.name;
    button.querySelector('.ribbon').hidden = !isBest;
    button.querySelector('.tile-words').replaceChildren(element('b', {}, large), element('span', {}, small));
    if (verdict?.faces.length > 0) {
      const { box } = verdict.faces[0];
      const share = (start, size, whole) => `${Math.round(100 * Math.min(1, Math.max(0, (start + size / 2) / whole)))}%`;
      button.querySelector('img').style.objectPosition = `${share(box.x, box.width, verdict.image.width)} ${share(box.y, box.height, verdict.image.height)}`;
    }
  }
}
