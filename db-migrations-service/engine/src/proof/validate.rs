//! All gates over one set of migrations.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use postgres_link::AdminConn;

use super::certificate::{self, Certificate};
use super::report::{Finding, Gate, GateResult, MigrationProof, Report, Severity};
use super::subject::{Subject, unread};
use super::{ValidateRequest, hazards, home, neighbours, rehearsal};
use crate::compare;
use crate::engine::Target;
use crate::error::{EngineError, ErrorCode};
use crate::migration::MigrationId;
use crate::planning;
use crate::project::Project;
use crate::request::{RunContext, Scope};
use crate::target::session;
use crate::target::store::{self, State};

/// What the gates look at, and on what.
pub(super) struct Examination<'a> {
    pub project: &'a Arc<Project>,
    pub target: &'a Target,
    /// `None` where the database does not exist yet, or is not asked about.
    pub live: Option<&'a AdminConn>,
    /// The live schema can be held against the replay of its history: the target is prepared for this catalogue.
    pub compare: bool,
    pub gates: BTreeSet<Gate>,
    pub context: &'a RunContext,
}

/// Looks at what is pending, or at the whole set. Takes no lock on the target and changes nothing in its schemas; new
/// certificates are kept in it.
pub(crate) async fn validate(
    project: &Arc<Project>,
    target: &Target,
    request: &ValidateRequest,
    context: &RunContext,
) -> Result<Report, EngineError> {
    let begun = Instant::now();
    if let Scope::Service(name) = &request.scope {
        project.catalogue.service(name)?;
    }
    let live = if request.whole { None } else { session::open_existing(target, "profe migrate validate").await? };
    let state = match &live {
        Some(conn) => store::read(conn).await?,
        None => State::default(),
    };
    let gates = if request.gates.is_empty() { Gate::ALL.to_vec() } else { request.gates.clone() };
    let examination = Examination {
        project,
        target,
        live: live.as_ref(),
        compare: state.catalogue.as_deref() == Some(crate::target::prepare::fingerprint(&project.catalogue).as_str()),
        gates: gates.into_iter().collect(),
        context,
    };
    let (order, findings) = examination.order(&state, &request.scope).await?;
    let mut report = examination.examine(&order, findings).await?;
    report.duration_ms = begun.elapsed().as_millis() as u64;
    if let Some(conn) = live.as_ref().filter(|_| state.installed) {
        keep(conn, &report).await;
    }
    Ok(report)
}

/// Keeps new certificates in the target. One that cannot be kept is made again when it is needed.
pub(super) async fn keep(conn: &AdminConn, report: &Report) {
    let statements: Vec<String> =
        report.migrations.iter().filter_map(|m| certificate::keep(&m.migration, m.certificate.as_ref()?)).collect();
    if statements.is_empty() {
        return;
    }
    if let Err(error) = conn.batch(&format!("{};{}", certificate::CREATE, statements.join(";"))).await {
        tracing::warn!(%error, "the certificates could not be kept in the target");
    }
}

