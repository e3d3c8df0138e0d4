//! What the service knows of itself and its targets, for whoever watches over them: Prometheus, and the alerts.
//!
//! Two sources: what is done is counted as it happens, by everybody who does it ([`meters`]); everything else is looked at by a
//! task that goes round every few seconds ([`sampler`]) and keeps the last [`sample`]. Whoever asks is given what is at
//! hand: no question to a database hangs on a scrape, so scraping costs the targets nothing and does not wait for them.

pub(crate) mod disk;
mod exposition;
mod families;
pub(crate) mod history;
pub(crate) mod meters;
pub(crate) mod sample;
mod sampler;

use std::sync::Arc;

use history::Histories;
use meters::{Meters, RunMeter};
use sample::Samples;

/// The counters and the last samples. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Monitor {
    meters: Arc<Meters>,
    samples: Arc<Samples>,
    history: Arc<Histories>,
}

impl Monitor {
    /// What was counted.
    pub(crate) fn meters(&self) -> &Meters {
        &self.meters
    }

    /// What was looked at last.
    pub(crate) fn samples(&self) -> &Samples {
        &self.samples
    }

    /// What was seen of each target over a day.
    pub(crate) fn history(&self) -> &Histories {
        &self.history
    }

    /// Counts what happens in a run on this environment.
    pub(crate) fn run(&self, environment: &str) -> RunMeter {
        RunMeter::new(Arc::clone(&self.meters), environment)
    }
}
