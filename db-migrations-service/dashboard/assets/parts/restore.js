// Restoring a backup: into a new database, in place of what is there, or single tables beside it; how far it is, and what came of it.

import { html, useRef, useState } from '../vendor/htm-preact.js';
import { get, part, post } from './api.js';
import { bytes, duration, exact } from './format.js';
import { useAction, useLoad } from './hooks.js';
import { t, tn, word } from './i18n.js';
import { Verbatim, failure, told } from './said.js';
import { Icon, State } from './states.js';
import { Ago, Confirm, Facts, Loaded, Trouble } from './ui.js';

const WAYS = ['new', 'in_place', 'tables'];
/** What each goes through, where it is told. */
const STAGES = {
  in_place: ['safety_backup', 'restoring', 'comparing', 'copying', 'swapping'],
  tables: ['restoring', 'copying', 'swapping'],
};

const wayOf = (job) => (job.into ? 'new' : job.tables?.length ? 'tables' : 'in_place');

/** Another backup of this page; the address stays the page's. */
function Other({ id }) {
  const show = () => {
    const card = document.getElementById(`backup-${id}`);
    card?.scrollIntoView({ block: 'center' });
    card?.focus();
  };
  return html`<button type="button" class="link mono" onClick=${show}>${id}</button>`;
}

const Renamed = ({ tables }) => html`<ul class="mono short-list">${tables.map((one) => html`<li key=${one.table}>${one.table} → ${one.restoredAs}</li>`)}</ul>`;

/** How far what is being done with a backup is. */
export function Job({ job }) {
  if (!job || job.status !== 'running') return null;
  const { bytes: done, expectedBytes, tables, expectedTables } = job.progress;
  const share = expectedBytes ? Math.min(1, done / expectedBytes) : 0;
  const stages = job.action === 'restore' ? STAGES[wayOf(job)] : null;
  const now = stages?.indexOf(job.stage) ?? -1;
  return html`<div class="job"><p role="status">${word('action', job.action)}${job.stage ? html` · ${t(`stage.${job.stage}`)}` : ''}</p>
    <p class="hint num">${bytes(done)}${expectedTables ? html` · ${tables}/${expectedTables} ${t('tables')}` : ''}</p>
    <div class="progress" role="progressbar" aria-label=${word('action', job.action)} aria-valuemin="0" aria-valuemax="100" aria-valuenow=${Math.round(share * 100)}><span class="moving" style=${{ width: `${share * 100}%` }}></span></div>
    ${stages && html`<ol class="stages">${stages.map((id, i) => html`<li class=${i < now ? 'ok' : i === now ? 'info' : ''} aria-current=${i === now ? 'step' : undefined} key=${id}>
      <${Icon} name=${i < now ? 'check' : i === now ? 'play' : 'minus'} />${t(`stage.${id}`)}</li>`)}</ol>`}
    ${job.safetyBackup && html`<p>${t('restore.safety')} <${Other} id=${job.safetyBackup} /></p>`}
  </div>`;
}

/** What came of what was done last. */
export function Outcome({ job }) {
  if (!job || job.status === 'running') return null;
  const way = job.action === 'restore' && wayOf(job);
  const before = job.safetyBackup && html`<p>${t('restore.safety')} <${Other} id=${job.safetyBackup} /></p>`;
  if (job.status === 'cancelled') return html`<div class="note"><${Icon} name="minus" /><div><p>${t('job.cancelled', { action: word('action', job.action) })}</p>${before}</div></div>`;
  if (job.error) {
    return html`<${Trouble} problem=${{ message: t('backup.job.failed', { action: word('action', job.action) }), ...failure(job.error) }} />
      ${way === 'in_place' && html`<p class="hint">${t('restore.untouched')}</p>`}${before}`;
  }
  if (!way) return null;
  return html`<div class="note ok-note"><${Icon} name="check" /><div>
    ${way === 'new' && html`<p>${t('backup.restored')} <code>${job.into}</code></p>`}
    ${way === 'in_place' && html`<p>${tn('restore.replaced', job.schemas.length)} <span class="mono">${job.schemas.join(', ')}</span></p>${before}`}
    ${way === 'tables' && html`<p>${tn('restore.beside', job.tables.length)}</p><${Renamed} tables=${job.tables} />`}
    ${job.uncheckedKeys.length > 0 && html`<details><summary>${tn('backup.unchecked', job.uncheckedKeys.length)}</summary>
      <ul class="mono short-list">${job.uncheckedKeys.map((key) => html`<li key=${key.table + key.name}>${key.table}: ${key.name} → ${key.references}</li>`)}</ul></details>`}
  </div></div>`;
}

/** What a backup was restored into, asked for when somebody wants to know. */
export function Restores({ backup }) {
  const [open, setOpen] = useState(false);
  return html`<details onToggle=${(event) => setOpen(event.target.open)}><summary>${t('restore.past')}</summary>
    ${open && html`<${Past} id=${backup.backupId} last=${backup.job?.status} />`}</details>`;
}

