//! What can go wrong with a backup, each in one sentence that names the cure.

use embedded_postgres::NoTools;
use postgres_link::{BatchError, ConnectError};
use schema_catalog::ReadError;

use crate::archive::TableName;
use crate::keys::KeyError;
use crate::manifest::{BackupId, ManifestError, NotAnId};
use crate::program::ProgramError;
use crate::storage::StorageError;
use crate::stream::StreamError;
use crate::vault::MANIFEST;

/// What a program complains of where the server is at fault, and neither what it reads nor what it writes.
const ABOUT_THE_SERVER: [&str; 6] = [
    "No space left on device",
    "out of memory",
    "out of shared memory",
    "connection to server",
    "server closed the connection",
    "terminating connection",
];

/// Why a backup was not made, verified or restored. What was begun is taken back.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The database cannot be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The server refused a statement of ours.
    #[error("{doing} failed: {reason}")]
    Server {
        /// What was being done.
        doing: &'static str,
        /// What the server said.
        reason: String,
        /// Its code, where it gave one.
        sqlstate: Option<String>,
    },
    /// The catalog could not be read.
    #[error(transparent)]
    Catalog(#[from] ReadError),
    /// There is no `pg_dump` that fits.
    #[error(transparent)]
    Tools(#[from] NoTools),
    /// `pg_dump` or `pg_restore` failed.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The storage.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A stream broke.
    #[error("{part}: {source}")]
    Stream {
        /// Which part.
        part: String,
        /// Why.
        source: StreamError,
    },
    /// A manifest is not believed.
    #[error("backup {id}: {source}")]
    Manifest {
        /// Whose.
        id: BackupId,
        /// Why.
        source: ManifestError,
    },
    /// There is no such backup.
    #[error("there is no backup {0} here; `profe backup list` shows those there are")]
    Unknown(BackupId),
    /// It is no name of a backup.
    #[error(transparent)]
    NotAnId(#[from] NotAnId),
    /// A key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// It is encrypted, and none of the identities fits.
    #[error(
        "backup {id} is encrypted to {} and none of the configured identities is one of them; set MIGRATION_SERVICE_BACKUP_IDENTITY_FILE to the key's file",
        .recipients.join(", ")
    )]
    NoKey {
        /// Which backup.
        id: BackupId,
        /// To whom.
        recipients: Vec<String>,
    },
    /// A part is not what was stored.
    #[error("backup {id}: {what}; it cannot be restored")]
    Damaged {
        /// Which backup.
        id: BackupId,
        /// What is wrong.
        what: String,
    },
    /// The server is older than the one that the backup is from.
    #[error(
        "backup {id} is of PostgreSQL {backup}, and this server is {server}: a newer server's backup may not fit an older one; restore it on {backup} or newer"
    )]
    OlderServer {
        /// Which backup.
        id: BackupId,
        /// Its major version.
        backup: u32,
        /// The server's.
        server: u32,
    },
    /// What a newer `pg_dump` wrote an older `pg_restore` does not read.
    #[error("backup {id} was written by pg_dump {written}, which older programs do not read: {source}")]
    OlderTools {
        /// Which backup.
        id: BackupId,
        /// That one's major version.
        written: u32,
        /// What there is here.
        source: NoTools,
    },
    /// Roles were dropped since it was made.
    #[error(
        "backup {id} needs roles that this server does not have: {}; make a new one (`profe backup create`)",
        .roles.join(", ")
    )]
    MissingRoles {
        /// Which backup.
        id: BackupId,
        /// Their names.
        roles: Vec<String>,
    },
    /// The name of the new database is taken.
    #[error("there is a database {0:?} already; give another name with --into")]
    DatabaseExists(String),
    /// A migration or another restore holds the target.
    #[error("a migration or another restore is running on the database; try again when it is done")]
    Busy,
    /// Sessions use the tables, and did not end.
    #[error(
        "sessions that use the schemas did not end in time, so they were not swapped; nothing has changed: try again at a quieter moment"
    )]
    InUse,
    /// Rows elsewhere and the restored ones do not fit together.
    #[error(
        "the restore would break {0}; nothing has changed. Restore the other service to the same moment too, or remove the rows"
    )]
    WouldBreak(String),
    /// Objects of other schemas are bound to objects that would be swapped out.
    #[error(
        "backup {id} cannot be restored in place, since objects of other schemas are bound to its schemas: {}; restore a backup that covers those too, or into a new database",
        .bound.join("; ")
    )]
    Bound {
        /// Which backup.
        id: BackupId,
        /// Which objects.
        bound: Vec<String>,
    },
    /// It has what belongs to no schema that could be swapped.
    #[error(
        "backup {id} cannot be restored in place, since {what} lies in no schema that can be swapped; restore it into a new database"
    )]
    NotInPlace {
        /// Which backup.
        id: BackupId,
        /// What.
        what: String,
    },
    /// It has no such table.
    #[error("backup {id} does not have the table {table}; name one that it has{}", likely(.nearest))]
    NoTable {
        /// Which backup.
        id: BackupId,
        /// Which table.
        table: TableName,
        /// Those that it has with the most similar names, the nearest first.
        nearest: Vec<String>,
    },
    /// A table cannot be restored beside one that is not there.
    #[error("the database has no schema {schema:?} to restore the table into; restore the backup into a new database")]
    NoSchema {
        /// The schema.
        schema: String,
    },
    /// A name cannot be drawn.
    #[error("no random bytes are to be had for the backup's name: {0}")]
    Random(String),
    /// It was cancelled.
    #[error("cancelled; what was begun was taken back")]
    Cancelled,
}

/// Names to take instead.
fn likely(nearest: &[String]) -> String {
    if nearest.is_empty() { ", as schema.table".to_owned() } else { format!(": {}", nearest.join(", ")) }
}

impl VaultError {
    /// Whether the storage failed while the manifest was written, so that the backup may be there, whole, all the same.
    pub fn is_in_doubt(&self) -> bool {
        matches!(
            self,
            Self::Storage(
                StorageError::Unreachable { action, .. }
                | StorageError::Denied { action, .. }
                | StorageError::Failed { action, .. }
            ) if action.ends_with(MANIFEST)
        )
    }

    pub(crate) fn server(error: &BatchError, doing: &'static str) -> Self {
        Self::Server { doing, reason: error.to_string(), sqlstate: error.sqlstate().map(str::to_owned) }
    }

    /// Whether it says that a backup cannot be restored, and not that something else is away.
    pub(crate) fn is_about_the_backup(&self) -> bool {
        match self {
            Self::Damaged { .. } | Self::Stream { .. } => true,
            Self::Program(ProgramError::Failed { complaint, .. }) => {
                !ABOUT_THE_SERVER.iter().any(|word| complaint.contains(word))
            }
            Self::Storage(error) => {
                matches!(error, StorageError::NotFound { .. } | StorageError::Damaged { .. } | StorageError::Name(_))
            }
            _ => false,
        }
    }

    pub(crate) fn stream(part: &str) -> impl Fn(StreamError) -> Self {
        move |source| Self::Stream { part: part.to_owned(), source }
    }
}
