// One service in one environment: its migrations, what each says and did, and what stands in its schemas.

import { html, useState } from '../vendor/htm-preact.js';
import { Firing, Standing, firing } from '../parts/alerts.js';
import { get, part, post } from '../parts/api.js';
import { EnvironmentChoice, chosen, useEnvironments } from '../parts/environment.js';
import { bytes, duration, exact, intent, migration, number } from '../parts/format.js';
import { adjust, to, useAction, useLoad } from '../parts/hooks.js';
import { lang, t, tn } from '../parts/i18n.js';
import { OnRecord, Proof } from '../parts/proof.js';
import { Cure, Verbatim, told } from '../parts/said.js';
import { Caret, Sql } from '../parts/sql.js';
import { Icon, State } from '../parts/states.js';
import { Act, Ago, Empty, Facts, Head, Loaded, Table, Trouble } from '../parts/ui.js';

const PAGE = 100;

async function load(name, environment, signal) {
  const [service, history, records, alerts] = await Promise.all([
    get(`api/migrations/service/${part(name)}`, { environment }, { signal }),
    get('api/migrations/history', { environment, service: name, limit: PAGE }, { signal }),
    get('api/migrations/certificates', { environment, service: name }, { signal }).catch((error) => {
      if (error.name === 'AbortError') throw error;
      return { migrations: [] };
    }),
    // The page is whole without them.
    firing(environment, signal).catch(() => []),
  ]);
  return { ...service, alerts: alerts.filter((alert) => alert.service === name), history: history.history, records: new Map(records.migrations.map((one) => [one.migration, one])) };
}

const APPLIED = ['applied', 'edited', 'missing'];

/** The texts of a migration: of an applied one as it was applied, of a pending one as its file is. */
async function texts(environment, name, row, signal) {
  if (APPLIED.includes(row.state)) {
    const [{ history }, { migrations }] = await Promise.all([
      get('api/migrations/history', { environment, migration: row.migration, withSql: true, limit: 1 }, { signal }),
      get('api/migrations/certificates', { environment, migration: row.migration }, { signal }),
    ]);
    return { up: history[0]?.upSql, down: history[0]?.downSql, entry: history[0], record: migrations[0] };
  }
  const plan = await get('api/migrations/plan', { environment, service: name, withSql: true }, { signal });
  const planned = plan.migrations.find((m) => m.migration === row.migration);
  return { up: planned?.sql, planned };
}

function Failure({ error }) {
  const words = told(error);
  return html`<div class="trouble"><${Icon} name="cross" /><div>
    <p class="trouble-title">${words.title}</p>
    ${error.location && html`<${Caret} location=${error.location} />`}
    ${error.sql && lang !== 'en' && html`<p>PostgreSQL: <q lang="en">${error.sql.message}</q></p>`}
    <${Cure} of=${words} /><${Verbatim} text=${words.rest} folded />
  </div></div>`;
}

/** What unfolds below a migration. */
function Details({ environment, service, row, proof }) {
  const found = useLoad((signal) => texts(environment, service, row, signal), [environment, row.migration, row.state]);
  return html`<div class="details">
    ${row.error && html`<${Failure} error=${row.error} />`}
    <${Loaded} from=${found} lines=${4}>${(data) => html`
      ${data.entry && html`<${Facts} of=${[
        [t('history.by'), data.entry.appliedBy],
        [t('history.when'), exact(data.entry.appliedAt)],
        [t('duration'), duration(data.entry.durationMs)],
        [t('history.run'), html`<a href=${to('run', data.entry.runId)}>${data.entry.runId.slice(-12)}</a>`],
        [t('history.checksum'), html`<code class="cut">${data.entry.checksum}</code>`],
      ]} />
      ${data.entry.accepted?.length > 0 && html`<ul class="accepted">${data.entry.accepted.map((a) => html`<li key=${a.hazard}><code>${a.hazard}</code> <span lang="">${a.reason}</span></li>`)}</ul>`}`}
      ${data.planned?.waitsFor.length > 0 && html`<p>${t('plan.waits')} <span class="mono">${data.planned.waitsFor.join(', ')}</span></p>`}
      ${data.entry && html`<${OnRecord} record=${data.record} applied known=${Boolean(proof)} />`}
      ${data.up && html`<h3>${t('sql.up')}</h3><${Sql} text=${data.up} label=${`${t('sql.up')} ${row.migration}`} />`}
      ${data.down && html`<details><summary>${t('sql.down')}</summary><${Sql} text=${data.down} label=${`${t('sql.down')} ${row.migration}`} /></details>`}
    `}<//>
    ${proof ? html`<${Proof} proof=${proof} />` : !APPLIED.includes(row.state) && html`<p class="hint">${t('proof.ask')}</p>`}
  </div>`;
}

