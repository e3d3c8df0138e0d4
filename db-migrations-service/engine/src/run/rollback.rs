//! What a rollback would take back, and what stands in its way. It reads the history, not the files: what was applied
//! brings its own way back, and a file that has vanished strands nobody.

use std::collections::BTreeSet;

use postgres_link::AdminConn;
use sql_grammar::{ObjectKind, ObjectName, QualifiedName};
use uuid::Uuid;

use super::backfill::sql;
use super::execute::{Origin, PreparedRun, Work};
use crate::catalogue::Catalogue;
use crate::error::{EngineError, ErrorCode};
use crate::migration::{MigrationId, Version};
use crate::plan::{Plan, PlannedMigration};
use crate::planning::in_scope;
use crate::project::Script;
use crate::request::{AppliedRow, RollbackRequest, RollbackTo};
use crate::target::session::own_statement;
use crate::target::store::{self, Direction, State};

/// An applied migration with what it did.
struct Entry {
    row: i64,
    id: MigrationId,
    service: String,
    name: String,
    down_sql: String,
    up_sql: String,
    /// It is not done: its backfill is under way, or its contract is held.
    is_begun: bool,
}

impl Entry {
    /// What it did, read.
    fn up(&self) -> Result<Script, EngineError> {
        let origin = if self.is_begun { "its journal" } else { "the history" };
        Script::parse(&format!("{} (up SQL from {origin})", self.id), self.up_sql.clone(), &self.id.schema)
    }
}

/// What the errors of a rollback call the SQL.
pub(crate) fn file(origin: &Origin, id: &MigrationId) -> String {
    match origin {
        Origin::Begun { .. } => format!("{id} (down SQL from its journal)"),
        _ => format!("{id} (down SQL from the history)"),
    }
}

/// Migrations whose backfill is under way, as if they were the newest of the history. Their way back is that of their expand
/// part, where the down file tells it apart, and the end of their triggers.
fn begun(state: &State) -> Result<Vec<Entry>, EngineError> {
    let mut all: Vec<_> = state.begun().collect();
    all.sort_by_key(|begun| (begun.since_us, begun.id.clone(), begun.statement));
    let mut entries: Vec<Entry> = Vec::new();
    for begun in all {
        let drops = format!("\n;{}", sql::drop_sync_of(&begun.id, begun.statement));
        if let Some(entry) = entries.iter_mut().find(|entry| entry.id == begun.id) {
            entry.down_sql.push_str(&drops);
            continue;
        }
        let down = Script::parse(
            &format!("{} (down SQL from its journal)", begun.id),
            begun.down_sql.clone(),
            &begun.id.schema,
        )?;
        let own = down.parts.as_ref().map_or_else(|| begun.down_sql.as_str().into(), |p| p.of_expand(&begun.down_sql));
        entries.push(Entry {
            // After everything that is applied.
            row: i64::MAX - 1_000_000 + entries.len() as i64,
            id: begun.id.clone(),
            service: begun.service.clone(),
            name: begun.name.clone(),
            down_sql: if down.statements.is_empty() { own.into_owned() } else { format!("{own}{drops}") },
            up_sql: begun.up_sql.clone(),
            is_begun: true,
        });
    }
    Ok(entries)
}

/// Plans the rollback; refused, with the list, while something applied depends on it.
pub(crate) async fn plan(
    conn: &AdminConn,
    catalogue: &Catalogue,
    state: &State,
    request: &RollbackRequest,
) -> Result<(Plan, Vec<Work>), EngineError> {
    let begun = begun(state)?;
    let chosen = choose(catalogue, state, &begun, request)?;
    let Some(oldest) = chosen.iter().map(|(row, _)| *row).min() else { return Ok((Plan::default(), Vec::new())) };
    let wanted: BTreeSet<i64> = chosen.iter().map(|(row, _)| *row).collect();
    let mut rows = read(conn, oldest).await?;
    rows.extend(begun);
    refuse_dependents(&rows, &wanted)?;
    let mut plan = Plan::default();
    let mut work = Vec::new();
    // Newest first: the order of the history is an order in which everything fitted.
    for row in rows.iter().rev().filter(|row| wanted.contains(&row.row)) {
        let origin = |owner: &str| {
            let (owner, down_sql) = (owner.to_owned(), row.down_sql.clone());
            if row.is_begun {
                Origin::Begun { owner, down_sql }
            } else {
                Origin::History { row: row.row, owner, down_sql }
            }
        };
        let down = Script::parse(&file(&origin(""), &row.id), row.down_sql.clone(), &row.id.schema)?;
        if let Some(why) = &down.directives.irreversible {
            return Err(EngineError::new(
                ErrorCode::Irreversible,
                format!("{} is declared irreversible: {why}", row.id),
            )
            .cure("restore a backup made before it, or write a new migration that undoes what it did")
            .migration(&row.id));
        }
        let owner = catalogue
            .services
            .get(&row.service)
            .or_else(|| catalogue.owner_of(&row.id.schema).map(|(_, s)| s))
            .and_then(crate::catalogue::Service::owner_role)
            .ok_or_else(|| {
                EngineError::new(
                    ErrorCode::UnknownService,
                    format!("{} belongs to {}, which the catalogue no longer has", row.id, row.service),
                )
                .cure("put the service back into config/services.toml to roll it back")
                .migration(&row.id)
            })?;
        let journal = state.journal.get(&(row.id.clone(), Direction::Down)).cloned().unwrap_or_default();
        plan.migrations.push(PlannedMigration {
            migration: row.id.clone(),
            service: row.service.clone(),
            name: row.name.clone(),
            statements: down.statements.len(),
            transactional: down.is_transactional(),
            late: false,
            prerequisite: false,
            resume_after: journal.values().filter(|entry| entry.done).count(),
            waits_for: Vec::new(),
            contract_of: Vec::new(),
            fills: down.fills().iter().map(ToString::to_string).collect(),
            needs_elsewhere: Vec::new(),
            sql: Some(row.down_sql.clone()),
            sets_session: down.sets_session(),
            cuts: down.cuts(),
        });
        work.push(Work { origin: origin(&owner), has_leftovers: state.has_leftovers(&row.id), journal });
    }
    Ok((plan, work))
}

