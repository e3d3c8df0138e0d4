//! `GET /api/compatibility`

use std::time::Duration;

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use web::{Json, Problem, Query, kinds};

use crate::http::Api;
use crate::http::auth::Who;
use crate::operations::{Compatibility, CompatibilityOrder};

/// Gateways give up on an answer after a minute.
const LONGEST_WAIT_S: u32 = 50;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(in crate::http) struct CompatibilityQuery {
    /// The service that asks.
    #[param(example = "plans-service")]
    service: String,
    /// An environment of the catalogue. Default: the default environment.
    environment: Option<String>,
    /// Its release. What it needs stands in the catalogue where `needs` and `tolerates` do not say it.
    #[param(example = "2.4.1")]
    release: Option<String>,
    /// Of each schema the migration that must be applied, with all before it; separated by commas.
    #[param(example = "plans/20260901100000,auth/20260901100000")]
    needs: Option<String>,
    /// Of each schema the newest migration that it works with; separated by commas.
    tolerates: Option<String>,
    /// While the verdict is `wait`, answer only after so many seconds, 0 to 50, or as soon as it is another. Default: 0.
    #[param(minimum = 0, maximum = 50)]
    wait: Option<u32>,
}

/// Whether a release fits
///
/// `compatible`: all that it needs is applied, nothing is newer than it tolerates, and nothing that it needs was taken away
/// by a contract. `wait`: it will be when what is pending is applied. `incompatible`: waiting does not change it; `reason` and
/// `cure` say why and what does. A release that does not fit is an answer, not a problem.
#[utoipa::path(get, path = "/api/compatibility", tag = "services", params(CompatibilityQuery),
    responses((status = 200, description = "The verdict", body = Compatibility)))]
pub(in crate::http) async fn get_compatibility(
    State(api): State<Api>,
    Who(caller): Who,
    Query(query): Query<CompatibilityQuery>,
) -> Result<Json<Compatibility>, Problem> {
    let wait_s = query.wait.unwrap_or(0);
    if wait_s > LONGEST_WAIT_S {
        return Err(Problem::new(kinds::INVALID_QUERY)
            .detail(format!("the parameter \"wait\" is {wait_s}, expected 0 to {LONGEST_WAIT_S}"))
            .cure("wait for less, and ask again")
            .with("parameter", "wait"));
    }
    let needs = super::needs(&super::parts(query.needs.as_deref()), &super::parts(query.tolerates.as_deref()))?;
    let order =
        CompatibilityOrder { environment: query.environment, service: query.service, release: query.release, needs };
    let longest = Duration::from_secs(wait_s.into());
    Ok(Json(Box::pin(api.operations.compatibility(&order, longest, &caller, &api.shutdown)).await?))
}