function Migrations({ data, proofs, open, toggle }) {
  if (!data.migrations.length) {
    return html`<${Empty} title=${t('service.empty')}><code>${`profe migrate new ${data.schemas[0]} <intent>`}</code><//>`;
  }
  // The newest comes first, and is the one that counts.
  const byId = new Map([...data.history].reverse().map((entry) => [entry.migration, entry]));
  return html`<${Table} label=${t('migrations')} rows=${data.migrations} keyOf=${(m) => m.migration}
    below=${(m) => open === m.migration && html`<${Details} environment=${data.environment} service=${data.name} row=${m} proof=${proofs.get(m.migration)} />`}
    columns=${[
      { title: t('migration'), cell: (m) => html`<button type="button" class="fold" aria-expanded=${open === m.migration} onClick=${() => toggle(m.migration)}>
          <${Icon} name="down" /><span class="fold-words"><span class="mono">${migration(m.migration).version}</span> <span>${intent(m.name)}</span></span></button>` },
      { title: t('state'), cell: (m) => html`<${State} of=${m.state} />` },
      { title: t('history.when'), cell: (m) => html`<${Ago} at=${m.appliedAt} />` },
      { title: t('history.by'), cell: (m) => html`<span class="mono dim">${(m.appliedAt && byId.get(m.migration)?.appliedBy) || '–'}</span>` },
      { title: t('duration'), kind: 'num', cell: (m) => (m.appliedAt ? duration(byId.get(m.migration)?.durationMs) : '–') },
      { title: t('certificate.title'), cell: (m) => html`<${Certified} proof=${proofs.get(m.migration)} record=${data.records.get(m.migration)} applied=${APPLIED.includes(m.state)} />` },
    ]} />`;
}

/** As it was looked at just now, else as the target keeps it. */
const Certified = ({ proof, record, applied }) => {
  if (!proof && record?.certificate) return applied && record.ofAppliedFile === false ? html`<${State} of="late" text=${t('certificate.other')} />` : html`<${State} of="holds" text=${t('certificate.short')} />`;
  if (!proof) return html`<span class="dim">${t('certificate.absent')}</span>`;
  return proof.certificate ? html`<${State} of="holds" text=${t('certificate.short')} />` : html`<${State} of="failed" text=${t('certificate.not')} />`;
};

function History({ entries }) {
  if (!entries.length) return html`<${Empty} title=${t('history.empty')} icon="clock"><a href=${to('plan')}>${t('nav.plan')}</a><//>`;
  return html`<${Table} label=${t('history.title')} rows=${entries} keyOf=${(e) => e.id} columns=${[
    { title: t('migration'), cell: (e) => html`<span class="mono">${e.migration}</span> ${intent(e.name)}` },
    { title: t('state'), cell: (e) => html`<${State} of=${e.rolledBackAt ? 'deleted' : 'applied'} text=${e.rolledBackAt ? t('history.rolled_back') : undefined} />` },
    { title: t('history.when'), cell: (e) => html`<${Ago} at=${e.appliedAt} />` },
    { title: t('history.by'), cell: (e) => html`<span class="mono dim">${e.appliedBy}</span>` },
    { title: t('history.back'), cell: (e) => (e.rolledBackAt ? html`<${Ago} at=${e.rolledBackAt} /> <span class="mono dim">${e.rolledBackBy}</span>` : '–') },
    { title: t('duration'), kind: 'num', cell: (e) => duration(e.durationMs) },
    { title: t('history.run'), cell: (e) => html`<a href=${to('run', e.rollbackRunId || e.runId)}>${(e.rollbackRunId || e.runId).slice(-12)}</a>` },
  ]} />`;
}

