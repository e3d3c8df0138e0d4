//! A backup that waited for a lock and did not get it: who was in the way.

use std::fmt::Write;

use backup_vault::VaultError;
use postgres_link::{AdminConn, BatchOutcome, ConnectOptions, sqlstate};

use crate::operations::{OperationError, RefusalCode};

/// Nobody waits for the look itself.
const LIMITS: &str = "SET statement_timeout = '2s'; SET lock_timeout = '1s'";

/// Only this lock keeps readers out. Whoever waits for it keeps out those who come later, so it is looked for too, behind those
/// that have it. `pg_class` itself may be locked: then names are not to be had, and nothing is answered.
const HOLDERS: &str = "\
SELECT a.pid, coalesce(nullif(a.application_name, ''), 'a session'), coalesce(a.usename, ''), coalesce(host(a.client_addr), ''),
       coalesce(a.state, ''), (extract(epoch FROM clock_timestamp() - a.xact_start))::bigint, bool_or(l.granted),
       string_agg(DISTINCT l.relation::regclass::text, ', '), pg_blocking_pids(a.pid)::text
  FROM pg_locks l JOIN pg_stat_activity a USING (pid) JOIN pg_class c ON c.oid = l.relation
 WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.pid <> pg_backend_pid() AND c.relkind IN ('r', 'p')
   AND l.database IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
 GROUP BY a.pid, a.application_name, a.usename, a.client_addr, a.state, a.xact_start
 ORDER BY bool_or(l.granted) DESC, a.xact_start LIMIT 3";

/// Whether it is the end of a wait for a lock: of ours, or of `pg_dump`'s, whose limit the server knows as one of the statement.
pub(super) fn is_it(error: &VaultError) -> bool {
    match error {
        VaultError::Server { sqlstate: Some(state), .. } => state == sqlstate::LOCK_NOT_AVAILABLE,
        VaultError::Program(error) => {
            let said = error.to_string();
            said.contains("canceling statement due to") && said.contains("LOCK TABLE")
        }
        _ => false,
    }
}

/// What to answer. Looked at when the wait is over, so whoever was in the way may have gone by now.
pub(super) async fn by(connect: &ConnectOptions) -> OperationError {
    let holders = holders(connect).await.unwrap_or_default();
    let refuse =
        |message: String, cure: String| OperationError::refuse(RefusalCode::SchemasInUse, message).with_cure(cure);
    let Some((first, _)) = holders.first() else {
        let message = "tables were locked against reading for longer than a backup waits, by nobody who is seen now";
        let cure = "try again; where it comes again, look for a transaction in pg_prepared_xacts; nothing of it stays";
        return refuse(message.to_owned(), cure.to_owned());
    };
    let who: Vec<&str> = holders.iter().map(|(_, words)| words.as_str()).collect();
    let cure = format!(
        "let that transaction end, or end it with SELECT pg_terminate_backend({first}), and try again; nothing of it stays"
    );
    refuse(format!("tables are locked against reading for longer than a backup waits: {}", who.join("; ")), cure)
}

/// Those in the way, each with what to say of it.
async fn holders(connect: &ConnectOptions) -> Option<Vec<(String, String)>> {
    let session = postgres_link::connect(&connect.clone().with_application_name("profe backup")).await.ok()?;
    let found = look(&session).await;
    session.close().await;
    Some(found?.rows().filter_map(described).collect())
}

async fn look(session: &AdminConn) -> Option<BatchOutcome> {
    session.batch(LIMITS).await.ok()?;
    session.batch(HOLDERS).await.ok()
}

fn described(row: &[Option<String>]) -> Option<(String, String)> {
    let text = |at: usize| row.get(at).cloned().flatten().unwrap_or_default();
    let (pid, application, user, address, state) = (text(0), text(1), text(2), text(3), text(4));
    let mut words = format!("{application} (pid {pid}");
    for (before, word) in [(", user ", user), (", from ", address)] {
        if !word.is_empty() {
            write!(words, "{before}{word}").ok()?;
        }
    }
    let holds = text(6) == "t";
    write!(words, ") {} ACCESS EXCLUSIVE on {}", if holds { "holds" } else { "waits for" }, text(7)).ok()?;
    let behind = text(8);
    let behind = behind.trim_matches(['{', '}']);
    if !holds && !behind.is_empty() {
        write!(words, " behind pid {}", behind.replace(',', ", ")).ok()?;
    }
    // What others do is shown to those alone who may see it.
    for (before, word, after) in [(", ", state, ""), (", in a transaction of ", text(5), " s")] {
        if !word.is_empty() {
            write!(words, "{before}{word}{after}").ok()?;
        }
    }
    // To end one that waits itself helps nobody but those behind it; it is the one before it that lasts.
    let cause =
        if holds { pid } else { behind.split(',').next().filter(|pid| !pid.is_empty()).map_or(pid, str::to_owned) };
    Some((cause, words))
}
