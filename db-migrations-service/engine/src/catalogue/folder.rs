//! `[services.<name>.migrations]`: a folder of another migration tool, run as it is.

use std::collections::BTreeMap;

use foreign_migrations::{Layout, Settings};
use serde::Deserialize;

use super::Service;

/// Where a service's migrations lie, when they do not lie in `migrations/<schema>/`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MigrationFolder {
    /// The folder, relative to the project.
    pub path: String,
    /// Whose files these are.
    pub layout: Layout,
    /// The schema that names without one mean. Default: the first one of the service.
    pub schema: Option<String>,
    /// The tool's history table, `schema.table`: left alone, and no drift. Default: by the tool's usual name in that schema.
    pub history: Option<String>,
    /// Extensions that stand before the first migration runs; files that create them find them there.
    #[serde(default)]
    pub extensions: Vec<String>,
    /// Values by the placeholders' names, for Flyway and Sqitch.
    #[serde(default)]
    pub placeholders: BTreeMap<String, String>,
    /// How many parts a version of Flyway's may have. It stays once something is applied. Default: 1.
    pub version_parts: Option<u8>,
}

impl MigrationFolder {
    /// The schema that names without one mean.
    pub fn schema<'a>(&'a self, service: &'a Service) -> &'a str {
        self.schema.as_deref().or(service.schemas.first().map(String::as_str)).unwrap_or_default()
    }

    /// The tool's history table: schema and name.
    pub fn history_table(&self, service: &Service) -> Option<(String, String)> {
        if let Some((schema, table)) = self.history.as_deref().and_then(|named| named.split_once('.')) {
            return Some((schema.to_owned(), table.to_owned()));
        }
        let schema = if self.layout == Layout::Sqitch { "sqitch" } else { self.schema(service) };
        self.layout.history_table().map(|table| (schema.to_owned(), table.to_owned()))
    }

    /// What the reader of the folder must know.
    pub(crate) fn settings(&self, service: &Service) -> Settings {
        Settings {
            version_parts: self.version_parts.unwrap_or(1),
            placeholders: self.placeholders.clone(),
            schema: self.schema(service).to_owned(),
            schemas: service.schemas.clone(),
            extensions: self.extensions.clone(),
        }
    }

    /// What cannot be, in words.
    pub(super) fn problems(&self, name: &str, service: &Service) -> Vec<String> {
        let mut problems = Vec::new();
        if self.path.trim().is_empty() {
            problems.push(format!("{name}: migrations.path is empty"));
        }
        if !service.schemas.iter().any(|schema| schema == self.schema(service)) {
            problems.push(format!("{name}: migrations.schema {:?} is not one of its schemas", self.schema(service)));
        }
        if self.history.as_deref().is_some_and(|named| named.split('.').filter(|part| !part.is_empty()).count() != 2) {
            problems.push(format!("{name}: migrations.history must name a table as schema.table"));
        }
        if self.version_parts.is_some_and(|parts| !(1..=6).contains(&parts)) {
            problems.push(format!("{name}: migrations.version_parts must be 1 to 6"));
        }
        problems
    }
}
