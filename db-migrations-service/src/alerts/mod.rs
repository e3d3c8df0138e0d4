//! Alerts: what the last look at the targets says of the catalogue's rules, kept until it is over, and told.
//!
//! They are evaluated on the sampler's beat by one copy of the service, from the same figures as `/metrics`, so that
//! Prometheus with the [`rules`] of this program comes to the same conclusions. What begins to fire and what is over stands
//! in the master database before anybody is told of it; whoever could not be told is told later, also after a restart.
//!
//! It looks at nothing itself, and it does not decide who is woken: that is Alertmanager's.

mod alertmanager;
mod deliver;
mod mail;
mod probe;
mod readings;
pub mod rules;
mod ways;
mod webhook;

use std::sync::OnceLock;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::master::alerts::{Alert, AlertFilter, AlertState};
use crate::operations::{Caller, OperationError, Operations};

pub(crate) use mail::is_address as is_mail_address;
pub use probe::{AlertTest, WayAnswer};
pub use ways::AlertWays;

/// Whoever evaluates has the right to for so long, and prolongs it as often.
const LEASE: Duration = Duration::from_mins(1);
const PROLONG: Duration = Duration::from_secs(20);
/// Giving it back at the end must not hold up the end.
const RELEASE_PATIENCE: Duration = Duration::from_secs(2);

/// What this process needs for alerts.
#[derive(Debug)]
pub(crate) struct Alerting {
    /// By which it is known among the copies of the service.
    me: Uuid,
    ways: OnceLock<AlertWays>,
    /// Something has changed that somebody has to be told.
    changed: Notify,
    /// Whether evaluating or telling failed the last time, so that it is logged when that changes and not on each beat.
    troubles: deliver::Troubles,
}

impl Default for Alerting {
    fn default() -> Self {
        Self {
            me: Uuid::new_v4(),
            ways: OnceLock::new(),
            changed: Notify::new(),
            troubles: deliver::Troubles::default(),
        }
    }
}

impl Operations {
    /// Says who is told; once, before anything is evaluated.
    pub fn tell_alerts_by(&self, ways: AlertWays) {
        // A second time is a mistake of the program, and the first one stays.
        let _ = self.alerting().ways.set(ways);
    }

    /// Who is told.
    fn alert_ways(&self) -> &AlertWays {
        static NOBODY: AlertWays = AlertWays::none();
        self.alerting().ways.get().unwrap_or(&NOBODY)
    }

    /// Evaluates, where no other copy of the service does; a failure is only logged.
    pub(crate) async fn evaluate_alerts_in_turn(&self) {
        let evaluated = async {
            if self.master().hold_alerts(self.alerting().me, LEASE).await? {
                self.evaluate_alerts(self.master().time().await?).await?;
            }
            Ok::<_, OperationError>(())
        };
        let trouble = evaluated.await.err().map(|error| error.to_string());
        self.alerting().troubles.tell("the alerts could not be evaluated", "evaluation", trouble);
    }

    /// Keeps the right to evaluate, where this copy has it, for as long as `working` goes on, and gives it back then.
    pub(crate) async fn keep_alerts_while(&self, working: impl Future<Output = ()>) {
        let me = self.alerting().me;
        let keep = async {
            loop {
                tokio::time::sleep(PROLONG).await;
                // A master database that is away is told of by the evaluation.
                let _ = self.master().prolong_alerts(me, LEASE).await;
            }
        };
        tokio::select! {
            () = working => {}
            () = keep => {}
        }
        // Where that fails, it lapses.
        let _ = tokio::time::timeout(RELEASE_PATIENCE, self.master().release_alerts(me)).await;
    }

    /// Holds the last look at the targets against the rules, as if it were `now`, and returns what has begun to fire and what
    /// is over. Rules that could not be looked at stay as they are.
    ///
    /// # Errors
    /// A master database that is away.
    pub async fn evaluate_alerts(&self, now: OffsetDateTime) -> Result<Vec<Alert>, OperationError> {
        // The database's clock is coarser; what is compared with what it keeps must not be finer.
        let now = now.replace_microsecond(now.microsecond()).unwrap_or(now);
        let readings = readings::read(self.catalogue(), &self.monitor().samples().latest(), now);
        let unknown: Vec<_> =
            readings.unknown.iter().map(|(rule, environment)| (*rule, environment.as_str())).collect();
        let receivers = self.alert_ways().receivers();
        let changed = self.master().settle_alerts(now, &readings.breaches, &unknown, &receivers).await?;
        for alert in &changed {
            let Alert { rule, environment, service, subject, severity, summary, .. } = alert;
            if alert.state == AlertState::Firing {
                tracing::warn!(rule, environment, service, subject, severity, "an alert fires: {summary}");
            } else {
                tracing::info!(rule, environment, service, subject, severity, "an alert is over: {summary}");
            }
        }
        if !changed.is_empty() {
            self.alerting().changed.notify_one();
            self.hub().stir();
        }
        Ok(changed)
    }

    /// A page of alerts, newest first; of the services that the caller may touch.
    ///
    /// # Errors
    /// Unknown names, a service that the caller may not touch, a master database that is away.
    pub async fn alerts(
        &self,
        service: Option<&str>,
        mut filter: AlertFilter,
        caller: &Caller,
    ) -> Result<Vec<Alert>, OperationError> {
        self.check_listed(service, None, caller)?;
        filter.services = caller.listed(service);
        Ok(self.master().alerts(&filter).await?)
    }
}
