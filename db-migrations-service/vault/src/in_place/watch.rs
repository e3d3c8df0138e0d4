//! Foreign keys of other schemas, checked before the names change hands.
//!
//! A key that is put back with its check keeps both tables locked while all rows of the other service are read. So they are read
//! before, while everybody works, and triggers note what is written from then on and refers to nothing: the swap looks at that note
//! alone, and refuses where there is one. A trigger refuses nobody: where the restore does not come about, what was written was right.

use postgres_link::quote::{identifier, literal};
use postgres_link::sqlstate;

use super::InPlaceRestore;
use super::dependents::{self, Binding, Key};
use super::swap::refused;
use crate::error::VaultError;

/// How often a lock is asked for that others hold for long, when nothing depends on it any more.
const TRIES: usize = 3;

impl InPlaceRestore {
    /// Sees to it that keys of others hold on what was restored, now and until the swap. Answers those of which that is known.
    pub(super) async fn watch(&self) -> Result<Vec<Binding>, VaultError> {
        let (live, watch) = (&self.live.conn, identifier(&self.names.watch));
        let watched: Vec<Binding> = dependents::bindings(live, &self.names).await?;
        let watched: Vec<Binding> = watched.into_iter().filter(|binding| binding.key.is_some()).collect();
        let keys: Vec<&Key> = watched.iter().filter_map(|binding| binding.key.as_ref()).collect();
        if keys.is_empty() {
            return Ok(watched);
        }
        let note = format!(
            "CREATE SCHEMA {watch}; CREATE UNLOGGED TABLE {watch}.broken (key text, \"table\" text, detail text)"
        );
        live.batch(&note).await.map_err(|error| refused(&error))?;
        for (number, key) in keys.into_iter().enumerate() {
            let function = format!("{watch}.watch_{number}");
            let statement = format!(
                "CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' SET row_security = off \
                 AS {}; \
                 CREATE TRIGGER {} AFTER INSERT OR UPDATE ON {} FOR EACH ROW EXECUTE FUNCTION {function}()",
                literal(&key.note(&watch)),
                identifier(&format!("{}_{number}", self.names.watch)),
                key.table,
            );
            live.batch(&statement).await.map_err(|error| refused(&error))?;
            // What was written before the trigger was there is committed, and is seen.
            let found = live.batch(&key.broken("ONLY ", "LIMIT 1")).await.map_err(|error| refused(&error))?;
            if let Some(detail) = found.value(0, 0) {
                let Key { name, table, .. } = key;
                return Err(VaultError::WouldBreak(format!("foreign key {name} of {table}: {detail}")));
            }
        }
        Ok(watched)
    }

    /// The statements by which the swap asks whether anything was noted, when nobody writes any more, and ends the watch.
    pub(super) fn nothing_broke(&self, watched: &[Binding]) -> Vec<String> {
        if watched.is_empty() {
            return Vec::new();
        }
        let watch = identifier(&self.names.watch);
        let ask = format!(
            "DECLARE broken record; BEGIN SELECT * INTO broken FROM {watch}.broken LIMIT 1; IF FOUND THEN RAISE EXCEPTION USING \
             ERRCODE = 'foreign_key_violation', MESSAGE = 'a foreign key would break', DETAIL = broken.detail, \
             CONSTRAINT = broken.key, TABLE = broken.\"table\"; END IF; END"
        );
        vec![format!("DO {}", literal(&ask)), format!("DROP SCHEMA {watch} CASCADE")]
    }

    /// Has PostgreSQL take note that the keys hold, where it did not with the swap. Answers those of which it could not.
    pub(super) async fn confirm(&self, keys: &[&Key]) -> Vec<String> {
        let mut unvalidated = Vec::new();
        for key in keys {
            let mut left = TRIES;
            let error = loop {
                left -= 1;
                match self.live.conn.batch(&key.validate).await {
                    Ok(_) => break None,
                    Err(error) if left > 0 && error.sqlstate() == Some(sqlstate::LOCK_NOT_AVAILABLE) => {}
                    Err(error) => break Some(error),
                }
            };
            if let Some(error) = error {
                let (backup, cure) = (&self.manifest.id, &key.validate);
                tracing::warn!(%backup, %error, cure, "a foreign key that holds could not be validated; it checks what is written");
                unvalidated.push(format!("{} of {}", key.name, key.table));
            }
        }
        unvalidated
    }
}

impl Key {
    /// Asks for rows of its table that refer to nothing that was restored, in words.
    fn broken(&self, only: &str, rest: &str) -> String {
        let Self { table, target, columns, values, is_set, is_met, .. } = self;
        let (before, after) = (literal(&format!("Key ({columns})=(")), literal(") is not in what would be restored"));
        format!(
            "SELECT {before} || concat_ws(', ', {values}) || {after} FROM {only}{table} k \
             WHERE {is_set} AND NOT EXISTS (SELECT FROM {target} r WHERE {is_met}) {rest}"
        )
    }

    /// The body of a trigger that notes one.
    fn note(&self, watch: &str) -> String {
        let row = Self { table: "(SELECT NEW.*)".to_owned(), ..self.clone() };
        let (name, table) = (literal(&self.name), literal(&self.table));
        format!(
            "BEGIN INSERT INTO {watch}.broken SELECT {name}, {table}, b.detail FROM ({}) b (detail); RETURN NULL; END",
            row.broken("", "")
        )
    }
}
