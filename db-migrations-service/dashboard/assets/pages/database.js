// How a database does: size, connections, activity, slow statements; and how it did, as the service has seen it.

import { html } from '../vendor/htm-preact.js';
import { Firing, Standing, firing, placeOf } from '../parts/alerts.js';
import { get } from '../parts/api.js';
import { Over, Shares } from '../parts/charts.js';
import { EnvironmentChoice, chosen, useEnvironments } from '../parts/environment.js';
import { bytes, duration, exact, number, percent, version } from '../parts/format.js';
import { adjust, useLoad } from '../parts/hooks.js';
import { said, t, word } from '../parts/i18n.js';
import { Verbatim } from '../parts/said.js';
import { State } from '../parts/states.js';
import { Bar, Choice, Empty, Facts, Head, Loaded, Table, Trouble } from '../parts/ui.js';

const EVERY = 5000;
const SPANS = ['1h', '24h'];

const settle = (promise) => promise.then((data) => ({ data }), (error) => {
  if (error.name === 'AbortError') throw error;
  return { error };
});

async function load(environment, signal) {
  const ask = (what) => settle(get(`api/database/${what}`, { environment }, { signal }));
  const [health, size, connections, performance, alerts] = await Promise.all([...['health', 'size', 'connections', 'performance'].map(ask), settle(firing(environment, signal))]);
  // Of what fires here, what is the server's; a migration that failed is told elsewhere.
  return { health, size, connections, performance, alerts: (alerts.data || []).filter((alert) => placeOf(alert) === 'database') };
}

/** What its health says is near a limit, in the page's language where there is a text for it. */
const near = (health, i) => said(`health.${health.problemCodes[i]}`, { open: number(health.connections), most: number(health.maxConnections), age: number(health.transactionIdAge) });

const STATES = { active: 'accent', idle: 'quiet', 'idle in transaction': 'warn', 'idle in transaction (aborted)': 'bad' };

const session = (state) => word('session', state);

function Connections({ view }) {
  const states = Object.entries(view.byState).sort((a, b) => b[1] - a[1]);
  // Sessions are counted on the whole server, their states in this database.
  const elsewhere = Math.max(0, view.total - states.reduce((sum, [, n]) => sum + n, 0));
  const free = Math.max(0, view.maxConnections - view.total - view.reserved);
  return html`<section aria-labelledby="connections"><h2 id="connections">${t('db.connections')}</h2>
    <div class="card">
      <${Shares} label=${t('db.connections.of', { n: view.total, max: view.maxConnections })} total=${view.maxConnections} parts=${[...states.map(([name, n]) => [name, n, STATES[name] || 'quiet']), ['elsewhere', elsewhere, 'elsewhere']]} />
      <${Facts} of=${[[t('db.connections.used'), `${number(view.total)} / ${number(view.maxConnections)}`], ...states.map(([name, n]) => [session(name), number(n)]),
        [t('db.connections.elsewhere'), number(elsewhere)], [t('db.connections.reserved'), number(view.reserved)], [t('db.connections.free'), number(free)]]} />
      <p class="hint">${t('db.connections.how')}</p>
    </div>
    ${view.transactions.length > 0 && html`<${Table} label=${t('db.transactions')} rows=${view.transactions} keyOf=${(s) => s.pid} columns=${[
      { title: 'pid', kind: 'num', cell: (s) => s.pid },
      { title: t('db.user'), cell: (s) => s.user || '–' },
      { title: t('db.application'), cell: (s) => s.application || '–' },
      { title: t('state'), cell: (s) => (s.state ? session(s.state) : '–') },
      { title: t('db.waits'), cell: (s) => (s.blockedBy.length ? html`<${State} of="waiting" text=${`pid ${s.blockedBy.join(', ')}`} />` : s.waitsFor ? html`<code lang="en">${s.waitsFor}</code>` : '–') },
      { title: t('db.open'), kind: 'num', cell: (s) => duration(s.transactionMs) },
    ]} />`}</section>`;
}

