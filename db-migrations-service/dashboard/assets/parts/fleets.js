// A run over a fleet in words and shapes, as both pages of fleets show it.

import { html } from '../vendor/htm-preact.js';
import { number } from './format.js';
import { t, tn } from './i18n.js';
import { State } from './states.js';
import { Bar } from './ui.js';

/** Nobody has ended it. */
export const goesOn = (run) => run.state === 'running' || run.state === 'interrupted';

/** It left something to do. */
export const leftSomething = (run) => run.state !== 'running' && run.done < run.targets;

/** The state of a run or of a database; what had nothing to do is no failure. */
export const Stand = ({ of }) => html`<${State} of=${of} kind=${of === 'skipped' ? 'ok' : undefined} text=${of === 'skipped' ? t('fleet.nothing') : undefined} />`;

const had = (counts, ...states) => states.reduce((sum, state) => sum + (counts[state] || 0), 0);

/** How many have had their turn and did not fail. */
export const done = (counts) => had(counts, 'applied', 'rolled_back', 'skipped');

/** A bar of those that are done, with its words. */
export const Progress = ({ of, done, failed }) => html`<span class="row fleet-progress"><${Bar} part=${of ? done / of : 0} kind=${failed ? 'bad' : ''} /><span class="num">${number(done)}/${number(of)}</span></span>`;

/** Why it was stopped; null where it was not. */
export function why(run) {
  if (run.state !== 'stopped') return null;
  const failed = run.counts.failed || 0;
  const first = run.waves?.find((wave) => wave.wave === 0)?.counts.failed || 0;
  return first ? tn('fleet.stopped.first', first) : tn('fleet.stopped', failed, { most: number(run.mayFail ?? run.orders?.failures) });
}
