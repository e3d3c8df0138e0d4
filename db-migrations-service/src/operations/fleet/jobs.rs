//! The fleets' runs that this process does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A fleet's run that this process does. Cheap to clone; dropping it does not stop the run.
#[derive(Debug, Clone)]
pub struct FleetHandle {
    pub(super) run: Uuid,
    /// Nothing more is begun; what is in hand is taken back.
    pub(super) stop: CancellationToken,
    /// It is left for another process to go on with.
    pub(super) hand_over: CancellationToken,
    over: Arc<watch::Sender<bool>>,
}

impl FleetHandle {
    pub(super) fn new(run: Uuid) -> Self {
        let stop = CancellationToken::new();
        Self { run, stop, hand_over: CancellationToken::new(), over: Arc::new(watch::Sender::new(false)) }
    }

    /// The run's id.
    pub fn run(&self) -> Uuid {
        self.run
    }

    /// Calls it off: what is in hand is taken back, what is done stands.
    pub fn cancel(&self) {
        self.stop.cancel();
    }

    /// Leaves it for another process to go on with.
    pub fn hand_over(&self) {
        self.hand_over.cancel();
        self.stop.cancel();
    }

    /// Waits until this process has done with it, and has written that down.
    pub async fn finished(&self) {
        // The sender lives in `self`.
        let _ = self.over.subscribe().wait_for(|over| *over).await;
    }

    pub(super) fn is_over(&self) {
        self.over.send_replace(true);
    }
}

/// All of them.
#[derive(Default)]
pub(in crate::operations) struct FleetJobs(Mutex<HashMap<Uuid, FleetHandle>>);

impl FleetJobs {
    pub(super) fn add(&self, handle: FleetHandle) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(handle.run, handle);
    }

    pub(super) fn remove(&self, run: Uuid) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&run);
    }

    pub(super) fn get(&self, run: Uuid) -> Option<FleetHandle> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&run).cloned()
    }

    pub(in crate::operations) fn all(&self) -> Vec<FleetHandle> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}
