//! The entity-relationship documents, made from a migrated database's own catalog and comments.
//!
//! Three files: the design in words, the diagrams, and one drawing of the whole. They are committed; [`Documents::stale`]
//! tells which no longer say what the catalog says. Only the schemas of the service catalogue are read, never the
//! engine's own.

mod design;
mod model;
mod svg;
#[cfg(test)]
mod tests;
mod text;
mod visual;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use migration_engine::{Catalogue, EngineError, ErrorCode};
use postgres_link::ConnectOptions;
use postgres_link::tokio_postgres::types::Type;

pub use model::Model;

use crate::operations::OperationError;

/// The design in words.
pub const DESIGN: &str = "ERD_DATABASE_DESIGN.md";
/// The diagrams.
pub const VISUAL: &str = "ERD_VISUAL_DIAGRAM.md";
/// Everything, in one round trip.
const CATALOG: &str = include_str!("erd/catalog.sql");

/// The rendered files.
#[derive(Debug, Clone)]
pub struct Documents {
    files: Vec<(PathBuf, String)>,
}

/// Reads the catalogue's schemas, each from the database that has it.
///
/// # Errors
/// A database that is away; a catalog that this program does not understand.
pub async fn read(places: &[(ConnectOptions, Vec<&str>)], catalogue: &Catalogue) -> Result<Model, OperationError> {
    let owners: Vec<(String, String)> = catalogue
        .services
        .iter()
        .flat_map(|(service, entry)| entry.schemas.iter().map(move |schema| (schema.clone(), service.clone())))
        .collect();
    let mut schemas = Vec::new();
    for (connect, names) in places {
        schemas.extend(read_from(connect, names).await?);
    }
    Ok(Model::new(&catalogue.project.name, &owners, schemas))
}

async fn read_from(connect: &ConnectOptions, names: &[&str]) -> Result<Vec<model::Schema>, OperationError> {
    // With only pg_catalog in the path, every other name is written with its schema, whatever the database's default.
    let connect = connect.clone().with_application_name("profe db erd").with_option("search_path", "pg_catalog");
    let session = postgres_link::connect(&connect).await?;
    let rows = session.client().query_typed(CATALOG, &[(&names, Type::TEXT_ARRAY)]).await?;
    let text: &str = rows.first().map_or("[]", |row| row.get(0));
    let schemas = serde_json::from_str(text).map_err(|error| {
        EngineError::new(ErrorCode::Internal, format!("the catalog gave an unexpected document: {error}"))
    })?;
    session.close().await;
    Ok(schemas)
}

impl Documents {
    /// Renders all files.
    pub fn render(model: &Model) -> Self {
        let drawing = format!("docs/erd/{}.svg", model.project);
        Self {
            files: vec![
                (DESIGN.into(), design::render(model)),
                (VISUAL.into(), visual::render(model, &drawing)),
                (drawing.into(), svg::render(model)),
            ],
        }
    }

    /// Paths, relative to the folder that they are written to.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|(path, _)| path.as_path())
    }

    /// The files in `folder` that are missing or say something else.
    ///
    /// # Errors
    /// A file that is there and cannot be read.
    pub fn stale(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let mut stale = Vec::new();
        for (path, text) in &self.files {
            match fs::read(folder.join(path)) {
                Ok(bytes) if bytes == text.as_bytes() => {}
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => stale.push(path.clone()),
            }
        }
        Ok(stale)
    }

    /// Writes those that are stale and answers which.
    ///
    /// # Errors
    /// A folder or file that cannot be written.
    pub fn write(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let stale = self.stale(folder)?;
        for (path, text) in self.files.iter().filter(|(path, _)| stale.contains(path)) {
            let full = folder.join(path);
            if let Some(parent) = full.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(full, text)?;
        }
        Ok(stale)
    }
}
