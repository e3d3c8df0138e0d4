//! What one database has proven, for others that stand where it stood.
//!
//! The rehearsal of a migration says the same of every database with the same schema. A run over many such rehearses once for
//! each schema that it meets and gives the certificates to the others.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use postgres_link::AdminConn;
use schema_catalog::Fingerprint;
use tokio::sync::{Mutex as Turn, MutexGuard};

use super::certificate::{self, Certificate};
use super::report::Report;
use super::subject::Subject;
use crate::error::EngineError;
use crate::migration::MigrationId;
use crate::target::session::own_statement;

/// Certificates that were given in this run, whichever database gave them.
#[derive(Debug, Default)]
pub struct SharedProofs {
    known: Mutex<BTreeMap<MigrationId, Vec<Certificate>>>,
    turn: Turn<()>,
}

impl SharedProofs {
    /// Whoever rehearses does it alone, so that those who stand at the same place find its certificates.
    pub(super) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Keeps certificates for all of `subjects` in a database whose schema has the fingerprint `here`; `false` where some are
    /// not known.
    pub(super) async fn lend(
        &self,
        conn: &AdminConn,
        subjects: &[Subject],
        here: Fingerprint,
    ) -> Result<bool, EngineError> {
        let Some(chain) = self.chain(subjects, here, conn.server_version_num()) else { return Ok(false) };
        let kept: Vec<String> =
            chain.iter().filter_map(|(id, certificate)| certificate::keep(id, certificate)).collect();
        let message = format!("{};{}", certificate::CREATE, kept.join(";"));
        conn.batch(&message).await.map_err(|error| own_statement(&error, "keeping the certificates"))?;
        Ok(true)
    }

    /// Each begins where the one before ends.
    fn chain(
        &self,
        subjects: &[Subject],
        mut here: Fingerprint,
        server_version_num: u32,
    ) -> Option<Vec<(MigrationId, Certificate)>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut chain = Vec::with_capacity(subjects.len());
        for subject in subjects {
            let holds = |c: &&Certificate| c.holds_for(&subject.up_hash, &subject.down_hash, here, server_version_num);
            let certificate = known.get(&subject.id)?.iter().find(holds)?;
            here = certificate.after;
            chain.push((subject.id.clone(), certificate.clone()));
        }
        Some(chain)
    }

    pub(super) fn learn(&self, report: &Report) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for proof in &report.migrations {
            if let Some(certificate) = &proof.certificate {
                known.entry(proof.migration.clone()).or_default().push(certificate.clone());
            }
        }
    }
}
