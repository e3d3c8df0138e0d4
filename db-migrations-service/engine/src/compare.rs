//! Files against history: the state of every migration.

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{EngineError, ErrorCode};
use crate::migration::{MigrationId, Version};
use crate::project::Project;
use crate::status::{BackfillStatus, MigrationState, MigrationStatus, ServiceStatus};
use crate::target::store::{self, Direction, State};

/// The state of each file of the project, in the project's order, and the applied migrations without a file.
#[derive(Debug)]
pub(crate) struct Comparison {
    pub files: Vec<MigrationState>,
    /// Which of them a run would run.
    pub open: Vec<bool>,
    pub missing: Vec<MigrationId>,
}

impl Comparison {
    /// Whether there is anything to run.
    pub(crate) fn has_open(&self) -> bool {
        self.open.contains(&true)
    }
}

/// SHA-256 over the bytes of every up file. Runs on a thread of its own beside the connecting.
pub(crate) async fn hash_files(project: &Arc<Project>) -> Result<Vec<String>, EngineError> {
    if let Some(known) = project.known_hashes() {
        return Ok(known);
    }
    let project = Arc::clone(project);
    let hashing = tokio::task::spawn_blocking(move || {
        let hash = |m| project.up_bytes(m).map(|bytes| sql_grammar::sha256_hex(&bytes));
        let hashes = project.migrations().iter().map(hash).collect::<Result<Vec<_>, EngineError>>()?;
        project.keep_hashes(&hashes);
        Ok(hashes)
    });
    hashing.await.map_err(|error| EngineError::new(ErrorCode::Internal, format!("hashing the files: {error}")))?
}

/// The newest applied version of each schema.
pub(crate) fn newest_applied(state: &State) -> HashMap<&str, Version> {
    let mut newest: HashMap<&str, Version> = HashMap::new();
    for id in state.applied.keys() {
        let known = newest.entry(&id.schema).or_insert(id.version);
        *known = (*known).max(id.version);
    }
    newest
}

pub(crate) fn compare(project: &Project, hashes: &[String], state: &State) -> Result<Comparison, EngineError> {
    let newest = newest_applied(state);
    let mut files = Vec::with_capacity(hashes.len());
    for (migration, hash) in project.migrations().iter().zip(hashes) {
        let id = &migration.id;
        files.push(match state.applied.get(id) {
            // Half taken back: another rollback goes on from there.
            Some(_) if state.journal.contains_key(&(id.clone(), Direction::Down)) => MigrationState::Interrupted,
            Some(applied) if applied.file_hash == *hash => MigrationState::Applied,
            // The bytes differ: a comment or a line ending, or more?
            Some(applied) if sql_grammar::checksum(&project.up_sql(migration)?) == applied.checksum => {
                MigrationState::Applied
            }
            Some(_) => MigrationState::Edited,
            None if state.is_interrupted(id) => MigrationState::Interrupted,
            None if state.failures.contains_key(id) => MigrationState::Failed,
            None if newest.get(id.schema.as_str()).is_some_and(|newest| id.version < *newest) => MigrationState::Late,
            None => MigrationState::Pending,
        });
    }
    let known: std::collections::HashSet<&MigrationId> = project.migrations().iter().map(|m| &m.id).collect();
    // What its service left behind when it moved to a database of its own has its files there.
    let lacks_file = |id: &&MigrationId| !known.contains(id) && project.catalogue.elsewhere(&id.schema).is_none();
    let mut missing: Vec<MigrationId> = state.applied.keys().filter(lacks_file).cloned().collect();
    missing.sort();
    let open = project.migrations().iter().map(|m| !state.applied.contains_key(&m.id)).collect();
    Ok(Comparison { files, open, missing })
}

