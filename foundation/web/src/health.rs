//! `/health` and `/ready`: for whoever starts, stops and balances services, so without credentials and without particulars.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use tokio::sync::watch;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::json::Json;
use crate::kinds;
use crate::problem::{Problem, ProblemDocument};

/// What has to be in place before a service counts as ready. Cheap to clone; whoever brings a part up reports it.
#[derive(Debug, Clone)]
pub struct Readiness(Arc<watch::Sender<BTreeMap<&'static str, bool>>>);

impl Readiness {
    /// Waits for these parts.
    pub fn expecting(parts: &[&'static str]) -> Self {
        Self(Arc::new(watch::Sender::new(parts.iter().map(|part| (*part, false)).collect())))
    }

    /// Reports that a part is in place, or no longer is.
    pub fn report(&self, part: &'static str, in_place: bool) {
        self.0.send_if_modified(|parts| parts.insert(part, in_place) != Some(in_place));
    }

    /// The parts that are not in place.
    pub fn missing(&self) -> Vec<&'static str> {
        self.0.borrow().iter().filter(|(_, in_place)| !**in_place).map(|(part, _)| *part).collect()
    }

    /// Waits until nothing is missing.
    pub async fn ready(&self) {
        // The sender is `self`'s own, so it cannot be gone.
        let _ = self.0.subscribe().wait_for(|parts| parts.values().all(|in_place| *in_place)).await;
    }
}

/// `/health` says that the process serves; `/ready` whether everything has started.
pub fn health_routes(readiness: Readiness) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(health)).routes(routes!(ready)).with_state(readiness)
}

/// A word for machines.
#[derive(Debug, Serialize, ToSchema)]
struct Condition {
    /// `ok` or `ready`.
    status: &'static str,
}

/// Whether the process serves
///
/// Says nothing about what it needs; see `/ready`.
#[utoipa::path(get, path = "/health", tag = "health", responses((status = 200, description = "It serves", body = Condition)))]
async fn health() -> Json<Condition> {
    Json(Condition { status: "ok" })
}

/// Whether everything has started
#[utoipa::path(get, path = "/ready", tag = "health", responses(
    (status = 200, description = "Everything has started", body = Condition),
    (status = 503, description = "Something is missing; `missing` names it", body = ProblemDocument, content_type = "application/problem+json"),
))]
async fn ready(State(readiness): State<Readiness>) -> Result<Json<Condition>, Problem> {
    let missing = readiness.missing();
    if missing.is_empty() {
        return Ok(Json(Condition { status: "ready" }));
    }
    Err(Problem::new(kinds::NOT_READY)
        .detail(format!("still missing: {}", missing.join(", ")))
        .cure("ask again in a moment; the service's log says what holds it up")
        .with("missing", missing))
}
