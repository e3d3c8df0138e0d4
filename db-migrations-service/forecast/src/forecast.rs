//! What one statement will lock, rewrite and read whole.

mod alter;
mod alter_parts;
mod drop;
mod object;
mod query;
mod table;
pub(crate) mod types;

use std::collections::BTreeMap;

pub(crate) use drop::named;
use serde::{Deserialize, Serialize};
use sql_grammar::{QualifiedName, Statement};

use crate::catalog::{Catalog, Id, Relation, RelationKind};
use crate::mode::LockMode;

/// The lock of one statement on one relation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RelationLock {
    /// The relation, as `schema.name`.
    #[serde(serialize_with = "as_text")]
    pub relation: QualifiedName,
    /// The strongest mode.
    pub mode: LockMode,
    /// The statement, or one before it in the transaction, creates the relation: nobody can wait for it.
    pub created_here: bool,
    /// Taken in any case. Otherwise only where rows lead there: the partition that a row belongs to, the table that
    /// its foreign key points at.
    pub certain: bool,
}

/// How a relation is worked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorkKind {
    /// Every row is written anew, and every index with it.
    Rewrite,
    /// Every row is read.
    Scan,
    /// Every row is read, and sorted into an index.
    IndexBuild,
    /// Rows are changed in place by the thousands, each locked to the end of the transaction.
    RowChanges,
}

/// A relation that a statement works through, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Work {
    /// The relation.
    #[serde(serialize_with = "as_text")]
    pub relation: QualifiedName,
    /// How.
    pub kind: WorkKind,
    /// The stable code of the hazard that it is on a large relation.
    pub code: &'static str,
    /// SQL that gets there without the wait, where one is known.
    pub safer: Option<String>,
}

/// What a statement will do to the relations of one database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Forecast {
    /// The strongest lock on each relation, in order of name. Indexes are listed where the statement names them.
    pub locks: Vec<RelationLock>,
    /// What is worked through, row by row.
    pub work: Vec<Work>,
    /// Tables that get a new, empty file.
    #[serde(serialize_with = "all_as_text")]
    pub truncates: Vec<QualifiedName>,
    /// Why there may be more than this: the body of a function, a trigger, `DO`. Only a rehearsal tells.
    pub unknown: Option<String>,
}

impl Forecast {
    /// Relations that are worked through in this way, each once.
    pub fn with_work(&self, kind: WorkKind) -> Vec<&QualifiedName> {
        let mut names: Vec<_> = self.work.iter().filter(|w| w.kind == kind).map(|w| &w.relation).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Relations that are written anew.
    pub fn rewrites(&self) -> Vec<&QualifiedName> {
        self.with_work(WorkKind::Rewrite)
    }

    /// Relations that are read whole, without those that are rewritten or indexed.
    pub fn scans(&self) -> Vec<&QualifiedName> {
        self.with_work(WorkKind::Scan)
    }
}

/// Forecasts one statement on the database that `catalog` describes.
pub fn forecast(statement: &Statement, catalog: &Catalog) -> Forecast {
    let mut draft = Draft::new(catalog);
    if let Some(reason) = &catalog.blind {
        draft.unknown(reason.clone());
    }
    draft.statement(&statement.node, &statement.tree);
    draft.finish()
}

/// A forecast in the making.
struct Draft<'a> {
    catalog: &'a Catalog,
    locks: BTreeMap<Id, (LockMode, bool)>,
    created: Vec<QualifiedName>,
    work: Vec<Work>,
    truncates: Vec<QualifiedName>,
    unknown: Vec<String>,
}

impl<'a> Draft<'a> {
    fn new(catalog: &'a Catalog) -> Self {
        let (locks, created, work) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { catalog, locks, created, work, truncates: Vec::new(), unknown: Vec::new() }
    }

    fn version(&self) -> u32 {
        self.catalog.server_version_num / 10_000
    }

