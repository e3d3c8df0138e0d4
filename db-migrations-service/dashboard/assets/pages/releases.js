// Which releases of the services run and what they need, and what services are told of their migrations.

import { html } from '../vendor/htm-preact.js';
import { get } from '../parts/api.js';
import { EnvironmentChoice, chosen, useEnvironments } from '../parts/environment.js';
import { number } from '../parts/format.js';
import { to, useLoad } from '../parts/hooks.js';
import { t, word } from '../parts/i18n.js';
import { State } from '../parts/states.js';
import { Ago, Empty, Head, Loaded, Table } from '../parts/ui.js';

const MOST = 100;
const AGAIN_MS = 15_000;

const ids = (list) => html`<span class="mono">${list.join(' · ')}</span>`;

function Releases({ environment }) {
  const loaded = useLoad((signal) => get('api/releases', { environment }, { signal }), [environment], { every: AGAIN_MS });
  return html`<${Loaded} from=${loaded} lines=${3}>${({ releases }) => (releases.length
    ? html`<${Table} label=${t('releases.title')} rows=${releases} keyOf=${(r) => `${r.environment} ${r.service} ${r.release}`} columns=${[
      { title: t('service'), cell: (r) => r.service },
      { title: t('releases.release'), cell: (r) => html`<span class="mono">${r.release}</span>` },
      { title: t('releases.processes'), cell: (r) => html`<span class="stacked">${r.instances.map((i) => html`<span key=${i.instance}><span class="mono">${i.instance}</span> ${i.silent ? html`<${State} of="warning" text=${t('releases.silent')} />` : ''} <${Ago} at=${i.seenAt} /></span>`)}</span>` },
      { title: t('releases.needs'), cell: (r) => (r.needs ? ids(r.needs) : t('releases.needs.unknown')) },
      { title: t('releases.tolerates'), cell: (r) => (r.tolerates.length ? ids(r.tolerates) : '–') },
    ]} />`
    : html`<${Empty} title=${t('releases.none')} icon="layers"><p>${t('releases.none.next')}</p><//>`)}<//>`;
}

const stands = (d) => (d.deliveredAt ? 'delivered' : d.givenUpAt ? 'given_up' : d.attempts > 0 ? 'retrying' : 'pending');

function Webhooks({ environment }) {
  const loaded = useLoad((signal) => get('api/webhooks', { environment, limit: MOST }, { signal }), [environment], { every: AGAIN_MS });
  return html`<${Loaded} from=${loaded} lines=${3}>${({ deliveries }) => (deliveries.length
    ? html`<${Table} label=${t('webhooks.title')} rows=${deliveries} keyOf=${(d) => d.id} columns=${[
      { title: t('state'), cell: (d) => html`<${State} of=${stands(d)} />` },
      { title: t('service'), cell: (d) => d.service },
      { title: t('webhooks.event'), cell: (d) => word('webhooks.event', d.event) },
      { title: t('history.run'), cell: (d) => html`<a class="mono" href=${to('run', d.runId)}>${d.runId.slice(-12)}</a>` },
      { title: t('webhooks.attempts'), kind: 'num', cell: (d) => number(d.attempts) },
      { title: t('webhooks.answer'), kind: 'wide', cell: (d) => (d.answer ? html`<span lang="en">${d.answer}</span>` : '–') },
      { title: t('history.when'), cell: (d) => html`<${Ago} at=${d.deliveredAt || d.givenUpAt || d.createdAt} />` },
    ]} />`
    : html`<${Empty} title=${t('webhooks.none')} icon="bell"><p>${t('webhooks.none.next')} <code>[services.….webhooks]</code></p><//>`)}<//>`;
}

export default function Page({ route }) {
  const environments = useEnvironments();
  const list = environments.data;
  const env = list && chosen(list, route.query.env);
  return html`<${Head} title=${t('nav.releases')} lead=${t('releases.lead')}>
      ${list && html`<${EnvironmentChoice} environments=${list} value=${env.environment} />`}<//>
    <${Loaded} from=${environments}>${() => html`
      <section aria-labelledby="releases"><h2 id="releases">${t('releases.title')}</h2><${Releases} environment=${env.environment} key=${env.environment} /></section>
      <section aria-labelledby="webhooks"><h2 id="webhooks">${t('webhooks.title')}</h2><${Webhooks} environment=${env.environment} key=${env.environment} /></section>`}<//>`;
}
