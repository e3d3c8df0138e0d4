CREATE TABLE IF NOT EXISTS migration_service.gate_override (
    run_id  uuid        NOT NULL,
    gate    text        NOT NULL,
    reason  text        NOT NULL,
    by_whom text        NOT NULL,
    at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (run_id, gate)
);
COMMENT ON TABLE migration_service.gate_override IS 'Gates that somebody passed by, with the reason'
