//! Whether a release of a service and the schemas of an environment fit each other, which releases run, and what is held
//! because of them.

mod hold;
mod judge;
mod releases;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use migration_engine::catalogue::ReleaseNeeds;
use migration_engine::hold::contracts_of;
use migration_engine::status::{MigrationStatus, TargetStatus};
use migration_engine::{MigrationId, Project};
use serde::Serialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

pub use releases::{ReleaseOrder, ReleaseView};

use super::{Caller, OperationError, Operations, RefusalCode, RunFilter};
use judge::{Schema, Version};

/// Whoever waits looks again after so long, also where no event came.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// A target is asked once for all who ask within this and since the last event.
const FRESH: Duration = Duration::from_secs(2);

/// Whether a release fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It does.
    Compatible,
    /// It will, when what is pending is applied.
    Wait,
    /// It does not, and waiting does not change that.
    Incompatible,
}

impl Verdict {
    /// The word in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Compatible => "compatible",
            Self::Wait => "wait",
            Self::Incompatible => "incompatible",
        }
    }
}

/// A release to be judged.
#[derive(Debug, Clone, Default)]
pub struct CompatibilityOrder {
    /// On which environment; `None` is the default one.
    pub environment: Option<String>,
    /// Of which service.
    pub service: String,
    /// Which; needed where the catalogue is to say what it needs.
    pub release: Option<String>,
    /// What it needs; `None` is what the catalogue says.
    pub needs: Option<ReleaseNeeds>,
}

/// How one schema fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SchemaCompatibility {
    /// Which.
    #[schema(example = "plans")]
    pub schema: String,
    /// The migration that must be applied, and with it all before it.
    #[schema(example = "plans/20260901100000")]
    pub needs: Option<String>,
    /// The newest migration that the release works with.
    pub tolerates: Option<String>,
    /// The newest migration that is applied; null where there is none.
    pub at: Option<String>,
    /// Whether it fits.
    pub verdict: Verdict,
    /// Why it does not.
    pub reason: Option<String>,
    /// What to do.
    pub cure: Option<String>,
}

/// How a release fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Compatibility {
    /// On which environment.
    pub environment: String,
    /// Of which service.
    #[schema(example = "plans-service")]
    pub service: String,
    /// Which release, where it was said.
    pub release: Option<String>,
    /// All schemas together: the worst of them.
    pub verdict: Verdict,
    /// Why it does not fit.
    pub reason: Option<String>,
    /// What to do.
    pub cure: Option<String>,
    /// Schema by schema.
    pub schemas: Vec<SchemaCompatibility>,
}

/// Where targets stand, for all who wait for the same event.
#[derive(Debug, Default)]
pub(super) struct Looks(Mutex<HashMap<String, Arc<tokio::sync::Mutex<Option<Look>>>>>);

#[derive(Debug)]
struct Look {
    at: Instant,
    event: Option<i64>,
    status: Arc<TargetStatus>,
}

impl Operations {
    /// Whether a release fits an environment, waiting up to `longest` while it may come to.
    ///
    /// # Errors
    /// Unknown names, a service that the caller may not touch, a release of which nobody says what it needs, a database that
    /// is away.
    pub async fn compatibility(
        &self,
        order: &CompatibilityOrder,
        longest: Duration,
        caller: &Caller,
        shutdown: &CancellationToken,
    ) -> Result<Compatibility, OperationError> {
        caller.check(Some(&order.service))?;
        let environment = self.whole_environment(order.environment.as_deref())?;
        let needs = self.needs_of(&order.service, order.release.as_deref(), order.needs.as_ref())?;
        let until = Instant::now() + longest;
        let mut mark = self.hub().follow();
        loop {
            mark.borrow_and_update();
            let found = self.judge(&environment, order, &needs).await?;
            let left = until.saturating_duration_since(Instant::now());
            if found.verdict != Verdict::Wait || left.is_zero() || shutdown.is_cancelled() {
                return Ok(found);
            }
            let event = tokio::time::timeout(left.min(LOOK_AGAIN), mark.changed());
            // That the service ends is answered with what is known.
            let _ = shutdown.run_until_cancelled(event).await;
        }
    }

    /// The environment of that name, or the default one, whichever of its databases is named.
    fn whole_environment(&self, name: Option<&str>) -> Result<String, OperationError> {
        let entry = self.environment(name)?;
        Ok(self.catalogue().whole_of(&entry.environment).to_owned())
    }

    /// What a release needs: what it says itself, else what the catalogue says.
    fn needs_of(
        &self,
        service: &str,
        release: Option<&str>,
        declared: Option<&ReleaseNeeds>,
    ) -> Result<ReleaseNeeds, OperationError> {
        let entry = self.catalogue().service(service)?;
        if let Some(declared) = declared {
            if let Some(problem) = declared.problems(self.catalogue(), entry).into_iter().next() {
                return Err(OperationError::refuse(RefusalCode::InvalidRequest, problem)
                    .with_cure("name one migration for each schema that the service owns or references"));
            }
            return Ok(declared.clone());
        }
        release.and_then(|release| entry.release_needs(release)).cloned().ok_or_else(|| {
            let which = release.map_or_else(|| "no release".to_owned(), |release| format!("the release {release:?}"));
            OperationError::refuse(
                RefusalCode::InvalidRequest,
                format!(
                    "nothing says what {service} needs: {which} stands in the catalogue, and the request names nothing"
                ),
            )
            .with_cure(format!(
                "name what it needs, or write it into [services.{service}.releases] of config/services.toml"
            ))
        })
    }

