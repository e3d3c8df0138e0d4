//! `.env`: `NAME=value`, one a line.
//!
//! A `#` at the start of a line, or after a blank in an unquoted value, starts a comment. `export` before the name is
//! skipped. Single quotes keep everything as it is; double quotes know `\n \r \t \" \\ \$`. A quoted value may go
//! over several lines. Every `$` stands for itself.

use std::collections::BTreeMap;

/// A line, counted from 1, and what is wrong with it. The line's text is not repeated: it may be a secret.
type Malformed = (usize, &'static str);

/// All variables, or all malformed lines.
pub(super) fn parse(text: &str) -> Result<BTreeMap<String, String>, Vec<Malformed>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut variables = BTreeMap::new();
    let mut malformed = Vec::new();
    let mut lines = text.lines().enumerate().map(|(at, line)| (at + 1, line));
    while let Some((number, line)) = lines.next() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match variable(line, lines.by_ref().map(|(_, line)| line)) {
            Ok((name, value)) => {
                variables.insert(name, value);
            }
            Err(reason) => malformed.push((number, reason)),
        }
    }
    if malformed.is_empty() { Ok(variables) } else { Err(malformed) }
}

/// `NAME=value`; a quoted value may go on in the lines that follow.
fn variable<'a>(line: &'a str, more: impl Iterator<Item = &'a str>) -> Result<(String, String), &'static str> {
    let line = line.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t'])).unwrap_or(line);
    let (name, value) = line.split_once('=').ok_or("there is no `=`; write NAME=value")?;
    let name = name.trim();
    if !is_name(name) {
        return Err("the name before `=` may only hold letters, digits and `_`, and no digit first");
    }
    let value = value.trim_start();
    let value = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => quoted(quote, &value[1..], more)?,
        _ => unquoted(value),
    };
    Ok((name.to_owned(), value))
}

fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && name.chars().all(plain) && !name.starts_with(|c: char| c.is_ascii_digit())
}

fn unquoted(value: &str) -> String {
    let comment = value
        .char_indices()
        .find(|(at, c)| *c == '#' && (*at == 0 || value[..*at].ends_with(char::is_whitespace)))
        .map_or(value.len(), |(at, _)| at);
    value[..comment].trim_end().to_owned()
}

/// Up to the closing quote, on this line or a later one.
fn quoted<'a>(quote: char, first: &'a str, mut more: impl Iterator<Item = &'a str>) -> Result<String, &'static str> {
    let mut value = String::new();
    let mut line = first;
    loop {
        let mut chars = line.chars();
        while let Some(c) = chars.next() {
            match c {
                c if c == quote => {
                    let rest = chars.as_str().trim();
                    let nothing = rest.is_empty() || rest.starts_with('#');
                    return if nothing { Ok(value) } else { Err("there is text after the closing quote") };
                }
                '\\' if quote == '"' => match chars.next() {
                    Some('n') => value.push('\n'),
                    Some('r') => value.push('\r'),
                    Some('t') => value.push('\t'),
                    Some(c @ ('"' | '\\' | '$')) => value.push(c),
                    Some(_) => return Err(r#"a backslash in double quotes stands before n, r, t, ", \ or $ only"#),
                    None => return Err("a backslash stands at the end of the line"),
                },
                c => value.push(c),
            }
        }
        value.push('\n');
        line = more.next().ok_or("the quote is not closed")?;
    }
}
