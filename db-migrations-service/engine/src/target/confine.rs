//! Code that a migration brings along – bodies, triggers, defaults – runs where it cannot leave its role.
//!
//! `SET ROLE` alone is no wall: the session belongs to whoever connected, and any code that runs in it may say `RESET ROLE`.
//! Inside a `SECURITY DEFINER` function PostgreSQL refuses every change of `role` and `session_authorization`, whoever asks and
//! however it is spelled. So each owner role has one such function, its *door*: a statement that may run code is passed through
//! it. The door belongs to the role, which could therefore alter it; the door itself looks first whether it still is one.
//!
//! Not confined, and why: statements that certainly run no code (`sql_grammar::Facts::runs_code`), and those that PostgreSQL
//! lets nobody call from a function (`CREATE INDEX CONCURRENTLY`, `VACUUM`, …), in which it evaluates expressions in a
//! security-restricted operation itself.

use postgres_link::SqlError;

use super::quote::{identifier, literal};

/// Whether the server said that a door was altered, or is not there any more.
pub(crate) fn was_tampered(sql: &SqlError) -> bool {
    let missing = sql.sqlstate == "42883" && sql.internal_query.is_none() && sql.message.contains("migration_service.");
    sql.sqlstate == "PF001" || missing
}

/// Every name in it is qualified: it runs under the migration's search path. Its text cannot be altered by its owner, who
/// may not create anything in its schema; what `ALTER FUNCTION` can do is what it looks for, in the words in which the server shows a
/// function: a query would have a session that has read nothing yet look up twenty things more. It is called as its owner.
const BODY: &str = "$body$
DECLARE written pg_catalog.int8;
BEGIN
  IF (pg_catalog.current_setting('role') OPERATOR(pg_catalog.=) current_user::pg_catalog.text
      AND NOT pg_catalog.strpos(pg_catalog.pg_get_functiondef(pg_catalog.to_regprocedure('migration_service.'
            OPERATOR(pg_catalog.||) pg_catalog.quote_ident(current_user) OPERATOR(pg_catalog.||) '(pg_catalog.text)')),
            E'\\n LANGUAGE plpgsql\\n SECURITY DEFINER\\nAS ') OPERATOR(pg_catalog.=) 0) IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'PF001', MESSAGE = 'the function that confines migrations to their role was altered';
  END IF;
  EXECUTE sql;
  GET DIAGNOSTICS written = ROW_COUNT;
  RETURN written;
END $body$";

/// The statements that make the doors of `owners`; they may be repeated, and undo whatever was done to a door.
pub(crate) fn doors(owners: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    for owner in owners {
        let (door, owner) = (door(owner), identifier(owner));
        out.push(format!("DROP FUNCTION IF EXISTS {door}(pg_catalog.text)"));
        out.push(format!(
            "CREATE FUNCTION {door}(sql pg_catalog.text) RETURNS pg_catalog.int8 LANGUAGE plpgsql SECURITY DEFINER AS {BODY}"
        ));
        out.push(format!("REVOKE ALL ON FUNCTION {door}(pg_catalog.text) FROM PUBLIC"));
        // A function's new owner must have CREATE on the schema, for as long as it takes to become it.
        out.push(format!("GRANT USAGE, CREATE ON SCHEMA migration_service TO {owner}"));
        out.push(format!("ALTER FUNCTION {door}(pg_catalog.text) OWNER TO {owner}"));
        out.push(format!("REVOKE CREATE ON SCHEMA migration_service FROM {owner}"));
    }
    out
}

/// The statement that runs `sql` through the door of `owner`; it answers the number of rows that `sql` wrote or read.
pub(crate) fn through_door(owner: &str, sql: &str) -> String {
    format!("SELECT {}({})", door(owner), literal(sql))
}

/// The same for a statement of a migration, which stands between the run's marks ([`crate::audit::mark_of`]), so that the audit tells
/// it from what it runs.
pub(crate) fn sent_through_door(owner: &str, sql: &str, mark: &str) -> String {
    if sql.contains(mark) { through_door(owner, sql) } else { format!("SELECT {}({mark}{sql}{mark})", door(owner)) }
}

fn door(owner: &str) -> String {
    format!("migration_service.{}", identifier(owner))
}
