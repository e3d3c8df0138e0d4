// What fires, in words; and that nothing which it concerns is called healthy.

import { html } from '../vendor/htm-preact.js';
import { get } from './api.js';
import { to } from './hooks.js';
import { decimal } from './format.js';
import { lang, saidOfMany, t, word } from './i18n.js';
import { State } from './states.js';

/** Backups are of a service, or of everything. */
const WHOLE = '*';
const MOST = 100;

/** Where to look into what a rule warns of. */
const PLACE = {
  'failed-backup': 'backups', 'stale-backup': 'backups', 'certificate-missing': 'plan', 'failed-migration': 'plan', drift: 'audit', 'broken-audit-chain': 'audit',
  'low-disk': 'database', 'too-many-connections': 'database', 'long-lock-wait': 'database', 'target-unreachable': 'database', 'stale-sample': 'database',
};
/** The page that has more of it. */
export const placeOf = ({ rule, environment }) => (environment && PLACE[rule]) || 'alerts';

/** What an alert says: `{ text, lang }`, the second where that is not the page's language. */
export function words({ rule, subject, environment, service, value, summary }) {
  const kind = subject || (value == null ? 'none' : 'some');
  const whose = !service || service === WHOLE ? t('backup.whole.of') : service;
  const text = saidOfMany([`alert.${rule}.${kind}`, `alert.${rule}`], value, { n: decimal(value), environment: environment || '–', service: whose });
  return text ? { text } : { text: summary || '–', lang: lang === 'en' ? undefined : 'en' };
}

export const Words = ({ of }) => {
  const { text, lang: other } = words(of);
  return html`<span lang=${other}>${text}</span>`;
};

/** All that fires, on one environment or everywhere. */
export const firing = async (environment, signal) => (await get('api/alerts', { environment, state: 'firing', limit: MOST }, { signal })).alerts;

const BAD = { critical: 'alert_critical', warning: 'alert_warning' };

/** The most urgent state that these alerts make of what they concern: none, where they are for information. */
const worst = (alerts) => ['critical', 'warning'].find((severity) => alerts.some((alert) => alert.severity === severity));

/** A state beside what fires: that comes first, and nothing is called healthy beside it. */
export function Standing({ of, alerts = [], text }) {
  const severity = worst(alerts);
  return html`${severity && html`<${State} of=${BAD[severity]} />`}${(!severity || of !== 'healthy') && html`<${State} of=${of} text=${text} />`}`;
}

/** What fires, a line each with where to look. */
export const Firing = ({ alerts }) => alerts.length > 0 && html`<ul class="firing">${alerts.map((alert) => html`<li key=${alert.id}>
  <${State} of=${BAD[alert.severity] || 'notice'} text=${word('rule', alert.rule)} /> <${Words} of=${alert} />
  <a href=${to('alerts')}>${t('nav.alerts')}</a></li>`)}</ul>`;
