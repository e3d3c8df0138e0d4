//! What must be known of a table before it is walked: its key, its columns, its size.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::journal::Key;
use super::sql;
use crate::error::{EngineError, ErrorCode};
use crate::project::Backfill;
use crate::run::apply::{StepEnd, ended};
use crate::run::attempt::Hands;
use crate::run::steps::Step;
use crate::target::quote::{identifier, literal};
use crate::target::session::own_statement;
use crate::target::store;

/// A table that a backfill walks.
#[derive(Debug, Clone)]
pub(super) struct Table {
    /// Quoted.
    pub name: String,
    /// The columns to walk by.
    pub key: Vec<Column>,
    pub columns: BTreeMap<String, Column>,
    /// About how many there are.
    pub rows: u64,
    /// The engine's trigger stands.
    pub is_synced: bool,
}

/// A column.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub name: String,
    /// Its type without length, qualified and quoted.
    pub type_name: String,
    /// Its type with length.
    pub full_type: String,
    not_null: bool,
    /// Comparing its values runs nobody's code, and their text is read back as it was.
    is_plain: bool,
}

/// Looks the table of `backfill` up and chooses what to walk it by.
pub(super) async fn look(hands: &Hands<'_>, step: &Step, backfill: &Backfill) -> Result<Table, StepEnd> {
    let relation = &backfill.update.relation;
    let name = sql::name(backfill);
    let own = |error: &postgres_link::BatchError| own_statement(error, "looking at the table of a backfill");
    let query =
        LOOK.replace("{table}", &literal(&name)).replace("{trigger}", &literal(&sql::trigger_name(step, backfill)));
    let outcome = hands.send(&step.id, &query).await.map_err(|(stopped, _)| ended(stopped, step, own))?;
    let failed = |error: EngineError| StepEnd::Failed(Box::new(error.migration(&step.id)));
    let place = step.script().location(step.script().statements[backfill.statement].0.start, Some(backfill.statement));
    let refuse = |why: String, cure: &str| {
        let message = format!("{}:{}: {why}", place.file, place.line);
        failed(EngineError::new(ErrorCode::MigrationFailed, message).cure(cure).at(place.clone()))
    };
    let [table, columns, indexes] = &outcome.statements[..] else {
        return Err(refuse("the catalog answered something unexpected".to_owned(), "report this"));
    };
    let Some(row) = table.rows.first() else {
        return Err(refuse(format!("there is no table {relation}"), "correct the name, or make it in the expand part"));
    };
    let [kind, rows, is_synced] = store::cells(row.clone()).map_err(failed)?;
    if !matches!(kind.as_str(), "r" | "p") {
        return Err(refuse(format!("{relation} is no table"), "fill the table behind it"));
    }
    let mut known = BTreeMap::new();
    for row in &columns.rows {
        let [name, type_name, full_type, not_null, is_plain] = store::cells(row.clone()).map_err(failed)?;
        let column =
            Column { name: name.clone(), type_name, full_type, not_null: not_null == "t", is_plain: is_plain == "t" };
        known.insert(name, column);
    }
    let unique: Vec<Vec<String>> = indexes
        .rows
        .iter()
        .filter_map(|row| serde_json::from_str(row.first()?.as_deref()?).ok())
        .filter(|names: &Vec<String>| names.iter().all(|n| known.get(n).is_some_and(|c| c.not_null && c.is_plain)))
        .collect();
    let chosen = if backfill.key.is_empty() {
        unique.into_iter().next()
    } else {
        unique.into_iter().find(|names| *names == backfill.key)
    };
    let Some(chosen) = chosen else {
        let what = match backfill.key.join(", ") {
            none if none.is_empty() => format!("{relation} has no key that it can be walked by"),
            key => format!("no unique index of {relation} is over ({key})"),
        };
        let cure = "it takes a primary key or a unique index over columns that are not null, of types that PostgreSQL brings \
                    along, in their default order; make one, or name another by `-- key:`";
        return Err(refuse(what, cure));
    };
    Ok(Table {
        name,
        key: chosen.iter().filter_map(|name| known.get(name).cloned()).collect(),
        columns: known,
        rows: rows.parse::<f64>().map_or(0, |rows| rows.max(0.0) as u64),
        is_synced: is_synced == "t",
    })
}

/// The table, its columns, and its unique indexes, the primary key first.
const LOOK: &str = "\
WITH RECURSIVE tree AS (SELECT to_regclass({table})::oid AS oid
  UNION ALL SELECT i.inhrelid FROM tree JOIN pg_inherits i ON i.inhparent = tree.oid)
