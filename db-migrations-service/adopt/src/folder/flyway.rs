//! Flyway: `V1.2__name.sql`, its undo `U1.2__name.sql`, and `.conf` files beside them.

use super::{Found, Pairs, Read, file_name, has_extension};
use crate::Settings;
use crate::fault::Fault;
use crate::layout::Layout;
use crate::number;

/// What the names of callbacks begin with.
const CALLBACKS: [&str; 4] = ["before", "after", "create", "beforeConnect"];

pub(super) fn find(settings: &Settings, files: &[&str], read: &Read<'_>) -> Result<Vec<Found>, Fault> {
    let mut pairs = Pairs::default();
    for path in files {
        let file = file_name(path);
        let Some(stem) = file.strip_suffix(".sql") else {
            if file.starts_with('V')
                && file.contains("__")
                && (has_extension(file, "java") || has_extension(file, "class"))
            {
                return Err(Fault::unsupported(
                    format!("{path} is a migration written in Java, and only SQL is run"),
                    "write its effect as SQL in a file of the same version",
                ));
            }
            continue;
        };
        match stem.split_once("__") {
            Some((prefixed, name)) if prefixed.starts_with(['V', 'U']) => {
                let (is_up, theirs) = (prefixed.starts_with('V'), dotted(&prefixed[1..]));
                let version = encode(&theirs, settings.version_parts, path)?;
                pairs.add(version, &theirs, name, path, is_up)?;
            }
            Some(("R", _)) => return Err(repeatable(path)),
            Some((prefixed, _)) if prefixed.starts_with('B') => {
                return Err(Fault::unsupported(
                    format!("{path} stands for all migrations up to its version, and each is run by itself here"),
                    "remove it and keep the V files, or keep only it, as the V file of that version",
                ));
            }
            _ if CALLBACKS.iter().any(|callback| stem.starts_with(callback)) => {
                return Err(Fault::unsupported(
                    format!("{path} is a callback, and nothing is run beside the migrations"),
                    "move what it does into a migration, or into whatever starts the run, and remove it",
                ));
            }
            _ => return Err(Fault::misnamed(path, Layout::Flyway.example())),
        }
    }
    let mut found = pairs.found(Layout::Flyway)?;
    for migration in &mut found {
        let beside = read(&format!("{}.conf", migration.up)).unwrap_or_default();
        migration.no_transaction = is_off(&beside, "executeInTransaction");
    }
    Ok(found)
}

/// Its text stands in no order among the others, and a history of versions cannot say which of its texts was run.
fn repeatable(path: &str) -> Fault {
    Fault::unsupported(
        format!("{path} is a repeatable migration, which has no version and so no place in a history"),
        "before adopting, give its text a version (V<next>__…, `create or replace` makes that harmless), run it with Flyway, and remove the R file",
    )
}

/// Whether the setting is switched off in `key=value` lines.
fn is_off(text: &str, key: &str) -> bool {
    let mut settings = text.lines().filter_map(|line| line.split_once('='));
    settings.any(|(name, value)| name.trim() == key && value.trim() == "false")
}

/// As people say it: underscores are dots in file names.
fn dotted(version: &str) -> String {
    version.replace('_', ".")
}

/// How many parts the longest version of these files has: what [`Settings::version_parts`] must be.
pub fn version_parts(files: &[String]) -> u8 {
    let of = |path: &String| {
        let (prefixed, _) = file_name(path).split_once("__")?;
        let version = prefixed.strip_prefix(['V', 'U'])?;
        Some(significant(&dotted(version)).len())
    };
    files.iter().filter_map(of).max().and_then(|parts| u8::try_from(parts).ok()).unwrap_or(1).max(1)
}

/// The parts without zeros at the end: `1.0` is `1`.
fn significant(version: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = version.split('.').collect();
    while parts.len() > 1 && parts.last().is_some_and(|part| part.trim_start_matches('0').is_empty()) {
        parts.pop();
    }
    parts
}

/// A version of several parts as one number: each part after the first has a fixed number of digits, so that the
/// numbers have the order of the versions whatever comes later.
pub(crate) fn encode(version: &str, parts: u8, path: &str) -> Result<i64, Fault> {
    let given = significant(version);
    let wrong = || Fault::misnamed(path, Layout::Flyway.example());
    if given.len() > usize::from(parts) {
        return Err(Fault::unsupported(
            format!("{path} has a version of {} parts, and the catalogue allows {parts}", given.len()),
            format!("name it with at most {parts}, or, before anything of the folder is applied, set version_parts"),
        ));
    }
    let width = match parts {
        1 => 0,
        2..=4 => 4,
        _ => 2,
    };
    let mut digits = given[0].trim_start_matches('0').to_owned();
    number(given[0]).ok_or_else(wrong)?;
    for at in 1..usize::from(parts) {
        let part = number(given.get(at).copied().unwrap_or("0")).ok_or_else(wrong)?;
        let text = format!("{part:0width$}");
        if text.len() > width {
            return Err(Fault::unsupported(
                format!("{path}: the part {part} of its version has more than {width} digits"),
                "give it a smaller number",
            ));
        }
        digits.push_str(&text);
    }
    if digits.is_empty() {
        digits.push('0');
    }
    number(&digits).ok_or_else(|| {
        Fault::unsupported(
            format!("{path}: its version has more than 18 digits as one number ({digits})"),
            "give it a shorter version",
        )
    })
}
