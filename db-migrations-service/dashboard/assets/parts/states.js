// How each state of anything looks: a colour, an icon and a word, never the colour alone.

import { html } from '../vendor/htm-preact.js';
import { word } from './i18n.js';

const PATHS = {
  check: 'M3.5 8.5 6.5 11.5 12.5 4.5',
  clock: 'M8 4.5V8l2.5 1.5M8 1.8a6.2 6.2 0 1 1 0 12.4A6.2 6.2 0 0 1 8 1.8Z',
  cross: 'M4 4l8 8M12 4l-8 8',
  alert: 'M8 2 14.5 13.5H1.5ZM8 6.5v3M8 11.4v.1',
  minus: 'M4 8h8',
  dot: 'M8 6.5a1.5 1.5 0 1 1 0 3 1.5 1.5 0 0 1 0-3Z',
  play: 'M5 3.5v9l7-4.5Z',
  undo: 'M6 3 3 6l3 3M3 6h6.5a3.5 3.5 0 0 1 0 7H6',
  home: 'M2.5 7.5 8 3l5.5 4.5M4 6.5V13h8V6.5',
  layers: 'M8 2 14 5 8 8 2 5ZM2 8l6 3 6-3M2 11l6 3 6-3',
  archive: 'M2 3h12v3H2ZM3 6v7h10V6M6.5 8.5h3',
  chart: 'M3 13V8M8 13V3M13 13V6',
  graph: 'M2.5 2.5h4v4h-4ZM9.5 9.5h4v4h-4ZM6.5 4.5h5v5',
  eye: 'M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8ZM8 6.2a1.8 1.8 0 1 1 0 3.6 1.8 1.8 0 0 1 0-3.6Z',
  bell: 'M4 11V7.5a4 4 0 0 1 8 0V11l1 1.5H3ZM6.7 14.2h2.6',
  sun: 'M8 5a3 3 0 1 1 0 6 3 3 0 0 1 0-6ZM8 1v1.6M8 13.4V15M1 8h1.6M13.4 8H15M3 3l1.2 1.2M11.8 11.8 13 13M13 3l-1.2 1.2M4.2 11.8 3 13',
  moon: 'M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7Z',
  menu: 'M2 4h12M2 8h12M2 12h12',
  search: 'M7 2.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9ZM10.5 10.5 14 14',
  down: 'M4 6l4 4 4-4',
  plus: 'M8 3v10M3 8h10',
  fit: 'M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10',
  save: 'M8 2v8M4.5 7 8 10.5 11.5 7M3 13.5h10',
  key: 'M5.5 6a3 3 0 1 1 0 4.2A3 3 0 0 1 5.5 6ZM8.3 8.1H14v2.4M11.5 8.1v1.8',
  lock: 'M4 7.5h8v6H4ZM5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5',
  servers: 'M2.5 3h11v4h-11ZM2.5 9h11v4h-11ZM5 5v.1M5 11v.1',
  tag: 'M2.5 2.5h5l6 6-5 5-6-6ZM5.2 5.2v.1',
  refresh: 'M13 8a5 5 0 1 1-1.5-3.6M13 2v3h-3',
};

export const Icon = ({ name }) => html`
  <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false"><path d=${PATHS[name] || PATHS.dot} /></svg>`;

const LOOKS = {
  ok: ['check', 'up_to_date healthy applied completed verified ready ok holds resolved intact done rolled_back delivered'],
  info: ['clock', 'pending running scheduled'],
  warn: ['alert', 'waiting late unverified degraded cancelled changed warning alert_warning retrying yielded drift missing_backup old_backup'],
  bad: ['cross', 'failed edited missing interrupted unavailable damaged error refused firing alert_critical audit unreachable stopped given_up'],
  none: ['minus', 'unknown deleted skipped none notice unconfigured not_created taken_back'],
};

/** `ok`, `info`, `warn`, `bad` or `none`. */
export const look = (state) =>
  Object.keys(LOOKS).find((name) => LOOKS[name][1].split(' ').includes(state)) || 'none';

export const iconOf = (kind) => LOOKS[kind][0];

/** A state as a small label; `text` where the state's own word is not enough. */
export function State({ of, kind, text }) {
  const shown = kind || look(of);
  const icon = of === 'running' ? 'play' : LOOKS[shown][0];
  return html`<span class="state ${shown} ${of === 'running' ? 'moving' : ''}">
    <${Icon} name=${icon} />${text || word('state', of)}</span>`;
}
