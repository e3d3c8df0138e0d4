//! ALTER TABLE and its kin: the level of each subcommand, and whom it reaches.

use serde_json::Value;

use super::{Draft, WorkKind};
use crate::catalog::{Class, Object, Relation, RelationKind};
use crate::mode::LockMode;
use crate::tree::{flag, list, text};

/// Whom a subcommand reaches beside the relation itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    Itself,
    Descendants,
}

impl Draft<'_> {
    pub(super) fn alter_table(&mut self, tree: &Value) {
        let Some(relation) = self.find(&tree["relation"], flag(tree, "missing_ok")) else { return };
        if text(tree, "objtype") == "OBJECT_TYPE" {
            self.lock(relation.id, LockMode::AccessExclusive);
            return;
        }
        let commands: Vec<&Value> = list(tree, "cmds").iter().map(|c| &c["AlterTableCmd"]).collect();
        // The server takes the strongest of all subcommands' levels at once, on whatever they reach.
        let level = commands.iter().map(|c| level(c, relation)).max().unwrap_or(LockMode::AccessExclusive);
        self.lock(relation.id, level);
        let inherit = flag(&tree["relation"], "inh");
        for command in commands {
            let reach = self.subcommand(relation, command, inherit, level);
            if inherit && reach == Reach::Descendants {
                self.lock_all(self.catalog.descendants(relation.id), level);
            }
        }
    }

    /// The relation, and what is below it where the command goes down.
    pub(super) fn family(&self, relation: &Relation, inherit: bool) -> Vec<u32> {
        let mut all = vec![relation.id];
        if inherit {
            all.extend(self.catalog.descendants(relation.id));
        }
        all
    }

    fn subcommand(&mut self, relation: &Relation, command: &Value, inherit: bool, level: LockMode) -> Reach {
        let partitioned = relation.kind == RelationKind::PartitionedTable;
        let rewrite = |draft: &mut Self, code, safer: &str| {
            draft.work(relation.id, WorkKind::Rewrite, code, Some(safer.to_owned()));
        };
        match text(command, "subtype") {
            "AT_AddColumn" => self.add_column(relation, command, inherit),
            "AT_DropColumn" => self.drop_column(relation, command),
            "AT_AlterColumnType" => self.column_type(relation, command, inherit),
            "AT_SetNotNull" => {
                let name = text(command, "name");
                self.set_not_null(relation, name, inherit);
                // Since 18 the server first looks whether there is anything to do.
                let done = relation.column(name).is_some_and(|column| !self.may_be_null(relation, column, false));
                if done && self.version() >= 18 { Reach::Itself } else { Reach::Descendants }
            }
            "AT_ColumnDefault" => {
                self.default_sequence(&command["def"]);
                Reach::Descendants
            }
            "AT_DropNotNull" if self.version() >= 18 => {
                // The children follow where there is something to take away.
                let set = relation.column(text(command, "name")).is_some_and(|column| column.not_null);
                if set { Reach::Descendants } else { Reach::Itself }
            }
            "AT_DropNotNull" | "AT_SetStatistics" | "AT_SetStorage" | "AT_DropExpression" => Reach::Descendants,
            "AT_SetExpression" => {
                for id in self.family(relation, inherit) {
                    let safer = "a new column beside it, filled in batches, then renamed";
                    self.work(id, WorkKind::Rewrite, "rewrite-generated-column", Some(safer.to_owned()));
                }
                Reach::Descendants
            }
            "AT_AddIdentity" | "AT_SetIdentity" | "AT_DropIdentity" => {
                let mode = match text(command, "subtype") {
                    "AT_DropIdentity" => LockMode::AccessExclusive,
                    _ => LockMode::ShareRowExclusive,
                };
                if let Some(column) = relation.column(text(command, "name")) {
                    self.lock_all(self.catalog.sequence_of(relation.id, column.number), mode);
                }
                if self.version() >= 17 && partitioned { Reach::Descendants } else { Reach::Itself }
            }
            "AT_AddConstraint" => self.add_constraint(relation, &command["def"]["Constraint"], inherit),
            "AT_ValidateConstraint" => self.validate(relation, text(command, "name"), inherit),
            "AT_DropConstraint" => self.drop_constraint(relation, command),
            "AT_EnableTrig"
            | "AT_EnableAlwaysTrig"
            | "AT_EnableReplicaTrig"
            | "AT_DisableTrig"
            | "AT_EnableTrigAll"
            | "AT_DisableTrigAll"
            | "AT_EnableTrigUser"
            | "AT_DisableTrigUser"
                if partitioned =>
            {
                Reach::Descendants
            }
            "AT_AddInherit" | "AT_DropInherit" => {
                if let Some(parent) = self.find(&command["def"]["RangeVar"], false) {
                    let adds = text(command, "subtype") == "AT_AddInherit";
                    self.lock(parent.id, if adds { LockMode::ShareUpdateExclusive } else { LockMode::AccessShare });
                }
                Reach::Itself
            }
            "AT_AddOf" => {
                self.typed(&command["def"]["TypeName"]);
                Reach::Itself
            }
            "AT_AttachPartition" => self.attach(relation, command),
            "AT_DetachPartition" | "AT_DetachPartitionFinalize" => self.detach(relation, command),
            "AT_ChangeOwner" => {
                let role = &command["newowner"];
                let name = role["rolename"].as_str().unwrap_or(&self.catalog.user);
                if relation.owner != name {
                    self.owned_sequences(relation.id);
                }
                Reach::Itself
            }
            "AT_SetLogged" | "AT_SetUnLogged" => {
                let wanted = if text(command, "subtype") == "AT_SetLogged" { "p" } else { "u" };
                if relation.persistence != wanted {
                    rewrite(self, "rewrite-persistence", "a new table, filled in batches, then renamed");
                    if self.version() >= 15 {
                        self.owned_sequences(relation.id);
                    }
                }
                Reach::Itself
            }
            "AT_SetAccessMethod" => {
                let method = text(command, "name");
                if relation.method != if method.is_empty() { "heap" } else { method } {
                    rewrite(self, "rewrite-access-method", "a new table, filled in batches, then renamed");
                }
                Reach::Itself
            }
            "AT_SetTableSpace" => {
                let wanted = text(command, "name");
                if relation.tablespace != if wanted == "pg_default" { "" } else { wanted } {
                    rewrite(
                        self,
                        "rewrite-tablespace",
                        "pg_repack --tablespace, which holds its lock only for the swap",
                    );
                }
                Reach::Itself
            }
            "AT_ReplicaIdentity" => {
                let index = text(&command["def"]["ReplicaIdentityStmt"], "name");
                if let Some(index) = self.catalog.find(Some(&relation.schema), index) {
                    self.lock(index.id, LockMode::Share);
                }
                Reach::Itself
            }
            "AT_ClusterOn" => {
                if let Some(index) = self.catalog.find(Some(&relation.schema), text(command, "name")) {
                    self.lock(index.id, level);
                }
                Reach::Itself
            }
            _ => Reach::Itself,
        }
    }

    fn drop_column(&mut self, relation: &Relation, command: &Value) -> Reach {
        if let Some(column) = relation.column(text(command, "name")) {
            self.falls(&[Object { class: Class::Relation, id: relation.id, sub: column.number }]);
        }
        Reach::Descendants
    }
}

