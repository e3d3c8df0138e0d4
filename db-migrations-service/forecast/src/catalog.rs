//! The database as a forecast needs it: read once from the live one, then advanced statement by statement.

mod advance;
mod create;
mod change;
mod objects;
mod read;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use sql_grammar::QualifiedName;

pub(crate) use objects::{Class, Column, Constraint, Object, Part, Routine, Trigger, Type};
pub use objects::{Id, Relation, RelationKind};
pub use read::{LiveCatalog, ReadError};

/// What there is in one database.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    pub(crate) server_version_num: u32,
    pub(crate) utc: bool,
    pub(crate) search_path: Vec<String>,
    pub(crate) user: String,
    pub(crate) relations: BTreeMap<Id, Relation>,
    names: HashMap<QualifiedName, Id>,
    pub(crate) constraints: BTreeMap<Id, Constraint>,
    pub(crate) triggers: BTreeMap<Id, Trigger>,
    pub(crate) types: BTreeMap<Id, Type>,
    pub(crate) routines: Vec<Routine>,
    pub(crate) binary_casts: HashSet<(Id, Id)>,
    pub(crate) parts: Vec<Part>,
    children: BTreeMap<Id, Vec<Id>>,
    /// Who depends on the object (class and id), and with which column of it.
    dependents: HashMap<(Class, Id), Vec<(i32, Object)>>,
    /// The first own id is far above what a young database has handed out, and is skipped where it is taken.
    next_id: Id,
    /// What an earlier statement did that only the server knows.
    pub(crate) blind: Option<String>,
}

impl Catalog {
    /// The server's version as in `server_version_num`.
    pub fn server_version_num(&self) -> u32 {
        self.server_version_num
    }

    /// The relation of this name.
    pub fn relation(&self, name: &QualifiedName) -> Option<&Relation> {
        self.relations.get(self.names.get(name)?)
    }

    /// All relations.
    pub fn relations(&self) -> impl Iterator<Item = &Relation> {
        self.relations.values()
    }

    /// Names without a schema are looked for here from now on, as after `SET search_path`.
    pub fn set_search_path(&mut self, schemas: impl IntoIterator<Item = String>) {
        self.search_path = schemas.into_iter().collect();
    }

    /// Says that the transaction has been committed: what was created in it can be seen by others from now on.
    pub fn committed(&mut self) {
        self.relations.values_mut().for_each(|relation| relation.created_here = false);
    }

    /// The relation that a name means; without a schema, the first of the search path that has it.
    pub(crate) fn find(&self, schema: Option<&str>, name: &str) -> Option<&Relation> {
        let at = |schema: &str| {
            let name = QualifiedName { schema: schema.to_owned(), name: name.to_owned() };
            self.relation(&name)
        };
        match schema {
            Some(schema) => at(schema),
            None => self.search_path.iter().find_map(|schema| at(schema)),
        }
    }

    /// Where a new object goes that is named without a schema.
    pub(crate) fn default_schema(&self) -> &str {
        self.search_path.first().map_or("public", String::as_str)
    }

    pub(crate) fn children(&self, parent: Id) -> &[Id] {
        self.children.get(&parent).map_or(&[], Vec::as_slice)
    }

    /// All below `parent`, at any depth.
    pub(crate) fn descendants(&self, parent: Id) -> Vec<Id> {
        let (mut found, mut todo) = (Vec::new(), vec![parent]);
        while let Some(next) = todo.pop() {
            for child in self.children(next) {
                if !found.contains(child) {
                    found.push(*child);
                    todo.push(*child);
                }
            }
        }
        found
    }

    pub(crate) fn parents(&self, child: Id) -> Vec<Id> {
        self.children.iter().filter(|(_, children)| children.contains(&child)).map(|(parent, _)| *parent).collect()
    }

    pub(crate) fn constraints_of(&self, relation: Id) -> impl Iterator<Item = &Constraint> {
        self.constraints.values().filter(move |c| c.relation == relation)
    }

    pub(crate) fn constraint(&self, relation: Id, name: &str) -> Option<&Constraint> {
        self.constraints_of(relation).find(|c| c.name == name)
    }

    pub(crate) fn referencing(&self, relation: Id) -> impl Iterator<Item = &Constraint> {
        self.constraints.values().filter(move |c| c.kind == "f" && c.referenced == relation)
    }

    pub(crate) fn indexes_of(&self, table: Id) -> impl Iterator<Item = &Relation> {
        self.relations.values().filter(move |r| r.index_of == Some(table))
    }

    pub(crate) fn part(&self, class: Class, relation: Id, name: &str) -> Option<&Part> {
        self.parts.iter().find(|p| p.class == class && p.relation == relation && p.name == name)
    }

    pub(crate) fn named(&self, class: Class, name: &str) -> Option<&Part> {
        self.parts.iter().find(|p| p.class == class && p.name == name)
    }

    /// The type of a possibly qualified name.
    pub(crate) fn find_type(&self, names: &[String]) -> Option<&Type> {
        let of = |schema: &str, name: &str| self.types.values().find(|t| t.schema == schema && t.name == name);
        match names {
            [name] => of("pg_catalog", name).or_else(|| self.search_path.iter().find_map(|s| of(s, name))),
            [schema, name] => of(schema, name),
            _ => None,
        }
    }

    pub(crate) fn type_name(&self, id: Id) -> &str {
        self.types.get(&id).map_or("", |t| t.name.as_str())
    }

