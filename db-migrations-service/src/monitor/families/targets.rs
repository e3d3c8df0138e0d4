//! The targets, as they were when they were last looked at.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{seconds, yes};
use crate::monitor::disk::Room;
use crate::monitor::exposition::{Exposition, Kind};
use crate::monitor::sample::{Condition, Figures, STATES, TargetSample};

type Targets = BTreeMap<String, Arc<TargetSample>>;

/// `pg_stat_database`: columns that only grow, under the exporter's names, which lack `_total`.
const DATABASE: [(&str, &str, &str); 13] = [
    ("xact_commit", "pg_stat_database_xact_commit", "Transactions committed."),
    ("xact_rollback", "pg_stat_database_xact_rollback", "Transactions rolled back."),
    ("blks_read", "pg_stat_database_blks_read", "Blocks that were not in the server's memory."),
    ("blks_hit", "pg_stat_database_blks_hit", "Blocks that were in the server's memory."),
    ("tup_returned", "pg_stat_database_tup_returned", "Rows read by scans."),
    ("tup_fetched", "pg_stat_database_tup_fetched", "Rows fetched by index."),
    ("tup_inserted", "pg_stat_database_tup_inserted", "Rows inserted."),
    ("tup_updated", "pg_stat_database_tup_updated", "Rows updated."),
    ("tup_deleted", "pg_stat_database_tup_deleted", "Rows deleted."),
    (
        "conflicts",
        "pg_stat_database_conflicts",
        "Queries cancelled on a standby since they were in the way of recovery.",
    ),
    ("temp_files", "pg_stat_database_temp_files", "Files that sorts and hashes wrote to disk."),
    ("temp_bytes", "pg_stat_database_temp_bytes", "Bytes that sorts and hashes wrote to disk."),
    ("deadlocks", "pg_stat_database_deadlocks", "Deadlocks that the server had to break."),
];

/// The `datname` of all databases of the server but the target's.
const ELSEWHERE: &str = "(other)";

pub(super) fn write(text: &mut Exposition, targets: &Targets, owners: &BTreeMap<&str, &str>) {
    looks(text, targets);
    migrations(text, targets);
    sessions(text, targets);
    waits(text, targets);
    figures(text, targets);
    sizes(text, targets, owners);
    rooms(text, targets);
}

/// Those that answered, with their labels.
fn up(targets: &Targets) -> impl Iterator<Item = ([(&str, &str); 2], &Figures)> {
    targets.iter().filter_map(|(environment, sample)| match &sample.condition {
        Condition::Up(figures) => {
            Some(([("environment", environment.as_str()), ("datname", sample.database.as_str())], &**figures))
        }
        Condition::NotCreated | Condition::Down(_) => None,
    })
}

fn looks(text: &mut Exposition, targets: &Targets) {
    let mut answers =
        text.family("pg_up", Kind::Gauge, "Whether the target's database answered when it was last looked at.");
    for (environment, sample) in targets {
        match sample.condition {
            Condition::Up(_) => answers.value(&[("environment", environment)], 1.0),
            Condition::Down(_) => answers.value(&[("environment", environment)], 0.0),
            Condition::NotCreated => {}
        }
    }
    let name = "profe_migration_target_connections_refused";
    let help = "Whether the server had no connection left for the service when it was last looked at (SQLSTATE 53300).";
    let mut refused = text.family(name, Kind::Gauge, help);
    for (environment, sample) in targets {
        match &sample.condition {
            Condition::Up(_) => refused.value(&[("environment", environment)], 0.0),
            Condition::Down(trouble) => refused.value(&[("environment", environment)], yes(trouble.is_refusal())),
            Condition::NotCreated => {}
        }
    }
    let name = "profe_migration_target_sample_timestamp_seconds";
    let mut at = text.family(name, Kind::Gauge, "When the target was last looked at.");
    for (environment, sample) in targets {
        at.value(&[("environment", environment)], seconds(sample.at));
    }
    let name = "profe_migration_target_sample_duration_seconds";
    let mut took = text.family(name, Kind::Gauge, "How long that look took.");
    for (environment, sample) in targets {
        took.value(&[("environment", environment)], sample.took.as_secs_f64());
    }
}

fn migrations(text: &mut Exposition, targets: &Targets) {
    let mut family =
        text.family("profe_migration_migrations", Kind::Gauge, "Migrations by service, environment and state.");
    for (environment, sample) in targets {
        for service in sample.migrations.iter().flat_map(|migrations| &migrations.0) {
            for ((_, state), count) in STATES.iter().zip(service.counts) {
                let labels = [("service", service.service.as_str()), ("environment", environment), ("state", state)];
                family.value(&labels, count as f64);
            }
        }
    }
    let mut missing = text.family(
        "profe_migration_certificates_missing",
        Kind::Gauge,
        "Migrations that a run would apply without a certificate for their present files, where one is required.",
    );
    for (environment, sample) in targets {
        for service in sample.migrations.iter().flat_map(|migrations| &migrations.0) {
            let labels = [("service", service.service.as_str()), ("environment", environment)];
            missing.value_of(&labels, service.uncertified.map(|n| n as f64));
        }
    }
}

