// What the service warns of: what fires, what is about to, and what is over.

import { html } from '../vendor/htm-preact.js';
import { Words } from '../parts/alerts.js';
import { get } from '../parts/api.js';
import { useLoad } from '../parts/hooks.js';
import { t, word } from '../parts/i18n.js';
import { State } from '../parts/states.js';
import { Ago, Empty, Head, Loaded, Table } from '../parts/ui.js';

/** What concerns somebody now stands before what is over. */
const RANK = { firing: 0, pending: 1, resolved: 2 };
const WEIGHT = { critical: 0, warning: 1, info: 2 };

/** Of what is over only the newest; of what is not, all that one answer can have, however much is newer. */
const MOST = { firing: 500, pending: 500, resolved: 100 };

async function load(signal) {
  const answers = await Promise.all(Object.entries(MOST).map(([state, limit]) => get('api/alerts', { state, limit }, { signal })));
  // One that changed its state in between is in two answers; what was asked for later says how it is.
  const alerts = [...new Map(answers.flatMap((answer) => answer.alerts).map((alert) => [alert.id, alert])).values()];
  return alerts.toSorted((a, b) => RANK[a.state] - RANK[b.state] || (a.state === 'resolved' ? b.id - a.id : WEIGHT[a.severity] - WEIGHT[b.severity]));
}

export default function Alerts() {
  const loaded = useLoad(load, [], { every: 15_000 });
  return html`<${Head} title=${t('nav.alerts')} lead=${t('alerts.lead')} />
    <${Loaded} from=${loaded}>${(alerts) => {
      if (!alerts.length) return html`<${Empty} title=${t('alerts.none')} icon="check"><p>${t('alerts.none.next')}</p><//>`;
      return html`<${Table} label=${t('nav.alerts')} rows=${alerts} keyOf=${(a) => a.id} columns=${[
        { title: t('state'), cell: (a) => html`<${State} of=${a.state} />` },
        { title: t('alerts.name'), cell: (a) => html`<span class="stacked"><span>${word('rule', a.rule)}</span><span class="mono dim">${a.rule}</span></span>` },
        { title: t('alerts.severity'), cell: (a) => word('severity', a.severity) },
        { title: t('environment'), cell: (a) => html`<span class="stacked"><span>${a.environment || '–'}</span>${a.service && html`<span class="dim">${a.service}</span>`}</span>` },
        { title: t('alerts.what'), kind: 'wide', cell: (a) => html`<${Words} of=${a} />` },
        { title: t('alerts.since'), cell: (a) => html`<${Ago} at=${a.firedAt || a.pendingSince} />` },
        ...(alerts.some((a) => a.resolvedAt) ? [{ title: t('alerts.over'), cell: (a) => html`<${Ago} at=${a.resolvedAt} />` }] : []),
      ]} />`;
    }}<//>`;
}
