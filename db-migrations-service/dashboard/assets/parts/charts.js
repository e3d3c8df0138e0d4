// Small charts, drawn as SVG. Each says in words what it shows; the numbers stand beside it as text.

import { html } from '../vendor/htm-preact.js';

const WIDTH = 300;
const HEIGHT = 64;

/** A line over time. `points`: numbers, oldest first; `top`: the scale's end, else the largest. */
export function Line({ points, top, label }) {
  const known = points.filter((value) => value != null);
  const most = Math.max(top || 0, ...known, 1e-9);
  const step = WIDTH / Math.max(1, points.length - 1);
  const place = (value, i) => `${(i * step).toFixed(1)} ${(HEIGHT - 4 - (value / most) * (HEIGHT - 8)).toFixed(1)}`;
  const d = points.map((value, i) => (value == null ? '' : `${i === 0 || points[i - 1] == null ? 'M' : 'L'}${place(value, i)}`)).join('');
  const first = points.findIndex((value) => value != null) * step;
  return html`<svg class="line-chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label=${label} preserveAspectRatio="none">
    <path class="grid" d="M0 ${HEIGHT - 4}H${WIDTH}M0 ${HEIGHT / 2}H${WIDTH}M0 4H${WIDTH}" vector-effect="non-scaling-stroke" />
    ${known.length > 1 && html`<path class="area" d=${`${d}L${((points.length - 1) * step).toFixed(1)} ${HEIGHT - 4}L${first.toFixed(1)} ${HEIGHT - 4}Z`} />`}
    <path class="line" d=${d} vector-effect="non-scaling-stroke" />
    ${known.length === 1 && html`<circle class="point" cx="2" cy=${HEIGHT / 2} r="2.5" />`}
  </svg>`;
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
