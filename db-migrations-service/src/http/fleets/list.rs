//! `GET /api/fleets`

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use web::Json;

use crate::http::Api;
use crate::http::auth::Who;
use crate::operations::FleetView;

/// The fleets.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct FleetsAnswer {
    /// In the catalogue's order.
    fleets: Vec<FleetView>,
}

/// Which fleets there are
///
/// Of the services that the token is for. Asks no database.
#[utoipa::path(get, path = "/api/fleets", tag = "fleets",
    responses((status = 200, description = "The fleets of the catalogue", body = FleetsAnswer)))]
pub(in crate::http) async fn list_fleets(State(api): State<Api>, Who(caller): Who) -> Json<FleetsAnswer> {
    Json(FleetsAnswer { fleets: api.operations.fleets(&caller) })
}
