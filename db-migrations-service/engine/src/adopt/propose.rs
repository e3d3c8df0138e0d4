//! From a folder that somebody names to the catalogue's entry for it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use foreign_migrations::{self as foreign, Layout, Settings};

use crate::catalogue::{MigrationFolder, Service};
use crate::error::{EngineError, ErrorCode};
use crate::project::{Project, foreign as reader};

/// What is known of a folder before anybody has looked into it.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Whose folder it is.
    pub layout: Layout,
    /// The folder, relative to the project.
    pub path: String,
    /// The schema that names without one mean, where the service has several.
    pub schema: Option<String>,
    /// The tool's history table, `schema.table`, where it is not the usual one.
    pub history: Option<String>,
}

/// The project with the folder as the migrations of `service`, and what was found in it beside the files: extensions that
/// they create, how long versions are, and what the tool's own settings say. Nothing is written.
///
/// # Errors
/// An unknown service, one whose catalogue names another folder, a folder that is not there or not the tool's.
pub fn propose(
    project: &Project,
    service: &str,
    wanted: &Wanted,
) -> Result<(Arc<Project>, MigrationFolder), EngineError> {
    let entry = project.catalogue.service(service)?;
    if let Some(named) = &entry.migrations {
        let same =
            named.layout == wanted.layout && named.path.trim_end_matches('/') == wanted.path.trim_end_matches('/');
        if !same {
            return Err(EngineError::new(
                ErrorCode::NotAdoptable,
                format!("the catalogue names {}/ of {} for {service} already", named.path, named.layout),
            )
            .cure("leave out the folder, or correct config/services.toml"));
        }
    }
    let folder = match &entry.migrations {
        Some(named) => named.clone(),
        None => look(project, entry, wanted)?,
    };
    let mut catalogue = project.catalogue.clone();
    if let Some(entry) = catalogue.services.get_mut(service) {
        entry.migrations = Some(folder.clone());
    }
    let project = Project::with_catalogue(project.source().clone(), catalogue.checked()?)?;
    Ok((Arc::new(project), folder))
}

fn look(project: &Project, service: &Service, wanted: &Wanted) -> Result<MigrationFolder, EngineError> {
    let source = project.source();
    let path = wanted.path.trim_end_matches('/').to_owned();
    let files = reader::files(source, &path)?;
    let conf = if wanted.layout == Layout::Flyway { flyway_conf(source, &path) } else { BTreeMap::new() };
    let setting = |name: &str| conf.get(&format!("flyway.{name}")).cloned();
    let prefix = "flyway.placeholders.";
    let placeholders: BTreeMap<String, String> =
        conf.iter().filter_map(|(key, value)| Some((key.strip_prefix(prefix)?.to_owned(), value.clone()))).collect();
    let mut folder = MigrationFolder {
        path: path.clone(),
        layout: wanted.layout,
        schema: wanted.schema.clone().or_else(|| setting("defaultSchema")),
        history: wanted.history.clone(),
        extensions: Vec::new(),
        placeholders,
        version_parts: Some(foreign::version_parts(&files))
            .filter(|parts| *parts > 1 && wanted.layout == Layout::Flyway),
    };
    if folder.history.is_none()
        && let Some(table) = setting("table")
    {
        folder.history = Some(format!("{}.{table}", folder.schema(service)));
    }
    folder.extensions = extensions(project, service, &folder)?;
    Ok(folder)
}

/// The extensions that the folder's files create.
fn extensions(project: &Project, service: &Service, folder: &MigrationFolder) -> Result<Vec<String>, EngineError> {
    let settings: Settings = folder.settings(service);
    let mut found = BTreeSet::new();
    for migration in reader::find(project.source(), folder.layout, &settings, &folder.path)? {
        let text = project.source().read_text(&format!("{}/{}", folder.path, migration.up))?;
        let created = foreign::extensions(folder.layout, &settings, &migration.up, &text).map_err(reader::refused)?;
        found.extend(created);
    }
    Ok(found.into_iter().collect())
}

/// `flyway.conf` in the folder or above it, within the project.
fn flyway_conf(source: &crate::project::Source, path: &str) -> BTreeMap<String, String> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let places = (0..=parts.len()).rev().map(|depth| parts[..depth].join("/"));
    let text = places.filter(|_| !path.starts_with('/')).find_map(|place| {
        let file = if place.is_empty() { "flyway.conf".to_owned() } else { format!("{place}/flyway.conf") };
        source.read_text(&file).ok()
    });
    let text = text.unwrap_or_default();
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', '!']));
    lines.filter_map(|line| line.split_once('=')).map(|(k, v)| (k.trim().to_owned(), v.trim().to_owned())).collect()
}

impl MigrationFolder {
    /// The catalogue's section for it.
    pub fn to_toml(&self, service: &str) -> String {
        let text = |value: &str| toml::Value::String(value.to_owned()).to_string();
        let mut section = format!(
            "[services.{service}.migrations]\npath = {}\nlayout = {}\n",
            text(&self.path),
            text(self.layout.as_str())
        );
        // Writing into a String cannot fail.
        for (key, value) in [("schema", &self.schema), ("history", &self.history)] {
            if let Some(value) = value {
                let _ = writeln!(section, "{key} = {}", text(value));
            }
        }
        if let Some(parts) = self.version_parts {
            let _ = writeln!(section, "version_parts = {parts}");
        }
        if !self.extensions.is_empty() {
            let names: Vec<String> = self.extensions.iter().map(|name| text(name)).collect();
            let _ = writeln!(section, "extensions = [{}]", names.join(", "));
        }
        if !self.placeholders.is_empty() {
            let values: Vec<String> =
                self.placeholders.iter().map(|(name, value)| format!("{} = {}", text(name), text(value))).collect();
            let _ = writeln!(section, "placeholders = {{ {} }}", values.join(", "));
        }
        section
    }
}
