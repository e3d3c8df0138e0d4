//! What leaves the database: PostgreSQL follows no reference there, so none is let through.

use std::collections::{BTreeMap, BTreeSet};

use super::place_of;
use crate::error::{EngineError, ErrorCode};
use crate::graph::Graph;
use crate::plan::Plan;
use crate::project::{Project, Script};
use crate::target::store::State;

/// What to do about a reference into another database.
pub(crate) const KEEP_THE_ID: &str = "keep the other row's id without a constraint and ask its service, or let both services live in one \
     database (config/services.toml)";

/// Refuses the first reference of the chosen migrations to what lives in another database.
pub(super) fn refuse(project: &Project, graph: &Graph, chosen: &BTreeSet<usize>) -> Result<(), EngineError> {
    let crossing = graph.crossing(|schema| project.catalogue.elsewhere(schema).is_some());
    let Some((at, reference)) = crossing.into_iter().find(|(at, _)| chosen.contains(at)) else { return Ok(()) };
    let (id, name) = (&graph.nodes[at].id, &reference.object.name);
    let (Some(migration), Some(there)) = (project.migration(id), project.catalogue.elsewhere(&name.schema)) else {
        return Ok(());
    };
    let script = Script::parse(&migration.up, project.up_sql(migration)?, &id.schema)?;
    let byte = reference.byte.unwrap_or_else(|| place_of(&script, reference));
    let location = script.location(byte, script.statement_at(byte));
    let message = format!(
        "{}:{}:{}: {id} references {name}, which is in another database: {} lives in {}",
        location.file, location.line, location.column, there.service, there.place
    );
    Err(EngineError::new(ErrorCode::CrossesDatabases, message)
        .cure(format!("{KEEP_THE_ID}; nothing was run"))
        .migration(id)
        .at(location))
}

/// Tells what services left behind here when they moved to a database of their own.
pub(super) fn note_moved(project: &Project, state: &State, plan: &mut Plan) {
    let mut left: BTreeMap<&str, usize> = BTreeMap::new();
    for id in state.applied.keys().filter(|id| project.catalogue.elsewhere(&id.schema).is_some()) {
        *left.entry(&id.schema).or_default() += 1;
    }
    for (schema, count) in left {
        let Some(there) = project.catalogue.elsewhere(schema) else { continue };
        let what = if count == 1 { "1 migration".to_owned() } else { format!("{count} migrations") };
        plan.notes
            .push(format!("{} lives in {} now; of {schema}, {what} stayed applied here", there.service, there.place));
    }
}
