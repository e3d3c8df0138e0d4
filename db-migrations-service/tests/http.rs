//! The service as its callers meet it: a real server on a free port, a real PostgreSQL, a project of its own per test.

#[path = "http/world.rs"]
mod world;

#[path = "http/audit.rs"]
mod audit;
#[path = "http/backup_policy.rs"]
mod backup_policy;
#[path = "http/backups.rs"]
mod backups;
#[path = "http/backups_in_place.rs"]
mod backups_in_place;
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
#[path = "http/problems.rs"]
mod problems;
#[path = "http/runs.rs"]
mod runs;
#[path = "http/seeds.rs"]
mod seeds;
#[path = "http/tokens.rs"]
mod tokens;
#[path = "http/validate.rs"]
mod validate;
#[path = "http/validate_with_data.rs"]
mod validate_with_data;
