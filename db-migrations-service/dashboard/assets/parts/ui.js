// Small parts that every page uses.

import { html, useContext, useEffect, useRef, useState } from '../vendor/htm-preact.js';
import { ago, exact } from './format.js';
import { Session, useMay, useNow } from './hooks.js';
import { t, word } from './i18n.js';
import { Cure, Verbatim, told } from './said.js';
import { Icon } from './states.js';

/** The head of a page: its only h1, which takes the focus when one arrives. */
export function Head({ title, lead, children }) {
  const heading = useRef(null);
  useEffect(() => {
    document.title = `${title} · Profe`;
  }, [title]);
  return html`<div class="head">
    <div class="head-words"><h1 tabindex="-1" ref=${heading}>${title}</h1>${lead && html`<p class="lead">${lead}</p>`}</div>
    ${children && html`<div class="head-tools">${children}</div>`}
  </div>`;
}

/** Grey shapes where something will be. */
export const Bones = ({ lines = 6 }) => html`
  <div class="bones" role="status" aria-label=${t('loading')}>
    ${Array.from({ length: lines }, (_, i) => html`<div class="bone bone-line" key=${i}></div>`)}
  </div>`;

/** What stands where there is nothing yet, with what to do next. */
export const Empty = ({ title, children, icon = 'layers' }) => html`
  <div class="empty"><${Icon} name=${icon} /><p class="empty-title">${title}</p><div class="empty-next">${children}</div></div>`;

/** A problem as the service tells it: the sentence, the particulars, the cure. */
export function Trouble({ problem, retry }) {
  if (!problem) return null;
  const words = told(problem);
  const again = retry && PASSING.has(problem.status);
  return html`<div class="trouble" role="alert">
    <${Icon} name="alert" />
    <div>
      <p class="trouble-title">${words.title}</p>
      ${words.text && html`<p>${words.text}</p>`}
      ${!words.folded && html`<${Verbatim} text=${words.rest} />`}
      <${Cure} of=${{ ...words, folded: words.folded || problem.status === 0 }} />
      ${problem.blockers?.length > 0 && html`<${Blockers} of=${problem.blockers} />`}
      ${problem.related?.length > 0 && html`<p class="mono">${problem.related.join(' · ')}</p>`}
      ${words.folded && html`<${Verbatim} text=${words.rest} folded />`}
      ${problem.requestId && html`<p class="hint">${t('request')} <code>${problem.requestId}</code></p>`}
      ${again && html`<${Again} problem=${problem} retry=${retry} />`}
      ${retry && html`<button type="button" class="plain" onClick=${retry}>${t('retry')}</button>`}
    </div>
  </div>`;
}

/** What may be over in a moment: nothing answers, or something on the way says that it is not there just now. */
const PASSING = new Set([0, 502, 503, 504]);
const FIRST_MS = 1000;
const LONGEST_MS = 30_000;

/** Tries again by itself, each time after twice as long, at once when the machine is back on its network; and says when. */
function Again({ problem, retry }) {
  const attempts = useRef(0);
  const [due, setDue] = useState(null);
  const now = useNow(500);
  useEffect(() => {
    const pause = Math.min(LONGEST_MS, FIRST_MS * 2 ** attempts.current);
    attempts.current += 1;
    setDue(Date.now() + pause);
    const timer = setTimeout(retry, pause);
    addEventListener('online', retry);
    return () => {
      clearTimeout(timer);
      removeEventListener('online', retry);
    };
  }, [problem]);
  const seconds = Math.max(0, Math.ceil(((due ?? now) - now) / 1000));
  return html`<p class="hint again" data-attempt=${attempts.current} aria-hidden="true"><${Icon} name="refresh" /> ${seconds > 0 ? t('again.in', { n: seconds }) : t('again.now')}</p>
    <p class="visually-hidden">${t('again')}</p>`;
}

/** Loading, failed, or there: what is there stays seen while newer is fetched. */
export function Loaded({ from, lines, children }) {
  const { data, error, reload } = from;
  return html`
    ${error && html`<${Trouble} problem=${error} retry=${reload} />`}
    ${data === undefined ? !error && html`<${Bones} lines=${lines} />` : children(data)}`;
}

/**
 * A table that becomes cards where it is narrow. `columns`: `{ title, cell(row), kind, wide }`; the roles are written
 * out because browsers forget them where a table is no longer laid out as one.
 */
export function Table({ label, columns, rows, keyOf, rowClass, below }) {
  return html`<div class="table-frame"><table role="table" aria-label=${label}>
    <thead role="rowgroup"><tr role="row">
      ${columns.map((c) => html`<th role="columnheader" scope="col" class=${c.kind || ''} key=${c.title}>${c.title}</th>`)}
    </tr></thead>
    <tbody role="rowgroup">${rows.map((row, i) => {
      const under = below?.(row);
      return html`
      <tr role="row" key=${keyOf ? keyOf(row) : i} class=${rowClass ? rowClass(row) : ''}>
        ${columns.map((c, n) => html`<td role="cell" class="${c.kind || ''} ${n === 0 ? 'first' : ''}" data-label=${c.title} key=${n}>${c.cell(row)}</td>`)}
      </tr>
      ${under && html`<tr role="row" class="under" key=${`${keyOf ? keyOf(row) : i}-under`}><td role="cell" colspan=${columns.length}>${under}</td></tr>`}`;
    })}</tbody>
  </table></div>`;
}

