//! `profe migrate new`

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use migration_engine::Project;
use owo_colors::OwoColorize;
use serde_json::json;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::show::GOOD;

/// The platform's own project, seen from the repository's root.
const OWN_PROJECT: &str = "db-migrations-service";
/// The longest intent: with the version and `.down.sql` it stays below every file system's limit.
const LONGEST: usize = 100;

/// Arguments.
#[derive(Debug, Args)]
pub struct New {
    /// The schema that it changes
    schema: String,
    /// What it is for, in a few words: `add parents phone`
    #[arg(required = true, num_args = 1..)]
    intent: Vec<String>,
}

impl New {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        if let Some(exit) = self.in_another_tool_s_folder(context)? {
            return Ok(exit);
        }
        let Place { root, service, version, name: intent, up, down } = place(context, &self.schema, &self.intent)?;
        write(&up, &up_template(&self.intent.join(" "), &self.schema))?;
        write(&down, &down_template(&intent))?;

        let output = context.output;
        output.document(&json!({
            "migration": format!("{}/{version}", self.schema), "service": service, "name": intent, "up": up, "down": down,
        }));
        output.line(format!("{} {}", "wrote".style(GOOD), up.display()));
        output.line(format!("{} {}", "wrote".style(GOOD), down.display()));
        output.line(format!(
            "\nNext:\n  1. write the SQL of both files; it runs as the owner of {schema}, in one transaction\n  \
             2. profe migrate plan --project {root}\n  3. profe migrate run --service {service} --dry-run --project {root}\n  \
             4. profe migrate run --service {service} --project {root}",
            schema = self.schema,
            root = root.display(),
        ));
        Ok(Exit::Ok)
    }
}

impl New {
    /// Where another tool's folder holds the schema's migrations, a file as that tool names it.
    fn in_another_tool_s_folder(&self, context: &Context) -> Result<Option<Exit>, Failure> {
        let root = folder(context.settings.project.as_deref())?;
        let project = Project::open(&root)?;
        let words = self.intent.join(" ");
        let (up, down) = (up_template(&words, &self.schema), down_template(&normalise(&words)));
        let planner =
            format!("{} <{0}@example.org>", context.caller().actor.as_str().rsplit(':').next().unwrap_or("profe"));
        let now = next_version(OffsetDateTime::now_utc(), 0);
        let Some(new) = project.new_foreign(&self.schema, now, &name_of(&words)?, [&up, &down], &planner) else {
            return Ok(None);
        };
        let place = root.join(&new.path);
        for (path, text) in &new.files.files {
            write(&place.join(path), text)?;
        }
        if let Some((path, line)) = &new.files.append {
            let path = place.join(path);
            let failed = |error: std::io::Error| Failure::file("write", &path, &error);
            let mut file = OpenOptions::new().append(true).open(&path).map_err(failed)?;
            file.write_all(line.as_bytes()).map_err(failed)?;
        }
        let written: Vec<PathBuf> = new.files.files.iter().map(|(path, _)| place.join(path)).collect();
        let output = context.output;
        output.document(&json!({
            "migration": format!("{}/{}", self.schema, new.files.version), "service": new.service, "layout": new.layout,
            "files": written,
        }));
        for path in &written {
            output.line(format!("{} {}", "wrote".style(GOOD), path.display()));
        }
        output.line(format!("\nIt is named as {} names it; `profe migrate plan` shows it.", new.layout));
        Ok(Some(Exit::Ok))
    }
}

/// The intent as file names have it.
fn name_of(words: &str) -> Result<String, Failure> {
    match normalise(words) {
        name if name.is_empty() => {
            Err(Failure::usage("the intent has no letter or digit", "say in a few words what the migration is for"))
        }
        name => Ok(name),
    }
}

/// Where a new migration's files go.
pub(in crate::cli) struct Place {
    /// The project's folder.
    pub root: PathBuf,
    /// The service that owns the schema.
    pub service: String,
    /// Later than all that exist.
    pub version: i64,
    /// The intent as file names have it.
    pub name: String,
    /// The up file.
    pub up: PathBuf,
    /// The down file.
    pub down: PathBuf,
}

