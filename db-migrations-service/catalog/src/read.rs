//! Reading the catalog: one message, one snapshot, a few queries over whole catalogs.
//!
//! Each query answers rows of one kind. The columns `kind`, `schema`, `of`, `prefix`, `name` and `args` say which
//! object it is, and `unit` what it is part of ([`follow`](crate::follow)); every other column is a property under its
//! own name, NULL where it has its default. A name that begins with `sql ` or `view ` is deparsed SQL and put into its canonical wording; `acl …` is an access list of
//! that letter's kind of object.

use postgres_link::{AdminConn, BatchError, BatchFailure, BatchOutcome, StatementOutcome, sqlstate};

use crate::object::{Kind, ObjectId, Properties, quoted};
use crate::snapshot::Snapshot;
use crate::{canonical, grants};

/// What belongs to no unit.
const REST: [&str; 2] = [include_str!("read/database.sql"), include_str!("read/rest.sql")];
/// Tables, views, sequences, routines and types with their parts.
const UNITS: [&str; 2] = [include_str!("read/relations.sql"), include_str!("read/code.sql")];

pub(crate) const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// What deparsed text depends on; all of it local to the transaction. Some functions lock what they deparse, and wait
/// for DDL that is under way: not for long. Compiling queries over catalogs takes longer than running them, and so does
/// planning them for every list of objects anew.
pub(crate) const SETTINGS: &str = "\
SELECT set_config('search_path', '', true), set_config('TimeZone', 'UTC', true),
       set_config('DateStyle', 'ISO, MDY', true), set_config('IntervalStyle', 'postgres', true),
       set_config('bytea_output', 'hex', true), set_config('extra_float_digits', '1', true),
       set_config('quote_all_identifiers', 'off', true), set_config('standard_conforming_strings', 'on', true),
       set_config('lock_timeout', '1s', true), set_config('jit', 'off', true),
       set_config('plan_cache_mode', 'force_generic_plan', true)";

const PUBLICATION_SCHEMAS: &str = "\
(SELECT string_agg(s.nspname::text, ', ' ORDER BY s.nspname) FROM pg_publication_namespace ps
   JOIN pg_namespace s ON s.oid = ps.pnnspid WHERE ps.pnpubid = p.oid)";

/// Which objects are read. Schemas of the server itself (`pg_…`, `information_schema`) never are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    schemas: Option<Vec<String>>,
    except: Vec<String>,
    /// Relations, by schema and name.
    left_out: Vec<(String, String)>,
    database: bool,
}

impl Scope {
    /// All schemas, and what belongs to the database as a whole: extensions, event triggers, publications, default
    /// privileges of no one schema.
    pub fn all() -> Self {
        Self { schemas: None, except: Vec::new(), left_out: Vec::new(), database: true }
    }

    /// These schemas only. One that does not exist is no error: it has no objects.
    pub fn schemas<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        let names = names.into_iter().map(Into::into).collect();
        Self { schemas: Some(names), except: Vec::new(), left_out: Vec::new(), database: false }
    }

    /// Without these schemas.
    #[must_use]
    pub fn except<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.except.extend(names.into_iter().map(Into::into));
        self
    }

    /// Without these tables, by schema and name, and what hangs on them: bookkeeping of others.
    #[must_use]
    pub fn without_tables(mut self, tables: impl IntoIterator<Item = (String, String)>) -> Self {
        self.left_out.extend(tables);
        self
    }

    /// Whether the object is one of those that are not wanted, or part of one.
    pub(crate) fn leaves_out(&self, id: &ObjectId) -> bool {
        let is_of = |(schema, table): &(String, String)| {
            id.schema.as_deref() == Some(schema)
                && match (&id.of, id.kind) {
                    (Some(of), _) => of == table,
                    (None, Kind::Table) => id.name == quoted(table),
                    // As `serial` and identities name theirs.
                    (None, Kind::Sequence) => {
                        let name = id.name.trim_matches('"');
                        name.starts_with(&format!("{table}_")) && name.ends_with("_seq")
                    }
                    _ => false,
                }
        };
        self.left_out.iter().any(is_of)
    }

    /// With or without the objects that belong to the database.
    #[must_use]
    pub fn database_objects(mut self, wanted: bool) -> Self {
        self.database = wanted;
        self
    }

    /// The condition on `n`, a row of pg_namespace.
    fn condition(&self) -> String {
        let mut condition = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'".to_owned();
        if let Some(schemas) = &self.schemas {
            condition = format!("{condition} AND n.nspname = ANY ({})", array(schemas));
        }
        if !self.except.is_empty() {
            condition = format!("{condition} AND n.nspname <> ALL ({})", array(&self.except));
        }
        condition
    }
}