function Sizes({ view }) {
  // Its catalogs, what other schemas and files of its own hold: all that is in no schema that is listed.
  const rest = view.sizeBytes - view.schemas.reduce((sum, s) => sum + s.sizeBytes, 0);
  const schemas = rest > 0 ? [...view.schemas, { schema: null, sizeBytes: rest }] : view.schemas;
  const most = Math.max(1, ...schemas.map((s) => s.sizeBytes));
  const biggest = Math.max(1, ...view.tables.map((s) => s.sizeBytes));
  return html`<section aria-labelledby="size"><h2 id="size">${t('size')} <span class="dim num">${bytes(view.sizeBytes)}</span></h2>
    <div class="two">
      <${Table} label=${t('db.schemas')} rows=${schemas} keyOf=${(s) => s.schema ?? ''} columns=${[
        { title: t('schema'), cell: (s) => (s.schema == null ? html`<span class="dim" data-rest>${t('db.rest')}</span>` : html`<span class="mono">${s.schema}</span>`) },
        { title: t('size'), kind: 'num', cell: (s) => bytes(s.sizeBytes) },
        { title: t('db.share'), kind: 'share', cell: (s) => html`<${Bar} part=${s.sizeBytes / most} />` },
      ]} />
      <${Table} label=${t('db.tables')} rows=${view.tables.slice(0, 12)} keyOf=${(s) => s.table} columns=${[
        { title: t('table'), cell: (s) => html`<span class="mono">${s.table}</span>` },
        { title: t('rows'), kind: 'num', cell: (s) => (s.estimatedRows < 0 ? '–' : number(s.estimatedRows)) },
        { title: t('size'), kind: 'num', cell: (s) => bytes(s.sizeBytes) },
        { title: t('db.share'), kind: 'share', cell: (s) => html`<${Bar} part=${s.sizeBytes / biggest} />` },
      ]} />
    </div></section>`;
}

function Statements({ view }) {
  return html`<section aria-labelledby="statements"><h2 id="statements">${t('db.statements')}</h2>
    ${view.statements == null
      ? html`<${Empty} title=${t('db.statements.off')} icon="chart">${said(`statements_off.${view.statementsOff}`) && html`<p>${said(`statements_off.${view.statementsOff}`)}</p>`}
        <${Verbatim} text=${view.howToEnableStatements} folded=${said(`statements_off.${view.statementsOff}`) != null} /><//>`
      : html`<${Table} label=${t('db.statements')} rows=${view.statements} columns=${[
        { title: t('db.statement'), kind: 'wide', cell: (s) => html`<code class="statement">${s.statement}</code>` },
        { title: t('db.calls'), kind: 'num', cell: (s) => number(s.calls) },
        { title: t('db.mean'), kind: 'num', cell: (s) => duration(s.meanMs) },
        { title: t('db.total'), kind: 'num', cell: (s) => duration(s.totalMs) },
        { title: t('rows'), kind: 'num', cell: (s) => number(s.rows) },
      ]} />`}
    ${view.sequentiallyRead.length > 0 && html`<h3>${t('db.sequential')}</h3><${Table} label=${t('db.sequential')} rows=${view.sequentiallyRead} keyOf=${(s) => s.table} columns=${[
      { title: t('table'), cell: (s) => html`<span class="mono">${s.table}</span>` },
      { title: t('db.scans'), kind: 'num', cell: (s) => number(s.sequentialScans) },
      { title: t('db.read'), kind: 'num', cell: (s) => number(s.rowsRead) },
      { title: t('db.index_scans'), kind: 'num', cell: (s) => number(s.indexScans) },
      { title: t('db.live'), kind: 'num', cell: (s) => number(s.liveRows) },
      { title: t('db.dead'), kind: 'num', cell: (s) => number(s.deadRows) },
    ]} />`}</section>`;
}

const Advice = ({ title, rows, columns, open = false }) => rows?.length > 0 && html`<details open=${open}>
  <summary>${title} <span class="num">(${rows.length})</span></summary><${Table} label=${title} rows=${rows} columns=${columns} /></details>`;

/** What could be better; nothing where all is well. */
function Improve({ view }) {
  if (![view.missingIndexes, view.unusedIndexes, view.bloat].some((list) => list?.length)) return null;
  const name = (key) => ({ title: t('table'), cell: (row) => html`<span class="mono">${row[key]}</span>` });
  const size = { title: t('size'), kind: 'num', cell: (row) => bytes(row.sizeBytes) };
  return html`<section aria-labelledby="improve"><h2 id="improve">${t('db.improve')}</h2>
    <${Advice} open title=${t('db.missing_indexes')} rows=${view.missingIndexes} columns=${[
      name('table'),
      { title: t('db.foreign_key'), cell: (row) => html`<span class="mono">${row.columns.join(', ')} → ${row.references}</span>` },
      size,
      { title: t('sql.up'), kind: 'wide', cell: (row) => html`<code class="statement">${row.statement}</code>` },
    ]} />
    <${Advice} title=${t('db.unused_indexes')} rows=${view.unusedIndexes} columns=${[
      name('index'), size, { title: t('sql.up'), kind: 'wide', cell: (row) => html`<code class="statement">${row.definition}</code>` },
    ]} />
    <${Advice} title=${t('db.bloat')} rows=${view.bloat} columns=${[
      name('name'), size, { title: t('db.wasted'), kind: 'num', cell: (row) => bytes(row.wastedBytes) }, { title: t('db.share'), kind: 'num', cell: (row) => percent(row.ratio) },
    ]} /></section>`;
}

const ORDER = Object.keys(STATES);

/** How it was, from what the service keeps: the charts start with it. */
function History({ environment, span, look }) {
  const loaded = useLoad((signal) => get('api/database/history', { environment, span }, { signal }), [environment, span], { every: 15_000 });
  // Why it cannot be asked is told above.
  if (loaded.error && !loaded.data) return null;
  return html`<section aria-labelledby="over"><div class="row spread"><h2 id="over">${t('db.over')}</h2>
      <${Choice} label=${t('db.span')} value=${span} options=${SPANS.map((id) => [id, t(`db.span.${id}`)])} onChange=${(next) => adjust({ span: next })} /></div>
    <${Loaded} from=${loaded} lines=${3}>${({ from, stepSeconds, series }) => {
      if (!from) return html`<p class="hint">${t('db.over.none')}</p>`;
      const of = (metric) => series.filter((one) => one.metric === metric);
      const last = (metric) => of(metric)[0]?.values.findLast((value) => value != null);
      const time = { from: new Date(from).getTime(), step: stepSeconds * 1000 };
      const sessions = ORDER.map((state) => of('connections').find((one) => one.state === state)).filter((one) => one?.values.some(Boolean));
      const connections = look.connections.data;
      const rate = (value) => (value == null ? '–' : t('db.per_second', { n: number(Math.round(value * 10) / 10) }));
      const busy = (value) => (value == null ? '–' : t('db.per_second', { n: duration(value) }));
      return html`<div class="figures">
        ${sessions.length > 0 && html`<${Over} ...${time} title=${t('db.sessions')} layers=${sessions.map((one) => [session(one.state), one.values, STATES[one.state]])}
          now=${connections ? number(Object.values(connections.byState).reduce((a, b) => a + b, 0)) : ''} show=${number} />`}
        <${Over} ...${time} title=${t('db.commits')} layers=${[['commits', of('commits')[0].values, 'accent']]} now=${rate(last('commits'))} show=${rate} />
        <${Over} ...${time} title=${t('size')} layers=${[['size', of('size')[0].values, 'accent']]} now=${bytes(look.size.data?.sizeBytes ?? last('size'))} show=${bytes} />
        ${of('statements').length > 0 && html`<${Over} ...${time} title=${t('db.statement_time')} layers=${[['statements', of('statements')[0].values, 'accent']]} now=${busy(last('statements'))} show=${busy} />`}
      </div>`;
    }}<//></section>`;
}

