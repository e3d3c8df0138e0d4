CREATE SCHEMA IF NOT EXISTS migration_service;

CREATE TABLE IF NOT EXISTS migration_service.master_meta (
    key   text PRIMARY KEY,
    value text NOT NULL
);
COMMENT ON TABLE migration_service.master_meta IS 'Facts about the service''s own tables';
COMMENT ON COLUMN migration_service.master_meta.key IS 'schema_version; installation: by which this master database and its copies of the service are told from others';
COMMENT ON COLUMN migration_service.master_meta.value IS 'Its value';
INSERT INTO migration_service.master_meta (key, value) VALUES ('installation', gen_random_uuid()::text) ON CONFLICT DO NOTHING;

CREATE TABLE IF NOT EXISTS migration_service.api_token (
    id            text PRIMARY KEY,
    name          text NOT NULL,
    secret_sha256 bytea NOT NULL CHECK (length(secret_sha256) = 32),
    scopes        text[] NOT NULL CHECK (cardinality(scopes) > 0),
    services      text[] CHECK (services IS NULL OR cardinality(services) > 0),
    created_at    timestamptz NOT NULL DEFAULT now(),
    created_by    text NOT NULL,
    expires_at    timestamptz,
    last_used_at  timestamptz,
    revoked_at    timestamptz,
    revoked_by    text
);
COMMENT ON TABLE migration_service.api_token IS 'Who may call the API, by token; the token itself is kept nowhere';
COMMENT ON COLUMN migration_service.api_token.id IS 'The public part of the token, by which it is found';
COMMENT ON COLUMN migration_service.api_token.name IS 'What people call it; stands in histories';
COMMENT ON COLUMN migration_service.api_token.secret_sha256 IS 'SHA-256 of the secret part';
COMMENT ON COLUMN migration_service.api_token.scopes IS 'What it may do: read, release, migrate, rollback, seed, backup, restore, admin';
COMMENT ON COLUMN migration_service.api_token.services IS 'The services it may do it to; null is all';
COMMENT ON COLUMN migration_service.api_token.created_at IS 'When it was made';
COMMENT ON COLUMN migration_service.api_token.created_by IS 'By whom';
COMMENT ON COLUMN migration_service.api_token.expires_at IS 'From when on it is refused; null is never';
COMMENT ON COLUMN migration_service.api_token.last_used_at IS 'When it was last accepted, to the minute';
COMMENT ON COLUMN migration_service.api_token.revoked_at IS 'When it was taken back';
COMMENT ON COLUMN migration_service.api_token.revoked_by IS 'By whom';

CREATE TABLE IF NOT EXISTS migration_service.run (
    id            uuid PRIMARY KEY,
    kind          text NOT NULL CHECK (kind IN ('run', 'rollback', 'seed', 'seed_reset')),
    environment   text NOT NULL,
    service       text,
    dry_run       boolean NOT NULL,
    state         text NOT NULL CHECK (state IN ('running', 'completed', 'failed', 'cancelled', 'interrupted')),
    actor         text NOT NULL,
    request_id    text,
    started_at    timestamptz NOT NULL,
    finished_at   timestamptz,
    seen_at       timestamptz NOT NULL DEFAULT now(),
    plan          jsonb NOT NULL,
    report        jsonb,
    host          text NOT NULL,
    boot_id       text NOT NULL,
    pid           integer NOT NULL,
    process_start bigint NOT NULL,
    CHECK ((state = 'running') = (finished_at IS NULL))
);
COMMENT ON TABLE migration_service.run IS 'Every run, rollback and seeding that this service was asked for';
COMMENT ON COLUMN migration_service.run.id IS 'UUID version 7: ordered by time; the same id stands in the target''s history';
COMMENT ON COLUMN migration_service.run.kind IS 'What it does';
COMMENT ON COLUMN migration_service.run.environment IS 'On which environment';
COMMENT ON COLUMN migration_service.run.service IS 'For which service; null is all';
COMMENT ON COLUMN migration_service.run.dry_run IS 'Whether nothing of it was to stay';
COMMENT ON COLUMN migration_service.run.state IS 'running until it is over; interrupted when its process died';
COMMENT ON COLUMN migration_service.run.actor IS 'Who asked for it';
COMMENT ON COLUMN migration_service.run.request_id IS 'The HTTP request that asked for it';
COMMENT ON COLUMN migration_service.run.started_at IS 'When it began';
COMMENT ON COLUMN migration_service.run.finished_at IS 'When it was over';
COMMENT ON COLUMN migration_service.run.seen_at IS 'The last sign of life of the process that does it';
COMMENT ON COLUMN migration_service.run.plan IS 'What it set out to do';
COMMENT ON COLUMN migration_service.run.report IS 'What it did';
COMMENT ON COLUMN migration_service.run.host IS 'The machine it runs on';
COMMENT ON COLUMN migration_service.run.boot_id IS 'Which start of that machine';
COMMENT ON COLUMN migration_service.run.pid IS 'Which process there';
COMMENT ON COLUMN migration_service.run.process_start IS 'When that process started, in clock ticks since the machine did: tells it from a later one with its number';

