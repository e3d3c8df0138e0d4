CREATE TABLE IF NOT EXISTS migration_service.backfill (
    schema_name     text        NOT NULL,
    version         bigint      NOT NULL,
    direction       text        NOT NULL CHECK (direction IN ('up', 'down')),
    statement       integer     NOT NULL,
    relation        text        NOT NULL,
    key_columns     jsonb       NOT NULL,
    done_to         jsonb,
    walk_to         jsonb,
    rows_done       bigint      NOT NULL DEFAULT 0,
    rows_estimated  bigint      NOT NULL,
    rows_per_second double precision,
    batches         bigint      NOT NULL DEFAULT 0,
    batch_rows      bigint      NOT NULL,
    is_filled       boolean     NOT NULL DEFAULT false,
    waits_for       text,
    service         text        NOT NULL,
    name            text        NOT NULL,
    up_sql          text        NOT NULL,
    down_sql        text        NOT NULL,
    run_id          uuid        NOT NULL,
    begun_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    at              timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (schema_name, version, direction, statement)
);
COMMENT ON TABLE migration_service.backfill IS 'How far each backfill has come that is under way; each batch moves its row in its own transaction';
COMMENT ON COLUMN migration_service.backfill.done_to IS 'The key of the last row of the last batch, as texts; NULL before the first';
COMMENT ON COLUMN migration_service.backfill.walk_to IS 'The greatest key when the walk began: rows after it were written by those who know better';
COMMENT ON COLUMN migration_service.backfill.waits_for IS 'What the run waited for when it was last heard of: a standby, the load, a release that holds the contract';
COMMENT ON COLUMN migration_service.backfill.down_sql IS 'The way back, should it be taken back half done'