function Inside({ environment, span }) {
  const loaded = useLoad((signal) => load(environment, signal), [environment], { every: EVERY });
  return html`<${Loaded} from=${loaded} lines=${8}>${(look) => {
    const { health, size, connections, performance, alerts } = look;
    return html`
      ${health.error && html`<${Trouble} problem=${health.error} retry=${loaded.reload} />`}
      ${health.data && html`<div class="row"><${Standing} of=${health.data.status} alerts=${alerts} />
        <span class="mono">${health.data.database}</span><span>${version(health.data.serverVersionNum)}</span></div>
      <${Firing} alerts=${alerts} />
      ${health.data.problems.map((problem, i) => html`<p class="note warn-note" key=${problem}>${near(health.data, i) || html`<span lang="en">${problem}</span>`}</p>`)}
      <${Facts} of=${[
        [t('db.started'), exact(health.data.startedAt)],
        [t('db.role'), health.data.inRecovery ? t('db.replica') : t('db.primary')],
        [t('db.latency'), duration(health.data.latencyMs)],
        [t('db.longest'), health.data.longestTransactionMs == null ? t('none') : duration(health.data.longestTransactionMs)],
        [t('db.cache'), percent(performance.data?.activity.cacheHitRatio)],
        [t('db.deadlocks'), number(performance.data?.activity.deadlocks)],
        [t('db.temporary'), bytes(performance.data?.activity.temporaryBytes)],
      ]} />`}
      <${History} environment=${environment} span=${span} look=${look} />
      ${connections.data && html`<${Connections} view=${connections.data} />`}
      ${size.data && html`<${Sizes} view=${size.data} />`}
      ${performance.data && html`<${Statements} view=${performance.data} /><${Improve} view=${performance.data} />`}
      ${[size, connections, performance].filter((part) => part.error && part.error.code !== health.error?.code).map((part) => html`<${Trouble} problem=${part.error} />`)}`;
  }}<//>`;
}

export default function Database({ route }) {
  const environments = useEnvironments();
  const list = environments.data;
  const env = list && chosen(list, route.query.env);
  return html`<${Head} title=${t('nav.database')} lead=${t('db.lead')}>
      ${list && html`<${EnvironmentChoice} environments=${list} value=${env.environment} />`}<//>
    <${Loaded} from=${environments}>${() => html`<${Inside} environment=${env.environment} span=${SPANS.includes(route.query.span) ? route.query.span : SPANS[0]} key=${env.environment} />`}<//>`;
}
