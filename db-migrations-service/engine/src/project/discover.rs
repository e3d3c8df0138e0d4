//! File names into migrations and seeds. Nothing is skipped in silence: a file that is neither is an error.

use std::collections::BTreeMap;

use super::source::Source;
use super::{Migration, Seed};
use crate::catalogue::Catalogue;
use crate::error::{EngineError, ErrorCode};
use crate::migration::{MigrationId, Version};

/// The half of a pair that has been seen: its intent and its path.
type Half = Option<(String, String)>;

/// `to_adopt` is a folder of another tool that the catalogue does not name yet.
pub(super) fn migrations(
    source: &Source,
    catalogue: &Catalogue,
    to_adopt: Option<&str>,
) -> Result<Vec<Migration>, EngineError> {
    let mut found = Vec::new();
    for (schema, service) in schemas(source, catalogue, "migrations", to_adopt)? {
        let folder = format!("migrations/{schema}");
        if is_foreign(catalogue, &service, &schema) {
            continue;
        }
        let mut pairs: BTreeMap<Version, (Half, Half)> = BTreeMap::new();
        for (file, is_folder) in source.list(&folder)? {
            if is_ignored(&file) {
                continue;
            }
            let path = format!("{folder}/{file}");
            let (version, intent, is_up) = if is_folder { None } else { split_name(&file) }.ok_or_else(|| {
                EngineError::new(ErrorCode::FileMisnamed, format!("{path} is not named as a migration"))
                    .cure("name it <version>_<intent>.up.sql or .down.sql: digits, an underscore, lower-case words")
            })?;
            let pair = pairs.entry(version).or_default();
            let half = if is_up { &mut pair.0 } else { &mut pair.1 };
            if let Some((_, other)) = half {
                return Err(duplicate(other, &path, version));
            }
            *half = Some((intent, path));
        }
        for (version, pair) in pairs {
            let (name, up, down) = match pair {
                (Some((up_name, up)), Some((down_name, down))) if up_name == down_name => (up_name, up, down),
                (Some((_, up)), Some((_, down))) => return Err(duplicate(&up, &down, version)),
                (Some((_, up)), None) => {
                    let wanted = up.replace(".up.sql", ".down.sql");
                    return Err(EngineError::new(ErrorCode::UnpairedFile, format!("{up} has no {wanted}")).cure(
                        "write it; where there is no way back, let it hold only the line `-- irreversible: <why>`",
                    ));
                }
                (None, Some((_, down))) => {
                    return Err(EngineError::new(ErrorCode::UnpairedFile, format!("{down} has no up file"))
                        .cure("write the up file or remove the down file"));
                }
                (None, None) => continue,
            };
            let id = MigrationId::new(&schema, version);
            found.push(Migration { id, service: service.clone(), name, up, down, foreign: None });
        }
    }
    let foreign = super::foreign::migrations(source, catalogue)?;
    if !foreign.is_empty() {
        found.extend(foreign);
        let place = |migration: &Migration| {
            let (at, _, service) = catalogue.services.get_full(&migration.service)?;
            Some((at, service.schemas.iter().position(|schema| *schema == migration.id.schema)))
        };
        found.sort_by_cached_key(|migration| (place(migration), migration.id.version));
    }
    Ok(found)
}

/// Whether the schema's migrations are another tool's.
fn is_foreign(catalogue: &Catalogue, service: &str, schema: &str) -> bool {
    let entry = catalogue.services.get(service);
    entry.is_some_and(|entry| entry.migrations.as_ref().is_some_and(|folder| folder.schema(entry) == schema))
}

pub(super) fn seeds(source: &Source, catalogue: &Catalogue) -> Result<Vec<Seed>, EngineError> {
    let mut found = Vec::new();
    for (schema, service) in schemas(source, catalogue, "seeds", None)? {
        let folder = format!("seeds/{schema}");
        for (file, is_folder) in source.list(&folder)? {
            if is_ignored(&file) {
                continue;
            }
            let path = format!("{folder}/{file}");
            let misnamed = |cure: String| {
                EngineError::new(ErrorCode::FileMisnamed, format!("{path} is not named as a seed")).cure(cure)
            };
            let name = file
                .strip_suffix(".sql")
                .filter(|name| !is_folder && !name.is_empty())
                .ok_or_else(|| misnamed("name it <name>.sql or <name>.<environment>.sql".to_owned()))?;
            let environment = name.split_once('.').map(|(_, environment)| environment.to_owned());
            if let Some(environment) = &environment
                && !catalogue.environments.contains_key(environment)
            {
                let known: Vec<_> = catalogue.environments.keys().map(String::as_str).collect();
                return Err(misnamed(format!("{environment:?} is no environment; use one of: {}", known.join(", "))));
            }
            found.push(Seed {
                service: service.clone(),
                schema: schema.clone(),
                name: name.to_owned(),
                environment,
                path,
            });
        }
    }
    Ok(found)
}

