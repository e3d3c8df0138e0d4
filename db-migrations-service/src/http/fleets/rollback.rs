//! `POST /api/fleets/{fleet}/rollback`

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{JsonOrNothing, Path, Problem};

use super::run::{Pace, answer};
use crate::http::auth::{IsAdmin, Who};
use crate::http::migrations::migration;
use crate::http::migrations::rollback::passed_by;
use crate::http::migrations::run::{OverrideBody, Overrides};
use crate::http::{Api, codes};
use crate::operations::{FleetAim, FleetOrder, FleetRunView};

/// How far to take a fleet back: exactly one of `steps`, `to` and `migration`; the rest as for a run.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(in crate::http) struct FleetRollbackBody {
    /// The newest so many of each database.
    #[schema(minimum = 1)]
    steps: Option<usize>,
    /// All that are newer than this version; `"0"` takes back everything.
    to: Option<String>,
    /// Exactly this one, `<schema>/<version>`.
    migration: Option<String>,
    /// In what portions, where that is not as the catalogue says.
    pace: Pace,
    /// The fleet's name once more, where its environment is protected.
    confirm: Option<String>,
    /// Answer when it is over instead of at once.
    wait: bool,
    /// Only the gates `backup` and `contract`. Needs the scope `admin`.
    #[serde(rename = "override")]
    overrides: Vec<OverrideBody>,
}

/// Take a fleet back
///
/// In waves, as a run. A database where there is nothing to take back is skipped.
#[utoipa::path(post, path = "/api/fleets/{fleet}/rollback", tag = "fleets", request_body = FleetRollbackBody,
    params(("fleet" = String, Path, description = "A fleet of the catalogue")),
    responses((status = 202, description = "It is under way", body = FleetRunView),
              (status = 200, description = "It is over", body = FleetRunView)))]
pub(in crate::http) async fn roll_back_fleet(
    State(api): State<Api>,
    Who(caller): Who,
    admin: IsAdmin,
    Path(fleet): Path<String>,
    JsonOrNothing(body): JsonOrNothing<FleetRollbackBody>,
) -> Result<Response, Problem> {
    let aim = how_far(&api, &body)?;
    let Overrides { no_backup, despite_releases, .. } = passed_by(body.overrides, admin)?;
    let order = FleetOrder { confirm: body.confirm, no_backup, despite_releases, ..body.pace.of(&fleet, aim)? };
    let handle = api.operations.start_fleet_run(order, &caller).await?;
    answer(&api, &handle, body.wait, &caller).await
}

fn how_far(api: &Api, body: &FleetRollbackBody) -> Result<FleetAim, Problem> {
    match (body.steps, &body.to, &body.migration) {
        (Some(steps), None, None) if steps > 0 => Ok(FleetAim::Steps(steps)),
        (None, Some(version), None) => version.parse().map(FleetAim::Version).map_err(|error| {
            Problem::new(codes::INVALID_REQUEST)
                .detail(format!("{error}"))
                .cure("give the version that shall be the newest one, or \"0\" for none")
                .with("member", "to")
        }),
        (None, None, Some(text)) => Ok(FleetAim::Migration(migration(api, None, "migration", text)?)),
        _ => Err(Problem::new(codes::INVALID_REQUEST)
            .detail("it says not, or in several ways, how far to roll back")
            .cure("give one of: steps, to, migration – for the newest migration {\"steps\": 1}")),
    }
}
