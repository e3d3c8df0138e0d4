// What pages are made of: where we are, what is loaded, who is signed in.

import { createContext, useCallback, useContext, useEffect, useRef, useState } from '../vendor/htm-preact.js';

/** Who is signed in and what they may do; `undefined` while that is being asked, `null` where it is nobody. */
export const Session = createContext(undefined);

/** Whether the caller has a scope. */
export function useMay() {
  const session = useContext(Session);
  return useCallback((scope) => Boolean(session) && (!session.scopes || session.scopes.includes(scope)), [session]);
}

/** A part of an address; one that was cut off in the middle of an escape stays as it is. */
const plain = (text) => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

/** `#/service/auth-service?env=staging` as `{ page, rest, query }`. */
export function readRoute() {
  const [path, search] = location.hash.replace(/^#\/?/, '').split('?');
  const [page, ...rest] = path.split('/').map(plain);
  return { page: page || 'overview', rest, query: Object.fromEntries(new URLSearchParams(search)) };
}

/** The address of a page. */
export function to(page, rest = [], query = {}) {
  const set = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '');
  const path = [page, ...[].concat(rest)].map(encodeURIComponent).join('/');
  return `#/${path}${set.length ? `?${new URLSearchParams(set)}` : ''}`;
}

export const go = (...place) => {
  location.hash = to(...place);
};

/** Changes the query of the page one is on, without a step in the browser's history. */
export function adjust(change) {
  const { page, rest, query } = readRoute();
  history.replaceState(null, '', to(page, rest, { ...query, ...change }));
  dispatchEvent(new HashChangeEvent('hashchange'));
}

export function useRoute() {
  const [route, set] = useState(readRoute);
  useEffect(() => {
    const changed = () => set(readRoute());
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  return route;
}

/**
 * Loads with `load(signal)` whenever `deps` change, and again every `every` milliseconds while the page is seen. What
 * was there stays until the next is there, so nothing jumps.
 */
export function useLoad(load, deps, { every } = {}) {
  const [state, set] = useState({ data: undefined, error: null, loading: true });
  const [round, again] = useState(0);
  const asked = useRef(null);
  useEffect(() => {
    const fresh = asked.current !== JSON.stringify(deps);
    asked.current = JSON.stringify(deps);
    const stop = new AbortController();
    set((old) => (fresh ? { data: undefined, error: null, loading: true } : { ...old, loading: true }));
    load(stop.signal).then(
      (data) => stop.signal.aborted || set({ data, error: null, loading: false, at: Date.now() }),
      (error) => error.name === 'AbortError' || stop.signal.aborted || set((old) => ({ ...old, error, loading: false })),
    );
    return () => stop.abort();
  }, [...deps, round]);
  useEffect(() => {
    if (!every) return undefined;
    const timer = setInterval(() => document.hidden || again((n) => n + 1), every);
    return () => clearInterval(timer);
  }, [every, ...deps]);
  return { ...state, reload: useCallback(() => again((n) => n + 1), []) };
}

/**
 * Does `open` whenever the page comes to be seen, and what that returned when it is hidden or gone: a browser has six
 * connections for all its pages together, and a stream of events takes one for as long as it is open.
 */
export function whileSeen(open) {
  let close = null;
  const turn = () => {
    if (document.hidden) {
      close?.();
      close = null;
    } else close ??= open();
  };
  turn();
  document.addEventListener('visibilitychange', turn);
  return () => {
    document.removeEventListener('visibilitychange', turn);
    close?.();
  };
}

/** Calls `tell` soon after something of these types has happened, wherever that was; many at once are one. */
export function useEvents(environment, types, tell) {
  useEffect(() => {
    let soon = 0;
    const heard = () => {
      soon ||= setTimeout(() => {
        soon = 0;
        tell();
      }, 150);
    };
    let missed = false;
    const stop = whileSeen(() => {
      const source = new EventSource(`api/events?${new URLSearchParams({ environment, type: types.join(',') })}`);
      for (const type of types) source.addEventListener(type, heard);
      if (missed) heard();
      missed = true;
      return () => source.close();
    });
    return () => {
      clearTimeout(soon);
      stop();
    };
  }, [environment]);
}

/** Does something once at a time: `[do, busy, problem, forget]`. */
export function useAction(work) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  const act = async (...given) => {
    setBusy(true);
    setProblem(null);
    try {
      return await work(...given);
    } catch (error) {
      setProblem(error);
      return undefined;
    } finally {
      setBusy(false);
    }
  };
  return [act, busy, problem, () => setProblem(null)];
}

/** The time, again every `every` milliseconds, while `on`. */
export function useNow(every, on = true) {
  const [now, set] = useState(Date.now());
  useEffect(() => {
    if (!on) return undefined;
    const timer = setInterval(() => set(Date.now()), every);
    return () => clearInterval(timer);
  }, [every, on]);
  return now;
}
