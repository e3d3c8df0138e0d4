// What the service warns of: what fires, what is about to, and what is over.

import { html } from '../vendor/htm-preact.js';
import { get } from '../parts/api.js';
import { useLoad } from '../parts/hooks.js';
import { t } from '../parts/i18n.js';
import { State } from '../parts/states.js';
import { Ago, Empty, Head, Loaded, Table } from '../parts/ui.js';

const load = (signal) => get('api/alerts', {}, { signal });

export default function Alerts() {
  const loaded = useLoad(load, [], { every: 15_000 });
  return html`<${Head} title=${t('nav.alerts')} lead=${t('alerts.lead')} />
    <${Loaded} from=${loaded}>${(data) => {
      const alerts = data.alerts || [];
      if (!alerts.length) return html`<${Empty} title=${t('alerts.none')} icon="check"><p>${t('alerts.none.next')}</p><//>`;
      return html`<${Table} label=${t('nav.alerts')} rows=${alerts} keyOf=${(a) => a.id} columns=${[
        { title: t('state'), cell: (a) => html`<${State} of=${a.state} />` },
        { title: t('alerts.name'), cell: (a) => html`<span class="mono">${a.rule}</span>` },
        { title: t('alerts.severity'), cell: (a) => a.severity || '–' },
        { title: t('environment'), cell: (a) => [a.environment, a.service].filter(Boolean).join(' · ') || '–' },
        { title: t('alerts.what'), kind: 'wide', cell: (a) => html`<span lang="en">${a.summary || '–'}</span>` },
        { title: t('alerts.since'), cell: (a) => html`<${Ago} at=${a.firedAt || a.pendingSince} />` },
      ]} />`;
    }}<//>`;
}
