//! A part of the program that runs until it is told to stop.

use std::error::Error;
use std::future::Future;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::supervisor::{Readiness, State};

/// Any error, for the component's end.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// A named part: a server, a worker, a monitor.
pub trait Component: Send + 'static {
    /// For logs and readiness; unique within one supervisor.
    fn name(&self) -> String;

    /// Does the part's work until `shutdown` is cancelled, then cleans up and returns. Calls [`Ready::ready`] once it
    /// can serve.
    ///
    /// Returning without an error before that means the work is done, as for a one-time task.
    ///
    /// # Errors
    /// Anything that keeps the part from going on; all other parts are stopped then.
    fn run(self, ready: Ready, shutdown: CancellationToken) -> impl Future<Output = Result<(), BoxError>> + Send;
}

/// A component's way to say that it serves.
#[derive(Debug)]
pub struct Ready {
    pub(crate) at: usize,
    pub(crate) readiness: watch::Sender<Readiness>,
}

impl Ready {
    /// From now on the part counts as ready.
    pub fn ready(&self) {
        self.set(State::Ready);
    }

    /// From now on it does not, for example while its database is away.
    pub fn not_ready(&self) {
        self.set(State::Starting);
    }

    pub(crate) fn set(&self, state: State) {
        self.readiness.send_modify(|readiness| readiness.set(self.at, state));
    }
}
