//! A run that holds its lock and waits for something else before it begins.

use std::sync::Arc;
use std::time::Duration;

use super::execute::PreparedRun;
use crate::error::EngineError;
use crate::proof::shared::SharedProofs;
use crate::target::session::own_statement;

/// Well below the minutes after which gateways forget a connection that says nothing.
const SIGN_OF_LIFE: Duration = Duration::from_secs(30);

impl PreparedRun {
    /// Lets it go without the backup that the environment wants; that and why is kept in the target.
    pub fn go_without_backup(&mut self, reason: String) {
        self.without_backup = Some(reason);
    }

    /// Takes what other databases have proven as proven where this one stands where they stood, and adds what it proves itself.
    pub fn share_proofs(&mut self, proofs: Arc<SharedProofs>) {
        self.shared_proofs = Some(proofs);
    }

    /// Keeps its sessions alive. Ends when one of them, and with it the lock, is lost.
    pub async fn hold(&self) -> EngineError {
        let Some(sessions) = &self.sessions else { return std::future::pending().await };
        loop {
            tokio::time::sleep(SIGN_OF_LIFE).await;
            for session in sessions.beside.opened().into_iter().chain([&sessions.conn]) {
                if let Err(error) = session.batch("SELECT 1").await {
                    return own_statement(&error, "holding the migration lock");
                }
            }
        }
    }

    /// Gives it up: the lock is free when this returns.
    pub async fn let_go(mut self) {
        if let Some(sessions) = self.sessions.take() {
            sessions.conn.close().await;
            sessions.beside.close().await;
        }
    }
}
