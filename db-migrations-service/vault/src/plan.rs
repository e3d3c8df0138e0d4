//! Which tables go into which part.

use crate::archive::TableName;
use crate::manifest::{HISTORY_SCHEMA, Scope};
use crate::source::Sized;

/// Less than this is not worth a part of its own: every `pg_dump` reads the catalog first. For the same reason there are no more parts than
/// are made at the same time; shared out by size, they end together.
const SMALLEST: u64 = 32 << 20;

/// A table that is smaller goes with the rest.
const SMALL_TABLE: u64 = 1 << 20;

/// How many tables are named to `pg_dump` at most, by size; an argument list has an end.
const NAMED: usize = 1_000;

/// A part with rows: the arguments that tell `pg_dump` which.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DataPart {
    pub name: String,
    pub arguments: Vec<String>,
}

/// Shares the tables, the largest first, out among parts of about the same size; the last part has all that is not named in another one
/// and that `within`, arguments of `pg_dump`, keeps to.
pub(crate) fn data_parts(tables: &[Sized], within: Vec<String>, jobs: usize) -> Vec<DataPart> {
    let named: Vec<&Sized> =
        tables.iter().filter(|table| table.bytes >= SMALL_TABLE && !table.of_extension).take(NAMED).collect();
    let total: u64 = named.iter().map(|table| table.bytes).sum();
    let count = (total / SMALLEST).min(jobs as u64) as usize;
    let mut bins: Vec<(u64, Vec<&TableName>)> = vec![(0, Vec::new()); if jobs > 1 { count } else { 0 }];
    for table in &named {
        if let Some(bin) = bins.iter_mut().min_by_key(|bin| bin.0) {
            bin.0 += table.bytes;
            bin.1.push(&table.name);
        }
    }
    bins.retain(|bin| !bin.1.is_empty());
    bins.sort_by_key(|bin| std::cmp::Reverse(bin.0));
    let mut rest = DataPart { name: format!("data-{}", bins.len() + 1), arguments: within };
    let mut parts = Vec::with_capacity(bins.len() + 1);
    for (at, (_, tables)) in bins.iter().enumerate() {
        parts.push(DataPart {
            name: format!("data-{}", at + 1),
            arguments: tables.iter().map(|table| format!("--table={}", table.quoted())).collect(),
        });
        rest.arguments.extend(tables.iter().map(|table| format!("--exclude-table-data={}", table.quoted())));
    }
    parts.push(rest);
    parts
}

/// The arguments that keep to a scope.
pub(crate) fn schemas(scope: &Scope) -> Vec<String> {
    if scope.is_whole() {
        return Vec::new();
    }
    let own = scope.schemas.iter().map(String::as_str).filter(|schema| *schema != HISTORY_SCHEMA);
    own.chain([HISTORY_SCHEMA]).map(|schema| format!("--schema={}", quoted(schema))).collect()
}

pub(crate) fn quoted(name: &str) -> String {
    postgres_link::quote::identifier(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, mib: u64, of_extension: bool) -> Sized {
        let name = TableName { schema: "s".to_owned(), name: name.to_owned() };
        Sized { name, bytes: mib << 20, of_extension }
    }

    fn shares(tables: &[Sized], jobs: usize) -> Vec<String> {
        let short =
            |argument: &String| argument.replace("--table=", "").replace("--exclude-table-data=", "-").replace('"', "");
        let parts = data_parts(tables, Vec::new(), jobs);
        parts.iter().map(|part| part.arguments.iter().map(short).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn parts_are_of_about_the_same_size_and_hold_everything_once() {
        let tables = [
            table("a", 100, false),
            table("b", 60, false),
            table("c", 50, false),
            table("e", 40, true),
            table("d", 5, false),
            table("z", 0, false),
        ];
        assert_eq!(shares(&tables, 1), [""]);
        assert_eq!(shares(&tables, 2), ["s.b s.c", "s.a s.d", "-s.b -s.c -s.a -s.d"].map(str::to_owned));
        assert_eq!(shares(&tables[4..], 2), [""]);
        let many: Vec<Sized> = (0..100).map(|n| table(&format!("t{n}"), 10, false)).collect();
        let parts = data_parts(&many, Vec::new(), 2);
        assert_eq!(parts.iter().map(|part| part.arguments.len()).collect::<Vec<_>>(), [50, 50, 100]);
    }

    #[test]
    fn a_scope_is_told_by_schemas_and_the_history_goes_with_it() {
        let scope = Scope { services: vec!["x-service".to_owned()], schemas: vec!["x\"y".to_owned()] };
        assert_eq!(schemas(&scope), ["--schema=\"x\"\"y\"", "--schema=\"migration_service\""]);
    }
}