function Past({ id, last }) {
  const loaded = useLoad((signal) => get(`api/backup/${part(id)}`, {}, { signal }), [id, last]);
  return html`<${Loaded} from=${loaded} lines=${1}>${({ restores }) => (!restores?.length
    ? html`<p class="hint">${t('restore.never')}</p>`
    : html`<ul class="restores">${restores.map((one) => html`<li key=${one.restoreId}>
      <div class="row"><${State} of=${one.status} /><span>${t(`restore.${one.kind}`)}</span><span class="dim"><${Ago} at=${one.startedAt} /> · <span class="mono">${one.actor}</span></span></div>
      <${Facts} of=${[
        [t('nav.database'), html`<code>${one.database}</code>`],
        [t('service.schemas'), one.schemas.length > 0 && html`<span class="mono">${one.schemas.join(', ')}</span>`],
        [t('tables'), one.tables.length > 0 && html`<span class="mono">${one.tables.join(', ')}</span>`],
        [t('restore.before'), one.safetyBackup && html`<${Other} id=${one.safetyBackup} />`],
        [t('duration'), one.finishedAt && duration(new Date(one.finishedAt) - new Date(one.startedAt))],
      ].filter(([, value]) => value)} />
      ${one.error && html`<div class="hint"><p>${told(one.error).title}</p><${Verbatim} text=${told(one.error).rest} folded /></div>`}</li>`)}</ul>`)}<//>`;
}

/** Names of tables, one after the other; those of the live database are proposed. */
function Tables({ environment, services, names, setNames }) {
  const live = useLoad((signal) => get('api/schemas', { environment, withTables: true }, { signal }), [environment]);
  const [typed, setTyped] = useState('');
  const input = useRef(null);
  const add = () => {
    const fresh = typed.split(/[\s,]+/).filter((name) => name && !names.includes(name));
    if (fresh.length) setNames([...names, ...fresh]);
    setTyped('');
    input.current?.focus();
  };
  const key = (event) => {
    if (event.key !== 'Enter' || !typed.trim()) return;
    event.preventDefault();
    add();
  };
  const known = (live.data?.services || []).filter((s) => !services.length || services.includes(s.service))
    .flatMap((s) => (s.details || []).flatMap((schema) => schema.tables.map((table) => `${schema.name}.${table.name}`)));
  return html`<div class="field"><label for="table">${t('restore.which')}</label>
    <div class="row"><input id="table" class="grow mono" ref=${input} name="table" list="tables" value=${typed} spellcheck=${false} autocomplete="off" autocapitalize="off" aria-describedby="table-how"
        onInput=${(e) => setTyped(e.target.value)} onKeyDown=${key} />
      <button type="button" class="plain" disabled=${!typed.trim()} onClick=${add}><${Icon} name="plus" /><span>${t('add')}</span></button></div>
    <datalist id="tables">${known.filter((name) => !names.includes(name)).map((name) => html`<option value=${name} key=${name}></option>`)}</datalist>
    <p class="hint" id="table-how">${t('restore.which.how')}</p>
    ${names.length > 0 && html`<ul class="picked" aria-label=${t('tables')}>${names.map((name) => html`<li key=${name}><code>${name}</code>
      <button type="button" class="icon-button" aria-label=${t('remove', { name })} onClick=${() => setNames(names.filter((one) => one !== name))}><${Icon} name="cross" /></button></li>`)}</ul>`}
  </div>`;
}

/** Asks how, and for the backup's id, before anything is restored. */
export function Restore({ backup, services, onClose, onDone }) {
  const [way, setWay] = useState('new');
  const [into, setInto] = useState('');
  const [names, setNames] = useState([]);
  const body = { new: { into: into || undefined }, in_place: { inPlace: true }, tables: { tables: names } }[way];
  const [restore, busy, problem, forget] = useAction(async () => {
    await post(`api/backup/restore/${part(backup.backupId)}`, { confirm: backup.backupId, ...body });
    onDone();
  });
  const schemas = services.filter((s) => !backup.services.length || backup.services.includes(s.name)).flatMap((s) => s.schemas);
  const choose = (id) => {
    setWay(id);
    forget();
  };
  return html`<${Confirm} title=${t('backup.restore.title')} name=${backup.backupId} verb=${t('backup.restore').replace('…', '')} ready=${way !== 'tables' || names.length > 0}
      busy=${busy} problem=${problem} onClose=${onClose} onYes=${restore}>
    <fieldset class="ways"><legend class="visually-hidden">${t('restore.how')}</legend>
      ${WAYS.map((id) => html`<label key=${id} class=${way === id ? 'chosen' : ''}><input type="radio" name="way" value=${id} checked=${way === id} onChange=${() => choose(id)} />
        <span><strong>${t(`restore.${id}`)}</strong><span class="hint">${t(`restore.${id}.how`)}</span></span></label>`)}</fieldset>
    ${way === 'new' && html`<label class="field"><span>${t('backup.into')}</span><input name="into" value=${into} placeholder="restored_…" spellcheck=${false} autocomplete="off" onInput=${(e) => setInto(e.target.value)} /></label>`}
    ${way === 'in_place' && html`<div class="note warn-note" role="note"><${Icon} name="alert" /><div>
      <p>${t('restore.in_place.warning', { environment: backup.environment, when: exact(backup.createdAt) })}</p>
      ${schemas.length > 0 && html`<p class="mono">${schemas.join(', ')}</p>`}
      <p>${t('restore.in_place.before')}</p></div></div>`}
    ${way === 'tables' && html`<${Tables} environment=${backup.environment} services=${backup.services} names=${names} setNames=${setNames} />`}
  <//>`;
}