    fn lock(&mut self, relation: Id, mode: LockMode) {
        let held = self.locks.entry(relation).or_insert((mode, true));
        *held = (if held.1 { held.0.max(mode) } else { mode }, true);
    }

    fn lock_all(&mut self, relations: impl IntoIterator<Item = Id>, mode: LockMode) {
        relations.into_iter().for_each(|relation| self.lock(relation, mode));
    }

    /// A lock that is taken only where rows lead there.
    fn maybe(&mut self, relation: Id, mode: LockMode) {
        let held = self.locks.entry(relation).or_insert((mode, false));
        if !held.1 {
            held.0 = held.0.max(mode);
        }
    }

    fn creates(&mut self, schema: Option<&str>, name: &str) {
        let schema = schema.unwrap_or(self.catalog.default_schema()).to_owned();
        self.created.push(QualifiedName { schema, name: name.to_owned() });
    }

    /// Notes that a relation with rows of its own is worked through.
    fn work(&mut self, relation: Id, kind: WorkKind, code: &'static str, safer: Option<String>) {
        let Some(relation) = self.catalog.relations.get(&relation) else { return };
        if matches!(relation.kind, RelationKind::Table | RelationKind::MaterializedView) {
            self.work.push(Work { relation: relation.qualified(), kind, code, safer });
        }
    }

    fn unknown(&mut self, reason: impl Into<String>) {
        let reason = reason.into();
        if !self.unknown.contains(&reason) {
            self.unknown.push(reason);
        }
    }

    /// The relation of a `RangeVar`; `None` where this database has none, which is noted unless `missing_ok`.
    fn find(&mut self, range_var: &serde_json::Value, missing_ok: bool) -> Option<&'a Relation> {
        let (schema, name) = crate::tree::range(range_var);
        self.find_name(schema, name, missing_ok)
    }

    fn find_name(&mut self, schema: Option<&str>, name: &str, missing_ok: bool) -> Option<&'a Relation> {
        // Catalogs are locked too, for which nobody waits.
        if matches!(schema, Some("pg_catalog" | "information_schema")) || (schema.is_none() && name.starts_with("pg_"))
        {
            return None;
        }
        let found = self.catalog.find(schema, name);
        if found.is_none() && !missing_ok {
            let name = schema.map_or_else(|| name.to_owned(), |schema| format!("{schema}.{name}"));
            self.unknown(format!("this database has no relation {name}, so the statement is expected to fail"));
        }
        found
    }

    fn finish(mut self) -> Forecast {
        let mut locks: Vec<RelationLock> = self
            .locks
            .iter()
            .filter_map(|(id, (mode, certain))| {
                let relation = self.catalog.relations.get(id)?;
                Some(RelationLock {
                    relation: relation.qualified(),
                    mode: *mode,
                    created_here: relation.created_here,
                    certain: *certain,
                })
            })
            .collect();
        locks.extend(self.created.drain(..).map(|relation| RelationLock {
            relation,
            mode: LockMode::AccessExclusive,
            created_here: true,
            certain: true,
        }));
        locks.sort_by(|a, b| a.relation.cmp(&b.relation));
        locks.dedup_by(|a, b| a.relation == b.relation);
        let rewritten: Vec<_> =
            self.work.iter().filter(|w| w.kind == WorkKind::Rewrite).map(|w| w.relation.clone()).collect();
        // The rewrite reads every row and builds every index, whatever else asked for it.
        self.work.retain(|w| w.kind == WorkKind::Rewrite || !rewritten.contains(&w.relation));
        self.work.dedup();
        let unknown = (!self.unknown.is_empty()).then(|| self.unknown.join("; "));
        Forecast { locks, work: self.work, truncates: self.truncates, unknown }
    }
}

fn as_text<S: serde::Serializer>(name: &QualifiedName, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(name)
}

fn all_as_text<S: serde::Serializer>(names: &[QualifiedName], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(names.iter().map(ToString::to_string))
}
