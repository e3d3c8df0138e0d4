//! Leaving the server alone while its standbys are behind, or while others need it.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::journal;
use crate::catalogue::BackfillSettings;
use crate::error::{EngineError, ErrorCode};
use crate::event::Event;
use crate::run::apply::{StepEnd, ended};
use crate::run::attempt::Hands;
use crate::run::steps::Step;
use crate::target::session::own_statement;

/// How often the server is looked at between batches.
const LOOK: Duration = Duration::from_secs(1);

/// How often it is looked at while batches pause.
const AGAIN: Duration = Duration::from_millis(250);

/// How often a pause that goes on is told.
const TELL: Duration = Duration::from_secs(5);

/// Looks, and pauses.
pub(super) struct Pressure {
    looked: Option<Instant>,
}

impl Pressure {
    pub(super) fn new() -> Self {
        Self { looked: None }
    }

    /// Returns when the next batch may begin. A pause has an end: the run's, with what was done kept.
    pub(super) async fn allows(&mut self, hands: &Hands<'_>, step: &Step) -> Result<(), StepEnd> {
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK) {
            return Ok(());
        }
        let settings = &hands.settings.backfill;
        let begun = Instant::now();
        let mut told: Option<Instant> = None;
        loop {
            let why =
                look(hands, settings).await.map_err(|error| StepEnd::Failed(Box::new(error.migration(&step.id))))?;
            self.looked = Some(Instant::now());
            let Some(why) = why else { return Ok(()) };
            let waited = begun.elapsed();
            if told.is_none_or(|told| told.elapsed() >= TELL) {
                pauses(hands, step, &why, waited, told.is_none()).await?;
                told = Some(Instant::now());
            }
            if waited >= Duration::from_secs(settings.patience_s) {
                return Err(StepEnd::Failed(Box::new(
                    EngineError::new(
                        ErrorCode::BackfillStalled,
                        format!("the backfill of {} has paused for {} s: {why}", step.id, waited.as_secs()),
                    )
                    .cure("see to it, then run again: it goes on where it stopped; or change [run.backfill] in config/services.toml")
                    .migration(&step.id),
                )));
            }
            rest(hands, AGAIN).await?;
        }
    }
}

/// Tells that batches pause, and keeps why in the target when it begins.
pub(super) async fn pauses(
    hands: &Hands<'_>,
    step: &Step,
    why: &str,
    waited: Duration,
    is_new: bool,
) -> Result<(), StepEnd> {
    hands.context.events.send(Event::BackfillPaused {
        migration: step.id.clone(),
        why: why.to_owned(),
        waited_ms: waited.as_millis() as u64,
    });
    if is_new {
        hands.send(&step.id, &journal::waits(step, Some(why))).await.map_err(|(stopped, _)| {
            ended(stopped, step, |error| own_statement(error, "keeping how far the backfill has come"))
        })?;
    }
    Ok(())
}

/// Sleeps, unless the run is cancelled.
pub(super) async fn rest(hands: &Hands<'_>, time: Duration) -> Result<(), StepEnd> {
    tokio::select! {
        () = sleep(time) => Ok(()),
        () = hands.context.cancel.cancelled() => Err(StepEnd::Cancelled),
    }
}

/// Why batches should pause.
async fn look(hands: &Hands<'_>, settings: &BackfillSettings) -> Result<Option<String>, EngineError> {
    let query = format!(
        "SELECT (SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND backend_type = 'client backend' \
                  AND pid NOT IN (pg_backend_pid(), {})), \
                current_setting('max_connections')::int8 / 2, \
                (SELECT max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn))::int8 FROM pg_stat_replication)",
        hands.conn.backend_pid()
    );
    let outcome =
        hands.quiet().batch(&query).await.map_err(|error| own_statement(&error, "looking at the server's load"))?;
    let number = |column| outcome.value(0, column).and_then(|text| text.parse::<u64>().ok());
    let (active, half, behind) = (number(0).unwrap_or(0), number(1).unwrap_or(u64::MAX), number(2).unwrap_or(0));
    let most = settings.max_active.unwrap_or(half);
    let behind_mib = behind >> 20;
    Ok(if settings.max_lag_mib > 0 && behind_mib >= settings.max_lag_mib {
        Some(format!("a standby is {behind_mib} MiB behind"))
    } else if most > 0 && active > most {
        Some(format!("{active} sessions are at work"))
    } else {
        None
    })
}
