//! What a tool's files hold for the tool, made blank: each byte that is no line break becomes a blank, so that errors
//! show the file's own lines and columns.

use std::ops::Range;

use serde_json::Value;
use sql_grammar::{Statement, TokenKind};

use crate::Settings;
use crate::layout::Layout;

/// A text without what somebody else does: the transaction, schemas and extensions that stand already, commands of psql.
pub(crate) fn clean(layout: Layout, settings: &Settings, text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    if has_psql(layout) {
        blank_psql(text, &mut bytes);
    }
    blank_headers(text, &mut bytes);
    blank_parts(text, &mut bytes);
    let readable = restored(bytes, text);
    // What does not parse is told by whoever runs it, with its place.
    let Ok(statements) = sql_grammar::parse(&readable) else { return readable };
    let mut bytes = readable.clone().into_bytes();
    let transaction = around(&statements);
    let needless = statements.iter().filter(|statement| stands(statement, settings)).map(|s| s.range.clone());
    for range in transaction.into_iter().flatten().chain(needless) {
        blank_statement(&mut bytes, range);
    }
    restored(bytes, &readable)
}

/// The extensions that the statements of a text create.
pub(crate) fn extensions(text: &str) -> Vec<String> {
    let statements = sql_grammar::parse(text).unwrap_or_default();
    let created = statements.iter().filter(|statement| statement.node == "CreateExtensionStmt");
    created.filter_map(|statement| statement.tree["extname"].as_str().map(str::to_owned)).collect()
}

/// Whether a text has any statement.
pub(crate) fn has_statements(text: &str) -> bool {
    sql_grammar::parse(text).map_or(true, |statements| !statements.is_empty())
}

/// Whether all that a text says is what the engine makes, or takes away, by itself.
pub(crate) fn only_stands(layout: Layout, settings: &Settings, text: &str) -> bool {
    let mut bytes = text.as_bytes().to_vec();
    if has_psql(layout) {
        blank_psql(text, &mut bytes);
    }
    let statements = sql_grammar::parse(&restored(bytes, text)).unwrap_or_default();
    let mut said = statements.iter().filter(|statement| statement.node != "TransactionStmt").peekable();
    said.peek().is_some() && said.all(|statement| stands(statement, settings))
}

/// BEGIN and COMMIT, where they stand around all the rest.
fn around(statements: &[Statement]) -> Option<[Range<usize>; 2]> {
    let of_transaction = |statement: &&Statement| statement.node == "TransactionStmt";
    let [first, .., last] = statements else { return None };
    let kind = |statement: &Statement| statement.tree["kind"].as_str().unwrap_or_default().to_owned();
    let encloses = matches!(kind(first).as_str(), "TRANS_STMT_BEGIN" | "TRANS_STMT_START")
        && kind(last) == "TRANS_STMT_COMMIT"
        && statements.iter().filter(of_transaction).count() == 2;
    encloses.then(|| [first.range.clone(), last.range.clone()])
}

/// A statement that makes, or takes away, what the engine makes before the first migration.
fn stands(statement: &Statement, settings: &Settings) -> bool {
    let tree = &statement.tree;
    let is_of = |names: &[String], name: &str| names.iter().any(|known| known == name);
    match statement.node.as_str() {
        "CreateSchemaStmt" => {
            let bare = tree["schemaElts"].as_array().is_none_or(Vec::is_empty);
            bare && tree["schemaname"].as_str().is_some_and(|name| is_of(&settings.schemas, name))
        }
        // Who owns is the catalogue's to say; dumps have it for every object.
        "AlterOwnerStmt" => true,
        "AlterTableStmt" => {
            let commands = tree["cmds"].as_array().map(Vec::as_slice).unwrap_or_default();
            let changes_owner =
                |command: &Value| command["AlterTableCmd"]["subtype"].as_str() == Some("AT_ChangeOwner");
            !commands.is_empty() && commands.iter().all(changes_owner)
        }
        "CommentStmt" if tree["objtype"].as_str() == Some("OBJECT_EXTENSION") => {
            tree["object"]["String"]["sval"].as_str().is_some_and(|name| is_of(&settings.extensions, name))
        }
        "CreateExtensionStmt" => tree["extname"].as_str().is_some_and(|name| is_of(&settings.extensions, name)),
        "DropStmt" if tree["behavior"].as_str() != Some("DROP_CASCADE") => {
            let known = match tree["removeType"].as_str() {
                Some("OBJECT_SCHEMA") => &settings.schemas,
                Some("OBJECT_EXTENSION") => &settings.extensions,
                _ => return false,
            };
            let objects = tree["objects"].as_array().map(Vec::as_slice).unwrap_or_default();
            let name = |object: &'_ Value| object["String"]["sval"].as_str().map(str::to_owned);
            !objects.is_empty() && objects.iter().all(|object| name(object).is_some_and(|name| is_of(known, &name)))
        }
        _ => false,
    }
}

