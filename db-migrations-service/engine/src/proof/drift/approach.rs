//! From one schema to another, statement by statement, on a throwaway database: what was not tried is not told.
//!
//! A statement that fails – because what it needs is not there yet, because something depends on what it drops – is
//! tried again after the others. What remains different in the end is said to be so.

use std::collections::BTreeSet;

use postgres_link::AdminConn;
use schema_catalog::{Difference, Kind, ObjectId, Scope as Schemas, Snapshot, difference};

use super::statement::{Goal, ways};
use super::within;
use crate::error::EngineError;
use crate::proof::rehearse::snapshot;
use crate::target::quote::identifier;
use crate::target::session::own_statement;

/// Each round makes at least one difference go away; what has parts takes one round for itself and one for them.
const ROUNDS: usize = 12;

/// How it went.
pub(super) struct Approach {
    /// Each one transaction, in the order in which they worked.
    pub statements: Vec<String>,
    /// What they do not make go away.
    pub left: Vec<Difference>,
}

/// Whose rights the statements are tried with.
#[derive(Clone, Copy)]
pub(super) enum As<'a> {
    /// An owner role, as a migration: owners and what others granted are not its business.
    Owner(&'a str),
    /// The session's own user.
    Operator,
}

/// Brings `conn`'s database from where it stands to `to` within `schemas`.
pub(super) async fn approach(
    conn: &AdminConn,
    managed: &Schemas,
    (to, to_conn): (&Snapshot, &AdminConn),
    schemas: &[String],
    rights: As<'_>,
) -> Result<Approach, EngineError> {
    let goal = Goal::new(to_conn, to);
    let mut approach = Approach { statements: Vec::new(), left: Vec::new() };
    let mut tried = BTreeSet::new();
    let start = snapshot(conn, managed).await?;
    let standing: BTreeSet<&ObjectId> = start.objects().map(|(id, _)| id).collect();
    let mut here = start.clone();
    for _ in 0..ROUNDS {
        approach.left = within(difference(&here, to), schemas);
        // A view keeps the columns that it reads as they are.
        approach.left.sort_by_key(|left| matches!(left.object.kind, Kind::View | Kind::MaterializedView));
        let (mut progress, begun) = (false, approach.statements.len());
        for left in &approach.left {
            // What the owner role makes has the catalogue's default grants; a hand that made it left them out.
            let lacks_grant =
                left.property.starts_with("grant ") && left.after.is_none() && !standing.contains(&left.object);
            if matches!(rights, As::Owner(_)) && (is_of_ownership(left) || lacks_grant) {
                continue;
            }
            let ways = ways(left, &goal).await?;
            // Another property of the same object was mended by the same statement just now.
            if ways.first().is_some_and(|first| approach.statements[begun..].contains(first)) {
                continue;
            }
            for way in ways {
                // What worked once and left the difference would do so again.
                if !tried.contains(&way) && attempt(conn, &way, rights).await? {
                    tried.insert(way.clone());
                    approach.statements.push(way);
                    progress = true;
                    break;
                }
            }
        }
        if !progress {
            break;
        }
        here = snapshot(conn, managed).await?;
    }
    approach.left = within(difference(&here, to), schemas);
    Ok(approach)
}

/// Who owns, and who has which rights: what a database has done to it from outside of migrations.
pub(super) fn is_of_ownership(difference: &Difference) -> bool {
    difference.property == "owner" || difference.property == "grant its owner"
}

async fn attempt(conn: &AdminConn, statement: &str, rights: As<'_>) -> Result<bool, EngineError> {
    let role = match rights {
        As::Owner(owner) => format!("SET LOCAL ROLE {};", identifier(owner)),
        As::Operator => String::new(),
    };
    match conn.batch(&format!("BEGIN;SET LOCAL lock_timeout = '1s';{role}{statement};COMMIT")).await {
        Ok(_) => Ok(true),
        Err(error) if error.is_connection_loss() => Err(own_statement(&error, "trying what undoes drift")),
        Err(_) => {
            conn.batch("ROLLBACK").await.map(|_| false).map_err(|e| own_statement(&e, "going on after a failure"))
        }
    }
}
