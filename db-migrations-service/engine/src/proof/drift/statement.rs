//! One difference, and the SQL that makes it go away.

use std::collections::BTreeMap;

use postgres_link::AdminConn;
use schema_catalog::{Difference, Kind, ObjectId, Properties, Snapshot};

use super::definition::{definition, name_of, of_column, raw, relation_of};
use crate::error::EngineError;
use crate::target::quote::{identifier, literal};

/// Where the differences shall lead.
pub(super) struct Goal<'a> {
    pub conn: &'a AdminConn,
    pub objects: BTreeMap<&'a ObjectId, &'a Properties>,
}

impl<'a> Goal<'a> {
    pub(super) fn new(conn: &'a AdminConn, snapshot: &'a Snapshot) -> Self {
        Self { conn, objects: snapshot.objects().collect() }
    }

    fn property(&self, id: &ObjectId, name: &str) -> Option<&str> {
        self.objects.get(id).and_then(|properties| properties.get(name)).map(String::as_str)
    }

    /// The kind of what the object is part of.
    fn holder(&self, id: &ObjectId) -> Option<(&'a ObjectId, &'a Properties)> {
        let of = id.of.as_deref()?;
        let found = self.objects.iter().find(|(holder, _)| {
            holder.of.is_none() && holder.schema == id.schema && raw(&holder.name) == of && is_relation(holder.kind)
        });
        found.map(|(id, properties)| (*id, *properties))
    }
}

fn is_relation(kind: Kind) -> bool {
    matches!(kind, Kind::Table | Kind::ForeignTable | Kind::View | Kind::MaterializedView | Kind::Domain)
}

/// Ways to make it go away, best first; each is one transaction. None: nobody knows an exact one.
pub(super) async fn ways(difference: &Difference, goal: &Goal<'_>) -> Result<Vec<String>, EngineError> {
    let id = &difference.object;
    let (before, after) = (difference.before.as_deref(), difference.after.as_deref());
    let one = |statement: Option<String>| statement.into_iter().collect::<Vec<_>>();
    if let Some(grantee) = difference.property.strip_prefix("grant ") {
        return Ok(one(grant(id, grantee, after, goal)));
    }
    Ok(match difference.property.as_str() {
        "existence" if after.is_some() => one(create(id, goal).await?),
        "existence" => one(drop(id, goal)),
        "comment" => one(described(id, goal).map(|what| {
            format!(
                "COMMENT ON {what} IS {}",
                after.map_or_else(|| "NULL".to_owned(), |text| literal(text).trim().to_owned())
            )
        })),
        "owner" => one(after.and_then(|owner| {
            let keyword = keyword(id.kind)?;
            Some(format!("ALTER {keyword} {} OWNER TO {}", name_of(id), identifier(owner)))
        })),
        "label" => one(label(id, after, goal)),
        "row security" => {
            one(Some(format!("ALTER TABLE {} {} ROW LEVEL SECURITY", name_of(id), on(after, "ENABLE", "DISABLE"))))
        }
        "forced row security" => {
            one(Some(format!("ALTER TABLE {} {} ROW LEVEL SECURITY", name_of(id), on(after, "FORCE", "NO FORCE"))))
        }
        "persistence" if id.kind == Kind::Table => {
            one(Some(format!("ALTER TABLE {} SET {}", name_of(id), on(after, "UNLOGGED", "LOGGED"))))
        }
        "replica identity" if id.kind == Kind::Table && after != Some("index") => {
            let word = after.unwrap_or("default").to_uppercase();
            one(Some(format!("ALTER TABLE {} REPLICA IDENTITY {word}", name_of(id))))
        }
        "validity" if id.kind == Kind::Constraint && after.is_none() => {
            one(alter_holder(id, goal)
                .map(|holder| format!("{holder} VALIDATE CONSTRAINT {}", identifier(&raw(&id.name)))))
        }
        "enabled" if id.kind == Kind::Trigger => {
            let how = match after {
                None => "ENABLE",
                Some("disabled") => "DISABLE",
                Some("enabled on replica") => "ENABLE REPLICA",
                Some(_) => "ENABLE ALWAYS",
            };
            one(Some(format!("ALTER TABLE {} {how} TRIGGER {}", relation_of(id), identifier(&raw(&id.name)))))
        }
        property => match id.kind {
            Kind::Column => one(column(id, property, before, after, goal).await?),
            Kind::Domain if property == "definition" => domain(id, goal),
            Kind::Sequence => one(sequence(id, property, after)),
            // In place where the server lets it be done; else anew.
            Kind::View | Kind::Function | Kind::Procedure => {
                let Some(definition) = create(id, goal).await? else { return Ok(Vec::new()) };
                let anew = drop(id, goal).map(|drop| format!("{drop};\n{definition}"));
                std::iter::once(definition).chain(anew).collect()
            }
            Kind::Constraint | Kind::Index | Kind::Trigger | Kind::Rule | Kind::Policy | Kind::Statistics
                if goal.property(id, "constraint").is_none() && goal.property(id, "attached to").is_none() =>
            {
                let definition = create(id, goal).await?;
                one(definition.zip(drop(id, goal)).map(|(definition, drop)| format!("{drop};\n{definition}")))
            }
            _ => Vec::new(),
        },
    })
}

