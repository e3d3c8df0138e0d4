//! An UPDATE taken apart, so that it can be run over a range of keys at a time, asked what it would still change, and
//! made into a trigger.

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::Value;

use crate::facts::QualifiedName;
use crate::parse::Statement;
use crate::tokens::{Token, TokenKind, fold, tokens};

/// An UPDATE of one table. Ranges are bytes of the text that it was parsed from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// The table.
    pub relation: QualifiedName,
    /// What the rest of the statement calls it: its alias, or its name.
    pub alias: String,
    /// The columns that it sets, with their expressions.
    pub sets: Vec<Assignment>,
    /// The other tables, after `FROM`.
    pub from: Option<Range<usize>>,
    /// After `WHERE`.
    pub condition: Option<Range<usize>>,
    /// Columns named in the condition, whosever they are.
    pub condition_columns: BTreeSet<String>,
    /// Functions called anywhere in it, by their last name, and `current_timestamp` and the like.
    pub calls: BTreeSet<String>,
}

/// One `column = expression`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The column.
    pub column: String,
    /// Its expression.
    pub expression: Range<usize>,
    /// Columns named in the expression, whosever they are.
    pub columns: BTreeSet<String>,
}

/// Why an UPDATE cannot be taken apart, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct NotPlain {
    /// One clause, without a stop.
    pub why: &'static str,
    /// In the text.
    pub byte: usize,
}

/// Takes `statement` of `sql` apart. A relation without a schema is taken to lie in `default_schema`.
///
/// # Errors
/// It is no UPDATE, or one of those that do not mean the same row by row: `WITH`, `RETURNING`, `CURRENT OF`, several columns
/// set from one row, parts of a column, `DEFAULT`.
pub fn update(sql: &str, statement: &Statement, default_schema: &str) -> Result<Update, NotPlain> {
    let start = statement.range.start;
    let refuse = |why| Err(NotPlain { why, byte: start });
    if statement.node != "UpdateStmt" {
        return refuse("it is not an UPDATE");
    }
    let tree = &statement.tree;
    if !tree["withClause"].is_null() {
        return refuse("it begins with WITH; write the query into its FROM");
    }
    if tree["returningList"].is_array() || !tree["returningClause"].is_null() {
        return refuse("it ends in RETURNING, and nobody reads that");
    }
    if !tree["whereClause"]["CurrentOfExpr"].is_null() {
        return refuse("it names a cursor");
    }
    let relation = &tree["relation"];
    let name = relation["relname"].as_str().unwrap_or_default().to_owned();
    let alias = relation["alias"]["aliasname"].as_str().unwrap_or(&name).to_owned();
    let relation = QualifiedName { schema: relation["schemaname"].as_str().unwrap_or(default_schema).to_owned(), name };
    let targets: Vec<&Value> = tree["targetList"].as_array().into_iter().flatten().map(|t| &t["ResTarget"]).collect();
    for target in &targets {
        if !target["val"]["MultiAssignRef"].is_null() {
            return refuse("it sets several columns at once; write one `column = value` for each");
        }
        if !target["val"]["SetToDefault"].is_null() {
            return refuse("it sets a column to DEFAULT; write the value");
        }
        if target["indirection"].is_array() {
            return refuse("it sets a part of a column; write the whole value");
        }
    }
    let clauses = Clauses::find(sql, &statement.range).filter(|clauses| clauses.sets.len() == targets.len());
    let Some(clauses) = clauses else { return refuse("its clauses cannot be told apart") };
    let mut sets = Vec::new();
    let mut calls = BTreeSet::new();
    for (target, expression) in targets.into_iter().zip(clauses.sets) {
        let mut columns = BTreeSet::new();
        names(&target["val"], &relation, &mut columns, &mut calls)
            .map_err(|why| NotPlain { why, byte: expression.start })?;
        sets.push(Assignment { column: target["name"].as_str().unwrap_or_default().to_owned(), expression, columns });
    }
    let mut condition_columns = BTreeSet::new();
    let mut elsewhere = BTreeSet::new();
    for (part, into) in [(&tree["whereClause"], &mut condition_columns), (&tree["fromClause"], &mut elsewhere)] {
        names(part, &relation, into, &mut calls).map_err(|why| NotPlain { why, byte: start })?;
    }
    Ok(Update { relation, alias, sets, from: clauses.from, condition: clauses.condition, condition_columns, calls })
}

