//! What is to be feared from a statement on *this* database, in words, with the way round it.

use serde::Serialize;
use sql_grammar::QualifiedName;

use crate::blocking::{Assessment, Throughput};
use crate::catalog::Catalog;
use crate::forecast::{Forecast, Work, WorkKind};
use crate::mode::LockMode;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Longer than the budget, but nobody who reads or writes the relation is kept waiting for it: other changes of
    /// the schema and vacuum are.
    Notice,
    /// Readers or writers wait longer than the budget.
    Warning,
    /// Readers or writers wait longer than [`DANGER`] times the budget.
    Danger,
}

/// From this many times the budget on, a wait is an outage.
pub const DANGER: u64 = 10;

/// Every code that a hazard may have; they stay as they are, because migrations accept hazards by code.
pub const CODES: [&str; 27] = [
    "attach-partition-builds-index",
    "attach-partition-scans",
    "changes-every-row",
    "check-scans",
    "constraint-builds-index",
    "detach-partition-scans",
    "domain-constraint-scans",
    "foreign-key-scans",
    "index-blocks-writers",
    "lock-held-through-work",
    "new-column-scans",
    "not-null-scans",
    "partition-scans-default",
    "refresh-blocks-readers",
    "reindex-blocks-writers",
    "rewrite-access-method",
    "rewrite-cluster",
    "rewrite-column-type",
    "rewrite-constrained-domain",
    "rewrite-generated-column",
    "rewrite-persistence",
    "rewrite-tablespace",
    "rewrite-vacuum-full",
    "rewrite-volatile-default",
    "type-change-builds-index",
    "type-change-scans",
    "validate-scans",
];

/// One thing to be feared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hazard {
    /// Stable, one of [`CODES`].
    pub code: &'static str,
    /// How bad.
    pub level: Level,
    /// The statement in the transaction, counted from 0.
    pub statement: usize,
    /// `schema.name` of the relation.
    pub relation: String,
    /// What will happen, with the relation's rows and bytes.
    pub message: String,
    /// SQL or steps that get there without the wait, where some are known.
    pub safer: Option<String>,
    /// How long the statement works, or others wait, in milliseconds.
    pub blocked_ms: u64,
}

/// The hazards of one statement. Work that fits into the budget, and on what the transaction itself created, is none.
pub fn hazards(statement: usize, told: &Forecast, catalog: &Catalog, throughput: &Throughput) -> Vec<Hazard> {
    let mut found: Vec<Hazard> = Vec::new();
    for work in &told.work {
        let ms = throughput.work_ms(work, catalog);
        if ms < throughput.budget_ms || found.iter().any(|h| h.code == work.code && h.relation == named(work)) {
            continue;
        }
        // What the transaction has created is empty and takes no time.
        let Some(relation) = catalog.relation(&work.relation) else { continue };
        let mode = told.locks.iter().find(|lock| lock.relation == work.relation).map(|lock| lock.mode);
        let message = format!(
            "{} {} ({} rows, {}) for about {}{}",
            doing(work.kind),
            work.relation,
            relation.rows(),
            size(relation.total_bytes),
            duration(ms),
            mode.map_or_else(String::new, |mode| waiting(mode, &work.relation)),
        );
        let blocks = mode.is_some_and(LockMode::blocks_writers) || work.kind == WorkKind::RowChanges;
        found.push(Hazard {
            code: work.code,
            level: if blocks { level(ms, throughput) } else { Level::Notice },
            statement,
            relation: named(work),
            message,
            safer: work.safer.clone(),
            blocked_ms: ms,
        });
    }
    found
}

/// Locks that are quickly taken, and then held while the transaction works on something else.
pub(crate) fn held(assessment: &Assessment, throughput: &Throughput) -> Vec<Hazard> {
    let known = |relation: &QualifiedName| {
        let name = relation.to_string();
        assessment.hazards.iter().any(|h| h.relation == name && h.level != Level::Notice)
    };
    let mut found = Vec::new();
    for blocked in &assessment.blocking {
        let ms = blocked.readers_ms.max(blocked.writers_ms);
        if ms < throughput.budget_ms || known(&blocked.relation) {
            continue;
        }
        let statement = assessment.statements.iter().position(|told| {
            told.locks.iter().any(|lock| lock.relation == blocked.relation && lock.mode.blocks_writers())
        });
        found.push(Hazard {
            code: "lock-held-through-work",
            level: level(ms, throughput),
            statement: statement.unwrap_or(0),
            relation: blocked.relation.to_string(),
            message: format!(
                "{} ({} rows, {}) stays locked for about {} while the transaction works on other relations{}",
                blocked.relation,
                blocked.rows,
                size(blocked.bytes),
                duration(ms),
                waiting(blocked.mode, &blocked.relation),
            ),
            safer: Some("put the quick change into a migration of its own".to_owned()),
            blocked_ms: ms,
        });
    }
    found
}

fn named(work: &Work) -> String {
    work.relation.to_string()
}

fn level(ms: u64, throughput: &Throughput) -> Level {
    if ms >= throughput.budget_ms.saturating_mul(DANGER) { Level::Danger } else { Level::Warning }
}

fn doing(kind: WorkKind) -> &'static str {
    match kind {
        WorkKind::Rewrite => "rewrites",
        WorkKind::Scan => "reads the whole of",
        WorkKind::IndexBuild => "builds an index on",
        WorkKind::RowChanges => "changes every row of",
    }
}

fn waiting(mode: LockMode, relation: &QualifiedName) -> String {
    if mode.blocks_readers() {
        format!("; whoever reads or writes {relation} waits")
    } else if mode.blocks_writers() {
        format!("; whoever writes to {relation} waits, readers do not")
    } else {
        "; readers and writers go on".to_owned()
    }
}

/// Bytes as people write them.
fn size(bytes: u64) -> String {
    const STEP: f64 = 1024.0;
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= STEP && unit < 4 {
        value /= STEP;
        unit += 1;
    }
    format!("{value:.0} {}", ["B", "kB", "MB", "GB", "TB"][unit])
}

/// Milliseconds as people write them.
fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..120_000 => format!("{} s", ms / 1_000),
        _ => format!("{} min", ms / 60_000),
    }
}
