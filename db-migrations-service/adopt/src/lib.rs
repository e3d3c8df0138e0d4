//! The folders and the history tables of other migration tools, as these tools read them.
//!
//! It knows files and rows, and no database: whoever calls it lists a folder, hands over texts, and runs the queries.
//! What it gives is SQL that the engine understands, each line in its place: what belongs to the other direction, to
//! the tool or to its transaction is made blank, and marks become the engine's own header comments.

mod checksum;
mod clean;
mod fault;
mod folder;
mod history;
mod layout;
mod naming;
mod sections;
mod texts;

pub use fault::{Fault, FaultKind};
pub use folder::{Found, find, version_parts};
pub use history::{Applied, Row, baseline, query as history_query, read as read_history};
pub use layout::{Layout, UnknownLayout};
pub use naming::{NewFiles, name_new};
pub use texts::{down_sql, extensions, up_sql};

use std::collections::BTreeMap;

/// What a folder alone does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How many parts a version may have (`1.2.3` has three), for Flyway; 1 to 6.
    pub version_parts: u8,
    /// Values by the names that stand in the files.
    pub placeholders: BTreeMap<String, String>,
    /// The schema that names without one mean.
    pub schema: String,
    /// The schemas that stand before the first migration runs.
    pub schemas: Vec<String>,
    /// The extensions that stand before the first migration runs.
    pub extensions: Vec<String>,
}

impl Settings {
    /// Those of a folder whose objects all lie in `schema`.
    pub fn of_schema(schema: &str) -> Self {
        Self {
            version_parts: 1,
            placeholders: BTreeMap::new(),
            schema: schema.to_owned(),
            schemas: vec![schema.to_owned()],
            extensions: Vec::new(),
        }
    }
}

/// The longest version: it fits PostgreSQL's `bigint`.
const LONGEST_VERSION: usize = 18;

/// Digits as a version.
fn number(digits: &str) -> Option<i64> {
    let fits = !digits.is_empty() && digits.len() <= LONGEST_VERSION && digits.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| digits.parse().ok()).flatten()
}
