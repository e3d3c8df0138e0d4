//! What an adoption tells the log, in its own transaction.

use postgres_link::AdminConn;
use serde_json::json;
use uuid::Uuid;

use super::{LONGEST_STATEMENT, history, install, marker};
use crate::migration::MigrationId;
use crate::target::quote::literal;

/// The statements that put an adoption on record, run by the adopting session; `state` is what the target remembers of its
/// log. Empty where nobody keeps one and this session may not begin.
pub(crate) fn tell(
    conn: &AdminConn,
    state: Option<&str>,
    run_id: Uuid,
    (from, adopted, statements): (&str, &[MigrationId], &[String]),
) -> String {
    if !marker::is_superuser(conn) {
        return String::new();
    }
    let install = if install::is_on(state) { String::new() } else { format!("{};\n", install::inside(run_id)) };
    let objects: Vec<_> = adopted
        .iter()
        .map(|id| json!({ "command": "ADOPT", "type": "migration", "schema": id.schema, "identity": id.to_string() }))
        .collect();
    let run = statements.join(";\n");
    let shown: String = run.chars().take(LONGEST_STATEMENT).collect();
    format!(
        "{install}{};\n\
         INSERT INTO migration_service.audit_entry (event, command, acting_role, objects, statement, statement_bytes, \
         statement_sha256, context, via_service, run_id) \
         VALUES ('adoption', 'ADOPT', current_user, {}::jsonb, {}, {}, {}, {}, true, '{run_id}');\n",
        history::begun(run_id, "true"),
        literal(&serde_json::Value::from(objects).to_string()),
        literal(&shown),
        run.len(),
        literal(&sql_grammar::sha256_hex(run.as_bytes())),
        literal(from),
    )
}
