// Every service in every environment, and what needs somebody first.

import { html } from '../vendor/htm-preact.js';
import { Standing, firing, placeOf, words } from '../parts/alerts.js';
import { get } from '../parts/api.js';
import { ago, version } from '../parts/format.js';
import { to, useLoad } from '../parts/hooks.js';
import { said, t, tn, word } from '../parts/i18n.js';
import { Verbatim } from '../parts/said.js';
import { Icon, State, look } from '../parts/states.js';
import { Act, Ago, Empty, Head, Loaded } from '../parts/ui.js';

/** The table is what counts: what lies around it may be missing. */
const orNothing = (promise, nothing) => promise.catch((error) => {
  if (error.name === 'AbortError') throw error;
  return { ...nothing, failed: error };
});

/** A page of a list, and how many pages of one environment are read before it is said that there is no telling. */
const PAGE = 200;
const PAGES = 5;

/**
 * Adds to the newest of all environments, `list[key]`, those of an environment which the others have crowded out: as far
 * back as it takes until it has what is looked for. `list.cut` are the environments of which there are older ones still.
 */
async function completed(path, key, list, environments, has, signal) {
  if (!list.next) return { ...list, cut: new Set() };
  const cut = new Set();
  const more = await Promise.all(environments.filter((env) => !has(env, list[key])).map(async ({ environment, ...env }) => {
    let found = [];
    let before;
    for (let page = 0; page < PAGES; page += 1) {
      const answer = await get(path, { environment, limit: PAGE, before }, { signal });
      found = [...found, ...answer[key]];
      before = answer.next;
      if (!before || has({ environment, ...env }, found)) break;
    }
    if (before) cut.add(environment);
    return found;
  }));
  const known = new Set(list[key].map(idOf));
  return { ...list, [key]: [...list[key], ...more.flat().filter((one) => !known.has(idOf(one)))], cut };
}

const idOf = (one) => one.migrationId || one.backupId;

const used = (env) => env.services.filter((service) => service.appliedMigrations > 0);

async function load(signal) {
  const [status, drift, newestBackups, newestRuns, alerts] = await Promise.all([
    get('api/migrations/status', { environment: 'all' }, { signal }),
    orNothing(get('api/drift', { state: 'open', limit: 200 }, { signal }), { findings: [], looks: [] }),
    orNothing(get('api/backup/list', { limit: PAGE }, { signal }), { backups: [] }),
    orNothing(get('api/migrations/runs', { limit: PAGE / 2 }, { signal }), { runs: [] }),
    orNothing(firing(undefined, signal), []),
  ]);
  const { environments } = status;
  const [backups, runs] = await Promise.all([
    orNothing(completed('api/backup/list', 'backups', newestBackups, environments, (env, list) => used(env).every((service) => verifiedBackup(list, env.environment, service.name)), signal), newestBackups),
    orNothing(completed('api/migrations/runs', 'runs', newestRuns, environments, (env, list) => used(env).every((service) => lastRun(list, env.environment, service)), signal), newestRuns),
  ]);
  return { environments, drift, backups: backups.backups, backupsFailed: backups.failed, runs: runs.runs, cut: runs.cut || new Set(), alerts: Array.isArray(alerts) ? alerts : [] };
}

const concerns = (list, service) => !list?.length || list.includes(service);

/** A run that was for the service, or touched one of its schemas. */
const touches = (run, service) =>
  run.service === service.name || run.migrations.some((id) => service.schemas.includes(id.split('/')[0]));

const lastRun = (runs, environment, service) => runs.find((run) => run.environment === environment && !run.dryRun && touches(run, service));

function verifiedBackup(backups, environment, service) {
  return backups.find((b) => b.environment === environment && b.verification.status === 'verified' && (!service || concerns(b.services, service)));
}

const STATES = ['failed', 'interrupted', 'edited', 'missing'];
const COUNTS = { failed: 'failedMigrations', edited: 'editedMigrations', missing: 'missingMigrations', pending: 'pendingMigrations' };
const DAY = 86_400_000;

/** What an alert is of that is listed anyway: it then only says how urgent that is. */
const SAME = {
  'failed-migration': ['failed', 'interrupted'],
  drift: ['drift'],
  'broken-audit-chain': ['audit'],
  'stale-backup': ['missing_backup', 'old_backup'],
};
const URGENCY = { critical: 0.5, warning: 2.5 };

