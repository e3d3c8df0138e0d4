//! A file into statements.

use std::ffi::CString;
use std::ops::Range;

use serde_json::Value;

use crate::ffi;
use crate::position::{Position, position_at_byte, position_at_char};

/// One statement of a file.
#[derive(Debug, Clone)]
pub struct Statement {
    /// Where it stands, in bytes: without the comments and blanks before it and without its semicolon.
    pub range: Range<usize>,
    /// The node's name in PostgreSQL's parse tree: `CreateStmt`, `IndexStmt` …
    pub node: String,
    /// The node's fields.
    pub tree: Value,
}

/// PostgreSQL's grammar does not accept a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// PostgreSQL's words.
    pub message: String,
    /// What often lies behind it.
    pub hint: Option<&'static str>,
    /// Where.
    pub position: Position,
}

/// Splits `sql` where PostgreSQL splits it.
pub fn parse(sql: &str) -> Result<Vec<Statement>, SyntaxError> {
    let text = CString::new(sql).map_err(|nul| SyntaxError {
        message: "the file holds a NUL character".to_owned(),
        hint: None,
        position: position_at_byte(sql, nul.nul_position()),
    })?;
    let tree = ffi::parse_to_json(&text, |json| serde_json::from_str::<Value>(json)).map_err(|error| {
        let position = position_at_char(sql, if error.position == 0 { 1 } else { error.position });
        SyntaxError { hint: hint(sql, position), message: error.message, position }
    })?;
    let broken = |what: &str| SyntaxError {
        message: format!("the parser's answer cannot be read: {what}"),
        hint: None,
        position: position_at_byte(sql, 0),
    };
    let mut tree = tree.map_err(|e| broken(&e.to_string()))?;
    let Some(Value::Array(raw)) = tree.get_mut("stmts").map(Value::take) else { return Ok(Vec::new()) };
    raw.into_iter()
        .map(|mut entry| {
            let number = |field: &str| entry[field].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
            let (start, length) = (number("stmt_location"), number("stmt_len"));
            let end = if length == 0 { sql.len() } else { start + length };
            let Value::Object(mut node) = entry["stmt"].take() else { return Err(broken("a statement is no object")) };
            let name = node.keys().next().cloned().ok_or_else(|| broken("a statement is empty"))?;
            let tree = node.remove(&name).unwrap_or_default();
            Ok(Statement { range: trim(sql, start..end), node: name, tree })
        })
        .collect()
}

/// The parser leaves leading comments and trailing blanks of the last statement in; people do not count them.
fn trim(sql: &str, range: Range<usize>) -> Range<usize> {
    let mut start = range.start;
    loop {
        let rest = &sql[start..range.end];
        let blank = rest.len() - rest.trim_start().len();
        start += blank;
        let rest = &sql[start..range.end];
        if rest.starts_with("--") {
            start += rest.find('\n').map_or(rest.len(), |at| at + 1);
        } else if rest.starts_with("/*") {
            match comment_end(rest) {
                Some(length) => start += length,
                None => break,
            }
        } else {
            break;
        }
    }
    let end = start + sql[start..range.end].trim_end().len();
    start..end
}

/// The length of a block comment at the start of `text`; they nest.
fn comment_end(text: &str) -> Option<usize> {
    let (mut depth, mut at) = (0_usize, 0_usize);
    let bytes = text.as_bytes();
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

fn hint(sql: &str, position: Position) -> Option<&'static str> {
    let line = position.line_of(sql).trim_start();
    let before = &sql[..position.byte];
    if line.starts_with('\\') {
        Some("commands of psql (\\d, \\i, \\copy …) are not SQL; write what they would send")
    } else if before.to_ascii_lowercase().contains("from stdin") {
        Some("COPY … FROM STDIN carries its data outside of SQL; use INSERT … VALUES")
    } else if line.contains(":'") || line.contains(":\"") {
        Some("variables of psql (:'name') are not SQL; write the value")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sql: &str) -> Vec<String> {
        parse(sql).unwrap().iter().map(|s| sql[s.range.clone()].to_owned()).collect()
    }

    #[test]
    fn splits_where_the_server_splits() {
        let sql = "-- first\ncreate function a.f() returns int language sql begin atomic select 1; select 2; end;\n\
                   /* a /* nested */ ; */ do $x$ begin perform ';'; end $x$;;\n select ';é';  -- last\n";
        assert_eq!(
            texts(sql),
            [
                "create function a.f() returns int language sql begin atomic select 1; select 2; end",
                "do $x$ begin perform ';'; end $x$",
                "select ';é'",
            ]
        );
    }

    #[test]
    fn an_error_has_its_place_in_characters() {
        let error = parse("select 'é';\nselec 2;").unwrap_err();
        assert_eq!((error.position.line, error.position.column), (2, 1));
        assert!(error.message.contains("selec"), "{}", error.message);
    }

    #[test]
    fn an_unfinished_text_points_at_its_end_and_psql_commands_are_explained() {
        let error = parse("create table a.b (").unwrap_err();
        assert_eq!(error.position.column, 19);
        assert!(parse("\\d foo").unwrap_err().hint.unwrap().contains("psql"));
        assert!(parse("select 1\0;").unwrap_err().message.contains("NUL"));
    }

    #[test]
    fn nothing_is_no_statement() {
        assert!(parse(" -- only words\n").unwrap().is_empty());
    }
}
