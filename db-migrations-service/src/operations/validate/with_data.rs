//! Rehearsing on the rows of a backup: which one, and where it is restored meanwhile.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use backup_vault::{BackupId, Manifest, Rehearsal, Vault};
use migration_engine::proof::ValidateRequest;
use migration_engine::proof::data::{DataSource, Filled};
use migration_engine::proof::report::{Gate, Report};
use migration_engine::request::RunContext;
use migration_engine::{Engine, Plan};

use super::{ValidateOrder, request};
use crate::operations::runs::joined;
use crate::operations::{
    BackupFilter, BackupStatus, Caller, OperationError, Operations, RefusalCode, VerificationStatus,
};

/// The backup to rehearse on.
struct Chosen {
    id: BackupId,
    verified: bool,
}

impl Operations {
    /// As [`validate`](Self::validate), on the rows of a backup. It is restored into a database of its own, which is
    /// dropped whatever comes out.
    pub(super) async fn validate_with_data(
        &self,
        engine: Engine,
        order: ValidateOrder,
        caller: &Caller,
        context: RunContext,
    ) -> Result<Report, OperationError> {
        check(&order)?;
        let target = self.target(order.environment.as_deref())?;
        let request = request(order);
        let schemas = match engine.plan(&request.scope, false).await {
            Ok(plan) if !plan.migrations.is_empty() => {
                let mut needed = self.rows_needed(&plan)?;
                // What another database has is not looked at.
                needed.retain(|schema| engine.project().catalogue.elsewhere(schema).is_none());
                needed
            }
            // There is nothing to walk, or what is wrong is said by the report: neither needs rows.
            _ => return Ok(engine.validate(&request, &context).await?),
        };
        let vault = self.vault()?;
        let chosen = self.choose(&vault, &target.environment, &schemas, caller).await?;
        tracing::info!(backup = %chosen.id, environment = target.environment, actor = context.actor, "a backup is restored to rehearse on");
        let (server, progress) = (&target.connect, Arc::default());
        let restored = vault.restore_for_rehearsal(&chosen.id, server, &progress, &context.cancel).await;
        let rehearsal = restored.map_err(|error| self.refused(error))?;
        let walked = walk(engine, request, filled(&rehearsal, chosen.verified), context).await;
        rehearsal.strike().await;
        walked
    }

    /// The schemas whose rows decide how the plan's migrations end: their services' own, and those that they reference.
    fn rows_needed(&self, plan: &Plan) -> Result<BTreeSet<String>, OperationError> {
        let mut schemas = BTreeSet::new();
        for planned in &plan.migrations {
            let service = self.catalogue().service(&planned.service)?;
            schemas.extend(service.schemas.iter().chain(&service.references).cloned());
        }
        Ok(schemas)
    }

    /// The newest verified backup of the environment that has the rows of `schemas`, or else the newest one that has.
    async fn choose(
        &self,
        vault: &Vault,
        environment: &str,
        schemas: &BTreeSet<String>,
        caller: &Caller,
    ) -> Result<Chosen, OperationError> {
        let filter = BackupFilter {
            environments: Some(vec![environment.to_owned()]),
            status: Some(BackupStatus::Ready),
            limit: usize::MAX,
            ..BackupFilter::default()
        };
        let (mut views, _) = self.backups(&filter, caller).await?;
        let is_verified = |status| status == VerificationStatus::Verified;
        // Their names tell the time to the second only.
        views.sort_by_key(|view| (!is_verified(view.verification.status), Reverse(view.created_at)));
        for view in views {
            let Ok(id) = view.backup_id.parse() else { continue };
            let manifest = vault.manifest(&id).await.map_err(|error| self.refused(error))?;
            if schemas.iter().all(|schema| manifest.scope.has(schema)) {
                return Ok(Chosen { id, verified: is_verified(view.verification.status) });
            }
        }
        let names: Vec<&str> = schemas.iter().map(String::as_str).collect();
        let message = format!(
            "there is no backup of {environment} to rehearse on that has the rows of {}{}",
            names.join(", "),
            if caller.services.is_some() { " and that the token may use" } else { "" }
        );
        Err(OperationError::refuse(RefusalCode::NoBackup, message).with_cure(format!(
            "make one with `profe backup create --environment {environment}`, or validate without data"
        )))
    }
}

fn check(order: &ValidateOrder) -> Result<(), OperationError> {
    let invalid =
        |message: &str, cure: &str| Err(OperationError::refuse(RefusalCode::InvalidRequest, message).with_cure(cure));
    if order.whole {
        return invalid(
            "the rows of a backup fit what is pending, and not all migrations from an empty database on",
            "ask for one of the two",
        );
    }
    if !order.gates.is_empty() && !order.gates.contains(&Gate::Rehearsed) {
        return invalid(
            "the rows of a backup are for the gate `rehearsed`, which is not among the gates asked for",
            "add it, or leave the rows out",
        );
    }
    Ok(())
}

/// A task of its own: where it breaks down, the rows must go all the same.
async fn walk(
    engine: Engine,
    request: ValidateRequest,
    filled: Filled,
    context: RunContext,
) -> Result<Report, OperationError> {
    let walk = async move { Ok(Box::pin(engine.validate_on(&filled, &request, &context)).await?) };
    joined(tokio::spawn(walk)).await
}

fn filled(rehearsal: &Rehearsal<'_>, verified: bool) -> Filled {
    let manifest: &Manifest = rehearsal.manifest();
    let source =
        DataSource { backup: manifest.id.to_string(), taken_at: manifest.created_at, rows: manifest.rows(), verified };
    Filled { database: rehearsal.database().to_owned(), source }
}