    async fn judge(
        &self,
        environment: &str,
        order: &CompatibilityOrder,
        needs: &ReleaseNeeds,
    ) -> Result<Compatibility, OperationError> {
        let mut schemas = Vec::new();
        let mut home = environment.to_owned();
        for (schema, least, most) in by_schema(needs) {
            let owner = self.catalogue().owner_of(&schema).map(|(name, _)| name);
            home = self.home_name(Some(environment), owner)?;
            let engine = self.engine(Some(&home))?;
            let versions = versions(&*self.shared_status(&home).await?, &schema);
            let gone = match &least {
                Some(least) => contract_beyond(engine.project(), &versions, least)?,
                None => None,
            };
            schemas.push(judge::schema(&Schema { name: &schema, versions: &versions, gone }, least, most));
        }
        let worst = schemas.iter().max_by_key(|schema| schema.verdict).cloned();
        let verdict = worst.as_ref().map_or(Verdict::Compatible, |schema| schema.verdict);
        let mut reason = worst.as_ref().and_then(|schema| schema.reason.clone());
        if verdict == Verdict::Wait
            && let Some(run) = self.running(&home).await
            && let Some(reason) = &mut reason
        {
            *reason = format!("{reason}; the run {run} is under way");
        }
        Ok(Compatibility {
            environment: environment.to_owned(),
            service: order.service.clone(),
            release: order.release.clone(),
            verdict,
            reason,
            cure: worst.and_then(|schema| schema.cure),
            schemas,
        })
    }

    /// Where a target stands, asked once for all who ask at the same time.
    async fn shared_status(&self, environment: &str) -> Result<Arc<TargetStatus>, OperationError> {
        let slot = {
            let mut looks = self.0.looks.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(looks.entry(environment.to_owned()).or_default())
        };
        let mut slot = slot.lock().await;
        let event = self.hub().latest();
        if let Some(look) = slot.as_ref().filter(|look| look.event == event && look.at.elapsed() < FRESH) {
            return Ok(Arc::clone(&look.status));
        }
        let at = Instant::now();
        let target = self.target(Some(environment))?;
        let status = self.engine(Some(environment))?.status().await;
        let status = Arc::new(status.map_err(|error| OperationError::from(error).on(target))?);
        *slot = Some(Look { at, event, status: Arc::clone(&status) });
        Ok(status)
    }

    async fn running(&self, environment: &str) -> Option<uuid::Uuid> {
        let filter = RunFilter {
            environments: Some(vec![environment.to_owned()]),
            state: Some("running".to_owned()),
            limit: 1,
            ..RunFilter::default()
        };
        let (runs, _) = self.master().runs(&filter).await.ok()?;
        runs.first().map(|run| run.id)
    }
}

/// Each schema with the migration that it must have and the newest that it may have.
fn by_schema(needs: &ReleaseNeeds) -> Vec<(String, Option<MigrationId>, Option<MigrationId>)> {
    let mut schemas: Vec<&str> = Vec::new();
    for id in needs.needs.iter().chain(&needs.tolerates) {
        if !schemas.contains(&id.schema.as_str()) {
            schemas.push(&id.schema);
        }
    }
    let of = |ids: &[MigrationId], schema: &str| ids.iter().find(|id| id.schema == schema).cloned();
    schemas
        .into_iter()
        .map(|schema| (schema.to_owned(), of(&needs.needs, schema), of(&needs.tolerates, schema)))
        .collect()
}

fn versions(status: &TargetStatus, schema: &str) -> Vec<Version> {
    let all = status.services.iter().flat_map(|service| &service.migrations);
    let mut versions: Vec<Version> =
        all.filter(|migration| migration.migration.schema == schema).map(Version::from).collect();
    versions.sort_by_key(|version| version.id.version);
    versions
}

/// The applied contract that takes away what was before something newer than `least`.
fn contract_beyond(
    project: &Project,
    versions: &[Version],
    least: &MigrationId,
) -> Result<Option<MigrationId>, OperationError> {
    for version in versions.iter().filter(|v| v.is_applied() && v.id.version > least.version) {
        // Without its file nobody knows.
        let Some(migration) = project.migration(&version.id) else { continue };
        if contracts_of(project, migration)?.iter().any(|contract| contract.of.version > least.version) {
            return Ok(Some(version.id.clone()));
        }
    }
    Ok(None)
}

impl From<&MigrationStatus> for Version {
    fn from(status: &MigrationStatus) -> Self {
        Self {
            id: status.migration.clone(),
            name: status.name.clone(),
            state: status.state,
            error: status.error.as_ref().map(|error| error.message.clone()),
            // One that is applied has backfills only while it is taken back.
            is_filled: status.applied_at.is_none()
                && !status.backfills.is_empty()
                && status.backfills.iter().all(|backfill| backfill.is_filled),
        }
    }
}