fn on<'a>(after: Option<&str>, yes: &'a str, no: &'a str) -> &'a str {
    if after.is_some() { yes } else { no }
}

/// The word of ALTER and DROP.
fn keyword(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Schema => "SCHEMA",
        Kind::Table => "TABLE",
        Kind::ForeignTable => "FOREIGN TABLE",
        Kind::View => "VIEW",
        Kind::MaterializedView => "MATERIALIZED VIEW",
        Kind::Enum | Kind::CompositeType | Kind::RangeType => "TYPE",
        Kind::Domain => "DOMAIN",
        Kind::Index => "INDEX",
        Kind::Statistics => "STATISTICS",
        Kind::Sequence => "SEQUENCE",
        Kind::Function => "FUNCTION",
        Kind::Procedure => "PROCEDURE",
        Kind::Aggregate => "AGGREGATE",
        Kind::Collation => "COLLATION",
        _ => return None,
    })
}

/// Kind and name as COMMENT ON takes them.
fn described(id: &ObjectId, goal: &Goal<'_>) -> Option<String> {
    let part = |word: &str| format!("{word} {} ON {}", identifier(&raw(&id.name)), relation_of(id));
    Some(match id.kind {
        Kind::Column => format!("COLUMN {}.{}", relation_of(id), identifier(&raw(&id.name))),
        Kind::Constraint if goal.holder(id)?.0.kind == Kind::Domain => {
            format!("CONSTRAINT {} ON DOMAIN {}", identifier(&raw(&id.name)), relation_of(id))
        }
        Kind::Constraint => part("CONSTRAINT"),
        Kind::Trigger => part("TRIGGER"),
        Kind::Rule => part("RULE"),
        Kind::Policy => part("POLICY"),
        kind => format!("{} {}", keyword(kind)?, name_of(id)),
    })
}

/// The beginning of a statement that alters what the object is part of.
fn alter_holder(id: &ObjectId, goal: &Goal<'_>) -> Option<String> {
    let word = match goal.holder(id)?.0.kind {
        Kind::Domain => "DOMAIN",
        Kind::Table => "TABLE",
        _ => return None,
    };
    Some(format!("ALTER {word} {}", relation_of(id)))
}

fn drop(id: &ObjectId, goal: &Goal<'_>) -> Option<String> {
    let name = identifier(&raw(&id.name));
    match id.kind {
        // A service's schemas are the catalogue's.
        Kind::Schema => None,
        Kind::Column => Some(format!("{} DROP COLUMN {name}", alter_holder(id, goal)?)),
        Kind::Constraint => Some(format!("{} DROP CONSTRAINT {name}", alter_holder(id, goal)?)),
        Kind::Trigger => Some(format!("DROP TRIGGER {name} ON {}", relation_of(id))),
        Kind::Rule => Some(format!("DROP RULE {name} ON {}", relation_of(id))),
        Kind::Policy => Some(format!("DROP POLICY {name} ON {}", relation_of(id))),
        kind => Some(format!("DROP {} {}", keyword(kind)?, name_of(id))),
    }
}

