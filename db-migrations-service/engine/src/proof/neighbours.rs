//! *Breaks no neighbour*: what depends, in the schemas of other services, on what is dropped, renamed or changed.
//!
//! PostgreSQL itself knows foreign keys, views, policies, triggers, defaults and the bodies of standard SQL functions
//! (`pg_depend`). Of other bodies it knows nothing: there a name is looked for, and what is found is a warning.

use postgres_link::AdminConn;
use sql_grammar::{ObjectKind, ObjectName};

use super::report::{Finding, Gate, Severity};
use crate::catalogue::Catalogue;
use crate::error::EngineError;
use crate::migration::MigrationId;
use crate::project::Script;
use crate::target::quote::literal;
use crate::target::session::own_statement;

/// Everything that depends on an object, in words and with the schema that it lies in.
const DEPENDENTS: &str = include_str!("dependents.sql");

/// Looks at every statement of `script` that takes something away or changes it.
pub(super) async fn look(
    conn: &AdminConn,
    script: &Script,
    id: &MigrationId,
    service: &str,
    catalogue: &Catalogue,
) -> Result<Vec<Finding>, EngineError> {
    let own = catalogue.services.get(service).map(|s| s.schemas.as_slice()).unwrap_or_default();
    let mut findings = Vec::new();
    for (index, (range, facts)) in script.statements.iter().enumerate() {
        let taken = facts.drops.iter().map(|object| (object, "gone"));
        let changed = facts.retypes.iter().map(|object| (object, "of another type"));
        for (object, change) in taken.chain(changed) {
            for dependent in dependents(conn, object).await? {
                if own.contains(&dependent.schema) || dependent.schema == id.schema {
                    continue;
                }
                let owner = catalogue.owner_of(&dependent.schema).map_or("no service", |(name, _)| name);
                let severity = if dependent.is_known { Severity::Error } else { Severity::Warning };
                let verb = if dependent.is_known { "depends on" } else { "names" };
                let code = if dependent.is_known { "breaks-neighbour" } else { "perhaps-breaks-neighbour" };
                findings.push(
                    Finding::new(
                        Gate::BreaksNoNeighbour,
                        code,
                        severity,
                        format!("{} of {owner} {verb} {}, which would be {change}", dependent.what, object.name),
                    )
                    .of(id)
                    .at(script.location(range.start, Some(index)))
                    .cure(format!("have {owner} give it up first, in a migration that this one `-- requires:`")),
                );
            }
        }
    }
    Ok(findings)
}

struct Dependent {
    schema: String,
    what: String,
    /// The server's own dependency, not a name in a body.
    is_known: bool,
}

async fn dependents(conn: &AdminConn, object: &ObjectName) -> Result<Vec<Dependent>, EngineError> {
    let (kind, name, column) = match object.kind {
        ObjectKind::Schema => return Ok(Vec::new()),
        ObjectKind::Relation => ("relation", object.name.name.as_str(), ""),
        ObjectKind::Routine => ("routine", object.name.name.as_str(), ""),
        ObjectKind::Type => ("type", object.name.name.as_str(), ""),
        ObjectKind::Column => {
            let Some((relation, column)) = object.name.name.rsplit_once('.') else { return Ok(Vec::new()) };
            ("relation", relation, column)
        }
    };
    let query = DEPENDENTS
        .replace(":kind", &literal(kind))
        .replace(":schema", &literal(&object.name.schema))
        .replace(":name", &literal(name))
        .replace(":column", &literal(column));
    let outcome = conn.batch(&query).await.map_err(|e| own_statement(&e, "looking for what depends on it"))?;
    Ok(outcome
        .rows()
        .filter_map(|row| {
            Some(Dependent { schema: row[0].clone()?, what: row[1].clone()?, is_known: row[2].as_deref() == Some("t") })
        })
        .collect())
}
