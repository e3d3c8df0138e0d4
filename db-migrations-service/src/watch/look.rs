//! One look: claimed, made, held against what was known, given back.

use std::time::Duration;

use migration_engine::{EngineError, ErrorCode};
use tokio_util::sync::CancellationToken;

use super::standing::Standing;
use super::{Look, Seen, internal};
use crate::master::findings::{Finding, FindingKind, Settled, Sighting};
use crate::master::looks::Claim;
use crate::operations::{OperationError, Operations};

/// A look that takes longer is given up; the longest part is the replay of a long history.
const LONGEST_LOOK: Duration = Duration::from_mins(5);
/// A claim outlives the look that it is for, so that nobody else looks meanwhile.
const LEASE: Duration = Duration::from_secs(330);
/// When to look.
#[derive(Debug, Clone, Copy)]
pub(super) enum When {
    /// Now.
    Asked,
    /// When the last look is so old.
    After(Duration),
}

impl Operations {
    pub(super) async fn look(
        &self,
        environment: &str,
        when: When,
        shutdown: &CancellationToken,
    ) -> Result<Look, OperationError> {
        let entry = self.environment(Some(environment))?;
        // An environment without a database: whoever asks for it is told so.
        let Ok(target) = &entry.target else { return self.engine(Some(environment)).map(|_| Look::NoHistory) };
        let database = target.connect.database();
        let interval = match when {
            When::Asked => None,
            When::After(interval) => Some(interval),
        };
        let Some(claim) = self.master().claim_look(environment, database, interval, LEASE).await? else {
            return Ok(Look::NotDue);
        };
        let stop = shutdown.child_token();
        let known = claim.seen.clone().filter(|_| matches!(when, When::After(_)));
        let looking = tokio::time::timeout(LONGEST_LOOK, self.look_at(environment, known.as_deref(), &stop));
        let looked = looking.await.unwrap_or_else(|_| {
            // What was begun on a task of its own ends in good order.
            stop.cancel();
            let seconds = LONGEST_LOOK.as_secs();
            Err(internal(&format!("looking at the environment {environment:?} took longer than {seconds} s")))
        });
        self.conclude(environment, database, &claim, looked).await
    }

    /// Writes down what was seen, and gives the claim back.
    async fn conclude(
        &self,
        environment: &str,
        database: &str,
        claim: &Claim,
        looked: Result<Outcome, OperationError>,
    ) -> Result<Look, OperationError> {
        let give_back = async |looked, seen: Option<&str>, trouble: Option<&str>| {
            let seen = seen.or(claim.seen.as_deref());
            Ok::<_, OperationError>(self.master().release_look(claim, looked, seen, trouble).await?)
        };
        let view = match looked {
            Ok(Outcome::View(view)) => view,
            Ok(Outcome::Busy) => return give_back(false, None, None).await.map(|()| Look::Busy),
            Ok(Outcome::NoHistory) => return give_back(false, None, None).await.map(|()| Look::NoHistory),
            Err(error) => {
                give_back(false, None, Some(&error.to_string())).await?;
                return Err(error);
            }
        };
        let mut settled = Settled::default();
        for (kind, sightings) in [(FindingKind::Drift, &view.drift), (FindingKind::Audit, &view.audit)] {
            match sightings {
                Sightings::New(sightings) => {
                    let more = self.master().settle_findings(environment, database, kind, sightings).await?;
                    settled.opened.extend(more.opened);
                    settled.resolved.extend(more.resolved);
                }
                Sightings::AsBefore => self.master().findings_stay(environment, database, kind).await?,
                Sightings::Unknown => {}
            }
        }
        let trouble = (!view.troubles.is_empty()).then(|| view.troubles.join("; "));
        give_back(true, view.seen.as_deref(), trouble.as_deref()).await?;
        tell(&settled);
        self.tell_findings(&settled).await;
        Ok(Look::Done(Box::new(Seen {
            environment: environment.to_owned(),
            target: database.to_owned(),
            opened: settled.opened,
            resolved: settled.resolved,
            trouble,
        })))
    }

    async fn look_at(
        &self,
        environment: &str,
        known: Option<&str>,
        stop: &CancellationToken,
    ) -> Result<Outcome, OperationError> {
        let before = Standing::read(self.environment(Some(environment))?).await?;
        if before.as_ref().is_some_and(|standing| standing.run_under_way) {
            return Ok(Outcome::Busy);
        }
        let has_history = before.as_ref().is_some_and(|standing| standing.history.is_some());
        // A log that was kept once and is gone with the history is what its anchors are for.
        let was_audited = !self.master().audit_heads(environment).await?.is_empty();
        let Some(before) = before.filter(|_| has_history || was_audited) else { return Ok(Outcome::NoHistory) };
        let mut view = View::default();
        match &before.history {
            Some(_) if before.is_interrupted => view.troubles.push(
                "a migration was interrupted, so what its schema should be is not known; run the migrations".to_owned(),
            ),
            Some(history) => self.drift_into(&mut view, environment, history, known, stop).await,
            None => {}
        }
        self.audit_into(&mut view, environment).await;
        if stop.is_cancelled() {
            return Err(EngineError::new(ErrorCode::Cancelled, "the look was cancelled").into());
        }
        // What a run made while somebody looked is half of something.
        let after = Standing::read(self.environment(Some(environment))?).await?;
        if after != Some(before) {
            return Ok(Outcome::Busy);
        }
        Ok(Outcome::View(view))
    }
}

/// What was seen of one kind.
#[derive(Debug, Default)]
pub(super) enum Sightings {
    /// It could not be looked at.
    #[default]
    Unknown,
    /// Nothing has moved since the last look.
    AsBefore,
    /// All that there is.
    New(Vec<Sighting>),
}

/// What a look has seen, before it is held against what was known.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) drift: Sightings,
    pub(super) audit: Sightings,
    /// What was compared.
    pub(super) seen: Option<String>,
    pub(super) troubles: Vec<String>,
}

enum Outcome {
    View(View),
    Busy,
    NoHistory,
}

fn tell(settled: &Settled) {
    for finding in &settled.opened {
        let Finding { environment, target: database, kind, service, words, role, application, .. } = finding;
        let kind = kind.as_str();
        tracing::warn!(environment, database, kind, service, role, application, "found on a target: {words}");
    }
    for finding in &settled.resolved {
        let Finding { environment, target: database, kind, service, words, .. } = finding;
        let kind = kind.as_str();
        tracing::info!(environment, database, kind, service, "no longer found on a target: {words}");
    }
}
