// What a run would do, what the gates say of it, and the button that starts it; below it the runs that were.

import { html, useEffect, useState } from '../vendor/htm-preact.js';
import { get, post } from '../parts/api.js';
import { EnvironmentChoice, ServiceChoice, chosen, useEnvironments, useService } from '../parts/environment.js';
import { duration, intent, migration } from '../parts/format.js';
import { go, to, useAction, useLoad } from '../parts/hooks.js';
import { t, tn, word } from '../parts/i18n.js';
import { Rail, lanes } from '../parts/graph.js';
import { Findings, Gates, Impact, Proof, expectedMs } from '../parts/proof.js';
import { Sql } from '../parts/sql.js';
import { Icon, State } from '../parts/states.js';
import { Act, Ago, Confirm, Empty, Head, Loaded, ScopeNote, Table, Trouble } from '../parts/ui.js';

/** Those that look at the texts and at the live catalog: quick, and without a scratch database. */
const QUICK = ['parses', 'stays-home', 'breaks-no-neighbour', 'hazards'];

/** What is waited for, by its place in the list where it is in it. */
const after = (id, all) => {
  const place = all.findIndex((m) => m.migration === id);
  return place < 0 ? id : `${place + 1}. ${intent(all[place].name)}`;
};

function Step({ step, index, all, lane, proof, last, setLast }) {
  const [open, setOpen] = useState(false);
  const { schema, version } = migration(step.migration);
  const expected = expectedMs(proof);
  const worst = proof?.findings?.some((f) => f.severity === 'error') ? 'error' : proof?.findings?.some((f) => f.severity === 'warning') ? 'warning' : null;
  const beyond = last && all.findIndex((m) => m.migration === last) < index;
  return html`<li class="step ${beyond ? 'beyond' : ''}">
    <span class="step-number num">${index + 1}.</span>
    <div class="rail-box" style=${{ width: `${lane.width}px` }}><${Rail} index=${index} migrations=${all} lane=${lane} /></div>
    <div class="step-body">
      <button type="button" class="fold" aria-expanded=${open} onClick=${() => setOpen(!open)}>
        <${Icon} name="down" />
        <span class="fold-words"><span class="step-name">${intent(step.name)}</span>
          <span class="mono dim">${schema}/${version}</span></span></button>
      <div class="step-facts">
        ${step.late && html`<${State} of="late" />`}
        ${step.prerequisite && html`<span class="tag">${t('plan.prerequisite', { service: step.service })}</span>`}
        ${!step.transactional && html`<span class="tag" title=${t('plan.stepwise.why')}>${t('plan.stepwise')}</span>`}
        ${step.resumeAfter > 0 && html`<span class="tag">${t('plan.resumes', { n: step.resumeAfter })}</span>`}
        ${worst && html`<${State} of=${worst} />`}
        <span>${tn('statements', step.statements)}</span>
        ${proof && html`<${Impact} proof=${proof} />`}
        ${expected != null && html`<span class="num">~${duration(expected)}</span>`}
      </div>
      ${step.waitsFor.length > 0 && html`<p class="step-waits">${t('plan.waits')} ${step.waitsFor.map((id) => after(id, all)).join(', ')}</p>`}
      ${open && html`<div class="details">
        ${step.waitsFor.length > 0 && html`<p>${t('plan.waits')} <span class="mono">${step.waitsFor.join(', ')}</span></p>`}
        ${index < all.length - 1 && html`<button type="button" class="link" onClick=${() => setLast(last === step.migration ? null : step.migration)}>
          ${last === step.migration ? t('plan.stop.not') : t('plan.stop')}</button>`}
        ${proof && html`<${Proof} proof=${proof} />`}
        ${step.sql && html`<h3>${t('sql.up')}</h3><${Sql} text=${step.sql} label=${`${t('sql.up')} ${step.migration}`} />`}
      </div>`}
    </div>
  </li>`;
}

