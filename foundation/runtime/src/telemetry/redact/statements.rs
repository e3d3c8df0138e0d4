//! Values in a statement.

use super::{HIDDEN, redact};

/// A statement of others without its values: every quoted one is hidden, whatever it is, and of the rest what
/// [`redact`] hides. What it does, and to what, stays.
///
/// A value whose end was cut off is hidden as far as the text goes. Backslashes count as the standard says, in `E'…'` only.
pub fn redact_statement(sql: &str) -> String {
    let mut shown = String::with_capacity(sql.len());
    let mut rest = sql;
    let mut word = "";
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' => {
                let length = literal(rest, word.eq_ignore_ascii_case("e"));
                shown.extend(["'", HIDDEN, "'"]);
                rest = &rest[length..];
                word = "";
                continue;
            }
            '$' => {
                if let Some(mark) = mark_of_dollars(rest) {
                    shown.extend([mark, HIDDEN, mark]);
                    let after = &rest[mark.len()..];
                    rest = after.find(mark).map_or("", |end| &after[end + mark.len()..]);
                    word = "";
                    continue;
                }
                first.len_utf8()
            }
            '"' => 1 + rest[1..].find('"').map_or(rest.len() - 1, |end| end + 1),
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => comment(rest),
            c if is_part(c) => rest.find(|c| !is_part(c) && c != '$').unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        word = &rest[..length];
        shown.push_str(word);
        rest = &rest[length..];
    }
    redact(&shown)
}

/// Of a name, but for the dollar that one may have within.
fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || !c.is_ascii()
}

/// How long the value in quotation marks is that the text begins with.
fn literal(text: &str, has_escapes: bool) -> usize {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if has_escapes => drop(chars.next()),
            '\'' if chars.next_if(|(_, next)| *next == '\'').is_none() => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// `$$` or `$name$`; `None` where it is a parameter.
fn mark_of_dollars(text: &str) -> Option<&str> {
    let end = 1 + text[1..].find(|c| !is_part(c))?;
    let is_mark = text[end..].starts_with('$') && !text[1..].starts_with(|c: char| c.is_ascii_digit());
    is_mark.then(|| &text[..=end])
}

/// How long the comment is that the text begins with; it may have others within.
fn comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while let Some(found) = text[at..].find(['/', '*']) {
        at += found;
        match text.get(at..at + 2) {
            Some("/*") => (depth, at) = (depth + 1, at + 2),
            Some("*/") if depth == 1 => return at + 2,
            Some("*/") => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    text.len()
}