/// The history rows that the request means.
fn choose(
    catalogue: &Catalogue,
    state: &State,
    begun: &[Entry],
    request: &RollbackRequest,
) -> Result<Vec<(i64, MigrationId)>, EngineError> {
    if let crate::request::Scope::Service(name) = &request.scope {
        catalogue.service(name)?;
    }
    let mut applied: Vec<(i64, MigrationId)> = state
        .applied
        .iter()
        .filter(|(_, a)| in_scope(&request.scope, &a.service))
        .map(|(id, a)| (a.row, id.clone()))
        .collect();
    applied.extend(begun.iter().filter(|b| in_scope(&request.scope, &b.service)).map(|b| (b.row, b.id.clone())));
    applied.sort_by_key(|(row, _)| std::cmp::Reverse(*row));
    match &request.to {
        RollbackTo::Steps(n) => applied.truncate(*n),
        RollbackTo::Version(version) => {
            let known = version.get() == 0 || applied.iter().any(|(_, id)| id.version == *version);
            if !known {
                return Err(unknown(&format!("version {version} is not applied here")));
            }
            applied.retain(|(_, id)| id.version > *version);
        }
        RollbackTo::Migration(wanted) => {
            applied.retain(|(_, id)| id == wanted);
            if applied.is_empty() {
                return Err(unknown(&format!("{wanted} is not applied here")).migration(wanted));
            }
        }
        RollbackTo::Rows(rows) => {
            for wanted in rows {
                let now = state.applied.get(&wanted.migration).map(|applied| applied.row);
                if now.is_some() && now != wanted.row {
                    return Err(applied_again(&wanted.migration));
                }
            }
            applied.retain(|(_, id)| rows.iter().any(|wanted| wanted.migration == *id));
        }
        // Whoever prepares a run has taken off what it did before; a plan is of nobody's run.
        RollbackTo::Resumed(to) => {
            let request = RollbackRequest { to: (**to).clone(), ..request.clone() };
            return choose(catalogue, state, begun, &request);
        }
    }
    Ok(applied)
}

fn applied_again(id: &MigrationId) -> EngineError {
    EngineError::new(ErrorCode::UnknownMigration, format!("{id} was applied again since the rollback was asked for"))
        .cure("nothing was taken back; look at the plan of a rollback (`--dry-run`), and ask for it anew")
        .migration(id)
}

/// What the request means to a run that goes on with it: less what this run has taken back already. Whoever asks holds the lock,
/// so that nothing of an earlier process can follow.
pub(crate) async fn less_what_is_done(
    conn: &AdminConn,
    request: RollbackRequest,
    run_id: Uuid,
) -> Result<RollbackRequest, EngineError> {
    let RollbackTo::Resumed(to) = &request.to else { return Ok(request) };
    let done = taken_back_by(conn, run_id).await?;
    let to = match &**to {
        RollbackTo::Steps(steps) => RollbackTo::Steps(steps.saturating_sub(done.len())),
        RollbackTo::Migration(id) if done.contains(id) => RollbackTo::Steps(0),
        to => to.clone(),
    };
    Ok(RollbackRequest { to, ..request })
}

async fn taken_back_by(conn: &AdminConn, run_id: Uuid) -> Result<Vec<MigrationId>, EngineError> {
    let query =
        format!("SELECT schema_name, version FROM migration_service.history WHERE rollback_run_id = '{run_id}'");
    let outcome = match conn.batch(&query).await {
        Ok(outcome) => outcome,
        Err(error) if matches!(error.sqlstate(), Some("42P01" | "3F000")) => return Ok(Vec::new()),
        Err(error) => return Err(own_statement(&error, "reading what the run has taken back")),
    };
    let rows = outcome.statements.into_iter().flat_map(|statement| statement.rows);
    rows.map(|row| {
        let [schema, version] = store::cells(row)?;
        store::migration_id(schema, &version)
    })
    .collect()
}

