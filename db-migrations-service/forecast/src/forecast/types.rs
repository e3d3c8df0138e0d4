//! Whether a change of a column's type leaves the stored values as they are.

use serde_json::Value;

use crate::catalog::{Catalog, Column, Id};
use crate::tree::{list, strings};

/// A type with its modifier, as in `pg_attribute`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TypeRef {
    pub id: Id,
    pub modifier: i32,
}

/// What a `TypeName` node means here; `None` where the type is not known.
pub(crate) fn resolve(catalog: &Catalog, node: &Value) -> Option<TypeRef> {
    let mut names = strings(&node["names"]);
    if let ([name] | [_, name], false) = (names.as_slice(), list(node, "arrayBounds").is_empty()) {
        let array = format!("_{name}");
        if let Some(last) = names.last_mut() {
            *last = array;
        }
    }
    let of_type = catalog.find_type(&names)?;
    let numbers: Vec<i32> = list(node, "typmods")
        .iter()
        .filter_map(|m| {
            let number = &m["A_Const"]["ival"];
            // PostgreSQL leaves a zero out.
            number.is_object().then(|| number["ival"].as_i64().unwrap_or(0) as i32)
        })
        .collect();
    let modifier = match (of_type.name.as_str(), numbers.as_slice()) {
        ("varchar" | "bpchar", [length]) => length + 4,
        ("numeric", [precision]) => (precision << 16) + 4,
        ("numeric", [precision, scale]) => ((precision << 16) | (scale & 0x7ff)) + 4,
        (_, [one]) => *one,
        _ if of_type.kind == "d" => of_type.modifier,
        _ => -1,
    };
    Some(TypeRef { id: of_type.id, modifier })
}

/// Whether every stored value has to be written anew. The rules are those of `ATColumnChangeRequiresRewrite` and of
/// the planner's simplification of length coercions.
pub(crate) fn needs_rewrite(catalog: &Catalog, column: &Column, to: TypeRef, using: &Value) -> bool {
    if !using.is_null() && !is_plain(catalog, using, to) {
        return true;
    }
    if column.r#type != to.id && catalog.is_constrained(to.id) {
        return true;
    }
    let (from_type, to_type) = (catalog.base_type(column.r#type), catalog.base_type(to.id));
    let same = from_type == to_type;
    let name = catalog.type_name(to_type);
    let timestamps = ["timestamp", "timestamptz"];
    let only_in_utc = timestamps.contains(&name) && timestamps.contains(&catalog.type_name(from_type));
    if !(same || catalog.binary_casts.contains(&(from_type, to_type)) || (only_in_utc && catalog.utc)) {
        return true;
    }
    let from = if same || only_in_utc { column.modifier } else { -1 };
    !length_fits(name, from, to.modifier)
}

/// Whether every value of the old length is one of the new.
fn length_fits(name: &str, from: i32, to: i32) -> bool {
    if to < 0 || from == to {
        return true;
    }
    match name {
        "varchar" | "varbit" => from >= 0 && to >= from,
        "numeric" => {
            // Precision in the upper half, scale in the lower.
            let split = |modifier: i32| ((modifier - 4) >> 16, (modifier - 4) & 0x7ff);
            let ((old_precision, old_scale), (precision, scale)) = (split(from), split(to));
            from >= 0 && scale == old_scale && precision >= old_precision
        }
        "timestamp" | "timestamptz" | "time" | "timetz" => to >= 6 || (from >= 0 && to >= from),
        _ => false,
    }
}

/// `USING column` and `USING column::type` say no more than the change itself.
fn is_plain(catalog: &Catalog, using: &Value, to: TypeRef) -> bool {
    let cast = &using["TypeCast"];
    let expression = if cast.is_object() {
        if resolve(catalog, &cast["typeName"]) != Some(to) {
            return false;
        }
        &cast["arg"]
    } else {
        using
    };
    expression["ColumnRef"].is_object()
}

/// Whether indexes keep their file when the column's values are kept: PostgreSQL asks for the same operator class.
pub(crate) fn keeps_indexes(catalog: &Catalog, column: &Column, to: TypeRef, definition: &Value) -> bool {
    let (from, to) = (catalog.base_type(column.r#type), catalog.base_type(to.id));
    let family = |id: Id| match catalog.type_name(id) {
        "varchar" => "text".to_owned(),
        "cidr" => "inet".to_owned(),
        other => other.to_owned(),
    };
    definition["collClause"].is_null() && family(from) == family(to)
}

/// Whether a new column's default has to be worked out for each row.
pub(crate) fn is_volatile(catalog: &Catalog, expression: &Value) -> bool {
    crate::tree::calls(expression).iter().any(|names| catalog.find_routines(names).any(|r| r.volatile))
}
