// One run, as it happens and afterwards.

import { html, useEffect, useRef, useState } from '../vendor/htm-preact.js';
import { call, get, part } from '../parts/api.js';
import { useRun } from '../parts/follow.js';
import { duration, exact, intent, migration, number } from '../parts/format.js';
import { to, useAction, useLoad, useNow } from '../parts/hooks.js';
import { t, tn, word } from '../parts/i18n.js';
import { Findings, Gates } from '../parts/proof.js';
import { Cure, Verbatim, told } from '../parts/said.js';
import { Caret, Sql } from '../parts/sql.js';
import { Icon, State } from '../parts/states.js';
import { Act, Blockers, Facts, Head, Loaded, Trouble } from '../parts/ui.js';

/** Why it failed: the place, what PostgreSQL said, what was left behind, what to do. */
function Failure({ error, message }) {
  const { location, sql } = error;
  const words = told(error);
  return html`<section class="failure" role="alert" aria-labelledby="failure">
    <h2 id="failure"><${Icon} name="cross" /> ${words.folded ? words.title : message || t('run.failed')}</h2>
    ${!sql && !words.folded && html`<div class="failure-message"><${Verbatim} text=${error.message} /></div>`}
    ${location && html`<${Caret} location=${location} />`}
    ${sql && html`<${Facts} of=${[
      ['SQLSTATE', html`<code>${sql.sqlstate}</code>`],
      ['PostgreSQL', html`<q lang="en">${sql.message}</q>`],
      [t('failure.detail'), sql.detail && html`<q lang="en">${sql.detail}</q>`],
      [t('failure.hint'), sql.hint && html`<q lang="en">${sql.hint}</q>`],
    ]} />`}
    ${location?.statementText && html`<details><summary>${t('failure.statement', { n: location.statement })}</summary>
      <${Sql} text=${location.statementText} label=${t('failure.statement', { n: location.statement })} from=${1} /></details>`}
    <${Findings} of=${error.findings} />
    ${error.blockers?.length > 0 && html`<${Blockers} of=${error.blockers} />`}
    <p class="cure"><strong>${t('failure.left')}</strong> ${error.leftBehind ? html`<span lang="en">${error.leftBehind}</span>` : t('failure.left.nothing')}</p>
    <${Cure} of=${words} />
    ${words.folded && html`<${Verbatim} text=${words.rest} folded />`}
  </section>`;
}

/** Small marks for a migration's statements: which are done, which one runs, which one failed. */
function Ticks({ of }) {
  const total = of.statements || 0;
  if (!total || total > 60) return null;
  const failed = of.error?.location?.statement;
  const done = of.state === 'done' ? total : of.upTo || 0;
  const kind = (n) => (failed ? (n === failed ? 'bad' : n < failed && !of.transactional ? 'ok' : '') : n <= done ? 'ok' : n === done + 1 && of.state !== 'done' ? 'now' : '');
  return html`<span class="ticks" aria-hidden="true">${Array.from({ length: total }, (_, i) => html`<i class=${kind(i + 1)} key=${i}></i>`)}</span>`;
}

/** From the first to the last, as they stand in the file. */
const span = (from, through) => (from === through ? `${from}` : `${from}–${through}`);

/** So many statements stand open below a migration that is done; more are folded. */
const OPEN = 12;

/** Every statement in its place: what it was, where it stands in the file, what it took. */
function items({ of, waiting }) {
  const total = of.statements || 0;
  // Of a transaction that failed nothing is left of what was done before.
  const before = of.error && of.transactional ? 'taken_back' : 'done';
  const told = [...(of.done || []).map((one) => ({ ...one, state: before }))];
  if (of.now) told.push({ ...of.now, state: waiting ? 'waiting' : 'running' });
  const place = of.error?.location;
  if (place?.statement > (told.at(-1)?.through ?? 0)) told.push({ statement: place.statement, through: place.statement, line: place.line, state: 'failed' });
  const found = [];
  let next = 1;
  // What no event has told of stands together.
  const rest = (through, state) => {
    if (through >= next) found.push({ statement: next, through, state });
    next = Math.max(next, through + 1);
  };
  for (const one of told.toSorted((a, b) => a.statement - b.statement)) {
    if (one.statement < next) continue;
    rest(one.statement - 1, before);
    found.push(one);
    next = one.through + 1;
  }
  rest(of.state === 'done' ? total : of.upTo || 0, before);
  if (!of.error && found.length) rest(total, 'pending');
  return found;
}

const ICONS = { done: 'check', running: 'play', waiting: 'clock', failed: 'cross', taken_back: 'undo' };

