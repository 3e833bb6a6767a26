// How the served model learned, told from its training history: a player over the epochs, and two comparisons.

import { byId, drawn, element } from './dom.js';
import { filterFigures, filterLegend, filterTiles, showFilters } from './filters.js';
import { Problem } from './problems.js';
import { history as readHistory } from './service.js';
import { problemCard } from './stage.js';

/** Milliseconds from one epoch to the next. */
const pace = 260;

const chart = { left: 52, right: 12, top: 12, bottom: 32, width: 400 };

/** The judges of the history in plain words; others speak for themselves. */
const judgesWords = {
  'coin toss': 'The network before it learned anything: it says the same of every face.',
  'majority class': 'Most faces do not smile, and so it says that none does.',
  'hand-written rule': 'Are the cheeks folded, is the mouth wide, do teeth show? Clues that a person thought up, weighed as well as the training faces allow.',
  'logistic regression': 'One layer: each pixel of a small picture has a weight, and the sum decides.',
  network: 'Twenty layers. Nobody told it what to look for. (How sure it says it is was tuned on these very faces.)',
};

export class Learned {
  #history = null;
  #timer = null;

  constructor() {
    byId('play').addEventListener('click', () => (this.#timer ? this.pause() : this.#play()));
    byId('epoch').addEventListener('input', () => {
      this.pause();
      this.#show();
    });
  }

  /** Reads the history, once. */
  async open() {
    if (this.#history) {
      return;
    }

    byId('learned-problem').replaceChildren();
    try {
      this.#history = await readHistory();
    } catch (failure) {
      if (!(failure instanceof Problem)) {
        throw failure;
      }

      byId('learned-problem').replaceChildren(failure.status === 404
        ? element('p', { className: 'callout' }, 'This model came without the story of its training.')
        : problemCard(failure, () => this.open()));
      return;
    }

    const { epochs, filters, filtersFrom, pictures, judges, curve } = this.#history;
    const last = epochs.at(-1);
    byId('learned-lead').textContent = `It began as random numbers, no better than a coin toss. Then it looked at ${pictures.toLocaleString('en')} faces, ${last.epoch} times over, and after each few changed its numbers a little, so as to be less wrong.`;
    byId('epoch').max = last.epoch;
    byId('learned-body').hidden = false;
    this.#openFilters(filters, filtersFrom);
    this.#showBars('curve', curve?.map((point) => ({ name: `${(point.smiles + point.nonSmiles).toLocaleString('en')} pictures`, value: point.accuracy })));
    this.#showBars('judges', judges?.map((judge) => ({ name: judge.name, how: judgesWords[judge.name] ?? judge.how, value: judge.balancedAccuracy })));
    this.#show();
  }

  pause() {
    clearInterval(this.#timer);
    this.#timer = null;
    byId('play').textContent = 'Play';
  }

  #play() {
    const slider = byId('epoch');
    if (slider.value === slider.max) {
      slider.value = 0;
    }

    byId('play').textContent = 'Pause';
    this.#show();
    this.#timer = setInterval(() => {
      slider.valueAsNumber += 1;
      this.#show();
      if (slider.value === slider.max) {
        this.pause();
      }
    }, pace);
  }

  #openFilters(filters, from) {
    byId('filters-shown').hidden = !filters;
    if (filters) {
      byId('filters').replaceChildren(...filterTiles(filters[0].length, Math.sqrt(filters[0][0].length)));
      byId('filters').after(filterLegend());
      if (from === 'curve') {
        byId('filters-lead').append(` These were kept by a shorter training of a network of the same kind, looked at ${filters.length} times from its first step to its last.`);
      }
    } else {
      byId('filters-lead').textContent = 'The training of this model did not keep its filters on the way, so how they formed cannot be shown.';
    }
  }

  #show() {
    const { epochs, filters } = this.#history;
    const at = byId('epoch').valueAsNumber;
    const now = epochs[at];
    byId('epoch').style.setProperty('--value', at / Math.max(1, epochs.length - 1));
    byId('epoch').setAttribute('aria-valuetext', `epoch ${now.epoch} of ${epochs.at(-1).epoch}`);
    byId('epoch-value').textContent = `${now.epoch} of ${epochs.at(-1).epoch}`;
    byId('epoch-words').textContent = words(at, epochs);

    const right = Math.round(now.val.balancedAccuracy * 100);
    byId('hundred-title').textContent = `${right} of 100 right.`;
    byId('hundred').setAttribute('aria-label', `${right} of 100 faces judged right`);
    byId('hundred').replaceChildren(...Array.from({ length: 100 }, (_, index) => face(index, right)));

    if (filters) {
      // Of another training there are fewer or more: the same share of the way is shown.
      const moment = Math.round(at / Math.max(1, epochs.length - 1) * (filters.length - 1));
      showFilters(byId('filters').children, filters[moment]);
      const { agree, alike } = filterFigures(filters[moment], filters[0]);
      const figures = `Neighbouring squares agree: ${figure(agree)}, where 0 is noise and 1 one plain shade. Likeness to the random start: ${figure(alike)}.`;
      byId('filters-words').textContent = figures;
      byId('filters').setAttribute('aria-label', `${filters[moment].length} filters of the first layer, ${at === 0 ? 'before the first step' : `after epoch ${now.epoch}`}. ${figures}`);
    }

    drawChart(byId('loss-chart'), at, [
      { name: 'on faces it learns from, blurred, turned and half covered', kind: 'train', values: epochs.map((epoch) => epoch.loss) },
      { name: 'on people it never saw', kind: 'val', values: epochs.map((epoch) => epoch.val.logLoss) },
    ], [0, 0.7], (value) => value.toFixed(1), [0, 0.2, 0.4, 0.6]);
    drawChart(byId('accuracy-chart'), at, [
      { name: 'on people it never saw', kind: 'val', values: epochs.map((epoch) => epoch.val.balancedAccuracy) },
    ], [0.45, 1], (value) => `${Math.round(value * 100)} %`, [0.5, 0.6, 0.7, 0.8, 0.9, 1]);
  }

  #showBars(id, rows) {
    byId(id).hidden = !rows;
    byId(`${id}-bars`).replaceChildren(...(rows ?? []).map(({ name, how, value }) => {
      const bar = element('span', { className: 'bar' }, element('span', { className: 'bar-fill' }));
      bar.style.setProperty('--value', value);
      return element('div', { className: 'bar-row' },
        element('span', { className: 'bar-name' }, name), bar, element('span', { className: 'face-value' }, `${(100 * value).toFixed(1)} %`),
        how ? element('span', { className: 'bar-how note' }, how) : null);
    }));
  }
}

