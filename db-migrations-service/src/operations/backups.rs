//! Backups: made, looked up, verified, restored, deleted.
//!
//! What there is the storage says. The master database adds who asked for it, what was attempted, and what a verification
//! has shown; a backup that it knows nothing of is listed as found in the storage, and can be used like any other.

mod carry;
mod delete;
mod find;
mod job;
mod job_view;
mod left;
mod locked_out;
mod make;
mod place;
mod policy;
mod refusal;
mod restore;
mod restore_live;
mod restore_view;
mod telling;
mod verify;
mod view;

pub use find::BackupFilter;
pub use job::BackupHandle;
pub(super) use job::BackupJobs;
pub use job_view::{BackupAction, JobStatus, JobView, UncheckedKey};
pub(crate) use left::MOST_TIMES as BACKUPS_GO_ON;
pub use make::{BackupOrder, BackupsBegun};
pub use place::BackupPlace;
pub(crate) use policy::restore_command;
pub(super) use policy::{Cover, Covering};
pub use policy::{Fired, PruneOrder, PruneView, PrunedBackup};
pub use restore::RestoreOrder;
pub use restore_view::{RestoreStage, RestoreView, RestoredTableView};
pub use view::{BackupStatus, BackupView, VerificationStatus};
