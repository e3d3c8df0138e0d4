// Fleets: one service's schema on many databases, what was run over them, and where they stand.

import { html, useEffect, useState } from '../vendor/htm-preact.js';
import { get, part, post } from '../parts/api.js';
import { Progress, Stand, goesOn } from '../parts/fleets.js';
import { number } from '../parts/format.js';
import { go, to, useAction, useLoad } from '../parts/hooks.js';
import { t, tn, word } from '../parts/i18n.js';
import { Icon } from '../parts/states.js';
import { Act, Ago, Confirm, Empty, Facts, Head, Loaded, ScopeNote, Table, Trouble } from '../parts/ui.js';

/** So many of a fleet's newest runs. */
const RUNS = 10;
/** While one goes on. */
const AGAIN_MS = 2000;

async function load(signal) {
  const { fleets } = await get('api/fleets', {}, { signal });
  // Fleet by fleet: a token of some services is refused the runs of all.
  const runs = await Promise.all(fleets.map((f) => get('api/fleets/runs', { fleet: f.fleet, limit: RUNS }, { signal })));
  return fleets.map((fleet, i) => ({ ...fleet, runs: runs[i].runs }));
}

/** In what portions; what is left empty is as the catalogue says. */
const PACE = [['canary', 0], ['wave', 1], ['perServer', 1], ['failureBudget', null]];

function Forward({ fleet, onClose }) {
  const [pace, setPace] = useState({});
  const [begin, busy, problem] = useAction(async () => {
    const set = Object.entries(pace).filter(([, value]) => value !== '');
    const run = await post(`api/fleets/${part(fleet.fleet)}/run`, { pace: Object.fromEntries(set.map(([name, value]) => [name, name === 'failureBudget' ? value : Number(value)])) });
    go('fleet', run.runId);
  });
  return html`<${Confirm} title=${t('fleet.forward.title', { fleet: fleet.fleet })} name=${fleet.protected ? fleet.fleet : undefined} verb=${t('fleet.forward')} kind="primary"
      busy=${busy} problem=${problem} onClose=${onClose} onYes=${begin}>
    <p>${t('fleet.forward.how')}</p>
    <div class="row wrap">${PACE.map(([name, least]) => html`<label class="field short" key=${name}><span>${t(`fleet.${name}`)}</span>
      <input name=${name} type=${least === null ? 'text' : 'number'} min=${least} placeholder=${least === null ? '2%' : ''} value=${pace[name] || ''} onInput=${(e) => setPace({ ...pace, [name]: e.target.value })} /></label>`)}</div>
    <p class="hint">${t('fleet.pace.hint')}</p><//>`;
}

/** Asks every database of the fleet, so only when somebody wants it. */
function Standing({ fleet }) {
  const loaded = useLoad((signal) => get(`api/fleets/${part(fleet)}`, {}, { signal }), [fleet]);
  return html`<${Loaded} from=${loaded} lines=${2}>${(status) => html`<div data-standing=${fleet}>
    <${Facts} of=${[
      [t('fleet.databases'), number(status.targets)],
      ...[['upToDate', 'up_to_date'], ['pending', 'pending'], ['degraded', 'degraded'], ['unavailable', 'unavailable']].map(([member, state]) => [word('state', state), status[member] > 0 && number(status[member])]),
    ].map(([name, value]) => [name, value || undefined])} />
    <ul class="short-list">${status.versions.map((v) => html`<li key=${v.version}>${tn('fleet.at', v.targets)} <span class="mono">${v.version || t('fleet.at.nothing')}</span></li>`)}</ul></div>`}<//>`;
}

const RUN_COLUMNS = [
  { title: t('state'), cell: (r) => html`<${Stand} of=${r.state} />` },
  { title: t('history.run'), cell: (r) => html`<a href=${to('fleet', r.runId)}>${t(`fleet.kind.${r.kind}`)} <span class="mono dim">${r.runId.slice(-12)}</span></a>` },
  { title: t('fleet.databases'), cell: (r) => html`<${Progress} of=${r.targets} done=${r.done} failed=${r.counts.failed} />` },
  { title: t('fleet.failed'), kind: 'num', cell: (r) => number(r.counts.failed || 0) },
  { title: t('history.by'), cell: (r) => html`<span class="mono">${r.actor}</span>` },
  { title: t('history.when'), cell: (r) => html`<${Ago} at=${r.startedAt} />` },
];

function Fleet({ fleet, onForward }) {
  const [asked, setAsked] = useState(false);
  const busy = fleet.runs.some(goesOn);
  return html`<section class="card" data-fleet=${fleet.fleet} aria-labelledby=${`fleet-${fleet.fleet}`}>
    <div class="row spread"><h2 id=${`fleet-${fleet.fleet}`}>${fleet.fleet}</h2><div class="row">
      <${Act} icon="search" disabled=${Boolean(fleet.problem)} onClick=${() => setAsked(true)}>${t('fleet.ask')}<//>
      <${Act} scope="migrate" icon="play" kind="primary" disabled=${busy || Boolean(fleet.problem)} onClick=${onForward}>${t('fleet.forward.ask')}<//></div></div>
    <${Facts} of=${[
      [t('service'), fleet.service],
      [t('environment'), html`${fleet.environment}${fleet.protected ? html` <span class="tag"><${Icon} name="lock" /> ${t('fleet.protected')}</span>` : ''}`],
      [t('fleet.found'), t(`fleet.found.${fleet.foundBy}`)],
      [t('fleet.servers'), fleet.servers.length > 0 && html`<span class="mono">${fleet.servers.join(', ')}</span>`],
    ].map(([name, value]) => [name, value || undefined])} />
    ${fleet.problem && html`<${Trouble} problem=${{ message: t('fleet.problem'), about: 'environment_unconfigured', detail: fleet.problem }} />`}
    ${asked && html`<${Standing} fleet=${fleet.fleet} />`}
    ${fleet.runs.length > 0
      ? html`<${Table} label=${t('fleet.runs')} rows=${fleet.runs} keyOf=${(r) => r.runId} columns=${RUN_COLUMNS} />`
      : html`<p class="hint">${t('fleet.never')}</p>`}
  </section>`;
}

export default function Fleets() {
  const loaded = useLoad(load, []);
  const [asking, setAsking] = useState(null);
  const busy = loaded.data?.some((fleet) => fleet.runs.some(goesOn));
  useEffect(() => {
    if (!busy) return undefined;
    const timer = setInterval(() => document.hidden || loaded.reload(), AGAIN_MS);
    return () => clearInterval(timer);
  }, [busy]);
  return html`<${Head} title=${t('nav.fleets')} lead=${t('fleet.lead')} />
    <${Loaded} from=${loaded}>${(fleets) => (fleets.length
      ? html`<${ScopeNote} scope="migrate" />${fleets.map((fleet) => html`<${Fleet} fleet=${fleet} onForward=${() => setAsking(fleet)} key=${fleet.fleet} />`)}`
      : html`<${Empty} title=${t('fleet.none')} icon="servers"><p>${t('fleet.none.next')} <code>[fleets.…]</code></p><//>`)}<//>
    ${asking && html`<${Forward} fleet=${asking} onClose=${() => setAsking(null)} />`}`;
}
