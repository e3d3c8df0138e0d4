// What the gates say of a migration: forecast of locks and times, certificate, findings.

import { html } from '../vendor/htm-preact.js';
import { bytes, duration, exact, number, version } from './format.js';
import { said, t, tn, word } from './i18n.js';
import { Cure, Verbatim } from './said.js';
import { Icon, State } from './states.js';
import { Caret, Sql } from './sql.js';
import { Facts, Table } from './ui.js';

/** `AccessExclusive` and `AccessExclusiveLock` as PostgreSQL's documentation writes it. */
const mode = (name) => String(name).replace(/Lock$/, '').replace(/(?<=[a-z])(?=[A-Z])/g, ' ').toUpperCase();

/** The strongest thing that others will feel, in a few words. */
export function impact(proof) {
  const blocking = proof?.forecast?.blocking;
  if (!blocking) return null;
  const worst = Math.max(0, ...blocking.map((b) => Math.max(b.writersMs ?? 0, b.readersMs ?? 0)));
  return { worst, count: blocking.length };
}

/** How long it will take as far as is known: as the rehearsal measured it, else as it was reckoned. */
export function expectedMs(proof) {
  if (proof?.certificate?.upMs?.length) return proof.certificate.upMs[0];
  const each = proof?.forecast?.statementMs;
  return each ? each.reduce((sum, ms) => sum + (ms ?? 0), 0) : null;
}

export function Impact({ proof }) {
  const felt = impact(proof);
  if (!felt) return html`<span class="dim">${t('forecast.unknown')}</span>`;
  if (!felt.count) return html`<span class="impact"><${Icon} name="check" /> ${t('forecast.nobody')}</span>`;
  return html`<span class="impact"><${Icon} name="lock" /> ${tn('forecast.locks', felt.count)} · ${t('forecast.wait', { time: duration(felt.worst) })}</span>`;
}

export function Findings({ of }) {
  if (!of?.length) return null;
  return html`<ul class="findings">${of.map((finding, i) => html`<li class=${finding.severity} key=${i}>
    <div class="finding-head"><${State} of=${finding.severity} /> <code>${finding.code}</code>
      <span class="dim">${word('gate', finding.gate)}</span></div>
    ${(said(`finding.${finding.code}`) || said(`problem.${finding.code}`)) && html`<p>${said(`finding.${finding.code}`) || said(`problem.${finding.code}`)}</p>`}
    <${Verbatim} text=${finding.message} />
    ${finding.location && html`<${Caret} location=${finding.location} />`}
    ${finding.safer && html`<p class="hint">${t('finding.safer')}</p><${Sql} text=${finding.safer} label=${t('finding.safer')} />`}
    <${Cure} of=${finding} />
    ${finding.accepted && html`<p class="hint">${t('finding.accepted')} <span lang="">${finding.accepted}</span></p>`}
  </li>`)}</ul>`;
}

export const Gates = ({ of }) => html`<ul class="gates">${of.map((gate) => html`<li key=${gate.gate}>
  <${State} of=${gate.holds === true ? 'holds' : gate.holds === false ? 'failed' : 'skipped'} text=${word('gate', gate.gate)} />
  ${gate.required && html`<span class="tag">${t('gate.required')}</span>`}
  ${gate.skipped && html`<span class="hint" lang="en">${gate.skipped}</span>`}</li>`)}</ul>`;

function Locks({ blocking }) {
  if (!blocking.length) return html`<p class="hint">${t('forecast.nobody')}</p>`;
  return html`<${Table} label=${t('forecast.title')} rows=${blocking} keyOf=${(b) => b.relation + b.mode} columns=${[
    { title: t('forecast.relation'), cell: (b) => html`<span class="mono">${b.relation}</span>` },
    { title: t('forecast.mode'), cell: (b) => html`<span class="small-caps">${mode(b.mode)}</span>` },
    { title: t('forecast.readers'), kind: 'num', cell: (b) => duration(b.readersMs) },
    { title: t('forecast.writers'), kind: 'num', cell: (b) => duration(b.writersMs) },
    { title: t('forecast.rows'), kind: 'num', cell: (b) => number(b.rows) },
    { title: t('size'), kind: 'num', cell: (b) => bytes(b.bytes) },
  ]} />`;
}

