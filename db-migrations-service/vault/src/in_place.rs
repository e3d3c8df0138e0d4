//! Bringing schemas of a live database back to what a backup has of them.
//!
//! The backup is restored and verified in a database beside, whose schemas then get other names; under those they are copied into the
//! live database, where nobody sees them. One short transaction swaps the names. What is bound by object follows the new names
//! back; what is bound by text has named the schemas rightly all along.

mod copy;
mod dependents;
mod history;

use std::sync::Arc;

use postgres_link::quote::{identifier, literal};
use postgres_link::{AdminConn, ConnectOptions};
use tokio_util::sync::CancellationToken;

use self::dependents::Binding;
use crate::beside;
use crate::error::VaultError;
use crate::make::unless;
use crate::manifest::{BackupId, HISTORY_SCHEMA, Manifest};
use crate::restore::{Side, own};
use crate::stream::Progress;
use crate::vault::Vault;

/// How long the swap waits for those who use the tables, milliseconds; behind it everybody else waits.
const PATIENCE_MS: u32 = 2_000;

/// What an in-place restore needs to know of the live database.
#[derive(Debug, Clone)]
pub struct InPlace {
    /// The live database.
    pub live: ConnectOptions,
    /// The advisory lock that migrations hold while they run.
    pub run_lock: (i32, i32),
}

/// What came of an in-place restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swapped {
    /// The backup.
    pub id: BackupId,
    /// The schemas that are as it has them.
    pub schemas: Vec<String>,
    /// Foreign keys, policies and triggers of other schemas that are bound to what was restored now.
    pub bindings: usize,
}

impl Vault {
    /// Makes the backup's schemas in the live database what they were. Nobody sees anything of it before all of it is there.
    ///
    /// A backup of the state before is for the caller to make.
    ///
    /// # Errors
    /// Whatever stops it, and what would break by it, by name; the live schemas are as they were then.
    pub async fn restore_in_place(
        &self,
        id: &BackupId,
        target: &InPlace,
        progress: &Arc<Progress>,
        cancel: &CancellationToken,
    ) -> Result<Swapped, VaultError> {
        let manifest = self.manifest(id).await?;
        fits(&manifest)?;
        let live = postgres_link::connect(&target.live.clone().with_application_name("profe restore")).await?;
        lock(&live, target.run_lock).await?;
        let side = Box::pin(Side::create(self, manifest, &target.live, beside::BESIDE, cancel)).await?;
        let names = Names::of(&side.manifest, &schemas(&side.manifest));
        let swapped = async {
            dependents::refuse(&live, &names, id).await?;
            sweep_schemas(&live, &names).await?;
            side.load(progress, cancel).await?;
            let findings = self.compare(&side, progress, cancel).await?;
            if !findings.is_empty() {
                return Err(side.damaged(findings.join("; ")));
            }
            // Whether they hold among the live tables is asked there.
            self.mark_outside_keys(&side, false).await?;
            let beside = postgres_link::connect(&side.connect()).await?;
            for (schema, staged) in names.pairs() {
                let rename = format!("ALTER SCHEMA {} RENAME TO {}", identifier(schema), identifier(staged));
                beside.batch(&rename).await.map_err(own("naming the schemas to be copied"))?;
            }
            copy::copy(self, &side, &target.live, &names, progress, cancel).await?;
            let rows = history::read(&beside, &names, id).await?;
            beside.close().await;
            validate(&live, &side.manifest, &names).await?;
            let bindings = dependents::bindings(&live, &names).await?;
            swap(&live, &names, &bindings, &rows).await?;
            Ok(Swapped { id: id.clone(), schemas: names.live.clone(), bindings: bindings.len() })
        };
        let swapped = Box::pin(unless(cancel, swapped)).await;
        side.strike().await;
        // The schemas that were swapped out, or those that were not swapped in.
        let swept = sweep_schemas(&live, &names).await;
        live.close().await;
        if let Err(error) = swept {
            tracing::warn!(backup = %id, %error, "schemas that nobody needs any more could not be dropped; the next restore does it");
        }
        swapped
    }
}

/// The schemas with rows in it. The migration history is brought back row by row.
fn schemas(manifest: &Manifest) -> Vec<String> {
    let own =
        |name: &String| !name.is_empty() && name != HISTORY_SCHEMA && name != "public" && manifest.scope.has(name);
    manifest.schemas.keys().filter(|name| own(name)).cloned().collect()
}

/// Rows that lie in no schema of its own cannot be swapped.
fn fits(manifest: &Manifest) -> Result<(), VaultError> {
    let schemas = schemas(manifest);
    let elsewhere = manifest.tables.iter().find(|table| {
        table.figures.rows > 0 && table.name.schema != HISTORY_SCHEMA && !schemas.contains(&table.name.schema)
    });
    elsewhere
        .map_or(Ok(()), |table| Err(VaultError::NotInPlace { id: manifest.id.clone(), what: table.name.to_string() }))
}

/// What the schemas are called at each stage.
pub(crate) struct Names {
    pub live: Vec<String>,
    /// The same, restored and not seen yet.
    pub staged: Vec<String>,
    /// The same, swapped out.
    pub former: Vec<String>,
}

