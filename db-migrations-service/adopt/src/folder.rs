//! File names into migrations. A file that should be one and is not is an error, as it is in a folder of our own.

mod flat;
mod flyway;
mod nested;
mod sqitch;

use std::collections::BTreeMap;
use std::path::Path;

use crate::Settings;
use crate::fault::{Fault, FaultKind};
use crate::layout::Layout;

pub use flyway::version_parts;

/// One migration of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its place, as a number: the tool's version, or the place in its plan.
    pub version: i64,
    /// What the tool calls it: `1.2.3`, a change's name, a folder's name.
    pub theirs: String,
    /// What it is for, from its name.
    pub name: String,
    /// The file with the way there, relative to the folder.
    pub up: String,
    /// The file with the way back, which may be the same; `None` where there is none.
    pub down: Option<String>,
    /// Something beside the file says that it runs outside of a transaction.
    pub no_transaction: bool,
}

/// Reads a file of the folder, by its path relative to the folder; `None` where there is none.
pub(crate) type Read<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// The migrations of a folder, in order. `files` are the paths of all files in it and below, relative to it.
///
/// # Errors
/// A file that is none; two of one version; half of a pair; what the tool can do and the engine cannot.
pub fn find(layout: Layout, settings: &Settings, files: &[String], read: &Read<'_>) -> Result<Vec<Found>, Fault> {
    let files: Vec<&str> = files.iter().map(String::as_str).filter(|path| is_of_interest(layout, path)).collect();
    let mut found = match layout {
        Layout::GolangMigrate | Layout::Sqlx | Layout::Dbmate | Layout::Goose | Layout::Numbered => {
            flat::find(layout, &files)?
        }
        Layout::Refinery => flat::refinery(&files)?,
        Layout::Flyway => flyway::find(settings, &files, read)?,
        Layout::Diesel => nested::diesel(&files, read)?,
        Layout::Prisma => nested::prisma(&files, read)?,
        Layout::Sqitch => return sqitch::find(&files, read),
    };
    found.sort_by_key(|migration| migration.version);
    refuse_other_order(layout, &found)?;
    Ok(found)
}

/// Whether the tool would look at it at all.
fn is_of_interest(layout: Layout, path: &str) -> bool {
    let hidden = path.split('/').any(|part| part.starts_with('.') || part.ends_with('~'));
    let nested = matches!(layout, Layout::Diesel | Layout::Prisma | Layout::Sqitch) || layout.looks_below();
    !hidden && (nested || !path.contains('/'))
}

/// Where a tool sorts texts, `10` comes before `9`; here it would come after it.
fn refuse_other_order(layout: Layout, found: &[Found]) -> Result<(), Fault> {
    let disordered = found.windows(2).find(|pair| pair[0].theirs > pair[1].theirs);
    match disordered {
        Some([first, second]) if layout.orders_by_text() => Err(Fault::unsupported(
            format!(
                "{layout} sorts names as texts and runs {} before {}, which is the smaller number",
                second.theirs, first.theirs
            ),
            format!("give all versions the same number of digits, in {layout}'s history too"),
        )),
        _ => Ok(()),
    }
}

/// Halves by version, as they are met.
#[derive(Default)]
struct Pairs(BTreeMap<i64, Half>);

#[derive(Default)]
struct Half {
    theirs: String,
    name: String,
    up: Option<String>,
    down: Option<String>,
}

impl Pairs {
    fn add(&mut self, version: i64, theirs: &str, name: &str, path: &str, is_up: bool) -> Result<(), Fault> {
        let half = self.0.entry(version).or_default();
        let place = if is_up { &mut half.up } else { &mut half.down };
        if let Some(other) = place {
            return Err(duplicate(other, path, theirs));
        }
        *place = Some(path.to_owned());
        if is_up || half.name.is_empty() {
            name.clone_into(&mut half.name);
            theirs.clone_into(&mut half.theirs);
        }
        Ok(())
    }

    fn found(self, layout: Layout) -> Result<Vec<Found>, Fault> {
        let joined = |(version, half): (i64, Half)| {
            let Half { theirs, name, up, down } = half;
            let down_of = down.clone().unwrap_or_default();
            let up = up.ok_or_else(|| {
                Fault::new(
                    FaultKind::Unpaired,
                    format!("{down_of} takes back what no file makes"),
                    format!("put the file of the way there beside it ({}), or remove it", layout.example()),
                )
            })?;
            Ok(Found { version, theirs, name, up, down, no_transaction: false })
        };
        self.0.into_iter().map(joined).collect()
    }
}

fn duplicate(one: &str, other: &str, version: &str) -> Fault {
    Fault::new(
        FaultKind::Duplicate,
        format!("{one} and {other} both claim version {version}"),
        "give one of them another version",
    )
}

/// Whether a path ends with this extension, written so.
fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == extension)
}

/// The last part of a path.
fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A version of Flyway's history as a number.
pub(crate) fn encode_flyway(version: &str, parts: u8) -> Result<i64, Fault> {
    flyway::encode(version, parts, &format!("version {version} of flyway's history"))
}

/// The name of the project of a `sqitch.plan`.
pub(crate) fn sqitch_project(plan: &str) -> Option<&str> {
    sqitch::project(plan)
}