/// Refuses when an applied migration in scope says something else now.
pub(crate) fn refuse_edited(
    project: &Project,
    comparison: &Comparison,
    in_scope: impl Fn(&str) -> bool,
) -> Result<(), EngineError> {
    let edited: Vec<MigrationId> = project
        .migrations()
        .iter()
        .zip(&comparison.files)
        .filter(|(m, state)| **state == MigrationState::Edited && in_scope(&m.service))
        .map(|(m, _)| m.id.clone())
        .collect();
    let Some(first) = edited.first() else { return Ok(()) };
    let names: Vec<String> = edited.iter().map(ToString::to_string).collect();
    let mut error = EngineError::new(
        ErrorCode::Edited,
        format!("edited after it was applied: {}", names.join(", ")),
    )
    .cure(format!(
        "restore the file and write a new migration instead; or, when the target is right as it is, `profe migrate repair bless {first} --reason …`"
    ))
    .migration(first);
    error.related = edited;
    Err(error)
}

/// Refuses while a migration in scope is half taken back: nobody may build on what is neither there nor gone.
pub(crate) fn refuse_half_rolled_back(
    project: &Project,
    state: &State,
    in_scope: impl Fn(&str) -> bool,
) -> Result<(), EngineError> {
    let is_half = |id: &MigrationId| state.journal.contains_key(&(id.clone(), Direction::Down));
    let half = project.migrations().iter().filter(|m| is_half(&m.id) && in_scope(&m.service));
    let half: Vec<MigrationId> = half.map(|m| m.id.clone()).collect();
    let Some(first) = half.first() else { return Ok(()) };
    let names: Vec<String> = half.iter().map(ToString::to_string).collect();
    let mut error = EngineError::new(
        ErrorCode::HalfRolledBack,
        format!("a rollback stopped in the middle of {}", names.join(", ")),
    )
    .cure(format!("finish it: `profe migrate rollback --migration {first}`; then run again"))
    .migration(first);
    error.related = half;
    Err(error)
}

/// The comparison by service, for people and programs.
pub(crate) fn by_service(project: &Project, comparison: &Comparison, state: &State) -> Vec<ServiceStatus> {
    let mut rows: HashMap<&str, Vec<MigrationStatus>> = HashMap::new();
    for (migration, file_state) in project.migrations().iter().zip(&comparison.files) {
        let applied = state.applied.get(&migration.id);
        rows.entry(&migration.service).or_default().push(MigrationStatus {
            migration: migration.id.clone(),
            service: migration.service.clone(),
            name: migration.name.clone(),
            state: *file_state,
            applied_at: applied.and_then(|a| store::time_of(&a.since)),
            error: state.failures.get(&migration.id).and_then(|json| serde_json::from_str(json).ok()),
            backfills: backfills(state, &migration.id),
        });
    }
    for id in &comparison.missing {
        let Some(applied) = state.applied.get(id) else { continue };
        rows.entry(&applied.service).or_default().push(MigrationStatus {
            migration: id.clone(),
            service: applied.service.clone(),
            name: applied.name.clone(),
            state: MigrationState::Missing,
            applied_at: store::time_of(&applied.since),
            error: None,
            backfills: backfills(state, id),
        });
    }
    project
        .catalogue
        .services
        .iter()
        .map(|(name, service)| {
            let mut migrations = rows.remove(name.as_str()).unwrap_or_default();
            migrations.sort_by(|a, b| {
                let place = |id: &MigrationId| service.schemas.iter().position(|s| *s == id.schema);
                (place(&a.migration), &a.migration).cmp(&(place(&b.migration), &b.migration))
            });
            ServiceStatus { name: name.clone(), schemas: service.schemas.clone(), migrations }
        })
        .collect()
}

fn backfills(state: &State, id: &MigrationId) -> Vec<BackfillStatus> {
    let own = state.backfills.values().filter(|begun| begun.id == *id);
    own.map(|begun| BackfillStatus {
        statement: begun.statement + 1,
        relation: begun.relation.clone(),
        rows_done: begun.rows_done,
        rows_estimated: begun.rows_estimated.max(begun.rows_done),
        rows_per_second: begun.rows_per_second,
        batches: begun.batches,
        is_filled: begun.is_filled,
        waits_for: begun.waits_for.clone(),
        begun_at: time_of(begun.since_us),
        at: time_of(begun.at_us),
    })
    .collect()
}

pub(crate) fn time_of(microseconds: i64) -> Option<time::OffsetDateTime> {
    time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(microseconds) * 1_000).ok()
}
