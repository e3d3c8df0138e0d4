//! What a migration did, read off its SQL.

use serde_json::{Value, json};
use sql_grammar::{ObjectKind, ObjectName};

use crate::project::Script;

/// The statements of a script with what each creates, changes and drops, as the event triggers tell them.
pub(super) fn objects(script: &Script) -> Value {
    let mut list = Vec::new();
    for (range, facts) in &script.statements {
        let command = command_tag(&script.sql[range.clone()]);
        let of_columns = facts.creates.iter().chain(&facts.drops).any(|o| o.kind != ObjectKind::Column);
        let before = list.len();
        for (objects, dropped) in [(&facts.creates, false), (&facts.alters, false), (&facts.drops, true)] {
            // A table's own columns come with it.
            let shown = objects.iter().filter(|object| !of_columns || object.kind != ObjectKind::Column);
            list.extend(shown.map(|object| entry(&command, object, dropped)));
        }
        if list.len() == before {
            let named = facts.references.iter().map(|reference| &reference.object);
            list.extend(named.filter(|o| o.kind != ObjectKind::Column).map(|object| entry(&command, object, false)));
        }
        if list.len() == before {
            list.push(json!({ "command": command }));
        }
    }
    Value::Array(list)
}

/// What a GRANT or a REVOKE was about. The event triggers are told what kind of object and not which; the statement says
/// it, where it is the whole message.
pub(super) fn granted(told: &Value, statement: &str) -> Option<Value> {
    let [told] = told.as_array()?.as_slice() else { return None };
    if !told["identity"].is_null() {
        return None;
    }
    let parsed = sql_grammar::parse(statement).ok()?;
    let [grant] = parsed.as_slice() else { return None };
    if grant.node != "GrantStmt" {
        return None;
    }
    // Where a name without a schema led, nobody knows any more.
    let objects = sql_grammar::facts(grant, "").references;
    let named = objects.iter().map(|reference| {
        let mut entry = told.clone();
        let (kind, name) = (reference.object.kind, &reference.object.name);
        let is_schema = kind == ObjectKind::Schema;
        let identity = if is_schema || name.schema.is_empty() { name.name.clone() } else { name.to_string() };
        entry["identity"] = identity.into();
        if !is_schema && !name.schema.is_empty() {
            entry["schema"] = name.schema.clone().into();
        }
        entry
    });
    let named: Vec<Value> = named.collect();
    (!named.is_empty()).then_some(Value::Array(named))
}

fn entry(command: &str, object: &ObjectName, dropped: bool) -> Value {
    let (kind, is_schema) = match object.kind {
        ObjectKind::Schema => ("schema", true),
        ObjectKind::Relation => ("relation", false),
        ObjectKind::Routine => ("routine", false),
        ObjectKind::Type => ("type", false),
        ObjectKind::Column => ("column", false),
    };
    let identity = if is_schema { object.name.name.clone() } else { object.name.to_string() };
    let mut entry = json!({ "command": command, "type": kind, "schema": object.name.schema, "identity": identity });
    if dropped {
        entry["dropped"] = Value::Bool(true);
    }
    entry
}

/// PostgreSQL's command tag, near enough: the verb and what it is done to.
fn command_tag(text: &str) -> String {
    const BESIDE: &[&str] = &[
        "OR",
        "REPLACE",
        "UNIQUE",
        "TEMP",
        "TEMPORARY",
        "UNLOGGED",
        "GLOBAL",
        "LOCAL",
        "RECURSIVE",
        "CONSTRAINT",
        "TRUSTED",
        "PROCEDURAL",
    ];
    const OF_TWO: &[&str] = &["MATERIALIZED", "FOREIGN", "EVENT", "DEFAULT", "ACCESS", "USER", "TEXT", "OPERATOR"];
    let mut words = text.split(|c: char| !c.is_ascii_alphabetic() && c != '_').filter(|word| !word.is_empty());
    let mut tag = words.next().unwrap_or_default().to_ascii_uppercase();
    if !matches!(tag.as_str(), "CREATE" | "ALTER" | "DROP") {
        return tag;
    }
    for word in words.map(str::to_ascii_uppercase).skip_while(|word| BESIDE.contains(&word.as_str())) {
        tag = format!("{tag} {word}");
        if !OF_TWO.contains(&word.as_str()) {
            break;
        }
    }
    tag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_verbs_and_what_they_are_done_to() {
        for (sql, tag) in [
            ("create unique index concurrently i on t (x)", "CREATE INDEX"),
            ("CREATE OR REPLACE FUNCTION f() …", "CREATE FUNCTION"),
            ("alter default privileges for role x", "ALTER DEFAULT PRIVILEGES"),
            ("drop materialized view v", "DROP MATERIALIZED VIEW"),
            ("comment on table t is 'x'", "COMMENT"),
            ("insert into t values (1)", "INSERT"),
        ] {
            assert_eq!(command_tag(sql), tag);
        }
    }

    #[test]
    fn a_grant_is_told_with_what_it_is_on() {
        let told = json!([{ "command": "GRANT", "type": "TABLE", "schema": null, "identity": null }]);
        for (sql, named) in [
            ("grant select on a.t, u to public", r#"["TABLE null u","TABLE a a.t"]"#),
            ("grant usage on schema a to public", r#"["TABLE null a"]"#),
            ("grant select on a.t to public; grant select on a.u to public", "null"),
            ("do 'grant'", "null"),
        ] {
            let shown = granted(&told, sql).map_or(Value::Null, |objects| {
                let line = |o: &Value| format!("{} {} {}", o["type"], o["schema"], o["identity"]).replace('"', "");
                objects.as_array().unwrap().iter().map(line).collect()
            });
            assert_eq!(shown.to_string(), named, "{sql}");
        }
        assert_eq!(granted(&json!([{ "command": "GRANT", "identity": "x" }]), "grant select on t to public"), None);
    }

    #[test]
    fn each_statement_is_told_with_its_objects() {
        let sql =
            "create table t (a int); alter table t drop column a; comment on table t is 'x'; drop table t; do 'x'";
        let script = Script::parse("f.sql", sql.to_owned(), "a").unwrap();
        let told: Vec<String> = objects(&script)
            .as_array()
            .unwrap()
            .iter()
            .map(|o| format!("{} {} {}", o["command"], o["identity"], o["dropped"]).replace('"', ""))
            .collect();
        assert_eq!(
            told,
            [
                "CREATE TABLE a.t null",
                "ALTER TABLE a.t null",
                "ALTER TABLE a.t.a true",
                "COMMENT a.t null",
                "DROP TABLE a.t true",
                "DO null null",
            ]
        );
    }
}