/// The schemas that have a folder, with their services, in the catalogue's order. What lies in a folder of another tool is
/// that tool's to name: diesel keeps a folder for each migration, in `migrations/` unless told otherwise.
fn schemas(
    source: &Source,
    catalogue: &Catalogue,
    area: &str,
    to_adopt: Option<&str>,
) -> Result<Vec<(String, String)>, EngineError> {
    let folders: Vec<String> = source
        .list(area)?
        .into_iter()
        .filter(|(name, is_folder)| !is_ignored(name) && *is_folder)
        .map(|(name, _)| name)
        .collect();
    let named = catalogue.services.values().filter_map(|service| Some(service.migrations.as_ref()?.path.as_str()));
    let of_tools: Vec<&str> = named.chain(to_adopt).collect();
    let is_a_tool_s = |folder: &str| of_tools.iter().any(|path| lies_in(&format!("{area}/{folder}"), path));
    let nobody_s = folders.iter().find(|folder| catalogue.owner_of(folder).is_none() && !is_a_tool_s(folder));
    if let Some(folder) = nobody_s {
        let adopt = match area {
            "migrations" => "; where another tool runs it, `profe migrate adopt --from <tool> --path migrations`",
            _ => "",
        };
        return Err(EngineError::new(
            ErrorCode::CatalogueInvalid,
            format!("{area}/{folder}/ belongs to no service: config/services.toml names no owner of schema {folder:?}"),
        )
        .cure(format!("add {folder:?} to the schemas of one service, or rename the folder{adopt}")));
    }
    Ok(catalogue
        .services
        .iter()
        .flat_map(|(name, service)| service.schemas.iter().map(move |schema| (schema.clone(), name.clone())))
        .filter(|(schema, _)| folders.contains(schema))
        .collect())
}

/// Whether a folder is another one or lies in it; both relative to the project.
fn lies_in(folder: &str, path: &str) -> bool {
    let parts = |path: &'_ str| -> Vec<String> {
        path.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect()
    };
    !path.starts_with('/') && parts(folder).starts_with(&parts(path))
}

/// What editors and people leave beside migrations.
fn is_ignored(name: &str) -> bool {
    name.starts_with('.') || name.ends_with('~') || name.to_ascii_lowercase().ends_with(".md")
}

/// `20260901100000_create_users.up.sql` into version, intent and direction.
fn split_name(file: &str) -> Option<(Version, String, bool)> {
    let (stem, is_up) = match (file.strip_suffix(".up.sql"), file.strip_suffix(".down.sql")) {
        (Some(stem), _) => (stem, true),
        (None, Some(stem)) => (stem, false),
        (None, None) => return None,
    };
    let (digits, intent) = stem.split_once('_')?;
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    (!intent.is_empty() && intent.bytes().all(plain)).then_some(())?;
    Some((digits.parse().ok()?, intent.to_owned(), is_up))
}

fn duplicate(one: &str, other: &str, version: Version) -> EngineError {
    EngineError::new(ErrorCode::DuplicateVersion, format!("{one} and {other} both claim version {version}"))
        .cure("give one of them another version")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_or_refused() {
        let (version, intent, up) = split_name("0001_create_users.up.sql").unwrap();
        assert_eq!((version.to_string().as_str(), intent.as_str(), up), ("1", "create_users", true));
        for bad in [
            "1.up.sql",
            "_x.up.sql",
            "1_x.sql",
            "1_.down.sql",
            "1_X.up.sql",
            "x_1.up.sql",
            "1234567890123456789_x.up.sql",
        ] {
            assert!(split_name(bad).is_none(), "{bad}");
        }
    }
}