/** How long ago, with the exact time for whoever looks closer. */
export function Ago({ at }) {
  const now = useNow(20_000);
  return at ? html`<time datetime=${at} title=${exact(at)}>${ago(at, now)}</time>` : '–';
}

/** A button that says why it cannot be pressed where a scope is missing. */
export function Act({ scope, busy, kind = 'plain', icon, onClick, disabled, children, type = 'button', label }) {
  const may = useMay();
  const allowed = !scope || may(scope);
  const why = allowed ? undefined : t('scope.missing', { scope });
  return html`<button type=${type} class=${kind} onClick=${allowed && !busy ? onClick : undefined} aria-label=${label}
    disabled=${!allowed || busy || disabled} title=${why} aria-busy=${busy ? 'true' : undefined}>
    ${icon && html`<${Icon} name=${allowed ? icon : 'lock'} />`}<span>${children}</span>
  </button>`;
}

/** Said once beside actions that the token does not allow. */
export function ScopeNote({ scope }) {
  const may = useMay();
  const session = useContext(Session);
  if (!session || may(scope)) return null;
  return html`<p class="note warn-note" data-scope=${scope}><${Icon} name="lock" /> ${t('scope.note', { scope })}</p>`;
}

/** A dialog over the page: the browser keeps the focus in it and gives it back. */
export function Dialog({ title, onClose, children }) {
  const dialog = useRef(null);
  useEffect(() => {
    const shown = dialog.current;
    if (!shown.open) shown.showModal();
    // Taken off the page while it is open, it would keep the focus that it has to give back.
    return () => shown.close();
  }, []);
  return html`<dialog ref=${dialog} aria-labelledby="dialog-title" onClose=${onClose}
    onClick=${(event) => event.target === dialog.current && dialog.current.close()}>
    <div class="dialog-body"><h2 id="dialog-title">${title}</h2>${children}</div>
  </dialog>`;
}

/** Asks for a name to be typed before something is done that cannot be taken back. */
export function Confirm({ title, name, verb, kind = 'danger', ready = true, busy, problem, onClose, onYes, children }) {
  const [typed, setTyped] = useState('');
  const fits = !name || typed.trim() === name;
  const submit = (event) => {
    event.preventDefault();
    if (fits && ready && !busy) onYes();
  };
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <form onSubmit=${submit}>
      ${children}
      ${name && html`<label class="field"><span>${t('confirm.type')} <code>${name}</code></span>
        <input name="confirm" value=${typed} onInput=${(e) => setTyped(e.target.value)} autocomplete="off" spellcheck=${false} autocapitalize="off" /></label>`}
      <${Trouble} problem=${problem} />
      <div class="dialog-acts">
        <button type="button" class="plain" onClick=${(e) => e.target.closest('dialog').close()}>${t('cancel')}</button>
        <button type="submit" class=${kind} disabled=${!fits || !ready || busy} aria-busy=${busy ? 'true' : undefined}>${verb}</button>
      </div>
    </form>
  <//>`;
}

/** Who is in the way. */
export const Blockers = ({ of, title }) => html`<div class="blockers">
  <p class="blockers-title">${title || t('blockers.title')}</p>
  <ul>${of.map((b) => html`<li key=${b.pid}>
    <span><strong>pid ${b.pid}</strong> ${b.user || ''} ${b.application ? html`· ${b.application}` : ''} ${b.address ? html`· ${b.address}` : ''}</span>
    <span class="hint">${b.state ? word('session', b.state) : ''}${b.transactionMs != null ? html` · ${t('blockers.open', { seconds: Math.round(b.transactionMs / 1000) })}` : ''}</span>
    ${b.query && html`<code class="blockers-query">${b.query}</code>`}
  </li>`)}</ul></div>`;

/** A choice of a few, as a labelled select. */
export const Choice = ({ label, value, options, onChange, id }) => html`<label class="field inline"><span>${label}</span>
  <select id=${id} value=${value} onChange=${(e) => onChange(e.target.value)}>
    ${options.map(([v, text]) => html`<option value=${v} selected=${v === value} key=${v}>${text}</option>`)}
  </select></label>`;

/** A part of a share, as a bar with its words beside it. */
export const Bar = ({ part, kind = '' }) => html`<span class="bar ${kind}" aria-hidden="true"><span style=${{ width: `${Math.min(100, Math.max(0, part * 100))}%` }}></span></span>`;

/** Facts beside their names. */
export const Facts = ({ of }) => html`<dl class="facts">${of.filter(([, value]) => value != null && value !== '').map(([name, value]) => html`
  <div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
