// Who changed the schema, whether the record of it is whole, and what was done behind the service's back.

import { html, useState } from '../vendor/htm-preact.js';
import { get, post } from '../parts/api.js';
import { EnvironmentChoice, ServiceChoice, chosen, useEnvironments, useService } from '../parts/environment.js';
import { exact, number } from '../parts/format.js';
import { adjust, to, useAction, useLoad } from '../parts/hooks.js';
import { said, t, tn } from '../parts/i18n.js';
import { Verbatim } from '../parts/said.js';
import { Sql } from '../parts/sql.js';
import { Icon, State } from '../parts/states.js';
import { Act, Ago, Choice, Empty, Facts, Head, Loaded, Table, Trouble } from '../parts/ui.js';

const PAGE = 50;

function Chain({ environment }) {
  const [answer, setAnswer] = useState(null);
  const [verify, busy, problem] = useAction(async () => setAnswer(await post('api/audit/verify', { environment })));
  return html`<section class="card" aria-labelledby="chain"><div class="row spread"><h2 id="chain">${t('audit.chain')}</h2>
      <${Act} icon="check" busy=${busy} onClick=${verify}>${t('audit.verify')}<//></div>
    <p class="hint">${t('audit.chain.how')}</p><${Trouble} problem=${problem} />
    ${answer && html`<p role="status"><${State} of=${answer.intact ? 'intact' : 'audit'} text=${answer.intact ? t('audit.intact') : t('audit.broken')} /> ${tn('audit.checked', answer.checked)}</p>
      ${answer.findings.length > 0 && html`<ul class="findings">${answer.findings.map((f, i) => html`<li class="error" key=${i}><${Verbatim} text=${f.message || f.words || JSON.stringify(f)} /></li>`)}</ul>`}`}
  </section>`;
}

function Drift({ environment }) {
  const loaded = useLoad((signal) => get('api/drift', { environment, limit: 50 }, { signal }), [environment]);
  const [check, busy, problem] = useAction(async () => {
    await post('api/drift/check', { environment });
    loaded.reload();
  });
  const look = loaded.data?.looks.find((l) => l.environment === environment);
  return html`<section class="card" aria-labelledby="drift"><div class="row spread"><h2 id="drift">${t('drift.title')}</h2>
      <${Act} icon="refresh" busy=${busy} onClick=${check}>${t('drift.check')}<//></div>
    <p class="hint">${t('drift.how')} ${look?.lookedAt ? html`${t('drift.looked')} <${Ago} at=${look.lookedAt} />` : t('drift.never')}</p>
    <${Trouble} problem=${problem} />
    <${Loaded} from=${loaded} lines=${2}>${({ findings }) => (findings.length === 0
      ? look?.lookedAt && html`<p class="calm"><${Icon} name="check" /> ${t('drift.none')}</p>`
      : html`<${Table} label=${t('drift.title')} rows=${findings} keyOf=${(f) => f.id} columns=${[
        { title: t('state'), cell: (f) => (f.resolvedAt ? html`<${State} of="resolved" />` : html`<${State} of=${f.kind} />`) },
        { title: t('drift.what'), kind: 'wide', cell: (f) => html`${said(`found.${f.kind}`) && html`<p>${said(`found.${f.kind}`)}</p>`}<${Verbatim} text=${f.words} />` },
        { title: t('service'), cell: (f) => f.service || '–' },
        { title: t('history.by'), cell: (f) => html`<span class="mono">${[f.role, f.application].filter(Boolean).join(' · ') || '–'}</span>` },
        { title: t('drift.first'), cell: (f) => html`<${Ago} at=${f.firstSeenAt} />` },
      ]} />`)}<//></section>`;
}

