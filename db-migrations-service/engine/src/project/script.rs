//! One SQL file, read and understood.

use std::ops::Range;

use sql_grammar::{Facts, Position, QualifiedName, position_at_byte};

use super::parts::{self, Backfill, Parts};
use crate::error::{EngineError, ErrorCode, Location};
use crate::migration::MigrationId;
use crate::run::pieces::{Cut, Cuts};

/// What the comments at the head of a file tell the engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Directives {
    /// `-- requires: <schema>/<version>, …`
    pub requires: Vec<MigrationId>,
    /// `-- contract-of: <schema>/<version>, …`
    pub contract_of: Vec<MigrationId>,
    /// `-- transaction: none` runs the file statement by statement although nothing in it asks for that.
    pub no_transaction: bool,
    /// `-- irreversible: <why>` in a down file.
    pub irreversible: Option<String>,
    /// `-- accept: <hazard>: <why>`
    pub accepts: Vec<(String, String)>,
}

/// A file's text with its statements.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    /// The path that errors show.
    pub file: String,
    pub sql: String,
    pub statements: Vec<(Range<usize>, Facts)>,
    pub directives: Directives,
    /// What is expanded, filled and contracted, where the file tells that apart.
    pub parts: Option<Parts>,
}

impl Script {
    /// Parses `sql`; relations without a schema are taken to lie in `schema`.
    pub(crate) fn parse(file: &str, sql: String, schema: &str) -> Result<Self, EngineError> {
        let parsed = sql_grammar::parse(&sql).map_err(|error| {
            let cure = error.hint.map_or_else(|| "correct the file; nothing was run".to_owned(), str::to_owned);
            EngineError::new(
                ErrorCode::SyntaxError,
                format!("{file}:{}:{}: {}", error.position.line, error.position.column, error.message),
            )
            .cure(cure)
            .at(place(file, &sql, error.position, None))
        })?;
        let first = parsed.first().map_or(sql.len(), |s| s.range.start);
        let directives = directives(file, &sql, first, schema)?;
        let mut statements = Vec::with_capacity(parsed.len());
        for statement in &parsed {
            let facts = sql_grammar::facts(statement, schema);
            if let Some(why) = facts.forbidden {
                let position = position_at_byte(&sql, statement.range.start);
                return Err(EngineError::new(
                    ErrorCode::ForbiddenStatement,
                    format!(
                        "{file}:{}:{}: this statement may not stand in a migration",
                        position.line, position.column
                    ),
                )
                .cure(why)
                .at(place(file, &sql, position, Some((statements.len(), statement.range.clone())))));
            }
            statements.push((statement.range.clone(), facts));
        }
        let parts = parts::parts(file, &sql, &statements, &parsed, schema)?;
        Ok(Self { file: file.to_owned(), sql, statements, directives, parts })
    }

    /// A text whose statements are not known.
    pub(crate) fn opaque(file: &str, sql: &str) -> Self {
        Self {
            file: file.to_owned(),
            sql: sql.to_owned(),
            statements: Vec::new(),
            directives: Directives::default(),
            parts: None,
        }
    }

    /// Whether it runs as one transaction. A value added to an enum may stay in it only as the last statement,
    /// since the server lets nobody use the value before it is committed.
    pub(crate) fn is_transactional(&self) -> bool {
        // Skipping the values at the end, any that is left has something after it.
        let mut earlier = self.statements.iter().rev().skip_while(|(_, f)| f.commit_before_use);
        let adds_value_early = earlier.any(|(_, f)| f.commit_before_use);
        !self.directives.no_transaction
            && !self.has_backfill()
            && !adds_value_early
            && self.statements.iter().all(|(_, f)| f.alone.is_none())
    }

    /// Whether rows are filled batch by batch between its first part and its last.
    pub(crate) fn has_backfill(&self) -> bool {
        self.parts.as_ref().is_some_and(|parts| !parts.backfills.is_empty())
    }

    /// The backfill that the statement at `index` is.
    pub(crate) fn backfill_at(&self, index: usize) -> Option<&Backfill> {
        self.parts.as_ref()?.backfills.iter().find(|backfill| backfill.statement == index)
    }

    /// The tables that its backfill fills.
    pub(crate) fn fills(&self) -> Vec<QualifiedName> {
        let backfills = self.parts.iter().flat_map(|parts| &parts.backfills);
        backfills.map(|backfill| backfill.update.relation.clone()).collect()
    }

    /// Whether it sets something for the rest of its session.
    pub(crate) fn sets_session(&self) -> bool {
        self.statements.iter().any(|(_, facts)| facts.sets_session)
    }

    /// Where its statements stand.
    pub(crate) fn cuts(&self) -> Cuts {
        self.statements.iter().map(|(range, facts)| Cut { range: range.clone(), runs_code: facts.runs_code }).collect()
    }

    /// The text of the statement at `index`.
    pub(crate) fn statement(&self, index: usize) -> &str {
        &self.sql[self.statements[index].0.clone()]
    }

    /// SHA-256 over the tokens of the statement at `index`.
    pub(crate) fn statement_checksum(&self, index: usize) -> String {
        sql_grammar::checksum(self.statement(index))
    }

