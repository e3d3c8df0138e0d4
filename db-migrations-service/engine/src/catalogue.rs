//! `config/services.toml`: the services of a project, what each owns and may reference, and its environments.

pub mod alerts;

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::Deserialize;

use crate::error::{EngineError, ErrorCode};
use crate::proof::report::Gate;
use alerts::{AlertRule, AlertSettings, Alerts};

mod backfill;
mod backup;
mod folder;
mod databases;
mod fleets;

mod releases;
mod webhooks;

pub use backfill::BackfillSettings;
pub use backup::{BackupSettings, CronExpression, Schedule};
pub use databases::{Elsewhere, Housing, MAIN, OwnDatabase};
pub use fleets::{Canary, FailureBudget, Fleet};
pub use folder::MigrationFolder;
pub use releases::ReleaseNeeds;
pub use webhooks::{WebhookEvent, Webhooks};

/// The parsed and checked catalogue. Services and environments keep the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// The project itself.
    pub project: ProjectSection,
    /// How runs wait for locks.
    #[serde(default)]
    pub run: RunSettings,
    /// Where each environment's database is. A database that services of an environment have for themselves follows it as one
    /// of its own, `<environment>/<database>`.
    pub environments: IndexMap<String, Environment>,
    /// Databases that all hold one service's schema.
    #[serde(default)]
    pub fleets: IndexMap<String, Fleet>,
    /// Cluster-wide roles that migrations name.
    #[serde(default)]
    pub roles: BTreeMap<String, SharedRole>,
    /// What is worth waking somebody for, where that differs from the defaults.
    #[serde(default)]
    pub alerts: Alerts,
    /// Services by name.
    #[serde(default)]
    pub services: IndexMap<String, Service>,
    /// Schemas of services that do not live in the database that this catalogue was narrowed to.
    #[serde(skip)]
    elsewhere: BTreeMap<String, Elsewhere>,
    /// It was narrowed to a database.
    #[serde(skip)]
    is_narrow: bool,
}

/// `[project]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProjectSection {
    /// A short name, for messages and session names.
    pub name: String,
    /// Which environment is meant when a request names none. Default: the first one.
    pub default_environment: Option<String>,
}

/// `[run]`: how long a run lets others wait, and itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunSettings {
    /// How long one statement waits for one lock before its migration is taken back and tried again, milliseconds.
    /// For so long others may queue behind it.
    pub lock_timeout_ms: u64,
    /// How often a migration is tried before the run gives up. There is no last attempt without a timeout.
    pub lock_attempts: u32,
    /// The pause after the first attempt, milliseconds; it doubles up to sixteen times that.
    pub retry_delay_ms: u64,
    /// How long a statement that blocks nobody while it waits (CREATE INDEX CONCURRENTLY) may wait, seconds.
    pub concurrent_timeout_s: u64,
    /// How long one leg of a migration's rehearsal may take, seconds.
    pub rehearsal_timeout_s: u64,
    /// For how long a migration may keep others waiting, milliseconds. A forecast beyond it is a hazard; a migration that
    /// goes beyond it is taken back and tried again.
    pub blocking_budget_ms: u64,
    /// How rows are filled batch by batch.
    pub backfill: BackfillSettings,
}

impl RunSettings {
    /// The pause after the attempt of this number, from 1, milliseconds.
    pub(crate) fn delay_after_ms(&self, attempt: u32) -> u64 {
        self.retry_delay_ms << (attempt - 1).min(4)
    }
}

impl Default for RunSettings {
    fn default() -> Self {
        Self {
            lock_timeout_ms: 1_000,
            lock_attempts: 8,
            retry_delay_ms: 500,
            concurrent_timeout_s: 900,
            rehearsal_timeout_s: 120,
            blocking_budget_ms: 1_000,
            backfill: BackfillSettings::default(),
        }
    }
}

