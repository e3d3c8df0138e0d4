//! Which statements may run code that somebody wrote: a body, a trigger, a default, a cast. The engine lets PostgreSQL
//! confine those to their role (see the engine's `target/confine.rs`).
//!
//! The list is of statements that certainly run none, so what is not on it costs a few microseconds and no safety.
//! Statements that build an index are on it: PostgreSQL evaluates an index's expressions in a security-restricted
//! operation as the table's owner (since 13.7 and 14.3, CVE-2022-1552).

use serde_json::Value;

use crate::parse::Statement;

pub(super) fn runs_code(statement: &Statement) -> bool {
    let tree = &statement.tree;
    !match statement.node.as_str() {
        "CommentStmt"
        | "GrantStmt"
        | "GrantRoleStmt"
        | "AlterDefaultPrivilegesStmt"
        | "ViewStmt"
        | "CreateTrigStmt"
        | "CreatePolicyStmt"
        | "AlterPolicyStmt"
        | "CreateEnumStmt"
        | "AlterEnumStmt"
        | "CompositeTypeStmt"
        | "CreateSeqStmt"
        | "AlterSeqStmt"
        | "RenameStmt"
        | "AlterOwnerStmt"
        | "AlterObjectSchemaStmt"
        | "DropStmt"
        | "IndexStmt"
        | "LockStmt"
        | "NotifyStmt"
        | "ListenStmt"
        | "UnlistenStmt"
        // A timeout that is set inside of a statement does not count for it: settings stay outside of the door.
        | "VariableSetStmt" => true,
        // Bounds and keys of partitions, and generated columns, are evaluated or folded as they are declared.
        "CreateStmt" => tree["partbound"].is_null() && tree["partspec"].is_null() && !generates(&tree["tableElts"]),
        "CreateSchemaStmt" => tree["schemaElts"].is_null(),
        // A language may run code while it checks a body; these two are known not to.
        "CreateFunctionStmt" => tree["options"].as_array().into_iter().flatten().all(|option| {
            let option = &option["DefElem"];
            option["defname"].as_str() != Some("language")
                || matches!(option["arg"]["String"]["sval"].as_str(), Some("sql" | "plpgsql"))
        }),
        "AlterTableStmt" => tree["cmds"].as_array().into_iter().flatten().all(|command| {
            matches!(
                command["AlterTableCmd"]["subtype"].as_str(),
                Some(
                    "AT_EnableRowSecurity"
                        | "AT_DisableRowSecurity"
                        | "AT_ForceRowSecurity"
                        | "AT_NoForceRowSecurity"
                        | "AT_ChangeOwner"
                        | "AT_DropNotNull"
                        | "AT_DropColumn"
                        | "AT_DropConstraint"
                        | "AT_SetStatistics"
                        | "AT_SetStorage"
                        | "AT_ReplicaIdentity"
                        | "AT_EnableTrig"
                        | "AT_DisableTrig"
                )
            )
        }),
        _ => false,
    }
}

fn generates(elements: &Value) -> bool {
    let columns = elements.as_array().into_iter().flatten();
    columns
        .flat_map(|element| element["ColumnDef"]["constraints"].as_array().into_iter().flatten())
        .any(|constraint| constraint["Constraint"]["contype"].as_str() == Some("CONSTR_GENERATED"))
}