/// Why the catalog could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// DDL of another session was under way: what was read would be neither before nor after it.
    #[error("the schema is being changed by another session ({0}); read it again when that is done")]
    Changing(String),
    /// The server refused or the session broke.
    #[error("the catalog cannot be read: {0}")]
    Failed(BatchError),
    /// The server answered what no supported version answers.
    #[error("the catalog's answer cannot be read ({0}); PostgreSQL 14 to 18 are supported")]
    Unknown(String),
}

impl Snapshot {
    /// Reads every object in `scope` in one message and one snapshot. `conn` must not be in a transaction; any role
    /// may read.
    ///
    /// # Errors
    /// [`ReadError::Changing`] when another session changes an object meanwhile; nothing is retried here.
    pub async fn read(conn: &AdminConn, scope: &Scope) -> Result<Self, ReadError> {
        let server = conn.server_version_num();
        let queries = everything(scope, server);
        let outcome = send(conn, &format!("{BEGIN};\n{SETTINGS};\n{queries};\nCOMMIT")).await?;
        let mut snapshot = Self::default();
        add(outcome, server, |_, id, properties| {
            if !scope.leaves_out(&id) {
                snapshot.insert(id, properties);
            }
        })?;
        Ok(snapshot)
    }
}

impl Snapshot {
    /// As [`read`](Self::read), in the transaction that `conn` is in, with what that sees. Settings of the transaction are
    /// other ones afterwards, the search path among them.
    ///
    /// # Errors
    /// As [`read`](Self::read); the transaction has ended then.
    pub async fn read_within(conn: &AdminConn, scope: &Scope) -> Result<Self, ReadError> {
        let server = conn.server_version_num();
        let outcome = send(conn, &format!("{SETTINGS};\n{}", everything(scope, server))).await?;
        let mut snapshot = Self::default();
        add(outcome, server, |_, id, properties| {
            if !scope.leaves_out(&id) {
                snapshot.insert(id, properties);
            }
        })?;
        Ok(snapshot)
    }
}

/// Sends a part of a transaction; after a failure none is open.
pub(crate) async fn send(conn: &AdminConn, message: &str) -> Result<BatchOutcome, ReadError> {
    match conn.batch(message).await {
        Ok(outcome) => Ok(outcome),
        Err(error) => {
            if matches!(error.failure, BatchFailure::Sql(_)) {
                // A session that breaks here fails its caller's next statement.
                let _ = conn.batch("ROLLBACK").await;
            }
            Err(classified(error))
        }
    }
}

/// The queries for every object of the scope.
pub(crate) fn everything(scope: &Scope, server: u32) -> String {
    [rest(scope, server), units(scope, "IS NOT NULL")].concat().join(";\n")
}

/// The queries for what belongs to no unit.
pub(crate) fn rest(scope: &Scope, server: u32) -> Vec<String> {
    let schemas = if server >= 150_000 { PUBLICATION_SCHEMAS } else { "NULL" };
    let fill = |query: &str| {
        query
            .replace(":database", if scope.database { "true" } else { "false" })
            .replace(":publication_schemas", schemas)
            // Last, for it holds names from outside.
            .replace(":scope", &scope.condition())
    };
    statements(REST).map(fill).collect()
}

/// The queries for units whose number is `listed`, a condition.
pub(crate) fn units(scope: &Scope, listed: &str) -> Vec<String> {
    statements(UNITS).map(|query| query.replace(":listed", listed).replace(":scope", &scope.condition())).collect()
}

