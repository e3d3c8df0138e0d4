//! Folders of other migration tools, as parts of a project. Nothing is copied: each file is read as it lies, and what
//! the engine runs is made of it when it is needed.

use std::sync::Arc;

use foreign_migrations::{self as foreign, Fault, FaultKind, Found, Layout, NewFiles, Settings};

use super::Migration;
use super::source::Source;
use crate::catalogue::{Catalogue, MigrationFolder, Service};
use crate::error::{EngineError, ErrorCode};
use crate::migration::{MigrationId, Version};

/// Deeper folders are no migrations, or a link into itself.
const DEEPEST: usize = 8;

/// What of a migration only its tool's reader understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Foreign {
    pub layout: Layout,
    pub settings: Arc<Settings>,
    pub found: Found,
    /// The paths of its files relative to the project.
    pub up: String,
    pub down: Option<String>,
}

impl Foreign {
    pub(super) fn up_sql(&self, source: &Source) -> Result<String, EngineError> {
        let text = source.read_text(&self.up)?;
        foreign::up_sql(self.layout, &self.settings, &self.found, &text).map_err(refused)
    }

    pub(super) fn down_sql(&self, source: &Source) -> Result<String, EngineError> {
        let text = self.down.as_deref().map(|path| source.read_text(path)).transpose()?;
        foreign::down_sql(self.layout, &self.settings, &self.found, text.as_deref()).map_err(refused)
    }
}

/// The files of a migration that is not written yet.
#[derive(Debug, Clone)]
pub struct NewForeign {
    /// The service that owns the schema.
    pub service: String,
    /// Whose files these are.
    pub layout: Layout,
    /// The folder, relative to the project.
    pub path: String,
    /// What to write there.
    pub files: NewFiles,
}

impl super::Project {
    /// The files of a new migration of `schema`, where another tool's folder holds its migrations; `None` where it does not.
    /// `now` is the time as fourteen digits of UTC, `name` lower-case words joined by underscores, `templates` what the way
    /// there and the way back begin with.
    pub fn new_foreign(
        &self,
        schema: &str,
        now: i64,
        name: &str,
        templates: [&str; 2],
        planner: &str,
    ) -> Option<NewForeign> {
        let (service, entry) = self.catalogue.owner_of(schema)?;
        let folder = entry.migrations.as_ref().filter(|folder| folder.schema(entry) == schema)?;
        let of_schema = self.migrations.iter().filter(|migration| migration.id.schema == schema);
        let found: Vec<Found> =
            of_schema.filter_map(|m| m.foreign.as_ref()).map(|foreign| foreign.found.clone()).collect();
        let parts = folder.version_parts.unwrap_or(1);
        let files = foreign::name_new(folder.layout, &found, parts, now, name, templates, planner);
        let path = folder.path.trim_end_matches('/').to_owned();
        Some(NewForeign { service: service.to_owned(), layout: folder.layout, path, files })
    }
}

/// The migrations of all services whose folders are another tool's.
pub(super) fn migrations(source: &Source, catalogue: &Catalogue) -> Result<Vec<Migration>, EngineError> {
    let mut migrations = Vec::new();
    for (name, service) in &catalogue.services {
        let Some(folder) = &service.migrations else { continue };
        migrations.extend(of_folder(source, name, service, folder)?);
    }
    Ok(migrations)
}

fn of_folder(
    source: &Source,
    name: &str,
    service: &Service,
    folder: &MigrationFolder,
) -> Result<Vec<Migration>, EngineError> {
    let path = folder.path.trim_end_matches('/');
    let schema = folder.schema(service);
    let own = format!("migrations/{schema}");
    if path != own && !source.list(&own)?.is_empty() {
        return Err(EngineError::new(
            ErrorCode::CatalogueInvalid,
            format!("the migrations of {schema} lie in {own}/ and in {path}/"),
        )
        .cure("keep one of the two folders"));
    }
    let settings = Arc::new(folder.settings(service));
    let found = find(source, folder.layout, &settings, path)?;
    let below = |file: &str| format!("{path}/{file}");
    Ok(found
        .into_iter()
        .map(|found| {
            let (up, down) = (below(&found.up), found.down.as_deref().map(below));
            Migration {
                id: MigrationId::new(schema, Version::from_stored(found.version)),
                service: name.to_owned(),
                name: found.name.clone(),
                down: down.clone().unwrap_or_else(|| up.clone()),
                up: up.clone(),
                foreign: Some(Arc::new(Foreign {
                    layout: folder.layout,
                    settings: Arc::clone(&settings),
                    found,
                    up,
                    down,
                })),
            }
        })
        .collect())
}

/// The migrations of a folder.
pub(crate) fn find(
    source: &Source,
    layout: Layout,
    settings: &Settings,
    path: &str,
) -> Result<Vec<Found>, EngineError> {
    let files = files(source, path)?;
    foreign::find(layout, settings, &files, &|file| source.read_text(&format!("{path}/{file}")).ok()).map_err(refused)
}

/// All files below a folder, relative to it.
pub(crate) fn files(source: &Source, path: &str) -> Result<Vec<String>, EngineError> {
    if !source.has_folder(path)? {
        return Err(EngineError::new(ErrorCode::ProjectUnreadable, format!("the project has no folder {path}/")).cure(
            "name the folder of the migrations, relative to the project: the one that holds the files themselves",
        ));
    }
    let mut found = Vec::new();
    let mut open = vec![(String::new(), 0)];
    while let Some((below, depth)) = open.pop() {
        for (name, is_folder) in source.list(&format!("{path}{below}"))? {
            let entry = format!("{below}/{name}");
            if is_folder && depth < DEEPEST {
                open.push((entry, depth + 1));
            } else if !is_folder {
                found.push(entry.trim_start_matches('/').to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A reader's refusal, as the engine's.
pub(crate) fn refused(fault: Fault) -> EngineError {
    let code = match fault.kind {
        FaultKind::Misnamed => ErrorCode::FileMisnamed,
        FaultKind::Duplicate => ErrorCode::DuplicateVersion,
        FaultKind::Unpaired => ErrorCode::UnpairedFile,
        FaultKind::Malformed => ErrorCode::BadDirective,
        FaultKind::Unsupported | FaultKind::History => ErrorCode::NotAdoptable,
    };
    EngineError::new(code, fault.message).cure(fault.cure)
}
