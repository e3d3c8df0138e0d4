//! The adoption itself: one transaction that prepares the target, holds it against the replay, makes owners and grants
//! those of the catalogue, writes the history, looks again, and only then commits.

use std::collections::{BTreeMap, BTreeSet};

use postgres_link::AdminConn;
use schema_catalog::{Difference, Kind, Snapshot, difference};

use super::theirs::Theirs;
use super::{AdoptedMigration, AdoptionReport, Subject};
use crate::audit;
use crate::error::{EngineError, ErrorCode};
use crate::migration::MigrationId;
use crate::proof::adoption::{self, Replayed, managed};
use crate::proof::drift::adopt::{is_of_rights, rights};
use crate::request::RunContext;
use crate::target::prepare;
use crate::target::quote::literal;
use crate::target::session::{classify, own_statement};
use crate::target::store::State;

/// So many differences are told one by one.
const TOLD: usize = 50;
/// Rows of one message.
const ROWS: usize = 100;

pub(super) async fn record(
    conn: &AdminConn,
    subject: &Subject<'_>,
    state: &State,
    theirs: &Theirs,
    report: &mut AdoptionReport,
    replayed: &Replayed,
    context: &RunContext,
) -> Result<(), EngineError> {
    let catalogue = &subject.project.catalogue;
    audit::mark(conn, context.run_id, audit::Telling::Engine).await;
    let timeout = catalogue.run.lock_timeout_ms;
    send(conn, &format!("BEGIN; SET LOCAL lock_timeout = {timeout}")).await?;
    if !state.is_prepared_for(catalogue) {
        prepare::prepare_inside(conn, catalogue, state.installed, state.catalogue.is_some()).await?;
    }
    report.aligned = align(conn, subject, replayed).await?;
    send(conn, &format!("SET LOCAL lock_timeout = {timeout}")).await?;
    let late = late(state, &report.adopted);
    for (rows, late) in report.adopted.chunks(ROWS).zip(late.chunks(ROWS)) {
        send(conn, &insert(subject, rows, late, context)?).await?;
    }
    let ids: Vec<MigrationId> = report.adopted.iter().map(|one| one.migration.clone()).collect();
    let from = format!(
        "adopted from {}, {}/{}",
        subject.folder.layout,
        subject.folder.path,
        theirs.table.as_ref().map_or_else(|| ", by a baseline".to_owned(), |table| format!(", history {table}"))
    );
    let told = audit::tell_adoption(conn, state.audit.as_deref(), context.run_id, (&from, &ids, &report.aligned));
    if !told.is_empty() {
        send(conn, &told).await?;
    }
    // What is committed is what was proven, owners and grants included.
    let after = look(conn, subject).await?;
    let left = within(difference(&after, &replayed.snapshot), subject);
    if !left.is_empty() {
        return Err(differs(subject, &left));
    }
    report.fingerprint = Some(after.fingerprint_of(&subject.service.schemas));
    send(conn, if report.dry_run { "ROLLBACK" } else { "COMMIT" }).await
}

/// Makes owners and grants those of the replay; answers how. Whoever becomes the owner brings the grants that they had into
/// its own, so what is granted is looked at after that.
async fn align(conn: &AdminConn, subject: &Subject<'_>, replayed: &Replayed) -> Result<Vec<String>, EngineError> {
    let timeout = subject.project.catalogue.run.lock_timeout_ms;
    let mut aligned = Vec::new();
    for owners in [true, false] {
        let live = look(conn, subject).await?;
        let found = within(difference(&live, &replayed.snapshot), subject);
        let (ours, others): (Vec<Difference>, Vec<Difference>) = found.into_iter().partition(|d| is_ours(d, subject));
        if !others.is_empty() {
            return Err(differs(subject, &others));
        }
        let now: Vec<Difference> = ours.into_iter().filter(|d| !owners || d.property == "owner").collect();
        if now.is_empty() {
            continue;
        }
        refuse_loss(conn, subject, &now).await?;
        let statements = rights(&now, (&replayed.snapshot, replayed.conn())).await?;
        send(conn, &format!("SET LOCAL lock_timeout = {timeout};{}", statements.join(";\n"))).await?;
        aligned.extend(statements);
    }
    Ok(aligned)
}

async fn send(conn: &AdminConn, message: &str) -> Result<(), EngineError> {
    let Err(error) = conn.batch(message).await else { return Ok(()) };
    match error.sql_error() {
        Some(sql) if sql.is_lock_not_available() => {
            let mut refused = classify(sql, format!("adopting: {}", sql.message));
            refused.code = ErrorCode::LockTimeout;
            refused.cure =
                Some("end the sessions in the way, or adopt at a quieter hour; nothing was changed".to_owned());
            Err(refused)
        }
        _ => Err(own_statement(&error, "adopting")),
    }
}

async fn look(conn: &AdminConn, subject: &Subject<'_>) -> Result<Snapshot, EngineError> {
    Snapshot::read_within(conn, &managed(subject.project)).await.map_err(|error| {
        EngineError::new(ErrorCode::Internal, format!("taking the schema's fingerprint: {error}"))
            .cure("see that nobody changes the schema meanwhile, then try again")
    })
}

pub(super) fn within(mut differences: Vec<Difference>, subject: &Subject<'_>) -> Vec<Difference> {
    let schemas = &subject.service.schemas;
    differences.retain(|d| d.object.schema.as_ref().is_some_and(|schema| schemas.contains(schema)));
    differences
}

