// One picture, large: its faces, its verdict or its problem.

import { drawBoxes } from './boxes.js';
import { byId, element } from './dom.js';
import { Problem } from './problems.js';
import { judge, percent, plural, summary } from './verdict.js';

export class Stage {
  #frame = byId('frame');
  #image = element('img', { alt: '' });
  #svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  #picture = null;
  #chosen = -1;
  #explained = null;
  #explaining = false;
  #asked = null;
  #explainProblem = null;

  constructor(pictures, settings) {
    this.pictures = pictures;
    this.settings = settings;
    this.#svg.setAttribute('class', 'boxes');
    this.#svg.setAttribute('aria-hidden', 'true');
    this.#frame.append(this.#image, this.#svg);
    new ResizeObserver(() => this.#draw()).observe(this.#frame);
    this.#image.addEventListener('load', () => {
      this.#frame.classList.remove('unseen');
      this.#fit();
    });
    this.#image.addEventListener('error', () => {
      this.#frame.classList.add('unseen');
      this.#fit();
    });
    this.#svg.addEventListener('pointermove', (event) => this.#choose(Number(event.target.closest?.('[data-face]')?.dataset.face ?? -1)));
    this.#svg.addEventListener('pointerleave', () => this.#choose(-1));
  }

  get picture() {
    return this.#picture;
  }

  show(picture) {
    byId('stage').hidden = !picture;
    if (picture !== this.#picture) {
      this.#chosen = -1;
      this.#forgetExplanation();
      this.#picture = picture;
      if (picture) {
        this.#image.src = picture.url;
        this.#image.alt = picture.file.name;
      }
    }

    if (picture) {
      this.update();
      if (this.#explaining && picture.verdict && this.#asked !== picture) {
        this.#explain();
      }
    }
  }

  /** After the picture's verdict or the threshold has changed. */
  update() {
    const picture = this.#picture;
    if (!picture) {
      return;
    }

    this.#fit();
    this.#frame.classList.toggle('busy', picture.state === 'judging' || picture.state === 'waiting');
    byId('caption').textContent = picture.verdict
      ? `${picture.file.name}, ${picture.verdict.image.width} × ${picture.verdict.image.height}, ${picture.verdict.image.format.toUpperCase()}`
      : picture.file.name;

    const findings = byId('findings');
    const focused = findings.contains(document.activeElement) ? document.activeElement.id : '';
    findings.replaceChildren(...this.#findings(picture));
    if (focused) {
      byId(focused)?.focus();
    }
  }

  #findings(picture) {
    const remove = element('button', { type: 'button', id: 'remove', textContent: 'Remove this picture', onclick: () => this.pictures.remove(picture) });
    if (picture.problem) {
      return [problemCard(picture.problem, () => this.pictures.again([picture])), element('p', { className: 'row' }, remove)];
    }

    if (!picture.verdict) {
      return [element('p', { className: 'verdict-title' }, 'Looking…'), element('p', { className: 'note' }, waitingWords(picture)), element('p', { className: 'row' }, remove)];
    }

    const { threshold } = this.settings;
    const { verdict } = picture;
    const smiling = verdict.faces.filter((face) => face.probability >= threshold).length;
    const title = element('p', { className: `verdict-title ${smiling > 0 ? 'smiles' : 'serious'}` }, summary(verdict, threshold));
    const parts = [title];
    if (verdict.faces.length === 0) {
      parts.push(element('p', {}, 'A picture without a face is a good answer, too. If there is one: is it upright, turned to the camera, and at least some 20 pixels large? '
        + 'If the picture is nothing but a face, say so under Options.'));
    } else {
      parts.push(element('ol', { className: 'faces' }, ...verdict.faces.map((face, index) => this.#row(face, index))));
    }

    if (this.settings.explains) {
      parts.push(this.#explainToggle());
      if (this.#explainProblem) {
        parts.push(problemCard(this.#explainProblem, () => this.#explain()));
      }
    }

    const { timings } = verdict;
    parts.push(
      element('p', { className: 'note' }, `Judged in ${timings.totalMs.toFixed(0)} ms: decoding ${timings.decodeMs.toFixed(1)}, finding faces ${timings.detectMs.toFixed(1)}, judging ${timings.inferMs.toFixed(1)}.`),
      element('details', { className: 'raw' }, element('summary', {}, 'The answer as JSON'),
        element('pre', { tabIndex: 0, 'aria-label': 'The answer as JSON' }, JSON.stringify(judge(verdict, threshold), null, 2))),
      element('p', { className: 'row' }, remove));
    return parts;
  }

  #row(face, index) {
    const smiles = face.probability >= this.settings.threshold;
    const bar = element('span', { className: 'bar' }, element('span', { className: 'bar-fill' }), element('span', { className: 'bar-mark' }));
    bar.style.setProperty('--value', face.probability);
    bar.style.setProperty('--mark', this.settings.threshold);
    const row = element('li', { className: smiles ? 'smiles' : 'serious' },
      element('span', { className: 'face-name' }, smiles ? 'Smile' : 'No smile'),
      bar,
      element('span', { className: 'face-value' }, percent(face.probability)));
    row.title = face.confidence === null ? 'The picture is taken for one face' : `A face with confidence ${face.confidence.toFixed(3)}, ${face.box.width} × ${face.box.height} pixels`;
    row.addEventListener('pointerenter', () => this.#choose(index));
    row.addEventListener('pointerleave', () => this.#choose(-1));
    return row;
  }

  #explainToggle() {
    const toggle = element('button', { type: 'button', id: 'explain', className: 'toggle', 'aria-pressed': this.#explaining }, 'Show what spoke for a smile');
    toggle.addEventListener('click', () => {
      this.#explaining = !this.#explaining;
      this.#forgetExplanation();
      if (this.#explaining) {
        this.#explain();
      } else {
        this.#image.src = this.#picture.url;
      }

      this.update();
    });
    return toggle;
  }

  async #explain() {
    const picture = this.#picture;
    this.#asked = picture;
    this.#explainProblem = null;
    this.#frame.classList.add('busy');
    try {
      const url = URL.createObjectURL(await this.pictures.explain(picture));
      if (picture !== this.#picture || !this.#explaining) {
        URL.revokeObjectURL(url);
        return;
      }

      this.#explained = url;
      this.#image.src = url;
    } catch (failure) {
      if (!(failure instanceof Problem)) {
        this.#asked = null;
        throw failure;
      }

      if (picture !== this.#picture || !this.#explaining) {
        return;
      }

      this.#explainProblem = failure;
    }

    this.update();
  }

  #forgetExplanation() {
    if (this.#explained) {
      URL.revokeObjectURL(this.#explained);
    }

    this.#explained = null;
    this.#asked = null;
    this.#explainProblem = null;
  }

  #choose(index) {
    if (index !== this.#chosen) {
      this.#chosen = index;
      this.#draw();
      byId('findings').querySelectorAll('.faces > li').forEach((row, at) => row.classList.toggle('chosen', at === index));
    }
  }

  /** The frame takes the picture's shape: that of the verdict, or of what the browser shows, which turns pictures upright as well. */
  #fit() {
    const size = this.#size();
    this.#frame.style.setProperty('--wide', size.width);
    this.#frame.style.setProperty('--high', size.height);
    this.#draw();
  }

  #size() {
    return this.#picture?.verdict?.image ?? (this.#image.naturalWidth > 0 ? { width: this.#image.naturalWidth, height: this.#image.naturalHeight } : { width: 400, height: 300 });
  }

  #draw() {
    const verdict = this.#picture?.verdict;
    drawBoxes(this.#svg, verdict?.faces ?? [], this.#size(), this.settings.threshold, { chosen: this.#chosen });
  }
}

export function waitingWords(picture) {
  return picture.wait > 0 ? `The service is busy; on again in ${plural(Math.ceil(picture.wait), 'second')}.` : picture.state === 'judging' ? 'The service has it.' : 'Waiting for its turn.';
}

/** A problem, in words: what it is, what the service says, what to do, and the number to quote. */
export function problemCard(problem, retry = null) {
  return element('div', { className: 'problem', role: 'alert' },
    element('p', { className: 'verdict-title' }, problem.title),
    element('p', { className: 'problem-detail' }, problem.detail),
    element('p', { className: 'problem-advice' }, problem.advice),
    problem.requestId ? element('p', { className: 'note' }, 'Number of the request: ', element('code', {}, problem.requestId)) : null,
    retry ? element('p', { className: 'row' }, element('button', { type: 'button', id: 'retry', textContent: 'Try again', onclick: retry })) : null);
}
