//! All gates over one set of migrations.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use postgres_link::AdminConn;

use super::certificate;
use super::data::Filled;
use super::report::{Finding, Gate, GateResult, Report, Severity};
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
    /// Rows to rehearse on.
    pub filled: Option<&'a Filled>,
    pub context: &'a RunContext,
}

/// Looks at what is pending, or at the whole set. Takes no lock on the target and changes nothing in its schemas; new
/// certificates are kept in it. The rehearsal is on the rows of `filled`, where that is given.
pub(crate) async fn validate(
    project: &Arc<Project>,
    target: &Target,
    request: &ValidateRequest,
    filled: Option<&Filled>,
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
        filled,
        context,
    };
    let (order, findings) = examination.order(&state, &request.scope).await?;
    let (subjects, unreadable) = Subject::read_all(project, &order);
    // The planner stops at the first file that cannot be read; reading tells all of them.
    let findings = if unreadable.is_empty() { findings } else { unreadable };
    let mut report = examination.examine(&subjects, findings).await?;
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
                // The gate that looks at references tells all that leave the database.
                let told = error.code == ErrorCode::CrossesDatabases && self.looks(Gate::StaysHome);
                let findings = if told { Vec::new() } else { vec![unread(&error)] };
                Ok((in_scope.map(|(m, _)| m.id.clone()).collect(), findings))
            }
            Err(error) => Err(error),
        }
    }

    /// Runs the gates over `subjects`; `findings` are those of their planning and reading.
    pub(super) async fn examine(&self, subjects: &[Subject], findings: Vec<Finding>) -> Result<Report, EngineError> {
        let mut report = Report {
            environment: self.target.environment.clone(),
            passed: true,
            gates: Vec::new(),
            migrations: subjects.iter().map(Subject::unproven).collect(),
            findings,
            with_data: None,
            fingerprint: None,
            duration_ms: 0,
        };
        self.stays_home(subjects, &mut report);
        self.breaks_no_neighbour(subjects, &mut report).await?;
        self.hazards(subjects, &mut report).await?;
        let not_rehearsed = self.rehearsed(subjects, &mut report).await?;
        let required = self.project.catalogue.environment(&self.target.environment)?.required_gates();
        for gate in Gate::ALL {
            let skipped = not_rehearsed.clone().filter(|_| gate == Gate::Rehearsed);
            let looked = self.looks(gate) && skipped.is_none();
            let holds = looked.then(|| !report.has_errors(gate));
            report.gates.push(GateResult { gate, required: required.contains(&gate), holds, skipped });
        }
        report.passed = !report.gates.iter().any(GateResult::fails);
        Ok(report)
    }

    fn stays_home(&self, subjects: &[Subject], report: &mut Report) {
        if !self.looks(Gate::StaysHome) {
            return;
        }
        for (subject, proof) in subjects.iter().zip(&mut report.migrations) {
            for script in [&subject.up, &subject.down] {
                let found = home::look(script, &subject.id, &subject.service, &self.project.catalogue);
                proof.findings.extend(found);
            }
        }
    }

    async fn breaks_no_neighbour(&self, subjects: &[Subject], report: &mut Report) -> Result<(), EngineError> {
        let Some(live) = self.live.filter(|_| self.looks(Gate::BreaksNoNeighbour)) else { return Ok(()) };
        let catalogue = &self.project.catalogue;
        for (subject, proof) in subjects.iter().zip(&mut report.migrations) {
            let found = neighbours::look(live, &subject.up, &subject.id, &subject.service, catalogue).await?;
            proof.findings.extend(found);
        }
        Ok(())
    }

    async fn hazards(&self, subjects: &[Subject], report: &mut Report) -> Result<(), EngineError> {
        if !self.looks(Gate::Hazards) {
            return Ok(());
        }
        let ups: Vec<_> = subjects.iter().map(|s| (&s.id, &s.up)).collect();
        let told = hazards::look(self.live, &ups, &self.project.catalogue.run).await?;
        for (told, proof) in told.into_iter().zip(&mut report.migrations) {
            proof.findings.extend(told.findings);
            proof.forecast = Some(told.forecast);
        }
        Ok(())
    }

    /// Answers why nothing could be rehearsed, where that was asked for and could not be.
    async fn rehearsed(&self, subjects: &[Subject], report: &mut Report) -> Result<Option<String>, EngineError> {
        if !self.looks(Gate::Rehearsed) {
            return Ok(None);
        }
        // What planning and reading found is all that stands there yet.
        if !report.findings.is_empty() {
            return Ok(Some("the files cannot be read, or not be put in an order".to_owned()));
        }
        if report.all_findings().any(|finding| finding.code == home::CROSSES) {
            return Ok(Some("what another database has cannot be referenced".to_owned()));
        }
        let rehearsed = match Box::pin(rehearsal::rehearse(self, subjects)).await {
            Ok(rehearsed) => rehearsed,
            Err(error) if is_unable(error.code) => {
                let cure = error.cure.map(|cure| format!("; {cure}")).unwrap_or_default();
                return Ok(Some(format!("{}{cure}", error.message)));
            }
            Err(error) => return Err(error),
        };
        for ((_, found, certificate), proof) in rehearsed.migrations.into_iter().zip(&mut report.migrations) {
            proof.findings.extend(found);
            // What the rehearsal saw of other schemas is a finding of another gate, and no proof either.
            let holds = proof.findings.iter().all(|f| f.gate == Gate::Hazards || f.severity != Severity::Error);
            proof.certificate = certificate.filter(|_| holds);
        }
        report.findings.extend(rehearsed.findings);
        report.fingerprint = Some(rehearsed.before);
        report.with_data = self.filled.map(|filled| filled.source.clone());
        Ok(None)
    }

    fn looks(&self, gate: Gate) -> bool {
        self.gates.contains(&gate)
    }
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
            | ErrorCode::CrossesDatabases
            | ErrorCode::UnpairedFile
            | ErrorCode::Edited
    )
}

/// What keeps a rehearsal from being made, as against what it finds.
fn is_unable(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::InsufficientPrivilege | ErrorCode::GateFailed)
}