/// Owners, and what the catalogue's own roles and everybody may do: it follows from who owns, and is brought in line. What
/// others were granted by hand is nobody's to take away in passing.
fn is_ours(difference: &Difference, subject: &Subject<'_>) -> bool {
    if !is_of_rights(difference) || difference.object.kind == Kind::DefaultPrivileges {
        return false;
    }
    let Some(grantee) = difference.property.strip_prefix("grant ") else { return true };
    let catalogue = &subject.project.catalogue;
    let of_services = catalogue.services.values().flat_map(|s| [s.owner_role(), s.runtime_role()]).flatten();
    let known: BTreeSet<String> = of_services.chain(["its owner".to_owned(), "PUBLIC".to_owned()]).collect();
    known.contains(grantee.trim_matches('"'))
}

/// Whoever owned the objects may have been using them: they must keep what they need.
async fn refuse_loss(conn: &AdminConn, subject: &Subject<'_>, ours: &[Difference]) -> Result<(), EngineError> {
    let mut before: BTreeMap<&str, usize> = BTreeMap::new();
    for owner in ours.iter().filter(|d| d.property == "owner").filter_map(|d| d.before.as_deref()) {
        *before.entry(owner).or_default() += 1;
    }
    if before.is_empty() {
        return Ok(());
    }
    let (owner, runtime) =
        (subject.service.owner_role().unwrap_or_default(), subject.service.runtime_role().unwrap_or_default());
    let names: Vec<String> = before.keys().map(|name| literal(name)).collect();
    let query = format!(
        "SELECT rolname FROM pg_catalog.pg_roles WHERE rolname IN ({}) AND rolcanlogin AND NOT rolsuper AND rolname <> {} \
         AND NOT pg_catalog.pg_has_role(rolname, {}, 'USAGE') ORDER BY 1",
        names.join(", "),
        literal(&runtime),
        literal(&owner),
    );
    let outcome = conn.batch(&query).await.map_err(|e| own_statement(&e, "looking at who owns the objects"))?;
    let Some(role) = outcome.value(0, 0) else { return Ok(()) };
    let count = before.get(role).copied().unwrap_or_default();
    let service = subject.service_name;
    Err(EngineError::new(
        ErrorCode::NotAdoptable,
        format!("{role} owns {count} of the objects and could not use them once they belong to {owner}"),
    )
    .cure(format!(
        "in config/services.toml, under [services.{service}]: role = {role:?} where the service signs in by it, or owner = {role:?} where only migrations do"
    )))
}

/// The refusal, with what differs in words: what the files make → what is there.
fn differs(subject: &Subject<'_>, differences: &[Difference]) -> EngineError {
    let count = match differences.len() {
        1 => "1 difference".to_owned(),
        n => format!("{n} differences"),
    };
    let mut error = EngineError::new(
        ErrorCode::SchemaDiffers,
        format!("the files of {} do not make the live schema: {count}", subject.folder.path),
    )
    .cure(
        "undo on the database what its files do not make, or write a migration of its tool that makes it and have that applied, then adopt again; nothing was changed",
    );
    let words = differences.iter().take(TOLD).map(|difference| {
        let told =
            Difference { before: difference.after.clone(), after: difference.before.clone(), ..difference.clone() };
        adoption::differs(format!("files → live: {told}"))
    });
    error.findings = words.collect();
    error
}

/// Which of them come after a newer one of their schema.
fn late(state: &State, rows: &[AdoptedMigration]) -> Vec<bool> {
    let schema = rows.first().map(|row| &row.migration.schema);
    let mut newest = state.applied.keys().filter(|id| Some(&id.schema) == schema).map(|id| id.version).max();
    let is_late = |row: &AdoptedMigration| {
        let version = Some(row.migration.version);
        let late = version < newest;
        newest = newest.max(version);
        late
    };
    rows.iter().map(is_late).collect()
}

/// The statement that writes history rows, with the tool's own times.
fn insert(
    subject: &Subject<'_>,
    rows: &[AdoptedMigration],
    late: &[bool],
    context: &RunContext,
) -> Result<String, EngineError> {
    let project = subject.project;
    let values = rows.iter().zip(late).map(|(row, late)| {
        let missing = || EngineError::new(ErrorCode::Internal, format!("{} is gone", row.migration));
        let migration = project.migration(&row.migration).ok_or_else(missing)?;
        let (up_sql, down_sql) = (project.up_sql(migration)?, project.down_sql(migration)?);
        let at = row.applied_at.map_or_else(
            || "pg_catalog.clock_timestamp()".to_owned(),
            |at| {
                format!("timestamptz '1970-01-01Z' + {} * interval '1 microsecond'", at.unix_timestamp_nanos() / 1_000)
            },
        );
        Ok(format!(
            "({}, {}, {}, {}, {}, {}, {}, {}, {late}, {at}, {}, 0, '{}')",
            literal(&migration.service),
            literal(&row.migration.schema),
            row.migration.version,
            literal(&row.name),
            literal(&sql_grammar::checksum(&up_sql)),
            literal(&project.up_hash(migration, &up_sql)?),
            literal(&up_sql),
            literal(&down_sql),
            literal(&row.applied_by),
            context.run_id,
        ))
    });
    let values = values.collect::<Result<Vec<_>, EngineError>>()?;
    Ok(format!(
        "INSERT INTO migration_service.history (service, schema_name, version, name, checksum, file_hash, up_sql, down_sql, \
         late, applied_at, applied_by, duration_ms, run_id) VALUES {}",
        values.join(", ")
    ))
}