async fn create(id: &ObjectId, goal: &Goal<'_>) -> Result<Option<String>, EngineError> {
    let Some(definition) = definition(goal.conn, id).await? else { return Ok(None) };
    let definition = definition.trim().trim_end_matches(';').to_owned();
    Ok(match id.kind {
        Kind::Column => match alter_holder(id, goal) {
            Some(holder) => Some(with_sequences(id, goal, format!("{holder} ADD COLUMN {definition}")).await?),
            None => None,
        },
        Kind::Table => Some(with_sequences(id, goal, definition).await?),
        Kind::Constraint => alter_holder(id, goal)
            .map(|holder| format!("{holder} ADD CONSTRAINT {} {definition}", identifier(&raw(&id.name)))),
        Kind::Index if goal.property(id, "constraint").is_some() || goal.property(id, "attached to").is_some() => None,
        _ => Some(definition),
    })
}

/// Before it the sequences that its columns' defaults draw from; those of identity columns come by themselves.
async fn with_sequences(id: &ObjectId, goal: &Goal<'_>, statement: String) -> Result<String, EngineError> {
    let mut statements = Vec::new();
    for (other, properties) in &goal.objects {
        let Some(column) = properties.get("owned by").filter(|_| other.kind == Kind::Sequence) else { continue };
        let owner = goal.objects.iter().find(|(c, _)| c.kind == Kind::Column && c.qualified_name() == **column);
        let Some((owner, of_column)) = owner else { continue };
        let is_part = *owner == id || (owner.schema == id.schema && owner.of == Some(raw(&id.name)) && id.of.is_none());
        if is_part
            && !of_column.contains_key("identity")
            && let Some(definition) = definition(goal.conn, other).await?
        {
            statements.push(definition);
        }
    }
    statements.push(statement);
    Ok(statements.join(";\n"))
}

async fn column(
    id: &ObjectId,
    property: &str,
    before: Option<&str>,
    after: Option<&str>,
    goal: &Goal<'_>,
) -> Result<Option<String>, EngineError> {
    let Some(holder) = alter_holder(id, goal) else { return Ok(None) };
    let alter = format!("{holder} ALTER COLUMN {}", identifier(&raw(&id.name)));
    Ok(match property {
        "definition" => return defined_anew(id, &alter, before.unwrap_or_default(), goal).await,
        "storage" => after.map(|storage| format!("{alter} SET STORAGE {storage}")),
        "compression" => Some(format!("{alter} SET COMPRESSION {}", after.unwrap_or("default"))),
        "statistics target" => Some(format!("{alter} SET STATISTICS {}", after.unwrap_or("-1"))),
        _ => None,
    })
}

/// Type, default, NOT NULL: what a column can change without being made anew.
async fn defined_anew(
    id: &ObjectId,
    alter: &str,
    before: &str,
    goal: &Goal<'_>,
) -> Result<Option<String>, EngineError> {
    // One that is generated cannot become another in place.
    if goal.property(id, "generated").is_some() || before.contains(" generated ") {
        return Ok(None);
    }
    let type_name = "concat_ws(' ', format_type(a.atttypid, a.atttypmod), \
        CASE WHEN a.attcollation <> t.typcollation THEN 'COLLATE ' || a.attcollation::regcollation END)";
    let Some(type_name) = of_column(goal.conn, id, type_name).await? else { return Ok(None) };
    let default = of_column(goal.conn, id, "pg_get_expr(d.adbin, d.adrelid)").await?;
    let not_null = goal.property(id, "not null");
    if not_null.is_some_and(|words| words != "not null") {
        return Ok(None);
    }
    // The words of the difference: type, collation, NOT NULL, default.
    let rest = before.strip_prefix(goal.property(id, "type").unwrap_or_default());
    let same_type = rest
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(" not null") || rest.starts_with(" default "))
        && !type_name.contains(" COLLATE ");
    let same_default = match goal.property(id, "default") {
        Some(default) => before.ends_with(&format!(" default {default}")),
        None => !before.contains(" default "),
    };
    let mut statements = Vec::new();
    if !same_type {
        let bare = type_name.split(" COLLATE ").next().unwrap_or_default();
        // A default of the old type may be none of the new one.
        statements.push(format!("{alter} DROP DEFAULT"));
        statements.push(format!("{alter} TYPE {type_name} USING {}::{bare}", identifier(&raw(&id.name))));
    }
    if not_null.is_some() != before.contains(" not null") {
        statements.push(format!("{alter} {} NOT NULL", on(not_null, "SET", "DROP")));
    }
    match default {
        Some(default) if !(same_type && same_default) => statements.push(format!("{alter} SET DEFAULT {default}")),
        None if same_type && !same_default => statements.push(format!("{alter} DROP DEFAULT")),
        _ => {}
    }
    Ok(Some(statements.join(";\n")))
}