    /// Where the byte `at` stands, within the statement `statement`.
    pub(crate) fn location(&self, at: usize, statement: Option<usize>) -> Location {
        let ranged = statement.map(|index| (index, self.statements[index].0.clone()));
        place(&self.file, &self.sql, position_at_byte(&self.sql, at), ranged)
    }

    /// The index of the statement that holds the byte `at`.
    pub(crate) fn statement_at(&self, at: usize) -> Option<usize> {
        self.statements.iter().position(|(range, _)| range.start <= at && at <= range.end)
    }
}

pub(super) fn place(file: &str, sql: &str, position: Position, statement: Option<(usize, Range<usize>)>) -> Location {
    Location {
        file: file.to_owned(),
        line: position.line,
        column: position.column,
        line_text: position.line_of(sql).to_owned(),
        statement: statement.as_ref().map(|(index, _)| index + 1),
        statement_text: statement.map(|(_, range)| sql[range].to_owned()),
    }
}

/// Reads the directives among the comment lines before the first statement.
fn directives(file: &str, sql: &str, first_statement: usize, schema: &str) -> Result<Directives, EngineError> {
    let mut found = Directives::default();
    let mut at = 0;
    for line in sql[..first_statement].split_inclusive('\n') {
        let start = at;
        at += line.len();
        // A folder of another tool says it beside the file; so that its lines keep their numbers, it is put before the first.
        found.no_transaction |= line.trim_start().starts_with("/* transaction: none */");
        let Some(comment) = line.trim().strip_prefix("--") else { continue };
        let Some((key, value)) = comment.split_once(':') else { continue };
        let (key, value) = (key.trim(), value.trim());
        let bad = |why: String| {
            let position = position_at_byte(sql, start);
            EngineError::new(ErrorCode::BadDirective, format!("{file}:{}: {why}", position.line))
                .cure("directives are: -- requires: <schema>/<version>, …   -- contract-of: <schema>/<version>, …   -- transaction: none   -- irreversible: <why>   -- accept: <hazard>: <why>")
                .at(place(file, sql, position, None))
        };
        match key {
            "requires" | "contract-of" => {
                let names = value.split(',').map(str::trim).filter(|name| !name.is_empty());
                let ids: Vec<MigrationId> = names
                    .map(|name| name.parse().map_err(|error| bad(format!("{error}"))))
                    .collect::<Result<_, _>>()?;
                if ids.is_empty() {
                    return Err(bad(format!("`{key}` names no migration")));
                }
                if key == "contract-of"
                    && let Some(other) = ids.iter().find(|id| id.schema != schema)
                {
                    return Err(bad(format!("`contract-of` names {other}, which is no migration of {schema}")));
                }
                if key == "requires" { found.requires.extend(ids) } else { found.contract_of.extend(ids) }
            }
            "transaction" if value == "none" => found.no_transaction = true,
            "transaction" => return Err(bad(format!("`transaction` knows only `none`, not {value:?}"))),
            "irreversible" if value.is_empty() => return Err(bad("`irreversible` needs its reason".to_owned())),
            "irreversible" => found.irreversible = Some(value.to_owned()),
            "accept" => {
                let Some((hazard, why)) = value.split_once(':').filter(|(_, why)| !why.trim().is_empty()) else {
                    return Err(bad("`accept` names a hazard and its reason".to_owned()));
                };
                found.accepts.push((hazard.trim().to_owned(), why.trim().to_owned()));
            }
            "require" | "depends" | "depends-on" | "contract" | "no-transaction" => {
                return Err(bad(format!("`{key}` is not a directive")));
            }
            _ => {}
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(sql: &str) -> Script {
        Script::parse("f.sql", sql.to_owned(), "a").unwrap()
    }

    #[test]
    fn directives_are_read_from_the_head_only() {
        let s = script(
            "-- Why: because.\n-- requires: b/2, c/0003_thing\n--transaction: none\nselect 1;\n-- requires: d/4\n",
        );
        assert_eq!(s.directives.requires.iter().map(ToString::to_string).collect::<Vec<_>>(), ["b/2", "c/3"]);
        assert!(s.directives.no_transaction && !s.is_transactional());
        assert_eq!(script("-- contract-of: a/3\nselect 1").directives.contract_of, ["a/3".parse().unwrap()]);
        for bad in [
            "-- requires: x",
            "-- requires:",
            "-- transaction: some",
            "-- irreversible:",
            "-- depends: a/1",
            "-- contract-of:",
            "-- contract-of: b/1",
            "-- contract: a/1",
        ] {
            let error = Script::parse("f.sql", format!("-- first\n{bad}\nselect 1"), "a").unwrap_err();
            assert_eq!((error.code, error.location.unwrap().line), (ErrorCode::BadDirective, 2), "{bad}");
        }
    }

    #[test]
    fn an_enum_value_ends_a_transaction_unless_nothing_follows() {
        assert!(script("select 1; alter type k add value 'x'; alter type k add value 'y'").is_transactional());
        assert!(script("alter type k add value 'x'").is_transactional());
        assert!(!script("alter type k add value 'x'; select 1").is_transactional());
        assert!(!script("create index concurrently i on t (x)").is_transactional());
    }
}