/// Finds a place for a migration of `schema`; nothing is written.
pub(in crate::cli) fn place(context: &Context, schema: &str, intent: &[String]) -> Result<Place, Failure> {
    let root = folder(context.settings.project.as_deref())?;
    let project = Project::open(&root)?;
    let Some((service, _)) = project.catalogue.owner_of(schema) else {
        let schemas: Vec<&str> =
            project.catalogue.services.values().flat_map(|s| &s.schemas).map(String::as_str).collect();
        return Err(Failure::usage(
            format!("no service of the catalogue owns a schema {schema:?}"),
            format!("use one of: {}; or add it to a service in config/services.toml", schemas.join(", ")),
        ));
    };
    let name = name_of(&intent.join(" "))?;
    if let Some(other) = project.new_foreign(schema, 0, &name, ["", ""], "") {
        return Err(Failure::usage(
            format!("the migrations of {schema} are files of {} in {}/", other.layout, other.path),
            "write the migration there: `profe migrate new` names it",
        ));
    }
    let newest = project.migrations().iter().filter(|m| m.id.schema == schema).map(|m| m.id.version.get()).max();
    let version = next_version(OffsetDateTime::now_utc(), newest.unwrap_or(0));
    let stem = root.join("migrations").join(schema).join(format!("{version}_{name}"));
    let (up, down) = (stem.with_extension("up.sql"), stem.with_extension("down.sql"));
    Ok(Place { service: service.to_owned(), root, version, name, up, down })
}

/// The project's folder: the one named, or the platform's own below the current folder.
fn folder(named: Option<&Path>) -> Result<PathBuf, Failure> {
    let root = named.map_or_else(|| PathBuf::from(OWN_PROJECT), Path::to_owned);
    if named.is_some() || root.join("config/services.toml").is_file() {
        return Ok(root);
    }
    Err(Failure::usage(
        format!(
            "the project inside the program takes no files, and there is no {OWN_PROJECT}/config/services.toml here"
        ),
        "run this in the repository's root, or name the project's folder with --project",
    ))
}

/// Fourteen digits of UTC, later than anything that exists.
fn next_version(now: OffsetDateTime, newest: i64) -> i64 {
    let text = now.format(format_description!("[year][month][day][hour][minute][second]")).unwrap_or_default();
    text.parse::<i64>().unwrap_or(0).max(newest + 1)
}

/// Lower-case words joined by underscores. Accents of the team's language lose their marks.
fn normalise(text: &str) -> String {
    let plain = |c: char| match c {
        'á' | 'à' | 'â' | 'ä' => 'a',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'í' | 'ì' | 'î' | 'ï' => 'i',
        'ó' | 'ò' | 'ô' | 'ö' => 'o',
        'ú' | 'ù' | 'û' | 'ü' => 'u',
        'ñ' => 'n',
        'ç' => 'c',
        other => other,
    };
    let lower: String = text.to_lowercase().chars().map(plain).collect();
    let words: Vec<&str> = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let joined: String = words.join("_").chars().take(LONGEST).collect();
    joined.trim_end_matches('_').to_owned()
}

fn up_template(intent: &str, schema: &str) -> String {
    format!(
        "-- {}: why it is needed, and what a reader should know.\n\
         -- Runs in one transaction as the owner of {schema}: no begin, no set role, every name in full.\n\
         -- For what only a function's body names, add a line: -- requires: <schema>/<version>\n\n",
        sentence(intent)
    )
}

fn down_template(intent: &str) -> String {
    format!(
        "-- Undoes {intent}. What it cannot bring back (data), say here.\n\
         -- Where there is no way back, let the file hold only: -- irreversible: <why>\n\n"
    )
}

fn sentence(text: &str) -> String {
    let text = text.trim().replace('_', " ").split_whitespace().collect::<Vec<_>>().join(" ");
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Writes a file that was not there.
pub(in crate::cli) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::file("write", path, &error);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(failed)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn an_intent_becomes_a_name() {
        for (text, name) in [
            ("add parents phone", "add_parents_phone"),
            ("Añade  el teléfono (padres)!", "anade_el_telefono_padres"),
            ("add-index__on plans", "add_index_on_plans"),
            ("¡¿!?", ""),
        ] {
            assert_eq!(normalise(text), name);
        }
        assert!(normalise(&"long ".repeat(100)).len() <= LONGEST);
    }

    #[test]
    fn a_version_is_later_than_all_others() {
        let now = datetime!(2026-11-22 18:30:05 UTC);
        assert_eq!(next_version(now, 0), 20_261_122_183_005);
        assert_eq!(next_version(now, 20_261_122_183_005), 20_261_122_183_006, "twice in one second");
        assert_eq!(next_version(now, 20_990_101_000_000), 20_990_101_000_001, "somebody's clock is ahead");
    }
}
