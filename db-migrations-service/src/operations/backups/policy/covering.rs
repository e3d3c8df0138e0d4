//! Which backups show what was there before migrations were applied.

use std::collections::{BTreeMap, HashMap};

use migration_engine::plan::CoveringBackup;
use migration_engine::{MigrationId, Plan};
use postgres_link::tokio_postgres::types::Type;
use uuid::Uuid;

use crate::operations::{OperationError, Operations};

/// The command that takes the schemas of a backup back to what it has.
pub(crate) fn restore_command(backup_id: &str) -> String {
    format!("profe backup restore {backup_id} --in-place")
}

impl Operations {
    /// The backups of the runs that have applied what `plan` takes back, in its order. It is an offer: where the master database
    /// or the history cannot be read, there is none.
    pub(in crate::operations) async fn offers(&self, environment: &str, plan: &Plan) -> Vec<CoveringBackup> {
        match self.read_offers(environment, plan).await {
            Ok(offers) => offers,
            Err(error) => {
                tracing::warn!(%error, "the backups of before what is taken back cannot be named");
                Vec::new()
            }
        }
    }

    async fn read_offers(&self, environment: &str, plan: &Plan) -> Result<Vec<CoveringBackup>, OperationError> {
        // Without a session on the target where there is nothing to look for.
        if plan.migrations.is_empty() || !self.master().has_backups_of_runs(environment).await? {
            return Ok(Vec::new());
        }
        let wanted: Vec<String> = plan.migrations.iter().map(|planned| planned.migration.to_string()).collect();
        let sql = "SELECT coalesce(jsonb_object_agg(schema_name || '/' || version, run_id), '{}') \
                   FROM migration_service.history \
                   WHERE rolled_back_at IS NULL AND schema_name || '/' || version = ANY ($1)";
        let inspection = self.inspect(Some(environment)).await?;
        let applied: BTreeMap<String, Uuid> = inspection.document(sql, &[(&wanted, Type::TEXT_ARRAY)]).await?;
        let runs: Vec<Uuid> = applied.values().copied().collect();
        let covered: HashMap<Uuid, String> = self.master().backups_of_runs(&runs).await?.into_iter().collect();
        let mut offers: Vec<CoveringBackup> = Vec::new();
        for planned in &plan.migrations {
            let id: &MigrationId = &planned.migration;
            let Some(backup) = applied.get(&id.to_string()).and_then(|run| covered.get(run)) else { continue };
            match offers.iter_mut().find(|offer| offer.backup_id == *backup) {
                Some(offer) => offer.migrations.push(id.clone()),
                None => offers.push(CoveringBackup {
                    backup_id: backup.clone(),
                    migrations: vec![id.clone()],
                    command: restore_command(backup),
                }),
            }
        }
        Ok(offers)
    }
}
