// Charts, drawn as SVG. The numbers stand beside them as text, and the arrow keys read them step by step.

import { html, useState } from '../vendor/htm-preact.js';
import { clock } from './format.js';
import { t } from './i18n.js';

const WIDTH = 300;
const HEIGHT = 64;
const EDGE = 4;

/** From where to where there are values. */
function stretches(values) {
  const found = [];
  values.forEach((value, i) => {
    if (value == null) return;
    if (i && values[i - 1] != null) found.at(-1)[1] = i;
    else found.push([i, i]);
  });
  return found;
}

/** One step alone would be nothing on a line: it is drawn as wide as a step, at least as a dash. */
function shapes(low, high, place, step) {
  return stretches(high).map(([first, last]) => {
    const at = (values) => Array.from({ length: last - first + 1 }, (_, i) => place(first + i, values[first + i]));
    const [upper, lower] = [at(high), at(low)];
    if (first === last) {
      const reach = Math.max(1.5, Math.min(step / 2, 6));
      for (const line of [upper, lower]) line.splice(0, 1, [line[0][0] - reach, line[0][1]], [line[0][0] + reach, line[0][1]]);
    }
    const text = (points) => points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join('L');
    return { line: `M${text(upper)}`, area: `M${text(upper)}L${text(lower.reverse())}Z` };
  });
}

/**
 * A figure over time: its newest value, or the one that is pointed at. `layers`: `[name, values, kind]`, oldest first, laid one
 * on the other; `from` and `step` are milliseconds; `show(sum)` says what the layers together are at one step.
 */
export function Over({ title, layers, from, step, show, now }) {
  const [at, point] = useState(null);
  const count = layers[0][1].length;
  const low = [];
  let floor = new Array(count).fill(0);
  for (const [, values] of layers) {
    low.push(floor);
    floor = floor.map((sum, i) => (values[i] == null ? null : (sum ?? 0) + values[i]));
  }
  low.push(floor);
  const most = Math.max(1e-9, ...floor.filter((value) => value != null));
  const stride = WIDTH / Math.max(1, count - 1);
  const place = (i, value) => [i * stride, HEIGHT - EDGE - ((value ?? 0) / most) * (HEIGHT - EDGE * 2)];
  const shown = at != null && at < count ? at : null;
  const read = (i) => (floor[i] == null ? t('none') : show(floor[i]));
  const words = shown == null ? now : `${clock(from + shown * step)} · ${read(shown)}`;
  const newest = floor.findLastIndex((value) => value != null);
  const parts = layers.length > 1 ? layers.map(([name, values, kind]) => [name, kind, values[shown ?? newest] ?? 0]) : [];
  const near = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    point(Math.min(count - 1, Math.max(0, Math.round(((event.clientX - box.left) / box.width) * (count - 1)))));
  };
  const turn = (event) => {
    const to = { ArrowLeft: (shown ?? count) - 1, ArrowRight: (shown ?? count - 2) + 1, Home: 0, End: count - 1 }[event.key];
    if (event.key === 'Escape') point(null);
    if (to == null) return;
    event.preventDefault();
    point(Math.min(count - 1, Math.max(0, to)));
  };
  return html`<figure class="figure card">
    <figcaption><span class="figure-title">${title}</span><span class="figure-value num">${words}</span></figcaption>
    <div class="plot" role="slider" tabindex="0" aria-label=${title} aria-valuemin="0" aria-valuemax=${count - 1} aria-valuenow=${shown ?? count - 1} aria-valuetext=${[words, ...parts.map(([name, , n]) => `${n} ${name}`)].join(', ')}
      onPointerMove=${near} onPointerLeave=${() => point(null)} onBlur=${() => point(null)} onKeyDown=${turn}>
      <svg class="line-chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" aria-hidden="true" focusable="false" preserveAspectRatio="none">
        <path class="grid" d="M0 ${HEIGHT - EDGE}H${WIDTH}M0 ${HEIGHT / 2}H${WIDTH}M0 ${EDGE}H${WIDTH}" vector-effect="non-scaling-stroke" />
        ${layers.map(([name, , kind], n) => shapes(low[n], low[n + 1], place, stride).map(({ line, area }, i) => html`
          <path class="area ${kind}" key=${`${name}-${i}`} d=${area} />${layers.length === 1 && html`<path class="line ${kind}" key=${`${name}-${i}-line`} d=${line} vector-effect="non-scaling-stroke" />`}`))}
        ${shown != null && html`<path class="cursor" d="M${(shown * stride).toFixed(1)} 0V${HEIGHT}" vector-effect="non-scaling-stroke" />`}
      </svg></div>
    <p class="axis hint num"><span>${clock(from)}</span><span>${t('most', { n: show(most) })}</span><span>${clock(from + (count - 1) * step)}</span></p>
    ${parts.length > 0 && html`<p class="legend hint">${parts.map(([name, kind, n]) => html`<span key=${name}><i class=${kind}></i>${name} <b class="num">${n}</b></span>`)}</p>`}
  </figure>`;
}

/** Shares of a whole beside each other. `parts`: `[name, value, kind]`. */
export function Shares({ parts, total, label }) {
  let at = 0;
  return html`<svg class="shares" viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label=${label}>
    <rect class="rest" x="0" y="0" width="100" height="6" />
    ${parts.map(([name, value, kind]) => {
      const width = total ? (value / total) * 100 : 0;
      const x = at;
      at += width;
      return html`<rect class=${kind} key=${name} x=${x.toFixed(2)} y="0" width=${width.toFixed(2)} height="6" />`;
    })}
  </svg>`;
}
