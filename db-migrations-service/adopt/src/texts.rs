//! The SQL of a migration, as the engine runs it.

use std::collections::BTreeMap;

use crate::Settings;
use crate::clean::{self, clean};
use crate::fault::{Fault, FaultKind};
use crate::folder::Found;
use crate::layout::Layout;
use crate::sections::{self, outside_transaction};

/// The way there. `text` is its file's.
///
/// # Errors
/// A mark that cannot be read, a placeholder without a value, an extension that the settings do not have.
pub fn up_sql(layout: Layout, settings: &Settings, found: &Found, text: &str) -> Result<String, Fault> {
    let text = filled(layout, settings, &found.up, text)?;
    let up = match layout {
        Layout::Dbmate | Layout::Goose => sections::split(layout, &found.up, &text)?.up,
        _ => text,
    };
    let sql = prepared(layout, settings, found, &up);
    match clean::extensions(&sql).first() {
        Some(name) => Err(Fault::unsupported(
            format!("{} creates the extension {name}, which a migration's role may not", found.up),
            format!("permit it in config/services.toml: extensions = [{name:?}] beside the folder's path"),
        )),
        None => Ok(sql),
    }
}

/// The way back; where there is none, the header that says so. `text` is its file's.
///
/// # Errors
/// As [`up_sql`].
pub fn down_sql(layout: Layout, settings: &Settings, found: &Found, text: Option<&str>) -> Result<String, Fault> {
    let (Some(path), Some(text)) = (&found.down, text) else {
        return Ok(format!("-- irreversible: {} has no way back for {}\n", layout, found.up));
    };
    let text = filled(layout, settings, path, text)?;
    let down = match layout {
        Layout::Dbmate | Layout::Goose => sections::split(layout, path, &text)?.down,
        _ => text,
    };
    let sql = prepared(layout, settings, found, &down);
    // What takes back only what the engine keeps takes back nothing, and that is all that there is to do.
    let is_empty = || !clean::has_statements(&sql) && !clean::only_stands(layout, settings, &down);
    if sql.contains("-- irreversible:") || !is_empty() {
        Ok(sql)
    } else {
        Ok(format!("-- irreversible: {path} holds no statement for the way back\n"))
    }
}

/// The extensions that the file creates.
pub fn extensions(layout: Layout, settings: &Settings, path: &str, text: &str) -> Result<Vec<String>, Fault> {
    Ok(clean::extensions(&filled(layout, settings, path, text)?))
}

fn prepared(layout: Layout, settings: &Settings, found: &Found, text: &str) -> String {
    let marked = match layout {
        // It wants it in the first line.
        Layout::Sqlx => text.starts_with("-- no-transaction"),
        Layout::Refinery => text.lines().any(is_refinery_s_mark),
        _ => false,
    };
    let outside = found.no_transaction || marked;
    let sql = clean(layout, settings, text);
    if outside { outside_transaction(&sql) } else { sql }
}

/// `-- refinery:noTransaction`
fn is_refinery_s_mark(line: &str) -> bool {
    line.strip_prefix("--").is_some_and(|comment| comment.trim_start().starts_with("refinery:noTransaction"))
}

/// With the values of its placeholders.
fn filled(layout: Layout, settings: &Settings, path: &str, text: &str) -> Result<String, Fault> {
    match layout {
        Layout::Flyway => flyway(settings, path, text),
        Layout::Sqitch => Ok(psql(&settings.placeholders, text)),
        _ => Ok(text.to_owned()),
    }
}

/// `${name}`
fn flyway(settings: &Settings, path: &str, text: &str) -> Result<String, Fault> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        filled.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            filled.push_str("${");
            rest = after;
            continue;
        };
        let value = match name {
            "flyway:defaultSchema" => Some(&settings.schema),
            _ => settings.placeholders.get(name),
        };
        let line = text.len() - rest.len() + before.len();
        let value = value.ok_or_else(|| {
            let line = text[..line].matches('\n').count() + 1;
            Fault::new(
                FaultKind::Unsupported,
                format!("{path}:{line}: the placeholder ${{{name}}} has no value"),
                format!("give it one in config/services.toml: placeholders = {{ {name:?} = \"…\" }} beside the folder's path"),
            )
        })?;
        filled.push_str(value);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// `:name`, `:'name'` and `:"name"`, for the names that have a value: whole names, and outside of quotes and comments only,
/// as psql does it.
fn psql(values: &BTreeMap<String, String>, text: &str) -> String {
    // What cannot be scanned is told by whoever parses it.
    let tokens = if values.is_empty() { None } else { sql_grammar::tokens(text) };
    let (mut filled, mut done) = (String::with_capacity(text.len()), 0);
    for pair in tokens.as_deref().unwrap_or_default().windows(2) {
        let (colon, name) = (&pair[0], &pair[1]);
        if &text[colon.start..colon.end] != ":" || colon.end != name.start {
            continue;
        }
        let name_text = &text[name.start..name.end];
        let within = |quote: char| {
            let value = values.get(name_text.strip_prefix(quote)?.strip_suffix(quote)?)?;
            Some(format!("{quote}{}{quote}", value.replace(quote, &quote.to_string().repeat(2))))
        };
        if let Some(value) = values.get(name_text).cloned().or_else(|| within('\'')).or_else(|| within('"')) {
            filled.push_str(&text[done..colon.start]);
            filled.push_str(&value);
            done = name.end;
        }
    }
    filled + &text[done..]
}
