// Numbers, sizes and times as people read them.

import { lang, t, tn } from './i18n.js';

const locale = lang === 'es' ? 'es-ES' : 'en-GB';
const numbers = new Intl.NumberFormat(locale);
const oneDigit = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });
const percents = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 1 });
const relative = new Intl.RelativeTimeFormat(lang, { numeric: 'auto', style: 'short' });
const hour = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit' });
const moment = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' });

export const number = (value) => (value == null ? '–' : numbers.format(value));
/** At most one digit after the point. */
export const decimal = (value) => (value == null ? '–' : oneDigit.format(value));
export const percent = (part) => (part == null ? '–' : percents.format(part));

/** Bytes in the unit that fits: 11,5 MB. */
export function bytes(value) {
  if (value == null) return '–';
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let unit = 0;
  let rest = value;
  while (rest >= 1000 && unit < units.length - 1) {
    rest /= 1000;
    unit += 1;
  }
  return `${oneDigit.format(rest)} ${units[unit]}`;
}

/** A duration given in milliseconds: 340 ms, 2,1 s, 3 min 20 s. */
export function duration(ms) {
  if (ms == null) return '–';
  if (ms < 1) return '<1 ms';
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${oneDigit.format(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  if (minutes < 2880) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return tn('days', Math.floor(minutes / 1440));
}

/** How long ago; from a month on the date. */
export function ago(text, now = Date.now()) {
  if (!text) return '–';
  const seconds = (new Date(text).getTime() - now) / 1000;
  const past = Math.abs(seconds);
  if (past < 10) return t('time.now');
  if (past < 60) return relative.format(Math.round(seconds), 'second');
  if (past < 3600) return relative.format(Math.round(seconds / 60), 'minute');
  if (past < 86_400) return relative.format(Math.round(seconds / 3600), 'hour');
  if (past < 2_592_000) return relative.format(Math.round(seconds / 86_400), 'day');
  return moment.format(new Date(text));
}

/** The whole date and time. */
export const exact = (text) => (text ? moment.format(new Date(text)) : '–');

/** The time of day. */
export const clock = (time) => hour.format(new Date(time));

/** PostgreSQL's version out of `server_version_num`. */
export const version = (num) => (num ? `PostgreSQL ${Math.floor(num / 10_000)}.${num % 10_000}` : '');

/** `create_users` as a sentence: create users. */
export const intent = (name) => String(name ?? '').replaceAll('_', ' ');

/** `auth/20260901010000` in two. */
export function migration(id) {
  const [schema, version] = String(id ?? '').split('/');
  return { schema, version: String(version ?? '').split('_')[0] };
}
