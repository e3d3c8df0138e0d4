//! `[run.backfill]`: how gently rows are filled, batch by batch.

use serde::Deserialize;

/// How a backfill treats the server and those who use it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackfillSettings {
    /// How long a batch shall take, milliseconds: its rows are locked for so long. `-- batch-ms:` says otherwise for one.
    pub batch_ms: u64,
    /// Batches pause while a standby is further behind than this, mebibytes of WAL; 0 does not look.
    pub max_lag_mib: u64,
    /// Batches pause while more sessions than this are at work; 0 does not look. Default: half of `max_connections`.
    pub max_active: Option<u64>,
    /// How long one pause may last before the run gives up, seconds; the next run goes on where it stopped.
    pub patience_s: u64,
}

impl Default for BackfillSettings {
    fn default() -> Self {
        Self { batch_ms: 200, max_lag_mib: 64, max_active: None, patience_s: 3_600 }
    }
}

/// What cannot be meant.
pub(super) fn problem(settings: &BackfillSettings) -> Option<String> {
    (settings.batch_ms == 0 || settings.patience_s == 0)
        .then(|| "[run.backfill] batch_ms and patience_s must be above 0: no wait is unbounded".to_owned())
}