function Statement({ one, total, now }) {
  const goesOn = one.state === 'running' || one.state === 'waiting';
  const took = one.durationMs ?? (goesOn ? Math.max(0, now - new Date(one.at)) : null);
  return html`<li class="run-statement" data-state=${one.state} aria-current=${goesOn ? 'step' : undefined}>
    ${ICONS[one.state] ? html`<${Icon} name=${ICONS[one.state]} />` : html`<span class="icon" aria-hidden="true"></span>`}<span class="visually-hidden">${word('state', one.state)} </span><span class="num">${span(one.statement, one.through)}/${total}</span>
    ${one.tag && html` <code>${one.tag}</code>`}${one.line && html` <span class="dim">${t('run.line', { n: one.line })}</span>`}
    ${took != null && html` <span class="num">${duration(took)}</span>`}
    ${one.rows > 0 && html` <span class="dim">${tn('run.rows', one.rows)}</span>`}
    ${one.resumed && html` <span class="tag">${t('run.resumed')}</span>`}
    ${one.state === 'waiting' && html` <span class="tag">${t('run.waiting')}</span>`}
    ${one.text && goesOn && html` <code class="run-text">${one.text}</code>`}
  </li>`;
}

function Statements({ of, now, waiting }) {
  const [open, setOpen] = useState(false);
  const found = items({ of, waiting });
  if (!found.length) return null;
  const list = () => html`<ol class="run-done">${found.map((one) => html`<${Statement} key=${one.statement} one=${one} total=${of.statements} now=${now} />`)}</ol>`;
  if (of.state !== 'done' || found.length <= OPEN) return list();
  return html`<details class="run-all" onToggle=${(event) => setOpen(event.target.open)}><summary>${tn('statements', of.statements)}</summary>${open && list()}</details>`;
}

function Row({ id, of, now, waiting }) {
  const { schema, version } = migration(id);
  return html`<li class="run-row ${of?.state || 'none'}" data-migration=${id}>
    <${State} of=${of?.state || 'none'} text=${of?.state ? undefined : t('state.waits')} />
    <span class="run-name">${of?.name ? intent(of.name) : ''} <span class="mono dim">${schema}/${version}</span></span>
    <span class="run-statements">${of?.statements ? html`<${Ticks} of=${of} /> ${tn('statements', of.statements)}${of.transactional ? html` · ${t('run.one')}` : ''}` : ''}</span>
    <span class="num">${of?.ms != null ? duration(of.ms) : ''}</span>
    ${of?.backfill && of.state !== 'done' && html`<${Backfill} of=${of.backfill} />`}
    ${of && html`<${Statements} of=${of} now=${now} waiting=${waiting} />`}
  </li>`;
}

/** How far the rows of a large table are filled. */
function Backfill({ of }) {
  const { relation, rowsDone, rowsEstimated, rowsPerSecond, leftMs } = of;
  return html`<div class="run-backfill dim"><progress max=${Math.max(rowsEstimated, rowsDone, 1)} value=${rowsDone} aria-label=${relation}></progress>
    <span class="mono">${relation}</span> <span class="num">${t('run.backfill', { done: number(rowsDone), about: number(rowsEstimated), rate: number(rowsPerSecond) })}</span>
    ${leftMs != null && html` · ${t('run.backfill.left', { time: duration(leftMs) })}`}</div>`;
}

/** What a screen reader hears: one sentence for each turn of events, not each event. */
function spoken(state, run) {
  if (run.status !== 'running') return `${word('kind', run.kind)}: ${word('state', run.status)}`;
  if (state.waiting) return t('run.waiting');
  const done = Object.values(state.by).filter((m) => m.state === 'done').length;
  return state.order.length ? t('run.progress', { done, total: state.order.length }) : t('run.begins');
}

function Waiting({ event }) {
  const text = { waiting: t('run.waiting'), retrying: t('run.retrying', { attempt: event.attempt, of: event.of }), yielded: t('run.yielded'), in_the_way: t('run.in_the_way'), backfill_paused: html`${t('run.paused')} <q lang="en">${event.why}</q>` }[event.type];
  const who = event.blockers || event.victims || [];
  return html`<section class="waiting"><p class="waiting-title"><${Icon} name="clock" /> ${text}${event.statement ? html` · ${t('failure.statement', { n: event.statement })}` : ''}
    ${event.waitedMs != null && html` · <span class="num">${duration(event.waitedMs)}</span>`}</p>
    ${who.length > 0 && html`<${Blockers} of=${who} title=${event.type === 'yielded' ? t('blockers.victims') : undefined} />`}</section>`;
}

/** Nobody goes on with what was left behind longer ago. */
const LEFT_MS = 900_000;

