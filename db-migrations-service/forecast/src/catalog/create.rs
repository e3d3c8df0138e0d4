//! What CREATE leaves behind that is no table: types, triggers, policies, a sequence's owner.

use serde_json::Value;

use super::{Catalog, Class, Id, Object, Part, Trigger, Type};
use crate::forecast::types;
use crate::tree::{flag, list, split_name, strings, text};

impl Catalog {
    pub(super) fn sequence_owned(&mut self, tree: &Value) {
        let Some(sequence) = self.known(&tree["sequence"]) else { return };
        let options = list(tree, "options").iter().map(|o| &o["DefElem"]);
        for option in options.filter(|o| text(o, "defname") == "owned_by") {
            let parts = strings(&option["arg"]);
            let Some((column, table)) = parts.split_last() else { continue };
            let (schema, name) = split_name(table);
            if let Some(table) = self.find(schema, name).map(|t| t.id) {
                let column = Object { class: Class::Relation, id: table, sub: self.number(table, column) };
                self.depends(Object::new(Class::Relation, sequence), column);
            }
        }
    }

    pub(super) fn trigger_created(&mut self, tree: &Value) {
        let Some(relation) = self.known(&tree["relation"]) else { return };
        let (id, function) = (self.new_id(), strings(&tree["funcname"]));
        let mut r#type = tree["events"].as_i64().unwrap_or(0) as i32;
        r#type |= i32::from(flag(tree, "row"));
        let routine = function.join(".");
        let name = text(tree, "trigname").to_owned();
        self.triggers.insert(id, Trigger { id, relation, name, r#type, enabled: true, routine });
        let object = Object::new(Class::Trigger, id);
        self.depends(object, Object::new(Class::Relation, relation));
        let called = self.find_routines(&function).next().map(|r| r.id);
        if let Some(routine) = called {
            self.depends(object, Object::new(Class::Routine, routine));
        }
    }

    pub(super) fn part_created(&mut self, class: Class, table: &Value, name: &str) {
        let Some(relation) = self.known(table) else { return };
        let id = self.new_id();
        self.parts.push(Part { class, id, relation, schema: String::new(), name: name.to_owned(), sub: 0 });
        self.depends(Object::new(class, id), Object::new(Class::Relation, relation));
    }

    pub(super) fn domain_created(&mut self, tree: &Value) {
        let parts = strings(&tree["domainname"]);
        let (schema, name) = split_name(&parts);
        let base = types::resolve(self, &tree["typeName"]);
        let (base, modifier) = base.map_or((0, -1), |b| (b.id, b.modifier));
        let constrained = list(tree, "constraints")
            .iter()
            .any(|c| matches!(text(&c["Constraint"], "contype"), "CONSTR_CHECK" | "CONSTR_NOTNULL"));
        self.type_created(schema, name, "d", base, modifier, constrained);
    }

    pub(super) fn type_created(
        &mut self,
        schema: Option<&str>,
        name: &str,
        kind: &str,
        base: Id,
        modifier: i32,
        constrained: bool,
    ) {
        let schema = schema.unwrap_or(self.default_schema()).to_owned();
        let id = self.new_id();
        let (name, kind) = (name.to_owned(), kind.to_owned());
        let new = Type { id, schema, name, kind, base, modifier, relation: 0, element: 0, constrained };
        self.types.insert(id, new);
    }
}
