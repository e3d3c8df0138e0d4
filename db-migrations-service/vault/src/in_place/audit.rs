//! What the live database's audit is told of a restore.

use postgres_link::quote::literal;
use serde_json::{Value, json};

use super::live::InPlace;
use crate::manifest::{BackupId, HISTORY_SCHEMA};

/// The statement that tells it, in the transaction that does it. The event triggers leave the service's own sessions to it.
pub(crate) fn told(target: &InPlace, id: &BackupId, kind: &str, names: &[String]) -> String {
    let object = |name: &String| {
        let schema = name.split_once('.').map_or(name.as_str(), |(schema, _)| schema);
        json!({ "command": "RESTORE", "type": kind, "schema": schema, "identity": name })
    };
    let objects = Value::Array(names.iter().map(object).collect());
    let by = if target.actor.is_empty() { String::new() } else { format!(" by {}", target.actor) };
    let context = format!("backup {id}: {kind}s {}{by}", names.join(", "));
    let number = target.number.map_or_else(|| "NULL".to_owned(), |number| format!("'{number}'"));
    let body = format!(
        "BEGIN IF to_regclass('{HISTORY_SCHEMA}.audit_entry') IS NOT NULL THEN \
         INSERT INTO {HISTORY_SCHEMA}.audit_entry (event, command, acting_role, objects, context, via_service, run_id) \
         VALUES ('restore', 'RESTORE', current_user, {}::jsonb, {}, true, {number}::uuid); END IF; END",
        literal(&objects.to_string()),
        literal(&context)
    );
    format!("DO {}", literal(&body))
}
