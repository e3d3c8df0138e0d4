-- What happens, for those who listen. Ids are given while a lock is held until the commit, so that they become visible in their
-- order: whoever has read up to one has missed nothing before it.

CREATE TABLE IF NOT EXISTS migration_service.event (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL,
    type        text NOT NULL,
    environment text,
    service     text,
    run_id      uuid,
    seq         bigint,
    event       jsonb,
    CHECK (event IS NOT NULL OR (run_id IS NOT NULL AND seq IS NOT NULL))
);
COMMENT ON TABLE migration_service.event IS 'What happens, in the order in which it is told to those who listen; kept 30 days';
COMMENT ON COLUMN migration_service.event.id IS 'Grows in the order of commits; the Last-Event-ID of the stream, and the id in Redis';
COMMENT ON COLUMN migration_service.event.at IS 'When it happened';
COMMENT ON COLUMN migration_service.event.type IS 'What happened: run_started, migration_finished, backup_finished, drift_found, alert_fired …';
COMMENT ON COLUMN migration_service.event.environment IS 'On which environment; null where it concerns none';
COMMENT ON COLUMN migration_service.event.service IS 'To which service; null where it concerns several or none';
COMMENT ON COLUMN migration_service.event.run_id IS 'In which run';
COMMENT ON COLUMN migration_service.event.seq IS 'Its place in the run: the event itself is that row of run_event';
COMMENT ON COLUMN migration_service.event.event IS 'The event where it is none of a run''s; its member type says which';

CREATE INDEX IF NOT EXISTS event_at_idx ON migration_service.event USING brin (at);
COMMENT ON INDEX migration_service.event_at_idx IS 'What is too old, looked for once an hour';
