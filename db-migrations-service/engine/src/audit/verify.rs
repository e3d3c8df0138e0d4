//! Looking the whole log over.

use std::collections::BTreeMap;

use postgres_link::AdminConn;

use super::chain::{self, CELLS, PAGE, Reach};
use super::history::{JOINED, SQL};
use super::{AuditHead, AuditReport, Finding, FindingCode};
use super::{install, list};
use crate::error::EngineError;
use crate::target::session::own_statement;
use crate::target::store;

/// More findings than a person reads; the rest is counted.
const LISTED: usize = 100;

/// What is said of a target whose database does not exist yet.
pub(super) fn never() -> AuditReport {
    let mut findings = Findings::default();
    findings.add(FindingCode::Off, install::NOT_YET.to_owned(), None, None);
    findings.report(0, 0, None)
}

pub(super) async fn verify(conn: &AdminConn, anchors: &[AuditHead]) -> Result<AuditReport, EngineError> {
    let mut findings = Findings::default();
    let is_kept = parts(conn, &mut findings).await?;
    let sealed = if is_kept { chain::seal(conn, Reach::Whole).await? } else { chain::head(conn).await? };
    let database = match &sealed {
        Some(head) => head.database.clone(),
        None => chain_database(conn).await?,
    };
    let mine: Vec<&AuditHead> = anchors.iter().filter(|anchor| anchor.database == database).collect();
    let mut walk = Walk::new(&mine);
    let own = |error| own_statement(&error, "verifying the audit");
    conn.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.map_err(own)?;
    let walked = walk.all(conn, &mut findings).await;
    conn.batch("ROLLBACK").await.map_err(own)?;
    walked?;
    walk.end(&mut findings);
    let head = (walk.position > 0).then_some(AuditHead { database, position: walk.position, hash: walk.hash });
    Ok(findings.report(walk.checked, mine.len(), head))
}

/// Looks at what records. Answers whether the tables are there.
async fn parts(conn: &AdminConn, findings: &mut Findings) -> Result<bool, EngineError> {
    let own = |error| own_statement(&error, "looking at the audit's triggers");
    let health = conn.batch(&install::health()).await.map_err(own)?;
    let mut is_kept = true;
    if let Some(reason) = list::off_because(conn).await? {
        // What is not there because it was never installed is one finding, not six.
        findings.add(FindingCode::Off, reason, None, None);
        is_kept = health.rows().all(|row| row[1].as_deref() != Some("table_missing"));
        return Ok(is_kept);
    }
    for row in health.rows() {
        let (name, code) = (row[0].as_deref().unwrap_or_default(), row[1].as_deref().unwrap_or_default());
        let (code, what) = described(code, name);
        is_kept &= code != FindingCode::TableMissing;
        findings.add(code, what, None, None);
    }
    Ok(is_kept)
}

fn described(code: &str, name: &str) -> (FindingCode, String) {
    const CURE: &str = "the next `profe migrate run` puts it right, and says so in the log";
    match code {
        "trigger_missing" => (FindingCode::TriggerMissing, format!("the event trigger {name} was dropped; {CURE}")),
        "trigger_disabled" => (
            FindingCode::TriggerDisabled,
            format!("the event trigger {name} is switched off, for some sessions or for all; {CURE}"),
        ),
        "trigger_altered" => {
            (FindingCode::TriggerAltered, format!("the event trigger {name} is not as it was installed; {CURE}"))
        }
        "function_altered" => (
            FindingCode::FunctionAltered,
            format!("migration_service.audit_ddl(), which {name} calls, is not what this release installs; {CURE}"),
        ),
        "table_missing" => {
            (FindingCode::TableMissing, format!("the table migration_service.{name} was dropped; {CURE}"))
        }
        _ => (
            FindingCode::TableAltered,
            format!(
                "the table migration_service.{name} has an owner, rights, triggers, rules or constraints that it was not \
                 given; take them away"
            ),
        ),
    }
}

async fn chain_database(conn: &AdminConn) -> Result<String, EngineError> {
    let query = "SELECT (SELECT system_identifier FROM pg_control_system()) || '/' || oid FROM pg_database WHERE datname = current_database()";
    let outcome = conn.batch(query).await.map_err(|error| own_statement(&error, "verifying the audit"))?;
    Ok(outcome.value(0, 0).unwrap_or_default().to_owned())
}

/// Along the chain, link by link.
struct Walk<'a> {
    anchors: BTreeMap<i64, Vec<&'a AuditHead>>,
    position: i64,
    hash: String,
    checked: u64,
}

