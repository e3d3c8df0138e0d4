//! What in other schemas hangs on the schemas that are swapped.

use postgres_link::AdminConn;
use postgres_link::quote::literal;

use super::names::{Names, list};
use crate::error::VaultError;
use crate::manifest::BackupId;
use crate::restore::own;

/// A foreign key, a policy or a trigger of another schema that is bound to what is swapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binding {
    /// What takes it off.
    pub take_off: String,
    /// What puts it back: it names what it is bound to, which is another object by then. Keys are checked.
    pub put_back: String,
    /// A foreign key that can be checked before it is put back.
    pub key: Option<Key>,
}

/// A foreign key of another schema, with what it takes to check it against the table that it will lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    /// Its name, quoted.
    pub name: String,
    /// Its table, quoted.
    pub table: String,
    /// The table beside that will take the place of the one that it leads to, as `FROM` has it.
    pub target: String,
    /// Its columns, quoted, with commas.
    pub columns: String,
    /// The same of `k`.
    pub values: String,
    /// That it is set in `k`.
    pub is_set: String,
    /// That `r` is what it leads to.
    pub is_met: String,
    /// Puts it back without looking at the rows that are there.
    pub put_back: String,
    /// Looks at them.
    pub validate: String,
}

/// All of them.
pub(super) async fn bindings(live: &AdminConn, names: &Names) -> Result<Vec<Binding>, VaultError> {
    let pairs: Vec<String> =
        names.pairs().map(|(live, staged)| format!("({}, {})", literal(live), literal(staged))).collect();
    let pairs = if pairs.is_empty() { "(NULL, NULL)".to_owned() } else { pairs.join(", ") };
    let query = include_str!("bindings.sql")
        .replace(":schemas", &names.list())
        .replace(":staged", &list(&names.staged))
        .replace(":pairs", &pairs);
    let outcome = live.batch(&format!("SET search_path = ''; {query}; RESET search_path")).await;
    let outcome = outcome.map_err(own("listing what other schemas bind to these"))?;
    let binding = |row: &[Option<String>]| match row {
        [_, Some(take_off), Some(put_back), key @ ..] => {
            Some(Binding { take_off: take_off.clone(), put_back: put_back.clone(), key: Key::read(key) })
        }
        _ => None,
    };
    Ok(outcome.rows().filter_map(binding).collect())
}

impl Key {
    fn read(row: &[Option<String>]) -> Option<Self> {
        let [name, table, target, columns, values, is_set, is_met, put_back, validate] = row else { return None };
        Some(Self {
            name: name.clone()?,
            table: table.clone()?,
            target: target.clone()?,
            columns: columns.clone()?,
            values: values.clone()?,
            is_set: is_set.clone()?,
            is_met: is_met.clone()?,
            put_back: put_back.clone()?,
            validate: validate.clone()?,
        })
    }
}

/// Views, functions, defaults and types of other schemas that are bound to objects of these would stay with those that are swapped out.
pub(super) async fn refuse(live: &AdminConn, names: &Names, id: &BackupId) -> Result<(), VaultError> {
    let query = include_str!("dependents.sql").replace(":schemas", &names.list());
    let outcome = live.batch(&query).await.map_err(own("looking for what depends on the schemas"))?;
    let bound: Vec<String> = outcome.rows().filter_map(|row| row.first().cloned().flatten()).collect();
    if bound.is_empty() {
        return Ok(());
    }
    Err(VaultError::Bound { id: id.clone(), bound })
}
