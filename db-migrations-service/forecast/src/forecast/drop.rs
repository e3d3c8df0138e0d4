//! DROP, with what falls with it.

use serde_json::Value;

use super::Draft;
use crate::catalog::{Catalog, Class, Constraint, Id, Object, RelationKind};
use crate::mode::LockMode;
use crate::tree::{flag, list, split_name, strings, text};

/// The objects that a `DropStmt` names and this database has.
pub(crate) fn named(catalog: &Catalog, tree: &Value) -> Vec<Object> {
    let one = |item: &Value| -> Option<Object> {
        let parts = strings(item);
        match text(tree, "removeType") {
            "OBJECT_TABLE"
            | "OBJECT_VIEW"
            | "OBJECT_MATVIEW"
            | "OBJECT_INDEX"
            | "OBJECT_SEQUENCE"
            | "OBJECT_FOREIGN_TABLE" => {
                let (schema, name) = split_name(&parts);
                catalog.find(schema, name).map(|r| Object::new(Class::Relation, r.id))
            }
            "OBJECT_TYPE" | "OBJECT_DOMAIN" => {
                let of_type = catalog.find_type(&strings(&item["TypeName"]["names"]))?;
                Some(Object::new(Class::Type, of_type.id))
            }
            "OBJECT_FUNCTION" | "OBJECT_PROCEDURE" | "OBJECT_ROUTINE" | "OBJECT_AGGREGATE" => {
                let names = strings(&item["ObjectWithArgs"]["objname"]);
                let routine = catalog.find_routines(&names).find(|r| !r.builtin)?;
                Some(Object::new(Class::Routine, routine.id))
            }
            "OBJECT_SCHEMA" => catalog.named(Class::Schema, parts.last()?).map(|p| Object::new(p.class, p.id)),
            "OBJECT_EXTENSION" => catalog.named(Class::Extension, parts.last()?).map(|p| Object::new(p.class, p.id)),
            "OBJECT_STATISTIC_EXT" => {
                let (schema, name) = split_name(&parts);
                let schema = schema.unwrap_or(catalog.default_schema());
                let part = catalog
                    .parts
                    .iter()
                    .find(|p| p.class == Class::Statistics && p.name == name && p.schema == schema)?;
                Some(Object::new(part.class, part.id))
            }
            kind @ ("OBJECT_TRIGGER" | "OBJECT_POLICY" | "OBJECT_RULE") => {
                let (name, table) = parts.split_last()?;
                let (schema, table) = split_name(table);
                let table = catalog.find(schema, table)?;
                if kind == "OBJECT_TRIGGER" {
                    let mut all = catalog.triggers.values();
                    return all
                        .find(|t| t.relation == table.id && t.name == *name)
                        .map(|t| Object::new(Class::Trigger, t.id));
                }
                let class = if kind == "OBJECT_POLICY" { Class::Policy } else { Class::Rule };
                catalog.part(class, table.id, name).map(|p| Object::new(class, p.id))
            }
            _ => None,
        }
    };
    list(tree, "objects").iter().filter_map(one).collect()
}

impl Draft<'_> {
    pub(super) fn drop(&mut self, tree: &Value) {
        let start = named(self.catalog, tree);
        if start.len() < list(tree, "objects").len() && !flag(tree, "missing_ok") && names_relations(tree) {
            self.unknown("this database lacks what is to be dropped, so the statement is expected to fail");
        }
        if flag(tree, "concurrent") {
            for object in start {
                self.lock(object.id, LockMode::ShareUpdateExclusive);
                let table = self.catalog.relations.get(&object.id).and_then(|r| r.index_of);
                self.lock_all(table, LockMode::ShareUpdateExclusive);
            }
            return;
        }
        for object in &start {
            if object.class == Class::Relation {
                self.lock(object.id, LockMode::AccessExclusive);
            }
            self.drop_index_of_partitioned(*object);
            self.drop_partition(*object);
        }
        self.falls(&start);
    }

    /// Locks what `start` takes with it.
    pub(super) fn falls(&mut self, start: &[Object]) {
        let catalog = self.catalog;
        for object in catalog.falls_with(start) {
            let part = || catalog.parts.iter().find(|p| p.class == object.class && p.id == object.id);
            match object.class {
                Class::Relation => {
                    let Some(relation) = catalog.relations.get(&object.id) else { continue };
                    match relation.index_of {
                        Some(table) => self.lock(table, LockMode::AccessExclusive),
                        None => self.lock(relation.id, LockMode::AccessExclusive),
                    }
                    if relation.kind.is_index() && start.contains(&object) {
                        self.lock(relation.id, LockMode::AccessExclusive);
                    }
                }
                Class::Constraint => {
                    let Some(constraint) = catalog.constraints.get(&object.id) else { continue };
                    self.lock_existing(constraint.relation);
                    if constraint.kind == "f" && self.has_triggers_on_referenced(constraint) {
                        self.lock_existing(constraint.referenced);
                    }
                }
                Class::Trigger => {
                    if let Some(trigger) = catalog.triggers.get(&object.id) {
                        self.lock(trigger.relation, LockMode::AccessExclusive);
                    }
                }
                Class::Policy | Class::Rule | Class::Default => {
                    let relation = part().map(|p| p.relation);
                    self.lock_all(relation, LockMode::AccessExclusive);
                }
                // Statistics go with their table; on their own they are dropped under a weaker lock.
                Class::Statistics => {
                    let relation = part().map(|p| p.relation);
                    self.lock_all(relation, LockMode::ShareUpdateExclusive);
                }
                Class::Type | Class::Routine | Class::Schema | Class::Extension | Class::Other => {}
            }
        }
    }

    /// A part's triggers on the referenced table are those of the whole; in 14 it is the other way round where the
    /// referenced table is partitioned.
    fn has_triggers_on_referenced(&self, key: &Constraint) -> bool {
        let whole = self.catalog.constraints.get(&key.parent);
        if self.version() >= 15 {
            return whole.is_none();
        }
        let partitioned =
            self.catalog.relations.get(&key.referenced).is_some_and(|r| r.kind == RelationKind::PartitionedTable);
        !partitioned && whole.is_none_or(|whole| whole.relation == key.relation)
    }

    fn lock_existing(&mut self, relation: Id) {
        if self.catalog.relations.contains_key(&relation) {
            self.lock(relation, LockMode::AccessExclusive);
        }
    }

    /// The indexes of the partitions go too, so the partitions are locked before.
    fn drop_index_of_partitioned(&mut self, object: Object) {
        if let Some(index) = self.catalog.relations.get(&object.id).filter(|_| object.class == Class::Relation)
            && index.kind == RelationKind::PartitionedIndex
            && let Some(table) = index.index_of
        {
            self.lock_all(self.catalog.descendants(table), LockMode::AccessExclusive);
        }
    }

    /// The parent learns that it has one partition less.
    fn drop_partition(&mut self, object: Object) {
        let Some(relation) = self.catalog.relations.get(&object.id).filter(|_| object.class == Class::Relation) else {
            return;
        };
        if !relation.is_partition {
            return;
        }
        for parent in self.catalog.parents(relation.id) {
            self.lock(parent, LockMode::AccessExclusive);
            let default = self.catalog.relations.get(&parent).and_then(|p| p.default_partition);
            self.lock_all(default, LockMode::AccessExclusive);
        }
    }
}

fn names_relations(tree: &Value) -> bool {
    matches!(
        text(tree, "removeType"),
        "OBJECT_TABLE" | "OBJECT_VIEW" | "OBJECT_MATVIEW" | "OBJECT_INDEX" | "OBJECT_SEQUENCE"
    )
}
