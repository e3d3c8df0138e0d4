//! What this process does with backups: making, verifying, restoring; under way and just over.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use backup_vault::{Progress, Restored, RestoredTable, Stages};
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::job_view::{BackupAction, JobView, ProgressView};
use super::restore_view::RestoreStage;
use crate::master::backups::BackupRecord;
use crate::master::restores::RestoreRecord;
use crate::operations::{Caller, OperationError};

/// Jobs that are over and kept at hand, for whoever asks how they ended.
const REMEMBERED: usize = 64;

/// What came of a job.
#[derive(Debug, Clone)]
pub(super) enum Done {
    /// It was made.
    Made,
    /// It was verified, whatever that has shown.
    Verified,
    /// It was restored into a new database.
    Restored(Restored),
    /// It, or some of its tables, was restored into the live database.
    InPlace,
}

pub(super) type End = Result<Done, OperationError>;

/// What a job restores.
pub(super) struct Restoring {
    record: Mutex<RestoreRecord>,
    /// What the restore does now, where it is one into a live database.
    pub stages: Arc<Stages>,
    /// The tables, where it is only some.
    pub tables: Vec<RestoredTable>,
}

impl Restoring {
    pub(super) fn new(record: RestoreRecord, stages: Arc<Stages>, tables: Vec<RestoredTable>) -> Self {
        Self { record: Mutex::new(record), stages, tables }
    }

    pub(super) fn record(&self) -> RestoreRecord {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes what is kept of it, and answers what that is then.
    pub(super) fn change(&self, change: impl FnOnce(&mut RestoreRecord)) -> RestoreRecord {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut record);
        record.clone()
    }
}

/// What a job's backup is of, for those who are told of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Subject {
    /// Which environment it concerns, where that is known.
    pub environment: Option<String>,
    /// The services; empty is the whole database.
    pub services: Vec<String>,
}

/// A job of this process on a backup. Cheap to clone; dropping it does not stop the job.
#[derive(Clone)]
pub struct BackupHandle(pub(super) Arc<Job>);

pub(super) struct Job {
    /// The backup's name.
    pub id: String,
    pub action: BackupAction,
    pub actor: String,
    pub started_at: OffsetDateTime,
    /// The same by the clock that nobody sets.
    pub begun: Instant,
    pub progress: Arc<Progress>,
    pub cancel: CancellationToken,
    /// It is cancelled because the process ends.
    handed_over: AtomicBool,
    pub subject: Subject,
    /// What is restored, and into what.
    pub restoring: Option<Restoring>,
    /// The backup being made, which no storage has yet.
    pub record: Mutex<Option<BackupRecord>>,
    end: watch::Sender<Option<End>>,
}

impl BackupHandle {
    pub(super) fn new(
        id: &str,
        action: BackupAction,
        (caller, subject, started_at): (&Caller, Subject, OffsetDateTime),
        restoring: Option<Restoring>,
        record: Option<BackupRecord>,
    ) -> Self {
        Self(Arc::new(Job {
            id: id.to_owned(),
            action,
            actor: caller.actor.to_string(),
            started_at,
            begun: Instant::now(),
            progress: Arc::default(),
            cancel: CancellationToken::new(),
            handed_over: AtomicBool::new(false),
            subject,
            restoring,
            record: Mutex::new(record),
            end: watch::Sender::new(None),
        }))
    }

    /// The backup's id.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Stops it; what was begun is taken back.
    pub fn cancel(&self) {
        self.0.cancel.cancel();
    }

    /// Stops it because the process ends: another copy makes it anew, where it is one that is gone on with.
    pub(in crate::operations) fn hand_over(&self) {
        self.0.handed_over.store(true, Ordering::Relaxed);
        self.cancel();
    }

    pub(super) fn is_handed_over(&self) -> bool {
        self.0.handed_over.load(Ordering::Relaxed)
    }

    /// What it does now, where it restores into a live database.
    pub fn stage(&self) -> Option<RestoreStage> {
        let restoring = self.0.restoring.as_ref().filter(|_| !self.is_over())?;
        RestoreStage::of(restoring)
    }

    /// How far it has come.
    pub fn progress(&self) -> ProgressView {
        ProgressView::from(&*self.0.progress)
    }

    /// Waits until it is over and written down.
    ///
    /// # Errors
    /// What stopped it.
    pub async fn finished(&self) -> Result<(), OperationError> {
        let mut end = self.0.end.subscribe();
        // The sender lives as long as `self`, so the wait ends with an end.
        match end.wait_for(Option::is_some).await.ok().and_then(|end| end.clone()) {
            Some(Err(error)) => Err(error),
            Some(Ok(_)) | None => Ok(()),
        }
    }

    pub(super) fn end(&self) -> Option<End> {
        self.0.end.borrow().clone()
    }

    pub(in crate::operations) fn is_over(&self) -> bool {
        self.0.end.borrow().is_some()
    }

    pub(super) fn over(&self, end: End) {
        self.0.end.send_replace(Some(end));
    }

    pub(super) fn record(&self) -> Option<BackupRecord> {
        self.0.record.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn keep(&self, record: BackupRecord) {
        *self.0.record.lock().unwrap_or_else(PoisonError::into_inner) = Some(record);
    }

    pub(super) fn restore(&self) -> Option<RestoreRecord> {
        self.0.restoring.as_ref().map(Restoring::record)
    }

    pub(super) fn view(&self) -> JobView {
        JobView::of(self)
    }
}

/// The jobs of this process, one at a time for each backup.
#[derive(Default)]
pub(in crate::operations) struct BackupJobs(Mutex<Shelf>);

#[derive(Default)]
struct Shelf {
    jobs: HashMap<String, BackupHandle>,
    finished: VecDeque<String>,
}

impl BackupJobs {
    pub(in crate::operations) fn all(&self) -> Vec<BackupHandle> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).jobs.values().cloned().collect()
    }

    pub(super) fn get(&self, id: &str) -> Option<BackupHandle> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).jobs.get(id).cloned()
    }

    /// Puts it on the shelf, unless another is under way for its backup; that one is given back.
    pub(super) fn begin(&self, job: &BackupHandle) -> Result<(), BackupHandle> {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(other) = shelf.jobs.get(job.id()).filter(|other| !other.is_over()) {
            return Err(other.clone());
        }
        shelf.jobs.insert(job.id().to_owned(), job.clone());
        Ok(())
    }

    pub(super) fn retire(&self, id: &str) {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.finished.push_back(id.to_owned());
        if shelf.finished.len() > REMEMBERED
            && let Some(oldest) = shelf.finished.pop_front()
            && shelf.jobs.get(&oldest).is_some_and(BackupHandle::is_over)
            && !shelf.finished.contains(&oldest)
        {
            shelf.jobs.remove(&oldest);
        }
    }

    pub(super) fn forget(&self, id: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).jobs.remove(id);
    }
}
