//! Differences as sentences.

use std::fmt;

use crate::difference::{DEFINITION, Difference, EXISTENCE, LABEL};
use crate::object::{Kind, ObjectId};

/// Values that say themselves what they are, so that their property need not be named; with what holds in their place
/// where there is none.
const STATES: [(&str, &str); 18] = [
    ("validity", "valid"),
    ("persistence", "logged"),
    ("row security", "row security disabled"),
    ("forced row security", "row security not forced"),
    ("volatility", "volatile"),
    ("security", "security invoker"),
    ("parallel", "parallel unsafe"),
    ("strictness", "called on null input"),
    ("leakproofness", "not leakproof"),
    ("window", "no window function"),
    ("enabled", "enabled"),
    ("clustering", "not clustered"),
    ("cycling", "no cycle"),
    ("determinism", "deterministic"),
    ("mode", "permissive"),
    ("inheritance", "not inherited"),
    ("via root", "via the partitions"),
    ("supports", "neither hashes nor merges"),
];

/// Properties of which the server has a default where there is none.
const DEFAULTED: [&str; 8] =
    ["storage", "compression", "statistics target", "cost", "rows", "access method", "tablespace", "replica identity"];

/// Values that are texts and not words.
const TEXTS: [&str; 2] = ["comment", "body"];

/// Longer values are shown where they differ only.
const LONG: usize = 160;
/// How much of what did not change is shown beside it, and the word that this cuts.
const CONTEXT: usize = 20;

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (object, before, after) = (&self.object, self.before.as_deref(), self.after.as_deref());
        if let Some(grantee) = self.property.strip_prefix("grant ") {
            return write!(f, "{} to {grantee}: {}", grant_on(object), change(before, after));
        }
        match self.property.as_str() {
            EXISTENCE => write!(f, "{object}: {}", existence(after)),
            DEFINITION if matches!(object.kind, Kind::Column | Kind::Domain) => {
                let short = |value: Option<&str>| value.map(short_types);
                write!(f, "{}: {}", name_of(object), change(short(before).as_deref(), short(after).as_deref()))
            }
            LABEL => write!(f, "{object}: label {} {}", after.or(before).unwrap_or_default(), existence(after)),
            "owner" => write!(f, "owner of {object}: {}", change(before, after)),
            "comment" => write!(f, "comment on {object}: {}", texts(before, after)),
            property if TEXTS.contains(&property) => write!(f, "{object}: {property} {}", texts(before, after)),
            property => match STATES.iter().find(|(name, _)| *name == property) {
                // A state that it did not have before needs no mention of that.
                Some(_) if before.is_none() => write!(f, "{object}: {}", after.unwrap_or_default()),
                Some((_, usual)) => write!(f, "{object}: {}", change(before, after.or(Some(usual)))),
                None if DEFAULTED.contains(&property) => {
                    let usual = Some("default");
                    write!(f, "{object}: {property} {}", change(before.or(usual), after.or(usual)))
                }
                None if matches!(property, "definition" | "type") => write!(f, "{object}: {}", change(before, after)),
                None => write!(f, "{object}: {property} {}", change(before, after)),
            },
        }
    }
}

fn existence(after: Option<&str>) -> &'static str {
    if after.is_some() { "added" } else { "missing" }
}

/// A column needs no word to be known as one.
fn name_of(object: &ObjectId) -> String {
    if object.kind == Kind::Column { object.qualified_name() } else { object.to_string() }
}

fn grant_on(object: &ObjectId) -> String {
    match object.kind {
        Kind::Table | Kind::View | Kind::MaterializedView | Kind::ForeignTable => {
            format!("grant on {}", object.qualified_name())
        }
        Kind::DefaultPrivileges => {
            let place = object.schema.as_deref().map(|schema| format!(" in {}", crate::object::quoted(schema)));
            format!("default grant {}{}", object.name, place.unwrap_or_default())
        }
        _ => format!("grant on {object}"),
    }
}

fn change(before: Option<&str>, after: Option<&str>) -> String {
    let (before, after) = (before.unwrap_or("none"), after.unwrap_or("none"));
    if before.chars().count().max(after.chars().count()) <= LONG {
        return format!("{before} → {after}");
    }
    let (before, after) = only_the_difference(before, after);
    format!("{before} → {after}")
}

