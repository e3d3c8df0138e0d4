//! Reading one database again and again: what did not change since is not read anew.
//!
//! Reading everything takes time that grows with the schema, and most changes are small. So what a snapshot holds is
//! divided into *units* – a table, view, sequence, routine or type with all of its parts – and for each a mark is kept,
//! which stands for the versions of all rows in the catalogs that it is made of (`read/marks.sql`). Why the result is
//! what reading everything would give:
//!
//! * A row cannot change without another version: what has the same mark is made of the very same rows.
//! * The wording of a unit holds names of what it depends on, and the server knows that. Where a unit that was there
//!   before has another mark, what depends on it is read too (`read/dependents.sql`). What is new or gone was named by
//!   nothing that did not change with it.
//! * What belongs to no unit – schemas, roles, extensions, operators, collations and the like – has one mark together;
//!   where that changed, everything is read.
//!
//! The marks, and what they lead to, are read in one transaction with one snapshot.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use postgres_link::{AdminConn, BatchOutcome};

use crate::object::ObjectId;
use crate::read::{self, BEGIN, REST_UNIT, ReadError, SETTINGS, Scope};
use crate::snapshot::Snapshot;

const MARKS: &str = include_str!("read/marks.sql");
const DEPENDENTS: &str = include_str!("read/dependents.sql");

/// What its prepared statements are called, so that two can share a session.
static FOLLOWERS: AtomicU64 = AtomicU64::new(0);

/// Takes one snapshot after the other of the same database. Each is what [`Snapshot::read`] would give at that moment;
/// the first costs as much, those that follow cost what changed.
///
/// It keeps prepared statements in the session until that ends.
#[derive(Debug)]
pub struct Follower<'a> {
    conn: &'a AdminConn,
    scope: Scope,
    name: String,
    is_prepared: bool,
    held: Option<Held>,
}

/// What was read last.
#[derive(Debug, Default)]
struct Held {
    snapshot: Snapshot,
    marks: BTreeMap<u32, String>,
    objects: BTreeMap<u32, Vec<Arc<ObjectId>>>,
}

impl<'a> Follower<'a> {
    /// Follows what is in `scope` on the database of `conn`, which must not be in a transaction.
    pub fn new(conn: &'a AdminConn, scope: Scope) -> Self {
        let name = format!("schema_catalog_{}", FOLLOWERS.fetch_add(1, Ordering::Relaxed));
        Self { conn, scope, name, is_prepared: false, held: None }
    }

    /// The objects as they are now.
    ///
    /// # Errors
    /// As [`Snapshot::read`]; the next time, everything is read.
    pub async fn read(&mut self) -> Result<Snapshot, ReadError> {
        // Taken, so that nothing is held when this fails half-way.
        let held = self.held.take();
        let opened = read::send(self.conn, &self.opening()).await?;
        self.is_prepared = true;
        let marks = marks(opened);
        let held = match held {
            Some(held) if held.marks.get(&REST_UNIT) == marks.get(&REST_UNIT) => self.catch_up(held, marks).await?,
            _ => self.start(marks).await?,
        };
        let snapshot = held.snapshot.clone();
        self.held = Some(held);
        Ok(snapshot)
    }

    async fn start(&self, marks: BTreeMap<u32, String>) -> Result<Held, ReadError> {
        let everything = read::everything(&self.scope, self.server());
        let outcome = read::send(self.conn, &format!("{everything};\nCOMMIT")).await?;
        let mut held = Held { marks, ..Held::default() };
        held.add(outcome, self.server(), &self.scope)?;
        Ok(held)
    }