impl Names {
    fn of(manifest: &Manifest, schemas: &[String]) -> Self {
        let tag = manifest.id.as_str().rsplit('-').next().unwrap_or_default();
        let with = |stage: &str| {
            schemas
                .iter()
                .map(|schema| {
                    let suffix = format!("_profe_{stage}_{tag}");
                    let kept: String = schema
                        .chars()
                        .scan(0, |bytes, c| {
                            *bytes += c.len_utf8();
                            (*bytes + suffix.len() <= 63).then_some(c)
                        })
                        .collect();
                    kept + &suffix
                })
                .collect()
        };
        Self { live: schemas.to_vec(), staged: with("restored"), former: with("former") }
    }

    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&String, &String)> {
        self.live.iter().zip(&self.staged)
    }

    /// The live schemas as a list for `IN (…)`.
    pub(crate) fn list(&self) -> String {
        let list: Vec<String> = self.live.iter().map(|schema| literal(schema)).collect();
        if list.is_empty() { "NULL".to_owned() } else { list.join(",") }
    }

    pub(crate) fn staged_of(&self, schema: &str) -> String {
        self.pairs().find(|(live, _)| *live == schema).map_or_else(|| schema.to_owned(), |(_, staged)| staged.clone())
    }
}

/// No migration runs meanwhile, and no other restore.
async fn lock(live: &AdminConn, key: (i32, i32)) -> Result<(), VaultError> {
    let taken = live.batch(&format!("SELECT pg_try_advisory_lock({}, {})", key.0, key.1)).await;
    match taken.map_err(own("taking the migration lock"))?.value(0, 0) {
        Some("t") => Ok(()),
        _ => Err(VaultError::Busy),
    }
}

/// Drops what an in-place restore of the same backup has left, or leaves.
async fn sweep_schemas(live: &AdminConn, names: &Names) -> Result<(), VaultError> {
    for schema in names.staged.iter().chain(&names.former) {
        let drop = format!("DROP SCHEMA IF EXISTS {} CASCADE", identifier(schema));
        live.batch(&drop).await.map_err(own("dropping schemas that were swapped out"))?;
    }
    Ok(())
}

/// Checks the keys that lead out of the backup against the live tables. From here on they hold.
async fn validate(live: &AdminConn, manifest: &Manifest, names: &Names) -> Result<(), VaultError> {
    for key in manifest.outside_keys.iter().filter(|key| !key.definition.ends_with(" NOT VALID")) {
        let statement = format!(
            "ALTER TABLE {}.{} VALIDATE CONSTRAINT {}",
            identifier(&names.staged_of(&key.table.schema)),
            identifier(&key.table.name),
            identifier(&key.name)
        );
        if let Err(error) = live.batch(&statement).await {
            let is_broken = error.sqlstate() == Some("23503");
            return Err(if is_broken {
                let detail = error.sql_error().and_then(|sql| sql.detail.clone()).unwrap_or_default();
                VaultError::WouldBreak(format!(
                    "foreign key {} of {} to {}: {detail}",
                    key.name, key.table, key.references
                ))
            } else {
                VaultError::server(&error, "checking a foreign key that leads out of the backup")
            });
        }
    }
    Ok(())
}

/// The names change hands: one transaction, so that everybody sees the former or the restored.
async fn swap(live: &AdminConn, names: &Names, bindings: &[Binding], rows: &[String]) -> Result<(), VaultError> {
    let mut statements = vec![
        "BEGIN".to_owned(),
        format!("SET LOCAL lock_timeout = {PATIENCE_MS}"),
        // Whoever is writing ends first, and nobody begins.
        format!(
            "DO $do$ DECLARE t text; BEGIN FOR t IN SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c \
             JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname IN ({}) AND c.relkind IN ('r', 'p') ORDER BY c.oid \
             LOOP EXECUTE 'LOCK TABLE ' || t || ' IN ACCESS EXCLUSIVE MODE'; END LOOP; END $do$",
            names.list()
        ),
    ];
    statements.extend(bindings.iter().map(|binding| binding.take_off.clone()));
    for ((schema, staged), former) in names.pairs().zip(&names.former) {
        // One that was dropped meanwhile is restored too.
        statements.push(format!(
            "DO $do$ BEGIN IF to_regnamespace({}) IS NOT NULL THEN ALTER SCHEMA {} RENAME TO {}; END IF; END $do$",
            literal(&identifier(schema)),
            identifier(schema),
            identifier(former)
        ));
        statements.push(format!("ALTER SCHEMA {} RENAME TO {}", identifier(staged), identifier(schema)));
    }
    statements.extend(bindings.iter().map(|binding| binding.put_back.clone()));
    statements.extend(rows.iter().cloned());
    statements.push("COMMIT".to_owned());
    match live.batch(&statements.join(";\n")).await {
        Ok(_) => Ok(()),
        Err(error) => {
            let _ = live.batch("ROLLBACK").await;
            Err(match error.sqlstate() {
                Some("23503") => {
                    let sql = error.sql_error();
                    let detail = sql.and_then(|sql| sql.detail.clone()).unwrap_or_default();
                    let named = |name: Option<&String>| name.cloned().unwrap_or_default();
                    let (constraint, table) =
                        (named(sql.and_then(|s| s.constraint.as_ref())), named(sql.and_then(|s| s.table.as_ref())));
                    VaultError::WouldBreak(format!("foreign key {constraint} of {table}: {detail}"))
                }
                // What another schema is bound to is not in the backup.
                Some("42883" | "42P01" | "42703" | "42704" | "42830") => VaultError::WouldBreak(error.to_string()),
                Some("55P03") => VaultError::InUse,
                _ => VaultError::server(&error, "swapping the schemas"),
            })
        }
    }
}
