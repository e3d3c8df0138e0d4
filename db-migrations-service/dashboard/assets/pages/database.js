// How a database does: size, connections, activity, slow statements. What is drawn over time was seen by this page.

import { html, useEffect, useRef, useState } from '../vendor/htm-preact.js';
import { get } from '../parts/api.js';
import { Line, Shares } from '../parts/charts.js';
import { EnvironmentChoice, chosen, useEnvironments } from '../parts/environment.js';
import { bytes, duration, exact, number, percent, version } from '../parts/format.js';
import { useLoad } from '../parts/hooks.js';
import { t, tn } from '../parts/i18n.js';
import { State } from '../parts/states.js';
import { Bar, Empty, Facts, Head, Loaded, Table, Trouble } from '../parts/ui.js';

const EVERY = 5000;
const KEPT = 120;
/** Seen since the dashboard was opened, by environment: going to another page and back loses nothing. */
const seen = new Map();

const settle = (promise) => promise.then((data) => ({ data }), (error) => {
  if (error.name === 'AbortError') throw error;
  return { error };
});

async function load(environment, signal) {
  const ask = (what) => settle(get(`api/database/${what}`, { environment }, { signal }));
  const [health, size, connections, performance] = await Promise.all(['health', 'size', 'connections', 'performance'].map(ask));
  return { health, size, connections, performance, at: Date.now() };
}

/** What happened per second between two looks; nothing where the counters began anew. */
function rate(before, after, pick) {
  if (!before?.performance.data || !after.performance.data) return null;
  const grown = pick(after.performance.data.activity) - pick(before.performance.data.activity);
  return grown < 0 ? null : grown / ((after.at - before.at) / 1000);
}

function remember(environment, look) {
  const list = seen.get(environment) || [];
  if (list.at(-1)?.at === look.at) return list;
  const before = list.at(-1)?.look;
  const next = [...list, {
    at: look.at,
    look,
    connections: look.connections.data?.total ?? null,
    latency: look.health.data?.latencyMs ?? null,
    size: look.size.data?.sizeBytes ?? null,
    commits: rate(before, look, (a) => a.commits),
    slowest: look.performance.data?.statements?.[0]?.meanMs ?? null,
  }].slice(-KEPT).map((entry, i, all) => (i < all.length - 1 ? { ...entry, look: i === all.length - 2 ? entry.look : undefined } : entry));
  seen.set(environment, next);
  return next;
}

const Figure = ({ title, value, points, top, note }) => html`<figure class="figure card">
  <figcaption><span class="figure-title">${title}</span><span class="figure-value num">${value}</span></figcaption>
  <${Line} points=${points} top=${top} label=${`${title}: ${value}`} />
  ${note && html`<p class="hint">${note}</p>`}
</figure>`;

const STATES = { active: 'accent', idle: 'quiet', 'idle in transaction': 'warn', 'idle in transaction (aborted)': 'bad' };

function Connections({ view }) {
  const states = Object.entries(view.byState).sort((a, b) => b[1] - a[1]);
  return html`<section aria-labelledby="connections"><h2 id="connections">${t('db.connections')}</h2>
    <div class="card">
      <${Shares} label=${t('db.connections.of', { n: view.total, max: view.maxConnections })} total=${view.maxConnections} parts=${states.map(([name, n]) => [name, n, STATES[name] || 'quiet'])} />
      <${Facts} of=${[[t('db.connections.used'), `${number(view.total)} / ${number(view.maxConnections)}`], [t('db.connections.reserved'), number(view.reserved)], ...states.map(([name, n]) => [name, number(n)])]} />
    </div>
    ${view.transactions.length > 0 && html`<${Table} label=${t('db.transactions')} rows=${view.transactions} keyOf=${(s) => s.pid} columns=${[
      { title: 'pid', kind: 'num', cell: (s) => s.pid },
      { title: t('db.user'), cell: (s) => s.user || '–' },
      { title: t('db.application'), cell: (s) => s.application || '–' },
      { title: t('state'), cell: (s) => s.state || '–' },
      { title: t('db.waits'), cell: (s) => (s.blockedBy.length ? html`<${State} of="waiting" text=${`pid ${s.blockedBy.join(', ')}`} />` : s.waitsFor || '–') },
      { title: t('db.open'), kind: 'num', cell: (s) => duration(s.transactionMs) },
    ]} />`}</section>`;
}

