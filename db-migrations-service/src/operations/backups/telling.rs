//! What is done with backups, told to whoever listens.

use serde_json::{Value, json};

use super::job::{BackupHandle, Done, End, Subject};
use super::job_view::{BackupAction, ErrorView, is_cancelled};
use crate::master::events::NewEvent;
use crate::operations::Operations;

impl Operations {
    /// Tells that a job begins, or with its end how it ended: `backup_started`, `verification_finished` …
    pub(super) async fn tell_of_job(&self, job: &BackupHandle, end: Option<&End>) {
        let Subject { environment, services } = job.0.subject.clone();
        let what = match job.0.action {
            BackupAction::Create => "backup",
            BackupAction::Verify => "verification",
            BackupAction::Restore => "restore",
        };
        let how = match end {
            None => "started",
            Some(Ok(_)) => "finished",
            Some(Err(error)) if is_cancelled(error) => "cancelled",
            Some(Err(_)) => "failed",
        };
        let mut event = json!({
            "type": format!("{what}_{how}"),
            "backupId": job.id(),
            "services": services,
            "actor": job.0.actor,
        });
        if let Some(restoring) = &job.0.restoring {
            event["into"] = json!(restoring.record().database);
        }
        match end {
            Some(Err(error)) => event["error"] = json!(ErrorView::from(error)),
            Some(Ok(Done::Made)) => event["storedBytes"] = json!(job.record().and_then(|record| record.stored_bytes)),
            Some(Ok(Done::Verified)) => event["findings"] = job.record().map_or(Value::Null, |r| json!(r.findings)),
            Some(Ok(Done::Restored(_) | Done::InPlace)) | None => {}
        }
        let service = match services.as_slice() {
            [one] => Some(one.clone()),
            _ => None,
        };
        self.tell(vec![NewEvent { at: self.master().now(), environment, service, event }]).await;
    }
}
