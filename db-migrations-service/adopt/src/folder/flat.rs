//! One file, or two, for each migration, all in one folder.

use super::{Found, Pairs, file_name, has_extension};
use crate::fault::Fault;
use crate::layout::Layout;
use crate::number;

/// What ends the name of a file with a way back, beside `.down.sql`, in folders that people number by hand.
const UNDONE: [&str; 4] = [".down.sql", ".undo.sql", ".rollback.sql", "_down.sql"];

pub(super) fn find(layout: Layout, files: &[&str]) -> Result<Vec<Found>, Fault> {
    let mut pairs = Pairs::default();
    for path in files {
        if let Some(program) = program(layout, path) {
            return Err(Fault::unsupported(
                format!("{path} is a migration written in {program}, and only SQL is run"),
                "write its effect as SQL in a file of the same version, or keep it with the tool",
            ));
        }
        if !has_extension(path, "sql") {
            continue;
        }
        let (stem, is_up) = halved(layout, path).ok_or_else(|| Fault::misnamed(path, layout.example()))?;
        let digits = stem.bytes().take_while(u8::is_ascii_digit).count();
        let (version, rest) = stem.split_at(digits);
        let name = match layout {
            // These want the underscore; the others take whatever follows the digits.
            Layout::GolangMigrate | Layout::Sqlx | Layout::Goose => rest.strip_prefix('_'),
            _ => Some(rest.trim_start_matches(['_', '-', '.', ' '])),
        };
        let parsed = number(version).zip(name);
        let (version_number, name) = parsed.ok_or_else(|| Fault::misnamed(path, layout.example()))?;
        pairs.add(version_number, version, name, path, is_up)?;
    }
    let mut found = pairs.found(layout)?;
    if matches!(layout, Layout::Dbmate | Layout::Goose) {
        // Both ways stand in one file.
        for migration in &mut found {
            migration.down = Some(migration.up.clone());
        }
    }
    Ok(found)
}

/// Of the name what says version and intent, and whether it is the way there.
fn halved(layout: Layout, path: &str) -> Option<(&str, bool)> {
    let up_or_down = |path: &'_ str| match (path.strip_suffix(".up.sql"), path.strip_suffix(".down.sql")) {
        (Some(stem), _) => Some((stem.len(), true)),
        (None, Some(stem)) => Some((stem.len(), false)),
        (None, None) => None,
    };
    let whole = path.strip_suffix(".sql").map(|stem| (stem.len(), true));
    let (length, is_up) = match layout {
        Layout::GolangMigrate => up_or_down(path)?,
        Layout::Sqlx => up_or_down(path).or(whole)?,
        Layout::Numbered => UNDONE
            .iter()
            .find_map(|suffix| path.strip_suffix(suffix))
            .map(|stem| (stem.len(), false))
            .or_else(|| up_or_down(path))
            .or(whole)?,
        _ => whole?,
    };
    Some((&path[..length], is_up))
}

/// The language of a migration that is no SQL.
fn program(layout: Layout, path: &str) -> Option<&'static str> {
    let is_numbered = path.split_once('_').is_some_and(|(digits, _)| number(digits).is_some());
    (layout == Layout::Goose && is_numbered && has_extension(path, "go") && !path.ends_with("_test.go")).then_some("Go")
}

/// `V1__name.sql`, and `U1__name.sql`, which may come late; neither has a way back.
pub(super) fn refinery(files: &[&str]) -> Result<Vec<Found>, Fault> {
    let mut pairs = Pairs::default();
    for path in files {
        let file = file_name(path);
        let named = file.strip_prefix(['V', 'U']).and_then(|rest| rest.split_once("__"));
        let Some((version, rest)) = named.filter(|(version, _)| number(version).is_some()) else {
            if has_extension(file, "sql") {
                return Err(Fault::misnamed(path, Layout::Refinery.example()));
            }
            continue;
        };
        if has_extension(file, "rs") {
            return Err(Fault::unsupported(
                format!("{path} is a migration written in Rust, and only SQL is run"),
                "write the SQL that it gives into a .sql file of the same version and name",
            ));
        }
        let (Some(number), Some(name)) = (number(version), rest.strip_suffix(".sql")) else { continue };
        pairs.add(number, version, name, path, true)?;
    }
    pairs.found(Layout::Refinery)
}
