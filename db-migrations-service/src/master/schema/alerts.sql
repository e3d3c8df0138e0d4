-- What is wrong now and what was, and who has still to be told.

CREATE TABLE IF NOT EXISTS migration_service.alert (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule          text NOT NULL,
    environment   text NOT NULL,
    service       text NOT NULL,
    subject       text NOT NULL,
    state         text NOT NULL CHECK (state IN ('pending', 'firing', 'resolved')),
    severity      text NOT NULL,
    words         text NOT NULL,
    value         double precision,
    pending_since timestamptz NOT NULL,
    fired_at      timestamptz,
    last_seen_at  timestamptz NOT NULL,
    resolved_at   timestamptz,
    CHECK ((state = 'pending') = (fired_at IS NULL)),
    CHECK ((state = 'resolved') = (resolved_at IS NOT NULL))
);
COMMENT ON TABLE migration_service.alert IS 'What is worth waking somebody for: one row from when it is first seen until it is gone, and then for a record; what goes before it fires leaves none';
COMMENT ON COLUMN migration_service.alert.id IS 'Grows';
COMMENT ON COLUMN migration_service.alert.rule IS 'Which rule of the catalogue''s [alerts]';
COMMENT ON COLUMN migration_service.alert.environment IS 'On which environment; empty where it concerns none';
COMMENT ON COLUMN migration_service.alert.service IS 'Whose; empty where it concerns the whole environment';
COMMENT ON COLUMN migration_service.alert.subject IS 'Which one of several things, such as which disk; empty where there is one';
COMMENT ON COLUMN migration_service.alert.state IS 'pending: not yet for as long as the rule holds it; firing: somebody is told; resolved: gone';
COMMENT ON COLUMN migration_service.alert.severity IS 'How urgent it is, by the rule';
COMMENT ON COLUMN migration_service.alert.words IS 'What is wrong, one sentence';
COMMENT ON COLUMN migration_service.alert.value IS 'What was measured last, in the rule''s unit; null where there is nothing to measure';
COMMENT ON COLUMN migration_service.alert.pending_since IS 'When it was first seen';
COMMENT ON COLUMN migration_service.alert.fired_at IS 'When it had been so for as long as the rule says';
COMMENT ON COLUMN migration_service.alert.last_seen_at IS 'When it was last seen';
COMMENT ON COLUMN migration_service.alert.resolved_at IS 'When it was no longer seen; null while it is there';

CREATE UNIQUE INDEX IF NOT EXISTS alert_open_idx ON migration_service.alert (rule, environment, service, subject)
    WHERE state <> 'resolved';
COMMENT ON INDEX migration_service.alert_open_idx IS 'One row for what is there; read and updated by every evaluation';

CREATE INDEX IF NOT EXISTS alert_resolved_idx ON migration_service.alert (resolved_at) WHERE state = 'resolved';
COMMENT ON INDEX migration_service.alert_resolved_idx IS 'What Alertmanager is still told to be over, and what is too old to be kept';

CREATE TABLE IF NOT EXISTS migration_service.alert_evaluation (
    single       boolean PRIMARY KEY DEFAULT true CHECK (single),
    held_by      uuid NOT NULL,
    held_until   timestamptz NOT NULL,
    evaluated_at timestamptz NOT NULL
);
ALTER TABLE migration_service.alert_evaluation ADD COLUMN IF NOT EXISTS process jsonb;
COMMENT ON TABLE migration_service.alert_evaluation IS 'Which copy of the service evaluates the alerts; one row';
COMMENT ON COLUMN migration_service.alert_evaluation.single IS 'That there is one row';
COMMENT ON COLUMN migration_service.alert_evaluation.held_by IS 'The copy: a number that it gives itself when it begins';
COMMENT ON COLUMN migration_service.alert_evaluation.held_until IS 'From when on another may, unless it is prolonged: -infinity where that copy has given it back';
COMMENT ON COLUMN migration_service.alert_evaluation.evaluated_at IS 'When they were last evaluated';
COMMENT ON COLUMN migration_service.alert_evaluation.process IS 'That copy''s process: host, boot_id, pid, process_start, by which another on the machine knows that it is gone';

CREATE TABLE IF NOT EXISTS migration_service.alert_delivery (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert        bigint NOT NULL REFERENCES migration_service.alert (id) ON DELETE CASCADE,
    status       text NOT NULL CHECK (status IN ('firing', 'resolved')),
    receiver     text NOT NULL,
    created_at   timestamptz NOT NULL,
    attempts     integer NOT NULL DEFAULT 0,
    due_at       timestamptz NOT NULL,
    trouble      text,
    delivered_at timestamptz,
    given_up_at  timestamptz,
    UNIQUE (alert, status, receiver)
);
COMMENT ON TABLE migration_service.alert_delivery IS 'Who has to be told that an alert fires or is over: written with the alert, so that none is lost when the service ends';
COMMENT ON COLUMN migration_service.alert_delivery.id IS 'Grows; whoever is told twice knows it again by this';
COMMENT ON COLUMN migration_service.alert_delivery.alert IS 'Of what';
COMMENT ON COLUMN migration_service.alert_delivery.status IS 'That it fires, or that it is over';
COMMENT ON COLUMN migration_service.alert_delivery.receiver IS 'Whom: the way, and a hash of the address, which may hold a secret';
COMMENT ON COLUMN migration_service.alert_delivery.created_at IS 'Since when';
COMMENT ON COLUMN migration_service.alert_delivery.attempts IS 'How often it was tried';
COMMENT ON COLUMN migration_service.alert_delivery.due_at IS 'When it is tried next; while somebody tries, when another may';
COMMENT ON COLUMN migration_service.alert_delivery.trouble IS 'Why it failed last';
COMMENT ON COLUMN migration_service.alert_delivery.delivered_at IS 'When it was taken';
COMMENT ON COLUMN migration_service.alert_delivery.given_up_at IS 'When it had failed for too long';

CREATE INDEX IF NOT EXISTS alert_delivery_due_idx ON migration_service.alert_delivery (due_at)
    WHERE delivered_at IS NULL AND given_up_at IS NULL;
COMMENT ON INDEX migration_service.alert_delivery_due_idx IS 'What is to be delivered now, asked on every beat';
