//! Starts components, knows which are ready, stops all of them together.
//!
//! It restarts nothing: a part that failed takes the program down, and whoever runs the program (a person, systemd,
//! Kubernetes) starts it again with the error in sight.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::component::{BoxError, Component, Ready};

/// Shorter than the 30 s Kubernetes gives before it kills.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// Where one component is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Not ready yet, or no longer.
    Starting,
    /// Serves.
    Ready,
    /// Ended without an error.
    Done,
    /// Ended with this error.
    Failed(String),
}

/// Where all components are, in the order they were added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Readiness {
    components: Vec<(String, State)>,
}

impl Readiness {
    /// Every part serves, or was done.
    pub fn is_ready(&self) -> bool {
        self.components.iter().all(|(_, state)| matches!(state, State::Ready | State::Done))
    }

    /// Names and states.
    pub fn components(&self) -> &[(String, State)] {
        &self.components
    }

    pub(crate) fn set(&mut self, at: usize, state: State) {
        self.components[at].1 = state;
    }
}

/// Why the program ends with an error.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// A component ended with an error or panicked.
    #[error("{component} failed: {reason}")]
    Failed {
        /// Its name.
        component: String,
        /// What it said.
        reason: String,
        /// The error itself; none after a panic.
        #[source]
        source: Option<BoxError>,
    },
    /// Components that did not stop in time were cut off.
    #[error("{} did not stop within {} s and was cut off", components.join(", "), within.as_secs_f32())]
    StopTimeout {
        /// Their names.
        components: Vec<String>,
        /// How long was waited.
        within: Duration,
    },
}

type Work = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

/// Collects components, then runs them.
pub struct Supervisor {
    shutdown: CancellationToken,
    stop_within: Duration,
    readiness: watch::Sender<Readiness>,
    work: Vec<(String, Work)>,
}

impl Supervisor {
    /// Stops everything when `shutdown` is cancelled; cancels it when a component fails.
    pub fn new(shutdown: CancellationToken) -> Self {
        Self { shutdown, stop_within: STOP_WITHIN, readiness: watch::Sender::default(), work: Vec::new() }
    }

    /// How long components may take to stop; 10 s unless said otherwise.
    #[must_use]
    pub fn stop_within(mut self, limit: Duration) -> Self {
        self.stop_within = limit;
        self
    }

    /// Adds a component; it does not run before [`run`](Self::run).
    pub fn add(&mut self, component: impl Component) {
        let name = component.name();
        let mut at = 0;
        self.readiness.send_modify(|readiness| {
            at = readiness.components.len();
            readiness.components.push((name.clone(), State::Starting));
        });
        let ready = Ready { at, readiness: self.readiness.clone() };
        let shutdown = self.shutdown.child_token();
        self.work.push((name, Box::pin(component.run(ready, shutdown))));
    }

    /// Follows the state of all components.
    pub fn readiness(&self) -> watch::Receiver<Readiness> {
        self.readiness.subscribe()
    }

    /// Runs all components until all are done, or until the shutdown.
    ///
    /// # Errors
    /// The first component that failed, or those that did not stop in time. All have ended when this returns.
    pub async fn run(self) -> Result<(), SupervisorError> {
        let mut tasks = JoinSet::new();
        // Those that still run: where in the list, and the name.
        let mut running = HashMap::new();
        for (at, (name, work)) in self.work.into_iter().enumerate() {
            running.insert(tasks.spawn(work).id(), (at, name));
        }
        let report = |at, state| self.readiness.send_modify(|readiness| readiness.set(at, state));
        let mut failure = None;
        let mut deadline = None;
        loop {
            let joined = tokio::select! {
                joined = tasks.join_next_with_id() => joined,
                () = self.shutdown.cancelled(), if deadline.is_none() => {
                    deadline = Some(Instant::now() + self.stop_within);
                    continue;
                }
                () = sleep_until(deadline) => break,
            };
            let Some(joined) = joined else { break };
            let (id, result) = match joined {
                Ok((id, Ok(()))) => (id, Ok(())),
                Ok((id, Err(error))) => (id, Err((error.to_string(), Some(error)))),
                Err(panic) => (panic.id(), Err((format!("it panicked: {panic}"), None))),
            };
            let Some((at, component)) = running.remove(&id) else { continue };
            let Err((reason, source)) = result else {
                report(at, State::Done);
                continue;
            };
            report(at, State::Failed(reason.clone()));
            if failure.is_none() {
                // Why, the caller says.
                tracing::warn!(%component, "a component failed, stopping all");
                failure = Some(SupervisorError::Failed { component, reason, source });
            } else {
                tracing::error!(%component, %reason, "another component failed");
            }
            self.shutdown.cancel();
        }
        tasks.shutdown().await;
        let mut late: Vec<(usize, String)> = running.into_values().collect();
        late.sort();
        let late: Vec<String> = late.into_iter().map(|(_, name)| name).collect();
        match failure {
            Some(failure) => Err(failure),
            None if late.is_empty() => Ok(()),
            None => Err(SupervisorError::StopTimeout { components: late, within: self.stop_within }),
        }
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