fn sessions(text: &mut Exposition, targets: &Targets) {
    let mut count = text.family(
        "pg_stat_activity_count",
        Kind::Untyped,
        "Sessions of clients by state; those of the server's other databases together under the datname (other).",
    );
    for ([environment, datname], figures) in up(targets) {
        for (state, n) in &figures.sessions {
            count.value(&[environment, datname, ("state", state)], *n as f64);
        }
        count.value(&[environment, ("datname", ELSEWHERE), ("state", "")], figures.sessions_elsewhere as f64);
    }
    let mut oldest = text.family(
        "pg_stat_activity_max_tx_duration",
        Kind::Gauge,
        "For how many seconds the oldest transaction has been open, by the state of its session.",
    );
    for ([environment, datname], figures) in up(targets) {
        for (state, s) in &figures.oldest_transaction_s {
            oldest.value(&[environment, datname, ("state", state)], *s);
        }
    }
    plain(text, targets, "pg_settings_max_connections", "How many sessions the server allows.", |f| {
        Some(f.max_connections as f64)
    });
    let help = "How many of those are kept for superusers.";
    plain(text, targets, "pg_settings_superuser_reserved_connections", help, |f| Some(f.reserved_connections as f64));
    let help = "Transactions of clients that are open on the target's database.";
    plain(text, targets, "pg_long_running_transactions", help, |f| Some(f.transactions as f64));
    let help = "For how many seconds the oldest of them has been open; 0 without any.";
    plain(text, targets, "pg_long_running_transactions_oldest_timestamp_seconds", help, |f| {
        Some(f.oldest_transaction_s.values().copied().fold(0.0, f64::max))
    });
}

fn waits(text: &mut Exposition, targets: &Targets) {
    let help =
        "For how long the session has waited that waits longest for a lock on the target's database; 0 without any.";
    plain(text, targets, "profe_migration_target_lock_wait_seconds", help, |f| Some(f.longest_lock_wait_s));
}

fn figures(text: &mut Exposition, targets: &Targets) {
    let mut backends =
        text.family("pg_stat_database_numbackends", Kind::Gauge, "Sessions on the target's database, of any kind.");
    for (labels, figures) in up(targets) {
        backends.value_of(&labels, figures.database.get("numbackends").copied());
    }
    for (column, name, help) in DATABASE {
        let mut family = text.family(name, Kind::Untyped, help);
        for (labels, figures) in up(targets) {
            family.value_of(&labels, figures.database.get(column).copied());
        }
    }
    plain(text, targets, "pg_replication_is_replica", "Whether the server is a standby.", |f| Some(yes(f.is_replica)));
    let help = "How far a standby is behind; 0 on a primary.";
    plain(text, targets, "pg_replication_lag_seconds", help, |f| Some(f.replication_lag_s));
    let help = "How far the farthest of the server's own standbys is behind, where the service may see them.";
    plain(text, targets, "profe_migration_target_standby_lag_seconds", help, |f| f.standby_lag_s);
    plain(text, targets, "pg_postmaster_start_time_seconds", "When the server was started.", |f| Some(f.started_at_s));
}

fn sizes(text: &mut Exposition, targets: &Targets, owners: &BTreeMap<&str, &str>) {
    let mut family = text.family("pg_database_size_bytes", Kind::Gauge, "The size of the target's database.");
    for (labels, figures) in up(targets) {
        family.value(&labels, figures.size_bytes as f64);
    }
    let mut family = text.family(
        "profe_migration_schema_size_bytes",
        Kind::Gauge,
        "The size of a schema's tables with their indexes; measured every few minutes.",
    );
    for (environment, sample) in targets {
        for (schema, bytes) in &*sample.schema_sizes {
            if let Some(service) = owners.get(schema.as_str()) {
                let labels = [("environment", environment.as_str()), ("service", service), ("schema", schema)];
                family.value(&labels, *bytes as f64);
            }
        }
    }
}

fn rooms(text: &mut Exposition, targets: &Targets) {
    type Read = fn(Room) -> u64;
    let all: [(&'static str, &'static str, Read); 2] = [
        (
            "profe_migration_data_directory_free_bytes",
            "What is left on the disk of the server's data directory, where that is on the service's own machine.",
            |room| room.free_bytes,
        ),
        ("profe_migration_data_directory_size_bytes", "The size of that disk.", |room| room.size_bytes),
    ];
    for (name, help, read) in all {
        let mut family = text.family(name, Kind::Gauge, help);
        for (environment, sample) in targets {
            family.value_of(&[("environment", environment)], sample.data_room.map(|room| read(room) as f64));
        }
    }
}

/// A gauge with one value for each environment.
fn plain(
    text: &mut Exposition,
    targets: &Targets,
    name: &'static str,
    help: &'static str,
    read: impl Fn(&Figures) -> Option<f64>,
) {
    let mut family = text.family(name, Kind::Gauge, help);
    for ([environment, _], figures) in up(targets) {
        family.value_of(&[environment], read(figures));
    }
}
