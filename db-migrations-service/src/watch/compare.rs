//! What a look holds against what it should be: the schema, and the record of who changed it.

use migration_engine::audit::{AuditEntry, AuditFilter, AuditReport, FindingCode};
use migration_engine::proof::drift::{DriftReport, Drifted};
use tokio_util::sync::CancellationToken;

use super::look::{Sightings, View};
use super::{author, myself};
use crate::master::findings::Sighting;
use crate::operations::{AuditOrder, OperationError, Operations};

/// More differences than a person goes through; the rest is counted.
const LISTED: usize = 200;
/// How far back the audit is searched for who did it.
const SEARCHED: usize = 1_000;

impl Operations {
    /// Holds the live schemas against what their migrations make. `history` is a word for the state of the history, `known`
    /// what was compared last.
    pub(super) async fn drift_into(
        &self,
        view: &mut View,
        environment: &str,
        history: &str,
        known: Option<&str>,
        stop: &CancellationToken,
    ) {
        match self.drifted(environment, history, known, stop).await {
            Ok((key, sightings)) => (view.seen, view.drift) = (Some(key), sightings),
            Err(error) => view.troubles.push(format!("the schema was not compared: {error}")),
        }
    }

    async fn drifted(
        &self,
        environment: &str,
        history: &str,
        known: Option<&str>,
        stop: &CancellationToken,
    ) -> Result<(String, Sightings), OperationError> {
        let prints = self.fingerprints(Some(environment)).await?;
        let key = format!("{} {history}", prints.live);
        if known == Some(key.as_str()) {
            return Ok((key, Sightings::AsBefore));
        }
        if prints.agrees() == Some(true) {
            return Ok((key, Sightings::New(Vec::new())));
        }
        let report = self.drift(Some(environment), None, &myself(), stop.clone()).await?;
        let mut differences: Vec<&Drifted> = report.differences.iter().filter(|d| is_known_drift(&report, d)).collect();
        let more = differences.len().saturating_sub(LISTED);
        differences.truncate(LISTED);
        let entries = self.entries_on(environment, &differences).await;
        let mut sightings: Vec<_> = differences.into_iter().map(|drifted| sighting(drifted, &entries)).collect();
        if more > 0 {
            sightings.push(counted(more as u64, "differences"));
        }
        Ok((key, Sightings::New(sightings)))
    }

    /// What others than the service did to the schemas that differ, newest first. Who did it is told where it is known.
    async fn entries_on(&self, environment: &str, differences: &[&Drifted]) -> Vec<AuditEntry> {
        let mut schemas: Vec<String> = differences.iter().filter_map(|d| d.difference.object.schema.clone()).collect();
        schemas.sort();
        schemas.dedup();
        if schemas.is_empty() {
            return Vec::new();
        }
        let filter =
            AuditFilter { schemas: Some(schemas), via_service: Some(false), limit: SEARCHED, ..AuditFilter::default() };
        let order = AuditOrder { environment: Some(environment.to_owned()), service: None, filter };
        match self.audit(order, &myself()).await {
            Ok(page) => page.entries,
            Err(error) => {
                tracing::debug!(environment, %error, "who changed the schema could not be read");
                Vec::new()
            }
        }
    }

    /// Holds the audit's chain against where it ended before, and looks at what records.
    pub(super) async fn audit_into(&self, view: &mut View, environment: &str) {
        match self.verify_audit(Some(environment), &[], &myself()).await {
            Ok(report) => view.audit = Sightings::New(audited(&report)),
            Err(error) => view.troubles.push(format!("the audit was not verified: {error}")),
        }
    }
}

/// Before the run that brings them about, owners and rights of a new catalogue are nobody's doing.
fn is_known_drift(report: &DriftReport, drifted: &Drifted) -> bool {
    let (object, property) = (&drifted.difference.object, drifted.difference.property.as_str());
    let by_catalogue = property == "owner"
        || property.starts_with("grant ")
        || matches!(object.kind.as_str(), "schema" | "default privileges");
    report.prepared || !by_catalogue
}

fn sighting(drifted: &Drifted, entries: &[AuditEntry]) -> Sighting {
    let difference = &drifted.difference;
    let author = author::of(drifted, entries);
    Sighting {
        subject: format!("{} {}", difference.object, difference.property),
        words: drifted.words.clone(),
        service: drifted.service.clone(),
        role: author.map(|entry| entry.session_role.clone()),
        application: author.map(|entry| entry.application.clone()),
        changed_at: author.map(|entry| entry.at),
    }
}

fn audited(report: &AuditReport) -> Vec<Sighting> {
    // Where nothing was ever recorded, nothing is missing: the server's operators may not have the rights.
    let was_kept = report.checked > 0 || report.anchors > 0;
    let mut sightings: Vec<Sighting> = report
        .findings
        .iter()
        .filter(|finding| was_kept || finding.code != FindingCode::Off)
        .map(|finding| {
            let place = match (finding.position, finding.entry) {
                (None, None) => finding.message.clone(),
                (position, entry) => format!("{position:?} {entry:?}"),
            };
            let subject = format!("{:?} {place}", finding.code);
            Sighting { subject, words: finding.message.clone(), ..Sighting::default() }
        })
        .collect();
    if report.more_findings > 0 {
        sightings.push(counted(report.more_findings, "findings"));
    }
    sightings
}

fn counted(more: u64, what: &str) -> Sighting {
    Sighting { subject: "more".to_owned(), words: format!("and {more} more {what}"), ..Sighting::default() }
}
