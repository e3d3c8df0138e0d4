//! A migration in parts: `-- part: expand`, `-- part: backfill`, `-- part: contract`, each on a line of its own.
//!
//! The file stays SQL that means the same when a plain client runs it. A down file has the parts in the opposite order.

use std::ops::Range;

use sql_grammar::{Facts, Statement, TokenKind, Update, position_at_byte, tokens};

use super::script::{Script, place};
use crate::error::{EngineError, ErrorCode};

/// What the parts of a file are.
const CURE: &str = "parts are `-- part: expand`, `-- part: backfill`, `-- part: contract`, each once and in this order \
                    (in a down file in the opposite one); under the backfill stand UPDATEs, before each of them what is \
                    said of it: -- key: <column>, …   -- batch-ms: <n>   -- batch-rows: <n>   -- remaining: <condition>   \
                    -- sync: none: <why>";

/// Functions whose answer is another each time.
const RESTLESS: [&str; 9] = [
    "now",
    "random",
    "gen_random_uuid",
    "uuid_generate_v4",
    "clock_timestamp",
    "statement_timestamp",
    "transaction_timestamp",
    "nextval",
    "current_timestamp",
];

/// A script's statements by part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parts {
    pub order: Order,
    /// One transaction before the backfill: places in the script's statements.
    pub first: Range<usize>,
    pub backfills: Vec<Backfill>,
    /// One transaction after it.
    pub last: Range<usize>,
    /// Where the first and the last part begin in the text.
    first_byte: usize,
    last_byte: usize,
}

/// Which way a file goes, as the order of its parts says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Forward,
    Back,
    /// One part says neither.
    Either,
}

/// One UPDATE that is run batch by batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Backfill {
    /// Its place in the script's statements.
    pub statement: usize,
    pub update: Update,
    /// The columns to walk by, where the file names them.
    pub key: Vec<String>,
    /// How long a batch may take, milliseconds.
    pub batch_ms: Option<u64>,
    /// How many rows a batch has at most.
    pub batch_rows: Option<u64>,
    /// What holds of a row that is not filled yet.
    pub remaining: Option<String>,
    /// The engine keeps new writes consistent meanwhile.
    pub sync: bool,
}

impl Parts {
    /// What undoes the first part of an up alone, in a down file that tells it apart; with as many lines before it as it has
    /// in the file.
    pub(crate) fn of_expand<'a>(&self, sql: &'a str) -> std::borrow::Cow<'a, str> {
        match self.order {
            Order::Back => {
                let (before, own) = sql.split_at(self.last_byte);
                format!("{}{own}", "\n".repeat(before.matches('\n').count())).into()
            }
            _ => sql.into(),
        }
    }
}

/// Refuses files whose parts do not fit together.
pub(crate) fn check_parts(up: &Script, down: &Script) -> Result<(), EngineError> {
    let refuse = |script: &Script, why: &str| {
        let place = script.location(script.parts.as_ref().map_or(0, |parts| parts.first_byte), None);
        Err(EngineError::new(ErrorCode::BadDirective, format!("{}:{}: {why}", place.file, place.line))
            .cure(CURE)
            .at(place))
    };
    match up.parts.as_ref() {
        Some(parts) if parts.order == Order::Back => refuse(up, "an up file goes from expand to contract"),
        Some(parts) if parts.backfills.is_empty() => {
            refuse(up, "it has parts and no backfill; without one, expand and contract are two migrations")
        }
        _ if down.parts.as_ref().is_some_and(|parts| parts.order == Order::Forward) => {
            refuse(down, "a down file goes back, from contract to expand")
        }
        _ => Ok(()),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Expand,
    Backfill,
    Contract,
}

/// One `-- key: value` line.
struct Line<'a> {
    byte: usize,
    key: &'a str,
    value: &'a str,
}

