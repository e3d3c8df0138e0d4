//! What the schemas are called at each stage.

use postgres_link::quote::{identifier, literal};
use postgres_link::{AdminConn, BatchError, sqlstate};

use crate::error::VaultError;
use crate::manifest::Manifest;

/// PostgreSQL's names are not longer, bytes.
const LONGEST: usize = 63;

/// Schemas that a restore makes beside the live ones, and that its death leaves.
const OURS: &str = "_profe_(restored|former|tables|watch)_[0-9a-f]{6}$";

/// The schemas of an in-place restore.
pub(crate) struct Names {
    pub live: Vec<String>,
    /// The same, restored and not seen yet.
    pub staged: Vec<String>,
    /// The same, swapped out.
    pub former: Vec<String>,
    /// Where it is noted what others write meanwhile that would break.
    pub watch: String,
}

impl Names {
    pub(super) fn of(manifest: &Manifest, schemas: &[String]) -> Self {
        let tag = manifest.id.as_str().rsplit('-').next().unwrap_or_default();
        let with = |stage| schemas.iter().map(|schema| beside(schema, stage, tag)).collect();
        Self {
            live: schemas.to_vec(),
            staged: with("restored"),
            former: with("former"),
            watch: beside("keys", "watch", tag),
        }
    }

    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&String, &String)> {
        self.live.iter().zip(&self.staged)
    }

    /// The live schemas as a list for `IN (…)`.
    pub(crate) fn list(&self) -> String {
        list(&self.live)
    }

    pub(crate) fn staged_of(&self, schema: &str) -> String {
        self.pairs().find(|(live, _)| *live == schema).map_or_else(|| schema.to_owned(), |(_, staged)| staged.clone())
    }
}

/// Names as a list for `IN (…)`, which has no empty one.
pub(super) fn list(names: &[String]) -> String {
    let list: Vec<String> = names.iter().map(|name| literal(name)).collect();
    if list.is_empty() { "NULL".to_owned() } else { list.join(",") }
}

/// What a schema is called that stands beside the live one at a stage.
pub(crate) fn beside(schema: &str, stage: &str, tag: &str) -> String {
    with_suffix(schema, &format!("_profe_{stage}_{tag}"))
}

/// As much of a name as leaves room for the suffix.
pub(crate) fn with_suffix(name: &str, suffix: &str) -> String {
    let mut end = name.len().min(LONGEST - suffix.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{suffix}", &name[..end])
}

/// Drops what restores have left, or leave. Only whoever holds the migration lock may: there is no other restore then.
pub(crate) async fn sweep(live: &AdminConn) -> Result<(), VaultError> {
    let schemas = left(live).await.map_err(|error| refused(&error))?;
    drop_all(live, &schemas).await
}

/// Drops these of them, in this order.
pub(super) async fn drop_all(live: &AdminConn, schemas: &[String]) -> Result<(), VaultError> {
    for schema in schemas {
        live.batch(&format!("DROP SCHEMA {} CASCADE", identifier(schema))).await.map_err(|error| refused(&error))?;
    }
    Ok(())
}

fn refused(error: &BatchError) -> VaultError {
    match error.sqlstate() {
        Some(sqlstate::LOCK_NOT_AVAILABLE) => VaultError::InUse,
        _ => VaultError::server(error, "dropping schemas that a restore has left"),
    }
}

/// What restores have left, or leave. What watches others looks at what was restored, so it comes first.
pub(super) async fn left(live: &AdminConn) -> Result<Vec<String>, BatchError> {
    let query = format!(
        "SELECT nspname FROM pg_namespace WHERE nspname ~ {} AND pg_has_role(nspowner, 'USAGE') \
         ORDER BY nspname !~ '_profe_watch_', 1",
        literal(OURS)
    );
    let found = live.batch(&query).await?;
    Ok(found.rows().filter_map(|row| row.first().cloned().flatten()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_between_letters() {
        assert_eq!(beside("plans", "restored", "abc123"), "plans_profe_restored_abc123");
        let long = beside(&"ñ".repeat(31), "former", "abc123");
        assert!(long.len() <= LONGEST && long.ends_with("ñ_profe_former_abc123"), "{long}");
    }
}