CREATE INDEX IF NOT EXISTS run_running_idx ON migration_service.run (seen_at) WHERE state = 'running';
COMMENT ON INDEX migration_service.run_running_idx IS 'Runs left behind by dead processes, looked for at every start';

CREATE TABLE IF NOT EXISTS migration_service.run_event (
    run_id uuid NOT NULL REFERENCES migration_service.run (id) ON DELETE CASCADE,
    seq    bigint NOT NULL,
    at     timestamptz NOT NULL,
    event  jsonb NOT NULL,
    PRIMARY KEY (run_id, seq)
);
COMMENT ON TABLE migration_service.run_event IS 'The progress of runs, for those who follow late; kept 90 days';
COMMENT ON COLUMN migration_service.run_event.run_id IS 'Of which run';
COMMENT ON COLUMN migration_service.run_event.seq IS 'Its place in the run, from 1';
COMMENT ON COLUMN migration_service.run_event.at IS 'When it happened';
COMMENT ON COLUMN migration_service.run_event.event IS 'The event; its member type says which';

CREATE TABLE IF NOT EXISTS migration_service.idempotency_key (
    actor         text NOT NULL,
    key           text NOT NULL,
    request_hash  bytea NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    status        smallint,
    content_type  text,
    body          bytea,
    host          text NOT NULL,
    boot_id       text NOT NULL,
    pid           integer NOT NULL,
    process_start bigint NOT NULL,
    PRIMARY KEY (actor, key)
);
COMMENT ON TABLE migration_service.idempotency_key IS 'Answers to requests that may be sent again; kept 24 hours';
COMMENT ON COLUMN migration_service.idempotency_key.actor IS 'Whose key it is';
COMMENT ON COLUMN migration_service.idempotency_key.key IS 'The Idempotency-Key header';
COMMENT ON COLUMN migration_service.idempotency_key.request_hash IS 'SHA-256 of method, path and body';
COMMENT ON COLUMN migration_service.idempotency_key.created_at IS 'When the first request came';
COMMENT ON COLUMN migration_service.idempotency_key.status IS 'The answer''s status; null while it is being worked on';
COMMENT ON COLUMN migration_service.idempotency_key.content_type IS 'The answer''s content type';
COMMENT ON COLUMN migration_service.idempotency_key.body IS 'The answer''s body';
COMMENT ON COLUMN migration_service.idempotency_key.host IS 'Who works on it, as in run';
COMMENT ON COLUMN migration_service.idempotency_key.boot_id IS 'As in run';
COMMENT ON COLUMN migration_service.idempotency_key.pid IS 'As in run';
COMMENT ON COLUMN migration_service.idempotency_key.process_start IS 'As in run';

CREATE TABLE IF NOT EXISTS migration_service.audit_anchor (
    database    text NOT NULL,
    position    bigint NOT NULL,
    hash        text NOT NULL,
    environment text NOT NULL,
    kept_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (database, position, hash, environment)
);
COMMENT ON TABLE migration_service.audit_anchor IS 'Where the chains of the targets'' audits ended, time after time; rows are added and never changed';
COMMENT ON COLUMN migration_service.audit_anchor.database IS 'The database: its cluster''s system identifier and its number there';
COMMENT ON COLUMN migration_service.audit_anchor.position IS 'The last position of the chain';
COMMENT ON COLUMN migration_service.audit_anchor.hash IS 'Its hash';
COMMENT ON COLUMN migration_service.audit_anchor.environment IS 'The environment that had the database';
COMMENT ON COLUMN migration_service.audit_anchor.kept_at IS 'When it was written down';

