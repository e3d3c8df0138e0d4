//! `GET /api/backup/list`

use web::Problem;

/// List backups
///
/// Not available yet.
#[utoipa::path(get, path = "/api/backup/list", tag = "backup",
    responses((status = 501, description = "Not available yet", body = web::ProblemDocument, content_type = "application/problem+json")))]
pub(in crate::http) async fn list_backups() -> Problem {
    super::backups()
}
