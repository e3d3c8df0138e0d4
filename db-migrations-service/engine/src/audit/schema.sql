CREATE TABLE IF NOT EXISTS migration_service.audit_entry (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at               timestamptz NOT NULL DEFAULT clock_timestamp(),
    event            text        NOT NULL,
    command          text        NOT NULL,
    session_role     text        NOT NULL DEFAULT session_user,
    acting_role      text        NOT NULL,
    application      text        NOT NULL DEFAULT current_setting('application_name'),
    address          inet        DEFAULT inet_client_addr(),
    pid              integer     NOT NULL DEFAULT pg_backend_pid(),
    xid              xid8        DEFAULT pg_current_xact_id(),
    objects          jsonb       NOT NULL,
    statement        text,
    statement_bytes  integer,
    statement_sha256 text,
    context          text,
    via_service      boolean     NOT NULL,
    run_id           uuid,
    migration        text
);
COMMENT ON TABLE migration_service.audit_entry IS 'Every change of the schema, whoever made it; written in the transaction that makes it';
COMMENT ON COLUMN migration_service.audit_entry.id IS 'Grows, with gaps where a transaction was taken back';
COMMENT ON COLUMN migration_service.audit_entry.at IS 'When';
COMMENT ON COLUMN migration_service.audit_entry.event IS 'ddl_command_end and sql_drop: an event trigger saw one command; error: it saw one and could not read it; run, migration, preparation and installation: the service tells what it did';
COMMENT ON COLUMN migration_service.audit_entry.command IS 'PostgreSQL''s command tag; RUN, MIGRATE, ROLLBACK, PREPARE or INSTALL where the service tells it';
COMMENT ON COLUMN migration_service.audit_entry.session_role IS 'Who signed in';
COMMENT ON COLUMN migration_service.audit_entry.acting_role IS 'The role that was set, or who signed in; inside of a SECURITY DEFINER function that of its caller';
COMMENT ON COLUMN migration_service.audit_entry.application IS 'What the session calls itself';
COMMENT ON COLUMN migration_service.audit_entry.address IS 'Where it comes from; null for a local socket';
COMMENT ON COLUMN migration_service.audit_entry.pid IS 'Its process at the server';
COMMENT ON COLUMN migration_service.audit_entry.xid IS 'Its transaction; null where a migration was rolled back before the log was told of it';
COMMENT ON COLUMN migration_service.audit_entry.objects IS 'What was created, changed or dropped: command, type, schema, identity, dropped; empty for a migration, whose SQL the history has';
COMMENT ON COLUMN migration_service.audit_entry.statement IS 'The message that the client sent, all of its statements, cut after 8,000 characters, and without its values where a secret can be among them; null for a migration, whose SQL the history has';
COMMENT ON COLUMN migration_service.audit_entry.statement_bytes IS 'How long the message was';
COMMENT ON COLUMN migration_service.audit_entry.statement_sha256 IS 'SHA-256 of the whole message, in hex; null where an event trigger saw it and it was longer than 64 KiB or has hidden values';
COMMENT ON COLUMN migration_service.audit_entry.context IS 'Which functions the command was called from, innermost first; null where the client sent it itself';
COMMENT ON COLUMN migration_service.audit_entry.via_service IS 'Whether it came through the migration service';
COMMENT ON COLUMN migration_service.audit_entry.run_id IS 'The service''s run';
COMMENT ON COLUMN migration_service.audit_entry.migration IS 'The migration, schema/version, where the row tells of a whole one';

CREATE TABLE IF NOT EXISTS migration_service.audit_chain (
    position  bigint PRIMARY KEY,
    entry_id  bigint      NOT NULL UNIQUE,
    digest    text        NOT NULL,
    hash      text        NOT NULL,
    sealed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE migration_service.audit_chain IS 'Seals the audit: each link holds the hash of the one before';
COMMENT ON COLUMN migration_service.audit_chain.position IS 'From 1, without gaps';
COMMENT ON COLUMN migration_service.audit_chain.entry_id IS 'Which row of audit_entry';
COMMENT ON COLUMN migration_service.audit_chain.digest IS 'SHA-256 of that row, in hex';
COMMENT ON COLUMN migration_service.audit_chain.hash IS 'SHA-256 of the hash before, the position, the row''s number and its digest, in hex';
COMMENT ON COLUMN migration_service.audit_chain.sealed_at IS 'When it was sealed';

CREATE INDEX IF NOT EXISTS audit_entry_of_runs ON migration_service.audit_entry (run_id, migration) WHERE event IN ('run', 'migration');

REVOKE ALL ON migration_service.audit_entry, migration_service.audit_chain FROM PUBLIC;