/// PostgreSQL's `AlterTableGetLockLevel`.
fn level(command: &Value, relation: &Relation) -> LockMode {
    match text(command, "subtype") {
        "AT_SetStatistics"
        | "AT_ClusterOn"
        | "AT_DropCluster"
        | "AT_SetOptions"
        | "AT_ResetOptions"
        | "AT_ValidateConstraint"
        | "AT_AttachPartition"
        | "AT_DetachPartitionFinalize" => LockMode::ShareUpdateExclusive,
        "AT_DetachPartition" if flag(&command["def"]["PartitionCmd"], "concurrent") => LockMode::ShareUpdateExclusive,
        "AT_EnableTrig"
        | "AT_EnableAlwaysTrig"
        | "AT_EnableReplicaTrig"
        | "AT_EnableTrigAll"
        | "AT_EnableTrigUser"
        | "AT_DisableTrig"
        | "AT_DisableTrigAll"
        | "AT_DisableTrigUser" => LockMode::ShareRowExclusive,
        "AT_AddConstraint" if text(&command["def"]["Constraint"], "contype") == "CONSTR_FOREIGN" => {
            LockMode::ShareRowExclusive
        }
        "AT_SetRelOptions" | "AT_ResetRelOptions" => {
            let options = command["def"]["List"]["items"].as_array().into_iter().flatten();
            options.map(|o| storage_parameter(&o["DefElem"], relation)).max().unwrap_or(LockMode::ShareUpdateExclusive)
        }
        _ => LockMode::AccessExclusive,
    }
}

/// The levels in PostgreSQL's `reloptions.c`.
fn storage_parameter(option: &Value, relation: &Relation) -> LockMode {
    let name = text(option, "defname");
    let weak = match relation.kind {
        RelationKind::Index | RelationKind::PartitionedIndex => {
            matches!(name, "fillfactor" | "deduplicate_items")
        }
        _ => {
            name.starts_with("autovacuum_")
                || matches!(
                    name,
                    "fillfactor"
                        | "toast_tuple_target"
                        | "parallel_workers"
                        | "log_autovacuum_min_duration"
                        | "vacuum_index_cleanup"
                        | "vacuum_truncate"
                        | "vacuum_max_eager_freeze_failure_rate"
                )
        }
    };
    if weak { LockMode::ShareUpdateExclusive } else { LockMode::AccessExclusive }
}
