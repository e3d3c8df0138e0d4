//! The log's tables, function and event triggers on a target.

use postgres_link::{AdminConn, BatchOutcome};
use uuid::Uuid;

use super::marker::{self, Telling};
use crate::error::EngineError;
use crate::target::quote::literal;
use crate::target::session::own_statement;
use crate::target::store;

const TABLES: &str = include_str!("schema.sql");
const BODY: &str = include_str!("trigger.sql");

/// The event triggers, with what they fire at.
const TRIGGERS: [(&str, &str); 2] =
    [("migration_service_audit", "ddl_command_end"), ("migration_service_audit_drops", "sql_drop")];
/// What stands in the target's memory where the log is kept.
const ON: &str = "on";
const NEEDS_SUPERUSER: &str = "event triggers need a superuser; run `profe migrate run` once as one";
/// What is said of a target that no run has looked at.
pub(super) const NOT_YET: &str = "audit is off: it is installed by the first `profe migrate run` as a superuser";

/// Creates what is missing and puts right what was altered; it may be repeated. Answers whether the log is kept now, and
/// remembers the reason where it is not.
pub(super) async fn install(conn: &AdminConn, superuser: bool, run_id: Uuid) -> Result<bool, EngineError> {
    let own = |error| own_statement(&error, "installing the audit");
    let refusal = if superuser {
        let outcome = conn.batch(include_str!("owners.sql")).await.map_err(own)?;
        outcome.value(0, 0).zip(outcome.value(0, 1)).map(|(what, owner)| {
            format!("{what} belongs to {owner}, who could replace the log; give it to a superuser")
        })
    } else {
        Some(NEEDS_SUPERUSER.to_owned())
    };
    if let Some(reason) = refusal {
        // Somebody else may have installed it.
        let query = format!("{} WHERE meta.value <> {}", store::set_meta("audit", &reason), literal(ON));
        conn.batch(&query).await.map_err(own)?;
        return Ok(false);
    }
    let message = format!("BEGIN; SET LOCAL lock_timeout = '5s';\n{};\nCOMMIT", inside(run_id));
    if let Err(error) = conn.batch(&message).await {
        let _ = conn.batch("ROLLBACK").await;
        let reason = format!("it could not be installed: {error}");
        conn.batch(&store::set_meta("audit", &reason)).await.map_err(own)?;
        return Ok(false);
    }
    Ok(true)
}

/// The statements of an installation, for a superuser's transaction that somebody else ends.
pub(super) fn inside(run_id: Uuid) -> String {
    format!(
        "SET LOCAL backtrace_functions = '{}';\n{TABLES}\n{};\n{};\n\
         INSERT INTO migration_service.audit_entry (event, command, acting_role, objects, via_service, run_id) \
         VALUES ('installation', 'INSTALL', current_user, '[]', true, '{run_id}');\n{}",
        marker::value(run_id, Telling::Engine),
        function(),
        TRIGGERS.map(|(name, event)| trigger(name, event)).join(";\n"),
        store::set_meta("audit", ON),
    )
}

/// Whether the log is kept, given what the target remembers of it.
pub(super) fn is_on(state: Option<&str>) -> bool {
    state == Some(ON)
}

fn function() -> String {
    format!(
        "CREATE OR REPLACE FUNCTION migration_service.audit_ddl() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER \
         SET search_path = pg_catalog, pg_temp AS {};\n\
         ALTER FUNCTION migration_service.audit_ddl() OWNER TO CURRENT_USER;\n\
         REVOKE ALL ON FUNCTION migration_service.audit_ddl() FROM PUBLIC",
        literal(BODY)
    )
}

fn trigger(name: &str, event: &str) -> String {
    format!(
        "DROP EVENT TRIGGER IF EXISTS {name};\n\
         CREATE EVENT TRIGGER {name} ON {event} EXECUTE FUNCTION migration_service.audit_ddl();\n\
         ALTER EVENT TRIGGER {name} ENABLE ALWAYS"
    )
}

/// The query that names what is wrong with the parts that record: name and finding's code, a row each.
pub(super) fn health() -> String {
    include_str!("health.sql").replace("{body}", &literal(BODY))
}

/// The condition that all is there that records, and as this program installs it; for a superuser. It says no more than that, and is
/// short because a run asks it in a session that has read nothing yet: there each catalog that is joined costs the server a
/// tenth of a millisecond, and what [`health`] joins costs more than the migration.
pub(super) fn stands() -> String {
    include_str!("stands.sql").replace("{body}", &literal(BODY))
}

/// What records, shown for [`is_shown`]: nothing is compared there, since each kind of comparison costs a new session more than all that is
/// compared.
pub(super) const SHOWN: &str = "SELECT evtname, evtevent, evtenabled, evttags, pg_get_functiondef(evtfoid), \
    pg_get_userbyid((SELECT proowner FROM pg_proc WHERE oid = evtfoid)), to_regclass('migration_service.audit_entry'), \
    to_regclass('migration_service.audit_chain') FROM pg_event_trigger";

/// Whether all is there that records, as this program installs it, the function being `owner`'s.
pub(super) fn is_shown(shown: &BatchOutcome, owner: &str) -> bool {
    let function = format!(
        "CREATE OR REPLACE FUNCTION migration_service.audit_ddl()\n RETURNS event_trigger\n LANGUAGE plpgsql\n SECURITY DEFINER\n \
         SET search_path TO 'pg_catalog', 'pg_temp'\nAS $function${BODY}$function$\n"
    );
    TRIGGERS.iter().all(|(name, event)| {
        let wanted = [Some(*name), Some(*event), Some("A"), None, Some(function.as_str()), Some(owner)];
        let is_it = |row: &[Option<String>]| {
            let (trigger, tables) = row.split_at(wanted.len());
            trigger.iter().map(Option::as_deref).eq(wanted) && tables.iter().all(Option::is_some)
        };
        shown.rows().any(is_it)
    })
}

/// The query for why nothing is recorded. No row: nobody has looked yet.
pub(super) const STATE: &str = "SELECT value FROM migration_service.meta WHERE key = 'audit'";

/// Why nothing is recorded, given what [`STATE`] answered.
pub(crate) fn off(state: Option<&str>) -> Option<String> {
    match state {
        Some(ON) => None,
        Some(reason) => Some(format!("audit is off: {reason}")),
        None => Some(NOT_YET.to_owned()),
    }
}

/// The statement with which a preparation tells the log of itself, where the event triggers leave it to the engine.
pub(crate) fn tell_preparation(fingerprint: &str) -> String {
    format!(
        "DO $do$ BEGIN IF pg_catalog.current_setting('backtrace_functions') LIKE 'profe%told' THEN \
         INSERT INTO migration_service.audit_entry (event, command, acting_role, objects, context, via_service, run_id) \
         VALUES ('preparation', 'PREPARE', current_user, '[]', 'roles, schemas and grants of the catalogue '||{}, true, \
         pg_catalog.substr(pg_catalog.current_setting('backtrace_functions'), 7, 32)::uuid); END IF; END $do$",
        literal(fingerprint)
    )
}
