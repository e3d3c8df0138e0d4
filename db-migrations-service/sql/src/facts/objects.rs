//! What each kind of statement creates, drops and changes.

use serde_json::Value;

use super::walk::strings;
use super::{Facts, ObjectKind, ObjectName, QualifiedName, Reference};
use crate::parse::Statement;
use crate::tokens::{TokenKind, fold, tokens};

pub(super) fn objects(statement: &Statement, default_schema: &str, facts: &mut Facts) {
    let tree = &statement.tree;
    let own = |kind, names: &Value| object(kind, &strings(names), default_schema);
    match statement.node.as_str() {
        "CreateSchemaStmt" => {
            if let Some(name) = tree["schemaname"].as_str() {
                facts.creates.insert(schema(name));
            }
        }
        "CreateStmt" | "CreateForeignTableStmt" => {
            let base = if tree["base"].is_object() { &tree["base"] } else { tree };
            create_table(base, default_schema, facts);
        }
        "CreateTableAsStmt" => created_relation(&tree["into"]["rel"], default_schema, facts),
        "ViewStmt" => created_relation(&tree["view"], default_schema, facts),
        "CreateSeqStmt" => created_relation(&tree["sequence"], default_schema, facts),
        "CompositeTypeStmt" => {
            facts
                .creates
                .extend(relation(&tree["typevar"], default_schema).map(|r| ObjectName { kind: ObjectKind::Type, ..r }));
            facts.references.retain(|r| relation(&tree["typevar"], default_schema).as_ref() != Some(&r.object));
        }
        "CreateEnumStmt" | "CreateRangeStmt" => facts.creates.extend(own(ObjectKind::Type, &tree["typeName"])),
        "CreateDomainStmt" => facts.creates.extend(own(ObjectKind::Type, &tree["domainname"])),
        "CreateFunctionStmt" => {
            facts.creates.extend(own(ObjectKind::Routine, &tree["funcname"]));
            mention_options(&tree["options"], facts);
        }
        "DoStmt" => mention_options(&tree["args"], facts),
        "DefineStmt" => {
            let kind = match tree["kind"].as_str() {
                Some("OBJECT_AGGREGATE") => ObjectKind::Routine,
                _ => ObjectKind::Type,
            };
            facts.creates.extend(own(kind, &tree["defnames"]));
        }
        "IndexStmt" => index(tree, default_schema, facts),
        "AlterTableStmt" => alter_table(tree, default_schema, facts),
        "RenameStmt" => rename(tree, default_schema, facts),
        "AlterObjectSchemaStmt" => {
            if let Some(old) = relation(&tree["relation"], default_schema) {
                if let Some(new) = tree["newschema"].as_str() {
                    let name = QualifiedName { schema: new.to_owned(), name: old.name.name.clone() };
                    facts.creates.insert(ObjectName { kind: ObjectKind::Relation, name });
                }
                facts.drops.insert(old);
            }
        }
        "CreateTrigStmt" | "CreatePolicyStmt" | "AlterPolicyStmt" | "RuleStmt" => {
            let table = if tree["table"].is_object() { &tree["table"] } else { &tree["relation"] };
            facts.alters.extend(relation(table, default_schema));
        }
        "AlterEnumStmt" => {
            let changed = own(ObjectKind::Type, &tree["typeName"]);
            facts.commit_before_use = tree["newVal"].is_string() && tree["oldVal"].is_null();
            refer_all(facts, changed.clone());
            facts.alters.extend(changed);
        }
        "AlterDomainStmt" => {
            let changed = own(ObjectKind::Type, &tree["typeName"]);
            refer_all(facts, changed.clone());
            facts.alters.extend(changed);
        }
        "DropStmt" => drop(tree, default_schema, facts),
        "CommentStmt" | "SecLabelStmt" => comment(tree, default_schema, facts),
        "GrantStmt" if tree["objtype"].as_str() == Some("OBJECT_SCHEMA") => {
            let named = strings(&tree["objects"]).iter().map(|name| schema(name)).collect();
            refer_all(facts, named);
        }
        "VariableSetStmt" => facts.sets_session = !tree["is_local"].as_bool().unwrap_or(false),
        _ => {}
    }
}

fn schema(name: &str) -> ObjectName {
    ObjectName { kind: ObjectKind::Schema, name: QualifiedName { schema: name.to_owned(), name: name.to_owned() } }
}

/// `[schema, name]` or `[name]` as an object.
fn object(kind: ObjectKind, parts: &[String], default_schema: &str) -> Vec<ObjectName> {
    let (schema, name) = match parts {
        [schema, name] => (schema.as_str(), name),
        [name] => (default_schema, name),
        _ => return Vec::new(),
    };
    vec![ObjectName { kind, name: QualifiedName { schema: schema.to_owned(), name: name.clone() } }]
}