fn domain(id: &ObjectId, goal: &Goal<'_>) -> Vec<String> {
    let (alter, not_null) = (format!("ALTER DOMAIN {}", name_of(id)), goal.property(id, "not null"));
    let default =
        goal.property(id, "default").map_or_else(|| "DROP DEFAULT".to_owned(), |d| format!("SET DEFAULT {d}"));
    vec![format!("{alter} {default};\n{alter} {} NOT NULL", on(not_null, "SET", "DROP"))]
}

fn sequence(id: &ObjectId, property: &str, after: Option<&str>) -> Option<String> {
    let alter = format!("ALTER SEQUENCE {}", name_of(id));
    Some(match property {
        "type" => format!("{alter} AS {}", after?),
        "start" => format!("{alter} START {}", after?),
        "increment" => format!("{alter} INCREMENT {}", after?),
        "minimum" => format!("{alter} MINVALUE {}", after?),
        "maximum" => format!("{alter} MAXVALUE {}", after?),
        "cache" => format!("{alter} CACHE {}", after?),
        "cycling" => format!("{alter} {}", on(after, "CYCLE", "NO CYCLE")),
        "owned by" => format!("{alter} OWNED BY {}", after.unwrap_or("NONE")),
        _ => return None,
    })
}

/// A value that an enum has more; one that it has less cannot be taken away.
fn label(id: &ObjectId, after: Option<&str>, goal: &Goal<'_>) -> Option<String> {
    let (label, labels) = (after?, goal.property(id, "labels")?);
    let at = labels.find(label)?;
    let place = match labels[..at].trim_end_matches(", ").rsplit_once("', '") {
        Some((_, before)) => format!(" AFTER '{}", before.trim_start_matches('\'')),
        None if at > 0 => format!(" AFTER {}", labels[..at].trim_end_matches(", ")),
        None => labels[label.len()..]
            .strip_prefix(", ")
            .and_then(|rest| Some(format!(" BEFORE {}", &rest[..=rest[1..].find('\'')? + 1])))
            .unwrap_or_default(),
    };
    Some(format!("ALTER TYPE {} ADD VALUE {label}{place}", name_of(id)))
}

fn grant(id: &ObjectId, grantee: &str, after: Option<&str>, goal: &Goal<'_>) -> Option<String> {
    let owner = || match id.kind {
        Kind::Column => goal.holder(id).and_then(|(_, properties)| properties.get("owner")).map(String::as_str),
        _ => goal.property(id, "owner"),
    };
    let role = match grantee {
        "PUBLIC" => "PUBLIC".to_owned(),
        "its owner" => identifier(owner()?),
        name => identifier(&raw(name)),
    };
    let (object, column) = match id.kind {
        Kind::Table | Kind::View | Kind::MaterializedView | Kind::ForeignTable => {
            (format!("TABLE {}", name_of(id)), None)
        }
        Kind::Column => (format!("TABLE {}", relation_of(id)), Some(identifier(&raw(&id.name)))),
        Kind::Aggregate => (format!("FUNCTION {}", name_of(id)), None),
        Kind::Sequence | Kind::Function | Kind::Procedure | Kind::Schema | Kind::Domain => {
            (format!("{} {}", keyword(id.kind)?, name_of(id)), None)
        }
        Kind::Enum | Kind::CompositeType | Kind::RangeType => (format!("TYPE {}", name_of(id)), None),
        _ => return None,
    };
    let on_columns = |privilege: &str| match &column {
        Some(column) => format!("{privilege} ({column})"),
        None => privilege.to_owned(),
    };
    let mut statements = vec![format!("REVOKE {} ON {object} FROM {role}", on_columns("ALL"))];
    for privilege in after.into_iter().flat_map(|words| words.split(", ")) {
        // Granted by somebody else, whom we cannot be.
        if privilege.contains(" by ") || privilege.contains(';') {
            return None;
        }
        let (word, option) = match privilege.strip_suffix(" WITH GRANT OPTION") {
            Some(word) => (word, " WITH GRANT OPTION"),
            None => (privilege, ""),
        };
        statements.push(format!("GRANT {} ON {object} TO {role}{option}", on_columns(word)));
    }
    Some(statements.join(";\n"))
}
