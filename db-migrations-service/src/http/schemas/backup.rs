//! `POST /api/schemas/backup`

use web::Problem;

use crate::http::backup::not_available;

/// Back up schemas
///
/// Not available yet.
#[utoipa::path(post, path = "/api/schemas/backup", tag = "schemas",
    responses((status = 501, description = "Not available yet", body = web::ProblemDocument, content_type = "application/problem+json")))]
pub(in crate::http) async fn back_up_schemas() -> Problem {
    not_available("backups", "use pg_dump and pg_restore until then")
}
