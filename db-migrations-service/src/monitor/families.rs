//! Every metric with its name: what a scrape is answered with, made of what is at hand.
//!
//! What PostgreSQL tells has the names of [postgres_exporter](https://github.com/prometheus-community/postgres_exporter)
//! with `environment` beside its labels, so that dashboards and rules made for it fit. Where those names are not what
//! Prometheus asks of their type (`_count` of a gauge, a counter without `_total`), the type is left open: no query looks
//! at it. Everything else begins with `profe_migration_`. Labels hold names of the catalogue and words of this program,
//! never ids, statements, or names that others choose.

mod process;
mod records;
mod targets;

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::exposition::Exposition;
use crate::operations::{Caller, OperationError, Operations};

impl Operations {
    /// Everything, as text for Prometheus. Asks no database.
    ///
    /// # Errors
    /// A caller who may not touch all services.
    pub fn metrics(&self, caller: &Caller) -> Result<String, OperationError> {
        caller.check(None)?;
        Ok(render(self))
    }
}

fn render(operations: &Operations) -> String {
    let mut text = Exposition::default();
    let snapshot = operations.monitor().samples().latest();
    let targets = operations.targets().all().iter().filter(|entry| entry.target.is_ok());
    let environments: Vec<_> = targets.map(|entry| entry.environment.as_str()).collect();
    process::write(&mut text, operations.monitor().meters(), &environments);
    targets::write(&mut text, &snapshot.targets, &owners(operations));
    records::write(&mut text, &snapshot);
    text.into_text()
}

/// Whose each schema is.
fn owners(operations: &Operations) -> BTreeMap<&str, &str> {
    let services = operations.catalogue().services.iter();
    services
        .flat_map(|(name, service)| service.schemas.iter().map(move |schema| (schema.as_str(), name.as_str())))
        .collect()
}

fn seconds(at: OffsetDateTime) -> f64 {
    at.unix_timestamp_nanos() as f64 / 1e9
}

fn yes(is: bool) -> f64 {
    f64::from(u8::from(is))
}
