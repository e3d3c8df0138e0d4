//! The service as its callers meet it: a real server on a free port, a real PostgreSQL, a project of its own per test.

#[path = "http/listening.rs"]
mod listening;
#[path = "http/fleets.rs"]
mod fleets;
#[path = "http/own_databases.rs"]
mod own_databases;
#[path = "http/redis_server.rs"]
mod redis_server;
#[path = "http/world.rs"]
mod world;

#[path = "http/adopt.rs"]
mod adopt;
#[path = "http/alert_conditions.rs"]
mod alert_conditions;
#[path = "http/alert_mail.rs"]
mod alert_mail;
#[path = "http/alert_receivers.rs"]
mod alert_receivers;
#[path = "http/alert_rules.rs"]
mod alert_rules;
#[path = "http/alert_servers.rs"]
mod alert_servers;
#[path = "http/alert_ways.rs"]
mod alert_ways;
#[path = "http/alertmanager.rs"]
mod alertmanager;
#[path = "http/alerts.rs"]
mod alerts;
#[path = "http/audit.rs"]
mod audit;
#[path = "http/backup_policy.rs"]
mod backup_policy;
#[path = "http/backups.rs"]
mod backups;
#[path = "http/backups_in_place.rs"]
mod backups_in_place;
#[path = "http/certificates.rs"]
mod certificates;
#[path = "http/compatibility.rs"]
mod compatibility;
#[path = "http/database.rs"]
mod database;
#[path = "http/database_history.rs"]
mod database_history;
#[path = "http/document.rs"]
mod document;
#[path = "http/door.rs"]
mod door;
#[path = "http/drift.rs"]
mod drift;
#[path = "http/events.rs"]
mod events;
#[path = "http/examples.rs"]
mod examples;
#[path = "http/idempotency.rs"]
mod idempotency;
#[path = "http/inspection.rs"]
mod inspection;
#[path = "http/lifecycle.rs"]
mod lifecycle;
#[path = "http/metrics.rs"]
mod metrics;
#[path = "http/metrics_standby.rs"]
mod metrics_standby;
#[path = "http/live_events.rs"]
mod live_events;
#[path = "http/live_events_redis.rs"]
mod live_events_redis;
#[path = "http/migration_client.rs"]
mod migration_client;
#[path = "http/problems.rs"]
mod problems;
#[path = "http/releases.rs"]
mod releases;
#[path = "http/runs.rs"]
mod runs;
#[path = "http/seeds.rs"]
mod seeds;
#[path = "http/session.rs"]
mod session;
#[path = "http/tokens.rs"]
mod tokens;
#[path = "http/two_servers.rs"]
mod two_servers;
#[path = "http/upgrade.rs"]
mod upgrade;
#[path = "http/validate.rs"]
mod validate;
#[path = "http/validate_with_data.rs"]
mod validate_with_data;
#[path = "http/webhook_receivers.rs"]
mod webhook_receivers;
#[path = "http/webhooks.rs"]
mod webhooks;
