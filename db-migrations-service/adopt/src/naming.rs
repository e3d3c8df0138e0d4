//! What a new migration of a folder is called.

use crate::folder::Found;
use crate::layout::Layout;

/// The files of a new migration: paths relative to the folder, with what they begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFiles {
    /// Its version, as the engine counts.
    pub version: i64,
    /// Path and text, in the order in which they are shown.
    pub files: Vec<(String, String)>,
    /// A line that belongs to the end of this file of the folder.
    pub append: Option<(String, String)>,
}

/// Names the files of a migration after all of `found`. `now` is the time as fourteen digits of UTC, `name` lower-case
/// words joined by underscores, `template` the comment that the SQL begins with.
pub fn name_new(
    layout: Layout,
    found: &[Found],
    version_parts: u8,
    now: i64,
    name: &str,
    [up, down]: [&str; 2],
    planner: &str,
) -> NewFiles {
    let last = found.iter().map(|one| one.version).max();
    let by_time = last.is_none_or(|last| last >= 1_0000_0000_0000) && version_parts == 1;
    let stepped = last.map_or(1, |last| last + 1);
    let version = if by_time && !matches!(layout, Layout::Sqitch) { now.max(stepped) } else { stepped };
    let width = found.last().map_or(0, |one| one.theirs.bytes().take_while(u8::is_ascii_digit).count());
    let padded = format!("{version:0width$}");
    let both = |up: &str, down: &str, up_mark: &str, down_mark: &str| format!("{up_mark}\n{up}\n{down_mark}\n{down}");
    let pair = |up_path: String, down_path: String| vec![(up_path, up.to_owned()), (down_path, down.to_owned())];
    let two_files = found.last().is_none_or(|one| one.down.is_some());
    let mut append = None;
    let files = match layout {
        Layout::GolangMigrate => pair(format!("{padded}_{name}.up.sql"), format!("{padded}_{name}.down.sql")),
        Layout::Sqlx | Layout::Numbered if two_files => {
            let up_suffix = match found.last() {
                Some(one) if !one.up.ends_with(".up.sql") => "",
                _ => ".up",
            };
            pair(format!("{padded}_{name}{up_suffix}.sql"), format!("{padded}_{name}.down.sql"))
        }
        Layout::Sqlx | Layout::Numbered => vec![(format!("{padded}_{name}.sql"), up.to_owned())],
        Layout::Dbmate => vec![(format!("{padded}_{name}.sql"), both(up, down, "-- migrate:up", "-- migrate:down"))],
        Layout::Goose => vec![(format!("{padded}_{name}.sql"), both(up, down, "-- +goose Up", "-- +goose Down"))],
        Layout::Flyway => {
            let theirs = flyway_version(version, version_parts, found.last());
            pair(format!("V{}__{name}.sql", theirs.0), format!("U{}__{name}.sql", theirs.0))
        }
        Layout::Refinery => vec![(format!("V{version}__{name}.sql"), up.to_owned())],
        Layout::Diesel => {
            let folder = format!("{}_{name}", dashed(version));
            pair(format!("{folder}/up.sql"), format!("{folder}/down.sql"))
        }
        Layout::Prisma => pair(format!("{padded}_{name}/migration.sql"), format!("{padded}_{name}/down.sql")),
        Layout::Sqitch => {
            append = Some(("sqitch.plan".to_owned(), format!("{name} {} {planner} # {name}\n", rfc3339(now))));
            pair(format!("deploy/{name}.sql"), format!("revert/{name}.sql"))
        }
    };
    let version =
        if layout == Layout::Flyway { flyway_version(version, version_parts, found.last()).1 } else { version };
    NewFiles { version, files, append }
}

/// The next whole version after the last one: as Flyway's file names have it, and as a number.
fn flyway_version(next: i64, parts: u8, last: Option<&Found>) -> (String, i64) {
    if parts == 1 {
        return (next.to_string(), next);
    }
    let first = last.and_then(|one| one.theirs.split('.').next()?.parse::<i64>().ok()).unwrap_or(0) + 1;
    let width = if parts <= 4 { 4 } else { 2 };
    (first.to_string(), first * 10_i64.pow(width * (u32::from(parts) - 1)))
}

/// As `diesel migration generate` writes it.
fn dashed(version: i64) -> String {
    let digits = format!("{version:014}");
    match digits.len() {
        14 => format!("{}-{}-{}-{}", &digits[..4], &digits[4..6], &digits[6..8], &digits[8..]),
        _ => digits,
    }
}

fn rfc3339(now: i64) -> String {
    let d = format!("{now:014}");
    format!("{}-{}-{}T{}:{}:{}Z", &d[..4], &d[4..6], &d[6..8], &d[8..10], &d[10..12], &d[12..14])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;
    use crate::folder::find;

    /// What is written after these files can be read back, and comes last.
    fn next(layout: Layout, files: &[&str], parts: u8) -> Vec<String> {
        let all = |files: &[String]| {
            let settings = Settings { version_parts: parts, ..Settings::of_schema("a") };
            let plan = |path: &str| {
                let names = files.iter().filter_map(|path| path.strip_prefix("deploy/")?.strip_suffix(".sql"));
                let lines = names.map(|name| format!("{name} 2024-01-31T12:00:00Z x <x@example.org>\n"));
                (path == "sqitch.plan").then(|| lines.collect())
            };
            find(layout, &settings, files, &plan).unwrap()
        };
        let mut files: Vec<String> = files.iter().map(|&path| path.to_owned()).collect();
        let new = name_new(layout, &all(&files), parts, 20_260_901_100_000, "add_x", ["", ""], "x <x@example.org>");
        let paths: Vec<String> = new.files.iter().map(|(path, _)| path.clone()).collect();
        files.extend(paths.clone());
        let found = all(&files);
        let last = found.last().unwrap();
        assert_eq!((last.version, last.up.as_str()), (new.version, paths[0].as_str()), "{layout}");
        paths
    }

    #[test]
    fn new_files_are_named_as_the_tool_names_them() {
        use Layout::*;
        for (layout, files, new) in [
            (GolangMigrate, &["000001_a.up.sql", "000001_a.down.sql"][..], "000002_add_x.up.sql"),
            (Sqlx, &["20240131120000_a.sql"], "20260901100000_add_x.sql"),
            (Sqlx, &["20240131120000_a.up.sql", "20240131120000_a.down.sql"], "20260901100000_add_x.up.sql"),
            (Dbmate, &["20240131120000_a.sql"], "20260901100000_add_x.sql"),
            (Goose, &["00001_a.sql"], "00002_add_x.sql"),
            (Refinery, &["V1__a.sql"], "V2__add_x.sql"),
            (Diesel, &["2024-01-31-120000_a/up.sql"], "2026-09-01-100000_add_x/up.sql"),
            (Prisma, &["20240131120000_a/migration.sql"], "20260901100000_add_x/migration.sql"),
            (Sqitch, &["deploy/a.sql", "sqitch.plan"], "deploy/add_x.sql"),
            (Numbered, &["001_a.sql"], "002_add_x.sql"),
            (Flyway, &["V7__a.sql"], "V8__add_x.sql"),
        ] {
            assert_eq!(next(layout, files, 1)[0], new);
        }
        assert_eq!(next(Flyway, &["V1.2.3__a.sql", "V1.10__b.sql"], 3)[0], "V2__add_x.sql");
        assert_eq!(next(Goose, &[], 1)[0], "20260901100000_add_x.sql");
    }
}
