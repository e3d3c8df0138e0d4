-- Which releases of the services run, and what they need of the schemas.

CREATE TABLE IF NOT EXISTS migration_service.service_instance (
    environment text NOT NULL,
    service     text NOT NULL,
    instance    text NOT NULL,
    release     text NOT NULL,
    needs       jsonb,
    actor       text NOT NULL,
    ttl_s       integer NOT NULL CHECK (ttl_s > 0),
    since       timestamptz NOT NULL DEFAULT now(),
    seen_at     timestamptz NOT NULL DEFAULT now(),
    gone_at     timestamptz,
    PRIMARY KEY (environment, service, instance)
);
COMMENT ON TABLE migration_service.service_instance IS 'The processes of the services that have said which release they are; a contract is held while one of them needs what it takes away';
COMMENT ON COLUMN migration_service.service_instance.environment IS 'On which environment it works';
COMMENT ON COLUMN migration_service.service_instance.service IS 'Of which service it is';
COMMENT ON COLUMN migration_service.service_instance.instance IS 'What it calls itself, such as the name of its pod';
COMMENT ON COLUMN migration_service.service_instance.release IS 'Which release it is';
COMMENT ON COLUMN migration_service.service_instance.needs IS 'What it says that it needs and tolerates; null where it leaves that to the catalogue';
COMMENT ON COLUMN migration_service.service_instance.actor IS 'Who said so';
COMMENT ON COLUMN migration_service.service_instance.ttl_s IS 'It is gone when it has been silent for so many seconds while somebody listened';
COMMENT ON COLUMN migration_service.service_instance.since IS 'Since when it is this release';
COMMENT ON COLUMN migration_service.service_instance.seen_at IS 'When it last said that it lives';
COMMENT ON COLUMN migration_service.service_instance.gone_at IS 'When it signed off or was found to be silent; null while it counts as alive';

CREATE INDEX IF NOT EXISTS service_instance_live_idx ON migration_service.service_instance (environment, service)
    WHERE gone_at IS NULL;
COMMENT ON INDEX migration_service.service_instance_live_idx IS 'Who is alive: asked by every run with a contract, and for who is silent every few seconds';
