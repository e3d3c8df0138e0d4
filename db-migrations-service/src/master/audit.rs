//! Where the chains of the targets' audits ended, time after time: what proves that a log was not rewritten as a whole.

use std::path::Path;
use std::sync::Arc;

use migration_engine::audit::AuditHead;
use postgres_link::tokio_postgres::types::Type;
use time::OffsetDateTime;

use super::anchor_file::{Anchor, AnchorFile, AnchorFileError};
use super::{Master, MasterError};

impl Master {
    /// Writes a head down. It replaces none, so that a log that was rewritten since does not get rid of the older ones.
    pub async fn keep_audit_head(&self, environment: &str, head: &AuditHead) -> Result<(), MasterError> {
        self.query(
            "INSERT INTO migration_service.audit_anchor (database, position, hash, environment) VALUES ($1, $2, $3, $4) \
             ON CONFLICT DO NOTHING",
            &[
                (&head.database, Type::TEXT),
                (&head.position, Type::INT8),
                (&head.hash, Type::TEXT),
                (&environment, Type::TEXT),
            ],
        )
        .await
        .map(drop)
    }

    /// Every head that was written down of an environment, whatever database it had.
    pub async fn audit_heads(&self, environment: &str) -> Result<Vec<AuditHead>, MasterError> {
        let rows = self
            .query(
                "SELECT database, position, hash FROM migration_service.audit_anchor WHERE environment = $1",
                &[(&environment, Type::TEXT)],
            )
            .await?;
        let head = |row: &postgres_link::tokio_postgres::Row| AuditHead {
            database: row.get(0),
            position: row.get(1),
            hash: row.get(2),
        };
        Ok(rows.iter().map(head).collect())
    }

    /// From now on heads are written into this file as well, and read from it. The first file that is named stays.
    ///
    /// # Errors
    /// No such folder, or one that may not be written to.
    pub fn anchor_in(&self, path: &Path) -> Result<(), AnchorFileError> {
        if self.0.anchor_file.get().is_none() {
            // Whoever was faster named the same.
            let _ = self.0.anchor_file.set(Arc::new(AnchorFile::open(path)?));
        }
        Ok(())
    }

    /// Writes a head into the file, where one is named.
    ///
    /// # Errors
    /// A disk that is full or gone.
    pub async fn anchor(&self, environment: &str, target: &str, head: &AuditHead) -> Result<(), AnchorFileError> {
        let anchor = Anchor {
            at: OffsetDateTime::now_utc(),
            target: target.to_owned(),
            environment: environment.to_owned(),
            head: head.clone(),
        };
        self.with_anchor_file(move |file| file.add(&anchor)).await
    }

    /// The heads in the file of an environment; none where no file is named.
    ///
    /// # Errors
    /// A file that cannot be read, a line that is no anchor.
    pub async fn anchored(&self, environment: &str) -> Result<Vec<AuditHead>, AnchorFileError> {
        let anchors = self.with_anchor_file(AnchorFile::anchors).await?;
        Ok(anchors.into_iter().filter(|a| a.environment == environment).map(|a| a.head).collect())
    }

    /// On a thread that may wait for a disk.
    async fn with_anchor_file<T: Default + Send + 'static>(
        &self,
        work: impl FnOnce(&AnchorFile) -> Result<T, AnchorFileError> + Send + 'static,
    ) -> Result<T, AnchorFileError> {
        let Some(file) = self.0.anchor_file.get().cloned() else { return Ok(T::default()) };
        let path = file.path().to_owned();
        tokio::task::spawn_blocking(move || work(&file))
            .await
            .unwrap_or_else(|error| Err(AnchorFileError::io(&path, "used", std::io::Error::other(error))))
    }
}
