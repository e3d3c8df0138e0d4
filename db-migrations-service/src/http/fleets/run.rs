//! `POST /api/fleets/{fleet}/run`

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use migration_engine::catalogue::{Canary, FailureBudget};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use web::{Json, JsonOrNothing, Path, Problem};

use crate::http::Api;
use crate::http::auth::{IsAdmin, Who};
use crate::http::codes;
use crate::http::migrations::migration;
use crate::http::migrations::run::{OverrideBody, Overrides, overrides};
use crate::operations::{Caller, FleetAim, FleetHandle, FleetOrder, FleetRunView};

/// How to bring a fleet forward; what is left out is as the catalogue says.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(in crate::http) struct FleetRunBody {
    /// Stop after this migration, `<schema>/<version>`.
    to: Option<String>,
    /// In what portions, where that is not as the catalogue says.
    pace: Pace,
    /// Answer when it is over instead of at once.
    wait: bool,
    /// As for `POST /api/migrations/run`. Needs the scope `admin`.
    #[serde(rename = "override")]
    overrides: Vec<OverrideBody>,
}

/// In what portions.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(in crate::http) struct Pace {
    /// How many go first and must all succeed.
    #[schema(example = 5)]
    canary: Option<usize>,
    /// How many are brought forward between two looks at the failures.
    #[schema(minimum = 1, example = 100)]
    wave: Option<usize>,
    /// How many at once on one server.
    #[schema(minimum = 1, example = 4)]
    per_server: Option<usize>,
    /// How many may fail: a number, or a part of all such as `2%`.
    #[schema(example = "2%")]
    failure_budget: Option<String>,
}

impl Pace {
    pub(super) fn of(self, fleet: &str, aim: FleetAim) -> Result<FleetOrder, Problem> {
        for (member, count) in [("wave", self.wave), ("perServer", self.per_server)] {
            if count == Some(0) {
                return Err(Problem::new(codes::INVALID_REQUEST)
                    .detail(format!("the member {member:?} is 0, expected a whole number from 1 up"))
                    .cure("leave it out for what the catalogue says")
                    .with("member", member));
            }
        }
        let invalid = |why: String| {
            Problem::new(codes::INVALID_REQUEST)
                .detail(why)
                .cure("leave it out for what the catalogue says")
                .with("member", "failureBudget")
        };
        let failure_budget =
            self.failure_budget.map(|text| text.parse::<FailureBudget>()).transpose().map_err(invalid)?;
        let canary = self.canary.map(Canary::First);
        let (wave, per_server) = (self.wave, self.per_server);
        Ok(FleetOrder { canary, wave, per_server, failure_budget, ..FleetOrder::of(fleet, aim) })
    }
}

/// Bring a fleet forward
///
/// First those that the catalogue or `canary` names, all of which must succeed; then the others, so many at a time, bounded on
/// each server. It stops when more have failed than may. Each database is brought forward under its own lock, and has its own
/// history. Answers at once with the run; `Idempotency-Key` is honoured.
#[utoipa::path(post, path = "/api/fleets/{fleet}/run", tag = "fleets", request_body = FleetRunBody,
    params(("fleet" = String, Path, description = "A fleet of the catalogue")),
    responses((status = 202, description = "It is under way", body = FleetRunView),
              (status = 200, description = "It is over", body = FleetRunView)))]
pub(in crate::http) async fn run_fleet(
    State(api): State<Api>,
    Who(caller): Who,
    admin: IsAdmin,
    Path(fleet): Path<String>,
    JsonOrNothing(body): JsonOrNothing<FleetRunBody>,
) -> Result<Response, Problem> {
    if !body.overrides.is_empty() {
        admin.check("passing by a gate")?;
    }
    let to = body.to.as_deref().map(|text| migration(&api, None, "to", text)).transpose()?;
    let Overrides { gates, no_backup, despite_releases } = overrides(body.overrides)?;
    let order = body.pace.of(&fleet, FleetAim::Forward { to })?;
    let order = FleetOrder { overrides: gates, no_backup, despite_releases, ..order };
    let handle = api.operations.start_fleet_run(order, &caller).await?;
    answer(&api, &handle, body.wait, &caller).await
}

/// The run as it stands: 202 while it is under way.
pub(super) async fn answer(api: &Api, handle: &FleetHandle, wait: bool, caller: &Caller) -> Result<Response, Problem> {
    if wait {
        handle.finished().await;
    }
    let view = api.operations.fleet_run(handle.run(), caller).await?;
    let status = if view.state == "running" { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, Json(view)).into_response())
}
