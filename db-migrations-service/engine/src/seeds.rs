//! Seeds: data that a schema needs to be of use, in files that can be run again and again.

use std::sync::Arc;
use std::time::Instant;

use postgres_link::AdminConn;

use crate::engine::Target;
use crate::error::{EngineError, ErrorCode};
use crate::migration::{MigrationId, Version};
use crate::planning::in_scope;
use crate::project::{Project, Script, Seed};
use crate::request::{RunContext, Scope};
use crate::run::apply::{StepEnd, ended};
use crate::run::attempt::Hands;
use crate::run::beside::Beside;
use crate::run::envelope::{PRELUDE, Part};
use crate::run::steps::{Record, Step};
use crate::status::{SeedReport, SeedState, SeedStatus};
use crate::target::lock;
use crate::target::quote::{literal, qualified};
use crate::target::session::{self, own_statement};
use crate::target::store::{self, Direction};

/// The seeds that are for `environment`, in order.
fn for_environment<'a>(project: &'a Project, scope: &'a Scope, environment: &'a str) -> impl Iterator<Item = &'a Seed> {
    project.seeds().iter().filter(move |seed| {
        in_scope(scope, &seed.service) && seed.environment.as_deref().is_none_or(|e| e == environment)
    })
}

pub(crate) async fn status(project: &Project, target: &Target) -> Result<Vec<SeedStatus>, EngineError> {
    let conn = session::open_existing(target, "profe seeds status").await?;
    let mut known = std::collections::HashMap::new();
    if let Some(conn) = &conn {
        let query = "SELECT schema_name, name, checksum, (extract(epoch FROM applied_at) * 1000000)::bigint, applied_by FROM migration_service.seed";
        match conn.batch(query).await {
            Ok(outcome) => {
                for row in outcome.statements.into_iter().flat_map(|s| s.rows) {
                    let [schema, name, checksum, at, by] = store::cells(row)?;
                    known.insert((schema, name), (checksum, store::number(&at)?, by));
                }
            }
            Err(error) if matches!(error.sqlstate(), Some("42P01" | "3F000")) => {}
            Err(error) => return Err(own_statement(&error, "reading the seeds")),
        }
    }
    for_environment(project, &Scope::All, &target.environment)
        .map(|seed| {
            let entry = known.get(&(seed.schema.clone(), seed.name.clone()));
            let state = match entry {
                None => SeedState::Pending,
                Some((checksum, _, _)) if *checksum == sql_grammar::checksum(&project.seed_sql(seed)?) => {
                    SeedState::Applied
                }
                Some(_) => SeedState::Changed,
            };
            Ok(SeedStatus {
                service: seed.service.clone(),
                schema: seed.schema.clone(),
                name: seed.name.clone(),
                state,
                applied_at: entry.and_then(|(_, at, _)| crate::compare::time_of(*at)),
                applied_by: entry.map(|(_, _, by)| by.clone()),
            })
        })
        .collect()
}

pub(crate) async fn run(
    project: &Arc<Project>,
    target: &Target,
    scope: &Scope,
    context: &RunContext,
    reset: bool,
) -> Result<SeedReport, EngineError> {
    let begun = Instant::now();
    if let Scope::Service(name) = scope {
        project.catalogue.service(name)?;
    }
    if reset && project.catalogue.environment(&target.environment)?.protected {
        return Err(EngineError::new(
            ErrorCode::Protected,
            format!("environment {:?} is protected: its data is not reset", target.environment),
        )
        .cure("reset another environment"));
    }
    // Everything is read before anything is run.
    let mut scripts = Vec::new();
    for seed in for_environment(project, scope, &target.environment) {
        scripts.push((seed, read(project, seed)?));
    }
    let name = lock::session_name(if reset { "seeds reset" } else { "seeds run" }, &context.actor, context.run_id);
    let guard = session::open(target, &name).await?;
    lock::acquire(&guard, context.wait_for_lock).await?;
    let beside = Beside::holding(guard);
    let conn = session::open(target, &name).await?;
    session::check_writable(&conn, target)?;
    lock::claim_work(&conn).await?;
    crate::audit::mark(&conn, context.run_id, crate::audit::Telling::Triggers).await;
    let state = store::read(&conn).await?;
    if !state.installed {
        return Err(EngineError::new(
            ErrorCode::SeedFailed,
            "the target has no migrations yet, so there is nothing to seed".to_owned(),
        )
        .cure("run the migrations first: profe migrate run"));
    }
    let hands = Hands { conn: &conn, beside: &beside, settings: &project.catalogue.run, context };
    if reset {
        empty(&conn, project, scope).await?;
    }
    let mut report = SeedReport { run_id: context.run_id, applied: Vec::new(), rows: 0, duration_ms: 0 };
    for (seed, script) in scripts {
        report.rows += apply(&hands, project, seed, script).await?;
        report.applied.push(format!("{}/{}", seed.schema, seed.name));
    }
    report.duration_ms = begun.elapsed().as_millis() as u64;
    Ok(report)
}

fn read(project: &Project, seed: &Seed) -> Result<Script, EngineError> {
    let script = Script::parse(&seed.path, project.seed_sql(seed)?, &seed.schema)?;
    if script.is_transactional() {
        return Ok(script);
    }
    Err(EngineError::new(
        ErrorCode::ForbiddenStatement,
        format!("{} holds a statement that cannot run in a transaction", seed.path),
    )
    .cure("put it into a migration"))
}