impl Examination<'_> {
    /// The migrations in the order in which they would be applied. What cannot be planned is the first gate's finding.
    async fn order(&self, state: &State, scope: &Scope) -> Result<(Vec<MigrationId>, Vec<Finding>), EngineError> {
        let hashes = compare::hash_files(self.project).await?;
        let comparison = compare::compare(self.project, &hashes, state)?;
        match planning::plan(self.project, state, &comparison, scope, None, self.live).await {
            Ok(plan) => Ok((plan.migrations.into_iter().map(|m| m.migration).collect(), Vec::new())),
            Err(error) if is_about_files(error.code) => {
                let open = self.project.migrations().iter().zip(&comparison.open).filter(|(_, open)| **open);
                let in_scope = open.filter(|(m, _)| planning::in_scope(scope, &m.service));
                Ok((in_scope.map(|(m, _)| m.id.clone()).collect(), vec![unread(&error)]))
            }
            Err(error) => Err(error),
        }
    }

    /// Runs the gates over `order`; `findings` are those of its planning.
    pub(super) async fn examine(
        &self,
        order: &[MigrationId],
        mut findings: Vec<Finding>,
    ) -> Result<Report, EngineError> {
        let catalogue = &self.project.catalogue;
        let mut subjects = Vec::new();
        let mut unreadable = Vec::new();
        for id in order {
            let Some(migration) = self.project.migration(id) else { continue };
            match Subject::read(self.project, migration) {
                Ok(subject) => subjects.push(subject),
                Err(found) => unreadable.extend(found),
            }
        }
        // The planner stops at the first file that cannot be read; reading tells all of them.
        if !unreadable.is_empty() {
            findings = unreadable;
        }
        let readable = findings.is_empty();
        let mut skipped: Vec<(Gate, String)> = Vec::new();
        let mut proofs: Vec<MigrationProof> = subjects
            .iter()
            .map(|s| MigrationProof {
                migration: s.id.clone(),
                service: s.service.clone(),
                name: s.name.clone(),
                findings: Vec::new(),
                forecast: None,
                certificate: None,
            })
            .collect();
        if self.looks(Gate::StaysHome) {
            for (subject, proof) in subjects.iter().zip(&mut proofs) {
                proof.findings.extend(home::look(&subject.up, &subject.id, &subject.service, catalogue));
                proof.findings.extend(home::look(&subject.down, &subject.id, &subject.service, catalogue));
            }
        }
        if self.looks(Gate::BreaksNoNeighbour)
            && let Some(live) = self.live
        {
            for (subject, proof) in subjects.iter().zip(&mut proofs) {
                let found = neighbours::look(live, &subject.up, &subject.id, &subject.service, catalogue).await?;
                proof.findings.extend(found);
            }
        }
        if self.looks(Gate::Hazards) {
            let ups: Vec<_> = subjects.iter().map(|s| (&s.id, &s.up)).collect();
            for (told, proof) in hazards::look(self.live, &ups, &catalogue.run).await?.into_iter().zip(&mut proofs) {
                proof.findings.extend(told.findings);
                proof.forecast = Some(told.forecast);
            }
        }
        let mut fingerprint = None;
        if self.looks(Gate::Rehearsed) {
            if readable {
                match self.rehearse(&subjects, &mut proofs).await {
                    Ok((before, found)) => {
                        fingerprint = Some(before);
                        findings.extend(found);
                    }
                    Err(error) if is_unable(error.code) => {
                        let cure = error.cure.map(|cure| format!("; {cure}")).unwrap_or_default();
                        skipped.push((Gate::Rehearsed, format!("{}{cure}", error.message)));
                    }
                    Err(error) => return Err(error),
                }
            } else {
                skipped.push((Gate::Rehearsed, "the files cannot be read, or not be put in an order".to_owned()));
            }
        }
        let environment = &self.target.environment;
        let mut report = Report {
            environment: environment.clone(),
            passed: true,
            gates: Vec::new(),
            migrations: proofs,
            findings,
            fingerprint,
            duration_ms: 0,
        };
        let required = catalogue.environment(environment)?.required_gates();
        for gate in Gate::ALL {
            let why_not = skipped.iter().find(|(g, _)| *g == gate).map(|(_, why)| why.clone());
            let looked = self.looks(gate) && why_not.is_none();
            let holds = looked.then(|| !report.has_errors(gate));
            let is_required = required.contains(&gate);
            // What was not asked about is no failure; what was, and could not be looked at, is none either where
            // nobody requires it.
            report.passed &= holds.unwrap_or(why_not.is_none() || !is_required);
            report.gates.push(GateResult { gate, required: is_required, holds, skipped: why_not });
        }
        Ok(report)
    }

    fn looks(&self, gate: Gate) -> bool {
        self.gates.contains(&gate)
    }

    async fn rehearse(
        &self,
        subjects: &[Subject],
        proofs: &mut [MigrationProof],
    ) -> Result<(schema_catalog::Fingerprint, Vec<Finding>), EngineError> {
        let rehearsed =
            rehearsal::rehearse(self.project, self.target, self.live, self.compare, subjects, self.context).await?;
        for ((_, found, certificate), proof) in rehearsed.migrations.into_iter().zip(proofs) {
            proof.findings.extend(found);
            // What the rehearsal saw of other schemas is a finding of another gate, and no proof either.
            let holds = proof.findings.iter().all(|f| f.gate == Gate::Hazards || f.severity != Severity::Error);
            proof.certificate = certificate.filter(|_| holds);
        }
        Ok((rehearsed.before, rehearsed.findings))
    }
}

/// Proofs that stand already: the certificates of `order`, where each fits its files and the chain begins at the
/// fingerprint of the live schema.
pub(super) fn proven(
    certificates: &std::collections::BTreeMap<MigrationId, Certificate>,
    subjects: &[(MigrationId, String, String)],
    mut here: schema_catalog::Fingerprint,
    server_version_num: u32,
) -> bool {
    subjects.iter().all(|(id, up, down)| {
        certificates.get(id).filter(|c| c.holds_for(up, down, here, server_version_num)).is_some_and(|certificate| {
            here = certificate.after;
            true
        })
    })
}

/// What a file can be wrong in, as against a database that is away or a request that makes no sense.
fn is_about_files(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::BadEncoding
            | ErrorCode::SyntaxError
            | ErrorCode::ForbiddenStatement
            | ErrorCode::BadDirective
            | ErrorCode::DependencyCycle
            | ErrorCode::UnresolvedReference
            | ErrorCode::UnpairedFile
            | ErrorCode::Edited
    )
}

/// What keeps a rehearsal from being made, as against what it finds.
fn is_unable(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::InsufficientPrivilege | ErrorCode::GateFailed)
}
