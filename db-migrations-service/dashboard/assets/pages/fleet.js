// One run over a fleet, as it goes and afterwards: wave by wave, server by server, and what failed with its reason.

import { html, useEffect } from '../vendor/htm-preact.js';
import { get, part, post } from '../parts/api.js';
import { Progress, Stand, done, goesOn, leftSomething, why } from '../parts/fleets.js';
import { duration, exact, number } from '../parts/format.js';
import { to, useAction, useLoad, useNow } from '../parts/hooks.js';
import { t, tn } from '../parts/i18n.js';
import { failure } from '../parts/said.js';
import { Caret } from '../parts/sql.js';
import { Icon } from '../parts/states.js';
import { Act, Facts, Head, Loaded, Table, Trouble } from '../parts/ui.js';

/** So many databases that failed, or have their turn now, are named; all of them are in the API. */
const NAMED = 100;
const AGAIN_MS = 1000;

async function load(id, signal) {
  const path = `api/fleets/runs/${part(id)}`;
  const targets = (state) => get(`${path}/targets`, { state, limit: NAMED }, { signal });
  const [run, failed, running] = await Promise.all([get(path, {}, { signal }), targets('failed'), targets('running')]);
  return { run, failed: failed.targets, running: running.targets };
}

/** Waves and servers: how many, how many are done, fail, run, wait. */
const Parts = ({ label, title, rows, name }) => html`<${Table} label=${label} rows=${rows} keyOf=${name} columns=${[
  { title, cell: name },
  { title: t('fleet.databases'), cell: (p) => html`<${Progress} of=${p.targets} done=${done(p.counts)} failed=${p.counts.failed} />` },
  ...['running', 'failed', 'pending'].map((state) => ({ title: t(`fleet.${state}`), kind: 'num', cell: (p) => number(p.counts[state] || 0) })),
]} />`;

const waveName = (p) => (p.wave === 0 ? t('fleet.wave.first') : t('fleet.wave.n', { n: number(p.wave) }));

/** Of a thousand that fail, most fail for one reason: it is told once, with those whom it is of. */
function reasons(targets) {
  const found = new Map();
  for (const target of targets) {
    const { code, message } = target.error || {};
    const key = `${code} ${message}`;
    found.set(key, [...(found.get(key) || []), target]);
  }
  return [...found.values()];
}

function Reason({ of }) {
  const error = of[0].error || {};
  return html`<li>
    <p>${of.map((target, i) => html`${i > 0 && ' · '}<span class="mono" data-failed=${target.name} key=${target.place}>${target.name}</span> <span class="dim">${waveName(target)}</span>`)}</p>
    ${error.location && html`<${Caret} location=${error.location} />`}
    <${Trouble} problem=${{ message: t('state.failed'), ...failure(error), blockers: error.blockers }} />
  </li>`;
}

function Failed({ of, total }) {
  return html`<section class="card" aria-labelledby="failed"><h2 id="failed">${tn('fleet.failures', total)}</h2>
    <ul class="fleet-failures">${reasons(of).map((same) => html`<${Reason} of=${same} key=${same[0].place} />`)}</ul>
    ${total > of.length && html`<p class="hint">${t('fleet.failures.more', { n: number(total - of.length) })}</p>`}</section>`;
}

function Inside({ data, reload }) {
  const { run, failed, running } = data;
  const now = useNow(1000, run.state === 'running');
  const scope = run.kind === 'rollback' ? 'rollback' : 'migrate';
  const [ask, busy, problem] = useAction(async (what) => {
    await post(`api/fleets/runs/${part(run.runId)}/${what}`);
    reload();
  });
  useEffect(() => {
    if (!goesOn(run)) return undefined;
    const timer = setInterval(() => document.hidden || reload(), AGAIN_MS);
    return () => clearInterval(timer);
  }, [run.state]);
  const failures = run.counts.failed || 0;
  const stopped = why(run);
  return html`<section class="card" data-run=${run.runId} data-state=${run.state} aria-labelledby="stands">
      <div class="row spread"><h2 id="stands"><${Stand} of=${run.state} /> <${Progress} of=${run.targets} done=${run.done} failed=${failures} /></h2>
        <div class="row">
          ${goesOn(run) && html`<${Act} scope=${scope} icon="cross" busy=${busy} onClick=${() => ask('cancel')}>${t('cancel')}<//>`}
          ${leftSomething(run) && html`<${Act} scope=${scope} icon="play" kind="primary" busy=${busy} onClick=${() => ask('resume')}>${t('fleet.resume')}<//>`}</div></div>
      <p class="visually-hidden" aria-live="polite">${t('fleet.said', { done: number(run.done), targets: number(run.targets), failed: number(failures) })}</p>
      ${stopped && html`<p class="note warn-note"><${Icon} name="alert" /> ${stopped}</p>`}
      ${run.state === 'interrupted' && html`<p class="note warn-note"><${Icon} name="alert" /> ${t('fleet.interrupted')}</p>`}
      <${Trouble} problem=${problem} />
      <${Facts} of=${[
        [t('fleet.budget.title'), t('fleet.budget', { failed: number(failures), most: number(run.mayFail) })],
        ...['applied', 'rolled_back', 'skipped', 'running', 'pending'].map((state) => [t(`fleet.${state}`), run.counts[state] && number(run.counts[state])]),
        [t('fleet.took'), duration((run.finishedAt ? new Date(run.finishedAt) : now) - new Date(run.startedAt))],
        [t('history.when'), exact(run.startedAt)],
        [t('history.by'), html`<span class="mono">${run.actor}</span>`],
        [t('fleet.process'), run.heldBy && html`<span class="mono">${run.heldBy}</span>`],
      ]} />
    </section>
    ${failed.length > 0 && html`<${Failed} of=${failed} total=${failures} />`}
    <section aria-labelledby="waves"><h2 id="waves">${t('fleet.waves')}</h2><${Parts} label=${t('fleet.waves')} title=${t('fleet.wave')} rows=${run.waves} name=${waveName} /></section>
    <section aria-labelledby="servers"><h2 id="servers">${t('fleet.servers')}</h2><${Parts} label=${t('fleet.servers')} title=${t('fleet.server')} rows=${run.servers} name=${(p) => html`<span class="mono">${p.server}</span>`} /></section>
    ${running.length > 0 && html`<section class="card" aria-labelledby="now"><h2 id="now">${t('fleet.now')}</h2>
      <ul class="mono short-list">${running.map((target) => html`<li key=${target.place}>${target.name}</li>`)}</ul></section>`}`;
}

export default function Fleet({ route }) {
  const id = route.rest[0];
  const loaded = useLoad((signal) => load(id, signal), [id]);
  const run = loaded.data?.run;
  return html`<${Head} title=${run ? `${t(`fleet.kind.${run.kind}`)} · ${run.fleet}` : t('nav.fleets')} lead=${run && run.environment}><a class="plain" href=${to('fleets')}>${t('fleet.all')}</a><//>
    <${Loaded} from=${loaded}>${(data) => html`<${Inside} data=${data} reload=${loaded.reload} />`}<//>`;
}
