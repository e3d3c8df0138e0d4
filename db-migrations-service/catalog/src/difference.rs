//! What changed between two snapshots, property by property.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::object::{Kind, ObjectId, Properties};
use crate::snapshot::{Object, Snapshot};

/// One property of one object that differs. Displays as a sentence: `plans.plans.title: varchar(255) not null →
/// varchar(255)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The object.
    pub object: ObjectId,
    /// What of it differs: a property's name; `definition` for what makes up a column (type, collation, NOT NULL,
    /// default, identity, generation); `label` for one label of an enum; `existence` for the whole object, which has
    /// the value `present` where it is there.
    pub property: String,
    /// The value before; `None` where it had none.
    pub before: Option<String>,
    /// The value after; `None` where it has none.
    pub after: Option<String>,
}

/// Of an object that is on one side only.
pub(crate) const EXISTENCE: &str = "existence";
/// Of a column or domain, as one.
pub(crate) const DEFINITION: &str = "definition";
/// Of an enum.
pub(crate) const LABEL: &str = "label";
const PRESENT: &str = "present";
const LABELS: &str = "labels";
const COLUMN_ORDER: &str = "column order";
/// What makes up a column or domain, in the order in which SQL writes it.
const DEFINING: [&str; 6] = ["type", "collation", "not null", "default", "identity", "generated"];

/// Everything that differs, sorted by object. Where a whole table is gone, its columns, indexes and the like are not
/// told one by one. Empty exactly where the fingerprints are equal.
pub fn difference(before: &Snapshot, after: &Snapshot) -> Vec<Difference> {
    let differing = differing(before, after);
    let one_sided = |there: fn(&Pair<'_>) -> bool| OneSided::new(differing.iter().filter(|p| there(p)).map(|p| p.id));
    let (gone, come) = (one_sided(|pair| pair.after.is_none()), one_sided(|pair| pair.before.is_none()));
    let mut differences = Vec::new();
    for Pair { id, before, after } in &differing {
        let mut found = Found { id, differences: &mut differences };
        match (before, after) {
            (Some(old), Some(new)) => found.compare(old, new),
            (Some(old), None) if !gone.goes_with_another(id, old) => found.add(EXISTENCE, Some(PRESENT), None),
            (None, Some(new)) if !come.goes_with_another(id, new) => found.add(EXISTENCE, None, Some(PRESENT)),
            _ => {}
        }
    }
    differences
}

/// One object on both sides.
struct Pair<'a> {
    id: &'a ObjectId,
    before: Option<&'a Properties>,
    after: Option<&'a Properties>,
}

/// The objects that are not the same, in order: both sides are sorted, so one pass finds them.
fn differing<'a>(before: &'a Snapshot, after: &'a Snapshot) -> Vec<Pair<'a>> {
    let (mut old, mut new) = (before.objects.iter().peekable(), after.objects.iter().peekable());
    let mut found = Vec::new();
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return found,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((old, _)), Some((new, _))) if Arc::ptr_eq(old, new) => Ordering::Equal,
            (Some((old, _)), Some((new, _))) => old.cmp(new),
        };
        let before = if order.is_le() { old.next() } else { None };
        let after = if order.is_ge() { new.next() } else { None };
        let Some((id, _)) = before.or(after) else { return found };
        let (before, after) = (before.map(|(_, object)| object), after.map(|(_, object)| object));
        if before != after {
            let properties = |side: Option<&'a Arc<Object>>| side.map(|object| &object.properties);
            found.push(Pair { id, before: properties(before), after: properties(after) });
        }
    }
}

/// The objects of one snapshot that another lacks, by what may hang on them.
struct OneSided<'a> {
    schemas: BTreeSet<&'a str>,
    relations: BTreeSet<(Option<&'a str>, &'a str)>,
    constraints: BTreeSet<(Option<&'a str>, Option<&'a str>, &'a str)>,
    columns: BTreeSet<String>,
}

impl<'a> OneSided<'a> {
    fn new(ids: impl Iterator<Item = &'a ObjectId>) -> Self {
        let mut one_sided = Self {
            schemas: BTreeSet::new(),
            relations: BTreeSet::new(),
            constraints: BTreeSet::new(),
            columns: BTreeSet::new(),
        };
        for id in ids {
            let schema = id.schema.as_deref();
            match id.kind {
                Kind::Schema => one_sided.schemas.extend(schema),
                Kind::Constraint => {
                    one_sided.constraints.insert((schema, id.of.as_deref(), &id.name));
                }
                Kind::Column => {
                    one_sided.columns.insert(id.qualified_name());
                }
                kind if kind.holds_parts() => {
                    one_sided.relations.insert((schema, &id.name));
                }
                _ => {}
            }
        }
        one_sided
    }