function Plan({ plan, env, service }) {
  const { environment } = env;
  const [report, setReport] = useState(null);
  const [last, setLast] = useState(null);
  const [asking, setAsking] = useState(null);
  const [validate, busy, problem] = useAction(async (gates, signal) => {
    setReport(await post('api/migrations/validate', { environment, service: service || undefined, gates }, { signal, once: undefined }));
  });
  const [run, starting, refused, forget] = useAction(async (dryRun) => {
    const answer = await post('api/migrations/run', { environment, service: service || undefined, to: last || undefined, dryRun });
    go('run', answer.migrationId);
  });
  useEffect(() => {
    if (!plan.total) return undefined;
    const stop = new AbortController();
    validate(QUICK, stop.signal);
    return () => stop.abort();
  }, []);
  if (!plan.total && !plan.preparesTarget) {
    return html`<${Empty} title=${t('plan.empty', { environment })} icon="check"><p>${t('plan.empty.next')}</p><code>${'profe migrate new <schema> <intent>'}</code><//>`;
  }
  if (!plan.total) {
    return html`<${Empty} title=${t('plan.prepares', { environment })}><p>${t('plan.prepares.next')}</p>
        <${Act} scope="migrate" icon="play" kind="primary" busy=${starting} onClick=${() => (env.protected ? setAsking(true) : run(false))}>${t('plan.prepare')}<//><//>
      <${ScopeNote} scope="migrate" />${!asking && html`<${Trouble} problem=${refused} />`}
      ${asking && html`<${Confirm} title=${t('plan.prepare')} name=${environment} verb=${t('plan.prepare')} kind="primary" busy=${starting} problem=${refused}
        onClose=${() => { setAsking(null); forget(); }} onYes=${() => run(false)}>
        <p class="note"><${Icon} name="lock" /> ${t('plan.confirm.protected', { environment })}</p><//>`}`;
  }
  const proofs = new Map((report?.migrations || []).map((m) => [m.migration, m]));
  const lane = lanes(plan.migrations);
  const count = last ? plan.migrations.findIndex((m) => m.migration === last) + 1 : plan.total;
  const times = plan.migrations.slice(0, count).map((m) => expectedMs(proofs.get(m.migration)));
  const total = times.length && times.every((ms) => ms != null) ? times.reduce((a, b) => a + b, 0) : null;
  return html`
    ${plan.notes.map((note) => html`<p class="note" lang="en" key=${note}><${Icon} name="alert" /> ${note}</p>`)}
    <section class="gatebox" aria-label=${t('gates.title')}>
      <div class="row spread"><h2>${t('gates.title')}</h2>
        <${Act} icon="check" busy=${busy} onClick=${() => validate([])}>${busy ? t('proof.busy') : t('proof.rehearse')}<//></div>
      <${Trouble} problem=${problem?.name === 'AbortError' ? null : problem} />
      ${report ? html`<${Gates} of=${report.gates} /><${Findings} of=${report.findings} />` : !problem && html`<p class="hint" role="status">${t('proof.busy')}</p>`}
    </section>
    <div class="row spread act-row">
      <h2>${tn('plan.title', count)}${total != null ? html` <span class="dim">~${duration(total)}</span>` : ''}</h2>
      <div class="row">
        <${Act} scope="migrate" icon="eye" busy=${starting} onClick=${() => run(true)}>${t('plan.dry')}<//>
        <${Act} scope="migrate" icon="play" kind="primary" busy=${starting} onClick=${() => setAsking(true)}>${tn('plan.run', count)}<//>
      </div>
    </div>
    <${ScopeNote} scope="migrate" />
    ${!asking && html`<${Trouble} problem=${refused} />`}
    <ol class="steps">${plan.migrations.map((step, index) => html`<${Step} key=${step.migration} step=${step} index=${index}
      all=${plan.migrations} lane=${lane} proof=${proofs.get(step.migration)} last=${last} setLast=${setLast} />`)}</ol>
    ${asking && html`<${Confirm} title=${t('plan.confirm.title')} name=${env.protected ? environment : undefined} verb=${tn('plan.run', count)} kind="primary" busy=${starting} problem=${refused}
      onClose=${() => { setAsking(null); forget(); }} onYes=${() => run(false)}>
      <p>${tn('plan.confirm', count, { environment })}</p>
      ${env.protected && html`<p class="note"><${Icon} name="lock" /> ${t('plan.confirm.protected', { environment })}</p>`}
      ${report && !report.passed && html`<p class="note warn-note"><${Icon} name="alert" /> ${t('plan.confirm.gates')}</p>`}
    <//>`}`;
}

/** The runs of an environment, newest first. */
export function Runs({ environment }) {
  const loaded = useLoad((signal) => get('api/migrations/runs', { environment, limit: 12 }, { signal }), [environment], { every: 10_000 });
  return html`<section aria-labelledby="runs"><h2 id="runs">${t('runs.title')}</h2>
    <${Loaded} from=${loaded} lines=${4}>${({ runs }) => (runs.length === 0
      ? html`<p class="hint">${t('runs.empty')}</p>`
      : html`<${Table} label=${t('runs.title')} rows=${runs} keyOf=${(r) => r.migrationId} columns=${[
        { title: t('run'), cell: (r) => html`<a href=${to('run', r.migrationId)}>${word('kind', r.kind)}${r.dryRun ? html` <span class="tag">${t('plan.dry')}</span>` : ''}</a>` },
        { title: t('state'), cell: (r) => html`<${State} of=${r.status} />` },
        { title: t('service'), cell: (r) => r.service || t('service.all') },
        { title: t('migrations'), kind: 'num', cell: (r) => `${r.done.length}/${Math.max(r.migrations.length, r.done.length)}` },
        { title: t('history.by'), cell: (r) => html`<span class="mono dim">${r.actor}</span>` },
        { title: t('history.when'), cell: (r) => html`<${Ago} at=${r.startedAt} />` },
        { title: t('duration'), kind: 'num', cell: (r) => (r.finishedAt ? duration(new Date(r.finishedAt) - new Date(r.startedAt)) : '–') },
      ]} />`)}<//></section>`;
}

export default function PlanPage({ route }) {
  const environments = useEnvironments();
  const list = environments.data;
  const env = list && chosen(list, route.query.env);
  const service = useService(env, route.query.service);
  return html`<${Head} title=${t('nav.plan')} lead=${t('plan.lead')}>
      ${list && html`<${EnvironmentChoice} environments=${list} value=${env.environment} /><${ServiceChoice} services=${env.services} value=${service} />`}
    <//>
    <${Loaded} from=${environments}>${() => html`<${Inside} env=${env} service=${service} key=${`${env.environment}/${service}`} />`}<//>`;
}

function Inside({ env, service }) {
  const { environment } = env;
  const loaded = useLoad((signal) => get('api/migrations/plan', { environment, service, withSql: true }, { signal }), [environment, service]);
  return html`<${Loaded} from=${loaded} lines=${6}>${(plan) => html`<${Plan} plan=${plan} env=${env} service=${service} />`}<//>
    <${Runs} environment=${environment} />`;
}
