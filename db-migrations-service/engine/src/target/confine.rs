//! Code that a migration brings along – bodies, triggers, defaults – runs where it cannot leave its role.
//!
//! `SET ROLE` alone is no wall: the session belongs to whoever connected, and any code that runs in it may say `RESET ROLE`.
//! Inside a `SECURITY DEFINER` function PostgreSQL refuses every change of `role` and `session_authorization`, whoever asks and
//! however it is spelled. So each owner role has one such function, its *door*: a statement that may run code is passed through
//! it. The door belongs to the role, which could therefore alter it; every call checks first that it still is what it was.
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

/// What is the same for all owner roles. Every name in the body is qualified: it runs under the migration's search path.
const CHECK: &str = "CREATE OR REPLACE FUNCTION migration_service.checked(door pg_catalog.regprocedure, sql pg_catalog.text)
 RETURNS pg_catalog.text LANGUAGE plpgsql STABLE AS $body$
BEGIN
  PERFORM FROM pg_catalog.pg_proc p
    WHERE p.oid OPERATOR(pg_catalog.=) door AND p.prosecdef AND p.proconfig IS NULL
      AND pg_catalog.pg_get_userbyid(p.proowner) OPERATOR(pg_catalog.=) p.proname;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'PF001', MESSAGE = 'the function that confines migrations to their role was altered';
  END IF;
  RETURN sql;
END $body$";

/// The statements that make the doors of `owners`; they may be repeated, and undo whatever was done to a door.
pub(crate) fn doors(owners: &[String]) -> Vec<String> {
    let check = "migration_service.checked(pg_catalog.regprocedure, pg_catalog.text)";
    let mut out = vec![CHECK.to_owned(), format!("REVOKE ALL ON FUNCTION {check} FROM PUBLIC")];
    for owner in owners {
        let (door, owner) = (door(owner), identifier(owner));
        out.push(format!("DROP FUNCTION IF EXISTS {door}(pg_catalog.text)"));
        out.push(format!(
            "CREATE FUNCTION {door}(sql pg_catalog.text) RETURNS pg_catalog.int8 LANGUAGE plpgsql SECURITY DEFINER AS $body$
DECLARE written pg_catalog.int8;
BEGIN
  EXECUTE sql;
  GET DIAGNOSTICS written = ROW_COUNT;
  RETURN written;
END $body$"
        ));
        out.push(format!("REVOKE ALL ON FUNCTION {door}(pg_catalog.text) FROM PUBLIC"));
        // A function's new owner must have CREATE on the schema, for as long as it takes to become it.
        out.push(format!("GRANT USAGE, CREATE ON SCHEMA migration_service TO {owner}"));
        out.push(format!("ALTER FUNCTION {door}(pg_catalog.text) OWNER TO {owner}"));
        out.push(format!("REVOKE CREATE ON SCHEMA migration_service FROM {owner}"));
        out.push(format!("GRANT EXECUTE ON FUNCTION {check} TO {owner}"));
    }
    out
}

/// The statement that runs `sql` through the door of `owner`; it answers the number of rows that `sql` wrote or read.
pub(crate) fn through_door(owner: &str, sql: &str) -> String {
    let door = door(owner);
    let signature = literal(&format!("{door}(pg_catalog.text)"));
    format!("SELECT {door}(migration_service.checked({signature}::pg_catalog.regprocedure,{}))", literal(sql))
}

fn door(owner: &str) -> String {
    format!("migration_service.{}", identifier(owner))
}
