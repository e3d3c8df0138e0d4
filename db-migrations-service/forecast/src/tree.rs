//! Reading PostgreSQL's parse trees as JSON.

use serde_json::Value;

/// A field that is a string, or an empty one.
pub(crate) fn text<'a>(node: &'a Value, field: &str) -> &'a str {
    node[field].as_str().unwrap_or("")
}

/// A field that is a boolean; PostgreSQL leaves out what is false.
pub(crate) fn flag(node: &Value, field: &str) -> bool {
    node[field].as_bool().unwrap_or(false)
}

/// A field that is a list of nodes.
pub(crate) fn list<'a>(node: &'a Value, field: &str) -> &'a [Value] {
    items(&node[field])
}

/// The nodes of a list, whether it stands bare or is a `List` node.
pub(crate) fn items(value: &Value) -> &[Value] {
    value.as_array().or_else(|| value["List"]["items"].as_array()).map_or(&[], Vec::as_slice)
}

/// The strings of a list of `String` nodes.
pub(crate) fn strings(value: &Value) -> Vec<String> {
    if let Some(one) = value["String"]["sval"].as_str() {
        return vec![one.to_owned()];
    }
    items(value).iter().filter_map(|item| item["String"]["sval"].as_str().map(str::to_owned)).collect()
}

/// `[schema.]name` of a list of strings: what stands before the last two is a database.
pub(crate) fn split_name(parts: &[String]) -> (Option<&str>, &str) {
    match parts {
        [] => (None, ""),
        [name] => (None, name),
        [.., schema, name] => (Some(schema), name),
    }
}

/// `[schema.]name` of a `RangeVar`.
pub(crate) fn range(node: &Value) -> (Option<&str>, &str) {
    (node["schemaname"].as_str(), text(node, "relname"))
}

/// The value of an option, as text; an option without a value is `true`.
pub(crate) fn option<'a>(options: &'a Value, name: &str) -> Option<&'a str> {
    items(options).iter().map(|o| &o["DefElem"]).find(|o| text(o, "defname") == name).map(|o| {
        let arg = &o["arg"];
        arg["String"]["sval"]
            .as_str()
            .or_else(|| arg["Boolean"]["boolval"].as_bool().map(bool_text))
            .unwrap_or(if arg["Boolean"].is_object() { "false" } else { "true" })
    })
}

fn bool_text(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

/// Whether an option is given and not switched off.
pub(crate) fn is_on(options: &Value, name: &str) -> bool {
    option(options, name).is_some_and(|value| !matches!(value, "false" | "off" | "0"))
}

/// Calls `visit` for every object in the tree.
pub(crate) fn walk<'a>(node: &'a Value, visit: &mut impl FnMut(&'a str, &'a Value)) {
    match node {
        Value::Object(fields) => {
            for (name, field) in fields {
                if field.is_object() {
                    visit(name, field);
                }
                walk(field, visit);
            }
        }
        Value::Array(all) => all.iter().for_each(|item| walk(item, visit)),
        _ => {}
    }
}

/// The names of the functions that an expression calls.
pub(crate) fn calls(node: &Value) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    walk(node, &mut |name, field| {
        if name == "FuncCall" {
            found.push(strings(&field["funcname"]));
        }
    });
    found
}

/// The columns that a condition proves to be not null: `a IS NOT NULL`, and what AND joins.
pub(crate) fn proves_not_null(condition: &Value) -> Vec<String> {
    if text(&condition["BoolExpr"], "boolop") == "AND_EXPR" {
        return list(&condition["BoolExpr"], "args").iter().flat_map(proves_not_null).collect();
    }
    let test = &condition["NullTest"];
    if text(test, "nulltesttype") == "IS_NOT_NULL" {
        return strings(&test["arg"]["ColumnRef"]["fields"]).pop().into_iter().collect();
    }
    Vec::new()
}
