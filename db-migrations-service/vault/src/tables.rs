//! Single tables of a backup, brought back beside the live ones.
//!
//! The backup is restored in a database beside, where the wanted tables get names of their own and lose what ties them to others:
//! foreign keys, triggers, policies. They are copied into the live database under a schema that nobody knows, and one transaction
//! moves them to where the live ones are. No live table is touched, and nobody but their owner may read them there.

use std::collections::BTreeSet;
use std::sync::Arc;

use postgres_link::quote::{identifier, literal};
use postgres_link::{AdminConn, BatchOutcome};
use tokio_util::sync::CancellationToken;

use crate::archive::TableName;
use crate::beside::BESIDE;
use crate::error::VaultError;
use crate::in_place::{InPlace, Live, beside, copy, sweep, told, with_suffix};
use crate::make::unless;
use crate::manifest::{BackupId, Manifest};
use crate::restore::{Side, own, suits};
use crate::stage::Stage;
use crate::stream::Progress;
use crate::vault::Vault;

/// What does not come along: rights are the owner's alone, and a publication would send the rows to others.
const WITHOUT: &[&str] = &["--no-privileges", "--no-publications", "--no-security-labels"];

/// How many tables are offered in place of one that is not there.
const NEAREST: usize = 3;

/// A table that was restored beside the live one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredTable {
    /// What it is called in the backup.
    pub table: TableName,
    /// What it is called now.
    pub restored_as: TableName,
}

/// What came of restoring tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredTables {
    /// The backup.
    pub id: BackupId,
    /// The tables that were asked for.
    pub tables: Vec<RestoredTable>,
}

/// A restore of tables that nothing speaks against, and that has not begun. As long as it is there no migration runs on the live
/// database, and no other restore.
pub struct TablesRestore {
    vault: Vault,
    manifest: Manifest,
    target: InPlace,
    live: Live,
    wanted: Vec<TableName>,
    tag: String,
}

impl Vault {
    /// Prepares to restore tables of a backup beside the live ones.
    ///
    /// # Errors
    /// There is no such backup, it has not all of the tables, it cannot be restored here, the live database lacks a
    /// schema, a migration or another restore is running.
    pub async fn begin_tables(
        &self,
        id: &BackupId,
        tables: &[TableName],
        target: InPlace,
    ) -> Result<TablesRestore, VaultError> {
        let manifest = self.manifest(id).await?;
        let covered =
            |table: &&TableName| manifest.schemas.contains_key(&table.schema) && manifest.scope.has(&table.schema);
        if let Some(table) = tables.iter().find(|table| !covered(table)) {
            return Err(no_table(&manifest, table));
        }
        let live = Live::open(&target).await?;
        suits(self, &manifest, live.conn.server_version_num())?;
        self.refuse_unknown(&manifest, tables, &target).await?;
        for table in tables {
            let there = format!("SELECT to_regnamespace({}) IS NOT NULL", literal(&identifier(&table.schema)));
            let there = live.conn.batch(&there).await.map_err(own("looking for the tables' schemas"))?;
            if there.value(0, 0) != Some("t") {
                return Err(VaultError::NoSchema { schema: table.schema.clone() });
            }
        }
        let wanted: BTreeSet<TableName> = tables.iter().cloned().collect();
        let (wanted, tag) = (wanted.into_iter().collect(), format!("{:06x}", BackupId::lot()? & 0xFF_FFFF));
        Ok(TablesRestore { vault: self.clone(), manifest, target, live, wanted, tag })
    }

    /// The manifest names the tables that have rows of their own. Whether there is another, a partitioned one, the list of
    /// definitions says, which needs a database to be read.
    async fn refuse_unknown(
        &self,
        manifest: &Manifest,
        tables: &[TableName],
        target: &InPlace,
    ) -> Result<(), VaultError> {
        let others: Vec<&TableName> =
            tables.iter().filter(|table| manifest.tables.iter().all(|known| known.name != **table)).collect();
        if others.is_empty() {
            return Ok(());
        }
        let (progress, never) = (Arc::default(), CancellationToken::new());
        let side = Box::pin(Side::create(self, manifest.clone(), &target.live, BESIDE, &never)).await?;
        let list = side.contents(&progress).await;
        side.strike().await;
        let list = list?;
        let known = |table: &TableName| {
            let entry = format!(" TABLE {} {} ", table.schema, table.name);
            list.lines().any(|line| line.contains(&entry))
        };
        others.into_iter().find(|table| !known(table)).map_or(Ok(()), |table| Err(no_table(manifest, table)))
    }
}

