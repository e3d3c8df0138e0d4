-- The engine's own tables on every target. Version 1.
CREATE SCHEMA IF NOT EXISTS migration_service;
REVOKE ALL ON SCHEMA migration_service FROM PUBLIC;

CREATE TABLE migration_service.meta (
    key   text PRIMARY KEY,
    value text NOT NULL
);
COMMENT ON TABLE migration_service.meta IS 'What the engine remembers about this target: its tables'' version, the catalogue it was prepared with';

CREATE TABLE migration_service.history (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    service         text        NOT NULL,
    schema_name     text        NOT NULL,
    version         bigint      NOT NULL,
    name            text        NOT NULL,
    checksum        text        NOT NULL,
    file_hash       text        NOT NULL,
    up_sql          text        NOT NULL,
    down_sql        text        NOT NULL,
    late            boolean     NOT NULL,
    applied_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    applied_by      text        NOT NULL,
    duration_ms     bigint      NOT NULL DEFAULT (extract(epoch FROM clock_timestamp() - transaction_timestamp()) * 1000),
    run_id          uuid        NOT NULL,
    blessed_at      timestamptz,
    blessed_by      text,
    blessed_reason  text,
    first_checksum  text,
    rolled_back_at  timestamptz,
    rolled_back_by  text,
    rollback_run_id uuid
);
COMMENT ON TABLE migration_service.history IS 'Every migration applied here, with the SQL as applied; written in the migration''s own transaction';
COMMENT ON COLUMN migration_service.history.checksum IS 'SHA-256 over the tokens of the up SQL: comments, blanks and line endings do not count';
COMMENT ON COLUMN migration_service.history.file_hash IS 'SHA-256 of the up file''s bytes: when it still fits, nothing else is compared';
COMMENT ON COLUMN migration_service.history.first_checksum IS 'The checksum before the first blessing';
-- Two runners that both believe to hold the lock: the second one's whole transaction fails on this.
CREATE UNIQUE INDEX history_applied_once ON migration_service.history (schema_name, version) WHERE rolled_back_at IS NULL;

CREATE TABLE migration_service.journal (
    schema_name        text        NOT NULL,
    version            bigint      NOT NULL,
    direction          text        NOT NULL CHECK (direction IN ('up', 'down')),
    statement          integer     NOT NULL,
    statement_checksum text        NOT NULL,
    state              text        NOT NULL CHECK (state IN ('started', 'done')),
    run_id             uuid        NOT NULL,
    at                 timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (schema_name, version, direction, statement)
);
COMMENT ON TABLE migration_service.journal IS 'How far a migration has come that runs statement by statement; empty between runs unless one was interrupted';

CREATE TABLE migration_service.failure (
    schema_name text        NOT NULL,
    version     bigint      NOT NULL,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    run_id      uuid        NOT NULL,
    checksum    text        NOT NULL,
    error       jsonb       NOT NULL,
    PRIMARY KEY (schema_name, version)
);
COMMENT ON TABLE migration_service.failure IS 'Migrations whose last attempt failed; a row goes when the migration is applied';

CREATE TABLE migration_service.seed (
    service     text        NOT NULL,
    schema_name text        NOT NULL,
    name        text        NOT NULL,
    checksum    text        NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    applied_by  text        NOT NULL,
    duration_ms bigint      NOT NULL,
    run_id      uuid        NOT NULL,
    PRIMARY KEY (schema_name, name)
);
COMMENT ON TABLE migration_service.seed IS 'Seed files that were run here, as they were last run';

INSERT INTO migration_service.meta (key, value) VALUES ('schema_version', '1');