/// One seed file as one transaction, as the schema's owner. Answers the rows written.
async fn apply(hands: &Hands<'_>, project: &Project, seed: &Seed, script: Script) -> Result<u64, EngineError> {
    let owner = project.catalogue.service(&seed.service)?.owner_role().unwrap_or_default();
    let checksum = sql_grammar::checksum(&script.sql);
    let context = hands.context;
    let closing = store::seed(&seed.service, &seed.schema, &seed.name, &checksum, &context.actor, context.run_id);
    // A seed has no version; the step only carries it.
    let step = Step {
        id: MigrationId::new(&seed.schema, Version::from_stored(0)),
        service: seed.service.clone(),
        name: seed.name.clone(),
        owner,
        direction: Direction::Up,
        transactional: true,
        sets_session: script.sets_session(),
        text: script.into(),
        late: false,
        record: Record::RolledBack { row: 0 },
        has_leftovers: false,
    };
    let envelope = step.envelope(Part::Whole, hands.settings.lock_timeout_ms, context.run_id, &closing);
    match hands.send_quietly(&step, &envelope).await {
        Ok(outcome) => {
            let own = outcome.statements.iter().skip(PRELUDE).zip(&step.script().statements);
            // What writes rows goes through the door, which answers how many.
            let written = own.filter(|(_, (_, facts))| facts.writes_rows);
            written
                .map(|(outcome, _)| store::number(outcome.rows[0][0].as_deref().unwrap_or("0")))
                .try_fold(0, |sum, n| Ok(sum + u64::try_from(n?).unwrap_or(0)))
        }
        Err(stopped) => match ended(stopped, &step, |error| step.refusal(error, &envelope)) {
            StepEnd::Cancelled => Err(EngineError::new(ErrorCode::Cancelled, format!("cancelled in {}", seed.path))
                .cure("seeds can be run again: what was in hand was taken back")),
            StepEnd::Failed(mut error) => {
                if error.code == ErrorCode::MigrationFailed {
                    error.code = ErrorCode::SeedFailed;
                }
                error.migration = None;
                Err(*error)
            }
        },
    }
}

/// Empties every table of the scope's schemas at once, so that foreign keys among them do not matter; those from
/// outside do, and PostgreSQL names them.
async fn empty(conn: &AdminConn, project: &Project, scope: &Scope) -> Result<(), EngineError> {
    let schemas: Vec<String> = project
        .catalogue
        .services
        .iter()
        .filter(|(name, _)| in_scope(scope, name))
        .flat_map(|(_, service)| service.schemas.iter().map(|s| literal(s)))
        .collect();
    if schemas.is_empty() {
        return Ok(());
    }
    let list = schemas.join(", ");
    let query = format!(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname IN ({list}) AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1, 2"
    );
    let outcome = conn.batch(&query).await.map_err(|e| own_statement(&e, "listing the tables"))?;
    let tables: Vec<String> =
        outcome.rows().filter_map(|row| Some(qualified(row[0].as_deref()?, row[1].as_deref()?))).collect();
    refuse_truncate_triggers(conn, &list).await?;
    let forget = format!("DELETE FROM migration_service.seed WHERE schema_name IN ({list})");
    let message = if tables.is_empty() {
        forget
    } else {
        format!(
            "BEGIN; SET LOCAL lock_timeout = {}; TRUNCATE {} RESTART IDENTITY; {forget}; COMMIT",
            project.catalogue.run.lock_timeout_ms,
            tables.join(", ")
        )
    };
    if let Err(error) = conn.batch(&message).await {
        let _ = conn.batch("ROLLBACK").await;
        if error.sqlstate() == Some("0A000") {
            let sql = error.sql_error();
            let mut refused = EngineError::new(
                ErrorCode::SeedFailed,
                format!(
                    "another service's rows point into these tables: {}",
                    sql.and_then(|s| s.detail.clone()).unwrap_or_default()
                ),
            )
            .cure("reset that service too, or all of them: leave the service out");
            refused.sql = sql.cloned().map(Box::new);
            return Err(refused);
        }
        return Err(own_statement(&error, "emptying the tables"));
    }
    Ok(())
}

/// Tables of several owners are emptied by one statement of the engine's own user. What a trigger does then, it would do
/// with that user's rights.
async fn refuse_truncate_triggers(conn: &AdminConn, schemas: &str) -> Result<(), EngineError> {
    /// `TRIGGER_TYPE_TRUNCATE` of PostgreSQL's `pg_trigger.h`.
    const TRUNCATE: u32 = 1 << 5;
    let query = format!(
        "SELECT t.tgrelid::regclass, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid \
         JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname IN ({schemas}) AND NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgtype & {TRUNCATE} <> 0 LIMIT 1"
    );
    let outcome = conn.batch(&query).await.map_err(|e| own_statement(&e, "looking for triggers"))?;
    let (Some(table), Some(trigger)) = (outcome.value(0, 0), outcome.value(0, 1)) else { return Ok(()) };
    Err(EngineError::new(
        ErrorCode::SeedFailed,
        format!("{table} has the trigger {trigger} on TRUNCATE, which a reset would run with the engine's rights"),
    )
    .cure("disable that trigger, or empty the tables by a migration; nothing was changed"))
}
