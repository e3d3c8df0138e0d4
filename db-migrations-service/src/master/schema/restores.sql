CREATE TABLE IF NOT EXISTS migration_service.restore (
    id            uuid PRIMARY KEY,
    backup        text NOT NULL,
    storage       text NOT NULL,
    environment   text NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('new', 'in_place', 'tables')),
    database      text NOT NULL,
    schemas       text[] NOT NULL DEFAULT '{}',
    tables        text[] NOT NULL DEFAULT '{}',
    safety_backup text,
    state         text NOT NULL CHECK (state IN ('running', 'completed', 'failed', 'cancelled', 'interrupted')),
    actor         text NOT NULL,
    request_id    text,
    started_at    timestamptz NOT NULL,
    finished_at   timestamptz,
    seen_at       timestamptz NOT NULL DEFAULT now(),
    error         jsonb,
    host          text NOT NULL,
    boot_id       text NOT NULL,
    pid           integer NOT NULL,
    process_start bigint NOT NULL,
    CHECK ((state = 'running') = (finished_at IS NULL))
);
COMMENT ON TABLE migration_service.restore IS 'Every restore that this service was asked for, and how it ended';
COMMENT ON COLUMN migration_service.restore.id IS 'Its number, also in the audit of the database; grows with time';
COMMENT ON COLUMN migration_service.restore.backup IS 'Which backup';
COMMENT ON COLUMN migration_service.restore.storage IS 'The storage that it lay in, as in backup';
COMMENT ON COLUMN migration_service.restore.environment IS 'On the server of which environment';
COMMENT ON COLUMN migration_service.restore.kind IS 'new: into a new database; in_place: schemas of the environment''s own were swapped; tables: beside the live ones';
COMMENT ON COLUMN migration_service.restore.database IS 'The database that was restored into';
COMMENT ON COLUMN migration_service.restore.schemas IS 'The schemas that were swapped; empty for the other kinds';
COMMENT ON COLUMN migration_service.restore.tables IS 'What the restored tables are called; empty for the other kinds';
COMMENT ON COLUMN migration_service.restore.safety_backup IS 'The backup of what was there before; null for the other kinds';
COMMENT ON COLUMN migration_service.restore.state IS 'running until it is over; interrupted when its process died: all or nothing of it is there';
COMMENT ON COLUMN migration_service.restore.actor IS 'Who asked for it';
COMMENT ON COLUMN migration_service.restore.request_id IS 'The HTTP request that asked for it';
COMMENT ON COLUMN migration_service.restore.started_at IS 'When it began';
COMMENT ON COLUMN migration_service.restore.finished_at IS 'When it was over';
COMMENT ON COLUMN migration_service.restore.seen_at IS 'The last sign of life of the process that does it';
COMMENT ON COLUMN migration_service.restore.error IS 'Why it did not happen: code, message, cure';
COMMENT ON COLUMN migration_service.restore.host IS 'The machine it is done on, as in run';
COMMENT ON COLUMN migration_service.restore.boot_id IS 'As in run';
COMMENT ON COLUMN migration_service.restore.pid IS 'As in run';
COMMENT ON COLUMN migration_service.restore.process_start IS 'As in run';

CREATE INDEX IF NOT EXISTS restore_backup_idx ON migration_service.restore (backup, id);
COMMENT ON INDEX migration_service.restore_backup_idx IS 'The restores of one backup, shown with it';
CREATE INDEX IF NOT EXISTS restore_running_idx ON migration_service.restore (seen_at) WHERE state = 'running';
COMMENT ON INDEX migration_service.restore_running_idx IS 'Restores left behind by dead processes, looked for with every backup that is shown';