const figure = (value) => value.toFixed(2).replace('-0.00', '0.00').replace('-', '\u2212');

/** What has happened by an epoch, from the figures themselves. */
function words(at, epochs) {
  const { val } = epochs[at];
  if (at === 0) {
    return 'Before the first step it answers the same to every face. Right or wrong is chance.';
  }

  const gained = Math.round(100 * (val.balancedAccuracy - epochs[at - 1].val.balancedAccuracy));
  const wrong = (100 * (1 - val.balancedAccuracy)).toFixed(1);
  return gained >= 2
    ? `It has seen all pictures ${at === 1 ? 'once' : `${at} times`}, and judges ${gained} more of 100 faces right than before.`
    : `It has seen all pictures ${at} times. Now it is wrong about ${wrong} of 100 faces.`;
}

/** One of a hundred: every second one smiles; those judged right are filled. Which ones they are is only drawn. */
function face(index, right) {
  const [x, y] = [10 + 20 * (index % 10), 10 + 20 * Math.floor(index / 10)];

  // Spread over the class instead of row by row; 37 and 100 have no common divisor.
  const isRight = (index * 37) % 100 < right;
  return drawn('g', { class: isRight ? 'right' : 'wrong', transform: `translate(${x} ${y})` },
    drawn('circle', { r: 8.4 }),
    drawn('circle', { class: 'eye', cx: -2.9, cy: -2, r: 1.1 }),
    drawn('circle', { class: 'eye', cx: 2.9, cy: -2, r: 1.1 }),
    drawn('path', { d: index % 2 === 0 ? 'M-4 2 Q0 6.5 4 2' : 'M-3.6 3.4 H3.6' }));
}

function drawChart(svg, at, lines, [low, high], words, ticks) {
  const { left, right, top, bottom, width } = chart;
  const { height } = svg.viewBox.baseVal;
  const last = lines[0].values.length - 1;
  const x = (index) => left + (index / last) * (width - left - right);
  const y = (value) => top + ((high - Math.min(Math.max(value, low), high)) / (high - low)) * (height - top - bottom);
  const path = (values, end) => values.slice(0, end + 1).map((value, index) => (value === null ? '' : `${index === 0 || values[index - 1] === null ? 'M' : 'L'}${x(index).toFixed(1)} ${y(value).toFixed(1)}`)).join('');
  svg.replaceChildren(
    ...ticks.flatMap((tick) => [
      drawn('line', { class: 'grid', x1: left, x2: width - right, y1: y(tick), y2: y(tick) }),
      Object.assign(drawn('text', { x: left - 8, y: y(tick) + 4, 'text-anchor': 'end' }), { textContent: words(tick) }),
    ]),
    ...[0, last].map((index) => Object.assign(drawn('text', { x: x(index), y: height - 8, 'text-anchor': index === 0 ? 'start' : 'end' }), { textContent: index === 0 ? 'before' : `after ${last} rounds` })),
    ...lines.flatMap(({ kind, values }) => [
      drawn('path', { class: `${kind} to-come`, d: path(values, last) }),
      drawn('path', { class: kind, d: path(values, at) }),
      ...(values[at] === null ? [] : [drawn('circle', { class: kind, cx: x(at), cy: y(values[at]), r: 5 })]),
    ]));
  svg.setAttribute('aria-label', lines.map(({ name, values }) => (values[at] === null ? '' : `${name}: ${values[at].toFixed(3)}`)).filter(Boolean).join('; '));
}
