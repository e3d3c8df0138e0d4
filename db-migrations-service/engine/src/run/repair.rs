//! Statements in doubt: what the catalog says about an index build, an index drop or a detach that was interrupted.
//!
//! An index that PostgreSQL left INVALID looks like an index to IF NOT EXISTS and serves no query. It is dropped and
//! built anew, never mistaken for done.

use postgres_link::BatchOutcome;
use sql_grammar::{Alone, QualifiedName};

use super::apply::{StepEnd, ended};
use super::attempt::Hands;
use super::steps::Step;
use crate::error::{EngineError, ErrorCode};
use crate::event::Event;
use crate::target::quote::{literal, qualified};
use crate::target::session::own_statement;

/// What to do with a statement.
pub(crate) enum Found {
    /// It was done before the crash.
    Done,
    /// Run it.
    Run,
    /// Run this: what is left of it.
    RunInstead(String),
}

/// Looks before the statement is run; `in_doubt` says that an earlier run had begun it.
pub(crate) async fn before(hands: &Hands<'_>, step: &Step, alone: &Alone, in_doubt: bool) -> Result<Found, StepEnd> {
    match alone {
        Alone::CreateIndex { index } => match index_state(hands, step, index).await? {
            IndexState::Valid if in_doubt => Ok(Found::Done),
            IndexState::Absent | IndexState::Valid => Ok(Found::Run),
            IndexState::Invalid => {
                drop_index(hands, step, index).await.map_err(|error| StepEnd::Failed(Box::new(error)))?;
                hands.context.events.send(Event::Repaired {
                    migration: step.id.clone(),
                    what: format!("dropped the invalid index {index}, left by an interrupted build"),
                });
                Ok(Found::Run)
            }
        },
        Alone::DropIndex { indexes } if in_doubt => {
            let mut left = Vec::new();
            for index in indexes {
                if !matches!(index_state(hands, step, index).await?, IndexState::Absent) {
                    left.push(quoted(index));
                }
            }
            Ok(match left.as_slice() {
                [] => Found::Done,
                _ => Found::RunInstead(format!("DROP INDEX CONCURRENTLY {}", left.join(", "))),
            })
        }
        Alone::DetachPartition { parent, partition } if in_doubt => {
            let query = format!(
                "SELECT i.inhdetachpending FROM pg_inherits i WHERE i.inhparent = to_regclass({}) AND i.inhrelid = to_regclass({})",
                literal(&quoted(parent)),
                literal(&quoted(partition))
            );
            let outcome = read(hands, step, &query).await?;
            Ok(match outcome.value(0, 0) {
                None => Found::Done,
                Some("t") => Found::RunInstead(format!(
                    "ALTER TABLE {} DETACH PARTITION {} FINALIZE",
                    quoted(parent),
                    quoted(partition)
                )),
                Some(_) => Found::Run,
            })
        }
        Alone::Reindex { relation: Some(relation) } if in_doubt => {
            drop_reindex_leftovers(hands, step, relation).await?;
            Ok(Found::Run)
        }
        Alone::DropIndex { .. } | Alone::DetachPartition { .. } | Alone::Reindex { .. } | Alone::Repeatable(_) => {
            Ok(Found::Run)
        }
    }
}

/// After the server reported success: an index must be valid before it counts.
pub(crate) async fn verify(hands: &Hands<'_>, step: &Step, alone: &Alone, statement: usize) -> Result<(), StepEnd> {
    let Alone::CreateIndex { index } = alone else { return Ok(()) };
    if matches!(index_state(hands, step, index).await?, IndexState::Valid) {
        return Ok(());
    }
    Err(StepEnd::Failed(Box::new(
        EngineError::new(
            ErrorCode::MigrationFailed,
            format!("{}: the index {index} is there but not valid", step.text.file),
        )
        .cure("run again: it will be dropped and built anew")
        .migration(&step.id)
        .at(step.script().location(step.script().statements[statement].0.start, Some(statement))),
    )))
}

