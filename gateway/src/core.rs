//! What all requests share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use kernel::Secret;
use keyring::Keyring;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::routing::{Making, Routing};
use crate::settings::Times;
use crate::table::Table;

pub(crate) struct Core {
    pub(crate) keyring: Keyring,
    pub(crate) limits: Limits,
    pub(crate) metrics: Metrics,
    pub(crate) origins: Vec<String>,
    pub(crate) trusted_hops: usize,
    pub(crate) webhook_secrets: BTreeMap<String, Secret>,
    pub(crate) times: Times,
    pub(crate) making: Making,
    routing: RwLock<Arc<Routing>>,
    /// WebSockets that are let through, and what ends them.
    pub(crate) tunnels: TaskTracker,
    pub(crate) closing: CancellationToken,
    draining: AtomicBool,
}

impl Core {
    pub(crate) fn new(
        settings: &crate::Settings,
        keyring: Keyring,
        table: Table,
        making: Making,
    ) -> Result<Self, String> {
        let metrics = Metrics::default();
        let routing = Routing::start(table, &making, &metrics, None)?;
        Ok(Self {
            keyring,
            limits: Limits::new(),
            metrics,
            origins: settings.allowed_origins.clone(),
            trusted_hops: settings.trusted_hops,
            webhook_secrets: settings.webhook_secrets.clone(),
            times: settings.times,
            making,
            routing: RwLock::new(Arc::new(routing)),
            tunnels: TaskTracker::new(),
            closing: CancellationToken::new(),
            draining: AtomicBool::new(false),
        })
    }

    pub(crate) fn routing(&self) -> Arc<Routing> {
        Arc::clone(&self.routing.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Another table counts from the next request on; requests under way go on by theirs.
    pub(crate) fn take(&self, table: Table) -> Result<(), String> {
        let new = Routing::start(table, &self.making, &self.metrics, Some(&self.routing()))?;
        *self.routing.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
        Ok(())
    }

    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Why it should be sent no requests.
    pub(crate) fn missing(&self) -> Option<&'static str> {
        if self.draining.load(Ordering::Relaxed) {
            return Some("it is about to end");
        }
        (!self.keyring.is_known()).then_some("the keys of the auth service are not known yet")
    }
}
