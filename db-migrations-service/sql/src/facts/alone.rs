//! Statements that PostgreSQL refuses inside a transaction block, and what is needed to repair each after a crash.

use super::QualifiedName;
use super::walk::strings;
use crate::parse::Statement;

/// A statement that must run on its own, and how to tell afterwards whether it was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alone {
    /// `CREATE INDEX CONCURRENTLY`: done when the index is there and valid; an invalid one is dropped first.
    CreateIndex {
        /// The index, in its table's schema. One that leaves its name to the server is forbidden.
        index: QualifiedName,
    },
    /// `DROP INDEX CONCURRENTLY`: done when none of them is there.
    DropIndex {
        /// The indexes.
        indexes: Vec<QualifiedName>,
    },
    /// `REINDEX … CONCURRENTLY`: may be repeated; leaves invalid `_ccnew` or `_ccold` indexes when it is interrupted.
    Reindex {
        /// The index or the table.
        relation: Option<QualifiedName>,
    },
    /// `ALTER TABLE … DETACH PARTITION … CONCURRENTLY`: finished with `FINALIZE` when it was interrupted.
    DetachPartition {
        /// The partitioned table.
        parent: QualifiedName,
        /// The partition.
        partition: QualifiedName,
    },
    /// May be repeated as it is: `VACUUM`, `CLUSTER` of everything.
    Repeatable(&'static str),
}

impl Alone {
    /// The words that make it so.
    pub fn what(&self) -> &'static str {
        match self {
            Self::CreateIndex { .. } => "CREATE INDEX CONCURRENTLY",
            Self::DropIndex { .. } => "DROP INDEX CONCURRENTLY",
            Self::Reindex { .. } => "REINDEX CONCURRENTLY",
            Self::DetachPartition { .. } => "DETACH PARTITION CONCURRENTLY",
            Self::Repeatable(what) => what,
        }
    }
}

pub(super) fn alone(statement: &Statement, default_schema: &str) -> Option<Alone> {
    let tree = &statement.tree;
    let name = |range_var: &serde_json::Value| {
        Some(QualifiedName {
            schema: range_var["schemaname"].as_str().unwrap_or(default_schema).to_owned(),
            name: range_var["relname"].as_str()?.to_owned(),
        })
    };
    match statement.node.as_str() {
        "IndexStmt" if tree["concurrent"].as_bool() == Some(true) => {
            let schema = tree["relation"]["schemaname"].as_str().unwrap_or(default_schema);
            let index = QualifiedName { schema: schema.to_owned(), name: tree["idxname"].as_str()?.to_owned() };
            Some(Alone::CreateIndex { index })
        }
        "DropStmt" if tree["concurrent"].as_bool() == Some(true) => {
            let indexes = tree["objects"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|item| match strings(item).as_slice() {
                    [schema, name] => Some(QualifiedName { schema: schema.clone(), name: name.clone() }),
                    [name] => Some(QualifiedName { schema: default_schema.to_owned(), name: name.clone() }),
                    _ => None,
                })
                .collect();
            Some(Alone::DropIndex { indexes })
        }
        "ReindexStmt" if has_option(&tree["params"], "concurrently") => {
            Some(Alone::Reindex { relation: name(&tree["relation"]) })
        }
        "ReindexStmt"
            if matches!(
                tree["kind"].as_str(),
                Some("REINDEX_OBJECT_SCHEMA" | "REINDEX_OBJECT_DATABASE" | "REINDEX_OBJECT_SYSTEM")
            ) =>
        {
            Some(Alone::Repeatable("REINDEX of a schema or database"))
        }
        "AlterTableStmt" => tree["cmds"].as_array().into_iter().flatten().find_map(|command| {
            let partition = &command["AlterTableCmd"]["def"]["PartitionCmd"];
            if partition["concurrent"].as_bool() != Some(true) {
                return None;
            }
            Some(Alone::DetachPartition { parent: name(&tree["relation"])?, partition: name(&partition["name"])? })
        }),
        "VacuumStmt" if tree["is_vacuumcmd"].as_bool() == Some(true) => Some(Alone::Repeatable("VACUUM")),
        "ClusterStmt" if tree["relation"].is_null() => Some(Alone::Repeatable("CLUSTER of all tables")),
        _ => None,
    }
}

fn has_option(options: &serde_json::Value, name: &str) -> bool {
    options.as_array().into_iter().flatten().any(|option| option["DefElem"]["defname"].as_str() == Some(name))
}
