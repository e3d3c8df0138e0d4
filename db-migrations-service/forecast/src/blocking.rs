//! How long a transaction keeps readers and writers away, from the catalog's rows and bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sql_grammar::{QualifiedName, Statement};

use crate::catalog::Catalog;
use crate::forecast::{Forecast, RelationLock, Work, WorkKind, forecast};
use crate::mode::LockMode;

/// What a server gets through, in bytes per second of the table, and what is too long.
///
/// The defaults are a guess for a modest machine with a cold cache, so that a forecast errs to the slow side: two cores
/// with 230 MB in the cache and nothing flushed got through 1,600 MB/s, 150 MB/s, 500 MB/s and 45 MB/s. A rehearsal on
/// the target's own data is the way to better ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Throughput {
    /// Reading a table from its beginning to its end.
    pub scan_bytes_per_s: u64,
    /// Writing a table anew, its indexes and the write-ahead log with it; counted in bytes of table and indexes.
    pub rewrite_bytes_per_s: u64,
    /// Reading a table and sorting it into one index.
    pub index_build_bytes_per_s: u64,
    /// Changing every row in place.
    pub row_changes_bytes_per_s: u64,
    /// What a change of the catalog alone takes, in milliseconds.
    pub catalog_change_ms: u64,
    /// How long others may be kept waiting before it is a hazard, in milliseconds.
    pub budget_ms: u64,
}

impl Default for Throughput {
    fn default() -> Self {
        const MIB: u64 = 1 << 20;
        Self {
            scan_bytes_per_s: 200 * MIB,
            rewrite_bytes_per_s: 40 * MIB,
            index_build_bytes_per_s: 40 * MIB,
            row_changes_bytes_per_s: 20 * MIB,
            catalog_change_ms: 1,
            budget_ms: 1_000,
        }
    }
}

impl Throughput {
    /// Milliseconds that one piece of work takes; 0 for a relation that the catalog does not have.
    pub fn work_ms(&self, work: &Work, catalog: &Catalog) -> u64 {
        let Some(relation) = catalog.relation(&work.relation) else { return 0 };
        let (bytes, rate) = match work.kind {
            WorkKind::Rewrite => (relation.total_bytes, self.rewrite_bytes_per_s),
            WorkKind::Scan => (relation.bytes, self.scan_bytes_per_s),
            WorkKind::IndexBuild => (relation.bytes, self.index_build_bytes_per_s),
            WorkKind::RowChanges => (relation.total_bytes, self.row_changes_bytes_per_s),
        };
        bytes.saturating_mul(1_000) / rate.max(1)
    }

    /// Milliseconds that a statement takes once it has its locks.
    pub fn statement_ms(&self, forecast: &Forecast, catalog: &Catalog) -> u64 {
        forecast.work.iter().map(|work| self.work_ms(work, catalog)).sum::<u64>() + self.catalog_change_ms
    }
}

/// Whom the lock on one relation keeps waiting, from the statement that takes it to the end of the transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Blocking {
    /// The relation.
    #[serde(serialize_with = "as_text")]
    pub relation: QualifiedName,
    /// The strongest mode that the transaction takes.
    pub mode: LockMode,
    /// How long `SELECT` waits, in milliseconds.
    pub readers_ms: u64,
    /// How long `INSERT`, `UPDATE` and `DELETE` wait, in milliseconds.
    pub writers_ms: u64,
    /// Its rows, about.
    pub rows: u64,
    /// Its bytes, with its indexes.
    pub bytes: u64,
}

/// The forecast of a transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Assessment {
    /// One for each statement.
    pub statements: Vec<Forecast>,
    /// What each statement takes, in milliseconds.
    pub statement_ms: Vec<u64>,
    /// What blocks, longest first. Relations that the transaction creates are left out.
    pub blocking: Vec<Blocking>,
    /// What is to be feared, worst first.
    pub hazards: Vec<crate::hazard::Hazard>,
}

/// Forecasts the statements of one transaction, one after the other, and advances `catalog` to the schema after it.
pub fn assess(statements: &[Statement], catalog: &mut Catalog, throughput: &Throughput) -> Assessment {
    let mut assessment = Assessment::default();
    let mut figures: BTreeMap<QualifiedName, Blocking> = BTreeMap::new();
    for (number, statement) in statements.iter().enumerate() {
        let told = forecast(statement, catalog);
        let took_ms = throughput.statement_ms(&told, catalog);
        for lock in told.locks.iter().filter(|lock| lock.certain && !lock.created_here) {
            let blocked = figures.entry(lock.relation.clone()).or_insert_with(|| unblocked(lock, catalog));
            blocked.mode = blocked.mode.max(lock.mode);
        }
        // Every lock that is held by now goes on being held while this statement works.
        for blocked in figures.values_mut() {
            blocked.readers_ms += if blocked.mode.blocks_readers() { took_ms } else { 0 };
            blocked.writers_ms += if blocked.mode.blocks_writers() { took_ms } else { 0 };
        }
        assessment.hazards.extend(crate::hazard::hazards(number, &told, catalog, throughput));
        assessment.statements.push(told);
        assessment.statement_ms.push(took_ms);
        catalog.advance(statement);
    }
    assessment.blocking = figures.into_values().filter(|b| b.readers_ms + b.writers_ms > 0).collect();
    assessment.blocking.sort_by_key(|b| std::cmp::Reverse(b.readers_ms + b.writers_ms));
    let held = crate::hazard::held(&assessment, throughput);
    assessment.hazards.extend(held);
    assessment.hazards.sort_by_key(|h| std::cmp::Reverse(h.blocked_ms));
    assessment
}

fn unblocked(lock: &RelationLock, catalog: &Catalog) -> Blocking {
    let (rows, bytes) = catalog.relation(&lock.relation).map_or((0, 0), |r| (r.rows(), r.total_bytes));
    Blocking { relation: lock.relation.clone(), mode: lock.mode, readers_ms: 0, writers_ms: 0, rows, bytes }
}

fn as_text<S: serde::Serializer>(name: &QualifiedName, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(name)
}
