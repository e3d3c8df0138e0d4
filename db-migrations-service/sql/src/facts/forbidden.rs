//! Statements that would take the ground from under the engine: its transaction, its role, or the whole server.
//! It is told before anything runs. What a body tries when it runs, PostgreSQL refuses by the role it is confined to.

use crate::parse::Statement;

pub(super) fn forbidden(statement: &Statement) -> Option<&'static str> {
    let tree = &statement.tree;
    match statement.node.as_str() {
        "TransactionStmt" => {
            Some("the engine opens and ends the transaction; remove BEGIN, COMMIT, ROLLBACK and SAVEPOINT")
        }
        "VariableSetStmt" => match tree["name"].as_str() {
            Some("role" | "session_authorization") => {
                Some("a migration runs as its service's owner role and may not change it")
            }
            Some(
                "TRANSACTION"
                | "SESSION CHARACTERISTICS"
                | "transaction_read_only"
                | "transaction_isolation"
                | "transaction_deferrable"
                | "default_transaction_read_only",
            ) => Some("the engine decides on its transaction: a migration writes, and its history row with it"),
            _ if tree["kind"].as_str() == Some("VAR_RESET_ALL") => {
                Some("RESET ALL would undo the engine's lock_timeout")
            }
            _ => None,
        },
        "DiscardStmt" => Some("DISCARD would end what the engine keeps in its session"),
        "CreatedbStmt" | "DropdbStmt" | "AlterDatabaseStmt" | "AlterDatabaseSetStmt" => {
            Some("databases belong to the server, not to a schema; create them outside of migrations")
        }
        "CreateTableSpaceStmt" | "DropTableSpaceStmt" | "AlterSystemStmt" => {
            Some("it changes the whole server, not a schema; do it outside of migrations")
        }
        "CreateRoleStmt" | "DropRoleStmt" | "AlterRoleStmt" | "AlterRoleSetStmt" => {
            Some("roles belong to the whole server; declare them in config/services.toml")
        }
        "CopyStmt" if tree["filename"].is_null() && tree["is_program"].as_bool() != Some(true) => {
            Some("COPY to or from the client carries data outside of SQL; use INSERT … VALUES, or a table")
        }
        "IndexStmt" if tree["concurrent"].as_bool() == Some(true) && tree["idxname"].is_null() => {
            Some("name the index, so that an interrupted build can be found and repaired")
        }
        "CopyStmt" if !tree["filename"].is_null() || tree["is_program"].as_bool() == Some(true) => {
            Some("COPY from or to the server's files is not repeatable elsewhere; use INSERT … VALUES")
        }
        _ => None,
    }
}
