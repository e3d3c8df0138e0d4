-- What the services' webhooks have still to be told.

CREATE TABLE IF NOT EXISTS migration_service.webhook_cursor (
    single   boolean PRIMARY KEY DEFAULT true CHECK (single),
    event_id bigint NOT NULL
);
COMMENT ON TABLE migration_service.webhook_cursor IS 'How far the ends of runs were looked at for the services'' webhooks; one row';
COMMENT ON COLUMN migration_service.webhook_cursor.single IS 'That there is one row';
COMMENT ON COLUMN migration_service.webhook_cursor.event_id IS 'The last event that was looked at';

CREATE TABLE IF NOT EXISTS migration_service.webhook_delivery (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    environment  text NOT NULL,
    service      text NOT NULL,
    event        text NOT NULL CHECK (event IN ('applied', 'rolled_back', 'failed')),
    run_id       uuid NOT NULL,
    body         jsonb NOT NULL,
    created_at   timestamptz NOT NULL,
    attempts     integer NOT NULL DEFAULT 0,
    due_at       timestamptz NOT NULL,
    answer       text,
    delivered_at timestamptz,
    given_up_at  timestamptz,
    UNIQUE (run_id, environment, service, event)
);
COMMENT ON TABLE migration_service.webhook_delivery IS 'What a service''s webhook is told of a run: written before anybody is called, so that none is lost when the service ends; kept 90 days';
COMMENT ON COLUMN migration_service.webhook_delivery.id IS 'Grows; one service is told in this order, and knows by it what it was told already';
COMMENT ON COLUMN migration_service.webhook_delivery.environment IS 'On which environment the run was';
COMMENT ON COLUMN migration_service.webhook_delivery.service IS 'Who is told';
COMMENT ON COLUMN migration_service.webhook_delivery.event IS 'That its migrations were applied, were taken back, or failed';
COMMENT ON COLUMN migration_service.webhook_delivery.run_id IS 'In which run';
COMMENT ON COLUMN migration_service.webhook_delivery.body IS 'What is told, without the delivery''s own number';
COMMENT ON COLUMN migration_service.webhook_delivery.created_at IS 'Since when';
COMMENT ON COLUMN migration_service.webhook_delivery.attempts IS 'How often it was tried';
COMMENT ON COLUMN migration_service.webhook_delivery.due_at IS 'When it is tried next; while somebody tries, when another may';
COMMENT ON COLUMN migration_service.webhook_delivery.answer IS 'What was answered last, or why nothing was';
COMMENT ON COLUMN migration_service.webhook_delivery.delivered_at IS 'When it was taken';
COMMENT ON COLUMN migration_service.webhook_delivery.given_up_at IS 'When it had failed for too long, or nobody was to be told any more';

CREATE INDEX IF NOT EXISTS webhook_delivery_open_idx ON migration_service.webhook_delivery (service, id)
    WHERE delivered_at IS NULL AND given_up_at IS NULL;
COMMENT ON INDEX migration_service.webhook_delivery_open_idx IS 'What has still to be told to each service, asked every few seconds';