/// `[environments.<name>]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// The variable that holds the database's URL.
    pub url_variable: Option<String>,
    /// The database's name on the private cluster, or on the server of `DATABASE_URL`.
    pub database: Option<String>,
    /// Data here is real: development seeds and resets are refused.
    #[serde(default)]
    pub protected: bool,
    /// What a run requires to hold. Default: everything where the environment is protected, else nothing.
    pub gates: Option<Vec<Gate>>,
    /// When it is backed up, and for how long backups are kept.
    #[serde(default)]
    pub backup: BackupSettings,
    /// Databases beside the main one, as they were written; empty in a catalogue that was read, which has them among its
    /// environments.
    #[serde(default)]
    pub databases: IndexMap<String, OwnDatabase>,
    /// Who lives here.
    #[serde(skip)]
    pub housing: Housing,
}

impl Environment {
    /// The gates that a run requires.
    pub fn required_gates(&self) -> Vec<Gate> {
        self.gates.clone().unwrap_or_else(|| if self.protected { Gate::ALL.to_vec() } else { Vec::new() })
    }
}

/// `[roles.<name>]`: created when missing, never dropped.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedRole {
    /// What it is for; becomes the role's comment.
    pub comment: Option<String>,
}

/// `[services.<name>]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// The schemas that it alone owns.
    #[serde(default)]
    pub schemas: Vec<String>,
    /// Schemas of other services that its migrations may reference.
    #[serde(default)]
    pub references: Vec<String>,
    /// The role its migrations run as. Default: `<first schema>_owner`.
    pub owner: Option<String>,
    /// The role the service itself signs in as. Default: `<first schema>_service`.
    pub role: Option<String>,
    /// Shared roles that its own role may take on.
    #[serde(default)]
    pub member_of: Vec<String>,
    /// The port that it listens on by default.
    pub port: Option<u16>,
    /// Where its migrations lie when they are another tool's.
    pub migrations: Option<MigrationFolder>,
    /// Which release needs which versions; a name also stands for those that begin with it, as `2.4` does for `2.4.1`.
    #[serde(default)]
    pub releases: IndexMap<String, ReleaseNeeds>,
    /// Who is told of its migrations.
    pub webhooks: Option<Webhooks>,
}

impl Service {
    /// The role its migrations run as; `None` for a service without a schema.
    pub fn owner_role(&self) -> Option<String> {
        self.owner.clone().or_else(|| self.schemas.first().map(|s| format!("{s}_owner")))
    }

    /// The role the service itself signs in as; `None` for a service without a schema.
    pub fn runtime_role(&self) -> Option<String> {
        self.role.clone().or_else(|| self.schemas.first().map(|s| format!("{s}_service")))
    }
}

impl Catalogue {
    /// Reads and checks `services.toml`. Every contradiction is reported at once.
    pub fn parse(text: &str) -> Result<Self, EngineError> {
        let catalogue: Self = toml::from_str(text).map_err(|error| {
            let (line, column) = error.span().map_or((1, 1), |span| line_column(text, span.start));
            invalid(format!("config/services.toml:{line}:{column}: {}", error.message().replace('\n', " ")))
        })?;
        let mut catalogue = catalogue.checked()?;
        databases::unfold(&mut catalogue);
        Ok(catalogue)
    }

