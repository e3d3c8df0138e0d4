//! `POST /api/schemas/restore`

use web::Problem;

use crate::http::backup::not_available;

/// Restore schemas
///
/// Not available yet.
#[utoipa::path(post, path = "/api/schemas/restore", tag = "schemas",
    responses((status = 501, description = "Not available yet", body = web::ProblemDocument, content_type = "application/problem+json")))]
pub(in crate::http) async fn restore_schemas() -> Problem {
    not_available("backups", "use pg_dump and pg_restore until then")
}
