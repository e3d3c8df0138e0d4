//! CREATE TABLE, CREATE TABLE AS, views, indexes.

use serde_json::Value;

use super::query::Depth;
use super::{Draft, WorkKind};
use crate::catalog::{Id, RelationKind};
use crate::mode::LockMode;
use crate::tree::{flag, list, range, strings, text};

impl Draft<'_> {
    pub(super) fn create_table(&mut self, tree: &Value) {
        let (schema, name) = range(&tree["relation"]);
        if flag(tree, "if_not_exists") && self.catalog.find(schema, name).is_some() {
            return;
        }
        self.creates(schema, name);
        let partition = !tree["partbound"].is_null();
        for parent in list(tree, "inhRelations") {
            let Some(parent) = self.find(&parent["RangeVar"], false) else { continue };
            let mode = if partition { LockMode::AccessExclusive } else { LockMode::ShareUpdateExclusive };
            self.lock(parent.id, mode);
            if partition {
                self.joins_partitions(parent.id);
                self.inherits_keys(parent.id);
            }
        }
        for element in list(tree, "tableElts") {
            let like = &element["TableLikeClause"];
            if like.is_object()
                && let Some(source) = self.find(&like["relation"], false)
            {
                self.lock(source.id, LockMode::AccessShare);
            }
            self.foreign_key(&element["Constraint"]);
            self.default_sequence(&element["ColumnDef"]);
            for constraint in list(&element["ColumnDef"], "constraints") {
                self.foreign_key(&constraint["Constraint"]);
            }
        }
        for constraint in list(tree, "constraints") {
            self.foreign_key(&constraint["Constraint"]);
        }
        self.typed(&tree["ofTypename"]);
    }

    /// `OF type`: the attributes of the composite type are read.
    pub(super) fn typed(&mut self, type_name: &Value) {
        if let Some(of_type) = self.catalog.find_type(&strings(&type_name["names"])) {
            self.lock(of_type.relation, LockMode::AccessShare);
        }
    }

    /// Some minor releases open the sequence that a stored expression names (seen on 15.20), others do not (14.23,
    /// 16.14, 17.10, 18.4).
    pub(super) fn default_sequence(&mut self, expression: &Value) {
        for sequence in self.sequences_named_in(expression) {
            self.maybe(sequence, LockMode::AccessShare);
        }
    }

    /// The table that a new foreign key points at.
    pub(super) fn foreign_key(&mut self, constraint: &Value) -> Option<Id> {
        if text(constraint, "contype") != "CONSTR_FOREIGN" {
            return None;
        }
        let (schema, name) = range(&constraint["pktable"]);
        let wanted = schema.unwrap_or(self.catalog.default_schema());
        // A table may point at itself before it is there.
        if self.created.iter().any(|made| made.schema == wanted && made.name == name) {
            return None;
        }
        let referenced = self.find(&constraint["pktable"], false)?.id;
        self.lock(referenced, LockMode::ShareRowExclusive);
        self.lock_all(self.catalog.descendants(referenced), LockMode::ShareRowExclusive);
        Some(referenced)
    }

    /// A new partition takes rows that the default partition may hold.
    pub(super) fn joins_partitions(&mut self, parent: Id) {
        let Some(default) = self.catalog.relations.get(&parent).and_then(|p| p.default_partition) else { return };
        self.lock(default, LockMode::AccessExclusive);
        let mut all = self.catalog.descendants(default);
        self.lock_all(all.clone(), LockMode::AccessExclusive);
        all.push(default);
        for id in all {
            self.work(id, WorkKind::Scan, "partition-scans-default", None);
        }
    }

    /// A partition gets the foreign keys of its parent, in both directions.
    pub(super) fn inherits_keys(&mut self, parent: Id) {
        for key in self.catalog.constraints_of(parent).filter(|c| c.kind == "f") {
            self.lock(key.referenced, LockMode::ShareRowExclusive);
            self.lock_all(self.catalog.descendants(key.referenced), LockMode::ShareRowExclusive);
        }
        let mode = if self.version() >= 15 { LockMode::ShareRowExclusive } else { LockMode::AccessShare };
        for key in self.catalog.referencing(parent) {
            self.lock(key.relation, mode);
        }
    }

    pub(super) fn create_table_as(&mut self, tree: &Value) {
        let (schema, name) = range(&tree["into"]["rel"]);
        if flag(tree, "if_not_exists") && self.catalog.find(schema, name).is_some() {
            return;
        }
        self.creates(schema, name);
        let empty = flag(&tree["into"], "skipData");
        self.query(&tree["query"], if empty { Depth::Named } else { Depth::Planned });
        if tree["query"]["ExecuteStmt"].is_object() {
            self.unknown("a prepared statement is run, which is not part of this file");
        }
    }

    pub(super) fn create_view(&mut self, tree: &Value) {
        let (schema, name) = range(&tree["view"]);
        match self.catalog.find(schema, name).filter(|_| flag(tree, "replace")) {
            Some(view) => self.lock(view.id, LockMode::AccessExclusive),
            None => self.creates(schema, name),
        }
        self.query(&tree["query"], Depth::Named);
    }

    pub(super) fn create_index(&mut self, tree: &Value) {
        let Some(table) = self.find(&tree["relation"], false) else { return };
        let (index, concurrent) = (text(tree, "idxname"), flag(tree, "concurrent"));
        let exists = !index.is_empty() && self.catalog.find(Some(&table.schema), index).is_some();
        let mode = if concurrent { LockMode::ShareUpdateExclusive } else { LockMode::Share };
        self.lock(table.id, mode);
        let inherit = flag(&tree["relation"], "inh") && table.kind == RelationKind::PartitionedTable;
        let below = if inherit { self.catalog.descendants(table.id) } else { Vec::new() };
        self.lock_all(below.clone(), mode);
        if exists && flag(tree, "if_not_exists") {
            return;
        }
        if !index.is_empty() {
            self.creates(Some(&table.schema), index);
        }
        let safer = (!concurrent).then(|| {
            if inherit {
                "CREATE INDEX … ON ONLY the partitioned table, CREATE INDEX CONCURRENTLY on each partition, then ALTER \
                 INDEX … ATTACH PARTITION"
                    .to_owned()
            } else {
                let unique = if flag(tree, "unique") { "UNIQUE " } else { "" };
                format!("CREATE {unique}INDEX CONCURRENTLY {index} ON {} (…);", table.qualified())
            }
        });
        for id in below.into_iter().chain([table.id]) {
            self.work(id, WorkKind::IndexBuild, "index-blocks-writers", safer.clone());
        }
        self.calls(tree);
    }
}
