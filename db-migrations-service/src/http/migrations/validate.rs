//! `POST /api/migrations/validate`

use web::Problem;

use crate::http::backup::not_available;

/// Check migrations before they are run
///
/// Not available yet.
#[utoipa::path(post, path = "/api/migrations/validate", tag = "migrations",
    responses((status = 501, description = "Not available yet", body = web::ProblemDocument, content_type = "application/problem+json")))]
pub(in crate::http) async fn validate_migrations() -> Problem {
    not_available("validation", "look at GET /api/migrations/plan, or run with \"dryRun\": true")
}
