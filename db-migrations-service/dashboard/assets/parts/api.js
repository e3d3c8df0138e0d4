// The service's API as the pages use it. Addresses are relative, so that the dashboard works below any path.

import { lang, t } from './i18n.js';

/** A refusal or a failure, as the service tells it: `code`, `message`, `detail`, `cure` and particulars. */
export class Problem extends Error {
  constructor(status, body) {
    super(body.message || body.detail || body.title || t('problem.unreadable'));
    Object.assign(this, body);
    this.status = status;
  }
}

/** Nothing answers. */
export const away = () => new Problem(0, { code: 'unreachable', message: t('problem.unreachable'), cure: t('problem.unreachable.cure') });

/** Sends a request and reads its JSON; throws a Problem. */
export async function call(method, path, body, options = {}) {
  const headers = { 'Accept-Language': lang, Accept: 'application/json' };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (options.once) headers['Idempotency-Key'] = options.once;
  let response;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: options.signal,
      credentials: 'same-origin',
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw away();
  }
  if (response.status === 204) return null;
  const text = await response.text();
  let json;
  try {
    json = JSON.parse(text);
  } catch {
    json = {};
  }
  if (!response.ok) {
    const problem = new Problem(response.status, json);
    if (response.status === 401 && path !== 'api/session') dispatchEvent(new CustomEvent('profe-signed-out'));
    throw problem;
  }
  return json;
}

/** `path` with those of `values` that are set as its query. */
export function query(path, values = {}) {
  const set = Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== '');
  return set.length ? `${path}?${new URLSearchParams(set)}` : path;
}

export const get = (path, values, options) => call('GET', query(path, values), undefined, options);

/** A request that changes something; sent again under the same key it is not done twice. */
export const post = (path, body = {}, options = {}) => call('POST', path, body, { once: key(), ...options });

function key() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Part of a path. */
export const part = encodeURIComponent;