fn relation(range_var: &Value, default_schema: &str) -> Option<ObjectName> {
    let name = range_var["relname"].as_str()?.to_owned();
    let schema = range_var["schemaname"].as_str().unwrap_or(default_schema).to_owned();
    Some(ObjectName { kind: ObjectKind::Relation, name: QualifiedName { schema, name } })
}

fn column(relation: &ObjectName, name: &str) -> ObjectName {
    let QualifiedName { schema, name: table } = &relation.name;
    ObjectName {
        kind: ObjectKind::Column,
        name: QualifiedName { schema: schema.clone(), name: format!("{table}.{name}") },
    }
}

fn created_relation(range_var: &Value, default_schema: &str, facts: &mut Facts) {
    let made = relation(range_var, default_schema);
    if range_var["relpersistence"].as_str() == Some("t") {
        facts.references.retain(|reference| Some(&reference.object) != made.as_ref());
        facts.temporary.extend(made);
    } else {
        facts.creates.extend(made);
    }
}

fn create_table(tree: &Value, default_schema: &str, facts: &mut Facts) {
    created_relation(&tree["relation"], default_schema, facts);
    let Some(table) = relation(&tree["relation"], default_schema) else { return };
    if facts.temporary.contains(&table) {
        return;
    }
    for element in tree["tableElts"].as_array().into_iter().flatten() {
        if let Some(name) = element["ColumnDef"]["colname"].as_str() {
            facts.creates.insert(column(&table, name));
        }
        for constraint in element["ColumnDef"]["constraints"].as_array().into_iter().flatten() {
            constraint_index(&constraint["Constraint"], &table, facts);
        }
        constraint_index(&element["Constraint"], &table, facts);
    }
}

/// The index behind a named key, which bears the constraint's name.
fn constraint_index(constraint: &Value, table: &ObjectName, facts: &mut Facts) {
    if let (Some("CONSTR_PRIMARY" | "CONSTR_UNIQUE" | "CONSTR_EXCLUSION"), Some(name)) =
        (constraint["contype"].as_str(), constraint["conname"].as_str())
    {
        let name = QualifiedName { schema: table.name.schema.clone(), name: name.to_owned() };
        facts.creates.insert(ObjectName { kind: ObjectKind::Relation, name });
    }
}

fn index(tree: &Value, default_schema: &str, facts: &mut Facts) {
    let Some(table) = relation(&tree["relation"], default_schema) else { return };
    if let Some(name) = tree["idxname"].as_str() {
        let name = QualifiedName { schema: table.name.schema.clone(), name: name.to_owned() };
        facts.creates.insert(ObjectName { kind: ObjectKind::Relation, name });
    }
    facts.alters.insert(table);
}

fn alter_table(tree: &Value, default_schema: &str, facts: &mut Facts) {
    let Some(table) = relation(&tree["relation"], default_schema) else { return };
    for command in tree["cmds"].as_array().into_iter().flatten() {
        let command = &command["AlterTableCmd"];
        match command["subtype"].as_str() {
            Some("AT_AddColumn") => {
                facts.creates.extend(command["def"]["ColumnDef"]["colname"].as_str().map(|name| column(&table, name)));
            }
            Some("AT_AddConstraint") => constraint_index(&command["def"]["Constraint"], &table, facts),
            Some("AT_DropColumn") => facts.drops.extend(command["name"].as_str().map(|name| column(&table, name))),
            Some(
                "AT_ColumnDefault" | "AT_SetNotNull" | "AT_DropNotNull" | "AT_AlterColumnType" | "AT_SetStatistics",
            ) => {
                let column = command["name"].as_str().map(|name| column(&table, name));
                if command["subtype"].as_str() == Some("AT_AlterColumnType") {
                    facts.retypes.extend(column.clone());
                }
                facts.alters.extend(column);
            }
            _ => {}
        }
    }
    facts.alters.insert(table);
}

fn rename(tree: &Value, default_schema: &str, facts: &mut Facts) {
    let Some(new) = tree["newname"].as_str() else { return };
    let table = relation(&tree["relation"], default_schema);
    match (tree["renameType"].as_str(), table) {
        (Some("OBJECT_COLUMN"), Some(table)) => {
            facts.creates.insert(column(&table, new));
            facts.drops.extend(tree["subname"].as_str().map(|old| column(&table, old)));
            facts.alters.insert(table);
        }
        (Some("OBJECT_TABCONSTRAINT" | "OBJECT_POLICY" | "OBJECT_TRIGGER" | "OBJECT_RULE"), Some(table)) => {
            facts.alters.insert(table);
        }
        (_, Some(table)) => {
            let name = QualifiedName { schema: table.name.schema.clone(), name: new.to_owned() };
            facts.creates.insert(ObjectName { kind: ObjectKind::Relation, name });
            facts.drops.insert(table);
        }
        (Some("OBJECT_FUNCTION" | "OBJECT_PROCEDURE" | "OBJECT_ROUTINE"), None) => {
            let old =
                object(ObjectKind::Routine, &strings(&tree["object"]["ObjectWithArgs"]["objname"]), default_schema);
            let schema = old.first().map_or(default_schema, |o| o.name.schema.as_str()).to_owned();
            facts.creates.extend(object(ObjectKind::Routine, &[schema, new.to_owned()], default_schema));
            facts.drops.extend(old);
        }
        (Some("OBJECT_TYPE" | "OBJECT_DOMAIN"), None) => {
            let old = object(ObjectKind::Type, &strings(&tree["object"]), default_schema);
            let schema = old.first().map_or(default_schema, |o| o.name.schema.as_str()).to_owned();
            facts.creates.extend(object(ObjectKind::Type, &[schema, new.to_owned()], default_schema));
            facts.drops.extend(old);
        }
        _ => {}
    }
}

