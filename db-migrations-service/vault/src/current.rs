//! Whether a backup still shows the definitions of its database.

use postgres_link::ConnectOptions;

use crate::error::VaultError;
use crate::manifest::Manifest;
use crate::source::Source;
use crate::vault::Vault;

impl Vault {
    /// Whether the database of `connect` is the one that was backed up, and neither a migration nor anybody else has changed its
    /// schemas since. Of its rows it says nothing.
    ///
    /// # Errors
    /// A database that is away, or that cannot be read.
    pub async fn is_current(&self, manifest: &Manifest, connect: &ConnectOptions) -> Result<bool, VaultError> {
        let source = Source::open(connect, &manifest.scope).await?;
        let same = source.facts.origin == manifest.origin
            && source.facts.history == manifest.history
            && source.definitions.fingerprint().to_string() == manifest.fingerprint;
        source.conn.close().await;
        Ok(same)
    }
}
