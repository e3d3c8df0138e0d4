// Alerts, where the service has them; it says so where it has not.

import { html } from '../vendor/htm-preact.js';
import { get } from '../parts/api.js';
import { useLoad } from '../parts/hooks.js';
import { t } from '../parts/i18n.js';
import { State } from '../parts/states.js';
import { Ago, Empty, Head, Loaded, Table } from '../parts/ui.js';

/** `null` where this version has no alerts yet. */
async function load(signal) {
  try {
    return await get('api/alerts', {}, { signal });
  } catch (error) {
    if (error.status === 404 || error.status === 501) return null;
    throw error;
  }
}

export default function Alerts() {
  const loaded = useLoad(load, [], { every: 15_000 });
  return html`<${Head} title=${t('nav.alerts')} lead=${t('alerts.lead')} />
    <${Loaded} from=${loaded}>${(data) => {
      if (data === null) return html`<${Empty} title=${t('alerts.absent')} icon="bell"><p>${t('alerts.absent.next')}</p><a href="#/overview">${t('nav.overview')}</a><//>`;
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
