//! From what stopped a backup to what an operation answers.

use backup_vault::VaultError;
use backup_vault::storage::StorageError;
use migration_engine::{EngineError, ErrorCode};
use postgres_link::sqlstate;

use crate::operations::{OperationError, RefusalCode};

/// Its code, its sentence, and what to do now.
pub(super) fn of_vault(error: VaultError) -> OperationError {
    use RefusalCode as Code;
    let text = error.to_string();
    let (code, cure) = match error {
        VaultError::Connect(error) => return error.into(),
        VaultError::Cancelled => return cancelled(),
        VaultError::Server { sqlstate: Some(state), .. } if state == sqlstate::INSUFFICIENT_PRIVILEGE => {
            let cure = "let the service connect as a user who may: `profe doctor` names what is missing";
            return EngineError::new(ErrorCode::InsufficientPrivilege, text).cure(cure).into();
        }
        // Somebody was faster with the same name.
        VaultError::Server { sqlstate: Some(state), .. } if state == sqlstate::DUPLICATE_DATABASE => {
            let text = "there is a database of that name by now; nothing was restored";
            return OperationError::refuse(Code::DatabaseExists, text).with_cure("give another name with --into");
        }
        VaultError::Storage(error) => of_storage(&error),
        VaultError::Unknown(_) | VaultError::NotAnId(_) => {
            return split(Code::UnknownBackup, &text, "list the backups to find its id");
        }
        VaultError::NoKey { .. } | VaultError::Key(_) => {
            return split(
                Code::BackupKeyMissing,
                &text,
                "set MIGRATION_SERVICE_BACKUP_IDENTITY_FILE to the key's file",
            );
        }
        VaultError::Tools(_) | VaultError::OlderTools { .. } => {
            return split(Code::BackupToolsMissing, &text, "install PostgreSQL's client programs");
        }
        VaultError::OlderServer { .. } => return split(Code::BackupTooNew, &text, "restore it on a newer server"),
        VaultError::DatabaseExists(_) => return split(Code::DatabaseExists, &text, "name another database"),
        VaultError::Manifest { .. } | VaultError::Damaged { .. } => (Code::BackupDamaged, DAMAGED),
        VaultError::Server { .. } | VaultError::Catalog(_) | VaultError::Program(_) | VaultError::Stream { .. } => {
            (Code::BackupFailed, "see what PostgreSQL says, and try again; nothing of it stays")
        }
        VaultError::Busy => {
            let text = "a migration or another restore is running on the database";
            return EngineError::new(ErrorCode::Busy, text).cure("try again when it is done").into();
        }
        VaultError::InUse => return split(Code::SchemasInUse, &text, "try again at a quieter moment"),
        VaultError::WouldBreak(_) => {
            return split(Code::RestoreWouldBreak, &text, "remove the rows, or restore the other service too");
        }
        VaultError::Bound { .. } => return split(Code::RestoreBound, &text, INTO_NEW),
        VaultError::NotInPlace { .. } | VaultError::NoSchema { .. } => {
            return split(Code::RestoreNotInPlace, &text, INTO_NEW);
        }
        VaultError::NoTable { .. } => return split(Code::UnknownTable, &text, "name one that it has, as schema.table"),
        _ => return split(Code::BackupFailed, &text, "try again; nothing of it stays"),
    };
    OperationError::refuse(code, text).with_cure(cure)
}

/// What to do where the live database cannot take it.
const INTO_NEW: &str = "restore it into a new database";

/// What to do about a backup that cannot be restored.
pub(super) const DAMAGED: &str = "restore another backup, and make a new one; this one can be deleted";

/// What to do about a storage that cannot be used.
pub(super) const UNAVAILABLE: &str =
    "check MIGRATION_SERVICE_BACKUP_STORAGE and its credentials; `profe doctor` tries it";

fn of_storage(error: &StorageError) -> (RefusalCode, &'static str) {
    match error {
        StorageError::NotFound { what, .. } if what.is_empty() => (RefusalCode::BackupStorageUnavailable, UNAVAILABLE),
        StorageError::NotFound { .. } | StorageError::Damaged { .. } => (RefusalCode::BackupDamaged, DAMAGED),
        StorageError::Full { .. } => (RefusalCode::BackupStorageFull, "make room, or raise the storage's limit"),
        _ => (RefusalCode::BackupStorageUnavailable, UNAVAILABLE),
    }
}

/// The cure stands after the last semicolon, where the sentence has one.
fn split(code: RefusalCode, text: &str, usual: &str) -> OperationError {
    let (message, cure) = text.rsplit_once("; ").unwrap_or((text, usual));
    OperationError::refuse(code, message).with_cure(cure)
}

pub(super) fn cancelled() -> OperationError {
    EngineError::new(ErrorCode::Cancelled, "cancelled; what was begun was taken back")
        .cure("ask for it again when it is wanted")
        .into()
}
