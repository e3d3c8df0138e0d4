//! Queries, row changes, COPY, LOCK, TRUNCATE.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Draft, WorkKind};
use crate::catalog::{Id, Relation, RelationKind};
use crate::mode::LockMode;
use crate::tree::{calls, flag, list, range, strings, text, walk};

/// How deep foreign keys and views are followed; a circle ends there too.
const DEPTH: usize = 16;

/// The bits of `pg_trigger.tgtype` for INSERT, DELETE and UPDATE.
const ANY_ROW_CHANGE: i32 = 4 | 8 | 16;

impl Draft<'_> {
    /// Every relation that the query below `node` uses.
    pub(super) fn query(&mut self, node: &Value, how: Depth) {
        let mut names = BTreeSet::new();
        walk(node, &mut |_, field| {
            if let Some(name) = field["ctename"].as_str() {
                names.insert(name);
            }
        });
        let filtered = has_filter(node);
        self.query_node("", node, &names, Reading { how, filtered, mode: LockMode::AccessShare });
        // What is not run yet calls nothing.
        if how == Depth::Planned {
            self.calls(node);
        }
    }

    fn query_node(&mut self, name: &str, node: &Value, ctes: &BTreeSet<&str>, reading: Reading) {
        match node {
            Value::Array(all) => all.iter().for_each(|item| self.query_node("", item, ctes, reading)),
            Value::Object(fields) => {
                let mut reading = reading;
                match name {
                    "RangeVar" | "relation" | "intoClause" if !text(node, "relname").is_empty() => {
                        return self.source(node, ctes, reading);
                    }
                    "SelectStmt" | "larg" | "rarg" => {
                        if !list(node, "lockingClause").is_empty() {
                            reading.mode = LockMode::RowShare;
                        }
                        if let Some(into) = node["intoClause"]["rel"]["relname"].as_str() {
                            self.creates(node["intoClause"]["rel"]["schemaname"].as_str(), into);
                        }
                    }
                    "InsertStmt" | "UpdateStmt" | "DeleteStmt" | "MergeStmt" => {
                        self.target(name, node);
                        for (field, value) in fields {
                            if field != "relation" {
                                self.query_node(field, value, ctes, reading);
                            }
                        }
                        return;
                    }
                    _ => {}
                }
                // `FOR UPDATE OF a, b` locks the rows of some; the others are only read.
                let only: Vec<&str> = list(node, "lockingClause")
                    .iter()
                    .flat_map(|clause| list(&clause["LockingClause"], "lockedRels"))
                    .map(|rel| text(&rel["RangeVar"], "relname"))
                    .collect();
                for (field, value) in fields {
                    match field.as_str() {
                        "lockingClause" | "intoClause" => {}
                        // Rows are locked where they come from, not in what the WITH query or a condition reads.
                        "fromClause" if !only.is_empty() => {
                            for item in value.as_array().into_iter().flatten() {
                                self.item_of_from(item, &only, ctes, reading);
                            }
                        }
                        "fromClause" | "larg" | "rarg" | "SelectStmt" | "RangeSubselect" | "subquery" | "JoinExpr"
                        | "RangeVar" | "selectStmt" | "query" => self.query_node(field, value, ctes, reading),
                        _ => {
                            self.query_node(field, value, ctes, Reading { mode: LockMode::AccessShare, ..reading });
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn item_of_from(&mut self, item: &Value, only: &[&str], ctes: &BTreeSet<&str>, reading: Reading) {
        let join = &item["JoinExpr"];
        if join.is_object() {
            for (field, value) in join.as_object().into_iter().flatten() {
                match field.as_str() {
                    "larg" | "rarg" => self.item_of_from(value, only, ctes, reading),
                    _ => self.query_node(field, value, ctes, Reading { mode: LockMode::AccessShare, ..reading }),
                }
            }
            return;
        }
        let entry = if item["RangeVar"].is_object() { &item["RangeVar"] } else { &item["RangeSubselect"] };
        let named = entry["alias"]["aliasname"].as_str().unwrap_or(text(entry, "relname"));
        let mode = if only.contains(&named) { reading.mode } else { LockMode::AccessShare };
        self.query_node("", item, ctes, Reading { mode, ..reading });
    }

    fn source(&mut self, range_var: &Value, ctes: &BTreeSet<&str>, reading: Reading) {
        let (schema, name) = range(range_var);
        if schema.is_none() && ctes.contains(name) {
            return;
        }
        if let Some(relation) = self.find(range_var, false) {
            self.read(relation, flag(range_var, "inh"), reading, DEPTH);
        }
    }

    fn read(&mut self, relation: &Relation, inherit: bool, reading: Reading, depth: usize) {
        // An optional lock that turns out certain, or a stronger one, goes deeper again.
        self.lock(relation.id, reading.mode);
        if depth == 0 || reading.how == Depth::Named {
            return;
        }
        if relation.kind == RelationKind::View {
            for source in self.catalog.sources(relation.id) {
                if let Some(source) = self.catalog.relations.get(&source) {
                    self.read(source, true, reading, depth - 1);
                }
            }
        }
        if inherit && reading.how == Depth::Planned {
            for child in self.catalog.descendants(relation.id) {
                // Partitions that the condition rules out are not opened.
                if reading.filtered { self.maybe(child, reading.mode) } else { self.lock(child, reading.mode) }
            }
        }
    }

    /// All that is read to answer the query of a view or materialized view.
    pub(super) fn read_sources(&mut self, view: Id) {
        for source in self.catalog.sources(view) {
            if let Some(source) = self.catalog.relations.get(&source) {
                let reading = Reading { how: Depth::Planned, filtered: true, mode: LockMode::AccessShare };
                self.read(source, true, reading, DEPTH);
            }
        }
    }

    fn target(&mut self, node: &str, tree: &Value) {
        let Some(relation) = self.find(&tree["relation"], false) else { return };
        let inherit = flag(&tree["relation"], "inh");
        let whole = matches!(node, "UpdateStmt" | "DeleteStmt") && tree["whereClause"].is_null();
        self.change(relation, node == "InsertStmt", inherit, has_filter(tree));
        if whole {
            let mut all = vec![relation.id];
            all.extend(self.catalog.descendants(relation.id));
            for id in all {
                let safer = "let it be run in batches, each a transaction of its own: put it under `-- part: backfill`";
                self.work(id, WorkKind::RowChanges, "changes-every-row", Some(safer.to_owned()));
            }
        }
    }

    fn change(&mut self, relation: &Relation, insert: bool, inherit: bool, filtered: bool) {
        self.lock(relation.id, LockMode::RowExclusive);
        if relation.kind == RelationKind::View {
            for source in self.catalog.sources(relation.id) {
                if let Some(source) = self.catalog.relations.get(&source) {
                    self.change(source, insert, true, filtered);
                }
            }
        }
        let mut reached = vec![relation.id];
        if inherit {
            for child in self.catalog.descendants(relation.id) {
                if insert && !self.catalog.relations.get(&child).is_some_and(|c| c.is_partition) {
                    continue;
                }
                reached.push(child);
                if insert || filtered {
                    self.maybe(child, LockMode::RowExclusive);
                } else {
                    self.lock(child, LockMode::RowExclusive);
                }
            }
        }
        for id in reached {
            self.row_triggers(id, DEPTH);
            for sequence in self.catalog.sequences(id).into_keys() {
                self.maybe(sequence, LockMode::RowExclusive);
            }
        }
    }

    /// What a changed row leads to: foreign keys both ways, and triggers.
    fn row_triggers(&mut self, table: Id, depth: usize) {
        let catalog = self.catalog;
        for trigger in catalog.triggers.values().filter(|t| t.relation == table && t.enabled) {
            if trigger.r#type & ANY_ROW_CHANGE != 0 {
                self.unknown(format!("the trigger {} runs {}, which may lock more", trigger.name, trigger.routine));
            }
        }
        for key in catalog.constraints_of(table).filter(|c| c.kind == "f") {
            self.maybe(key.referenced, LockMode::RowShare);
            for child in catalog.descendants(key.referenced) {
                self.maybe(child, LockMode::RowShare);
            }
        }
        for key in catalog.referencing(table) {
            let mode = if key.writes { LockMode::RowExclusive } else { LockMode::RowShare };
            let known = self.locks.get(&key.relation).is_some_and(|held| held.0 >= mode);
            self.maybe(key.relation, mode);
            if key.writes && !known && depth > 0 {
                self.row_triggers(key.relation, depth - 1);
            }
        }
    }

    /// Functions whose bodies may do anything, and those of sequences, which lock what they name.
    pub(super) fn calls(&mut self, node: &Value) {
        for names in calls(node) {
            if let Some(routine) = self.catalog.find_routines(&names).find(|r| !r.builtin) {
                let name = format!("{}.{}", routine.schema, routine.name);
                self.unknown(format!("{name} is called, whose body may lock more"));
            }
        }
        for sequence in self.sequences_named_in(node) {
            self.lock(sequence, LockMode::RowExclusive);
        }
    }

    /// The sequences that calls of `nextval` and its kin name.
    pub(super) fn sequences_named_in(&mut self, node: &Value) -> Vec<Id> {
        let mut named = Vec::new();
        walk(node, &mut |name, field| {
            let function = strings(&field["funcname"]).pop().unwrap_or_default();
            if name == "FuncCall" && matches!(function.as_str(), "nextval" | "setval" | "currval") {
                named.extend(list(field, "args").first().and_then(constant));
            }
        });
        let find = |name: String| {
            let name = name.replace('"', "");
            let (schema, name) = name.split_once('.').map_or((None, name.as_str()), |(s, n)| (Some(s), n));
            self.catalog.find(schema, name).map(|sequence| sequence.id)
        };
        named.into_iter().filter_map(find).collect()
    }

    pub(super) fn copy(&mut self, tree: &Value) {
        if tree["relation"].is_null() {
            return self.query(&tree["query"], Depth::Planned);
        }
        let Some(relation) = self.find(&tree["relation"], false) else { return };
        if flag(tree, "is_from") {
            self.change(relation, true, true, true);
        } else {
            self.lock(relation.id, LockMode::AccessShare);
        }
    }

    pub(super) fn lock_table(&mut self, tree: &Value) {
        let Some(mode) = tree["mode"].as_u64().and_then(LockMode::from_number) else { return };
        for relation in list(tree, "relations") {
            let range_var = &relation["RangeVar"];
            if let Some(relation) = self.find(range_var, false) {
                let reading = Reading { how: Depth::Planned, filtered: false, mode };
                self.read(relation, flag(range_var, "inh"), reading, DEPTH);
            }
        }
    }

    pub(super) fn truncate(&mut self, tree: &Value) {
        let mut all = Vec::new();
        for relation in list(tree, "relations") {
            let Some(relation) = self.find(&relation["RangeVar"], false) else { continue };
            all.push(relation.id);
            if flag(&list(tree, "relations")[0]["RangeVar"], "inh") {
                all.extend(self.catalog.descendants(relation.id));
            }
        }
        if text(tree, "behavior") == "DROP_CASCADE" {
            let mut at = 0;
            while let Some(next) = all.get(at).copied() {
                let mut more: Vec<Id> = self.catalog.referencing(next).map(|key| key.relation).collect();
                more.extend(more.clone().into_iter().flat_map(|id| self.catalog.descendants(id)));
                more.retain(|id| !all.contains(id));
                all.extend(more);
                at += 1;
            }
        }
        for id in all {
            self.lock(id, LockMode::AccessExclusive);
            if let Some(relation) = self.catalog.relations.get(&id)
                && relation.kind == RelationKind::Table
            {
                self.truncates.push(relation.qualified());
            }
            if flag(tree, "restart_seqs") {
                let owned = self.catalog.sequences(id).into_iter().filter(|(_, owned)| *owned);
                self.lock_all(owned.map(|(sequence, _)| sequence), LockMode::AccessExclusive);
            }
            let catalog = self.catalog;
            for trigger in catalog.triggers.values().filter(|t| t.relation == id && t.enabled && t.r#type & 32 != 0) {
                self.unknown(format!("the trigger {} runs {}, which may lock more", trigger.name, trigger.routine));
            }
        }
    }
}

/// How far the server goes into a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// It looks up the names.
    Named,
    /// It replaces views by what they select.
    Rewritten,
    /// It plans, and opens inheritance children and partitions.
    Planned,
}

#[derive(Clone, Copy)]
struct Reading {
    how: Depth,
    filtered: bool,
    mode: LockMode,
}

fn has_filter(node: &Value) -> bool {
    let mut found = false;
    walk(node, &mut |name, _| found |= matches!(name, "whereClause" | "quals" | "joinCondition"));
    found
}

/// The text of a constant, with or without a cast.
fn constant(node: &Value) -> Option<String> {
    let node = if node["TypeCast"].is_object() { &node["TypeCast"]["arg"] } else { node };
    node["A_Const"]["sval"]["sval"].as_str().map(str::to_owned)
}
