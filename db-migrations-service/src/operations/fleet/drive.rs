//! A fleet's run on its way: wave after wave, so many at once on each server, until all had their turn or too many failed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream;
use migration_engine::{EngineError, ErrorCode, Project};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::find::Member;
use super::jobs::FleetHandle;
use super::order::KeptOrder;
use super::run::by_name;
use super::target::{Came, Work};
use crate::master::MasterError;
use crate::master::fleets::{FleetClaim, FleetRunRecord, FleetRunState, FleetTargetRecord, FleetTargetState};
use crate::operations::{Operations, Recording};

/// A claim outlives what may keep its holder from prolonging it; for so long a run rests when its process dies.
pub(super) const LEASE: Duration = Duration::from_secs(30);
const PROLONG_EVERY: Duration = Duration::from_secs(8);
/// Whether somebody asked another process to call the run off is looked at so often.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// What came of databases is written down so often: one statement for all of them.
const WRITE_EVERY: Duration = Duration::from_millis(200);
/// How it ended is tried to be written down so often while the master database is away.
const WRITE_AGAIN: Duration = Duration::from_secs(2);

/// A run with all that it needs.
pub(super) struct Drive {
    work: Work,
    members: HashMap<String, Member>,
    targets: Vec<FleetTargetRecord>,
    /// How many may fail.
    failures: usize,
}

/// What the parts of a run share while it goes on.
struct Road<'a> {
    drive: &'a Drive,
    told: UnboundedSender<FleetTargetRecord>,
    failed: AtomicUsize,
    stop: CancellationToken,
}

impl Drive {
    pub(super) fn new(
        operations: Operations,
        run: FleetRunRecord,
        order: KeptOrder,
        project: &Project,
        members: Vec<Member>,
        (targets, resumed): (Vec<FleetTargetRecord>, bool),
    ) -> Self {
        let failures = order.failures;
        let (environment, actor) = (run.environment, run.actor);
        let project = project.remembering();
        let proofs = Arc::default();
        let work = Work { operations, run: run.id, environment, actor, order, project, resumed, proofs };
        Self { work, members: by_name(members), targets, failures }
    }

    /// Goes on until the end, and writes that down.
    pub(super) async fn go(&self, claim: FleetClaim, handle: &FleetHandle) {
        let (told, heard) = unbounded_channel();
        // When the claim is lost, what is in hand is taken back, too.
        let stop = handle.stop.child_token();
        let road = Road { drive: self, told, failed: AtomicUsize::new(0), stop: stop.clone() };
        let writing =
            tokio::spawn(write_down(self.work.operations.clone(), claim, heard, (handle.clone(), stop.clone())));
        let stopped = road.all_waves().await;
        drop(road);
        let is_ours = writing.await.unwrap_or(false);
        // Taken back because nothing could be written down: somebody is to go on with it.
        let was_cut_off = stop.is_cancelled() && !handle.stop.is_cancelled();
        let end = match stopped {
            _ if handle.hand_over.is_cancelled() || was_cut_off => None,
            _ if handle.stop.is_cancelled() => Some((FleetRunState::Cancelled, None)),
            Some(why) => Some((FleetRunState::Stopped, Some(why))),
            None => Some((FleetRunState::Completed, None)),
        };
        if !is_ours {
            tracing::warn!(run = %claim.run, "a run over a fleet is not this process's any more; another one goes on with it");
            return;
        }
        let (state, why) = end.map_or((None, None), |(state, why)| (Some(state), why));
        let operations = &self.work.operations;
        while let Err(error) = operations.master().release_fleet_run(claim, state, why.as_deref()).await {
            if !tries_again(operations, handle, &error).await {
                tracing::error!(run = %claim.run, %error, "the end of a run over a fleet could not be written down");
                return;
            }
        }
    }
}