CREATE TABLE IF NOT EXISTS migration_service.watch_finding (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    environment   text NOT NULL,
    target        text NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('drift', 'audit')),
    subject       text NOT NULL,
    service       text,
    words         text NOT NULL,
    role          text,
    application   text,
    changed_at    timestamptz,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at  timestamptz NOT NULL DEFAULT now(),
    resolved_at   timestamptz
);
COMMENT ON TABLE migration_service.watch_finding IS 'What was found on targets that did not come through the service; one row from when it is found until it is gone';
COMMENT ON COLUMN migration_service.watch_finding.id IS 'Grows';
COMMENT ON COLUMN migration_service.watch_finding.environment IS 'On which environment';
COMMENT ON COLUMN migration_service.watch_finding.target IS 'The database that the environment had';
COMMENT ON COLUMN migration_service.watch_finding.kind IS 'drift: the live schema is not what its migrations make; audit: the record of changes is not whole';
COMMENT ON COLUMN migration_service.watch_finding.subject IS 'What the finding is about, by which it is known again: object and property, or finding and place in the chain';
COMMENT ON COLUMN migration_service.watch_finding.service IS 'Whose schema; null where it is nobody''s, or the whole target''s';
COMMENT ON COLUMN migration_service.watch_finding.words IS 'What is wrong, one sentence';
COMMENT ON COLUMN migration_service.watch_finding.role IS 'Who did it, as the audit has them: the role that signed in; null where that is not known';
COMMENT ON COLUMN migration_service.watch_finding.application IS 'What their session called itself';
COMMENT ON COLUMN migration_service.watch_finding.changed_at IS 'When they did it';
COMMENT ON COLUMN migration_service.watch_finding.first_seen_at IS 'When a look found it';
COMMENT ON COLUMN migration_service.watch_finding.last_seen_at IS 'When a look last found it';
COMMENT ON COLUMN migration_service.watch_finding.resolved_at IS 'When a look no longer found it; null while it is there';

CREATE UNIQUE INDEX IF NOT EXISTS watch_finding_open_idx ON migration_service.watch_finding (environment, kind, target, subject)
    WHERE resolved_at IS NULL;
COMMENT ON INDEX migration_service.watch_finding_open_idx IS 'One row for what is open; read and updated by every look';

CREATE TABLE IF NOT EXISTS migration_service.watch_look (
    environment   text PRIMARY KEY,
    target        text NOT NULL,
    claim         uuid,
    claimed_by    text,
    claimed_at    timestamptz,
    claimed_until timestamptz,
    looked_at     timestamptz,
    looks         bigint NOT NULL DEFAULT 0,
    seen          text,
    trouble       text
);
COMMENT ON TABLE migration_service.watch_look IS 'Which copy of the service looks at an environment, and what the last look saw';
COMMENT ON COLUMN migration_service.watch_look.environment IS 'The environment';
COMMENT ON COLUMN migration_service.watch_look.target IS 'Its database';
COMMENT ON COLUMN migration_service.watch_look.claim IS 'The look that is under way; null between looks';
COMMENT ON COLUMN migration_service.watch_look.claimed_by IS 'The process of the last look, for people: machine and number';
COMMENT ON COLUMN migration_service.watch_look.claimed_at IS 'When it began';
COMMENT ON COLUMN migration_service.watch_look.claimed_until IS 'From when on another may look, should that process be gone';
COMMENT ON COLUMN migration_service.watch_look.looked_at IS 'When the last look that saw something began';
COMMENT ON COLUMN migration_service.watch_look.looks IS 'How many looks there were';
COMMENT ON COLUMN migration_service.watch_look.seen IS 'The live fingerprint and the state of the history that were last compared; while both stay, nothing is compared again';
COMMENT ON COLUMN migration_service.watch_look.trouble IS 'What the last look could not look at; null where it saw all';
