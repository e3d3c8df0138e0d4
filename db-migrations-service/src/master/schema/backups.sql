CREATE TABLE IF NOT EXISTS migration_service.backup (
    id              text PRIMARY KEY,
    storage         text NOT NULL,
    environment     text NOT NULL,
    services        text[] NOT NULL,
    description     text,
    retention_days  integer,
    state           text NOT NULL CHECK (state IN ('running', 'ready', 'failed', 'cancelled', 'interrupted', 'deleted')),
    actor           text NOT NULL,
    request_id      text,
    started_at      timestamptz NOT NULL,
    finished_at     timestamptz,
    seen_at         timestamptz NOT NULL DEFAULT now(),
    progress        jsonb,
    stored_bytes    bigint,
    manifest_sha256 text,
    error           jsonb,
    verified_at     timestamptz,
    verification_ms bigint,
    findings        text[] NOT NULL DEFAULT '{}',
    deleted_at      timestamptz,
    deleted_by      text,
    host            text NOT NULL,
    boot_id         text NOT NULL,
    pid             integer NOT NULL,
    process_start   bigint NOT NULL,
    CHECK ((state = 'running') = (finished_at IS NULL)),
    CHECK ((state = 'deleted') = (deleted_at IS NOT NULL))
);
COMMENT ON TABLE migration_service.backup IS 'Every backup that this service was asked for, and what was found out about it; what there is, the storage says';
COMMENT ON COLUMN migration_service.backup.id IS 'Its name; begins with the time, so that pages go by it';
COMMENT ON COLUMN migration_service.backup.storage IS 'The storage that it lies in, as it was configured';
COMMENT ON COLUMN migration_service.backup.environment IS 'Of which environment';
COMMENT ON COLUMN migration_service.backup.services IS 'Of which services; empty is the whole database';
COMMENT ON COLUMN migration_service.backup.description IS 'What it is for';
COMMENT ON COLUMN migration_service.backup.retention_days IS 'How long to keep it; null is what the rules say';
COMMENT ON COLUMN migration_service.backup.state IS 'running until it is made; interrupted when its process died';
COMMENT ON COLUMN migration_service.backup.actor IS 'Who asked for it';
COMMENT ON COLUMN migration_service.backup.request_id IS 'The HTTP request that asked for it';
COMMENT ON COLUMN migration_service.backup.started_at IS 'When it began';
COMMENT ON COLUMN migration_service.backup.finished_at IS 'When it was made, or was not';
COMMENT ON COLUMN migration_service.backup.seen_at IS 'The last sign of life of the process that makes it';
COMMENT ON COLUMN migration_service.backup.progress IS 'How far it had come at that time';
COMMENT ON COLUMN migration_service.backup.stored_bytes IS 'Its size in the storage';
COMMENT ON COLUMN migration_service.backup.manifest_sha256 IS 'The checksum of its manifest when it was made: an edited one is known by it';
COMMENT ON COLUMN migration_service.backup.error IS 'Why it was not made: code, message, cure';
COMMENT ON COLUMN migration_service.backup.verified_at IS 'When it was last restored and compared; null is never';
COMMENT ON COLUMN migration_service.backup.verification_ms IS 'How long that took';
COMMENT ON COLUMN migration_service.backup.findings IS 'What was wrong with it then; empty where it held';
COMMENT ON COLUMN migration_service.backup.deleted_at IS 'When it was deleted';
COMMENT ON COLUMN migration_service.backup.deleted_by IS 'By whom';
COMMENT ON COLUMN migration_service.backup.host IS 'The machine it is made on, as in run';
COMMENT ON COLUMN migration_service.backup.boot_id IS 'As in run';
COMMENT ON COLUMN migration_service.backup.pid IS 'As in run';
COMMENT ON COLUMN migration_service.backup.process_start IS 'As in run';

CREATE INDEX IF NOT EXISTS backup_running_idx ON migration_service.backup (seen_at) WHERE state = 'running';
COMMENT ON INDEX migration_service.backup_running_idx IS 'Backups left behind by dead processes, looked for with every list';

-- Version 4 had a folder of another name than the backup's.
ALTER TABLE migration_service.backup DROP COLUMN IF EXISTS stored_as;

ALTER TABLE migration_service.run ADD COLUMN IF NOT EXISTS backup_id text;
ALTER TABLE migration_service.run ADD COLUMN IF NOT EXISTS backup_origin text
    CHECK (backup_origin IN ('made', 'accepted', 'waived') AND (backup_origin = 'waived') = (backup_id IS NULL));
COMMENT ON COLUMN migration_service.run.backup_id IS 'The backup of what it touches, as that was before';
COMMENT ON COLUMN migration_service.run.backup_origin IS 'Whether that was made for the run, was there and accepted, or was waived; null where none was wanted';

CREATE TABLE IF NOT EXISTS migration_service.backup_schedule (
    environment   text NOT NULL,
    schedule      text NOT NULL,
    done_until    timestamptz NOT NULL,
    claim         uuid,
    claimed_by    text,
    claimed_until timestamptz,
    PRIMARY KEY (environment, schedule)
);
COMMENT ON TABLE migration_service.backup_schedule IS 'How far each schedule of the catalogue is done, and which copy of the service works on it';
COMMENT ON COLUMN migration_service.backup_schedule.environment IS 'The environment; empty for what is done to the storage';
COMMENT ON COLUMN migration_service.backup_schedule.schedule IS 'The cron expression, and the services where it names any; another one is another schedule';
COMMENT ON COLUMN migration_service.backup_schedule.done_until IS 'What was due until then is done; at first, when the schedule was first seen';
COMMENT ON COLUMN migration_service.backup_schedule.claim IS 'The work under way; null between';
COMMENT ON COLUMN migration_service.backup_schedule.claimed_by IS 'The process of the last work, for people: machine and number';
COMMENT ON COLUMN migration_service.backup_schedule.claimed_until IS 'From when on another may take it up: the process was gone, or the work failed';

ALTER TABLE migration_service.backup ADD COLUMN IF NOT EXISTS goes_on integer NOT NULL DEFAULT 0;
ALTER TABLE migration_service.backup ADD COLUMN IF NOT EXISTS continued_by text;
ALTER TABLE migration_service.backup ADD COLUMN IF NOT EXISTS taken_at timestamptz;
COMMENT ON COLUMN migration_service.backup.goes_on IS 'How many more times another copy makes it anew should its process end before it is made; 0 where somebody else sees to that: a schedule, a run, a restore, a terminal';
COMMENT ON COLUMN migration_service.backup.continued_by IS 'The backup that is made instead of it, after its process had ended';
COMMENT ON COLUMN migration_service.backup.taken_at IS 'When a copy took it up; where no backup has come of that within a minute, another one may';

CREATE INDEX IF NOT EXISTS backup_left_idx ON migration_service.backup (id) WHERE state = 'interrupted' AND goes_on > 0 AND continued_by IS NULL;
COMMENT ON INDEX migration_service.backup_left_idx IS 'Backups that another copy makes anew, looked for every few seconds';
