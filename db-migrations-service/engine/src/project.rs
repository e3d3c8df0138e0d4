//! A project on disk or inside the binary: `migrations/`, `seeds/` and `config/services.toml`.
//!
//! Opening one reads the catalogue and lists the files; SQL is read when it is needed and not kept, so that memory
//! does not grow with the number of migrations.

mod discover;
pub(crate) mod foreign;
mod memory;
mod narrow;
mod parts;
mod script;
mod source;

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use foreign::Foreign;
pub use foreign::NewForeign;
use memory::Memory;
pub(crate) use parts::{Backfill, Parts, check_parts};
pub(crate) use script::Script;
pub(crate) use source::Source;

use crate::catalogue::Catalogue;
use crate::error::{EngineError, ErrorCode};
use crate::migration::MigrationId;

/// A pair of files, `<version>_<intent>.up.sql` and `.down.sql`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// Schema and version.
    pub id: MigrationId,
    /// The service that owns the schema.
    pub service: String,
    /// The intent, from the file name.
    pub name: String,
    /// Paths relative to the project.
    pub(crate) up: String,
    pub(crate) down: String,
    /// Its reader, where another tool's folder holds it.
    pub(crate) foreign: Option<Arc<Foreign>>,
}

/// One seed file: `<name>.sql` for every environment, `<name>.<environment>.sql` for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed {
    /// The service that owns the schema.
    pub service: String,
    /// The schema folder.
    pub schema: String,
    /// The file's name without `.sql`.
    pub name: String,
    /// The only environment it is for.
    pub environment: Option<String>,
    pub(crate) path: String,
}

/// A project whose catalogue has been read and whose files have been listed.
#[derive(Debug)]
pub struct Project {
    /// The service catalogue.
    pub catalogue: Catalogue,
    migrations: Vec<Migration>,
    places: HashMap<MigrationId, usize>,
    seeds: Vec<Seed>,
    source: Arc<Source>,
    /// What it was narrowed from, where it was.
    whole: Option<Arc<Self>>,
    /// What was read of the files, where the same ones are planned again and again.
    memory: Option<Memory>,
}

impl Project {
    /// Opens a project folder.
    pub fn open(root: &Path) -> Result<Self, EngineError> {
        Self::open_folder(root, None)
    }

    /// Opens a project folder before the folder `path` of another tool, relative to it, is adopted: that may lie where the
    /// project would look for schemas.
    pub fn open_to_adopt(root: &Path, path: &str) -> Result<Self, EngineError> {
        Self::open_folder(root, Some(path))
    }

    fn open_folder(root: &Path, to_adopt: Option<&str>) -> Result<Self, EngineError> {
        if !root.is_dir() {
            return Err(EngineError::new(
                ErrorCode::ProjectUnreadable,
                format!("the project folder {} does not exist", root.display()),
            )
            .cure("name a folder with migrations/, seeds/ and config/services.toml"));
        }
        Self::from_source(Source::Folder(root.to_owned()), to_adopt)
    }

    /// Opens the project inside the binary: every file by its path relative to the project, `/` between folders.
    pub fn embedded(files: Vec<(String, Cow<'static, [u8]>)>) -> Result<Self, EngineError> {
        Self::from_source(Source::Embedded(files.into_iter().collect()), None)
    }

    fn from_source(source: Source, to_adopt: Option<&str>) -> Result<Self, EngineError> {
        let text = source.read_text("config/services.toml")?;
        Self::read(source, Catalogue::parse(&text)?, to_adopt)
    }

    /// The same files under another catalogue.
    pub(crate) fn with_catalogue(source: Source, catalogue: Catalogue) -> Result<Self, EngineError> {
        Self::read(source, catalogue, None)
    }

    fn read(source: Source, catalogue: Catalogue, to_adopt: Option<&str>) -> Result<Self, EngineError> {
        let migrations = discover::migrations(&source, &catalogue, to_adopt)?;
        let seeds = discover::seeds(&source, &catalogue)?;
        let places = migrations.iter().enumerate().map(|(at, m)| (m.id.clone(), at)).collect();
        Ok(Self { catalogue, migrations, places, seeds, source: Arc::new(source), whole: None, memory: None })
    }

    /// The folder, where it is one.
    pub fn root(&self) -> Option<&PathBuf> {
        match &*self.source {
            Source::Folder(root) => Some(root),
            Source::Embedded(_) => None,
        }
    }

    /// All migrations, by the catalogue's order of services, then schema, then version.
    pub fn migrations(&self) -> &[Migration] {
        &self.migrations
    }

    /// All seeds, by the catalogue's order of services, then schema, then name.
    pub fn seeds(&self) -> &[Seed] {
        &self.seeds
    }

    /// Looks a migration up.
    pub fn migration(&self, id: &MigrationId) -> Option<&Migration> {
        self.place(id).map(|at| &self.migrations[at])
    }

    /// Its place in [`Self::migrations`].
    pub(crate) fn place(&self, id: &MigrationId) -> Option<usize> {
        self.places.get(id).copied()
    }

    /// The text of a migration's up file.
    pub fn up_sql(&self, migration: &Migration) -> Result<String, EngineError> {
        match &migration.foreign {
            Some(foreign) => foreign.up_sql(&self.source),
            None => self.source.read_text(&migration.up),
        }
    }

    /// The text of a migration's down file.
    pub fn down_sql(&self, migration: &Migration) -> Result<String, EngineError> {
        match &migration.foreign {
            Some(foreign) => foreign.down_sql(&self.source),
            None => self.source.read_text(&migration.down),
        }
    }

    /// The up file's bytes, not yet checked to be text.
    pub(crate) fn up_bytes(&self, migration: &Migration) -> Result<Cow<'_, [u8]>, EngineError> {
        self.source.read(&migration.up)
    }

    /// SHA-256 of the up file's bytes, of which the SQL was read: of a file that holds more than the way there, the file's.
    pub(crate) fn up_hash(&self, migration: &Migration, up_sql: &str) -> Result<String, EngineError> {
        match &migration.foreign {
            Some(_) => Ok(sql_grammar::sha256_hex(&self.up_bytes(migration)?)),
            None => Ok(sql_grammar::sha256_hex(up_sql.as_bytes())),
        }
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    pub(crate) fn seed_sql(&self, seed: &Seed) -> Result<String, EngineError> {
        self.source.read_text(&seed.path)
    }
}
