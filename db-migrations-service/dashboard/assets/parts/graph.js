// The order of a plan as a rail: a lane for each schema, a dot for each migration, a line to what it waits for.

import { html } from '../vendor/htm-preact.js';

const LANE = 16;
const MARGIN = 14;
const MOST_LANES = 12;

/** The lane of each migration's schema, in order of appearance. */
export function lanes(migrations) {
  const names = [...new Set(migrations.map((m) => m.migration.split('/')[0]))];
  return { names, of: (id) => Math.min(names.indexOf(id.split('/')[0]), MOST_LANES - 1), width: MARGIN * 2 + (Math.min(names.length, MOST_LANES) - 1) * LANE };
}

/** One row's piece of the rail; the lines that pass through it are drawn in it. */
export function Rail({ index, migrations, lane, states }) {
  const x = (id) => MARGIN + lane.of(id) * LANE;
  const place = new Map(migrations.map((m, i) => [m.migration, i]));
  const me = migrations[index];
  // Each edge goes down from what is waited for and turns into the lane of who waits, at who waits.
  const edges = migrations.flatMap((m, i) => (m.waitsFor || []).filter((id) => place.has(id)).map((id) => ({ from: place.get(id), till: i, a: x(id), b: x(m.migration) })));
  const lines = [];
  for (const { from, till, a, b } of edges) {
    if (index > from && index < till) lines.push(['through', `M${a} 0V100`]);
    else if (index === from && till > from) lines.push(['out', `M${a} 50V100`]);
    else if (index === till) lines.push(['in', a === b ? `M${a} 0V50` : `M${a} 0V20C${a} 42 ${b} 20 ${b} 46`]);
  }
  const distinct = [...new Map(lines.map((line) => [line.join(), line])).values()];
  return html`<svg class="rail" width=${lane.width} height="100%" viewBox="0 0 ${lane.width} 100" preserveAspectRatio="none" aria-hidden="true" focusable="false">
    ${distinct.map(([kind, d]) => html`<path key=${kind + d} class=${kind} d=${d} vector-effect="non-scaling-stroke" />`)}
  </svg><span class="rail-dot ${states?.get(me.migration) || ''}" style=${{ left: `${x(me.migration)}px` }}></span>`;
}