impl TablesRestore {
    /// What the tables will be called.
    pub fn tables(&self) -> Vec<RestoredTable> {
        let mut names = Unique::default();
        self.wanted.iter().map(|table| self.named(table, &mut names)).collect()
    }

    /// Does it.
    ///
    /// # Errors
    /// Whatever stops it. The live database is as it was then.
    pub async fn finish(
        self,
        progress: &Arc<Progress>,
        cancel: &CancellationToken,
    ) -> Result<RestoredTables, VaultError> {
        let side = Side::create(&self.vault, self.manifest.clone(), &self.target.live, BESIDE, cancel);
        let side = Box::pin(side).await?;
        let staged = Box::pin(unless(cancel, self.stage(&side, progress, cancel))).await;
        let placed = match staged {
            Ok(moving) => self.place(&moving).await,
            Err(error) => Err(error),
        };
        side.strike().await;
        if let Err(error) = sweep(&self.live.conn).await {
            tracing::warn!(backup = %self.manifest.id, %error, "a schema that nobody needs any more could not be dropped; the next restore does it");
        }
        let tables = self.tables();
        self.live.conn.close().await;
        placed.map(|()| RestoredTables { id: self.manifest.id, tables })
    }

    /// Brings the tables into the live database, under schemas that nobody knows. Answers all of them, partitions included.
    async fn stage(
        &self,
        side: &Side<'_>,
        progress: &Arc<Progress>,
        cancel: &CancellationToken,
    ) -> Result<Vec<RestoredTable>, VaultError> {
        let stages = &self.target.stages;
        stages.enter(Stage::Restoring);
        sweep(&self.live.conn).await?;
        side.load(progress, cancel).await?;
        stages.enter(Stage::Copying);
        let conn = postgres_link::connect(&side.connect()).await?;
        let (moving, loosened) = self.loosen(&conn).await?;
        conn.batch(&loosened).await.map_err(own("taking the tables out of the restored database"))?;
        conn.close().await;
        let staged: BTreeSet<String> = moving.iter().map(|table| self.staged(&table.table.schema)).collect();
        let staged: Vec<String> = staged.into_iter().collect();
        copy(&self.vault, side, &self.live.connect, (&staged, WITHOUT), progress, cancel).await?;
        Ok(moving)
    }

    /// The tables with their partitions, and the transaction that takes off what ties them to others and gives them their names.
    async fn loosen(&self, conn: &AdminConn) -> Result<(Vec<RestoredTable>, String), VaultError> {
        let wanted: Vec<String> =
            self.wanted.iter().map(|table| format!("({}, {})", literal(&table.schema), literal(&table.name))).collect();
        let query = include_str!("tables/ties.sql").replace(":wanted", &wanted.join(", "));
        let found = conn.batch(&query).await.map_err(own("looking at the restored tables"))?;
        let objects = objects(&found);
        let mut statements = vec!["BEGIN".to_owned(), "SET LOCAL session_replication_role = replica".to_owned()];
        statements.extend(objects.iter().filter_map(|object| object.untie.clone()));
        // Those that were asked for first: what they are called was told already.
        let mut names = Unique::default();
        let mut moving: Vec<RestoredTable> = self.wanted.iter().map(|table| self.named(table, &mut names)).collect();
        for object in objects.iter().filter(|object| object.untie.is_none()) {
            let is_table = object.kind == "TABLE";
            if is_table && self.wanted.contains(&object.name) {
                continue;
            }
            let named = self.named(&object.name, &mut names);
            if is_table {
                moving.push(named);
            } else {
                statements.push(rename(&object.kind, &named));
            }
        }
        let schemas: BTreeSet<&str> = moving.iter().map(|table| table.table.schema.as_str()).collect();
        statements.extend(schemas.iter().map(|schema| format!("CREATE SCHEMA {}", identifier(&self.staged(schema)))));
        // The tables last: what belongs to them goes with them.
        for table in &moving {
            statements.push(rename("TABLE", table));
            let staged = identifier(&self.staged(&table.table.schema));
            statements.push(format!("ALTER TABLE {} SET SCHEMA {staged}", table.restored_as.quoted()));
        }
        statements.push("COMMIT".to_owned());
        Ok((moving, statements.join(";\n")))
    }