/// After a failure or a cancellation: takes away what the server left. Says what could not be taken away.
pub(crate) async fn after_failure(hands: &Hands<'_>, step: &Step, alone: &Alone) -> Option<String> {
    let index = match alone {
        Alone::CreateIndex { index } => index,
        Alone::Repeatable(_) => return None,
        Alone::DropIndex { .. } | Alone::Reindex { .. } | Alone::DetachPartition { .. } => {
            return Some(
                "perhaps a part of the statement's work; the next run looks and goes on from there".to_owned(),
            );
        }
    };
    match index_state(hands, step, index).await {
        Ok(IndexState::Invalid) => match drop_index(hands, step, index).await {
            Ok(()) => None,
            Err(error) => {
                Some(format!("the invalid index {index} could not be dropped ({}); the next run will", error.message))
            }
        },
        Ok(IndexState::Absent | IndexState::Valid) => None,
        Err(_) => Some(format!("perhaps an invalid index {index}; the next run looks")),
    }
}

enum IndexState {
    Absent,
    Valid,
    Invalid,
}

/// On the session beside: the working one may be unusable, or its run cancelled.
async fn index_state(hands: &Hands<'_>, step: &Step, index: &QualifiedName) -> Result<IndexState, StepEnd> {
    let query = format!(
        "SELECT i.indisvalid AND i.indisready FROM pg_index i WHERE i.indexrelid = to_regclass({})",
        literal(&quoted(index))
    );
    let outcome = read(hands, step, &query).await?;
    Ok(match outcome.value(0, 0) {
        None => IndexState::Absent,
        Some("t") => IndexState::Valid,
        Some(_) => IndexState::Invalid,
    })
}

/// Drops an invalid index while others read and write its table. Not stopped by a cancelled run: it is the clean-up.
async fn drop_index(hands: &Hands<'_>, step: &Step, index: &QualifiedName) -> Result<(), EngineError> {
    let failed =
        |error: &postgres_link::BatchError| own_statement(error, "dropping an invalid index").migration(&step.id);
    hands
        .conn
        .batch(&step.session_settings(hands.settings.concurrent_timeout_s * 1_000))
        .await
        .map_err(|e| failed(&e))?;
    let dropped = hands.conn.batch(&format!("DROP INDEX CONCURRENTLY IF EXISTS {}", quoted(index))).await;
    let reset = hands.conn.batch(Step::RESET_SETTINGS).await;
    dropped.and(reset).map(|_| ()).map_err(|e| failed(&e))
}

async fn drop_reindex_leftovers(hands: &Hands<'_>, step: &Step, relation: &QualifiedName) -> Result<(), StepEnd> {
    let query = format!(
        "SELECT n.nspname, c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE NOT i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$' \
           AND i.indrelid = coalesce((SELECT x.indrelid FROM pg_index x WHERE x.indexrelid = to_regclass({0})), to_regclass({0}))",
        literal(&quoted(relation))
    );
    let outcome = read(hands, step, &query).await?;
    for row in outcome.rows() {
        if let [Some(schema), Some(name)] = row {
            let index = QualifiedName { schema: schema.clone(), name: name.clone() };
            drop_index(hands, step, &index).await.map_err(|error| StepEnd::Failed(Box::new(error)))?;
            let what = format!("dropped the invalid index {index}, left by an interrupted REINDEX");
            hands.context.events.send(Event::Repaired { migration: step.id.clone(), what });
        }
    }
    Ok(())
}

async fn read(hands: &Hands<'_>, step: &Step, query: &str) -> Result<BatchOutcome, StepEnd> {
    hands.quiet().batch(query).await.map_err(|error| {
        ended(super::attempt::Stopped::Failed(error), step, |error| own_statement(error, "looking at the catalog"))
    })
}

fn quoted(name: &QualifiedName) -> String {
    qualified(&name.schema, &name.name)
}
