// Backups: made, verified, restored, deleted.

import { html, useEffect, useState } from '../vendor/htm-preact.js';
import { call, get, part, post, query } from '../parts/api.js';
import { EnvironmentChoice, chosen, useAllServices, useEnvironments } from '../parts/environment.js';
import { bytes, duration, exact, number } from '../parts/format.js';
import { useAction, useEvents, useLoad } from '../parts/hooks.js';
import { t, tn, word } from '../parts/i18n.js';
import { Job, Outcome, Restore, Restores } from '../parts/restore.js';
import { failure } from '../parts/said.js';
import { Icon, State } from '../parts/states.js';
import { Act, Ago, Confirm, Empty, Facts, Head, Loaded, ScopeNote, Trouble } from '../parts/ui.js';

const PAGE = 50;
const MOST = 200;
const TOLD = ['backup', 'verification', 'restore'].flatMap((what) => ['started', 'finished', 'failed', 'cancelled'].map((how) => `${what}_${how}`));

function Make({ environment, services, onMade }) {
  const all = useAllServices();
  const [service, setService] = useState(all ? '' : services[0]?.name);
  const [description, setDescription] = useState('');
  const [days, setDays] = useState('');
  const [make, busy, problem] = useAction(async () => {
    await post('api/backup/create', {
      environment,
      service: service || undefined,
      description: description || undefined,
      retentionDays: days ? Number(days) : undefined,
    });
    setDescription('');
    onMade();
  });
  const submit = (event) => {
    event.preventDefault();
    make();
  };
  return html`<form class="card make" onSubmit=${submit} aria-labelledby="make">
    <h2 id="make">${t('backup.make')}</h2>
    <div class="row wrap">
      <label class="field"><span>${t('backup.what')}</span><select name="service" value=${service} onChange=${(e) => setService(e.target.value)}>
        ${all && html`<option value="">${t('backup.whole')}</option>`}${services.map((s) => html`<option value=${s.name} key=${s.name}>${s.name}</option>`)}</select></label>
      <label class="field grow"><span>${t('backup.description')}</span><input name="description" maxlength="1000" value=${description} onInput=${(e) => setDescription(e.target.value)} /></label>
      <label class="field short"><span>${t('backup.days')}</span><input name="days" type="number" min="1" max="36500" value=${days} onInput=${(e) => setDays(e.target.value)} /></label>
      <${Act} type="submit" scope="backup" icon="archive" kind="primary" busy=${busy}>${t('backup.do')}<//>
    </div>
    <${ScopeNote} scope="backup" /><${Trouble} problem=${problem} />
  </form>`;
}

function Backup({ backup, act }) {
  const verified = backup.verification;
  const running = backup.job?.status === 'running';
  const usable = backup.status === 'ready' && !running;
  return html`<li class="backup card" id=${`backup-${backup.backupId}`} data-backup=${backup.backupId} tabindex="-1">
    <div class="row spread">
      <div><p class="backup-id mono">${backup.backupId}</p>
        <p class="hint">${backup.services.length ? backup.services.join(', ') : t('backup.whole')}${backup.description ? html` · <q lang="">${backup.description}</q>` : ''}</p></div>
      <div class="row"><${State} of=${backup.status} /><${State} of=${verified.status} /></div>
    </div>
    <${Facts} of=${[
      [t('backup.made'), html`<${Ago} at=${backup.createdAt} />`],
      [t('history.by'), html`<span class="mono">${backup.madeBy}</span>`],
      [t('size'), bytes(backup.size)],
      [t('tables'), number(backup.tables)],
      [t('rows'), number(backup.rows)],
      [t('backup.verified'), verified.at && html`<${Ago} at=${verified.at} /> (${duration(verified.durationMs)})`],
      [t('backup.keep'), backup.retentionDays && tn('days', backup.retentionDays)],
      [t('backup.encrypted'), backup.encrypted ? t('yes') : t('no')],
    ]} />
    ${verified.findings?.length > 0 && html`<ul class="findings">${verified.findings.map((f) => html`<li class="error" lang="en" key=${f}>${f}</li>`)}</ul>`}
    ${backup.error && html`<${Trouble} problem=${{ message: word('state', backup.status), ...failure(backup.error) }} />`}
    <${Job} job=${backup.job} /><${Outcome} job=${backup.job} />
    ${backup.status === 'ready' && html`<${Restores} backup=${backup} />`}
    <div class="row">
      ${running && html`<${Act} scope="backup" icon="cross" onClick=${() => act('cancel', backup)}>${t('cancel')}<//>`}
      ${usable && html`<${Act} scope="backup" icon="check" onClick=${() => act('verify', backup)}>${t('backup.verify')}<//>
        <${Act} scope="restore" icon="undo" onClick=${() => act('restore', backup)}>${t('backup.restore')}<//>`}
      ${!running && backup.status !== 'deleted' && html`<${Act} scope="admin" icon="cross" kind="danger-plain" onClick=${() => act('delete', backup)}>${t('backup.delete')}<//>`}
    </div>
  </li>`;
}

function Delete({ backup, onClose, onDone }) {
  const [remove, busy, problem] = useAction(async () => {
    await call('DELETE', query(`api/backup/${part(backup.backupId)}`, { confirm: backup.backupId }));
    onDone();
  });
  return html`<${Confirm} title=${t('backup.delete.title')} name=${backup.backupId} verb=${t('backup.delete')} busy=${busy} problem=${problem} onClose=${onClose} onYes=${remove}>
    <p><${Icon} name="alert" /> ${t('backup.delete.how', { when: exact(backup.createdAt) })}</p><//>`;
}

