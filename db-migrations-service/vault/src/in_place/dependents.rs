//! What in other schemas hangs on the schemas that are swapped.

use postgres_link::AdminConn;

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
}

/// All of them.
pub(super) async fn bindings(live: &AdminConn, names: &Names) -> Result<Vec<Binding>, VaultError> {
    let query =
        include_str!("bindings.sql").replace(":schemas", &names.list()).replace(":staged", &list(&names.staged));
    let outcome = live.batch(&format!("SET search_path = ''; {query}; RESET search_path")).await;
    let outcome = outcome.map_err(own("listing what other schemas bind to these"))?;
    let binding = |row: &[Option<String>]| match row {
        [_, Some(take_off), Some(put_back)] => Some(Binding { take_off: take_off.clone(), put_back: put_back.clone() }),
        _ => None,
    };
    Ok(outcome.rows().filter_map(binding).collect())
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
