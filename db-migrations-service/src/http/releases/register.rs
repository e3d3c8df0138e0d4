//! `PUT /api/releases/{service}/{instance}`

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Json, Path, Problem};

use crate::http::Api;
use crate::http::auth::Who;
use crate::http::compatibility::needs;
use crate::operations::{ReleaseOrder, ReleaseView};

/// What a process says of itself.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(in crate::http) struct RegisterBody {
    /// An environment of the catalogue. Default: the default environment.
    environment: Option<String>,
    /// Which release it is.
    #[schema(required, example = "2.4.1")]
    release: String,
    /// Of each schema the migration that it needs. Where this and `tolerates` are empty, the catalogue says what the release
    /// needs.
    #[schema(example = json!(["plans/20260901100000"]))]
    needs: Vec<String>,
    /// Of each schema the newest migration that it works with.
    tolerates: Vec<String>,
    /// It is gone when it has been silent for so many seconds, 5 to 3600. Default: 60.
    #[schema(minimum = 5, maximum = 3600)]
    ttl_s: Option<u32>,
}

/// Say that a process of a service lives
///
/// It says so when it starts and again before its time to live is over, a third of it being a good measure.
#[utoipa::path(put, path = "/api/releases/{service}/{instance}", tag = "services", request_body = RegisterBody,
    params(("service" = String, Path, description = "A service of the catalogue"),
           ("instance" = String, Path, description = "What the process calls itself, such as the name of its pod")),
    responses((status = 200, description = "Its release, with all processes of it", body = ReleaseView)))]
pub(in crate::http) async fn register_release(
    State(api): State<Api>,
    Who(caller): Who,
    Path((service, instance)): Path<(String, String)>,
    Json(body): Json<RegisterBody>,
) -> Result<Json<ReleaseView>, Problem> {
    let order = ReleaseOrder {
        environment: body.environment,
        service,
        instance,
        release: body.release,
        needs: needs(&body.needs, &body.tolerates)?,
        ttl_s: body.ttl_s,
    };
    Ok(Json(api.operations.register_release(order, &caller).await?))
}
