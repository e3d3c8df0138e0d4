//! Objects that the folder makes outside of its service's schemas: told as a list, before anything is run.

use std::collections::BTreeMap;

use sql_grammar::ObjectKind;

use super::Subject;
use crate::error::{EngineError, ErrorCode};
use crate::migration::MigrationId;
use crate::project::Script;

/// So many are told by name.
const TOLD: usize = 12;

pub(super) fn refuse(subject: &Subject<'_>, ids: &[MigrationId]) -> Result<(), EngineError> {
    let mut outside: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for migration in subject.migrations.iter().filter(|migration| ids.contains(&migration.id)) {
        let sql = subject.project.up_sql(migration)?;
        // What does not parse is told by the replay.
        let Ok(script) = Script::parse(&migration.up, sql, &migration.id.schema) else { continue };
        let created = script.statements.iter().flat_map(|(_, facts)| {
            facts.creates.iter().filter(|object| object.kind != ObjectKind::Column && !facts.temporary.contains(object))
        });
        for object in created {
            let schema = &object.name.schema;
            if !subject.service.schemas.contains(schema) && schema != "pg_temp" {
                let shown = match object.kind {
                    ObjectKind::Schema => format!("schema {schema}"),
                    _ => object.name.to_string(),
                };
                outside.entry(schema.clone()).or_default().push(format!("{shown} ({})", migration.up));
            }
        }
    }
    if outside.is_empty() {
        return Ok(());
    }
    let all: Vec<&str> = outside.values().flatten().map(String::as_str).collect();
    let more = if all.len() > TOLD { format!(" and {} more", all.len() - TOLD) } else { String::new() };
    let told = all[..all.len().min(TOLD)].join(", ");
    let service = subject.service_name;
    let cures: Vec<String> = outside
        .keys()
        .map(|schema| match subject.project.catalogue.owner_of(schema) {
            Some((other, _)) => {
                format!("{schema:?} belongs to {other}: let one of the two own it, or split the folder with its tool")
            }
            None => format!("add {schema:?} to the schemas of {service} in config/services.toml"),
        })
        .collect();
    Err(EngineError::new(
        ErrorCode::NotAdoptable,
        format!("the folder makes what lies outside of the schemas of {service}: {told}{more}"),
    )
    .cure(cures.join("; ")))
}
