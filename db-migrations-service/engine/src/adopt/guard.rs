//! A database that another tool has migrated, and that nobody has adopted, must not be migrated from the beginning.

use postgres_link::AdminConn;

use crate::error::{EngineError, ErrorCode};
use crate::planning::in_scope;
use crate::project::Project;
use crate::request::Scope;
use crate::target::quote::{literal, qualified};
use crate::target::session::own_statement;
use crate::target::store::State;

/// Refuses a run of a folder of which this target's history knows nothing, where the tool's own history is there.
pub(crate) async fn refuse_unadopted(
    conn: &AdminConn,
    project: &Project,
    state: &State,
    scope: &Scope,
) -> Result<(), EngineError> {
    for (name, service) in &project.catalogue.services {
        let Some(folder) = service.migrations.as_ref().filter(|_| in_scope(scope, name)) else { continue };
        let schema = folder.schema(service);
        let Some((history_schema, table)) = folder.history_table(service) else { continue };
        if state.applied.keys().any(|id| id.schema == schema) {
            continue;
        }
        let quoted = qualified(&history_schema, &table);
        // What was adopted and rolled back since is known here, too.
        let known = if state.installed {
            format!("EXISTS (SELECT FROM migration_service.history WHERE schema_name = {})", literal(schema))
        } else {
            "false".to_owned()
        };
        let query = format!("SELECT to_regclass({}) IS NOT NULL AND NOT {known}", literal(&quoted));
        let outcome = conn.batch(&query).await.map_err(|e| own_statement(&e, "looking for another tool's history"))?;
        if outcome.value(0, 0) == Some("t") {
            return Err(EngineError::new(
                ErrorCode::NotAdoptable,
                format!(
                    "{} has migrated {name} here ({history_schema}.{table}), and nobody has adopted that",
                    folder.layout
                ),
            )
            .cure(format!("run `profe migrate adopt --service {name}` in this environment first; nothing was run")));
        }
    }
    Ok(())
}
