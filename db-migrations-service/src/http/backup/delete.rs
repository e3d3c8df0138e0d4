//! `DELETE /api/backup/{backupId}`

use web::Problem;

/// Delete a backup
///
/// Not available yet.
#[utoipa::path(delete, path = "/api/backup/{backupId}", tag = "backup", params(("backupId" = String, Path, description = "The backup's id")),
    responses((status = 501, description = "Not available yet", body = web::ProblemDocument, content_type = "application/problem+json")))]
pub(in crate::http) async fn delete_backup() -> Problem {
    super::backups()
}
