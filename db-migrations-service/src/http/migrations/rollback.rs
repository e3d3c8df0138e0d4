//! `POST /api/migrations/rollback`

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use migration_engine::request::RollbackTo;
use serde::Deserialize;
use std::time::Duration;
use utoipa::ToSchema;
use web::{JsonOrNothing, Language, Problem};

use crate::http::Api;
use crate::http::answer::{self, RunAnswer};
use crate::http::auth::{IsAdmin, Who};
use crate::http::codes;
use crate::operations::{Caller, RollbackOrder};

use super::run::{BACKUP, CONTRACT, OverrideBody, Overrides, overrides};

/// What to take back: exactly one of `steps`, `to` and `migration`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(in crate::http) struct RollbackBody {
    /// A service of the catalogue. Default: all.
    #[schema(example = "auth-service")]
    pub(in crate::http) service: Option<String>,
    /// An environment of the catalogue. Default: the default environment.
    environment: Option<String>,
    /// The newest so many.
    #[schema(minimum = 1)]
    steps: Option<usize>,
    /// All that are newer than this version; `"0"` takes back everything.
    to: Option<String>,
    /// Exactly this one, `<schema>/<version>`.
    migration: Option<String>,
    /// Only show the statements.
    dry_run: bool,
    /// Answer when it is done instead of at once.
    wait: bool,
    /// The environment's name once more, where it is protected.
    confirm: Option<String>,
    /// The gates `backup`, to go without the backup that the environment wants first, and `contract`, to take back what live
    /// releases need. Needs the scope `admin`.
    #[serde(rename = "override")]
    overrides: Vec<OverrideBody>,
}

/// Take an environment back
///
/// Refused, with the list, while something applied depends on it. A protected environment asks for its name in
/// `confirm`, and more `steps` than migrations are applied are refused. `Idempotency-Key` is honoured. With
/// `"wait": true` a failure is a problem, as for `POST /api/migrations/run`.
///
/// Where a live release (`GET /api/releases`) needs what would be taken back, it is refused with `contract_held`, and nothing is
/// taken back.
///
/// What it touches is backed up first, as before a run. `backups` names those of before what is taken back, with the
/// command that restores them.
#[utoipa::path(post, path = "/api/migrations/rollback", tag = "migrations", request_body = RollbackBody, responses(
    (status = 202, description = "It is under way", body = RunAnswer),
    (status = 200, description = "It is done, or there was nothing to do", body = RunAnswer),
))]
pub(in crate::http) async fn roll_back_migrations(
    State(api): State<Api>,
    Who(caller): Who,
    admin: IsAdmin,
    headers: HeaderMap,
    JsonOrNothing(body): JsonOrNothing<RollbackBody>,
) -> Result<Response, Problem> {
    start(&api, (&caller, admin), body, Language::of(&headers)).await
}

pub(in crate::http) async fn start(
    api: &Api,
    (caller, admin): (&Caller, IsAdmin),
    body: RollbackBody,
    language: Language,
) -> Result<Response, Problem> {
    let to = how_far(api, &body)?;
    let Overrides { no_backup, despite_releases, .. } = passed_by(body.overrides, admin)?;
    let order = RollbackOrder {
        environment: body.environment,
        service: body.service,
        to,
        dry_run: body.dry_run,
        confirm: body.confirm,
        wait_for_lock: Duration::ZERO,
        no_backup,
        despite_releases,
        continuation: None,
    };
    let runs = api.operations.start_rollbacks(order, caller).await?;
    Ok(answer::started(runs, body.wait, language).await)
}

/// A rollback goes through no gate of the engine.
pub(in crate::http) fn passed_by(bodies: Vec<OverrideBody>, admin: IsAdmin) -> Result<Overrides, Problem> {
    if !bodies.is_empty() {
        admin.check("passing by a gate")?;
    }
    if let Some(other) = bodies.iter().find(|body| body.gate != BACKUP && body.gate != CONTRACT) {
        let detail = format!("a rollback goes through no gate {:?}", other.gate);
        let problem = Problem::new(codes::INVALID_REQUEST).detail(detail).with("member", "override");
        return Err(problem.cure("leave it out; the gates of a rollback are \"backup\" and \"contract\""));
    }
    overrides(bodies)
}

fn how_far(api: &Api, body: &RollbackBody) -> Result<RollbackTo, Problem> {
    let invalid = |detail: String| Problem::new(codes::INVALID_REQUEST).detail(detail);
    match (body.steps, &body.to, &body.migration) {
        (None, None, None) => Err(invalid("it does not say how far to roll back".to_owned())
            .cure("give one of: steps, to, migration – for the newest migration {\"steps\": 1}")),
        (Some(0), None, None) => {
            Err(invalid("the member \"steps\" is 0, expected a whole number from 1 up".to_owned())
                .with("member", "steps")
                .cure("give 1 for the newest migration"))
        }
        (Some(steps), None, None) => Ok(RollbackTo::Steps(steps)),
        (None, Some(version), None) => version.parse().map(RollbackTo::Version).map_err(|error| {
            invalid(error.to_string())
                .with("member", "to")
                .cure("give the version that shall be the newest one, such as \"20260901100000\", or \"0\" for none")
        }),
        (None, None, Some(text)) => {
            Ok(RollbackTo::Migration(super::migration(api, body.service.as_deref(), "migration", text)?))
        }
        _ => Err(invalid("steps, to and migration exclude each other".to_owned()).cure("keep one of them")),
    }
}
