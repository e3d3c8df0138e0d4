//! Statements that would take the ground from under the engine: its transaction, its role, or the whole server.
//! This guards against mistakes; what a migration may do at all, PostgreSQL decides by its owner role.

use serde_json::Value;

use crate::parse::Statement;
use crate::tokens::{TokenKind, tokens};

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
        "DoStmt" | "CreateFunctionStmt" => {
            let options = if tree["args"].is_array() { &tree["args"] } else { &tree["options"] };
            let escapes = options.as_array().into_iter().flatten().any(|option| {
                let option = &option["DefElem"];
                option["defname"].as_str() == Some("as")
                    && super::walk::strings(&option["arg"]).iter().any(|b| changes_role(b))
            });
            escapes.then_some(
                "its body changes the role; a migration runs as its service's owner role and may not change it",
            )
        }
        _ if sets_role_by_call(tree) => Some("a migration runs as its service's owner role and may not change it"),
        _ => None,
    }
}

/// `set_config('role', …)` anywhere in the statement.
fn sets_role_by_call(value: &Value) -> bool {
    match value {
        Value::Object(fields) => {
            if let Some(call) = fields.get("FuncCall")
                && super::walk::strings(&call["funcname"]).last().is_some_and(|name| name == "set_config")
                && matches!(call["args"][0]["A_Const"]["sval"]["sval"].as_str(), Some(name) if is_role_setting(name))
            {
                return true;
            }
            fields.values().any(sets_role_by_call)
        }
        Value::Array(items) => items.iter().any(sets_role_by_call),
        _ => false,
    }
}

fn is_role_setting(name: &str) -> bool {
    name.eq_ignore_ascii_case("role") || name.eq_ignore_ascii_case("session_authorization")
}

/// `SET ROLE`, `RESET ROLE`, `SET SESSION AUTHORIZATION` spelled out in a body, also inside its strings.
fn changes_role(body: &str) -> bool {
    let Some(all) = tokens(body) else { return false };
    let code: Vec<String> =
        all.iter().filter(|t| t.kind != TokenKind::Comment).map(|t| body[t.start..t.end].to_lowercase()).collect();
    // `UPDATE … SET role = …` sets a column: only a SET that begins a statement sets the role.
    let begins = |at: usize| at == 0 || matches!(code[at - 1].as_str(), ";" | "begin" | "then" | "else" | "loop");
    let direct = (0..code.len()).any(|at| {
        let next = |n: usize| code.get(at + n).map_or("", String::as_str);
        match code[at].as_str() {
            "reset" => next(1) == "role",
            "set" if begins(at) => next(1) == "role" || (next(1) == "local" && next(2) == "role"),
            "session" => next(1) == "authorization",
            _ => false,
        }
    });
    let quoted = |text: &str| {
        ["set role", "set local role", "reset role", "session authorization"].iter().any(|w| text.contains(w))
    };
    direct || code.iter().any(|token| token.starts_with('\'') && quoted(token))
}
