// The pictures on the page and what is known of each. Views listen; nothing here draws.

import { Problem } from './problems.js';
import { classify, explain, Turnstile } from './service.js';
import { smileOf } from './verdict.js';

/** How many pictures are with the service at once: enough to keep it busy, few enough to leave others their turn. */
const atOnce = 4;

/**
 * Fires `change` (detail: the picture, or null for all) and `order`. A picture is
 * `{ id, file, url, state: 'waiting' | 'judging' | 'judged' | 'refused', wait, verdict, problem }`.
 */
export class Pictures extends EventTarget {
  #all = [];
  #turnstile = new Turnstile(atOnce);
  #nextId = 1;

  options = { faces: 'detect', confidence: '', minFace: '' };
  order = 'smile';

  get all() {
    return this.#all;
  }

  get judged() {
    return this.#all.filter((picture) => picture.verdict);
  }

  /** How many have neither verdict nor problem yet. */
  get pending() {
    return this.#all.filter((picture) => picture.state === 'waiting' || picture.state === 'judging').length;
  }

  /** The query of a request about a picture. */
  get query() {
    const { faces, confidence, minFace } = this.options;
    return { faces: faces === 'detect' ? null : faces, confidence, minFace };
  }

  /** The one that smiles most, as soon as there is more than one to choose from. */
  get best() {
    const candidates = this.judged.filter((picture) => picture.verdict.faces.length > 0);
    return candidates.length > 1 ? candidates.reduce((best, picture) => (compareSmiles(picture, best) < 0 ? picture : best)) : null;
  }

  /** All, in the order chosen. Those without a verdict come last. */
  get ordered() {
    const compare = {
      smile: compareSmiles,
      name: (one, other) => one.file.name.localeCompare(other.file.name, undefined, { numeric: true }),
      added: (one, other) => one.id - other.id,
    }[this.order];
    return this.#all.toSorted((one, other) => compare(one, other) || one.id - other.id);
  }

  add(files) {
    const added = files.map((file) => ({ id: this.#nextId++, file, url: URL.createObjectURL(file), state: 'waiting', wait: 0, verdict: null, problem: null }));
    this.#all.push(...added);
    this.#changed(null);
    added.forEach((picture) => this.#judge(picture));
    return added;
  }

  remove(picture) {
    this.#all = this.#all.filter((each) => each !== picture);
    this.#forget(picture);
    this.#changed(null);
  }

  clear() {
    const all = this.#all;
    this.#all = [];
    all.forEach((picture) => this.#forget(picture));
    this.#changed(null);
  }

  /** Asks the service once more about these, or all. */
  again(pictures = this.#all) {
    for (const picture of pictures) {
      picture.work?.abort();
      Object.assign(picture, { state: 'waiting', wait: 0, verdict: null, problem: null });
    }

    this.#changed(null);
    pictures.forEach((picture) => this.#judge(picture));
  }

  /** The picture with what spoke for and against a smile, as a picture. */
  explain(picture) {
    return this.#turnstile.pass(() => explain(picture.file, this.query));
  }

  async #judge(picture) {
    const work = new AbortController();
    picture.work = work;
    const isCurrent = () => picture.work === work && !work.signal.aborted;
    try {
      const verdict = await this.#turnstile.pass(async () => {
        Object.assign(picture, { state: 'judging', wait: 0 });
        this.#changed(picture);
        return await classify(picture.file, this.query, work.signal);
      }, work.signal, {
        onWait: (wait) => {
          Object.assign(picture, { state: 'waiting', wait });
          this.#changed(picture);
        },
      });
      if (isCurrent()) {
        Object.assign(picture, { state: 'judged', verdict });
      }
    } catch (failure) {
      if (!isCurrent()) {
        return;
      }

      if (!(failure instanceof Problem)) {
        throw failure;
      }

      Object.assign(picture, { state: 'refused', problem: failure });
    }

    if (isCurrent()) {
      this.#changed(picture);
    }
  }

  #forget(picture) {
    picture.work?.abort();
    URL.revokeObjectURL(picture.url);
  }

  #changed(picture) {
    this.dispatchEvent(new CustomEvent('change', { detail: picture }));
  }
}

/** More smile first; of those whose smiles are as good to the percent, the one with more faces. */
function compareSmiles(one, other) {
  const smile = (picture) => (picture.verdict ? smileOf(picture.verdict) ?? -1 : -2);
  return Math.round(100 * smile(other)) - Math.round(100 * smile(one))
    || (other.verdict?.faces.length ?? 0) - (one.verdict?.faces.length ?? 0)
    || smile(other) - smile(one);
}