impl Road<'_> {
    /// Answers why it was stopped, where it was.
    async fn all_waves(&self) -> Option<String> {
        let mut waves: BTreeMap<i32, Vec<&FleetTargetRecord>> = BTreeMap::new();
        for target in self.drive.targets.iter().filter(|target| !target.state.is_done()) {
            waves.entry(target.wave).or_default().push(target);
        }
        for (wave, targets) in waves {
            self.one_wave(wave, targets).await;
            if self.stop.is_cancelled() {
                return None;
            }
            if let Some(why) = self.too_many(wave) {
                return Some(why);
            }
        }
        None
    }

    fn too_many(&self, wave: i32) -> Option<String> {
        let failed = self.failed.load(Ordering::Relaxed);
        if wave == 0 && failed > 0 {
            return Some(format!("{failed} of those that go first failed, and all of them must succeed"));
        }
        let may = self.drive.failures;
        let most = if may == 0 { "none may".to_owned() } else { format!("at most {may} may") };
        (failed > may).then(|| format!("{failed} failed, and {most}"))
    }

    async fn one_wave(&self, wave: i32, targets: Vec<&FleetTargetRecord>) {
        let mut servers: BTreeMap<&str, Vec<&FleetTargetRecord>> = BTreeMap::new();
        for target in targets {
            // host:port/database
            servers.entry(target.name.rsplit_once('/').map_or("", |(server, _)| server)).or_default().push(target);
        }
        let mut under_way = Vec::new();
        for targets in servers.into_values() {
            let turns: Vec<_> = targets.into_iter().map(|target| self.turn(wave, target)).collect();
            under_way.push(stream::iter(turns).buffer_unordered(self.drive.work.order.per_server).collect::<()>());
        }
        join_all(under_way).await;
    }

    /// Whoever is not begun stays pending, for whoever goes on.
    async fn turn(&self, wave: i32, target: &FleetTargetRecord) {
        if !self.stop.is_cancelled() && self.too_many(wave).is_none() {
            self.one(target).await;
        }
    }

    async fn one(&self, target: &FleetTargetRecord) {
        self.tell(target, FleetTargetState::Running, |_| {});
        let came = match self.drive.members.get(&target.name) {
            Some(member) => self.drive.work.bring(member, &self.stop).await,
            None => Came::Failed(Box::new(
                EngineError::new(ErrorCode::DatabaseUnavailable, "the fleet no longer has this database")
                    .cure("put it back into the fleet, or begin a new run without it"),
            )),
        };
        let done = match self.drive.work.order.aim.back() {
            Some(_) => FleetTargetState::RolledBack,
            None => FleetTargetState::Applied,
        };
        match came {
            Came::Done(count, last) => self.tell(target, done, |record| {
                record.migrations = i32::try_from(count).unwrap_or(i32::MAX);
                record.version = last.map(|id| id.to_string());
            }),
            Came::Nothing => self.tell(target, FleetTargetState::Skipped, |_| {}),
            Came::Cancelled => self.tell(target, FleetTargetState::Pending, |_| {}),
            Came::Failed(error) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                // A command says it at its end.
                if self.drive.work.operations.0.recording == Recording::First {
                    tracing::warn!(run = %self.drive.work.run, database = target.name, %error, "a database of a fleet failed");
                }
                self.tell(target, FleetTargetState::Failed, |record| record.error = serde_json::to_value(&error).ok());
            }
        }
    }

    fn tell(&self, target: &FleetTargetRecord, state: FleetTargetState, more: impl FnOnce(&mut FleetTargetRecord)) {
        let mut record = FleetTargetRecord { state, version: None, migrations: 0, error: None, ..target.clone() };
        more(&mut record);
        // The writer ends after the last one who tells.
        let _ = self.told.send(record);
    }
}

/// Writes down what is told, keeps the claim, and looks whether the run is to be called off. Answers whether it is still ours; when it no longer is, `stop` is set.
async fn write_down(
    operations: Operations,
    claim: FleetClaim,
    mut heard: UnboundedReceiver<FleetTargetRecord>,
    (handle, stop): (FleetHandle, CancellationToken),
) -> bool {
    let mut prolong = tokio::time::interval(PROLONG_EVERY);
    let mut look = tokio::time::interval(LOOK_EVERY);
    let mut write = tokio::time::interval(WRITE_EVERY);
    write.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut waiting: BTreeMap<i32, FleetTargetRecord> = BTreeMap::new();
    let mut lost_since: Option<tokio::time::Instant> = None;
    loop {
        let kept = tokio::select! {
            told = heard.recv() => {
                let Some(record) = told else { break };
                waiting.insert(record.place, record);
                continue;
            }
            // Where there is nothing to write nobody was asked, and the claim may be lost all the same.
            _ = write.tick(), if !waiting.is_empty() => keep(&operations, claim, &mut waiting).await,
            _ = prolong.tick() => operations.master().prolong_fleet_run(claim, LEASE).await,
            _ = look.tick() => operations.master().is_fleet_asked_to_cancel(claim.run).await.map(|asked| {
                if asked {
                    handle.cancel();
                }
                true
            }),
        };
        match kept {
            Ok(true) => lost_since = None,
            Ok(false) => {
                stop.cancel();
                return false;
            }
            Err(error) => {
                tracing::warn!(run = %claim.run, %error, "a run over a fleet could not be written down");
                // Somebody else may have it when the lease has lapsed.
                let since = *lost_since.get_or_insert_with(tokio::time::Instant::now);
                if since.elapsed() + PROLONG_EVERY > LEASE {
                    stop.cancel();
                }
            }
        }
    }
    loop {
        match keep(&operations, claim, &mut waiting).await {
            Ok(is_ours) => return is_ours,
            Err(error) if tries_again(&operations, &handle, &error).await => {}
            Err(error) => {
                tracing::error!(run = %claim.run, %error, "what came of the last databases of a fleet could not be written down");
                return false;
            }
        }
    }
}

/// Whether what could not be written down is tried again, after a while. Whoever serves has time; a command has none, and another
/// process goes on with its run.
async fn tries_again(operations: &Operations, handle: &FleetHandle, error: &MasterError) -> bool {
    let is_patient = operations.0.recording == Recording::First && !handle.hand_over.is_cancelled();
    if error.unavailable && is_patient {
        tracing::warn!(run = %handle.run(), %error, "how a run over a fleet ended is not written down yet");
        return handle.hand_over.run_until_cancelled(tokio::time::sleep(WRITE_AGAIN)).await.is_some();
    }
    false
}

async fn keep(
    operations: &Operations,
    claim: FleetClaim,
    waiting: &mut BTreeMap<i32, FleetTargetRecord>,
) -> Result<bool, MasterError> {
    if waiting.is_empty() {
        return Ok(true);
    }
    let records: Vec<_> = waiting.values().cloned().collect();
    let kept = operations.master().keep_fleet_targets(claim, &records).await;
    if matches!(kept, Ok(true)) {
        waiting.clear();
    }
    kept
}
