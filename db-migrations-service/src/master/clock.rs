//! What time it is: by the master database's clock, which all copies of the service share, and not by that of the machine
//! that one of them runs on.
//!
//! It is read where the database is asked anyway. In between, and while the database is away, time goes on as measured by the
//! clock that nobody sets; so a machine whose clock jumps, or is wrong, does nothing too early, too late or twice.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use time::OffsetDateTime;

use super::{Master, MasterError};

/// The database's time when it was last read, and when that was.
#[derive(Debug, Default)]
pub(super) struct MasterClock(Mutex<Option<(OffsetDateTime, Instant)>>);

impl MasterClock {
    pub(super) fn set(&self, now: OffsetDateTime) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, Instant::now()));
    }

    fn now(&self) -> Option<OffsetDateTime> {
        let (at, read) = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        Some(at + read.elapsed())
    }
}

impl Master {
    /// The time. This machine's own, as long as the database was never reached.
    pub fn now(&self) -> OffsetDateTime {
        self.0.clock.now().unwrap_or_else(OffsetDateTime::now_utc)
    }

    /// The time, for what must not be done by this machine's clock.
    ///
    /// # Errors
    /// A master database that was never reached, and is not now.
    pub async fn time(&self) -> Result<OffsetDateTime, MasterError> {
        if self.0.clock.now().is_none() {
            self.ping().await?;
        }
        Ok(self.now())
    }
}
