//! The first walk up: statement by statement, with what each locks, rewrites and writes.
//!
//! Locks are read by the other session: what is asked there resolves no name through the migration's search path.

use std::collections::BTreeMap;
use std::time::Instant;

use super::report::{RelationLock, StatementFigures};
use crate::run::apply::{StepEnd, ended};
use crate::run::attempt::Hands;
use crate::run::steps::Step;
use crate::target::session::own_statement;

/// Relations by oid: `schema.name` and the file that holds their rows.
type Relations = BTreeMap<u32, (String, u32)>;

/// Runs the step as one transaction and commits it, history row included.
pub(super) async fn up(hands: &Hands<'_>, step: &Step) -> Result<Vec<StatementFigures>, StepEnd> {
    let own = |error: &postgres_link::BatchError| {
        StepEnd::Failed(Box::new(own_statement(error, "observing the rehearsal").migration(&step.id)))
    };
    let (standing, mut wal) = before(hands).await.map_err(|error| own(&error))?;
    let mut held: Vec<(u32, String)> = Vec::new();
    let lock_timeout_ms = hands.settings.lock_timeout_ms;
    hands
        .send(&step.id, &step.opening("BEGIN", lock_timeout_ms))
        .await
        .map_err(|(stopped, _)| ended(stopped, step, |error| own_statement(error, "beginning")))?;
    let mut files: BTreeMap<u32, u32> = standing.iter().map(|(oid, (_, file))| (*oid, *file)).collect();
    let mut figures = Vec::new();
    for index in 0..step.script().statements.len() {
        let begun = Instant::now();
        hands
            .send(&step.id, &step.sent(index))
            .await
            .map_err(|(stopped, _)| ended(stopped, step, |error| step.refusal_of_one(error, index)))?;
        let duration_ms = begun.elapsed().as_secs_f64() * 1_000.0;
        let (holds, wal_now) = looked(hands, &standing).await.map_err(|error| own(&error))?;
        let taken: Vec<(u32, String)> = holds.iter().filter(|lock| !held.contains(lock)).cloned().collect();
        let rewritten = rewritten(hands, &holds, &standing, &mut files).await.map_err(|error| own(&error))?;
        let mut locks: Vec<RelationLock> = taken
            .into_iter()
            .filter_map(|(oid, mode)| Some(RelationLock { relation: standing.get(&oid)?.0.clone(), mode }))
            .collect();
        locks.sort();
        figures.push(StatementFigures {
            statement: index + 1,
            line: step.script().location(step.script().statements[index].0.start, Some(index)).line,
            duration_ms,
            locks: Some(locks),
            rewritten,
            wal_bytes: wal_now.saturating_sub(wal),
        });
        (held, wal) = (holds, wal_now);
    }
    let record = step.record_sql(&hands.context.actor, hands.context.run_id, None);
    hands
        .send(&step.id, &step.ending(&format!("{record};COMMIT")))
        .await
        .map_err(|(stopped, _)| ended(stopped, step, |error| step.refusal_at_end(error)))?;
    Ok(figures)
}

/// The tables and the like that are there before, and where the log stands. What the migration makes itself hurts nobody.
async fn before(hands: &Hands<'_>) -> Result<(Relations, u64), postgres_link::BatchError> {
    let query = format!(
        "SELECT c.oid, n.nspname || '.' || c.relname, coalesce(pg_relation_filenode(c.oid), 0) \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'migration_service') AND c.relkind <> 'i'; \
         {LOG}"
    );
    let outcome = hands.quiet().batch(&query).await?;
    let relation = |row: &Vec<Option<String>>| Some((number(row, 0)?, (row[1].clone()?, number(row, 2)?)));
    Ok((outcome.statements[0].rows.iter().filter_map(relation).collect(), log(&outcome)))
}

/// The locks that the working session holds on them, and where the log stands.
async fn looked(
    hands: &Hands<'_>,
    standing: &Relations,
) -> Result<(Vec<(u32, String)>, u64), postgres_link::BatchError> {
    let query = format!(
        "SELECT relation, mode FROM pg_locks WHERE pid = {} AND locktype = 'relation' AND granted; {LOG}",
        hands.conn.backend_pid()
    );
    let outcome = hands.quiet().batch(&query).await?;
    let locks = outcome.statements[0].rows.iter().filter_map(|row| Some((number(row, 0)?, row[1].clone()?)));
    let locks = locks.filter(|(oid, _)| standing.contains_key(oid)).collect();
    Ok((locks, log(&outcome)))
}

/// Asks, as the second statement of a message, where the log stands, in bytes.
const LOG: &str = "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint";

fn log(outcome: &postgres_link::BatchOutcome) -> u64 {
    outcome.value(1, 0).and_then(|position| position.parse().ok()).unwrap_or(0)
}

/// Which of the exclusively locked relations have another file than before. Asked in the working session, which alone
/// sees it; every name and operator is qualified.
async fn rewritten(
    hands: &Hands<'_>,
    held: &[(u32, String)],
    standing: &Relations,
    files: &mut BTreeMap<u32, u32>,
) -> Result<Vec<String>, postgres_link::BatchError> {
    let oids: Vec<String> = held
        .iter()
        .filter(|(oid, mode)| mode == "AccessExclusiveLock" && files.get(oid).is_some_and(|file| *file != 0))
        .map(|(oid, _)| oid.to_string())
        .collect();
    if oids.is_empty() {
        return Ok(Vec::new());
    }
    let query = format!(
        "SELECT c.oid, pg_catalog.pg_relation_filenode(c.oid) FROM pg_catalog.pg_class c \
         WHERE c.oid OPERATOR(pg_catalog.=) ANY ('{{{}}}'::pg_catalog._oid)",
        oids.join(",")
    );
    let outcome = hands.conn.batch(&query).await?;
    let mut found = Vec::new();
    for row in outcome.rows() {
        let (Some(oid), Some(file)) = (number(row, 0), number(row, 1)) else { continue };
        if files.insert(oid, file).is_some_and(|before| before != file)
            && let Some((name, _)) = standing.get(&oid)
        {
            found.push(name.clone());
        }
    }
    found.sort();
    Ok(found)
}

fn number(row: &[Option<String>], at: usize) -> Option<u32> {
    row.get(at)?.as_deref()?.parse().ok()
}

/// A migration that is no transaction: what its statements lock is let go before anybody can look.
pub(super) fn unobservable(step: &Step) -> Vec<StatementFigures> {
    let statements = step.script().statements.iter().enumerate();
    statements
        .map(|(index, (range, _))| StatementFigures {
            statement: index + 1,
            line: step.script().location(range.start, Some(index)).line,
            ..StatementFigures::default()
        })
        .collect()
}
