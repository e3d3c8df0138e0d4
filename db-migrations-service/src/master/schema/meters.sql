-- What all processes have counted together, for /metrics.

CREATE TABLE IF NOT EXISTS migration_service.meter (
    name    text NOT NULL,
    labels  text[] NOT NULL,
    buckets bigint[] NOT NULL,
    count   bigint NOT NULL,
    sum_s   double precision NOT NULL,
    PRIMARY KEY (name, labels)
);
COMMENT ON TABLE migration_service.meter IS 'What the service, its copies and the command line have counted together since the first of them; it only grows';
COMMENT ON COLUMN migration_service.meter.name IS 'What was counted: run, migration, statement, lock_wait, retry, yield, failure, backup';
COMMENT ON COLUMN migration_service.meter.labels IS 'Of which kind, by the words of its metric''s labels, in their order';
COMMENT ON COLUMN migration_service.meter.buckets IS 'Of durations, how many fell between each upper bound of the histogram and the one before';
COMMENT ON COLUMN migration_service.meter.count IS 'How many, those above the last bound among them';
COMMENT ON COLUMN migration_service.meter.sum_s IS 'How long they took together, seconds; 0 where nothing is timed';