function Entry({ entry }) {
  return html`<div class="details"><${Facts} of=${[
    [t('history.when'), exact(entry.at)],
    [t('audit.acting'), html`<span class="mono">${entry.actingRole}</span>`],
    [t('audit.session'), html`<span class="mono">${entry.sessionRole}</span>`],
    [t('db.application'), entry.application],
    [t('audit.address'), entry.address],
    [t('migration'), entry.migration && html`<span class="mono">${entry.migration}</span>`],
    [t('history.run'), entry.runId && html`<a href=${to('run', entry.runId)}>${entry.runId.slice(-12)}</a>`],
  ]} />
  ${entry.objects?.length > 0 && html`<ul class="mono short-list">${entry.objects.map((o, i) => html`<li key=${i}>${o.command} ${o.identity}</li>`)}</ul>`}
  ${entry.statement && html`<${Sql} text=${entry.statement} label=${t('audit.statement')} />`}</div>`;
}

function Entries({ environment, service, via }) {
  const [more, setMore] = useState({ entries: [], next: undefined });
  const [open, setOpen] = useState(null);
  const ask = (before, options) => get('api/audit', { environment, service, viaService: via, limit: PAGE, before }, options);
  const loaded = useLoad((signal) => ask(undefined, { signal }), [environment, service, via]);
  const [older, busy, problem] = useAction(async (before) => {
    const page = await ask(before);
    setMore((now) => ({ entries: [...now.entries, ...page.entries], next: page.next ?? null }));
  });
  return html`<${Loaded} from=${loaded} lines=${8}>${(data) => {
    const entries = [...data.entries, ...more.entries];
    const next = more.next === undefined ? data.next : more.next;
    if (data.off) return html`<div class="note warn-note"><${Icon} name="alert" /><div><p>${t('attention.audit_off')}</p><${Verbatim} text=${data.off} folded /></div></div>`;
    if (!entries.length) return html`<${Empty} title=${t('audit.empty')} icon="eye"><a href=${to('plan')}>${t('nav.plan')}</a><//>`;
    return html`<${Table} label=${t('audit.entries')} rows=${entries} keyOf=${(e) => e.id}
        below=${(e) => open === e.id && html`<${Entry} entry=${e} />`} columns=${[
        { title: t('audit.command'), cell: (e) => html`<button type="button" class="fold" aria-expanded=${open === e.id} onClick=${() => setOpen(open === e.id ? null : e.id)}><${Icon} name="down" /><span class="fold-words"><span>${e.command}</span><span class="mono dim">${e.migration || e.objects?.[0]?.identity || ''}</span></span></button>` },
        { title: t('audit.via'), cell: (e) => (e.viaService ? html`<${State} of="ok" text=${t('audit.by_service')} />` : html`<${State} of="warning" text=${t('audit.by_hand')} />`) },
        { title: t('audit.acting'), cell: (e) => html`<span class="mono">${e.actingRole}</span>` },
        { title: t('audit.objects'), kind: 'num', cell: (e) => number(e.objects?.length) },
        { title: t('history.when'), cell: (e) => html`<${Ago} at=${e.at} />` },
      ]} />
      <${Trouble} problem=${problem} />
      ${next != null && html`<p><${Act} busy=${busy} onClick=${() => older(next)}>${t('more')}<//></p>`}`;
  }}<//>`;
}

export default function Audit({ route }) {
  const environments = useEnvironments();
  const list = environments.data;
  const env = list && chosen(list, route.query.env);
  const service = useService(env, route.query.service);
  const { via = '' } = route.query;
  return html`<${Head} title=${t('nav.audit')} lead=${t('audit.lead')}>
      ${list && html`<${EnvironmentChoice} environments=${list} value=${env.environment} />`}<//>
    <${Loaded} from=${environments}>${() => html`
      <div class="two" key=${env.environment}><${Chain} environment=${env.environment} /><${Drift} environment=${env.environment} /></div>
      <section aria-labelledby="entries"><div class="row spread act-row"><h2 id="entries">${t('audit.entries')}</h2><div class="row">
        <${ServiceChoice} services=${env.services} value=${service} />
        <${Choice} label=${t('audit.via')} value=${via} options=${[['', t('audit.all')], ['true', t('audit.by_service')], ['false', t('audit.by_hand')]]} onChange=${(value) => adjust({ via: value })} /></div></div>
        <${Entries} environment=${env.environment} service=${service} via=${via} key=${`${env.environment}/${service}/${via}`} /></section>`}<//>`;
}
