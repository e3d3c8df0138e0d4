//! Backups: made, looked up, verified, restored, deleted.
//!
//! What there is the storage says. The master database adds who asked for it, what was attempted, and what a verification
//! has shown; a backup that it knows nothing of is listed as found in the storage, and can be used like any other.

mod find;
mod job;
mod place;
mod refusal;
mod view;
mod work;

pub use find::BackupFilter;
pub use job::BackupHandle;
pub(super) use job::BackupJobs;
pub use place::BackupPlace;
pub use view::{BackupAction, BackupStatus, BackupView, JobStatus, JobView, UncheckedKey, VerificationStatus};
pub use work::{BackupOrder, RestoreOrder};
