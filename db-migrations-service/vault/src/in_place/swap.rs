//! The names change hands.

use postgres_link::quote::{identifier, literal};
use postgres_link::{AdminConn, BatchError, SqlError, sqlstate};

use super::dependents::{self, Binding, Key};
use super::{InPlaceRestore, Live, Swapped, told};
use crate::error::VaultError;
use crate::restore::own;
use crate::stage::Stage;

/// How long the swap waits for those who use the tables, milliseconds; behind it everybody else waits.
const PATIENCE_MS: u32 = 2_000;

impl InPlaceRestore {
    /// Checks the keys that lead out of the backup against the live tables. From here on they hold.
    pub(super) async fn validate(&self) -> Result<(), VaultError> {
        for key in self.manifest.outside_keys.iter().filter(|key| !key.definition.ends_with(" NOT VALID")) {
            let statement = format!(
                "ALTER TABLE {}.{} VALIDATE CONSTRAINT {}",
                identifier(&self.names.staged_of(&key.table.schema)),
                identifier(&key.table.name),
                identifier(&key.name)
            );
            if let Err(error) = self.live.conn.batch(&statement).await {
                return Err(match error.sqlstate() {
                    Some("23503") => {
                        let detail = error.sql_error().and_then(|sql| sql.detail.clone()).unwrap_or_default();
                        let (name, table, references) = (&key.name, &key.table, &key.references);
                        VaultError::WouldBreak(format!("foreign key {name} of {table} to {references}: {detail}"))
                    }
                    Some(sqlstate::LOCK_NOT_AVAILABLE) => VaultError::InUse,
                    _ => VaultError::server(&error, "checking a foreign key that leads out of the backup"),
                });
            }
        }
        Ok(())
    }

    /// One transaction, so that everybody sees the former or the restored. `rows` brings the history in line.
    ///
    /// The keys of `watched` were checked already, and what was written since was watched: they are put back unchecked, so that
    /// nobody waits while they are read once more, and are validated afterwards, beside those who write.
    pub(super) async fn swap(&mut self, rows: &[String], watched: &[Binding]) -> Result<Swapped, VaultError> {
        let (live, names, id) = (&self.live.conn, &self.names, self.manifest.id.clone());
        self.target.stages.enter(Stage::Swapping);
        // Somebody may have bound something since it was prepared.
        dependents::refuse(live, names, &id).await?;
        let bindings = dependents::bindings(live, names).await?;
        let mut statements = self.statements(&bindings, watched);
        statements.extend(rows.iter().cloned());
        statements.push(told(&self.target, &id, "schema", &names.live));
        statements.push("COMMIT".to_owned());
        // In one message: the server goes on with it, whatever becomes of us.
        let put_back = bindings.iter().filter(|binding| watched.contains(binding));
        let keys: Vec<&Key> = put_back.filter_map(|binding| binding.key.as_ref()).collect();
        statements.extend(keys.iter().map(|key| key.validate.clone()));
        let (schemas, bindings) = (names.live.clone(), bindings.len());
        let staged = numbers(live, &names.staged).await?;
        let mut unvalidated = Vec::new();
        if let Err(error) = live.batch(&statements.join(";\n")).await {
            // Whether it was done is known to the server alone.
            if error.sql_error().is_none_or(SqlError::is_connection_loss) {
                self.live = Live::again(&self.target).await?;
            } else {
                let _ = live.batch("ROLLBACK").await;
            }
            if !self.was_swapped(&staged).await? {
                return Err(refused(&error));
            }
            unvalidated = self.confirm(&keys).await;
        }
        Ok(Swapped { id, schemas, bindings, unvalidated })
    }

    /// Whether what was staged has the live names now. That it is not there any more says nothing: whoever had the lock
    /// while our session was gone may have swept it.
    async fn was_swapped(&self, staged: &[String]) -> Result<bool, VaultError> {
        Ok(!staged.is_empty() && numbers(&self.live.conn, &self.names.live).await? == staged)
    }

    fn statements(&self, bindings: &[Binding], watched: &[Binding]) -> Vec<String> {
        let names = &self.names;
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
        statements.extend(self.nothing_broke(watched));
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
        // Somebody may have made a key since then, which is checked here.
        statements.extend(bindings.iter().map(|binding| match &binding.key {
            Some(key) if watched.contains(binding) => key.put_back.clone(),
            _ => binding.put_back.clone(),
        }));
        statements
    }
}

/// What the server knows these schemas by, whatever they are called; 0 where there is none.
async fn numbers(live: &AdminConn, schemas: &[String]) -> Result<Vec<String>, VaultError> {
    let number = |schema: &String| format!("coalesce(to_regnamespace({})::oid, 0)", literal(&identifier(schema)));
    let query = format!("SELECT {}", schemas.iter().map(number).collect::<Vec<_>>().join(", "));
    let found = live.batch(&query).await.map_err(own("asking which schemas are which"))?;
    Ok(found.rows().next().into_iter().flatten().flatten().cloned().collect())
}

pub(super) fn refused(error: &BatchError) -> VaultError {
    match error.sqlstate() {
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
        Some(sqlstate::LOCK_NOT_AVAILABLE) => VaultError::InUse,
        _ => VaultError::server(error, "swapping the schemas"),
    }
}