    /// Whether values of the type have to be checked: a domain with constraints, at any depth.
    pub(crate) fn is_constrained(&self, id: Id) -> bool {
        self.types.get(&id).is_some_and(|t| t.kind == "d" && (t.constrained || self.is_constrained(t.base)))
    }

    /// The type below all domains.
    pub(crate) fn base_type(&self, id: Id) -> Id {
        match self.types.get(&id) {
            Some(t) if t.kind == "d" => self.base_type(t.base),
            _ => id,
        }
    }

    /// The routines that a call may mean: our own, and the volatile ones of the server.
    pub(crate) fn find_routines<'a>(&'a self, names: &'a [String]) -> impl Iterator<Item = &'a Routine> {
        let (schema, name) = match names {
            [schema, name] => (Some(schema.as_str()), name.as_str()),
            [name] => (None, name.as_str()),
            _ => (None, ""),
        };
        self.routines.iter().filter(move |r| {
            r.name == name
                && schema.map_or(r.builtin || self.search_path.contains(&r.schema), |schema| schema == r.schema)
        })
    }

    /// The relations that a view's or a rule's query reads.
    pub(crate) fn sources(&self, view: Id) -> BTreeSet<Id> {
        let rules: Vec<Id> =
            self.parts.iter().filter(|p| p.class == Class::Rule && p.relation == view).map(|p| p.id).collect();
        self.relations
            .keys()
            .filter(|id| **id != view)
            .filter(|id| {
                self.dependents
                    .get(&(Class::Relation, **id))
                    .is_some_and(|list| list.iter().any(|(_, o)| o.class == Class::Rule && rules.contains(&o.id)))
            })
            .copied()
            .collect()
    }

    /// The sequences behind the columns' defaults and identities of a table, and whether they belong to it.
    pub(crate) fn sequences(&self, table: Id) -> BTreeMap<Id, bool> {
        let defaults: Vec<Id> =
            self.parts.iter().filter(|p| p.class == Class::Default && p.relation == table).map(|p| p.id).collect();
        let mut found = BTreeMap::new();
        for sequence in self.relations.values().filter(|r| r.kind == RelationKind::Sequence) {
            let object = Object::new(Class::Relation, sequence.id);
            let owned = self
                .dependents
                .get(&(Class::Relation, table))
                .is_some_and(|list| list.iter().any(|(sub, o)| *sub > 0 && *o == object));
            let used = self
                .dependents
                .get(&(Class::Relation, sequence.id))
                .is_some_and(|list| list.iter().any(|(_, o)| o.class == Class::Default && defaults.contains(&o.id)));
            if owned || used {
                found.insert(sequence.id, owned);
            }
        }
        found
    }

    /// The sequence that belongs to a column.
    pub(crate) fn sequence_of(&self, table: Id, column: i32) -> Option<Id> {
        let dependents = self.dependents.get(&(Class::Relation, table))?;
        let is_sequence = |id: &Id| self.relations.get(id).is_some_and(|r| r.kind == RelationKind::Sequence);
        dependents
            .iter()
            .filter(|(sub, object)| *sub == column && object.class == Class::Relation)
            .map(|(_, object)| object.id)
            .find(is_sequence)
    }

    /// Everything that goes when `start` is dropped with CASCADE. Without it the server drops the same or refuses.
    pub(crate) fn falls_with(&self, start: &[Object]) -> BTreeSet<Object> {
        let mut gone: BTreeSet<Object> = start.iter().copied().collect();
        let mut todo: Vec<Object> = start.to_vec();
        while let Some(next) = todo.pop() {
            let mut reached: Vec<Object> = Vec::new();
            for (sub, object) in self.dependents.get(&(next.class, next.id)).into_iter().flatten() {
                if next.sub == 0 || *sub == next.sub {
                    reached.push(*object);
                }
            }
            // A key that points at a partition is a part of the one that points at the whole.
            if let Some(key) =
                self.constraints.get(&next.id).filter(|c| next.class == Class::Constraint && c.parent != 0)
                && !gone.contains(&Object::new(Class::Relation, key.relation))
            {
                reached.push(Object::new(Class::Constraint, key.parent));
            }
            // The rule that makes a view is the view.
            if next.class == Class::Rule
                && let Some(part) = self.parts.iter().find(|p| p.class == Class::Rule && p.id == next.id)
                && part.name == "_RETURN"
            {
                reached.push(Object::new(Class::Relation, part.relation));
            }
            for object in reached {
                if !gone.contains(&Object { sub: 0, ..object }) && gone.insert(object) {
                    todo.push(object);
                }
            }
        }
        gone
    }

    pub(crate) fn depends(&mut self, object: Object, on: Object) {
        self.dependents.entry((on.class, on.id)).or_default().push((on.sub, object));
    }

    /// Domains built on `domain`, and itself.
    pub(crate) fn domains_over(&self, domain: Id) -> BTreeSet<Id> {
        let mut found = BTreeSet::from([domain]);
        loop {
            let more: Vec<Id> = self
                .types
                .values()
                .filter(|t| !found.contains(&t.id))
                .filter(|t| {
                    (t.kind == "d" && found.contains(&t.base)) || (t.element != 0 && found.contains(&t.element))
                })
                .map(|t| t.id)
                .collect();
            if more.is_empty() {
                return found;
            }
            found.extend(more);
        }
    }
}
