//! The uses of other objects that look the same in every statement: relations, types, functions, columns.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{Facts, ObjectKind, ObjectName, QualifiedName, Reference};
use crate::parse::Statement;

/// Schemas that are always there and belong to nobody's migrations.
const SYSTEM: [&str; 2] = ["pg_catalog", "information_schema"];

pub(super) fn walk(statement: &Statement, default_schema: &str, facts: &mut Facts) {
    let mut ctes = BTreeSet::new();
    collect_ctes(&statement.tree, &mut ctes);
    visit(&statement.tree, default_schema, &ctes, facts);
}

fn collect_ctes(value: &Value, ctes: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(name) = fields.get("ctename").and_then(Value::as_str) {
                ctes.insert(name.to_owned());
            }
            fields.values().for_each(|v| collect_ctes(v, ctes));
        }
        Value::Array(items) => items.iter().for_each(|v| collect_ctes(v, ctes)),
        _ => {}
    }
}

fn visit(value: &Value, default_schema: &str, ctes: &BTreeSet<String>, facts: &mut Facts) {
    match value {
        Value::Object(fields) => {
            visit_object(fields, default_schema, ctes, facts);
            for (key, field) in fields {
                // An index element and a key column are plain strings in the tree.
                match key.as_str() {
                    "keys" | "fk_attrs" | "pk_attrs" | "cols" => facts.columns.extend(strings(field)),
                    "IndexElem" | "AlterTableCmd" | "ResTarget" => {
                        facts.columns.extend(field["name"].as_str().map(str::to_owned));
                    }
                    _ => {}
                }
                visit(field, default_schema, ctes, facts);
            }
        }
        Value::Array(items) => items.iter().for_each(|v| visit(v, default_schema, ctes, facts)),
        _ => {}
    }
}

fn visit_object(fields: &Map<String, Value>, default_schema: &str, ctes: &BTreeSet<String>, facts: &mut Facts) {
    let byte = fields.get("location").and_then(Value::as_u64).and_then(|at| usize::try_from(at).ok());
    if let Some(name) = fields.get("relname").and_then(Value::as_str) {
        let schema = fields.get("schemaname").and_then(Value::as_str);
        // Without a schema, `pg_…` is found in pg_catalog before anything else.
        if schema.is_some() || !(ctes.contains(name) || name.starts_with("pg_")) {
            refer(facts, ObjectKind::Relation, schema.unwrap_or(default_schema), name, byte);
        }
    }
    if let Some(names) = fields.get("names").filter(|_| fields.contains_key("typemod")) {
        let parts = strings(names);
        if fields.contains_key("pct_type") {
            if let [schema, relation, _column] = parts.as_slice() {
                refer(facts, ObjectKind::Relation, schema, relation, byte);
            }
        } else if let [schema, name] = parts.as_slice() {
            refer(facts, ObjectKind::Type, schema, name, byte);
        }
    }
    // Calls, trigger functions, and the functions that a comment, a grant or an owner change names.
    for key in ["funcname", "objname"] {
        if let Some(names) = fields.get(key)
            && let [schema, name] = strings(names).as_slice()
        {
            refer(facts, ObjectKind::Routine, schema, name, byte);
        }
    }
    if let Some(Value::Array(parts)) = fields.get("fields")
        && let Some(name) = parts.last().and_then(|last| last["String"]["sval"].as_str())
    {
        facts.columns.insert(name.to_owned());
    }
    // The column that a foreign key points at, so that a later column of an older table is waited for.
    if let (Some(table), Some(columns)) = (fields.get("pktable"), fields.get("pk_attrs"))
        && let Some(relation) = table["relname"].as_str()
    {
        let schema = table["schemaname"].as_str().unwrap_or(default_schema);
        for column in strings(columns) {
            refer(facts, ObjectKind::Column, schema, &format!("{relation}.{column}"), byte);
        }
    }
}

fn refer(facts: &mut Facts, kind: ObjectKind, schema: &str, name: &str, byte: Option<usize>) {
    if SYSTEM.contains(&schema) {
        return;
    }
    let name = QualifiedName { schema: schema.to_owned(), name: name.to_owned() };
    facts.references.insert(Reference { object: ObjectName { kind, name }, byte });
}

/// The strings of a list of `String` nodes.
pub(super) fn strings(list: &Value) -> Vec<String> {
    let items = match list {
        Value::Array(items) => items.as_slice(),
        Value::Object(fields) => match fields.get("List").and_then(|l| l["items"].as_array()) {
            Some(items) => items.as_slice(),
            None => return list["String"]["sval"].as_str().map(str::to_owned).into_iter().collect(),
        },
        _ => return Vec::new(),
    };
    items.iter().filter_map(|item| item["String"]["sval"].as_str().map(str::to_owned)).collect()
}
