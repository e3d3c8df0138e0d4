//! `POST /api/migrations/run`

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use migration_engine::proof::Override;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;
use web::{JsonOrNothing, Language, Problem};

use crate::http::Api;
use crate::http::answer::{self, RunAnswer};
use crate::http::auth::{IsAdmin, Who};
use crate::operations::{Caller, OperationError, RunOrder, parse_gate};

/// What to bring forward.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(in crate::http) struct RunBody {
    /// A service of the catalogue. Default: all.
    #[schema(example = "auth-service")]
    pub(in crate::http) service: Option<String>,
    /// An environment of the catalogue. Default: the default environment.
    #[schema(example = "production")]
    environment: Option<String>,
    /// Execute and roll back, leaving the target as it was.
    dry_run: bool,
    /// Stop after this migration, `<schema>/<version>`.
    to: Option<String>,
    /// Answer when it is done instead of at once.
    wait: bool,
    /// Gates that this run passes by although the environment requires them. `backup` is among them: the run goes without the
    /// backup that the environment wants first; and `contract`: it takes away what live releases still use. Needs the scope
    /// `admin`.
    #[serde(rename = "override")]
    overrides: Vec<OverrideBody>,
}

/// A gate to pass by.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(in crate::http) struct OverrideBody {
    /// `parses`, `stays-home`, `breaks-no-neighbour`, `hazards`, `rehearsed`, `backup` or `contract`.
    #[schema(example = "hazards")]
    pub(super) gate: String,
    /// Why; it is kept with the target.
    #[schema(example = "the table is written to at night only")]
    pub(super) reason: String,
}

/// Bring an environment forward
///
/// Answers at once with the run's id; with `"wait": true` when it is done. `Idempotency-Key` is honoured. For whoever
/// waits, a run that failed is a problem with its error's code and status (422 where PostgreSQL refused a migration)
/// and, beside the place of the error, the run itself in `migrationId` and `run`.
///
/// Where the environment requires gates, what is pending goes through them first; one that does not hold ends the run
/// with `gate_failed` and all `findings`, and nothing is applied.
///
/// Where the environment says so, what the run touches is backed up first, and verified; `backupId` names that backup. A
/// backup that is not had refuses the run with `backup_required`, and nothing is applied.
///
/// A migration with the header `-- contract-of: <schema>/<version>` takes away what that migration replaced. While a live
/// release (`GET /api/releases`) still uses it, the run is refused with `contract_held`, and nothing is applied.
#[utoipa::path(post, path = "/api/migrations/run", tag = "migrations", request_body = RunBody, responses(
    (status = 202, description = "It is under way", body = RunAnswer),
    (status = 200, description = "It is done, or there was nothing to do", body = RunAnswer),
))]
pub(in crate::http) async fn run_migrations(
    State(api): State<Api>,
    Who(caller): Who,
    admin: IsAdmin,
    headers: HeaderMap,
    JsonOrNothing(body): JsonOrNothing<RunBody>,
) -> Result<Response, Problem> {
    start(&api, (&caller, admin), body, Language::of(&headers)).await
}

pub(in crate::http) async fn start(
    api: &Api,
    (caller, admin): (&Caller, IsAdmin),
    body: RunBody,
    language: Language,
) -> Result<Response, Problem> {
    if !body.overrides.is_empty() {
        admin.check("passing by a gate")?;
    }
    let to = body.to.as_deref().map(|text| super::migration(api, body.service.as_deref(), "to", text)).transpose()?;
    let Overrides { gates, no_backup, despite_releases } = overrides(body.overrides)?;
    let order = RunOrder {
        environment: body.environment,
        service: body.service,
        to,
        dry_run: body.dry_run,
        wait_for_lock: Duration::ZERO,
        overrides: gates,
        no_backup,
        despite_releases,
        continuation: None,
    };
    let runs = api.operations.start_runs(order, caller).await?;
    Ok(answer::started(runs, body.wait, language).await)
}

/// The backup that comes before a run, as the gates of the engine are named.
pub(super) const BACKUP: &str = "backup";

/// What takes away something that live releases still use, likewise.
pub(super) const CONTRACT: &str = "contract";

/// What a run passes by.
pub(in crate::http) struct Overrides {
    /// Of the engine's gates.
    pub(in crate::http) gates: Vec<Override>,
    /// Why it goes without a backup.
    pub(in crate::http) no_backup: Option<String>,
    /// Why it takes away what live releases still use.
    pub(in crate::http) despite_releases: Option<String>,
}

pub(in crate::http) fn overrides(mut bodies: Vec<OverrideBody>) -> Result<Overrides, Problem> {
    let mut reason = |gate: &str| {
        let mut of = bodies.extract_if(.., |body| body.gate == gate).map(|body| body.reason);
        let first = of.next();
        of.for_each(drop);
        first
    };
    let (no_backup, despite_releases) = (reason(BACKUP), reason(CONTRACT));
    let read = |OverrideBody { gate, reason }| Ok(Override { gate: parse_gate(&gate)?, reason });
    let gates = bodies
        .into_iter()
        .map(read)
        .collect::<Result<_, OperationError>>()
        .map_err(|error| Problem::from(error).with("member", "override"))?;
    Ok(Overrides { gates, no_backup, despite_releases })
}
