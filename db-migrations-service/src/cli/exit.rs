//! Exit codes: a stable interface for CI.

use migration_engine::ErrorCode;

use crate::operations::RefusalCode;

/// The codes, for `--help`.
pub const HELP: &str = "\
Exit codes:
    0  it worked
    1  it failed (a migration, a file of the project, the program itself); `migrate validate`, `backup verify`: it did not pass;
       `db diff`: the live schemas are not what their history makes
    2  wrong use: arguments, settings, unknown names
    3  something is pending (only `migrate plan`, and `migrate status --exit-code`)
    4  busy: another runner holds the target, or a lock was not to be had; try again
    5  refused, nothing was changed: edited files, dependents, a protected environment …
    6  the database, or the storage of backups, cannot be reached or used
  130  cancelled with Ctrl-C";

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It worked.
    Ok = 0,
    /// It failed.
    Failed = 1,
    /// Wrong use.
    Usage = 2,
    /// Something is pending.
    Pending = 3,
    /// Somebody else holds what is needed.
    Busy = 4,
    /// Refused; nothing was changed.
    Refused = 5,
    /// No database.
    Unavailable = 6,
    /// Ctrl-C.
    Cancelled = 130,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<ErrorCode> for Exit {
    fn from(code: ErrorCode) -> Self {
        use ErrorCode as E;
        match code {
            E::UnknownService | E::UnknownEnvironment | E::UnknownMigration => Self::Usage,
            E::Busy | E::LockTimeout | E::BlocksOthers | E::BackfillStalled => Self::Busy,
            E::Edited
            | E::HalfRolledBack
            | E::HasDependents
            | E::CrossesDatabases
            | E::Irreversible
            | E::Protected
            | E::GateFailed
            | E::BackupOutdated
            | E::BackupRequired
            | E::NotAdoptable
            | E::SchemaDiffers
            | E::ContractHeld
            | E::TargetTooNew
            | E::InsufficientPrivilege => Self::Refused,
            E::DatabaseUnavailable
            | E::AuthenticationFailed
            | E::TlsFailed
            | E::ServerTooOld
            | E::TransactionPooler
            | E::ReadOnly => Self::Unavailable,
            E::Cancelled => Self::Cancelled,
            _ => Self::Failed,
        }
    }
}

impl From<RefusalCode> for Exit {
    fn from(code: RefusalCode) -> Self {
        match code {
            RefusalCode::ConfirmationRequired
            | RefusalCode::ServiceNotAllowed
            | RefusalCode::TooFewApplied
            | RefusalCode::DatabaseNotCreated
            | RefusalCode::BackupTooNew
            | RefusalCode::NoBackup
            | RefusalCode::DatabaseExists
            | RefusalCode::RestoreWouldBreak
            | RefusalCode::RestoreBound
            | RefusalCode::RestoreNotInPlace
            | RefusalCode::EmptyFleet
            | RefusalCode::TokenNameTaken => Self::Refused,
            RefusalCode::FleetBusy
            | RefusalCode::BackupBusy
            | RefusalCode::BackupIsElsewhere
            | RefusalCode::SchemasInUse => Self::Busy,
            RefusalCode::BackupStorageUnavailable => Self::Unavailable,
            RefusalCode::BackupStorageFull
            | RefusalCode::BackupDamaged
            | RefusalCode::BackupKeyMissing
            | RefusalCode::BackupToolsMissing
            | RefusalCode::BackupFailed => Self::Failed,
            _ => Self::Usage,
        }
    }
}
