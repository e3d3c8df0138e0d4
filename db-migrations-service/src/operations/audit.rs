//! Who changed a target's schema, and whether the record of it is whole.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use migration_engine::audit::{AuditFilter, AuditHead, AuditPage, AuditReport};
use migration_engine::{EngineError, ErrorCode};
use tokio_util::sync::CancellationToken;

use super::homes::alone_of;
use super::{Caller, OperationError, Operations, RefusalCode, RunEnd, Spread};
use crate::master::anchor_file::AnchorFileError;

/// Between two seals of a serving process: for so long somebody with the log's own rights could change what is not chained yet.
const SEAL_EVERY: Duration = Duration::from_secs(10);

/// Which part of the log to read.
#[derive(Debug, Clone, Default)]
pub struct AuditOrder {
    /// Which environment; `None` is the default one.
    pub environment: Option<String>,
    /// Only what touches this service's schemas.
    pub service: Option<String>,
    /// Which part.
    pub filter: AuditFilter,
}

impl Operations {
    /// The newest part of the log of each database that the order is about.
    ///
    /// # Errors
    /// As [`audit`](Self::audit), where none of them answers; a page after the first one, where there are several.
    pub async fn audits(&self, order: AuditOrder, caller: &Caller) -> Result<Spread<AuditPage>, OperationError> {
        let service = order.service.as_deref();
        self.known_service(service)?;
        let databases = self.databases_for(order.environment.as_deref(), service, caller)?;
        if databases.len() > 1 && order.filter.before.is_some() {
            let message = "each database counts its own entries, so the newest of several have one page";
            return Err(OperationError::refuse(RefusalCode::InvalidRequest, message)
                .with_cure(format!("name one of the databases: {}", alone_of(&databases))));
        }
        let one = |name: &String| AuditOrder { environment: Some(name.clone()), ..order.clone() };
        let asked = databases.iter().map(|name| self.audit(one(name), caller)).collect();
        self.spread(&databases, asked).await
    }

    /// A part of one database's log, newest first; of the services that the caller may touch.
    ///
    /// # Errors
    /// Unknown names, a database that is away.
    pub async fn audit(&self, order: AuditOrder, caller: &Caller) -> Result<AuditPage, OperationError> {
        let service = order.service.as_deref();
        if service.is_some() {
            caller.check(service)?;
        }
        self.known_service(service)?;
        let mut filter = order.filter;
        if service.is_some() || caller.services.is_some() {
            let wanted = |name: &str| service.map_or_else(|| caller.may_touch(name), |service| service == name);
            let services = self.catalogue().services.iter().filter(|(name, _)| wanted(name));
            let allowed: Vec<String> = services.flat_map(|(_, entry)| entry.schemas.clone()).collect();
            filter.schemas = Some(match filter.schemas {
                Some(asked) => asked.into_iter().filter(|schema| allowed.contains(schema)).collect(),
                None => allowed,
            });
        }
        Ok(self.engine_at_home(order.environment.as_deref(), service)?.audit(&filter).await?)
    }

    /// Looks over the whole log of each database of an environment, or of the one that a service lives in.
    ///
    /// # Errors
    /// As [`verify_audit`](Self::verify_audit), where none of them answers.
    pub async fn verify_audits(
        &self,
        environment: Option<&str>,
        service: Option<&str>,
        elsewhere: &[AuditHead],
        caller: &Caller,
    ) -> Result<Spread<AuditReport>, OperationError> {
        caller.check(None)?;
        self.known_service(service)?;
        let databases = self.databases_of(environment, service)?;
        let asked = databases.iter().map(|name| self.verify_audit(Some(name), elsewhere, caller)).collect();
        self.spread(&databases, asked).await
    }

    /// Looks over the whole log of one database, and compares it with where it ended before: as the master database has it,
    /// the anchor file where one is named, and `elsewhere`. Heads of other databases are passed over.
    ///
    /// # Errors
    /// Unknown names, a caller who may not touch all services, a database that is away: the target's or the master's; an
    /// anchor file that cannot be read.
    pub async fn verify_audit(
        &self,
        environment: Option<&str>,
        elsewhere: &[AuditHead],
        caller: &Caller,
    ) -> Result<AuditReport, OperationError> {
        caller.check(None)?;
        let name = &self.environment(environment)?.environment;
        let mut kept = self.master().audit_heads(name).await?;
        let anchored = self.master().anchored(name).await.map_err(|error| unreadable(&error))?;
        let known: HashSet<_> = kept.iter().map(identity).collect();
        let more: HashMap<_, _> = anchored.iter().chain(elsewhere).map(|head| (identity(head), head)).collect();
        let more: Vec<_> = more.into_iter().filter(|(id, _)| !known.contains(id)).map(|(_, h)| h.clone()).collect();
        kept.extend(more);
        let report = self.engine(environment)?.verify_audit(&kept).await?;
        if let Some(head) = report.head.as_ref().filter(|_| report.findings.is_empty()) {
            self.master().keep_audit_head(name, head).await?;
            self.anchor(name, head).await;
        }
        Ok(report)
    }

    /// Seals the logs of all environments every few seconds, and writes down where they end, until `shutdown`.
    pub async fn keep_audits(&self, shutdown: &CancellationToken) {
        let mut known: BTreeMap<String, AuditHead> = BTreeMap::new();
        while shutdown.run_until_cancelled(tokio::time::sleep(SEAL_EVERY)).await.is_some() {
            for entry in self.targets().all() {
                let name = entry.environment.as_str();
                let Ok(engine) = self.engine(Some(name)) else { continue };
                let Some(sealed) = shutdown.run_until_cancelled(engine.seal_audit()).await else { return };
                match sealed {
                    Ok(Some(head)) if known.get(name) != Some(&head) => {
                        self.keep_head(name, &head).await;
                        known.insert(name.to_owned(), head);
                    }
                    Ok(_) => {}
                    // A database that is away is told by the health checks.
                    Err(error) => tracing::debug!(environment = name, %error, "the audit was not sealed"),
                }
            }
        }
    }

    /// Writes down where the log ends after a run.
    pub(super) async fn keep_audit_of(&self, environment: &str, end: &RunEnd) {
        if let RunEnd::Run(report) = end
            && let Some(head) = &report.audit_head
        {
            self.keep_head(environment, head).await;
        }
    }

    async fn keep_head(&self, environment: &str, head: &AuditHead) {
        if let Err(error) = self.master().keep_audit_head(environment, head).await {
            tracing::warn!(environment, %error, "where the audit ends could not be written to the master database");
        }
        self.anchor(environment, head).await;
    }

    /// Into the anchor file, where one is named.
    async fn anchor(&self, environment: &str, head: &AuditHead) {
        let entry = self.environment(Some(environment)).ok();
        let target = entry.and_then(|entry| entry.target.as_ref().ok()).map_or("", |target| target.connect.database());
        if let Err(error) = self.master().anchor(environment, target, head).await {
            tracing::error!(environment, %error, "where the audit ends could not be written to the anchor file");
        }
    }
}

fn identity(head: &AuditHead) -> (String, i64, String) {
    (head.database.clone(), head.position, head.hash.clone())
}

/// Where the folder is, is the server's own business; the log has it.
fn unreadable(error: &AnchorFileError) -> OperationError {
    tracing::error!(%error, "the audit's anchors");
    let file = error.path().file_name().unwrap_or_default().to_string_lossy();
    EngineError::new(ErrorCode::Internal, error.message(file)).cure(error.cure()).into()
}