SELECT c.relkind::text,
  (SELECT sum(CASE WHEN p.relpages > 0 AND p.reltuples >= 0
                   THEN p.reltuples / p.relpages * (pg_relation_size(p.oid) / current_setting('block_size')::int8)
                   ELSE pg_relation_size(p.oid) / 100 END)
     FROM tree JOIN pg_class p ON p.oid = tree.oid WHERE p.relkind = 'r'),
  EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = {trigger})
  FROM pg_class c WHERE c.oid = to_regclass({table});
SELECT a.attname, quote_ident(n.nspname) || '.' || quote_ident(t.typname), format_type(a.atttypid, a.atttypmod),
  a.attnotnull,
  t.typtype = 'e' OR t.typtype = 'b' AND n.nspname = 'pg_catalog'
  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace n ON n.oid = t.typnamespace
  WHERE a.attrelid = to_regclass({table}) AND a.attnum > 0 AND NOT a.attisdropped;
SELECT json_agg(a.attname ORDER BY k.place)
  FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place)
  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
  JOIN pg_opclass o ON o.oid = i.indclass[k.place - 1]
  WHERE i.indrelid = to_regclass({table}) AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
    AND k.place <= i.indnkeyatts
  GROUP BY i.indexrelid, i.indisprimary, i.indnkeyatts
  HAVING bool_and(o.opcdefault AND i.indoption[k.place - 1] = 0 AND i.indcollation[k.place - 1] = a.attcollation)
  ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid";

impl Table {
    /// The names of the columns that it is walked by.
    pub(super) fn key_names(&self) -> Vec<String> {
        self.key.iter().map(|column| column.name.clone()).collect()
    }

    /// The condition that a row of `alias` comes after `from` and not after `to`.
    pub(super) fn range(&self, alias: &str, from: Option<&[String]>, to: &[String]) -> String {
        let columns = self.columns_of(alias);
        let upper = format!("ROW({columns}) OPERATOR(pg_catalog.<=) ROW({})", self.values(to));
        match from {
            Some(from) => format!("(ROW({columns}) OPERATOR(pg_catalog.>) ROW({}) AND {upper})", self.values(from)),
            None => format!("({upper})"),
        }
    }

    /// The query for the key of the row `rows` further, where there is one up to `to`.
    pub(super) fn step(&self, from: Option<&[String]>, to: &[String], rows: u64) -> String {
        format!(
            "SELECT {} FROM {} AS t WHERE {} ORDER BY {} OFFSET {} LIMIT 1",
            self.as_json("t"),
            self.name,
            self.range("t", from, to),
            self.columns_of("t"),
            rows - 1
        )
    }

    /// The query for how many rows there are between two keys.
    pub(super) fn count(&self, from: Option<&[String]>, to: &[String]) -> String {
        format!("SELECT pg_catalog.count(*) FROM {} AS t WHERE {}", self.name, self.range("t", from, to))
    }

    /// The query for the greatest key.
    pub(super) fn greatest(&self) -> String {
        let order: Vec<String> = self.key.iter().map(|column| format!("t.{} DESC", identifier(&column.name))).collect();
        format!("SELECT {} FROM {} AS t ORDER BY {} LIMIT 1", self.as_json("t"), self.name, order.join(", "))
    }

    /// The key of a row of `alias`, as one text.
    pub(super) fn as_json(&self, alias: &str) -> String {
        let texts: Vec<String> = self
            .key
            .iter()
            .map(|column| format!("{}.{}::pg_catalog.text", identifier(alias), identifier(&column.name)))
            .collect();
        format!("pg_catalog.jsonb_build_array({})::pg_catalog.text", texts.join(", "))
    }

    fn columns_of(&self, alias: &str) -> String {
        let names: Vec<String> =
            self.key.iter().map(|column| format!("{}.{}", identifier(alias), identifier(&column.name))).collect();
        names.join(", ")
    }

    fn values(&self, key: &[String]) -> String {
        let mut values = String::new();
        for (index, (column, value)) in self.key.iter().zip(key).enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            // Writing into a String cannot fail.
            let _ = write!(values, "{separator}{}::{}", literal(value), column.type_name);
        }
        values
    }

    /// A key for people: `id = 5`.
    pub(super) fn in_words(&self, key: &Key) -> String {
        let pairs: Vec<String> =
            self.key.iter().zip(key).map(|(column, value)| format!("{} = {value}", column.name)).collect();
        pairs.join(", ")
    }

    /// The type of a column with its length.
    pub(super) fn full_type(&self, column: &str) -> &str {
        self.columns.get(column).map_or("pg_catalog.text", |column| &column.full_type)
    }
}
