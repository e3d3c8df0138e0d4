//! `host=localhost dbname='my base' password=it\'s`: blanks separate, quotes hold together, a backslash protects.

use super::{Given, OptionsError, keyword};

pub(super) fn parse(text: &str) -> Result<Given, OptionsError> {
    let mut given = Given::default();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, value) = rest.split_once('=').ok_or_else(|| {
            // The word may be a password that lost its key, so it is not repeated.
            OptionsError::Syntax("a word has no `=`; write key=value pairs or a postgres:// URL".to_owned())
        })?;
        let name = name.trim();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(OptionsError::Syntax(
                "a word has no `=`; write key=value pairs, and values with blanks in single quotes".to_owned(),
            ));
        }
        let (value, after) = take_value(name, value.trim_start())?;
        keyword::set(&mut given, name, &value)?;
        rest = after.trim_start();
    }
    Ok(given)
}

/// The value at the start of `text`, and what follows it.
fn take_value<'a>(name: &str, text: &'a str) -> Result<(String, &'a str), OptionsError> {
    let quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut chars = text.char_indices().skip(usize::from(quoted));
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            '\'' if quoted => return Ok((value, &text[at + 1..])),
            c if c.is_whitespace() && !quoted => return Ok((value, &text[at..])),
            c => value.push(c),
        }
    }
    if quoted {
        return Err(OptionsError::Syntax(format!("the quote around the value of `{name}` is not closed")));
    }
    Ok((value, ""))
}