impl PreparedRun {
    /// What a rollback takes back, as rows of the history: what another process needs to know to go on with it.
    pub fn rows(&self) -> Vec<AppliedRow> {
        let rows = self.work.iter().map(|work| match work.origin {
            Origin::History { row, .. } => Some(row),
            Origin::File { .. } | Origin::Begun { .. } => None,
        });
        let planned = self.plan.migrations.iter().map(|planned| planned.migration.clone());
        planned.zip(rows).map(|(migration, row)| AppliedRow { migration, row }).collect()
    }
}

fn unknown(message: &str) -> EngineError {
    EngineError::new(ErrorCode::UnknownMigration, message).cure("`profe migrate history` lists what is applied")
}

/// Everything applied since the row `oldest`, in the order in which it was applied.
async fn read(conn: &AdminConn, oldest: i64) -> Result<Vec<Entry>, EngineError> {
    let query = format!(
        "SELECT id, schema_name, version, service, name, up_sql, down_sql FROM migration_service.history \
         WHERE rolled_back_at IS NULL AND id >= {oldest} ORDER BY id"
    );
    let outcome = conn.batch(&query).await.map_err(|e| own_statement(&e, "reading the history"))?;
    let rows = outcome.statements.into_iter().flat_map(|s| s.rows);
    rows.map(|row| {
        let [row, schema, version, service, name, up_sql, down_sql] = store::cells(row)?;
        let id = MigrationId::new(schema, Version::from_stored(store::number(&version)?));
        Ok(Entry { row: store::number(&row)?, id, service, name, down_sql, up_sql, is_begun: false })
    })
    .collect()
}

fn refuse_dependents(rows: &[Entry], wanted: &BTreeSet<i64>) -> Result<(), EngineError> {
    let goes = |row: &Entry| wanted.contains(&row.row);
    // Most rollbacks take all of the newest back: nothing stays that could depend on it, and nothing need be parsed.
    let Some(newest_left) = rows.iter().rposition(|row| !goes(row)) else { return Ok(()) };
    let rows = rows[..=newest_left].iter().map(|row| Ok((row, row.up()?))).collect::<Result<Vec<_>, EngineError>>()?;
    let mut dependents: Vec<(MigrationId, String)> = Vec::new();
    for (at, (gone, up)) in rows.iter().enumerate().filter(|(_, (row, _))| goes(row)) {
        let made: BTreeSet<ObjectName> = up.statements.iter().flat_map(|(_, f)| f.creates.iter().cloned()).collect();
        for (later, up) in rows[at + 1..].iter().filter(|(row, _)| !goes(row)) {
            if !dependents.iter().any(|(id, _)| *id == later.id)
                && let Some(why) = why_depends(up, &gone.id, &made)
            {
                dependents.push((later.id.clone(), why));
            }
        }
    }
    if dependents.is_empty() {
        return Ok(());
    }
    let reasons: Vec<String> = dependents.iter().map(|(id, why)| format!("{id} ({why})")).collect();
    let mut error = EngineError::new(
        ErrorCode::HasDependents,
        format!("still applied and depending on it: {}", reasons.join(", ")),
    )
    .cure("roll these back first, or all together: with a number of steps, or to a version");
    error.related = dependents.into_iter().map(|(id, _)| id).collect();
    Err(error)
}

/// Why what `later` did cannot stand without `gone`, which made `made`.
fn why_depends(later: &Script, gone: &MigrationId, made: &BTreeSet<ObjectName>) -> Option<String> {
    if later.directives.requires.contains(gone) {
        return Some(format!("requires {gone}"));
    }
    later.statements.iter().find_map(|(_, facts)| {
        let used = facts.references.iter().map(|r| &r.object).chain(&facts.alters).chain(&facts.drops);
        used.clone()
            .find(|object| made.contains(object))
            .or_else(|| made.iter().find(|object| uses_column(facts, object)))
            .map(|object| format!("uses {}", object.name))
            .or_else(|| facts.mentions.iter().find(|name| mentions(made, name)).map(|name| format!("mentions {name}")))
    })
}

/// A column that `gone` added, used by name in a statement about its table.
fn uses_column(facts: &sql_grammar::Facts, object: &ObjectName) -> bool {
    if object.kind != ObjectKind::Column {
        return false;
    }
    let Some((table, column)) = object.name.name.rsplit_once('.') else { return false };
    let about =
        |o: &ObjectName| o.kind == ObjectKind::Relation && o.name.schema == object.name.schema && o.name.name == table;
    facts.columns.contains(column)
        && (facts.references.iter().any(|r| about(&r.object)) || facts.alters.iter().any(about))
}

fn mentions(made: &BTreeSet<ObjectName>, name: &QualifiedName) -> bool {
    made.iter().any(|object| object.kind != ObjectKind::Column && object.name == *name)
}
