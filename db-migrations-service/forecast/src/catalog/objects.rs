//! The rows of the catalog that a forecast needs.

use serde::Deserialize;
use sql_grammar::QualifiedName;

/// A number of an object: PostgreSQL's oid, or one of our own for what a statement has created meanwhile.
pub type Id = u32;

/// What sort of relation; PostgreSQL's `relkind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum RelationKind {
    /// An ordinary table.
    #[serde(rename = "r")]
    Table,
    /// A partitioned table: it holds no rows itself.
    #[serde(rename = "p")]
    PartitionedTable,
    /// A view.
    #[serde(rename = "v")]
    View,
    /// A materialized view.
    #[serde(rename = "m")]
    MaterializedView,
    /// An index.
    #[serde(rename = "i")]
    Index,
    /// The index of a partitioned table.
    #[serde(rename = "I")]
    PartitionedIndex,
    /// A sequence.
    #[serde(rename = "S")]
    Sequence,
    /// The attributes of a composite type.
    #[serde(rename = "c")]
    CompositeType,
    /// A foreign table.
    #[serde(rename = "f")]
    ForeignTable,
    /// A TOAST table.
    #[serde(rename = "t")]
    Toast,
}

impl RelationKind {
    /// Indexes of both sorts.
    pub fn is_index(self) -> bool {
        matches!(self, Self::Index | Self::PartitionedIndex)
    }
}

/// A table, view, index, sequence …
#[derive(Debug, Clone, Deserialize)]
pub struct Relation {
    pub(crate) id: Id,
    pub(crate) schema: String,
    pub(crate) name: String,
    /// What it is.
    pub kind: RelationKind,
    pub(crate) persistence: String,
    pub(crate) is_partition: bool,
    /// The role that owns it.
    pub owner: String,
    pub(crate) method: String,
    tuples: f64,
    pages: i64,
    live: i64,
    heap_bytes: u64,
    /// Bytes of the table and its TOAST table, without indexes.
    pub bytes: u64,
    /// Bytes with its indexes.
    pub total_bytes: u64,
    pub(crate) index_of: Option<Id>,
    pub(crate) expressions: Option<bool>,
    pub(crate) keys: Option<Vec<i32>>,
    pub(crate) default_partition: Option<Id>,
    pub(crate) tablespace: String,
    /// Created by an earlier statement of the same transaction: nobody else can see it, so no lock on it hurts.
    #[serde(default)]
    pub created_here: bool,
    #[serde(default)]
    pub(crate) columns: Vec<Column>,
}

impl Relation {
    pub(crate) fn new(id: Id, name: &QualifiedName, kind: RelationKind) -> Self {
        Self {
            id,
            schema: name.schema.clone(),
            name: name.name.clone(),
            kind,
            persistence: "p".to_owned(),
            is_partition: false,
            owner: String::new(),
            method: if kind == RelationKind::Table { "heap".to_owned() } else { String::new() },
            tuples: 0.0,
            pages: 0,
            live: 0,
            heap_bytes: 0,
            bytes: 0,
            total_bytes: 0,
            index_of: None,
            expressions: None,
            keys: None,
            default_partition: None,
            tablespace: String::new(),
            created_here: true,
            columns: Vec::new(),
        }
    }

    /// Takes its rows away.
    pub(super) fn empty(&mut self) {
        (self.tuples, self.pages, self.live) = (0.0, 0, 0);
        (self.heap_bytes, self.bytes, self.total_bytes) = (0, 0, 0);
    }

    /// `schema.name`.
    pub fn qualified(&self) -> QualifiedName {
        QualifiedName { schema: self.schema.clone(), name: self.name.clone() }
    }

    /// About how many rows it has: the density at the last ANALYZE times the size now, as PostgreSQL's planner
    /// reckons; before the first ANALYZE the count that the statistics collector keeps, or 100 bytes a row.
    pub fn rows(&self) -> u64 {
        const BYTES_PER_ROW: u64 = 100;
        const BLOCK: f64 = 8192.0;
        if self.tuples > 0.0 && self.pages > 0 {
            return (self.tuples / self.pages as f64 * (self.heap_bytes as f64 / BLOCK)).max(1.0) as u64;
        }
        let counted = u64::try_from(self.live).ok().filter(|live| *live > 0);
        // An empty table still has a block: that of its TOAST table's index.
        counted.unwrap_or(if self.bytes <= BLOCK as u64 { 0 } else { self.bytes / BYTES_PER_ROW })
    }

    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Column {
    #[serde(default)]
    pub relation: Id,
    pub number: i32,
    pub name: String,
    pub r#type: Id,
    pub modifier: i32,
    pub not_null: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Constraint {
    pub id: Id,
    pub name: String,
    /// 0 for a domain's.
    pub relation: Id,
    /// `c` check, `f` foreign key, `p` primary key, `u` unique, `x` exclusion, `n` not null, `t` trigger.
    pub kind: String,
    pub validated: bool,
    pub referenced: Id,
    /// A foreign key that writes to its own table when the referenced row goes or changes.
    pub writes: bool,
    pub columns: Vec<i32>,
    pub referenced_columns: Vec<i32>,
    /// The constraint of the partitioned table that it is a part of, or 0.
    pub parent: Id,
    /// The columns that it proves to be not null, once it is validated.
    pub not_null: Vec<i32>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Trigger {
    pub id: Id,
    pub relation: Id,
    pub name: String,
    /// The bits of `pg_trigger.tgtype`.
    pub r#type: i32,
    pub enabled: bool,
    pub routine: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Type {
    pub id: Id,
    pub schema: String,
    pub name: String,
    pub kind: String,
    pub base: Id,
    pub modifier: i32,
    pub relation: Id,
    pub element: Id,
    pub constrained: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Routine {
    pub id: Id,
    pub schema: String,
    pub name: String,
    pub volatile: bool,
    pub builtin: bool,
}

/// What hangs on one table and has no relation of its own, and what has a name only.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Part {
    pub class: Class,
    pub id: Id,
    pub relation: Id,
    pub schema: String,
    pub name: String,
    /// The column of a default.
    pub sub: i32,
}

/// The catalog that holds an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub(crate) enum Class {
    #[serde(rename = "pg_class")]
    Relation,
    #[serde(rename = "pg_constraint")]
    Constraint,
    #[serde(rename = "pg_trigger")]
    Trigger,
    #[serde(rename = "pg_policy")]
    Policy,
    #[serde(rename = "pg_rewrite")]
    Rule,
    #[serde(rename = "pg_attrdef")]
    Default,
    #[serde(rename = "pg_type")]
    Type,
    #[serde(rename = "pg_proc")]
    Routine,
    #[serde(rename = "pg_namespace")]
    Schema,
    #[serde(rename = "pg_statistic_ext")]
    Statistics,
    #[serde(rename = "pg_extension")]
    Extension,
    #[serde(other)]
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Object {
    pub class: Class,
    pub id: Id,
    /// A column's number, 0 for the whole.
    pub sub: i32,
}

impl Object {
    pub(crate) fn new(class: Class, id: Id) -> Self {
        Self { class, id, sub: 0 }
    }
}
