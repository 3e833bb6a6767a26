// The filters of the first layer, drawn as they were after an epoch.

import { drawn, element } from './dom.js';

/** A tile a filter, grey as long as nothing is shown. */
export function filterTiles(count, side) {
  return Array.from({ length: count }, () => drawn('svg', { class: 'filter', viewBox: `0 0 ${side} ${side}` },
    ...Array.from({ length: side * side }, (_, i) => drawn('rect', { x: i % side, y: Math.floor(i / side), width: 1, height: 1, fill: grey(0) }))));
}

/** Draws each filter by its own strongest weight: that one is black or white, and 0 is grey. */
export function showFilters(tiles, filters) {
  for (const [index, weights] of filters.entries()) {
    const strongest = Math.max(...weights.map(Math.abs)) || 1;
    for (const [place, weight] of weights.entries()) {
      tiles[index].children[place].setAttribute('fill', grey(weight / strongest));
    }
  }
}

/** The means over all filters of how much neighbouring weights agree, and of how alike they are to what they began as; both -1..1. */
export function filterFigures(filters, start) {
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return { agree: mean(filters.map(agreement)), alike: mean(filters.map((weights, index) => cosine(weights, start[index]))) };
}

/** What the greys mean. */
export const filterLegend = () => element('p', { className: 'filter-legend' },
  ...[[1, 'light here speaks for it'], [0, 'does not count'], [-1, 'light here speaks against it']].map(([weight, words]) => element('span', {},
    drawn('svg', { viewBox: '0 0 1 1', 'aria-hidden': 'true' }, drawn('rect', { width: 1, height: 1, fill: grey(weight) })), words)));

const grey = (share) => `rgb(${Array(3).fill(Math.round(127.5 + 127.5 * share)).join(' ')})`;

/** Products of neighbours, across and down, over their mean squares: 0 in noise, 1 where all weights are the same. */
function agreement(weights) {
  const side = Math.sqrt(weights.length);
  let [products, squares] = [0, 0];
  const pair = (a, b) => {
    products += a * b;
    squares += (a * a + b * b) / 2;
  };
  weights.forEach((weight, i) => {
    if (i % side < side - 1) {
      pair(weight, weights[i + 1]);
    }

    if (i + side < weights.length) {
      pair(weight, weights[i + side]);
    }
  });
  return products / (squares || 1);
}

function cosine(a, b) {
  const dot = (x, y) => x.reduce((sum, value, index) => sum + value * y[index], 0);
  return dot(a, b) / (Math.sqrt(dot(a, a) * dot(b, b)) || 1);
}