    /// They appear beside the live ones, all at once.
    async fn place(&self, moving: &[RestoredTable]) -> Result<(), VaultError> {
        self.target.stages.enter(Stage::Swapping);
        let remark = literal(&format!("Restored from backup {}", self.manifest.id));
        let mut statements = vec!["BEGIN".to_owned()];
        for table in moving {
            let (schema, name) = (&table.restored_as.schema, table.restored_as.name.clone());
            let staged = TableName { schema: self.staged(schema), name };
            // Whose rows they are the live table's policies say, which are not here.
            statements.push(format!("ALTER TABLE {} ENABLE ROW LEVEL SECURITY", staged.quoted()));
            statements.push(format!("COMMENT ON TABLE {} IS {remark}", staged.quoted()));
            statements.push(format!("ALTER TABLE {} SET SCHEMA {}", staged.quoted(), identifier(schema)));
        }
        let names: Vec<String> = self.tables().iter().map(|table| table.restored_as.to_string()).collect();
        statements.push(told(&self.target, &self.manifest.id, "table", &names));
        statements.push("COMMIT".to_owned());
        if let Err(error) = self.live.conn.batch(&statements.join(";\n")).await {
            let _ = self.live.conn.batch("ROLLBACK").await;
            return Err(VaultError::server(&error, "putting the restored tables in their place"));
        }
        Ok(())
    }

    fn suffix(&self) -> String {
        format!("_restored_{}", self.tag)
    }

    fn named(&self, table: &TableName, names: &mut Unique) -> RestoredTable {
        let name = names.of(table, &self.suffix());
        RestoredTable { table: table.clone(), restored_as: TableName { schema: table.schema.clone(), name } }
    }

    fn staged(&self, schema: &str) -> String {
        beside(schema, "tables", &self.tag)
    }
}

/// What belongs to the wanted tables.
struct Object {
    /// `TABLE`, `INDEX`, `SEQUENCE`; of what is taken off, what it is.
    kind: String,
    name: TableName,
    /// The statement that takes it off.
    untie: Option<String>,
}

fn objects(found: &BatchOutcome) -> Vec<Object> {
    let object = |row: &[Option<String>]| match row {
        [Some(kind), Some(schema), Some(name), untie] => Some(Object {
            kind: kind.clone(),
            name: TableName { schema: schema.clone(), name: name.clone() },
            untie: untie.clone(),
        }),
        _ => None,
    };
    found.rows().filter_map(object).collect()
}

/// Names that are cut to fit may become the same.
#[derive(Default)]
struct Unique(BTreeSet<TableName>);

impl Unique {
    /// One that nothing else in the schema was given.
    fn of(&mut self, object: &TableName, suffix: &str) -> String {
        let mut name = with_suffix(&object.name, suffix);
        let mut number = 1;
        while !self.0.insert(TableName { schema: object.schema.clone(), name: name.clone() }) {
            number += 1;
            name = with_suffix(&object.name, &format!("_{number}{suffix}"));
        }
        name
    }
}

/// The backup has no such table; those of the most similar names are told.
fn no_table(manifest: &Manifest, table: &TableName) -> VaultError {
    let wanted = table.to_string();
    let known = manifest.tables.iter().map(|known| &known.name).filter(|name| manifest.scope.has(&name.schema));
    let mut known: Vec<String> = known.filter(|name| !name.schema.is_empty()).map(ToString::to_string).collect();
    known.sort_by_cached_key(|name| (distance(&wanted, name), name.clone()));
    known.truncate(NEAREST);
    VaultError::NoTable { id: manifest.id.clone(), table: table.clone(), nearest: known }
}

/// How many letters have to be put in, taken out or exchanged to make the one of the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (at, letter) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (place, other) in b.iter().enumerate() {
            let exchanged = diagonal + usize::from(letter != *other);
            diagonal = row[place + 1];
            row[place + 1] = exchanged.min(diagonal + 1).min(row[place] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

fn rename(kind: &str, named: &RestoredTable) -> String {
    format!("ALTER {kind} {} RENAME TO {}", named.table.quoted(), identifier(&named.restored_as.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_names_are_near() {
        assert_eq!((distance("plans.plan", "plans.plans"), distance("", "año"), distance("año", "ano")), (1, 3, 1));
        assert_eq!((distance("kitten", "sitting"), distance("same", "same")), (3, 0));
    }

    #[test]
    fn names_that_are_cut_stay_apart() {
        let index = |end: &str| TableName { schema: "plans".to_owned(), name: "x".repeat(60) + end };
        let mut names = Unique::default();
        let (a, b) = (names.of(&index("a"), "_restored_abc123"), names.of(&index("b"), "_restored_abc123"));
        assert!(a != b && a.len() <= 63 && b.len() <= 63 && b.ends_with("x_2_restored_abc123"), "{a} {b}");
    }
}