/** Adds alerts of one rule in one environment: what is listed anyway becomes as urgent as they are, the rest is one more line. */
function warn(found, alerts) {
  const [{ rule, environment }] = alerts;
  const severity = alerts.some((a) => a.severity === 'critical') ? 'critical' : alerts[0].severity;
  const weight = URGENCY[severity] ?? 6;
  const same = ({ service }) => found.filter((item) => item.environment === environment && SAME[rule]?.includes(item.state) && (!service || !item.service || item.service === service));
  for (const item of alerts.flatMap(same)) item.weight = Math.min(item.weight, weight);
  const rest = alerts.filter((alert) => same(alert).length === 0);
  if (!rest.length) return;
  const said = rest.length === 1 ? { ...words(rest[0]), where: [rest[0].service, environment] } : { text: tn('attention.alerts', rest.length, { rule: word('rule', rule) }), where: [environment] };
  const page = placeOf({ rule, environment });
  found.push({ weight, state: { critical: 'firing', warning: 'warning' }[severity] || 'notice', ...said, where: said.where.filter(Boolean).join(' · ') || word('rule', rule), link: to(page, [], { env: environment }), go: t(`nav.${page}`) });
}

/** The page's own text of a code, else the service's words. */
const saidOr = (key, text) => (said(key) ? { text: said(key), rest: text } : { text });

/** What needs somebody, the worst first: `{ weight, state, where, text, link, go }`. */
export function attention({ environments, drift, backups, backupsFailed, runs, alerts }, now = Date.now()) {
  const found = [];
  for (const env of environments) {
    const place = env.environment;
    const unconfigured = env.overallStatus === 'unavailable' && !env.database;
    if (env.problem) {
      found.push({ weight: unconfigured ? 7 : 0, state: unconfigured ? 'unconfigured' : 'unreachable', where: place, ...saidOr(`problem.${env.problemCode}`, env.problem), link: to('database', [], { env: place }), go: t('nav.database') });
      continue;
    }
    for (const service of env.services) {
      if (STATES.includes(service.status)) {
        const n = service[COUNTS[service.status]] || 1;
        found.push({ weight: 1, state: service.status, environment: place, service: service.name, where: `${service.name} · ${place}`, text: tn(`attention.${service.status}`, n), link: to('service', service.name, { env: place }), go: t('look') });
      }
    }
    // What failed waits to be applied too, and is told already.
    const pending = env.services.reduce((sum, s) => sum + s.pendingMigrations - s.failedMigrations, 0);
    if (pending > 0) found.push({ weight: 5, state: 'pending', where: place, text: tn('attention.pending', pending), link: to('plan', [], { env: place }), go: t('nav.plan') });
    const applied = env.services.some((s) => s.appliedMigrations > 0);
    const backup = verifiedBackup(backups, place);
    if (applied && !backupsFailed && !backup) {
      found.push({ weight: 4, state: 'missing_backup', environment: place, where: place, text: t('attention.no_backup'), link: to('backups', [], { env: place }), go: t('nav.backups') });
    } else if (backup && now - new Date(backup.createdAt) > 7 * DAY) {
      found.push({ weight: 4, state: 'old_backup', environment: place, where: place, text: t('attention.old_backup', { when: ago(backup.createdAt, now) }), link: to('backups', [], { env: place }), go: t('nav.backups') });
    }
    if (env.auditOff) found.push({ weight: 3, state: 'warning', where: place, text: t('attention.audit_off'), link: to('audit', [], { env: place }), go: t('nav.audit') });
  }
  for (const finding of drift.findings) {
    const where = [finding.service, finding.environment].filter(Boolean).join(' · ');
    found.push({ weight: finding.kind === 'audit' ? 1 : 2, state: finding.kind, environment: finding.environment, service: finding.service, where, ...saidOr(`found.${finding.kind}`, finding.words), link: to('audit', [], { env: finding.environment }), go: t('look') });
  }
  for (const backup of backups.filter((b) => ['damaged', 'failed', 'missing', 'interrupted'].includes(b.status) || b.verification.status === 'failed')) {
    found.push({ weight: 3, state: backup.status === 'ready' ? 'failed' : backup.status, where: backup.environment, text: t('attention.backup', { id: backup.backupId }), link: to('backups', [], { env: backup.environment }), go: t('nav.backups') });
  }
  for (const run of runs.filter((r) => r.status === 'running')) {
    found.push({ weight: 6, state: 'running', where: run.environment, text: word('kind', run.kind), link: to('run', run.migrationId), go: t('watch') });
  }
  for (const alike of Object.values(Object.groupBy(alerts, (alert) => `${alert.rule} ${alert.environment}`))) warn(found, alike);
  return found.sort((a, b) => a.weight - b.weight);
}