impl Update {
    /// Its text with `range` as a further condition.
    pub fn within(&self, sql: &str, statement: &Range<usize>, range: &str) -> String {
        match &self.condition {
            // The line break ends a comment that the condition may end with.
            Some(condition) => {
                format!("{}({}\n) AND {range}", &sql[statement.start..condition.start], &sql[condition.clone()])
            }
            None => format!("{}\nWHERE {range}", &sql[statement.clone()]),
        }
    }

    /// Whether `columns` name one of those that it sets, or the whole row.
    pub fn names_a_target(&self, columns: &BTreeSet<String>) -> bool {
        columns.contains(&self.alias) || self.sets.iter().any(|set| columns.contains(&set.column))
    }
}

/// Collects the columns and functions that a part of the tree names.
fn names(
    value: &Value,
    relation: &QualifiedName,
    columns: &mut BTreeSet<String>,
    calls: &mut BTreeSet<String>,
) -> Result<(), &'static str> {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                match key.as_str() {
                    "ColumnRef" => {
                        let parts: Vec<&str> = field["fields"]
                            .as_array()
                            .into_iter()
                            .flatten()
                            .filter_map(|part| part["String"]["sval"].as_str())
                            .collect();
                        if parts.len() > 2 && parts[0] == relation.schema && parts[1] == relation.name {
                            return Err("it names a column by its schema; name it by the table or an alias");
                        }
                        // `t.*` names the row, as `t` alone does.
                        columns.extend(parts.last().map(|&last| last.to_owned()));
                    }
                    "FuncCall" => {
                        let last =
                            field["funcname"].as_array().and_then(|parts| parts.last()?["String"]["sval"].as_str());
                        calls.extend(last.map(str::to_owned));
                    }
                    "SQLValueFunction" => {
                        calls.insert("current_timestamp".to_owned());
                    }
                    _ => {}
                }
                names(field, relation, columns, calls)?;
            }
            Ok(())
        }
        Value::Array(items) => items.iter().try_for_each(|item| names(item, relation, columns, calls)),
        _ => Ok(()),
    }
}

/// Where the clauses of an UPDATE stand.
struct Clauses {
    sets: Vec<Range<usize>>,
    from: Option<Range<usize>>,
    condition: Option<Range<usize>>,
}