function Inside({ environment, services }) {
  const [limit, setLimit] = useState(PAGE);
  const loaded = useLoad((signal) => get('api/backup/list', { environment, limit }, { signal }), [environment]);
  useEffect(() => {
    if (limit !== PAGE) loaded.reload();
  }, [limit]);
  const [asking, setAsking] = useState(null);
  const [simple, , problem] = useAction(async (what, backup) => {
    await post(`api/backup/${part(backup.backupId)}/${what}`);
    loaded.reload();
  });
  // What others do, also elsewhere, shows as it begins and ends.
  useEvents(environment, TOLD, loaded.reload);
  const busy = loaded.data?.backups.some((b) => b.status === 'running' || b.job?.status === 'running');
  useEffect(() => {
    if (!busy) return undefined;
    const timer = setInterval(loaded.reload, 1000);
    return () => clearInterval(timer);
  }, [busy]);
  const act = (what, backup) => (what === 'restore' || what === 'delete' ? setAsking({ what, backup }) : simple(what, backup));
  const close = () => setAsking(null);
  const done = () => {
    close();
    loaded.reload();
  };
  return html`<${Make} environment=${environment} services=${services} onMade=${loaded.reload} />
    <${Trouble} problem=${problem} />
    <${Loaded} from=${loaded} lines=${6}>${(data) => html`
      <h2>${tn('backup.title', data.total)}</h2>
      ${data.backups.length === 0 && html`<${Empty} title=${t('backup.empty', { environment })} icon="archive"><p>${t('backup.empty.next')}</p><//>`}
      <ul class="backups">${data.backups.map((backup) => html`<${Backup} backup=${backup} act=${act} key=${backup.backupId} />`)}</ul>
      ${data.next && limit < MOST && html`<div><button type="button" class="plain" onClick=${() => setLimit(MOST)}>${t('more')}</button></div>`}`}<//>
    ${asking?.what === 'restore' && html`<${Restore} backup=${asking.backup} services=${services} onClose=${close} onDone=${done} />`}
    ${asking?.what === 'delete' && html`<${Delete} backup=${asking.backup} onClose=${close} onDone=${done} />`}`;
}

export default function Backups({ route }) {
  const environments = useEnvironments();
  const list = environments.data;
  const env = list && chosen(list, route.query.env);
  return html`<${Head} title=${t('nav.backups')} lead=${t('backup.lead')}>
      ${list && html`<${EnvironmentChoice} environments=${list} value=${env.environment} />`}<//>
    <${Loaded} from=${environments}>${() => html`<${Inside} environment=${env.environment} services=${env.services} key=${env.environment} />`}<//>`;
}