function Attention({ items }) {
  const urgent = items.filter((item) => !['info', 'none'].includes(look(item.state)));
  return html`<section aria-labelledby="attention">
    <h2 id="attention">${t('attention.title')}</h2>
    ${items.length === 0
      ? html`<p class="calm"><${Icon} name="check" /> ${t('attention.none')}</p>`
      : html`<p class="visually-hidden" role="status">${tn('attention.count', urgent.length)}</p>
        <ul class="attention">${items.map((item, i) => html`<li class=${look(item.state)} key=${i}>
          <${State} of=${item.state} /><span class="attention-where">${item.where}</span>
          <div class="attention-text" lang=${item.lang}>${item.text}<${Verbatim} text=${item.rest} folded /></div>
          <a href=${item.link}>${item.go}<span class="visually-hidden"> ${item.where}</span></a></li>`)}</ul>`}
  </section>`;
}

function Cell({ env, service, data }) {
  if (env.problem) return html`<${State} of="unknown" />`;
  const run = lastRun(data.runs, env.environment, service);
  const backup = verifiedBackup(data.backups, env.environment, service.name);
  const alerts = data.alerts.filter((a) => a.environment === env.environment && a.service === service.name);
  const drifted = data.drift.findings.some((f) => f.environment === env.environment && f.kind === 'drift' && f.service === service.name);
  return html`<a class="cell" href=${to('service', service.name, { env: env.environment })}>
    <span class="cell-top"><${Standing} of=${service.status} alerts=${alerts} text=${service.pendingMigrations && service.status === 'pending' ? tn('pending', service.pendingMigrations) : undefined} />
      ${drifted && html`<${State} of="drift" />`}<span class="dim">${tn('applied', service.appliedMigrations)}</span></span>
    <span class="cell-facts"><span>${run ? html`${word('kind', run.kind)} <${Ago} at=${run.finishedAt || run.startedAt} />` : t(data.cut.has(env.environment) ? 'run.not_lately' : 'run.none')}</span>
      <span><${Icon} name="archive" /> ${backup ? html`<span class="visually-hidden">${t('backup.verified')}</span> <${Ago} at=${backup.createdAt} />` : t('backup.none')}</span></span>
  </a>`;
}

function EnvironmentHead({ env, looks, alerts }) {
  const seen = looks.find((l) => l.environment === env.environment && l.lookedAt);
  return html`<span class="env-name">${env.environment}</span>
    <${Standing} of=${env.overallStatus} alerts=${alerts.filter((a) => a.environment === env.environment)} />
    ${env.database && html`<span class="env-facts mono">${env.database}</span>`}
    <span class="env-facts">${version(env.serverVersionNum)} ${env.serverVersionNum ? '· ' : ''}${seen ? html`${t('drift.looked')} <${Ago} at=${seen.lookedAt} />` : t('drift.never')}</span>`;
}

function Matrix({ data }) {
  const names = [...new Map(data.environments.flatMap((env) => env.services.map((s) => [s.name, s]))).values()];
  if (!names.length) return html`<${Empty} title=${t('overview.empty')}><code>config/services.toml</code><//>`;
  return html`<section aria-labelledby="matrix"><h2 id="matrix">${t('overview.services')}</h2>
    <div class="table-frame"><table class="matrix" role="table" aria-labelledby="matrix">
    <thead role="rowgroup"><tr role="row"><th role="columnheader" scope="col">${t('service')}</th>
      ${data.environments.map((env) => html`<th role="columnheader" scope="col" key=${env.environment}><${EnvironmentHead} env=${env} looks=${data.drift.looks} alerts=${data.alerts} /></th>`)}</tr></thead>
    <tbody role="rowgroup">${names.map((service) => html`<tr role="row" key=${service.name}>
      <th role="rowheader" scope="row"><a href=${to('service', service.name)}>${service.name}</a>
        <span class="mono dim">${service.schemas.join(', ')}</span></th>
      ${data.environments.map((env) => {
        const own = env.services.find((s) => s.name === service.name);
        return html`<td role="cell" data-label=${env.environment} key=${env.environment}>${own ? html`<${Cell} env=${env} service=${own} data=${data} />` : html`<${State} of="unknown" />`}</td>`;
      })}</tr>`)}</tbody></table></div></section>`;
}

export default function Overview() {
  const loaded = useLoad(load, [], { every: 15_000 });
  return html`<${Head} title=${t('nav.overview')} lead=${t('overview.lead')}>
      <${Act} icon="refresh" onClick=${loaded.reload} busy=${loaded.loading && loaded.data !== undefined}>${t('refresh')}<//>
    <//>
    <${Loaded} from=${loaded} lines=${10}>${(data) => html`
      <${Attention} items=${attention(data)} />
      <${Matrix} data=${data} />`}<//>`;
}