impl Clauses {
    /// Looks for the words between its parts: those outside of every bracket.
    fn find(sql: &str, statement: &Range<usize>) -> Option<Self> {
        let text = &sql[statement.clone()];
        let all: Vec<Token> = tokens(text)?.into_iter().filter(|t| t.kind != TokenKind::Comment).collect();
        let word = |token: &Token| match token.kind {
            TokenKind::Word => text[token.start..token.end].to_ascii_lowercase(),
            _ => String::new(),
        };
        let (mut depth, mut set, mut from, mut condition) = (0_i32, None, None, None);
        let mut commas = Vec::new();
        for (at, token) in all.iter().enumerate() {
            match &text[token.start..token.end] {
                "(" | "[" => depth += 1,
                ")" | "]" => depth -= 1,
                "," if depth == 0 && set.is_some() && from.is_none() && condition.is_none() => commas.push(token.start),
                _ => {}
            }
            let before = at.checked_sub(1).map(|before| &all[before]);
            if depth != 0 || before.is_some_and(|before| before.kind == TokenKind::Dot) {
                continue;
            }
            match word(token).as_str() {
                "set" if set.is_none() => set = Some(*token),
                // `IS DISTINCT FROM`
                "from" if before.map(word).as_deref() == Some("distinct") => {}
                "from" if set.is_some() && from.is_none() && condition.is_none() => from = Some(*token),
                "where" if set.is_some() && condition.is_none() => condition = Some(*token),
                _ => {}
            }
        }
        let until = |next: Option<Token>| next.map_or(text.len(), |next| next.start);
        let shifted = |range: Range<usize>| range.start + statement.start..range.end + statement.start;
        let end = until(from.or(condition));
        let mut starts = vec![set?.end];
        starts.extend(commas.iter().map(|comma| comma + 1));
        let mut ends = commas;
        ends.push(end);
        let sets = starts
            .into_iter()
            .zip(ends)
            .map(|(start, end)| {
                // `column = expression`: a column, quoted or not, is one token.
                let mut inside = all.iter().filter(|t| t.start >= start && t.end <= end);
                let column = inside.next()?;
                let equals = inside.next()?;
                let plain = &text[equals.start..equals.end] == "=" && column.kind == TokenKind::Word;
                (plain && !fold(&text[column.start..column.end]).is_empty()).then(|| shifted(equals.end..end))
            })
            .collect::<Option<Vec<_>>>()?;
        Some(Self {
            sets,
            from: from.map(|from| shifted(from.end..until(condition))),
            condition: condition.map(|condition| shifted(condition.end..text.len())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;

    fn taken(sql: &str) -> Result<Update, NotPlain> {
        let statements = parse(sql).unwrap();
        update(sql, &statements[0], "a")
    }

    #[test]
    fn its_clauses_are_told_apart() {
        let sql = "UPDATE ONLY a.t AS x SET b = lower(x.c), \"D\" = ARRAY[1, 2] FROM a.o, (select 1 where true) q \
                   WHERE x.b IS DISTINCT FROM o.b AND x.id IN (SELECT id FROM a.z WHERE z.k) -- the end";
        let update = taken(sql).unwrap();
        assert_eq!((update.alias.as_str(), update.relation.to_string().as_str()), ("x", "a.t"));
        let sets: Vec<_> = update.sets.iter().map(|s| (s.column.as_str(), sql[s.expression.clone()].trim())).collect();
        assert_eq!(sets, [("b", "lower(x.c)"), ("D", "ARRAY[1, 2]")]);
        assert_eq!(sql[update.from.clone().unwrap()].trim(), "a.o, (select 1 where true) q");
        assert!(sql[update.condition.clone().unwrap()].trim().starts_with("x.b IS DISTINCT"));
        assert!(update.condition_columns.contains("k") && update.names_a_target(&update.condition_columns));
        assert!(update.sets[0].columns.contains("c") && update.calls.contains("lower"));
    }

    #[test]
    fn a_range_is_added_whatever_the_condition_ends_with() {
        let sql = "UPDATE t SET a = 1 WHERE b OR c -- why";
        let range = 0..sql.len();
        assert_eq!(
            taken(sql).unwrap().within(sql, &range, "id > 5"),
            "UPDATE t SET a = 1 WHERE( b OR c -- why\n) AND id > 5"
        );
        let sql = "UPDATE t SET a = 1";
        assert_eq!(taken(sql).unwrap().within(sql, &(0..sql.len()), "id > 5"), "UPDATE t SET a = 1\nWHERE id > 5");
    }

    #[test]
    fn distinct_from_is_no_from_clause_and_names_are_no_words() {
        let update = taken("UPDATE a.\"set\" SET \"from\" = b IS DISTINCT FROM c WHERE \"where\"").unwrap();
        assert!(update.from.is_none() && update.sets[0].column == "from");
        assert!(update.condition_columns.contains("where"));
    }

    #[test]
    fn what_does_not_mean_the_same_row_by_row_is_refused() {
        for (sql, why) in [
            ("DELETE FROM t", "not an UPDATE"),
            ("WITH q AS (SELECT 1) UPDATE t SET a = 1", "WITH"),
            ("UPDATE t SET a = 1 RETURNING a", "RETURNING"),
            ("UPDATE t SET (a, b) = (1, 2)", "several columns"),
            ("UPDATE t SET (a, b) = (SELECT 1, 2)", "several columns"),
            ("UPDATE t SET a[1] = 2", "part of a column"),
            ("UPDATE t SET a = DEFAULT", "DEFAULT"),
            ("UPDATE t SET a = 1 WHERE CURRENT OF c", "cursor"),
            ("UPDATE t SET a = a.t.b", "by its schema"),
        ] {
            let error = taken(sql).unwrap_err();
            assert!(error.why.contains(why), "{sql}: {}", error.why);
        }
    }
}
