//! What a restore is doing, for whoever looks.

use std::sync::atomic::{AtomicU8, Ordering};

/// The stages of a restore into a live database, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Stage {
    /// The backup is restored into a database beside.
    Restoring = 1,
    /// What came of it is compared with what the backup says of itself.
    Comparing,
    /// It is copied into the live database, where nobody sees it.
    Copying,
    /// It takes its place there.
    Swapping,
}

/// The stage that a restore is in.
#[derive(Debug, Default)]
pub struct Stages(AtomicU8);

impl Stages {
    /// The stage; `None` before the first.
    pub fn now(&self) -> Option<Stage> {
        let all = [Stage::Restoring, Stage::Comparing, Stage::Copying, Stage::Swapping];
        all.into_iter().find(|stage| *stage as u8 == self.0.load(Ordering::Relaxed))
    }

    pub(crate) fn enter(&self, stage: Stage) {
        self.0.store(stage as u8, Ordering::Relaxed);
    }
}
