CREATE TABLE IF NOT EXISTS migration_service.certificate (
    schema_name text        NOT NULL,
    version     bigint      NOT NULL,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    content     jsonb       NOT NULL,
    PRIMARY KEY (schema_name, version)
);
COMMENT ON TABLE migration_service.certificate IS 'What rehearsals proved: file hashes, fingerprints before and after, figures; the newest of each migration'