fn statements(files: [&'static str; 2]) -> impl Iterator<Item = &'static str> {
    files.into_iter().flat_map(|file| file.split(";\n\n"))
}

fn classified(error: BatchError) -> ReadError {
    // XX000 is "cache lookup failed": the functions that deparse look past the transaction's snapshot.
    let changing = matches!(
        error.sqlstate(),
        Some("XX000" | sqlstate::LOCK_NOT_AVAILABLE | sqlstate::UNDEFINED_TABLE | sqlstate::UNDEFINED_OBJECT)
    );
    if changing { ReadError::Changing(error.to_string()) } else { ReadError::Failed(error) }
}

/// The unit of what belongs to none.
pub(crate) const REST_UNIT: u32 = 0;

/// Where in a row the parts of the identity stand; other columns are properties.
const IDENTITY: [&str; 6] = ["kind", "schema", "of", "prefix", "name", "args"];

/// Hands every object that was read, with the number of its unit, to `found`.
pub(crate) fn add(
    outcome: BatchOutcome,
    server: u32,
    mut found: impl FnMut(u32, ObjectId, Properties),
) -> Result<(), ReadError> {
    // BEGIN answers nothing, and the settings have no kind.
    for statement in outcome.statements.into_iter().filter(|s| s.columns.iter().any(|name| name == "kind")) {
        add_rows(statement, server, &mut found)?;
    }
    Ok(())
}

fn add_rows(
    statement: StatementOutcome,
    server: u32,
    found: &mut impl FnMut(u32, ObjectId, Properties),
) -> Result<(), ReadError> {
    let columns = &statement.columns;
    let place = |wanted: &str| columns.iter().position(|name| name == wanted);
    let places = IDENTITY.map(place);
    let (unit, owner) = (place("unit"), place("acl owner"));
    for mut row in statement.rows {
        let mut cell = |place: Option<usize>| place.and_then(|at| row.get_mut(at)).and_then(Option::take);
        let [kind, schema, of, prefix, name, args] = places.map(&mut cell);
        let owner = cell(owner).unwrap_or_default();
        let unit = cell(unit).and_then(|number| number.parse().ok()).unwrap_or(REST_UNIT);
        let kind = kind.unwrap_or_default();
        let kind = Kind::from_words(&kind).ok_or_else(|| ReadError::Unknown(format!("kind {kind}")))?;
        let id = ObjectId { schema, kind, of, name: full_name(kind, prefix, name.unwrap_or_default(), args) };
        let mut properties = Properties::new();
        for (column, value) in columns.iter().zip(row) {
            let Some(value) = value else { continue };
            if column.starts_with("acl ") {
                grants::add(&mut properties, &value, &owner, server);
            } else if let Some(property) = column.strip_prefix("sql ") {
                properties.insert(property.to_owned(), canonical::sql(&value));
            } else if let Some(property) = column.strip_prefix("view ") {
                properties.insert(property.to_owned(), canonical::view(&value));
            } else {
                properties.insert(column.clone(), value);
            }
        }
        found(unit, id, properties);
    }
    Ok(())
}

fn full_name(kind: Kind, prefix: Option<String>, name: String, args: Option<String>) -> String {
    let name = match kind {
        // Symbols; nothing; and names beside words.
        Kind::Operator | Kind::Cast => name,
        _ => quoted(&name),
    };
    match (prefix, args) {
        (Some(prefix), _) => format!("{prefix} {name}"),
        (None, Some(args)) if kind == Kind::OperatorClass => format!("{name} {args}"),
        (None, Some(args)) => format!("{name}{}", canonical::sql(&args)),
        (None, None) => name,
    }
}

/// Names as an array of strings that mean the same whatever the session's settings are.
fn array(names: &[String]) -> String {
    let literal = |name: &String| format!("E'{}'", name.replace('\\', "\\\\").replace('\'', "''"));
    format!("ARRAY[{}]::name[]", names.iter().map(literal).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_leave_their_strings() {
        assert_eq!(array(&[r"a\'b".to_owned(), "it's".to_owned()]), r"ARRAY[E'a\\''b', E'it''s']::name[]");
    }
}
