//! `POST /api/schemas/validate`

use web::Problem;

use crate::http::backup::not_available;

/// Compare schemas with what they should be
///
/// Not available yet.
#[utoipa::path(post, path = "/api/schemas/validate", tag = "schemas",
    responses((status = 501, description = "Not available yet", body = web::ProblemDocument, content_type = "application/problem+json")))]
pub(in crate::http) async fn validate_schemas() -> Problem {
    not_available("validation", "compare GET /api/schemas with your expectation")
}