    async fn catch_up(&self, mut held: Held, marks: BTreeMap<u32, String>) -> Result<Held, ReadError> {
        let is_new = |unit: &u32| !held.marks.contains_key(unit);
        let changed = marks.iter().filter(|(unit, mark)| held.marks.get(unit) != Some(mark)).map(|(unit, _)| *unit);
        let (mut units, altered): (Vec<u32>, Vec<u32>) = changed.partition(is_new);
        let gone: Vec<u32> = held.marks.keys().filter(|unit| !marks.contains_key(unit)).copied().collect();
        let mut queries = Vec::new();
        if !altered.is_empty() {
            let reached = self.dependents(&altered).await?;
            units.extend(reached.into_iter().filter(|unit| held.marks.contains_key(unit) && marks.contains_key(unit)));
            // An operator is worded by its function, a cast by its types.
            held.remove([REST_UNIT]);
            queries.extend((0..self.rest().len()).map(|at| format!("EXECUTE {}_rest_{at}", self.name)));
        }
        if !units.is_empty() {
            let list = list(&units);
            queries.extend((0..self.units().len()).map(|at| format!("EXECUTE {}_units_{at}('{{{list}}}')", self.name)));
        }
        held.remove(units.into_iter().chain(gone));
        held.marks = marks;
        queries.push("COMMIT".to_owned());
        let outcome = read::send(self.conn, &queries.join(";\n")).await?;
        held.add(outcome, self.server(), &self.scope)?;
        Ok(held)
    }

    async fn dependents(&self, altered: &[u32]) -> Result<Vec<u32>, ReadError> {
        let outcome = read::send(self.conn, &DEPENDENTS.replace(":altered", &list(altered))).await?;
        Ok(outcome.rows().filter_map(|row| row.first()?.as_deref()?.parse().ok()).collect())
    }

    fn opening(&self) -> String {
        let mut parts = vec![BEGIN.to_owned(), SETTINGS.to_owned()];
        if !self.is_prepared {
            parts.push(format!("PREPARE {}_marks AS\n{}", self.name, self.marks_query()));
            parts.extend(self.prepare("units", self.units()));
            parts.extend(self.prepare("rest", self.rest()));
        }
        parts.push(format!("EXECUTE {}_marks", self.name));
        parts.join(";\n")
    }

    fn prepare(&self, what: &str, queries: Vec<String>) -> impl Iterator<Item = String> {
        let name = format!("{}_{what}", self.name);
        queries.into_iter().enumerate().map(move |(at, query)| format!("PREPARE {name}_{at} AS\n{query}"))
    }

    fn marks_query(&self) -> String {
        // Since PostgreSQL 15.
        let published = if self.server() >= 150_000 { "pg_publication_namespace" } else { "pg_publication_rel" };
        MARKS.replace(":published_schemas", published)
    }

    fn units(&self) -> Vec<String> {
        read::units(&self.scope, "= ANY ($1::oid[])")
    }

    fn rest(&self) -> Vec<String> {
        read::rest(&self.scope, self.server())
    }

    fn server(&self) -> u32 {
        self.conn.server_version_num()
    }
}

impl Held {
    fn add(&mut self, outcome: BatchOutcome, server: u32, scope: &Scope) -> Result<(), ReadError> {
        read::add(outcome, server, |unit, id, properties| {
            if scope.leaves_out(&id) {
                return;
            }
            let id = self.snapshot.insert(id, properties);
            self.objects.entry(unit).or_default().push(id);
        })
    }

    fn remove(&mut self, units: impl IntoIterator<Item = u32>) {
        for id in units.into_iter().filter_map(|unit| self.objects.remove(&unit)).flatten() {
            self.snapshot.objects.remove(&id);
        }
    }
}

fn marks(outcome: BatchOutcome) -> BTreeMap<u32, String> {
    let told = outcome.statements.into_iter().next_back().unwrap_or_default();
    let mark = |row: Vec<Option<String>>| {
        let [unit, version] = <[Option<String>; 2]>::try_from(row).ok()?;
        Some((unit?.parse().ok()?, version?))
    };
    told.rows.into_iter().filter_map(mark).collect()
}

fn list(units: &[u32]) -> String {
    units.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}