function Sizes({ view }) {
  const most = Math.max(1, ...view.schemas.map((s) => s.sizeBytes));
  const biggest = Math.max(1, ...view.tables.map((s) => s.sizeBytes));
  return html`<section aria-labelledby="size"><h2 id="size">${t('size')} <span class="dim num">${bytes(view.sizeBytes)}</span></h2>
    <div class="two">
      <${Table} label=${t('db.schemas')} rows=${view.schemas} keyOf=${(s) => s.schema} columns=${[
        { title: t('schema'), cell: (s) => html`<span class="mono">${s.schema}</span>` },
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
      ? html`<${Empty} title=${t('db.statements.off')} icon="chart"><p lang="en">${view.howToEnableStatements}</p><//>`
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

function Over({ look, past }) {
  const points = (name) => past.map((entry) => entry[name]);
  const health = look.health.data;
  const connections = look.connections.data;
  const activity = look.performance.data?.activity;
  const commits = past.at(-1)?.commits;
  return html`<section aria-labelledby="over"><h2 id="over">${t('db.over')}</h2>
    <p class="hint">${tn('db.over.how', past.length)}</p>
    <div class="figures">
      ${health && html`<${Figure} title=${t('db.latency')} value=${duration(health.latencyMs)} points=${points('latency')} />`}
      ${connections && html`<${Figure} title=${t('db.connections')} value=${`${number(connections.total)} / ${number(connections.maxConnections)}`} points=${points('connections')} top=${connections.maxConnections / 4} />`}
      ${activity && html`<${Figure} title=${t('db.commits')} value=${commits == null ? '–' : number(Math.round(commits * 10) / 10)} points=${points('commits')} />`}
      ${look.size.data && html`<${Figure} title=${t('size')} value=${bytes(look.size.data.sizeBytes)} points=${points('size')} />`}
      ${look.performance.data?.statements?.length > 0 && html`<${Figure} title=${t('db.slowest')} value=${duration(past.at(-1)?.slowest)} points=${points('slowest')} />`}
    </div></section>`;
}

function Inside({ environment }) {
  const loaded = useLoad((signal) => load(environment, signal), [environment], { every: EVERY });
  const [past, setPast] = useState(seen.get(environment) || []);
  const last = useRef(null);
  useEffect(() => {
    if (!loaded.data || last.current === loaded.data.at) return;
    last.current = loaded.data.at;
    setPast(remember(environment, loaded.data));
  }, [loaded.data]);
  return html`<${Loaded} from=${loaded} lines=${8}>${(look) => {
    const { health, size, connections, performance } = look;
    return html`
      ${health.error && html`<${Trouble} problem=${health.error} retry=${loaded.reload} />`}
      ${health.data && html`<div class="row"><${State} of=${health.data.status} />
        <span class="mono">${health.data.database}</span><span>${version(health.data.serverVersionNum)}</span></div>
      ${health.data.problems?.map((problem) => html`<p class="note warn-note" lang="en" key=${problem}>${problem}</p>`)}
      <${Facts} of=${[
        [t('db.started'), exact(health.data.startedAt)],
        [t('db.role'), health.data.inRecovery ? t('db.replica') : t('db.primary')],
        [t('db.longest'), health.data.longestTransactionMs == null ? t('none') : duration(health.data.longestTransactionMs)],
        [t('db.cache'), percent(performance.data?.activity.cacheHitRatio)],
        [t('db.deadlocks'), number(performance.data?.activity.deadlocks)],
        [t('db.temporary'), bytes(performance.data?.activity.temporaryBytes)],
      ]} /><${Over} look=${look} past=${past} />`}
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
    <${Loaded} from=${environments}>${() => html`<${Inside} environment=${env.environment} key=${env.environment} />`}<//>`;
}
