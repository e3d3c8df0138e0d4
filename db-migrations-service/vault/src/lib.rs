//! Backups: dumped by PostgreSQL's own tools, compressed, encrypted, stored, verified, restored.
//!
//! A backup is a folder of a [`storage::Storage`]: parts, and a manifest that is written last. What has no manifest is no backup.
//! [`Vault`] makes one of a whole database or of some schemas, from one snapshot; *verified* means restored into a scratch database
//! and compared, definitions by their fingerprint and rows by their number and checksum.
//!
//! It knows no HTTP, no command line and no catalogue, keeps no record of its own, and decides nothing about when a backup is
//! made or deleted.

pub mod archive;
pub mod error;
pub mod keys;
pub mod manifest;
pub mod retention;
pub mod storage;

mod beside;
mod current;
mod in_place;
mod leftovers;
mod make;
mod plan;
mod program;
mod rehearse;
mod restore;
mod roles;
mod source;
mod stage;
mod stream;
mod tables;
mod unnamed;
mod vault;
mod verify;

pub use beside::sweep_databases;
pub use error::VaultError;
pub use in_place::{InPlace, InPlaceRestore, Swapped, sweep_schemas};
pub use keys::Keys;
pub use leftovers::Swept;
pub use make::MakeRequest;
pub use manifest::{BackupId, Manifest, Scope};
pub use rehearse::Rehearsal;
pub use restore::Restored;
pub use stage::{Stage, Stages};
pub use storage::Storage;
pub use stream::Progress;
pub use tables::{RestoredTable, RestoredTables, TablesRestore};
pub use vault::{Clock, Listed, Variables, Vault};
pub use verify::Verification;
