// The choice of an environment, and of a service, in a page's address.

import { html } from '../vendor/htm-preact.js';
import { get } from './api.js';
import { adjust, useLoad } from './hooks.js';
import { t } from './i18n.js';
import { Choice } from './ui.js';

/** Kept for as long as the dashboard is open: pages need the names, and asking every database for them takes a while. */
let known = null;

/** Every environment with its services; the first is the default one. */
export function useEnvironments() {
  const loaded = useLoad(async (signal) => {
    if (known) return known;
    const status = await get('api/migrations/status', { environment: 'all' }, { signal });
    const own = status.environments.filter((env) => env.environment === status.environment);
    known = [...own, ...status.environments.filter((env) => env.environment !== status.environment)];
    return known;
  }, []);
  return known ? { ...loaded, data: known } : loaded;
}

/** The environment that the address names, or the default one where it names none. One that nobody knows stays what it is: the service says so. */
export const chosen = (environments, name) =>
  name ? environments.find((env) => env.environment === name) || { environment: name, services: [] } : environments[0];

export const EnvironmentChoice = ({ environments, value }) => html`<${Choice} id="environment" label=${t('environment')} value=${value}
  options=${[...new Set([...environments.map((env) => env.environment), value])].map((name) => [name, name])} onChange=${(env) => adjust({ env })} />`;

export const ServiceChoice = ({ services, value }) => html`<${Choice} id="service" label=${t('service')} value=${value || ''}
  options=${[['', t('service.all')], ...services.map((s) => [s.name, s.name])]} onChange=${(service) => adjust({ service })} />`;
