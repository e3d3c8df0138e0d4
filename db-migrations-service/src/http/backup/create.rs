//! `POST /api/backup/create`

use web::Problem;

/// Make a backup
///
/// Not available yet.
#[utoipa::path(post, path = "/api/backup/create", tag = "backup",
    responses((status = 501, description = "Not available yet", body = web::ProblemDocument, content_type = "application/problem+json")))]
pub(in crate::http) async fn create_backup() -> Problem {
    super::backups()
}