fn texts(before: Option<&str>, after: Option<&str>) -> String {
    let is_long = |text: &str| text.chars().count() > LONG;
    let (before, after) = match (before, after) {
        (Some(before), Some(after)) if is_long(before) || is_long(after) => {
            let (before, after) = only_the_difference(before, after);
            (Some(before), Some(after))
        }
        (before, after) => (before.map(shortened), after.map(shortened)),
    };
    let quoted = |text: Option<String>| text.map_or_else(|| "none".to_owned(), |text| format!("'{}'", one_line(&text)));
    format!("{} → {}", quoted(before), quoted(after))
}

fn one_line(text: &str) -> String {
    text.split('\n').map(str::trim).collect::<Vec<_>>().join(" ").trim().to_owned()
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONG) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Both texts without their common beginning and end, but for some context.
fn only_the_difference(before: &str, after: &str) -> (String, String) {
    let (old, new): (Vec<char>, Vec<char>) = (before.chars().collect(), after.chars().collect());
    let start = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let most = old.len().min(new.len()) - start;
    let end = old.iter().rev().zip(new.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
    let from = old[..start.saturating_sub(CONTEXT)].iter().rposition(|c| *c == ' ').map_or(0, |space| space + 1);
    let tail = &old[old.len() - end.saturating_sub(CONTEXT)..];
    let until = tail.iter().position(|c| *c == ' ').map_or(0, |space| tail.len() - space);
    let cut = |text: &[char]| {
        let middle: String = text[from..text.len() - until].iter().collect();
        let (before, after) = (if from > 0 { "… " } else { "" }, if until > 0 { " …" } else { "" });
        format!("{before}{}{after}", shortened(&middle))
    };
    (cut(&old), cut(&new))
}

/// The names of types that people type.
fn short_types(definition: &str) -> String {
    let (type_name, rest) = match definition.find(['(', '[', ' ']) {
        Some(0) | None => return short_type(definition).unwrap_or(definition).to_owned(),
        Some(_) => ["character varying", "character", "bit varying"]
            .iter()
            .find_map(|name| Some((*name, definition.strip_prefix(name)?)))
            .unwrap_or((definition, "")),
    };
    if let Some(short) = short_type(type_name).filter(|_| rest.is_empty() || rest.starts_with(['(', '[', ' '])) {
        return format!("{short}{rest}");
    }
    with_time_zone(definition).unwrap_or_else(|| definition.to_owned())
}

fn short_type(name: &str) -> Option<&'static str> {
    match name {
        "character varying" => Some("varchar"),
        "character" => Some("char"),
        "bit varying" => Some("varbit"),
        _ => None,
    }
}

/// `timestamp(3) with time zone[] not null` is `timestamptz(3)[] not null`.
fn with_time_zone(definition: &str) -> Option<String> {
    let name = ["timestamp", "time"]
        .into_iter()
        .find(|name| definition.strip_prefix(name).is_some_and(|rest| rest.starts_with(['(', ' '])))?;
    let rest = &definition[name.len()..];
    let (precision, rest) = rest.split_at(if rest.starts_with('(') { rest.find(')')? + 1 } else { 0 });
    if let Some(rest) = rest.strip_prefix(" with time zone") {
        return Some(format!("{name}tz{precision}{rest}"));
    }
    rest.strip_prefix(" without time zone").map(|rest| format!("{name}{precision}{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_named_as_people_type_them() {
        for (definition, short) in [
            ("character varying(255) not null", "varchar(255) not null"),
            ("character varying", "varchar"),
            ("character(3)", "char(3)"),
            ("timestamp with time zone not null default now()", "timestamptz not null default now()"),
            ("timestamp(3) without time zone[]", "timestamp(3)[]"),
            ("time with time zone", "timetz"),
            ("bit varying(3)[]", "varbit(3)[]"),
            ("integer not null", "integer not null"),
            ("double precision", "double precision"),
            ("plans.timestamp", "plans.timestamp"),
            ("\"char\"", "\"char\""),
        ] {
            assert_eq!(short_types(definition), short);
        }
    }

    #[test]
    fn long_texts_show_where_they_differ() {
        let words = "four ".repeat(40);
        let (before, after) = (format!("{words}old {words}"), format!("{words}new {words}"));
        let shown = "… four four four four old four four four four … → … four four four four new four four four four …";
        assert_eq!(change(Some(&before), Some(&after)), shown);
    }
}
