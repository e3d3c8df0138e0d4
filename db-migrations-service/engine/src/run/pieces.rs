//! Which statements of a file go together in one message.

use std::ops::Range;
use std::sync::Arc;

/// Where a statement stands in its file, and what has to be known to send it without parsing the file again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cut {
    /// In bytes.
    pub range: Range<usize>,
    /// It may run code of its author.
    pub runs_code: bool,
}

/// All of a file, in order.
pub(crate) type Cuts = Arc<[Cut]>;

/// At most so many messages. Each costs some three microseconds, of which a file of thousands of small statements would
/// have too many.
const MOST: usize = 256;

/// Groups so many statements into messages, by index; at least one. Each is sent by itself, so that it is seen when it
/// begins and ends; of very many, equally many go together.
pub(crate) fn pieces(statements: usize) -> Vec<Range<usize>> {
    let together = statements.div_ceil(MOST).max(1);
    (0..statements.max(1)).step_by(together).map(|from| from..(from + together).min(statements)).collect()
}

fn first_word(statement: &str) -> &str {
    statement.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default()
}

/// What a statement is, in the words that it begins with: `CREATE UNIQUE INDEX`, `INSERT`.
pub(crate) fn kind(statement: &str) -> String {
    let mut kind = first_word(statement.trim_start_matches('(')).to_ascii_uppercase();
    if !matches!(kind.as_str(), "CREATE" | "ALTER" | "DROP" | "COMMENT" | "REFRESH") {
        return kind;
    }
    for word in statement.split_ascii_whitespace().skip(1).map(str::to_ascii_uppercase) {
        let modifies = MODIFIERS.contains(&word.as_str());
        // What `OR REPLACE` makes counts, not that it may be there.
        if !matches!(word.as_str(), "OR" | "REPLACE") {
            kind.push(' ');
            kind.push_str(word.trim_end_matches(|c: char| !c.is_ascii_alphabetic()));
        }
        if !modifies {
            break;
        }
    }
    kind
}

/// Words between the verb and the kind of object, or after which the kind goes on.
const MODIFIERS: [&str; 14] = [
    "OR",
    "REPLACE",
    "UNIQUE",
    "TEMP",
    "TEMPORARY",
    "UNLOGGED",
    "MATERIALIZED",
    "FOREIGN",
    "EVENT",
    "TEXT",
    "DEFAULT",
    "RECURSIVE",
    "CONSTRAINT",
    "ON",
];

/// The first line of a statement, as far as it can be shown in one.
pub(crate) fn first_line(statement: &str) -> String {
    const SHOWN: usize = 100;
    let line = statement.lines().next().unwrap_or_default().trim_end();
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_very_many_statements_equally_many_go_together() {
        assert_eq!(pieces(0), vec![0..0; 1]);
        assert_eq!(pieces(3), [0..1, 1..2, 2..3]);
        assert_eq!(pieces(MOST).len(), MOST);
        let many = pieces(1_000);
        assert_eq!((many.len(), many[0].clone(), many[249].clone()), (250, 0..4, 996..1_000));
        assert_eq!(pieces(1_001).last(), Some(&(1_000..1_001)));
    }

    #[test]
    fn a_statement_is_called_by_its_first_words() {
        for (statement, called) in [
            ("create  unique\nindex i on t (x)", "CREATE UNIQUE INDEX"),
            ("CREATE OR REPLACE FUNCTION f() …", "CREATE FUNCTION"),
            ("create materialized view v as", "CREATE MATERIALIZED VIEW"),
            ("alter table t add x int", "ALTER TABLE"),
            ("alter default privileges for", "ALTER DEFAULT PRIVILEGES"),
            ("comment on table t is ''", "COMMENT ON TABLE"),
            ("insert into t values (1)", "INSERT"),
            ("update a.t set x = 1", "UPDATE"),
            ("do $$begin end$$", "DO"),
            ("(select 1)", "SELECT"),
            ("vacuum;", "VACUUM"),
        ] {
            assert_eq!(kind(statement), called, "{statement}");
        }
        assert_eq!(first_line("select 1,\n 2"), "select 1,");
        assert_eq!(first_line(&"é".repeat(200)).chars().count(), 101);
    }
}
