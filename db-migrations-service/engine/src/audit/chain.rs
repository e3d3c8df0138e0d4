//! The chain: committed rows of the log, in order, each bound to the one before by SHA-256.
//!
//! Hashes are computed here and not by the server, so that nobody can alter how.

use std::fmt::Write as _;

use postgres_link::AdminConn;
use sha2::{Digest, Sha256};

use super::AuditHead;
use super::history::TELL;
use super::marker::is_superuser;
use crate::error::EngineError;
use crate::target::session::own_statement;
use crate::target::store;

/// Rows that are read at once.
pub(super) const PAGE: usize = 500;
/// Rows that are sealed in one transaction: a run of a thousand migrations in one.
const SEALED_AT_ONCE: usize = 2_000;

/// Everything that the log says, in a form that no setting changes. New columns go to the end, and only where they are not
/// null, so that what was sealed before stays what it was.
pub(super) const CELLS: &str = "e.id, (extract(epoch FROM e.at) * 1000000)::bigint, e.event, e.command, e.session_role, \
    e.acting_role, e.application, host(e.address), e.pid, e.xid, e.objects, e.statement, e.statement_bytes, e.statement_sha256, \
    e.context, e.via_service, e.run_id, e.migration";

/// How far back a seal looks for rows that are not in the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// The last ten thousand: those of a transaction that stayed open for longer wait for the next verification.
    Recent,
    /// All.
    Whole,
}

/// SHA-256 of a row, in hex. Each cell goes with its length, so that no two rows look the same.
pub(super) fn digest(cells: &[Option<String>]) -> String {
    let mut hasher = Sha256::new();
    for cell in cells {
        match cell {
            None => hasher.update("-"),
            Some(text) => {
                hasher.update(text.len().to_string());
                hasher.update(":");
                hasher.update(text);
            }
        }
    }
    hex(&hasher.finalize())
}

/// The hash of a link, in hex.
pub(super) fn link(before: &str, position: i64, entry: i64, digest: &str) -> String {
    hex(&Sha256::digest(format!("{before} {position} {entry} {digest}")))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

const HEAD: &str = "SELECT (SELECT system_identifier FROM pg_control_system()) || '/' || d.oid, c.position, c.hash \
    FROM pg_database d LEFT JOIN (SELECT position, hash FROM migration_service.audit_chain ORDER BY position DESC LIMIT 1) c ON true \
    WHERE d.datname = current_database()";

/// Where the chain ends.
pub(super) async fn head(conn: &AdminConn) -> Result<Option<AuditHead>, EngineError> {
    match conn.batch(HEAD).await {
        Ok(outcome) => read_head(outcome.statements[0].rows.first().map(Vec::as_slice)),
        Err(error) if matches!(error.sqlstate(), Some("42P01" | "3F000")) => Ok(None),
        Err(error) => Err(own_statement(&error, "reading the head of the audit's chain")),
    }
}

fn read_head(row: Option<&[Option<String>]>) -> Result<Option<AuditHead>, EngineError> {
    match row {
        Some([Some(database), Some(position), Some(hash)]) => {
            Ok(Some(AuditHead { database: database.clone(), position: store::number(position)?, hash: hash.clone() }))
        }
        _ => Ok(None),
    }
}

/// Seals where the user may, at the end of a run and before the log is read. It may fail: the next seal takes what this one left.
pub(crate) async fn try_seal(conn: &AdminConn) -> Option<AuditHead> {
    if !is_superuser(conn) {
        return None;
    }
    match seal(conn, Reach::Recent).await {
        Ok(head) => head,
        Err(error) => {
            tracing::warn!(%error, "the audit could not be sealed; the next run or verification does it");
            None
        }
    }
}

/// Takes what was committed since the last seal into the chain.
pub(super) async fn seal(conn: &AdminConn, reach: Reach) -> Result<Option<AuditHead>, EngineError> {
    loop {
        match seal_page(conn, reach).await {
            Ok(Sealed { rows, head }) if rows < SEALED_AT_ONCE => return Ok(head),
            Ok(_) => {}
            Err(error) => {
                // A lost session was rolled back by the server.
                let _ = conn.batch("ROLLBACK").await;
                return if error.sql.as_ref().is_some_and(|sql| matches!(sql.sqlstate.as_str(), "42P01" | "3F000")) {
                    Ok(None)
                } else {
                    Err(error)
                };
            }
        }
    }
}

struct Sealed {
    rows: usize,
    head: Option<AuditHead>,
}

async fn seal_page(conn: &AdminConn, reach: Reach) -> Result<Sealed, EngineError> {
    let own = |error| own_statement(&error, "sealing the audit");
    let recent = match reach {
        Reach::Recent => "AND e.id > (SELECT coalesce(max(entry_id), 0) - 10000 FROM migration_service.audit_chain)",
        Reach::Whole => "",
    };
    // Two that seal at once take turns. Rows are looked for after the lock was had, each statement seeing what is committed.
    let query = format!(
        "BEGIN; SET LOCAL lock_timeout = '5s'; LOCK TABLE migration_service.audit_chain IN SHARE ROW EXCLUSIVE MODE; {TELL}; {HEAD}; \
         SELECT {CELLS} FROM migration_service.audit_entry e \
          WHERE NOT EXISTS (SELECT FROM migration_service.audit_chain c WHERE c.entry_id = e.id) {recent} ORDER BY e.id LIMIT {SEALED_AT_ONCE}"
    );
    let outcome = conn.batch(&query).await.map_err(own)?;
    let [.., heads, entries] = outcome.statements.as_slice() else { return Ok(Sealed { rows: 0, head: None }) };
    let mut head = read_head(heads.rows.first().map(Vec::as_slice))?;
    let database = heads.rows.first().and_then(|row| row[0].clone()).unwrap_or_default();
    let mut values = Vec::with_capacity(entries.rows.len());
    for cells in &entries.rows {
        let entry = store::number(cells[0].as_deref().unwrap_or_default())?;
        let (before, position) = head.as_ref().map_or(("", 1), |head| (head.hash.as_str(), head.position + 1));
        let digest = digest(cells);
        let hash = link(before, position, entry, &digest);
        values.push(format!("({position},{entry},'{digest}','{hash}')"));
        head = Some(AuditHead { database: database.clone(), position, hash });
    }
    let message = match values.as_slice() {
        [] => "COMMIT".to_owned(),
        _ => format!(
            "INSERT INTO migration_service.audit_chain (position, entry_id, digest, hash) VALUES {}; COMMIT",
            values.join(",")
        ),
    };
    conn.batch(&message).await.map_err(own)?;
    Ok(Sealed { rows: entries.rows.len(), head })
}