/// The parts of a file; `None` where it names none.
pub(super) fn parts(
    file: &str,
    sql: &str,
    statements: &[(Range<usize>, Facts)],
    parsed: &[Statement],
    schema: &str,
) -> Result<Option<Parts>, EngineError> {
    // Few files have parts, and scanning one takes time.
    if !sql.contains("part:") {
        return Ok(None);
    }
    let lines = lines(sql);
    let fault = |byte: usize, why: String| {
        let position = position_at_byte(sql, byte);
        EngineError::new(ErrorCode::BadDirective, format!("{file}:{}: {why}", position.line))
            .cure(CURE)
            .at(place(file, sql, position, None))
    };
    let refuse = |byte: usize, why: String| Err(fault(byte, why));
    let mut marks: Vec<(Name, usize)> = Vec::new();
    for line in lines.iter().filter(|line| line.key == "part") {
        let name = match line.value {
            "expand" => Name::Expand,
            "backfill" => Name::Backfill,
            "contract" => Name::Contract,
            other => return refuse(line.byte, format!("there is no part {other:?}")),
        };
        if marks.iter().any(|(known, _)| *known == name) {
            return refuse(line.byte, format!("the part {} begins twice", line.value));
        }
        if statements.iter().any(|(range, _)| range.start < line.byte && line.byte < range.end) {
            return refuse(line.byte, format!("the part {} begins inside of a statement", line.value));
        }
        marks.push((name, line.byte));
    }
    let Some(&(_, first_mark)) = marks.first() else { return Ok(None) };
    if let Some((range, _)) = statements.first().filter(|(range, _)| range.start < first_mark) {
        return refuse(range.start, "this statement stands before the first part".to_owned());
    }
    let order = match &marks[..] {
        [_] => Order::Either,
        marks if marks.is_sorted() => Order::Forward,
        marks if marks.iter().rev().is_sorted_by_key(|(name, _)| name) => Order::Back,
        [_, later @ ..] => return refuse(later[0].1, "its parts are in no order that leads anywhere".to_owned()),
        [] => return Ok(None),
    };
    let within = |name: Name| {
        let at = marks.iter().position(|(known, _)| *known == name);
        let Some(at) = at else { return 0..0 };
        let end = marks.get(at + 1).map_or(sql.len(), |(_, byte)| *byte);
        let of = |byte: usize| statements.partition_point(|(range, _)| range.start < byte);
        of(marks[at].1)..of(end)
    };
    let (first, last) = match order {
        Order::Back => (within(Name::Contract), within(Name::Expand)),
        _ => (within(Name::Expand), within(Name::Contract)),
    };
    for (range, facts) in first.clone().chain(last.clone()).map(|at| &statements[at]) {
        if let Some(alone) = &facts.alone {
            let why = format!("{} cannot stand in a part: a part is one transaction", alone.what());
            return refuse(range.start, format!("{why}; give it a migration of its own"));
        }
    }
    let filling = within(Name::Backfill);
    if let Some((_, byte)) = marks.iter().find(|(name, _)| *name == Name::Backfill && filling.is_empty()) {
        return refuse(*byte, "the backfill holds no UPDATE".to_owned());
    }
    let backfills = filling
        .map(|at| {
            let after = at.checked_sub(1).map_or(0, |before| statements[before].0.end);
            let start = statements[at].0.start;
            let said = lines.iter().filter(|line| after <= line.byte && line.byte < start);
            backfill(sql, at, &parsed[at], schema, said).map_err(|(byte, why)| fault(byte.unwrap_or(start), why))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let last_byte = marks.last().map_or(0, |(_, byte)| *byte);
    Ok(Some(Parts { order, first, backfills, last, first_byte: first_mark, last_byte }))
}

/// Comment lines of the form `-- key: value`.
fn lines(sql: &str) -> Vec<Line<'_>> {
    let comments = tokens(sql).into_iter().flatten().filter(|token| token.kind == TokenKind::Comment);
    comments
        .filter(|token| {
            let line = sql[..token.start].rfind('\n').map_or(0, |at| at + 1);
            sql[line..token.start].trim().is_empty()
        })
        .filter_map(|token| {
            let (key, value) = sql[token.start..token.end].strip_prefix("--")?.split_once(':')?;
            Some(Line { byte: token.start, key: key.trim(), value: value.trim() })
        })
        .collect()
}

/// Reads one UPDATE with what is said of it. An error without a place is about the statement.
fn backfill<'a>(
    sql: &str,
    at: usize,
    statement: &Statement,
    schema: &str,
    said: impl Iterator<Item = &'a Line<'a>>,
) -> Result<Backfill, (Option<usize>, String)> {
    let update = sql_grammar::update(sql, statement, schema)
        .map_err(|refused| (Some(refused.byte), format!("a backfill is one UPDATE after the other, and {refused}")))?;
    let mut backfill = Backfill {
        statement: at,
        update,
        key: Vec::new(),
        batch_ms: None,
        batch_rows: None,
        remaining: None,
        sync: true,
    };
    for line in said {
        let bad = |why: &str| (Some(line.byte), why.to_owned());
        let number = || match line.value.parse::<u64>() {
            Ok(n) if n > 0 => Ok(Some(n)),
            _ => Err((Some(line.byte), format!("`{}` is a number above 0, not {:?}", line.key, line.value))),
        };
        match line.key {
            "key" => {
                backfill.key = line.value.split(',').map(|name| name.trim().trim_matches('"').to_owned()).collect();
                if backfill.key.iter().any(String::is_empty) {
                    return Err(bad("`key` names no column"));
                }
            }
            "batch-ms" => backfill.batch_ms = number()?,
            "batch-rows" => backfill.batch_rows = number()?,
            "remaining" => {
                let whole = format!("SELECT WHERE ({}\n)", line.value);
                if sql_grammar::parse(&whole).map_or(0, |statements| statements.len()) != 1 {
                    return Err(bad("`remaining` is no condition"));
                }
                backfill.remaining = Some(line.value.to_owned());
            }
            "sync" => match line.value.split_once(':') {
                Some((none, why)) if none.trim() == "none" && !why.trim().is_empty() => backfill.sync = false,
                _ => {
                    return Err(bad(
                        "`sync` knows only `none: <why>`; without it the engine keeps new writes consistent",
                    ));
                }
            },
            "batch" | "batch_ms" | "batch_rows" | "keys" | "batch-size" => {
                return Err((Some(line.byte), format!("`{}` is nothing that can be said of a backfill", line.key)));
            }
            _ => {}
        }
    }
    let (update, none) = (&backfill.update, None);
    if let Some(set) = update.sets.iter().find(|set| backfill.key.contains(&set.column)) {
        return Err((none, format!("it changes {}, which is the key that it walks by", set.column)));
    }
    let restless = RESTLESS.iter().find(|name| update.calls.contains(**name));
    if let (Some(restless), false, None) =
        (restless, update.names_a_target(&update.condition_columns), &backfill.remaining)
    {
        let why = format!("{restless}() says something else each time, so nobody can tell which rows are left");
        return Err((none, format!("{why}; say it in its WHERE (`… WHERE column IS NULL`) or by `-- remaining:`")));
    }
    let itself = update.sets.iter().any(|set| update.names_a_target(&set.columns));
    if backfill.sync && itself && !update.names_a_target(&update.condition_columns) {
        let why = "what it sets depends on what it has set before, so new writes cannot be kept consistent with it";
        return Err((none, format!("{why}; say in its WHERE which rows need it, or `-- sync: none: <why>`")));
    }
    Ok(backfill)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "-- requires: b/2\n-- part: expand\nALTER TABLE t ADD COLUMN b int;\nSELECT 1;\n-- part: backfill\n\
                         -- Note: why\n-- key: id, \"K\"\n-- batch-rows: 10\n-- remaining: b IS NULL OR b < 0\n\
                         UPDATE t SET b = a WHERE b IS NULL;\n-- sync: none: nobody writes there\nUPDATE a.o SET x = 1;\n\
                         -- part: contract\nALTER TABLE t ALTER COLUMN b SET NOT NULL;\n";

    fn parts(sql: &str) -> Parts {
        Script::parse("f.sql", sql.to_owned(), "a").unwrap().parts.unwrap()
    }

    #[test]
    fn the_parts_of_a_file_are_found() {
        let parts = parts(WHOLE);
        assert_eq!((parts.order, parts.first, parts.last), (Order::Forward, 0..2, 4..5));
        let [one, other] = &parts.backfills[..] else { panic!() };
        assert_eq!((one.statement, one.key.join(" ").as_str(), one.batch_rows, one.sync), (2, "id K", Some(10), true));
        assert_eq!(one.remaining.as_deref(), Some("b IS NULL OR b < 0"));
        assert_eq!((other.statement, other.update.relation.to_string().as_str(), other.sync), (3, "a.o", false));
        assert!(Script::parse("f.sql", "SELECT '\n-- part: x';".to_owned(), "a").unwrap().parts.is_none());
    }

    #[test]
    fn the_way_back_of_the_expand_part_stands_alone_at_its_own_lines() {
        let down = "-- part: contract\nSELECT 1;\n-- part: expand\nSELECT 2;\n";
        let parts = parts(down);
        assert_eq!((parts.order, parts.backfills.len()), (Order::Back, 0));
        assert_eq!(parts.of_expand(down), "\n\n-- part: expand\nSELECT 2;\n");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let fill = "-- part: backfill\n";
        for (sql, line, words) in [
            ("-- part: expnad\n".to_owned(), 1, "there is no part \"expnad\""),
            ("SELECT 1;\n-- part: expand\nSELECT 2;".to_owned(), 1, "before the first part"),
            ("-- part: expand\nSELECT\n-- part: contract\n1;".to_owned(), 3, "inside of a statement"),
            (format!("-- part: expand\n{fill}-- part: expand\n"), 3, "begins twice"),
            (format!("{fill}UPDATE t SET b = 1;\n-- part: expand\n-- part: contract\n"), 3, "in no order"),
            (
                format!("-- part: expand\nCREATE INDEX CONCURRENTLY i ON t (x);\n{fill}UPDATE t SET b = 1;"),
                2,
                "of its own",
            ),
            (format!("{fill}-- part: contract\n"), 1, "holds no UPDATE"),
            (format!("{fill}INSERT INTO t VALUES (1);"), 2, "it is not an UPDATE"),
            (format!("{fill}-- batch-rows: many\nUPDATE t SET b = 1;"), 2, "a number above 0"),
            (format!("{fill}-- batch: 3\nUPDATE t SET b = 1;"), 2, "nothing that can be said"),
            (format!("{fill}-- remaining: b IS\nUPDATE t SET b = 1;"), 2, "no condition"),
            (format!("{fill}-- remaining: true); DROP TABLE t; SELECT (1\nUPDATE t SET b = 1;"), 2, "no condition"),
            (format!("{fill}-- sync: none\nUPDATE t SET b = 1;"), 2, "`sync` knows only"),
            (format!("{fill}-- key: id\nUPDATE t SET id = 1;"), 3, "the key that it walks by"),
            (format!("{fill}UPDATE t SET b = now();"), 2, "now() says something else each time"),
            (format!("{fill}UPDATE t SET b = b + 1;"), 2, "depends on what it has set before"),
        ] {
            let error = Script::parse("f.sql", sql.clone(), "a").unwrap_err();
            assert_eq!((error.code, error.location.unwrap().line), (ErrorCode::BadDirective, line), "{sql}");
            assert!(error.message.contains(words), "{sql}: {}", error.message);
        }
    }
}
