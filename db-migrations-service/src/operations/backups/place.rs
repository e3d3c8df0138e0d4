//! Where backups are kept.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use backup_vault::storage::StorageError;
use backup_vault::{Keys, Storage, Variables, Vault};

use super::refusal::UNAVAILABLE;
use crate::operations::{OperationError, RefusalCode};
use crate::settings::Settings;

/// The variable that names it.
const VARIABLE: &str = "MIGRATION_SERVICE_BACKUP_STORAGE";

/// A storage that is opened when it is first needed, and the keys to what lies in it.
pub struct BackupPlace {
    url: Option<String>,
    /// Whether it is the folder beside the private cluster, since nothing names another place.
    is_beside: bool,
    keys: Keys,
    variables: Variables,
    vault: Mutex<Option<Vault>>,
}

impl BackupPlace {
    /// The storage of the settings, or the folder `beside` where they name none. `variables` looks variables of the environment
    /// up: the storage's credentials, and where PostgreSQL's programs are.
    pub fn new(settings: &Settings, beside: Option<PathBuf>, variables: Variables) -> Self {
        let named = settings.backup_storage.as_ref().map(|url| url.reveal().to_owned());
        let is_beside = named.is_none() && beside.is_some();
        let url = named.or_else(|| beside.map(|folder| folder.display().to_string()));
        Self { url, is_beside, keys: settings.backup_keys.clone(), variables, vault: Mutex::default() }
    }

    /// What names it; `None` where nothing does.
    pub(crate) fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// Whether backups lie beside the databases that they are of, on one disk.
    pub(crate) fn is_beside(&self) -> bool {
        self.is_beside
    }

    /// The keys.
    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Looks variables of the environment up.
    pub(crate) fn variables(&self) -> &Variables {
        &self.variables
    }

    /// Opens it.
    ///
    /// # Errors
    /// Nothing names it; its URL or its folder cannot be used.
    pub(crate) fn vault(&self) -> Result<Vault, OperationError> {
        let mut opened = self.vault.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(vault) = opened.as_ref() {
            return Ok(vault.clone());
        }
        let url = self.url().ok_or_else(unconfigured)?;
        let storage = Storage::open(url, &*self.variables).map_err(|error| unopened(url, &error))?;
        let vault = Vault::new(storage, self.keys.clone(), self.variables.clone());
        *opened = Some(vault.clone());
        Ok(vault)
    }
}

/// Whatever it is, nothing can be said of any backup.
fn unopened(url: &str, error: &StorageError) -> OperationError {
    let message = match error {
        StorageError::NotFound { .. } => format!("{url} is not there and cannot be made"),
        _ => error.to_string(),
    };
    OperationError::refuse(RefusalCode::BackupStorageUnavailable, message).with_cure(UNAVAILABLE)
}

pub(super) fn unconfigured() -> OperationError {
    OperationError::refuse(RefusalCode::BackupStorageUnconfigured, "nothing says where backups are kept")
        .with_cure(format!("set {VARIABLE} to a folder, or to s3://bucket/prefix"))
}