function Schemas({ environment, name }) {
  const loaded = useLoad((signal) => get(`api/schemas/${part(name)}`, { environment }, { signal }), [environment, name]);
  return html`<${Loaded} from=${loaded} lines=${4}>${(data) => html`
    ${data.schemas.length === 0 && html`<${Empty} title=${t('schema.none')}><a href=${to('plan', [], { env: environment, service: name })}>${t('nav.plan')}</a><//>`}
    ${data.schemas.map((schema) => html`<${Table} key=${schema.name} label=${schema.name} rows=${schema.tables} keyOf=${(table) => table.name} columns=${[
      { title: t('table'), cell: (table) => html`<a class="mono" href=${to('erd', [], { env: environment, table: `${schema.name}.${table.name}` })}>${schema.name}.${table.name}</a>` },
      { title: t('comment'), kind: 'wide', cell: (table) => html`<span lang="">${table.comment || '–'}</span>` },
      { title: t('columns'), kind: 'num', cell: (table) => number(table.columns.length) },
      { title: t('policies'), kind: 'num', cell: (table) => number(table.policies.length) },
      { title: t('size'), kind: 'num', cell: (table) => bytes(table.sizeBytes) },
    ]} />`)}
    <${Facts} of=${[[t('fingerprint'), html`<code class="cut">${data.fingerprint.live}</code>`]]} />`}<//>`;
}

const TABS = ['migrations', 'history', 'schema'];

export default function Service({ route }) {
  const name = route.rest[0];
  const environments = useEnvironments();
  const list = environments.data;
  const environment = list && chosen(list, route.query.env).environment;
  const tab = TABS.includes(route.query.tab) ? route.query.tab : 'migrations';
  return html`<${Head} title=${name} lead=${t('service.lead')}>
      ${list && html`<${EnvironmentChoice} environments=${list} value=${environment} />`}
    <//>
    <${Loaded} from=${environments}>${() => html`<${Inside} name=${name} environment=${environment} tab=${tab} key=${environment} />`}<//>`;
}

function Inside({ name, environment, tab }) {
  const loaded = useLoad((signal) => load(name, environment, signal), [name, environment], { every: 20_000 });
  const [open, setOpen] = useState(null);
  const [proofs, setProofs] = useState(new Map());
  const [prove, busy, problem] = useAction(async (whole) => {
    const report = await post('api/migrations/validate', { environment, service: name, whole });
    setProofs(new Map(report.migrations.map((m) => [m.migration, m])));
    loaded.reload();
  });
  return html`<${Loaded} from=${loaded} lines=${8}>${(data) => html`
    <div class="row spread">
      <div class="row"><${Standing} of=${data.status} alerts=${data.alerts} />
        <span>${tn('applied', data.appliedMigrations)}</span>${data.pendingMigrations > 0 && html`<span>${tn('pending', data.pendingMigrations)}</span>`}
      </div>
      <div class="row">
        <${Act} icon="check" busy=${busy} onClick=${() => prove(data.pendingMigrations === 0)}>${busy ? t('proof.busy') : data.pendingMigrations ? t('proof.pending') : t('proof.whole')}<//>
        <a class="button plain" href=${to('rollback', [], { env: environment, service: name })}><${Icon} name="undo" /><span>${t('nav.rollback')}</span></a>
        <a class="button ${data.pendingMigrations ? 'primary' : 'plain'}" href=${to('plan', [], { env: environment, service: name })}><${Icon} name="play" /><span>${t('nav.plan')}</span></a>
      </div>
    </div>
    <${Firing} alerts=${data.alerts} />
    <${Trouble} problem=${problem} />
    <${Facts} of=${[
      [t('service.schemas'), html`<span class="mono">${data.schemas.join(', ')}</span>`],
      [t('service.owner'), html`<span class="mono">${data.owner}</span>`],
      [t('service.role'), html`<span class="mono">${data.role}</span>`],
      [t('service.references'), html`<span class="mono">${data.references.join(', ') || '–'}</span>`],
      [t('service.port'), data.port],
    ]} />
    <div class="tabs" role="tablist" aria-label=${name}>${TABS.map((id) => html`<button type="button" role="tab" id=${`tab-${id}`} key=${id}
      aria-selected=${tab === id} aria-controls="panel" tabindex=${tab === id ? 0 : -1} onClick=${() => adjust({ tab: id })} onKeyDown=${turn}>${t(`tab.${id}`)}</button>`)}</div>
    <div role="tabpanel" id="panel" aria-labelledby=${`tab-${tab}`}>
      ${tab === 'migrations' && html`<${Migrations} data=${data} proofs=${proofs} open=${open} toggle=${(id) => setOpen(open === id ? null : id)} />`}
      ${tab === 'history' && html`<${History} entries=${data.history} />`}
      ${tab === 'schema' && html`<${Schemas} environment=${environment} name=${name} />`}
    </div>`}<//>`;
}

/** The arrow keys go from tab to tab. */
function turn(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const tabs = [...event.target.parentElement.children];
  const next = tabs[(tabs.indexOf(event.target) + step + tabs.length) % tabs.length];
  next.focus();
  next.click();
}
