//! The subcommands of ALTER TABLE that read or rewrite rows, or reach other tables.

use serde_json::Value;

use super::alter::Reach;
use super::{Draft, WorkKind, types};
use crate::catalog::{Class, Column, Constraint, Id, Object, Relation, RelationKind};
use crate::mode::LockMode;
use crate::tree::{flag, list, range, strings, text};

impl Draft<'_> {
    pub(super) fn add_column(&mut self, relation: &Relation, command: &Value, inherit: bool) -> Reach {
        let column = &command["def"]["ColumnDef"];
        let name = text(column, "colname");
        if flag(command, "missing_ok") && relation.column(name).is_some() {
            return Reach::Itself;
        }
        let (mut rewrite, mut scan) = (None, false);
        let type_name = strings(&column["typeName"]["names"]).pop().unwrap_or_default();
        let backfill = format!(
            "ALTER TABLE {} ADD COLUMN {name} … without the default; then SET DEFAULT, and fill the old rows in batches",
            relation.qualified()
        );
        if type_name.ends_with("serial") || matches!(type_name.as_str(), "serial2" | "serial4" | "serial8") {
            rewrite = Some("rewrite-volatile-default");
        }
        if types::resolve(self.catalog, &column["typeName"]).is_some_and(|t| self.catalog.is_constrained(t.id)) {
            rewrite = Some("rewrite-constrained-domain");
        }
        let (mut index, mut key) = (false, false);
        let constraints = || list(column, "constraints").iter().map(|c| &c["Constraint"]);
        let has_default = constraints().any(|c| text(c, "contype") == "CONSTR_DEFAULT");
        let is_virtual = constraints().any(|c| text(c, "generated_kind") == "v");
        for constraint in constraints() {
            match text(constraint, "contype") {
                "CONSTR_DEFAULT" => {
                    if types::is_volatile(self.catalog, &constraint["raw_expr"]) {
                        rewrite = Some("rewrite-volatile-default");
                    }
                    self.calls(&constraint["raw_expr"]);
                    self.default_sequence(&constraint["raw_expr"]);
                }
                "CONSTR_IDENTITY" => rewrite = Some("rewrite-volatile-default"),
                "CONSTR_GENERATED" if text(constraint, "generated_kind") != "v" => {
                    rewrite = Some("rewrite-generated-column");
                }
                "CONSTR_CHECK" => scan = true,
                "CONSTR_NOTNULL" => scan |= is_virtual,
                "CONSTR_PRIMARY" | "CONSTR_UNIQUE" => {
                    index = true;
                    scan |= text(constraint, "contype") == "CONSTR_PRIMARY";
                }
                "CONSTR_FOREIGN" => {
                    self.foreign_key(constraint);
                    // Without a default there is nothing to look up.
                    key |= has_default;
                }
                _ => {}
            }
        }
        for id in self.family(relation, inherit) {
            if let Some(code) = rewrite {
                self.work(id, WorkKind::Rewrite, code, Some(backfill.clone()));
            } else if scan {
                self.work(id, WorkKind::Scan, "new-column-scans", Some(backfill.clone()));
            }
            if key && rewrite.is_none() {
                self.work(id, WorkKind::Scan, "foreign-key-scans", Some(backfill.clone()));
            }
            if index {
                self.work(id, WorkKind::IndexBuild, "constraint-builds-index", None);
            }
        }
        Reach::Descendants
    }

    pub(super) fn set_not_null(&mut self, relation: &Relation, column: &str, inherit: bool) {
        let safer = format!(
            "ALTER TABLE {0} ADD CONSTRAINT {column}_not_null CHECK ({column} IS NOT NULL) NOT VALID; ALTER TABLE {0} \
             VALIDATE CONSTRAINT {column}_not_null; ALTER TABLE {0} ALTER COLUMN {column} SET NOT NULL; ALTER TABLE {0} \
             DROP CONSTRAINT {column}_not_null;",
            relation.qualified()
        );
        for id in self.family(relation, inherit) {
            let Some(table) = self.catalog.relations.get(&id) else { continue };
            if table.column(column).is_some_and(|found| self.may_be_null(table, found, true)) {
                self.work(id, WorkKind::Scan, "not-null-scans", Some(safer.clone()));
            }
        }
    }

    /// Whether the server has to look at the rows. `checks`: a validated CHECK that says so saves it the look.
    pub(super) fn may_be_null(&self, table: &Relation, column: &Column, checks: bool) -> bool {
        let open = |c: &Constraint| c.kind == "n" && !c.validated && c.columns.contains(&column.number);
        if column.not_null && !self.catalog.constraints_of(table.id).any(open) {
            return false;
        }
        !self
            .catalog
            .constraints_of(table.id)
            .any(|c| checks && c.kind == "c" && c.validated && c.not_null.contains(&column.number))
    }

    pub(super) fn column_type(&mut self, relation: &Relation, command: &Value, inherit: bool) -> Reach {
        let name = text(command, "name");
        let definition = &command["def"]["ColumnDef"];
        let Some(to) = types::resolve(self.catalog, &definition["typeName"]) else {
            self.unknown(format!("the new type of {name} is not known here"));
            return Reach::Descendants;
        };
        let safer = format!(
            "add a column of the new type to {}, keep it in step by a trigger, fill it in batches, then rename both",
            relation.qualified()
        );
        for id in self.family(relation, inherit) {
            let Some(table) = self.catalog.relations.get(&id) else { continue };
            let Some(column) = table.column(name) else { continue };
            let rewrite = types::needs_rewrite(self.catalog, column, to, &definition["raw_default"]);
            let same_operators = types::keeps_indexes(self.catalog, column, to, definition);
            if rewrite {
                self.work(id, WorkKind::Rewrite, "rewrite-column-type", Some(safer.clone()));
            }
            if self.rebuilds_index(table, column.number, same_operators) {
                self.work(id, WorkKind::IndexBuild, "type-change-builds-index", Some(safer.clone()));
            }
            self.rebuilt_constraints(table, column.number, same_operators, rewrite);
        }
        self.calls(&definition["raw_default"]);
        Reach::Descendants
    }

    fn rebuilds_index(&self, table: &Relation, column: i32, same_operators: bool) -> bool {
        let uses = Object { class: Class::Relation, id: table.id, sub: column };
        let dependents = self.catalog.falls_with(&[uses]);
        self.catalog.indexes_of(table.id).any(|index| {
            let keyed = index.keys.as_ref().is_some_and(|keys| keys.contains(&column));
            let computed = index.expressions == Some(true);
            if computed {
                keyed || dependents.contains(&Object::new(Class::Relation, index.id))
            } else {
                keyed && (!same_operators || index.is_partition)
            }
        })
    }

    /// Constraints over the column are dropped and made again.
    fn rebuilt_constraints(&mut self, table: &Relation, column: i32, same_operators: bool, rewritten: bool) {
        let catalog = self.catalog;
        for check in catalog.constraints_of(table.id).filter(|c| c.kind == "c" && c.columns.contains(&column)) {
            if check.validated {
                self.work(table.id, WorkKind::Scan, "type-change-scans", None);
            }
        }
        let keys = catalog.constraints.values().filter(|c| c.kind == "f").filter(|c| {
            (c.relation == table.id && c.columns.contains(&column))
                || (c.referenced == table.id && c.referenced_columns.contains(&column))
        });
        for key in keys {
            self.lock(key.relation, LockMode::AccessExclusive);
            self.lock(key.referenced, LockMode::AccessExclusive);
            if key.validated && !same_operators && (key.relation != table.id || !rewritten) {
                self.work(key.relation, WorkKind::Scan, "type-change-scans", None);
            }
        }
    }

    pub(super) fn add_constraint(&mut self, table: &Relation, constraint: &Value, inherit: bool) -> Reach {
        let valid = !flag(constraint, "skip_validation");
        let in_two_steps = format!(
            "ALTER TABLE {0} ADD CONSTRAINT {1} … NOT VALID; then, in a migration of its own, ALTER TABLE {0} VALIDATE \
             CONSTRAINT {1};",
            table.qualified(),
            Some(text(constraint, "conname")).filter(|name| !name.is_empty()).unwrap_or("…")
        );
        match text(constraint, "contype") {
            "CONSTR_FOREIGN" => {
                self.foreign_key(constraint);
                if valid {
                    for id in self.family(table, inherit) {
                        self.work(id, WorkKind::Scan, "foreign-key-scans", Some(in_two_steps.clone()));
                    }
                }
                Reach::Descendants
            }
            "CONSTR_CHECK" => {
                let inherit = inherit && !flag(constraint, "is_no_inherit");
                if valid {
                    for id in self.family(table, inherit) {
                        self.work(id, WorkKind::Scan, "check-scans", Some(in_two_steps.clone()));
                    }
                }
                self.calls(&constraint["raw_expr"]);
                if inherit || self.version() >= 18 { Reach::Descendants } else { Reach::Itself }
            }
            "CONSTR_NOTNULL" => {
                if valid {
                    for column in strings(&constraint["keys"]) {
                        self.set_not_null(table, &column, inherit);
                    }
                }
                Reach::Descendants
            }
            "CONSTR_PRIMARY" | "CONSTR_UNIQUE" | "CONSTR_EXCLUSION" => self.add_key(table, constraint),
            _ => Reach::Itself,
        }
    }

    fn add_key(&mut self, table: &Relation, constraint: &Value) -> Reach {
        let primary = text(constraint, "contype") == "CONSTR_PRIMARY";
        let mut columns = strings(&constraint["keys"]);
        let existing = self.catalog.find(Some(&table.schema), text(constraint, "indexname"));
        if let Some(index) = existing.filter(|_| !text(constraint, "indexname").is_empty()) {
            // The index takes the constraint's name, if it has another.
            let name = text(constraint, "conname");
            let renames = !name.is_empty() && name != index.name;
            self.lock(index.id, if renames { LockMode::ShareUpdateExclusive } else { LockMode::AccessShare });
            let keys = index.keys.clone().unwrap_or_default();
            columns = table.columns.iter().filter(|c| keys.contains(&c.number)).map(|c| c.name.clone()).collect();
        } else {
            let what = if primary { "PRIMARY KEY" } else { "UNIQUE" };
            let safer = (text(constraint, "contype") != "CONSTR_EXCLUSION").then(|| {
                format!(
                    "CREATE UNIQUE INDEX CONCURRENTLY name ON {0} ({1}); then ALTER TABLE {0} ADD {what} USING INDEX \
                     name;",
                    table.qualified(),
                    columns.join(", ")
                )
            });
            for id in self.family(table, table.kind == RelationKind::PartitionedTable) {
                self.work(id, WorkKind::IndexBuild, "constraint-builds-index", safer.clone());
            }
        }
        let nullable = columns
            .iter()
            .filter(|name| table.column(name).is_some_and(|column| self.may_be_null(table, column, true)))
            .cloned()
            .collect::<Vec<_>>();
        if primary {
            for column in nullable {
                self.set_not_null(table, &column, true);
            }
        }
        if table.kind == RelationKind::PartitionedTable && !primary && self.version() < 18 {
            self.lock_all(self.catalog.descendants(table.id), LockMode::Share);
            return Reach::Itself;
        }
        if primary || table.kind == RelationKind::PartitionedTable { Reach::Descendants } else { Reach::Itself }
    }

    pub(super) fn validate(&mut self, table: &Relation, name: &str, inherit: bool) -> Reach {
        let Some(constraint) = self.catalog.constraint(table.id, name) else {
            self.unknown(format!("this database has no constraint {name}, so the statement is expected to fail"));
            return Reach::Itself;
        };
        if constraint.validated {
            return Reach::Itself;
        }
        if constraint.kind == "f" {
            self.lock(constraint.referenced, LockMode::RowShare);
            self.work(table.id, WorkKind::Scan, "validate-scans", None);
            return Reach::Itself;
        }
        for id in self.family(table, inherit) {
            self.work(id, WorkKind::Scan, "validate-scans", None);
        }
        Reach::Descendants
    }

    pub(super) fn drop_constraint(&mut self, table: &Relation, command: &Value) -> Reach {
        let Some(constraint) = self.catalog.constraint(table.id, text(command, "name")) else {
            if !flag(command, "missing_ok") {
                let name = text(command, "name");
                self.unknown(format!("this database has no constraint {name}, so the statement is expected to fail"));
            }
            return Reach::Itself;
        };
        self.falls(&[Object::new(Class::Constraint, constraint.id)]);
        if constraint.kind == "f" {
            self.lock(constraint.referenced, LockMode::AccessExclusive);
        }
        if constraint.kind == "c" || constraint.kind == "n" { Reach::Descendants } else { Reach::Itself }
    }

    pub(super) fn attach(&mut self, parent: &Relation, command: &Value) -> Reach {
        let partition = &command["def"]["PartitionCmd"];
        if parent.kind.is_index() {
            return self.attach_index(parent, partition);
        }
        let Some(child) = self.find(&partition["name"], false) else { return Reach::Itself };
        let below = self.catalog.descendants(child.id);
        self.lock(child.id, LockMode::AccessExclusive);
        self.lock_all(below.clone(), LockMode::AccessExclusive);
        let safer = format!(
            "a CHECK constraint that says the bounds on {0}, added NOT VALID and validated beforehand, saves the scan",
            child.qualified()
        );
        for id in below.into_iter().chain([child.id]) {
            self.work(id, WorkKind::Scan, "attach-partition-scans", Some(safer.clone()));
        }
        self.joins_partitions(parent.id);
        self.inherits_keys(parent.id);
        // Indexes of the parent that the partition lacks are built on it.
        let columns = |table: &Relation, index: &Relation| -> Vec<String> {
            let keys = index.keys.clone().unwrap_or_default();
            keys.iter().filter_map(|k| table.columns.iter().find(|c| c.number == *k).map(|c| c.name.clone())).collect()
        };
        let have: Vec<_> = self.catalog.indexes_of(child.id).map(|i| columns(child, i)).collect();
        if self.catalog.indexes_of(parent.id).any(|index| !have.contains(&columns(parent, index))) {
            let safer = "create the parent's indexes on the partition beforehand, CONCURRENTLY".to_owned();
            self.work(child.id, WorkKind::IndexBuild, "attach-partition-builds-index", Some(safer));
        }
        Reach::Itself
    }

    fn attach_index(&mut self, parent: &Relation, partition: &Value) -> Reach {
        let (schema, name) = range(&partition["name"]);
        if let Some(index) = self.find_name(schema, name, false) {
            self.lock(index.id, LockMode::AccessExclusive);
            self.lock_all(index.index_of, LockMode::AccessShare);
        }
        self.lock_all(parent.index_of, LockMode::AccessShare);
        Reach::Itself
    }

    /// The partition gets foreign keys of its own; no row that points at its parent may need it.
    fn leaves_keys(&mut self, parent: &Relation, child: &Relation) {
        for key in self.catalog.constraints_of(child.id).filter(|c| c.kind == "f") {
            self.lock(key.referenced, LockMode::ShareRowExclusive);
        }
        for key in self.catalog.referencing(parent.id) {
            self.lock(key.relation, LockMode::AccessExclusive);
            self.work(key.relation, WorkKind::Scan, "detach-partition-scans", None);
        }
    }

    pub(super) fn detach(&mut self, parent: &Relation, command: &Value) -> Reach {
        let partition = &command["def"]["PartitionCmd"];
        let concurrent = flag(partition, "concurrent");
        let Some(child) = self.find(&partition["name"], false) else { return Reach::Itself };
        self.lock(child.id, LockMode::AccessExclusive);
        if !concurrent {
            let default: Option<Id> = parent.default_partition;
            self.lock_all(default, LockMode::AccessExclusive);
        }
        self.leaves_keys(parent, child);
        Reach::Itself
    }
}