impl<'a> Walk<'a> {
    fn new(anchors: &[&'a AuditHead]) -> Self {
        let mut by_position: BTreeMap<i64, Vec<&AuditHead>> = BTreeMap::new();
        for anchor in anchors {
            by_position.entry(anchor.position).or_default().push(anchor);
        }
        Self { anchors: by_position, position: 0, hash: String::new(), checked: 0 }
    }

    async fn all(&mut self, conn: &AdminConn, findings: &mut Findings) -> Result<(), EngineError> {
        loop {
            let query = format!(
                "SELECT c.position, c.entry_id, c.digest, c.hash, \
                        e.event <> 'migration' OR e.statement_sha256 = encode(sha256(convert_to({SQL}, 'UTF8')), 'hex'), {CELLS} \
                 FROM migration_service.audit_chain c LEFT JOIN migration_service.audit_entry e ON e.id = c.entry_id {JOINED} \
                 WHERE c.position > {} ORDER BY c.position LIMIT {PAGE}",
                self.position
            );
            let outcome = match conn.batch(&query).await {
                Ok(outcome) => outcome,
                // Said already: a table was dropped, or nothing was ever installed.
                Err(error) if matches!(error.sqlstate(), Some("42P01" | "3F000")) => return Ok(()),
                Err(error) => return Err(own_statement(&error, "verifying the audit")),
            };
            let rows = &outcome.statements[0].rows;
            for row in rows {
                self.link(row, findings)?;
            }
            if rows.len() < PAGE {
                return Ok(());
            }
        }
    }

    fn link(&mut self, row: &[Option<String>], findings: &mut Findings) -> Result<(), EngineError> {
        let [position, entry, digest, hash, has_sql, cells @ ..] = row else { return Ok(()) };
        let (position, entry) = (number(position.as_ref())?, number(entry.as_ref())?);
        let (digest, hash) = (digest.as_deref().unwrap_or_default(), hash.as_deref().unwrap_or_default());
        self.checked += 1;
        let place = (Some(position), Some(entry));
        let is_gap = position != self.position + 1;
        if is_gap {
            let first = self.position + 1;
            let which = match position - 1 {
                last if last == first => format!("position {first} is"),
                last => format!("positions {first} to {last} are"),
            };
            findings.add(FindingCode::PositionMissing, format!("{which} missing from the chain"), Some(first), None);
        }
        if cells.first().is_none_or(Option::is_none) {
            let message = format!("entry {entry}, at position {position} of the chain, was deleted from the log");
            findings.add(FindingCode::EntryMissing, message, place.0, place.1);
        } else if chain::digest(cells) != digest {
            let message =
                format!("entry {entry}, at position {position} of the chain, was changed after it was sealed");
            findings.add(FindingCode::EntryChanged, message, place.0, place.1);
        } else if has_sql.as_deref() != Some("t") {
            let migration = cells.last().and_then(Option::as_deref).unwrap_or_default();
            let message = format!("the SQL of {migration} in the history is not what was run, or its row is gone");
            findings.add(FindingCode::HistoryChanged, message, place.0, place.1);
        }
        // After a gap nobody knows the hash before; the gap itself is told.
        if !is_gap && chain::link(&self.hash, position, entry, digest) != hash {
            let message = format!(
                "position {position} of the chain, entry {entry}, does not follow from the one before: changed, or in another order"
            );
            findings.add(FindingCode::ChainBroken, message, place.0, place.1);
        }
        for anchor in self.anchors.remove(&position).unwrap_or_default() {
            if anchor.hash != hash {
                let message = format!(
                    "the chain's hash at position {position} is not the one that was written down outside of the database: the log was rewritten"
                );
                findings.add(FindingCode::HeadDiffers, message, Some(position), None);
            }
        }
        (self.position, self.hash) = (position, hash.to_owned());
        Ok(())
    }

    /// What is left of the anchors points at nothing.
    fn end(&mut self, findings: &mut Findings) {
        if let Some(furthest) = self.anchors.keys().next_back().filter(|&&position| position > self.position) {
            let message = format!(
                "the chain ends at position {}, and position {furthest} was written down outside of the database: its end was cut off",
                self.position
            );
            findings.add(FindingCode::HeadMissing, message, Some(*furthest), None);
        }
    }
}

fn number(cell: Option<&String>) -> Result<i64, EngineError> {
    store::number(cell.map(String::as_str).unwrap_or_default())
}

#[derive(Default)]
struct Findings {
    listed: Vec<Finding>,
    more: u64,
}

impl Findings {
    fn add(&mut self, code: FindingCode, message: String, position: Option<i64>, entry: Option<i64>) {
        if self.listed.len() < LISTED {
            self.listed.push(Finding { code, message, position, entry });
        } else {
            self.more += 1;
        }
    }

    fn report(self, checked: u64, anchors: usize, head: Option<AuditHead>) -> AuditReport {
        AuditReport { checked, anchors, head, findings: self.listed, more_findings: self.more }
    }
}