/** What a rehearsal has proven and measured. */
function Certificate({ certificate }) {
  const { irreversible, withData, statements } = certificate;
  return html`<p class="calm"><${Icon} name="check" /> ${irreversible ? t('certificate.one_way') : t('certificate.holds')}</p>
    <${Facts} of=${[
      [t('certificate.irreversible'), irreversible && html`<span lang="">${irreversible}</span>`],
      [t('certificate.up'), certificate.upMs?.map(duration).join(' · ')],
      [t('certificate.down'), certificate.downMs != null && duration(certificate.downMs)],
      [t('certificate.walk'), certificate.walkMs != null && duration(certificate.walkMs)],
      [t('certificate.at'), exact(certificate.at)],
      [t('certificate.server'), version(certificate.serverVersionNum)],
      [t('certificate.data'), withData ? html`<code>${withData.backup}</code> (${number(withData.rows)} ${t('rows')})` : t('certificate.no_data')],
      [t('certificate.after'), html`<code class="cut" title=${certificate.after}>${certificate.after}</code>`],
    ].filter(([, value]) => value)} />
    ${statements?.length > 0 && html`<details><summary>${tn('statements', statements.length)}</summary>
      <${Table} label=${t('certificate.statements')} rows=${statements} keyOf=${(s) => s.statement} columns=${[
        { title: t('line'), kind: 'num', cell: (s) => s.line },
        { title: t('duration'), kind: 'num', cell: (s) => duration(s.durationMs) },
        { title: t('certificate.locks'), cell: (s) => (s.locks == null ? t('certificate.unobserved') : s.locks.map((l) => `${l.relation} ${mode(l.mode)}`).join(', ') || '–') },
        { title: t('certificate.rewritten'), cell: (s) => s.rewritten?.join(', ') || '–' },
        { title: 'WAL', kind: 'num', cell: (s) => bytes(s.walBytes) },
      ]} /></details>`}`;
}

/** Everything that is known of one migration before it runs. */
export function Proof({ proof }) {
  const { forecast, certificate } = proof;
  return html`<div class="proof">
    <${Findings} of=${proof.findings} />
    ${forecast && html`<h3>${t('forecast.title')}</h3><${Locks} blocking=${forecast.blocking || []} />`}
    ${certificate ? html`<h3>${t('certificate.title')}</h3><${Certificate} certificate=${certificate} />` : html`<p class="hint">${t('certificate.none')}</p>`}
  </div>`;
}

/** What the target keeps of how a migration was proven: `record` as the service lists it, or none; `known`: its certificate is shown already. */
export function OnRecord({ record, applied, known }) {
  const { certificate, ofAppliedFile, gates = [], overrides = [] } = record || {};
  return html`<div class="proof" data-record=${certificate ? 'certificate' : 'none'}>
    ${!known && html`<h3>${t('certificate.title')}</h3>
    ${certificate && applied && ofAppliedFile === false && html`<p class="note warn-note"><${Icon} name="alert" /> ${t('certificate.other_file')}</p>`}
    ${certificate ? html`<${Certificate} certificate=${certificate} />` : html`<p class="hint">${applied ? t('certificate.never') : t('certificate.none')}</p>`}`}
    ${applied && html`<h3>${t('gates.of_run')}</h3>
      ${gates.length ? html`<${Gates} of=${gates} />` : html`<p class="hint">${t('gates.none')}</p>`}
      ${overrides.map((one) => html`<p class="note warn-note" key=${one.gate}><${Icon} name="alert" /> <span>${t('gates.passed_by', { gate: word('gate', one.gate), by: one.by, when: exact(one.at) })} <span lang="">${one.reason}</span></span></p>`)}`}
  </div>`;
}
