// A run as its events tell it, folded into what a page shows.

import { useEffect, useReducer } from '../vendor/htm-preact.js';
import { get, part } from './api.js';
import { whileSeen } from './hooks.js';

const KINDS = [
  'planned', 'preparing', 'validating', 'validated', 'migration_started', 'statement_started', 'statement_finished', 'waiting', 'yielded', 'in_the_way',
  'retrying', 'backfill_progress', 'backfill_paused', 'repaired', 'not_tried', 'migration_finished', 'migration_failed', 'finished', 'end',
];

export const beginning = { order: [], by: {}, waiting: null, current: null, gates: null, notes: [], log: [], finished: null, end: null, seq: 0 };

/** The short statements that an event brings along were done before it. */
function withShort(state, { migration, shortStatements: short }) {
  if (!short?.length) return state;
  const of = state.by[migration] || {};
  return { ...state, by: { ...state.by, [migration]: { ...of, now: null, upTo: short.at(-1).through, done: [...(of.done || []), ...short] } } };
}

/** The next state after an event. Events that were seen are not told twice. */
export function fold(before, event) {
  if (event.seq && event.seq <= before.seq) return before;
  const state = withShort(before, event);
  const seq = event.seq || state.seq;
  const log = event.type === 'end' ? state.log : [...state.log, event];
  const next = { ...state, seq, log };
  const change = (id, what) => ({ ...next, by: { ...state.by, [id]: { ...state.by[id], ...what } } });
  switch (event.type) {
    case 'planned':
      return { ...next, order: event.migrations, dryRun: event.dryRun };
    case 'validating':
      return { ...next, validating: true, gates: event.gates.map((gate) => ({ gate, holds: null, required: true })) };
    case 'validated':
      return { ...next, validating: false, gates: event.gates };
    case 'migration_started':
      return {
        ...change(event.migration, { state: 'running', name: event.name, service: event.service, statements: event.statements, transactional: event.transactional, startedAt: event.at, done: [], upTo: 0 }),
        order: state.order.includes(event.migration) ? state.order : [...state.order, event.migration],
        current: event.migration,
        waiting: null,
      };
    // What is told of a statement tells that those before it are done: short ones are not told one by one.
    case 'statement_started':
      return { ...change(event.migration, { state: 'running', now: event, upTo: event.statement - 1 }), waiting: null };
    case 'statement_finished':
      return { ...change(event.migration, { state: 'running', now: null, upTo: event.through, done: [...(state.by[event.migration]?.done || []), event] }), waiting: null };
    case 'waiting':
      return { ...change(event.migration, { state: 'waiting' }), waiting: event };
    // It was taken back, and begins again with its first statement.
    case 'retrying':
      return { ...change(event.migration, { state: 'retrying', now: null, upTo: 0, done: [] }), waiting: event };
    case 'yielded':
      return { ...change(event.migration, { state: 'yielded' }), waiting: event };
    case 'backfill_progress':
      return { ...change(event.migration, { state: 'running', backfill: event }), waiting: null };
    case 'backfill_paused':
      return { ...change(event.migration, { state: 'waiting' }), waiting: event };
    case 'in_the_way':
      return { ...next, waiting: event };
    case 'repaired':
      return { ...next, notes: [...state.notes, `${event.migration}: ${event.what}`] };
    case 'not_tried':
      return { ...change(event.migration, { state: 'skipped' }), notes: [...state.notes, `${event.migration}: ${event.why}`] };
    case 'migration_finished':
      return { ...change(event.migration, { state: 'done', now: null, ms: event.durationMs }), waiting: null, current: null };
    case 'migration_failed':
      return { ...change(event.migration, { state: 'failed', now: null, error: event.error }), waiting: null, current: null };
    case 'finished':
      return {
        // What was in hand when it was cancelled was taken back.
        ...(state.current ? change(state.current, { state: 'cancelled', now: null, done: [], upTo: 0 }) : next),
        finished: event,
        waiting: null,
        current: null,
      };
    // Of one whose process died nobody tells how what was in hand ended.
    case 'end':
      return { ...(state.current ? change(state.current, { state: 'interrupted', now: null }) : next), end: event.run, waiting: null, current: null };
    default:
      return next;
  }
}

/** The pause before a stream that was refused is asked for again. */
const AGAIN_MS = 2000;

/** Follows a run from its beginning, for as long as the page is seen; events that were seen already are not told twice. */
export function useRun(id) {
  const [state, tell] = useReducer((now, events) => events.reduce(fold, now), beginning);
  useEffect(() => {
    // Many events come at once for a run that is over: shown together, they cost one drawing.
    let waiting = [];
    let drawing = 0;
    let over = false;
    const draw = () => {
      drawing = 0;
      const events = waiting;
      waiting = [];
      tell(events);
    };
    const take = (event) => {
      over ||= event.type === 'end';
      waiting.push(event);
      drawing ||= setTimeout(draw, 16);
    };
    const follow = () => {
      if (over) return () => {};
      let later = 0;
      let source = null;
      const open = () => {
        source = new EventSource(`api/migrations/runs/${part(id)}/events`);
        for (const kind of KINDS) {
          source.addEventListener(kind, (message) => {
            const body = JSON.parse(message.data);
            take(kind === 'end' ? { type: 'end', run: body } : { ...body, type: kind });
            if (kind === 'end') source.close();
          });
        }
        // Where a stream breaks off the browser comes again by itself. It does not where there is nothing more to tell, as of
        // a run whose process died with what it had not written down, or where something on the way refuses.
        source.addEventListener('error', () => {
          if (source.readyState !== EventSource.CLOSED || over) return;
          later = setTimeout(lookUp, AGAIN_MS);
        });
      };
      const lookUp = async () => {
        const run = await get(`api/migrations/runs/${part(id)}`).catch(() => null);
        if (!later) return;
        if (run && run.status !== 'running') take({ type: 'end', run });
        else open();
      };
      open();
      return () => {
        clearTimeout(later);
        later = 0;
        source.close();
      };
    };
    const stop = whileSeen(follow);
    return () => {
      clearTimeout(drawing);
      stop();
    };
  }, [id]);
  return state;
}
