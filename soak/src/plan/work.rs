//! What the soak asks of the service.

use std::fmt;
use std::time::Duration;

use super::{Lane, Size, lane};
use crate::chance::Chance;
use crate::world::project::TENANT_MIGRATIONS;

/// Services of the platform that are backed up alone.
const BACKED_UP: [&str; 3] = ["chat-service", "plans-service", "auth-service"];

/// One thing to ask for. `copy` is the one that is asked first; where it does not answer, the next one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Bring the fleet forward, up to one migration or to the newest, and wait for so long for its end.
    FleetForward { copy: usize, to: Option<u64>, wave: u64, per_server: u64, wait: Duration },
    /// Take the fleet back.
    FleetBack { copy: usize, steps: u64, wait: Duration },
    /// Go on with the fleet's newest run.
    FleetResume { copy: usize },
    /// Stop what is under way on the fleet.
    FleetCancel { copy: usize },
    /// Ask where the fleet stands.
    FleetStatus { copy: usize },
    /// Bring the platform forward.
    PlatformForward { copy: usize, dry: bool, wait: Duration },
    /// Take the platform back.
    PlatformBack { copy: usize, steps: u64, wait: Duration },
    /// Fill the platform with its development data.
    Seeds { copy: usize, wait: Duration },
    /// Stop the platform's newest run.
    PlatformCancel { copy: usize },
    /// Look at everything that can be looked at.
    Look { copy: usize },
    /// Back up one service, or the whole database.
    Backup { copy: usize, service: Option<&'static str>, wait: Duration },
    /// Restore the newest backup into a new database.
    Restore { copy: usize, wait: Duration },
    /// Prove the newest backup.
    VerifyBackup { copy: usize },
    /// Stop what is being done with the newest backup.
    BackupCancel { copy: usize },
    /// A command, killed after so long where it says so.
    Command { words: &'static [&'static str], kill_after: Option<Duration> },
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FleetForward { copy, to, wave, per_server, wait } => write!(
                f,
                "copy {copy}: fleet forward to {} in waves of {wave}, {per_server} per server; wait {wait:?}",
                to.map_or_else(|| "the newest".to_owned(), |to| to.to_string())
            ),
            Self::FleetBack { copy, steps, wait } => write!(f, "copy {copy}: fleet back by {steps}; wait {wait:?}"),
            Self::FleetResume { copy } => write!(f, "copy {copy}: resume the fleet's newest run"),
            Self::FleetCancel { copy } => write!(f, "copy {copy}: cancel the fleet's run"),
            Self::FleetStatus { copy } => write!(f, "copy {copy}: where the fleet stands"),
            Self::PlatformForward { copy, dry, wait } => {
                write!(f, "copy {copy}: platform forward{}; wait {wait:?}", if *dry { ", dry" } else { "" })
            }
            Self::PlatformBack { copy, steps, wait } => {
                write!(f, "copy {copy}: platform back by {steps}; wait {wait:?}")
            }
            Self::Seeds { copy, wait } => write!(f, "copy {copy}: seeds; wait {wait:?}"),
            Self::PlatformCancel { copy } => write!(f, "copy {copy}: cancel the platform's run"),
            Self::Look { copy } => write!(f, "copy {copy}: look at everything"),
            Self::Backup { copy, service, wait } => {
                write!(f, "copy {copy}: backup of {}; wait {wait:?}", service.unwrap_or("everything"))
            }
            Self::Restore { copy, wait } => write!(f, "copy {copy}: restore the newest backup; wait {wait:?}"),
            Self::VerifyBackup { copy } => write!(f, "copy {copy}: verify the newest backup"),
            Self::BackupCancel { copy } => write!(f, "copy {copy}: cancel the newest backup's work"),
            Self::Command { words, kill_after } => {
                write!(f, "command line: profe {}", words.join(" "))?;
                kill_after.map_or(Ok(()), |after| write!(f, "; kill -9 after {after:?}"))
            }
        }
    }
}

pub(super) fn lanes(seed: u64, size: Size) -> Vec<Lane<Work>> {
    let of = |name: &str, pause_ms, draw: fn(&mut Chance, usize) -> Work| {
        lane(seed, name.to_owned(), size.length, pause_ms, |chance| {
            let copy = chance.below(size.copies);
            draw(chance, copy)
        })
    };
    vec![
        of("fleet", (1_000, 8_000), fleet),
        of("fleet-too", (10_000, 40_000), fleet),
        of("platform", (1_000, 10_000), platform),
        of("platform-too", (10_000, 40_000), platform),
        of("backups", (5_000, 20_000), backups),
        of("looks", (500, 3_000), |_, copy| Work::Look { copy }),
        of("terminal", (10_000, 30_000), terminal),
    ]
}

fn patience(chance: &mut Chance) -> Duration {
    Duration::from_secs(chance.between(0, 30))
}

fn fleet(chance: &mut Chance, copy: usize) -> Work {
    match chance.below(12) {
        0..5 => Work::FleetForward {
            copy,
            to: chance.one_in(2).then(|| chance.between(2, TENANT_MIGRATIONS)),
            wave: chance.between(2, 20),
            per_server: chance.between(1, 5),
            wait: patience(chance),
        },
        5..8 => Work::FleetBack { copy, steps: chance.between(1, 4), wait: patience(chance) },
        8 => Work::FleetResume { copy },
        9 => Work::FleetCancel { copy },
        _ => Work::FleetStatus { copy },
    }
}

fn platform(chance: &mut Chance, copy: usize) -> Work {
    match chance.below(12) {
        0..5 => Work::PlatformForward { copy, dry: false, wait: patience(chance) },
        5..9 => Work::PlatformBack { copy, steps: chance.between(1, 12), wait: patience(chance) },
        9 => Work::PlatformForward { copy, dry: true, wait: patience(chance) },
        10 => Work::Seeds { copy, wait: patience(chance) },
        _ => Work::PlatformCancel { copy },
    }
}

fn backups(chance: &mut Chance, copy: usize) -> Work {
    match chance.below(8) {
        0..4 => {
            let service = chance.one_in(2).then(|| BACKED_UP[chance.below(BACKED_UP.len())]);
            Work::Backup { copy, service, wait: patience(chance) }
        }
        4..6 => Work::Restore { copy, wait: patience(chance) },
        6 => Work::VerifyBackup { copy },
        _ => Work::BackupCancel { copy },
    }
}

fn terminal(chance: &mut Chance, _: usize) -> Work {
    const COMMANDS: [&[&str]; 8] = [
        &["migrate", "run"],
        &["migrate", "rollback", "--steps", "3"],
        &["fleet", "run", "tenants"],
        &["fleet", "rollback", "tenants", "--steps", "1"],
        &["migrate", "status"],
        &["fleet", "status", "tenants"],
        &["backup", "create", "--description", "from a terminal"],
        &["doctor"],
    ];
    let words = COMMANDS[chance.below(COMMANDS.len())];
    let kill_after = chance.one_in(3).then(|| Duration::from_millis(chance.between(50, 5_000)));
    Work::Command { words, kill_after }
}
