// Taking migrations back: which, in what order, with what SQL; then the environment's name, typed.

import { html, useState } from '../vendor/htm-preact.js';
import { get, post } from '../parts/api.js';
import { EnvironmentChoice, ServiceChoice, chosen, useEnvironments, useService } from '../parts/environment.js';
import { intent, migration } from '../parts/format.js';
import { go, useAction, useLoad } from '../parts/hooks.js';
import { t, tn } from '../parts/i18n.js';
import { Sql } from '../parts/sql.js';
import { Icon } from '../parts/states.js';
import { Act, Ago, Choice, Confirm, Empty, Head, Loaded, ScopeNote, Trouble } from '../parts/ui.js';
import { Runs } from './plan.js';

function Preview({ ids, entries }) {
  if (!ids.length) return html`<${Empty} title=${t('rollback.nothing')} icon="check" />`;
  const by = new Map(entries.map((entry) => [entry.migration, entry]));
  return html`<ol class="steps plain-steps">${ids.map((id) => {
    const entry = by.get(id);
    const { schema, version } = migration(id);
    return html`<li class="step" key=${id}><div class="step-body">
      <p class="step-title"><span class="step-name">${intent(entry?.name)}</span> <span class="mono dim">${schema}/${version}</span></p>
      <div class="step-facts">${entry && html`<span>${t('state.applied')} <${Ago} at=${entry.appliedAt} /></span><span class="mono dim">${entry.appliedBy}</span>`}</div>
      ${entry?.downSql && html`<details><summary>${t('sql.down')}</summary><${Sql} text=${entry.downSql} label=${`${t('sql.down')} ${id}`} /></details>`}
    </div></li>`;
  })}</ol>`;
}

function Form({ environment, service, entries }) {
  const applied = entries.filter((entry) => !entry.rolledBackAt);
  const [how, setHow] = useState('steps');
  const [steps, setSteps] = useState(1);
  const [version, setVersion] = useState('');
  const [one, setOne] = useState('');
  const [ids, setIds] = useState(null);
  const [asking, setAsking] = useState(false);
  const far = () => ({ steps: { steps: Number(steps) }, to: { to: version || '0' }, migration: { migration: one || applied[0]?.migration } })[how];
  const body = () => ({ environment, service: service || undefined, ...far() });
  const [preview, looking, problem] = useAction(async () => {
    setIds(null);
    const answer = await post('api/migrations/rollback', { ...body(), dryRun: true, wait: true });
    setIds(answer.migrations);
  });
  const [start, starting, refused, forget] = useAction(async () => {
    const answer = await post('api/migrations/rollback', { ...body(), confirm: environment });
    go('run', answer.migrationId);
  });
  const changed = (set) => (value) => {
    set(value);
    setIds(null);
  };
  if (!applied.length) return html`<${Empty} title=${t('rollback.empty', { environment })} icon="check"><a href="#/plan">${t('nav.plan')}</a><//>`;
  const options = applied.map((entry) => [entry.migration, `${entry.migration} ${intent(entry.name)}`]);
  const versions = [...new Set(applied.map((entry) => migration(entry.migration).version))].sort().reverse();
  const submit = (event) => {
    event.preventDefault();
    preview();
  };
  return html`<form class="card" onSubmit=${submit}>
      <fieldset class="choices"><legend>${t('rollback.how')}</legend>
        ${['steps', 'to', 'migration'].map((id) => html`<label key=${id}><input type="radio" name="how" value=${id} checked=${how === id} onChange=${() => changed(setHow)(id)} /> ${t(`rollback.${id}`)}</label>`)}
      </fieldset>
      ${how === 'steps' && html`<label class="field inline"><span>${t('rollback.count')}</span><input type="number" name="steps" min="1" max=${applied.length} value=${steps} onInput=${(e) => changed(setSteps)(e.target.value)} /></label>`}
      ${how === 'to' && html`<${Choice} label=${t('rollback.version')} value=${version || '0'} options=${[...versions.map((v) => [v, v]), ['0', t('rollback.all')]]} onChange=${changed(setVersion)} />`}
      ${how === 'migration' && html`<${Choice} label=${t('migration')} value=${one || applied[0].migration} options=${options} onChange=${changed(setOne)} />`}
      <div class="row"><${Act} type="submit" scope="rollback" icon="eye" busy=${looking}>${t('rollback.preview')}<//></div>
      <${ScopeNote} scope="rollback" />
    </form>
    <${Trouble} problem=${problem} />
    ${ids && html`<div class="row spread act-row"><h2>${tn('rollback.title', ids.length)}</h2>
      <${Act} scope="rollback" icon="undo" kind="danger" disabled=${!ids.length} onClick=${() => setAsking(true)}>${tn('rollback.do', ids.length)}<//></div>
      <${Preview} ids=${ids} entries=${entries} />`}
    ${asking && html`<${Confirm} title=${t('rollback.confirm.title')} name=${environment} verb=${tn('rollback.do', ids.length)} busy=${starting} problem=${refused}
      onClose=${() => { setAsking(false); forget(); }} onYes=${start}>
      <p><${Icon} name="alert" /> ${tn('rollback.confirm', ids.length, { environment })}</p>
      <ul class="mono short-list">${ids.slice(0, 8).map((id) => html`<li key=${id}>${id}</li>`)}${ids.length > 8 ? html`<li>+${ids.length - 8}</li>` : ''}</ul>
    <//>`}`;
}

function Inside({ environment, service }) {
  const loaded = useLoad((signal) => get('api/migrations/history', { environment, service, limit: 200, withSql: true }, { signal }), [environment, service]);
  return html`<${Loaded} from=${loaded} lines=${6}>${(data) => html`<${Form} environment=${environment} service=${service} entries=${data.history} />`}<//>
    <${Runs} environment=${environment} />`;
}

export default function Rollback({ route }) {
  const environments = useEnvironments();
  const list = environments.data;
  const env = list && chosen(list, route.query.env);
  const service = useService(env, route.query.service);
  return html`<${Head} title=${t('nav.rollback')} lead=${t('rollback.lead')}>
      ${list && html`<${EnvironmentChoice} environments=${list} value=${env.environment} /><${ServiceChoice} services=${env.services} value=${service} />`}
    <//>
    <${Loaded} from=${environments}>${() => html`<${Inside} environment=${env.environment} service=${service} key=${`${env.environment}/${service}`} />`}<//>`;
}
