//! The gateway's own pages. On the public port they tell how it is and how the services are, without addresses; numbers stand on a
//! port of their own.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::CONTENT_TYPE;
use serde_json::json;
use web::{Problem, kinds};

use crate::core::Core;

/// The page at this path, where it is one of the gateway's.
pub(crate) fn page(core: &Core, path: &str) -> Option<Result<Response, Problem>> {
    match path {
        "/health" | "/api/health" | "/api/v1/health" => Some(Ok(axum::Json(json!({ "status": "ok" })).into_response())),
        "/ready" => Some(ready(core)),
        "/api/status" | "/api/v1/status" => Some(Ok(status(core))),
        _ => None,
    }
}

fn ready(core: &Core) -> Result<Response, Problem> {
    match core.missing() {
        None => Ok(axum::Json(json!({ "status": "ready" })).into_response()),
        Some(why) => Err(Problem::new(kinds::NOT_READY)
            .detail(why)
            .cure("ask again in a moment; the gateway's log says what holds it up")),
    }
}

fn status(core: &Core) -> Response {
    let routing = core.routing();
    let services = routing.upstreams.iter().map(|(name, upstream)| {
        let standing = upstream.copies().standing();
        let status = match standing.usable {
            0 => "down",
            usable if usable < standing.copies => "degraded",
            _ => "up",
        };
        (status, json!({ "name": name, "status": status, "copies": standing.copies, "usable": standing.usable }))
    });
    let services: Vec<_> = services.collect();
    let all = |wanted: &str| services.iter().all(|(status, _)| *status == wanted);
    let overall = if all("up") {
        "up"
    } else if all("down") {
        "down"
    } else {
        "degraded"
    };
    let services: Vec<_> = services.into_iter().map(|(_, service)| service).collect();
    axum::Json(json!({ "status": overall, "services": services })).into_response()
}

/// For the port of its own.
pub(crate) fn private(core: Arc<Core>) -> Router {
    let metrics = async |State(core): State<Arc<Core>>| {
        ([(CONTENT_TYPE, "text/plain; version=0.0.4")], core.metrics.render(&core.routing()))
    };
    let ready = async |State(core): State<Arc<Core>>| ready(&core);
    Router::new().route("/metrics", get(metrics)).route("/ready", get(ready)).with_state(core)
}
