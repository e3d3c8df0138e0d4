//! What ALTER, RENAME and DROP leave behind.

use serde_json::Value;
use sql_grammar::QualifiedName;

use super::{Catalog, Class, Id, Object};
use crate::forecast::types;
use crate::tree::{flag, list, range, strings, text};

impl Catalog {
    pub(super) fn table_altered(&mut self, tree: &Value) {
        let (schema, name) = range(&tree["relation"]);
        let Some(table) = self.find(schema, name).map(|t| t.id) else { return };
        let mut family = vec![table];
        if flag(&tree["relation"], "inh") {
            family.extend(self.descendants(table));
        }
        for command in list(tree, "cmds").iter().map(|c| &c["AlterTableCmd"]) {
            self.altered(table, &family, command);
        }
    }

    fn altered(&mut self, table: Id, family: &[Id], command: &Value) {
        let name = text(command, "name");
        match text(command, "subtype") {
            "AT_AddColumn" => {
                for id in family {
                    self.column_added(*id, &command["def"]["ColumnDef"]);
                }
            }
            "AT_DropColumn" => {
                for id in family {
                    let sub = self.number(*id, name);
                    if sub > 0 {
                        self.dropped(&[Object { class: Class::Relation, id: *id, sub }]);
                    }
                }
            }
            "AT_AlterColumnType" => {
                let Some(to) = types::resolve(self, &command["def"]["ColumnDef"]["typeName"]) else { return };
                for id in family {
                    let column = self.relations.get_mut(id).and_then(|t| t.columns.iter_mut().find(|c| c.name == name));
                    if let Some(column) = column {
                        (column.r#type, column.modifier) = (to.id, to.modifier);
                    }
                }
            }
            "AT_SetNotNull" | "AT_DropNotNull" => {
                let not_null = text(command, "subtype") == "AT_SetNotNull";
                for id in family {
                    if let Some(table) = self.relations.get_mut(id) {
                        table.columns.iter_mut().filter(|c| c.name == name).for_each(|c| c.not_null = not_null);
                    }
                }
            }
            "AT_ColumnDefault" => {
                for id in family {
                    let number = self.number(*id, name);
                    self.default_set(*id, number, &command["def"]);
                }
            }
            "AT_AddConstraint" => {
                for id in family {
                    self.constraint_added(*id, &command["def"]["Constraint"], &[]);
                }
            }
            "AT_ValidateConstraint" => {
                for id in family {
                    if let Some(found) = self.constraint(*id, name).map(|c| c.id)
                        && let Some(constraint) = self.constraints.get_mut(&found)
                    {
                        constraint.validated = true;
                    }
                }
            }
            "AT_DropConstraint" => {
                let found: Vec<Object> = family
                    .iter()
                    .filter_map(|id| self.constraint(*id, name))
                    .map(|c| Object::new(Class::Constraint, c.id))
                    .collect();
                self.dropped(&found);
            }
            "AT_AttachPartition" | "AT_DetachPartition" | "AT_DetachPartitionFinalize" => {
                let partition = &command["def"]["PartitionCmd"];
                let (schema, name) = range(&partition["name"]);
                let Some(child) = self.find(schema, name).map(|c| c.id) else { return };
                if text(command, "subtype") == "AT_AttachPartition" {
                    if flag(&partition["bound"], "is_default")
                        && let Some(parent) = self.relations.get_mut(&table)
                    {
                        parent.default_partition = Some(child);
                    }
                    self.joined(table, child, true);
                } else {
                    self.parted(table, child);
                }
            }
            "AT_AddInherit" | "AT_DropInherit" => {
                let (schema, name) = range(&command["def"]["RangeVar"]);
                let Some(parent) = self.find(schema, name).map(|p| p.id) else { return };
                if text(command, "subtype") == "AT_AddInherit" {
                    self.joined(parent, table, false);
                } else {
                    self.parted(parent, table);
                }
            }
            "AT_SetLogged" | "AT_SetUnLogged" => {
                let logged = text(command, "subtype") == "AT_SetLogged";
                if let Some(relation) = self.relations.get_mut(&table) {
                    (if logged { "p" } else { "u" }).clone_into(&mut relation.persistence);
                }
            }
            "AT_ChangeOwner" => {
                let owner = command["newowner"]["rolename"].as_str().unwrap_or(&self.user).to_owned();
                if let Some(relation) = self.relations.get_mut(&table) {
                    relation.owner = owner;
                }
            }
            "AT_DisableTrig" | "AT_DisableTrigAll" | "AT_DisableTrigUser" | "AT_EnableTrig" | "AT_EnableTrigAll"
            | "AT_EnableTrigUser" => {
                let enabled = text(command, "subtype").starts_with("AT_Enable");
                let of_table = |t: &&mut super::Trigger| t.relation == table && (name.is_empty() || t.name == name);
                self.triggers.values_mut().filter(of_table).for_each(|t| t.enabled = enabled);
            }
            _ => {}
        }
    }

    fn parted(&mut self, parent: Id, child: Id) {
        if let Some(children) = self.children.get_mut(&parent) {
            children.retain(|c| *c != child);
        }
        if let Some(relation) = self.relations.get_mut(&child) {
            relation.is_partition = false;
        }
        if let Some(parent) = self.relations.get_mut(&parent)
            && parent.default_partition == Some(child)
        {
            parent.default_partition = None;
        }
        if let Some(dependents) = self.dependents.get_mut(&(Class::Relation, parent)) {
            dependents.retain(|(_, object)| *object != Object::new(Class::Relation, child));
        }
    }

    pub(super) fn renamed(&mut self, tree: &Value) {
        let (old, new) = (text(tree, "subname"), text(tree, "newname"));
        let (schema, name) = range(&tree["relation"]);
        let kind = text(tree, "renameType");
        let Some(id) = self.find(schema, name).map(|r| r.id) else {
            return self.type_renamed(kind, &strings(&tree["object"]), new);
        };
        let mut family = vec![id];
        family.extend(self.descendants(id));
        match kind {
            "OBJECT_COLUMN" => {
                for id in family {
                    if let Some(relation) = self.relations.get_mut(&id) {
                        relation.columns.iter_mut().filter(|c| c.name == old).for_each(|c| new.clone_into(&mut c.name));
                    }
                }
            }
            "OBJECT_TABCONSTRAINT" => {
                let ours = |c: &&mut super::Constraint| family.contains(&c.relation) && c.name == old;
                self.constraints.values_mut().filter(ours).for_each(|c| new.clone_into(&mut c.name));
            }
            "OBJECT_TRIGGER" => {
                let ours = |t: &&mut super::Trigger| family.contains(&t.relation) && t.name == old;
                self.triggers.values_mut().filter(ours).for_each(|t| new.clone_into(&mut t.name));
            }
            "OBJECT_POLICY" | "OBJECT_RULE" => {
                let ours = |p: &&mut super::Part| p.relation == id && p.name == old;
                self.parts.iter_mut().filter(ours).for_each(|p| new.clone_into(&mut p.name));
            }
            _ => self.renamed_relation(id, new),
        }
    }

    fn type_renamed(&mut self, kind: &str, parts: &[String], new: &str) {
        if matches!(kind, "OBJECT_TYPE" | "OBJECT_DOMAIN")
            && let Some(id) = self.find_type(parts).map(|t| t.id)
            && let Some(found) = self.types.get_mut(&id)
        {
            new.clone_into(&mut found.name);
        }
    }

    pub(super) fn renamed_relation(&mut self, id: Id, name: &str) {
        let schema = self.relations.get(&id).map(|r| r.schema.clone()).unwrap_or_default();
        self.place(id, QualifiedName { schema, name: name.to_owned() });
    }

    /// Indexes and the sequences that a table owns go with it.
    pub(super) fn moved(&mut self, id: Id, schema: &str) {
        let mut all: Vec<Id> = self.indexes_of(id).map(|r| r.id).collect();
        all.extend(self.sequences(id).into_iter().filter(|(_, owned)| *owned).map(|(sequence, _)| sequence));
        all.push(id);
        for id in all {
            let name = self.relations.get(&id).map(|r| r.name.clone()).unwrap_or_default();
            self.place(id, QualifiedName { schema: schema.to_owned(), name });
        }
    }

    fn place(&mut self, id: Id, to: QualifiedName) {
        let Some(relation) = self.relations.get_mut(&id) else { return };
        let from = relation.qualified();
        relation.schema.clone_from(&to.schema);
        relation.name.clone_from(&to.name);
        self.names.remove(&from);
        self.names.insert(to, id);
    }

    pub(super) fn emptied(&mut self, id: Id) {
        if let Some(relation) = self.relations.get_mut(&id) {
            relation.empty();
        }
    }

    /// Takes `start` away, and all that falls with it.
    pub(super) fn dropped(&mut self, start: &[Object]) {
        let gone: Vec<Object> = self.falls_with(start).into_iter().collect();
        self.forget(&gone);
    }

    pub(super) fn forget(&mut self, gone: &[Object]) {
        for object in gone {
            match object.class {
                Class::Relation if object.sub > 0 => {
                    if let Some(relation) = self.relations.get_mut(&object.id) {
                        relation.columns.retain(|c| c.number != object.sub);
                    }
                }
                Class::Relation => {
                    if let Some(relation) = self.relations.remove(&object.id) {
                        self.names.remove(&relation.qualified());
                    }
                    self.children.remove(&object.id);
                    self.children.values_mut().for_each(|children| children.retain(|c| *c != object.id));
                    self.constraints.retain(|_, c| c.relation != object.id && c.referenced != object.id);
                    self.triggers.retain(|_, t| t.relation != object.id);
                    self.parts.retain(|p| p.relation != object.id);
                }
                Class::Constraint => {
                    self.constraints.remove(&object.id);
                }
                Class::Trigger => {
                    self.triggers.remove(&object.id);
                }
                Class::Type => {
                    self.types.remove(&object.id);
                }
                Class::Routine => self.routines.retain(|r| r.id != object.id),
                class => self.parts.retain(|p| p.class != class || p.id != object.id),
            }
            if object.sub == 0 {
                self.dependents.remove(&(object.class, object.id));
            }
        }
    }
}