    /// Refuses what contradicts itself, all at once.
    pub(crate) fn checked(self) -> Result<Self, EngineError> {
        let problems = self.problems();
        if problems.is_empty() {
            Ok(self)
        } else {
            Err(invalid(format!("config/services.toml: {}", problems.join("; "))))
        }
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.environments.is_empty() {
            problems.push("it has no [environments.<name>]".to_owned());
        }
        if let Some(name) = &self.project.default_environment
            && !self.environments.contains_key(name)
        {
            problems.push(format!("default_environment {name:?} is not among its environments"));
        }
        if self.run.lock_timeout_ms == 0 || self.run.lock_attempts == 0 || self.run.concurrent_timeout_s == 0 {
            problems.push(
                "[run] lock_timeout_ms, lock_attempts and concurrent_timeout_s must be above 0: no wait is unbounded"
                    .to_owned(),
            );
        }
        problems.extend(backfill::problem(&self.run.backfill));
        for (name, environment) in &self.environments {
            problems.extend(backup::problems(name, &environment.backup, |service| self.services.contains_key(service)));
        }
        let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
        for (service, entry) in &self.services {
            for schema in &entry.schemas {
                if !is_plain_name(schema) {
                    problems.push(format!("{service}: schema {schema:?} is not a plain lower-case name"));
                }
                if schema == crate::HISTORY_SCHEMA || schema.starts_with("pg_") || schema == "information_schema" {
                    problems.push(format!("{service}: schema {schema:?} is reserved"));
                }
                if let Some(other) = owners.insert(schema, service) {
                    problems.push(format!("schema {schema:?} is owned by both {other} and {service}"));
                }
            }
            for role in [entry.owner_role(), entry.runtime_role()].into_iter().flatten().chain(entry.member_of.clone())
            {
                if !is_plain_name(&role) {
                    problems.push(format!("{service}: role {role:?} is not a plain lower-case name"));
                }
            }
            if let Some(folder) = &entry.migrations {
                problems.extend(folder.problems(service, entry));
            }
            for role in &entry.member_of {
                if !self.roles.contains_key(role) {
                    problems.push(format!("{service}: member_of names {role:?}, which [roles] does not have"));
                }
            }
        }
        for (service, entry) in &self.services {
            for schema in &entry.references {
                if !owners.contains_key(schema.as_str()) {
                    problems.push(format!("{service}: references {schema:?}, which no service owns"));
                }
            }
        }
        problems.extend(databases::problems(self));
        problems.extend(fleets::problems(self));
        problems.extend(releases::problems(self));
        problems.extend(webhooks::problems(self));
        problems.extend(self.alerts.problems(&self.environments));
        problems
    }

    /// A rule as it holds for an environment, or for what belongs to none; `None` where it is off, and for an environment
    /// that there is not.
    pub fn alert(&self, rule: AlertRule, environment: Option<&str>) -> Option<AlertSettings> {
        match environment {
            Some(name) => self.alerts.settings(rule, Some((self.whole_of(name), self.environments.get(name)?))),
            None => self.alerts.settings(rule, None),
        }
    }

    /// The environment meant when none is named.
    pub fn default_environment(&self) -> &str {
        self.project
            .default_environment
            .as_deref()
            .or_else(|| self.environments.keys().next().map(String::as_str))
            .unwrap_or("default")
    }

    /// Looks an environment up by name.
    pub fn environment(&self, name: &str) -> Result<&Environment, EngineError> {
        self.environments.get(name).ok_or_else(|| {
            EngineError::new(ErrorCode::UnknownEnvironment, format!("there is no environment {name:?}"))
                .cure(format!("use one of: {}", join(self.environments.keys())))
        })
    }

    /// Looks a service up by name.
    pub fn service(&self, name: &str) -> Result<&Service, EngineError> {
        self.services.get(name).ok_or_else(|| {
            EngineError::new(ErrorCode::UnknownService, format!("there is no service {name:?}"))
                .cure(format!("use one of: {}", join(self.services.keys())))
        })
    }

    /// The service that owns `schema`.
    pub fn owner_of(&self, schema: &str) -> Option<(&str, &Service)> {
        self.services.iter().find(|(_, s)| s.schemas.iter().any(|x| x == schema)).map(|(name, s)| (name.as_str(), s))
    }
}

fn join<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn invalid(message: String) -> EngineError {
    EngineError::new(ErrorCode::CatalogueInvalid, message).cure("correct the catalogue; nothing was run")
}

/// Names that become roles and schemas are kept to what needs no quoting, so that people can type them.
fn is_plain_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_lowercase() || b == b'_')
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && name.len() <= 63
}

fn line_column(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..offset.min(text.len())];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    (line, column)
}
