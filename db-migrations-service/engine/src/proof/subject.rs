//! A migration as the gates see it: both files, read as far as they can be.

use super::rehearse::Walked;
use super::report::{Finding, Gate, MigrationProof, Severity};
use crate::error::EngineError;
use crate::migration::MigrationId;
use crate::project::{Migration, Project, Script};
use crate::run::steps::Text;

/// One migration with its files.
pub(super) struct Subject {
    pub id: MigrationId,
    pub service: String,
    pub name: String,
    pub up: Script,
    pub down: Script,
    /// SHA-256 of the files.
    pub up_hash: String,
    pub down_hash: String,
}

impl Subject {
    /// Reads the files of `order`. What keeps some from being read is the first gate's finding.
    pub(super) fn read_all(project: &Project, order: &[MigrationId]) -> (Vec<Self>, Vec<Finding>) {
        let (mut subjects, mut unreadable) = (Vec::new(), Vec::new());
        for migration in order.iter().filter_map(|id| project.migration(id)) {
            match Self::read(project, migration) {
                Ok(subject) => subjects.push(subject),
                Err(found) => unreadable.extend(found),
            }
        }
        (subjects, unreadable)
    }

    fn read(project: &Project, migration: &Migration) -> Result<Self, Vec<Finding>> {
        let schema = &migration.id.schema;
        let read = |path: &str, sql: Result<String, EngineError>| Script::parse(path, sql?, schema);
        let up = read(&migration.up, project.up_sql(migration));
        let down = read(&migration.down, project.down_sql(migration));
        match (up, down) {
            (Ok(up), Ok(down)) => Ok(Self {
                up_hash: project.up_hash(migration, &up.sql).map_err(|error| vec![unread(&error).of(&migration.id)])?,
                id: migration.id.clone(),
                service: migration.service.clone(),
                name: migration.name.clone(),
                down_hash: sql_grammar::sha256_hex(down.sql.as_bytes()),
                up,
                down,
            }),
            (up, down) => {
                let errors = up.err().into_iter().chain(down.err());
                Err(errors.map(|error| unread(&error).of(&migration.id)).collect())
            }
        }
    }

    /// Its place in a report, before any gate has looked.
    pub(super) fn unproven(&self) -> MigrationProof {
        MigrationProof {
            migration: self.id.clone(),
            service: self.service.clone(),
            name: self.name.clone(),
            findings: Vec::new(),
            forecast: None,
            certificate: None,
        }
    }

    /// As the rehearsal walks it.
    pub(super) fn walked(&self, owner: &str) -> Walked {
        Walked {
            id: self.id.clone(),
            service: self.service.clone(),
            name: self.name.clone(),
            owner: owner.to_owned(),
            up: Text::from(self.up.clone()),
            down: Text::from(self.down.clone()),
            up_sql: self.up.sql.clone(),
            down_sql: self.down.sql.clone(),
            up_transactional: self.up.is_transactional(),
            down_transactional: self.down.is_transactional(),
            up_sets_session: self.up.sets_session(),
            down_sets_session: self.down.sets_session(),
            irreversible: self.down.directives.irreversible.is_some(),
        }
    }
}

/// A refusal of the planner or the parser as a finding of the first gate.
pub(super) fn unread(error: &EngineError) -> Finding {
    let code = serde_json::to_value(error.code).ok().and_then(|v| v.as_str().map(|s| s.replace('_', "-")));
    let mut finding = Finding::new(Gate::Parses, &code.unwrap_or_default(), Severity::Error, error.message.clone());
    finding.migration.clone_from(&error.migration);
    finding.location.clone_from(&error.location);
    finding.cure.clone_from(&error.cure);
    finding
}
