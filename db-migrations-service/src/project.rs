//! Which project is served: the platform's own, inside the binary, or a folder that somebody names.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use migration_engine::{EngineError, ErrorCode, Project};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "migrations/"]
#[prefix = "migrations/"]
#[allow_missing = true]
struct Migrations;

#[derive(RustEmbed)]
#[folder = "seeds/"]
#[prefix = "seeds/"]
#[allow_missing = true]
struct Seeds;

#[derive(RustEmbed)]
#[folder = "config/"]
#[prefix = "config/"]
struct Config;

/// Opens the folder, or the project inside the binary where none is named.
///
/// # Errors
/// As [`Project::open`]: unreadable, misnamed, doubled or unpaired files, a catalogue that contradicts itself.
pub fn open(folder: Option<&Path>) -> Result<Arc<Project>, Box<EngineError>> {
    open_with(folder, None)
}

/// As [`open`], before the folder `to_adopt` of another tool is adopted.
///
/// # Errors
/// As there.
pub fn open_with(folder: Option<&Path>, to_adopt: Option<&str>) -> Result<Arc<Project>, Box<EngineError>> {
    match (folder, to_adopt) {
        (Some(file), _) if file.is_file() => Err(EngineError::new(
            ErrorCode::ProjectUnreadable,
            format!("the project {} is a file and no folder", file.display()),
        )
        .cure("name a folder with migrations/, seeds/ and config/services.toml")),
        (Some(folder), Some(path)) => Project::open_to_adopt(folder, path),
        (Some(folder), None) => Project::open(folder),
        (None, _) => Project::embedded(embedded_files()),
    }
    .map(Arc::new)
    .map_err(Box::new)
}

/// The files of the platform's own project: paths relative to the project, and contents.
pub fn embedded_files() -> Vec<(String, Cow<'static, [u8]>)> {
    fn files<E: RustEmbed>() -> impl Iterator<Item = (String, Cow<'static, [u8]>)> {
        E::iter().filter_map(|path| E::get(&path).map(|file| (path.into_owned(), file.data)))
    }
    files::<Config>().chain(files::<Migrations>()).chain(files::<Seeds>()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_platform_s_own_project_opens() {
        let project = open(None).expect("what is built in is in order");
        assert!(project.catalogue.services.contains_key("auth-service"));
    }

    #[test]
    fn the_catalogue_is_inside() {
        let paths: Vec<_> = embedded_files().into_iter().map(|(path, _)| path).collect();
        assert!(paths.iter().any(|path| path == "config/services.toml"), "{paths:?}");
    }
}
