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