/// The statement and the semicolon after it.
fn blank_statement(bytes: &mut [u8], range: Range<usize>) {
    let semicolon = bytes[range.end..].iter().position(|b| !b.is_ascii_whitespace()).map(|at| range.end + at);
    let end = semicolon.filter(|at| bytes[*at] == b';').map_or(range.end, |at| at + 1);
    blank(bytes, range.start..end);
}

/// Whose files psql runs.
fn has_psql(layout: Layout) -> bool {
    matches!(layout, Layout::Sqitch | Layout::Numbered)
}

/// Settings of psql say how it shows and stops; those that would read files or send data stay, and are refused.
fn blank_psql(text: &str, bytes: &mut [u8]) {
    const HARMLESS: [&str; 8] = [
        "\\set ON_ERROR_STOP",
        "\\set QUIET",
        "\\set VERBOSITY",
        "\\timing",
        "\\pset",
        "\\echo",
        // What pg_dump puts around its text.
        "\\restrict",
        "\\unrestrict",
    ];
    for (range, line) in lines(text) {
        if HARMLESS.iter().any(|command| line.starts_with(command)) {
            blank(bytes, range);
        }
    }
}

/// Comments at the head that would be read as headers of ours, and were written for another reader.
fn blank_headers(text: &str, bytes: &mut [u8]) {
    for (range, line) in lines(text) {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with("/*") {
            continue;
        }
        let Some(comment) = trimmed.strip_prefix("--") else { return };
        if let Some((key, value)) = comment.split_once(':')
            && !is_ours(key.trim(), value.trim())
        {
            blank(bytes, range);
        }
    }
}

/// `-- part: 2 of 3`: where no part of the file is one of ours, they are somebody's numbering. Where one is, a word that is
/// not may be a slip, and is left to be refused.
fn blank_parts(text: &str, bytes: &mut [u8]) {
    if !text.contains("part:") {
        return;
    }
    let comments = sql_grammar::tokens(text).unwrap_or_default().into_iter();
    let parts: Vec<(Range<usize>, &str)> = comments
        .filter(|token| token.kind == TokenKind::Comment)
        .filter_map(|token| {
            let (key, value) = text[token.start..token.end].strip_prefix("--")?.split_once(':')?;
            (key.trim() == "part").then_some((token.start..token.end, value.trim()))
        })
        .collect();
    if !parts.iter().any(|(_, name)| matches!(*name, "expand" | "backfill" | "contract")) {
        for (range, _) in parts {
            blank(bytes, range);
        }
    }
}

fn is_ours(key: &str, value: &str) -> bool {
    match key {
        "requires" | "contract-of" => {
            let is_id = |name: &str| {
                name.split_once('/').is_some_and(|(_, version)| version.starts_with(|c: char| c.is_ascii_digit()))
            };
            !value.is_empty() && value.split(',').map(str::trim).all(is_id)
        }
        "transaction" => value == "none",
        "irreversible" => !value.is_empty(),
        "accept" => value.split_once(':').is_some_and(|(_, why)| !why.trim().is_empty()),
        // These are refused with a hint in files of ours.
        "require" | "depends" | "depends-on" | "contract" | "no-transaction" => false,
        _ => true,
    }
}

fn lines(text: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    let mut at = 0;
    text.split_inclusive('\n').map(move |line| {
        let start = at;
        at += line.len();
        (start..at, line)
    })
}

fn blank(bytes: &mut [u8], range: Range<usize>) {
    bytes[range].iter_mut().filter(|byte| !matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
}

/// Whole characters were made blank, so it is text as it was.
fn restored(bytes: Vec<u8>, text: &str) -> String {
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}
