// The choice of an environment, and of a service, in a page's address.

import { html, useContext } from '../vendor/htm-preact.js';
import { get } from './api.js';
import { Session, adjust, useLoad } from './hooks.js';
import { t } from './i18n.js';
import { Choice } from './ui.js';

/** Kept for as long as the dashboard is open: pages need the names, and asking every database for them takes a while. */
let known = null;

/** Whoever comes next may see more or less. */
export const forget = () => {
  known = null;
};

/** Every environment with its services; the first is the default one. */
export function useEnvironments() {
  const loaded = useLoad(async (signal) => {
    if (known) return known;
    const status = await get('api/migrations/status', { environment: 'all' }, { signal });
    const own = status.environments.filter((env) => env.environment === status.environment);
    const all = [...own, ...status.environments.filter((env) => env.environment !== status.environment)];
    // What one that does not answer just now would have said is asked for again.
    if (!all.some((env) => env.problem && env.database)) known = all;
    return all;
  }, []);
  return known ? { ...loaded, data: known } : loaded;
}

/** The environment that the address names, or the default one where it names none. One that nobody knows stays what it is: the service says so. */
export const chosen = (environments, name) =>
  name ? environments.find((env) => env.environment === name) || { environment: name, services: [] } : environments[0];

export const EnvironmentChoice = ({ environments, value }) => html`<${Choice} id="environment" label=${t('environment')} value=${value}
  options=${[...new Set([...environments.map((env) => env.environment), value])].map((name) => [name, name])} onChange=${(env) => adjust({ env })} />`;

/** Whether all services together may be asked for: a token of some of them is refused that. */
export function useAllServices() {
  const session = useContext(Session);
  return !session?.services;
}

/** The service that the address names; else all of them as `''`, or the first that the caller may see. */
export function useService(env, name) {
  const all = useAllServices();
  if (!env) return '';
  return env.services.some((s) => s.name === name) ? name : all ? '' : env.services[0]?.name || '';
}

export function ServiceChoice({ services, value }) {
  const all = useAllServices();
  return html`<${Choice} id="service" label=${t('service')} value=${value || ''}
    options=${[...(all ? [['', t('service.all')]] : []), ...services.map((s) => [s.name, s.name])]} onChange=${(service) => adjust({ service })} />`;
}
