CREATE TABLE IF NOT EXISTS migration_service.fleet_run (
    id            uuid PRIMARY KEY,
    fleet         text NOT NULL,
    environment   text NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('run', 'rollback')),
    orders        jsonb NOT NULL,
    targets       integer NOT NULL,
    state         text NOT NULL CHECK (state IN ('running', 'completed', 'stopped', 'cancelled')),
    actor         text NOT NULL,
    request_id    text,
    started_at    timestamptz NOT NULL,
    finished_at   timestamptz,
    why           text,
    holder        uuid,
    held_by       text,
    process       jsonb,
    held_until    timestamptz,
    CHECK ((state = 'running') = (finished_at IS NULL)),
    CHECK (state = 'running' OR holder IS NULL)
);
COMMENT ON TABLE migration_service.fleet_run IS 'Runs over all databases of a fleet, and which process does each: the row is the lease';
COMMENT ON COLUMN migration_service.fleet_run.id IS 'Its number, also in the history of each of the databases; grows with time';
COMMENT ON COLUMN migration_service.fleet_run.fleet IS 'The fleet, as the catalogue names it';
COMMENT ON COLUMN migration_service.fleet_run.environment IS 'The environment that the fleet belongs to';
COMMENT ON COLUMN migration_service.fleet_run.kind IS 'run or rollback';
COMMENT ON COLUMN migration_service.fleet_run.orders IS 'How far, in what waves, how many at once, how many may fail: what whoever goes on needs to know';
COMMENT ON COLUMN migration_service.fleet_run.targets IS 'How many databases it is about';
COMMENT ON COLUMN migration_service.fleet_run.state IS 'running until it is over, also while nobody does it; stopped: more failed than may';
COMMENT ON COLUMN migration_service.fleet_run.actor IS 'Who asked for it';
COMMENT ON COLUMN migration_service.fleet_run.request_id IS 'The HTTP request that asked for it';
COMMENT ON COLUMN migration_service.fleet_run.started_at IS 'When it began';
COMMENT ON COLUMN migration_service.fleet_run.finished_at IS 'When it was over';
COMMENT ON COLUMN migration_service.fleet_run.why IS 'Why it was stopped';
COMMENT ON COLUMN migration_service.fleet_run.holder IS 'The claim of the process that does it; null when nobody does';
COMMENT ON COLUMN migration_service.fleet_run.held_by IS 'The process that claimed it last: machine and number';
COMMENT ON COLUMN migration_service.fleet_run.process IS 'That process: host, boot_id, pid, process_start, by which another on the machine knows that it is gone';
COMMENT ON COLUMN migration_service.fleet_run.held_until IS 'When the claim lapses unless it is prolonged';

CREATE INDEX IF NOT EXISTS fleet_run_fleet_idx ON migration_service.fleet_run (fleet, id);
COMMENT ON INDEX migration_service.fleet_run_fleet_idx IS 'The runs of one fleet, newest first';
CREATE UNIQUE INDEX IF NOT EXISTS fleet_run_running_idx ON migration_service.fleet_run (fleet) WHERE state = 'running';
COMMENT ON INDEX migration_service.fleet_run_running_idx IS 'One run of a fleet at a time; also those that somebody may have to take over';

CREATE TABLE IF NOT EXISTS migration_service.fleet_target (
    run           uuid NOT NULL REFERENCES migration_service.fleet_run (id) ON DELETE CASCADE,
    place         integer NOT NULL,
    wave          integer NOT NULL,
    name          text NOT NULL,
    state         text NOT NULL CHECK (state IN ('pending', 'running', 'applied', 'rolled_back', 'skipped', 'failed')),
    version       text,
    migrations    integer NOT NULL DEFAULT 0,
    error         jsonb,
    finished_at   timestamptz,
    PRIMARY KEY (run, place)
);
COMMENT ON TABLE migration_service.fleet_target IS 'What became of each database of a fleet''s run';
COMMENT ON COLUMN migration_service.fleet_target.run IS 'The run';
COMMENT ON COLUMN migration_service.fleet_target.place IS 'Its place in the run, from 0';
COMMENT ON COLUMN migration_service.fleet_target.wave IS 'In which wave its turn is; 0 are those that go first and must all succeed';
COMMENT ON COLUMN migration_service.fleet_target.name IS 'host:port/database';
COMMENT ON COLUMN migration_service.fleet_target.state IS 'running while, or when its process died while, somebody worked on it; skipped: there was nothing to do';
COMMENT ON COLUMN migration_service.fleet_target.version IS 'The newest migration that was applied or taken back, <schema>/<version>';
COMMENT ON COLUMN migration_service.fleet_target.migrations IS 'How many migrations were applied or taken back';
COMMENT ON COLUMN migration_service.fleet_target.error IS 'Why it failed: code, message, cure, place';
COMMENT ON COLUMN migration_service.fleet_target.finished_at IS 'When that was';

ALTER TABLE migration_service.fleet_run ADD COLUMN IF NOT EXISTS cancel_asked boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN migration_service.fleet_run.cancel_asked IS 'Somebody asked another process to call it off; its own looks every few seconds, and whoever takes it up looks first';
