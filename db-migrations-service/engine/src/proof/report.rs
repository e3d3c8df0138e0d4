//! What the gates found.

use std::fmt;

use schema_catalog::Fingerprint;
use serde::{Deserialize, Serialize};

use super::certificate::Certificate;
use super::data::DataSource;
use crate::error::Location;
use crate::migration::MigrationId;

/// One of the gates, in the order in which they look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    /// PostgreSQL's grammar accepts the files, and everything they name exists in an order without circles.
    Parses,
    /// Each migration touches its own service's schemas, and reads what the catalogue permits.
    StaysHome,
    /// Nothing of another service depends on what is dropped, renamed or changed.
    BreaksNoNeighbour,
    /// No statement blocks others for longer than the budget, and none is known to go wrong.
    Hazards,
    /// Up, down and up again on a scratch database, with the schema compared each time.
    Rehearsed,
}

impl Gate {
    /// All, in order.
    pub const ALL: [Self; 5] = [Self::Parses, Self::StaysHome, Self::BreaksNoNeighbour, Self::Hazards, Self::Rehearsed];

    /// As the catalogue, the API and the command line write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Parses => "parses",
            Self::StaysHome => "stays-home",
            Self::BreaksNoNeighbour => "breaks-no-neighbour",
            Self::Hazards => "hazards",
            Self::Rehearsed => "rehearsed",
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Gate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|gate| gate.as_str() == text).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|gate| gate.as_str()).collect();
            format!("{text:?} is no gate; these are: {}", known.join(", "))
        })
    }
}

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The gate does not hold.
    Error,
    /// Worth a look; the gate holds.
    Warning,
    /// Told for completeness: accepted in the file, or harmless on this database as it is.
    Notice,
}

/// One thing that a gate found.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Which gate.
    pub gate: Gate,
    /// Stable, kebab-case.
    pub code: String,
    /// How much it weighs.
    pub severity: Severity,
    /// The migration; `None` for the whole set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub migration: Option<MigrationId>,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// What will happen.
    pub message: String,
    /// The SQL that is safer, where one is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub safer: Option<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cure: Option<String>,
    /// Why the file accepts it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
}

impl Finding {
    pub(super) fn new(gate: Gate, code: &str, severity: Severity, message: impl Into<String>) -> Self {
        Self {
            gate,
            code: code.to_owned(),
            severity,
            migration: None,
            location: None,
            message: message.into(),
            safer: None,
            cure: None,
            accepted: None,
        }
    }

    pub(super) fn of(mut self, migration: &MigrationId) -> Self {
        self.migration = Some(migration.clone());
        self
    }

    pub(super) fn at(mut self, location: Location) -> Self {
        self.location = Some(location);
        self
    }

    pub(super) fn cure(mut self, cure: impl Into<String>) -> Self {
        self.cure = Some(cure.into());
        self
    }
}

/// How one gate came out.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GateResult {
    /// Which.
    pub gate: Gate,
    /// The environment requires it.
    pub required: bool,
    /// It looked and found no error. `None`: it did not look.
    pub holds: Option<bool>,
    /// Why it did not look.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
}

impl GateResult {
    /// It looked and found an error, or is required and could not look. What was not asked about is no failure.
    pub(super) fn fails(&self) -> bool {
        self.holds == Some(false) || self.required && self.skipped.is_some()
    }
}

/// A relation's lock.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RelationLock {
    /// `schema.name`.
    pub relation: String,
    /// As `pg_locks` writes it: `AccessExclusiveLock`.
    pub mode: String,
}

/// What the rehearsal measured of one statement.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatementFigures {
    /// 1-based.
    pub statement: usize,
    /// 1-based line where it begins.
    pub line: usize,
    /// Wall time, milliseconds.
    pub duration_ms: f64,
    /// New or stronger locks on relations that were there before the migration. `None` where it cannot be observed: the
    /// statement runs in transactions of its own.
    pub locks: Option<Vec<RelationLock>>,
    /// Tables and materialized views whose files were written anew.
    pub rewritten: Vec<String>,
    /// Bytes of WAL that the server wrote meanwhile, other sessions' included.
    pub wal_bytes: u64,
}

/// One migration's proof, or what stands in its way.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MigrationProof {
    /// Which.
    pub migration: MigrationId,
    /// Whose.
    pub service: String,
    /// Its intent.
    pub name: String,
    /// Errors, warnings and notices, in the order of the file.
    pub findings: Vec<Finding>,
    /// What each statement will lock, rewrite and scan on the database as it is, and for how long others wait. `None` where
    /// hazards were not looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forecast: Option<lock_forecast::Assessment>,
    /// What was proven; `None` where it was not rehearsed or did not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
}

/// What all gates say of a set of migrations.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The environment that was asked about.
    pub environment: String,
    /// Every gate that is required holds.
    pub passed: bool,
    /// Gate by gate.
    pub gates: Vec<GateResult>,
    /// In the order in which they would be applied.
    pub migrations: Vec<MigrationProof>,
    /// What concerns the whole set.
    pub findings: Vec<Finding>,
    /// The rows that they were rehearsed on; `None` where the tables were as empty as the migrations make them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub with_data: Option<DataSource>,
    /// The fingerprint of the managed schemas before the first of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
    /// Wall time, milliseconds.
    pub duration_ms: u64,
}

impl Report {
    /// Every finding, of the set and of its migrations.
    pub fn all_findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().chain(self.migrations.iter().flat_map(|m| &m.findings))
    }

    /// Several databases of an environment as one: a gate holds where it holds in each.
    pub fn sum(environment: String, parts: &[Self]) -> Self {
        let gates = Gate::ALL.map(|gate| {
            let of_it: Vec<&GateResult> =
                parts.iter().flat_map(|part| &part.gates).filter(|g| g.gate == gate).collect();
            let looked: Vec<bool> = of_it.iter().filter_map(|result| result.holds).collect();
            GateResult {
                gate,
                required: of_it.iter().any(|result| result.required),
                holds: (!looked.is_empty()).then(|| looked.iter().all(|holds| *holds)),
                skipped: of_it.iter().find_map(|result| result.skipped.clone()),
            }
        });
        Self {
            environment,
            passed: parts.iter().all(|part| part.passed),
            gates: gates.to_vec(),
            migrations: parts.iter().flat_map(|part| part.migrations.clone()).collect(),
            findings: parts.iter().flat_map(|part| part.findings.clone()).collect(),
            with_data: None,
            fingerprint: None,
            duration_ms: parts.iter().map(|part| part.duration_ms).sum(),
        }
    }

    pub(super) fn has_errors(&self, gate: Gate) -> bool {
        self.all_findings().any(|f| f.gate == gate && f.severity == Severity::Error)
    }
}
