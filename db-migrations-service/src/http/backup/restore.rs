//! `POST /api/backup/restore/{backupId}`

use web::Problem;

/// Restore a backup
///
/// Not available yet.
#[utoipa::path(post, path = "/api/backup/restore/{backupId}", tag = "backup", params(("backupId" = String, Path, description = "The backup's id")),
    responses((status = 501, description = "Not available yet", body = web::ProblemDocument, content_type = "application/problem+json")))]
pub(in crate::http) async fn restore_backup() -> Problem {
    super::backups()
}