fn drop(tree: &Value, default_schema: &str, facts: &mut Facts) {
    let missing_ok = tree["missing_ok"].as_bool().unwrap_or(false);
    let remove = tree["removeType"].as_str().unwrap_or("");
    for item in tree["objects"].as_array().into_iter().flatten() {
        let dropped = match remove {
            "OBJECT_TABLE"
            | "OBJECT_VIEW"
            | "OBJECT_MATVIEW"
            | "OBJECT_INDEX"
            | "OBJECT_SEQUENCE"
            | "OBJECT_FOREIGN_TABLE" => object(ObjectKind::Relation, &strings(item), default_schema),
            "OBJECT_FUNCTION" | "OBJECT_PROCEDURE" | "OBJECT_ROUTINE" | "OBJECT_AGGREGATE" => {
                object(ObjectKind::Routine, &strings(&item["ObjectWithArgs"]["objname"]), default_schema)
            }
            "OBJECT_TYPE" | "OBJECT_DOMAIN" => {
                object(ObjectKind::Type, &strings(&item["TypeName"]["names"]), default_schema)
            }
            "OBJECT_SCHEMA" => strings(item).iter().map(|name| schema(name)).collect(),
            "OBJECT_POLICY" | "OBJECT_TRIGGER" | "OBJECT_RULE" => {
                let parts = strings(item);
                let table = object(ObjectKind::Relation, &parts[..parts.len().saturating_sub(1)], default_schema);
                facts.alters.extend(table.clone());
                if !missing_ok {
                    refer_all(facts, table);
                }
                continue;
            }
            _ => continue,
        };
        if missing_ok {
            facts.references.retain(|r| !dropped.contains(&r.object));
        } else {
            refer_all(facts, dropped.clone());
        }
        facts.drops.extend(dropped);
    }
}

fn comment(tree: &Value, default_schema: &str, facts: &mut Facts) {
    let parts = strings(&tree["object"]);
    let (relation_parts, column_name) = match tree["objtype"].as_str() {
        Some("OBJECT_TABLE" | "OBJECT_VIEW" | "OBJECT_MATVIEW" | "OBJECT_INDEX" | "OBJECT_SEQUENCE") => {
            (parts.as_slice(), None)
        }
        Some("OBJECT_COLUMN") => match parts.split_last() {
            Some((last, rest)) => (rest, Some(last.clone())),
            None => return,
        },
        Some("OBJECT_TABCONSTRAINT" | "OBJECT_POLICY" | "OBJECT_TRIGGER" | "OBJECT_RULE") => {
            (&parts[..parts.len().saturating_sub(1)], None)
        }
        Some("OBJECT_SCHEMA") => {
            let named = parts.iter().map(|name| schema(name)).collect();
            return refer_all(facts, named);
        }
        _ => return,
    };
    let table = object(ObjectKind::Relation, relation_parts, default_schema);
    facts.columns.extend(column_name);
    facts.alters.extend(table.clone());
    refer_all(facts, table);
}

fn refer_all(facts: &mut Facts, objects: Vec<ObjectName>) {
    for object in objects {
        if !facts.references.iter().any(|r| r.object == object) {
            facts.references.insert(Reference { object, byte: None });
        }
    }
}

/// Dotted names in the strings of `AS`: what a body that only the server reads seems to use.
fn mention_options(options: &Value, facts: &mut Facts) {
    for option in options.as_array().into_iter().flatten() {
        let option = &option["DefElem"];
        if option["defname"].as_str() == Some("as") {
            for body in strings(&option["arg"]) {
                mention(&body, facts);
            }
        }
    }
}

fn mention(body: &str, facts: &mut Facts) {
    let Some(all) = tokens(body) else { return };
    let words: Vec<_> = all.iter().filter(|t| t.kind != TokenKind::Comment).collect();
    for window in words.windows(3) {
        if let [schema, dot, name] = window
            && (schema.kind, dot.kind, name.kind) == (TokenKind::Word, TokenKind::Dot, TokenKind::Word)
        {
            let (schema, name) = (fold(&body[schema.start..schema.end]), fold(&body[name.start..name.end]));
            facts.mentions.insert(QualifiedName { schema, name });
        }
    }
}