    /// Whether the object is part of another that is one-sided too.
    fn goes_with_another(&self, id: &ObjectId, properties: &Properties) -> bool {
        let schema = id.schema.as_deref();
        let with_schema = id.kind != Kind::Schema && schema.is_some_and(|schema| self.schemas.contains(schema));
        let relation = id.of.as_deref().map(crate::object::quoted);
        let with_relation = relation.is_some_and(|relation| self.relations.contains(&(schema, relation.as_str())));
        let constraint = properties.get("constraint").map(|name| crate::object::quoted(name));
        let with_constraint =
            constraint.is_some_and(|name| self.constraints.contains(&(schema, id.of.as_deref(), name.as_str())));
        let with_column = properties.get("owned by").is_some_and(|column| self.columns.contains(column));
        with_schema || with_relation || with_constraint || with_column
    }
}

struct Found<'a> {
    id: &'a ObjectId,
    differences: &'a mut Vec<Difference>,
}

impl Found<'_> {
    fn add(&mut self, property: &str, before: Option<&str>, after: Option<&str>) {
        self.differences.push(Difference {
            object: self.id.clone(),
            property: property.to_owned(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        });
    }

    fn compare(&mut self, old: &Properties, new: &Properties) {
        let composed = matches!(self.id.kind, Kind::Column | Kind::Domain);
        if composed {
            let (before, after) = (definition(old), definition(new));
            if before != after {
                self.add(DEFINITION, Some(&before), Some(&after));
            }
        }
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names {
            let (before, after) = (old.get(name).map(String::as_str), new.get(name).map(String::as_str));
            match name.as_str() {
                _ if before == after => {}
                name if composed && DEFINING.contains(&name) => {}
                LABELS => self.compare_labels(before.unwrap_or_default(), after.unwrap_or_default()),
                COLUMN_ORDER => self.compare_order(before.unwrap_or_default(), after.unwrap_or_default()),
                name => self.add(name, before, after),
            }
        }
    }

    fn compare_labels(&mut self, before: &str, after: &str) {
        let (old, new) = (items(before), items(after));
        for label in old.iter().filter(|label| !new.contains(label)) {
            self.add(LABEL, Some(label), None);
        }
        for label in new.iter().filter(|label| !old.contains(label)) {
            self.add(LABEL, None, Some(label));
        }
        if !same_order(&old, &new) {
            self.add("label order", Some(&format!("({before})")), Some(&format!("({after})")));
        }
    }

    /// A column that is new or gone is told as such; here only those count that are on both sides.
    fn compare_order(&mut self, before: &str, after: &str) {
        if !same_order(&items(before), &items(after)) {
            self.add(COLUMN_ORDER, Some(&format!("({before})")), Some(&format!("({after})")));
        }
    }
}

fn definition(properties: &Properties) -> String {
    let parts = DEFINING.iter().filter_map(|name| {
        let value = properties.get(*name)?;
        Some(match *name {
            "collation" => format!("collate {value}"),
            "default" => format!("default {value}"),
            _ => value.clone(),
        })
    });
    parts.collect::<Vec<_>>().join(" ")
}

/// What both lists have stands in the same order.
fn same_order(old: &[&str], new: &[&str]) -> bool {
    let places: BTreeMap<&str, usize> = new.iter().enumerate().map(|(place, item)| (*item, place)).collect();
    old.iter().filter_map(|item| places.get(item)).is_sorted()
}

/// The items of a list that the server joined by commas, each perhaps quoted.
fn items(list: &str) -> Vec<&str> {
    let (mut items, mut start, mut quote) = (Vec::new(), 0, None);
    for (at, c) in list.char_indices() {
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(c),
            (_, Some(open)) if c == open => quote = None,
            (',', None) => {
                items.push(list[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    if !list.is_empty() {
        items.push(list[start..].trim());
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_split_outside_of_quotes() {
        assert_eq!(items("a, \"b, c\", 'it''s, d', e"), ["a", "\"b, c\"", "'it''s, d'", "e"]);
        assert!(items("").is_empty());
    }

    #[test]
    fn only_what_both_have_has_an_order() {
        assert!(same_order(&["a", "b", "c"], &["a", "x", "c"]));
        assert!(!same_order(&["a", "b", "c"], &["a", "c", "b"]));
    }
}