function Watched({ id, run, reload }) {
  const state = useRun(id);
  const running = run.status === 'running' && !state.end;
  const now = useNow(500, running);
  const current = run.status === 'running' ? state.end || run : run;
  const [cancel, cancelling, problem] = useAction(() => call('POST', `api/migrations/runs/${part(id)}/cancel`));
  const asked = useRef(false);
  useEffect(() => {
    if (state.end && !asked.current) {
      asked.current = true;
      reload();
    }
  }, [state.end]);
  // Another goes on with one whose process died; which, is known a little later.
  const isLeft = current.status === 'interrupted' && !current.continuedBy && Date.now() - new Date(current.finishedAt) < LEFT_MS;
  useEffect(() => {
    if (!isLeft) return undefined;
    const timer = setInterval(() => document.hidden || reload(), 5000);
    return () => clearInterval(timer);
  }, [isLeft]);
  const order = state.order.length ? state.order : current.migrations;
  const done = Object.values(state.by).filter((m) => m.state === 'done').length || (current.kind.startsWith('seed') ? 0 : current.done.length);
  const took = (current.finishedAt ? new Date(current.finishedAt) : now) - new Date(current.startedAt);
  const error = current.error || Object.values(state.by).find((m) => m.error)?.error;
  const share = order.length ? done / order.length : running ? 0 : 1;
  return html`
    <div class="run-head ${current.status}">
      <div class="row spread">
        <div class="row"><${State} of=${current.status} />${current.dryRun && html`<span class="tag">${t('plan.dry')}</span>`}
          <span class="num" data-done=${done}>${done}/${order.length}</span><span class="num dim">${duration(Math.max(0, took))}</span>
          ${running && current.estimatedTime * 1000 > took && html`<span class="dim">${t('run.estimate', { time: duration(current.estimatedTime * 1000) })}</span>`}</div>
        ${running && html`<${Act} scope="migrate" icon="cross" kind="danger-plain" busy=${cancelling} onClick=${cancel}>${t('run.cancel')}<//>`}
        ${!running && current.status !== 'completed' && html`<a class="button plain" href=${to(current.kind === 'rollback' ? 'rollback' : 'plan', [], { env: current.environment, service: current.service })}>
          <${Icon} name="play" /><span>${t('run.again')}</span></a>`}
      </div>
      <div class="progress" role="progressbar" aria-label=${t('run.progress.label')} aria-valuemin="0" aria-valuemax=${order.length || 1} aria-valuenow=${done}><span class=${running ? 'moving' : ''} style=${{ width: `${share * 100}%` }}></span></div>
      <p class="visually-hidden" aria-live="polite">${spoken(state, current)}</p>
    </div>
    <${Trouble} problem=${problem} />
    ${current.continuedBy && html`<p class="note"><${Icon} name="play" /> <a href=${to('run', current.continuedBy)}>${t('run.continued')}</a></p>`}
    ${current.continues && html`<p class="note"><${Icon} name="clock" /> <a href=${to('run', current.continues)}>${t('run.continues')}</a></p>`}
    ${running && state.waiting && html`<${Waiting} event=${state.waiting} />`}
    ${state.validating && html`<p class="note"><${Icon} name="clock" /> ${t('run.validating')}</p>`}
    ${error && html`<${Failure} error=${error} message=${current.message} />`}
    ${state.gates && html`<${Gates} of=${state.gates} />`}
    ${[...new Set([...current.notes, ...state.notes])].map((note) => html`<div class="note" key=${note}><${Icon} name="alert" /> <${Verbatim} text=${note} /></div>`)}
    ${order.length > 0 && html`<ol class="run-rows">${order.map((m) => html`<${Row} key=${m} id=${m} of=${state.by[m]} now=${now} waiting=${state.waiting?.type === 'waiting' && state.waiting.migration === m} />`)}</ol>`}
    ${current.kind.startsWith('seed') && html`<p>${tn('seed.files', current.done.length)}${current.rows != null ? html` · ${tn('seed.rows', current.rows)}` : ''}</p>`}
    <details class="events"><summary>${t('run.events')} (${state.log.length})</summary>
      <ol class="mono">${state.log.map((e) => html`<li key=${e.seq}><span class="dim">${exact(e.at).split(', ').at(-1)}</span> ${e.type} ${e.migration || ''} ${e.tag || ''}</li>`)}</ol></details>`;
}

export default function Run({ route }) {
  const id = route.rest[0];
  const loaded = useLoad((signal) => get(`api/migrations/runs/${part(id)}`, {}, { signal }), [id]);
  const run = loaded.data;
  return html`<${Head} title=${run ? `${word('kind', run.kind)} · ${run.environment}` : t('run')}
      lead=${run && [run.service || t('service.all'), run.actor, exact(run.startedAt)].join(' · ')} />
    <${Loaded} from=${loaded}>${() => html`<${Watched} id=${id} run=${run} reload=${loaded.reload} />`}<//>`;
}

