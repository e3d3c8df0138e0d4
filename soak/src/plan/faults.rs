//! What the soak breaks.

use std::fmt;
use std::time::Duration;

use super::{Lane, Size, lane};
use crate::chance::Chance;
use crate::world::{SERVERS, SMALL_DISK};

/// A line of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// From all copies to a server with targets.
    Server(usize),
    /// From one copy to the master database.
    Master(usize),
    /// From one copy to Redis.
    Redis(usize),
    /// From all copies to the storage of backups.
    Storage,
}

/// One thing that breaks, for so long where it lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// `kill -9` of a copy; started again after so long.
    KillCopy { copy: usize, back: Duration },
    /// SIGTERM to a copy; started again after so long.
    EndCopy { copy: usize, back: Duration },
    /// A copy stands still.
    StopCopy { copy: usize, lasts: Duration },
    /// `kill -9` of one process of a server, chosen among those that are there; PostgreSQL ends all sessions.
    KillBackend { server: usize, which: u64 },
    /// `pg_terminate_backend` of one, likewise.
    EndBackend { server: usize, which: u64 },
    /// `kill -9` of PostgreSQL; started again after so long.
    KillServer { server: usize, back: Duration },
    /// SIGQUIT to PostgreSQL: an immediate stop; started again after so long.
    QuitServer { server: usize, back: Duration },
    /// Somebody locks a table in a database, chosen among those that are there, and goes away for so long.
    HoldLock { server: usize, which: u64, lasts: Duration },
    /// Somebody takes all connections.
    TakeConnections { server: usize, lasts: Duration },
    /// The disk is full.
    FillDisk { lasts: Duration },
    /// Every connection is reset, new ones too.
    Cut { place: Place, lasts: Duration },
    /// Nothing comes through, nobody is told.
    Stall { place: Place, lasts: Duration },
    /// Everything takes longer.
    Delay { place: Place, by: Duration, lasts: Duration },
    /// Connections are reset, new ones are good.
    Drop { place: Place },
    /// Redis is killed, and comes back empty.
    KillRedis { back: Duration },
    /// Redis hangs.
    StopRedis { lasts: Duration },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(server) => write!(f, "the line to server {}", SERVERS[*server]),
            Self::Master(copy) => write!(f, "the line of copy {copy} to the master database"),
            Self::Redis(copy) => write!(f, "the line of copy {copy} to Redis"),
            Self::Storage => write!(f, "the line to S3"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |server: &usize| SERVERS[*server];
        match self {
            Self::KillCopy { copy, back } => write!(f, "kill -9 of copy {copy}, back after {back:?}"),
            Self::EndCopy { copy, back } => write!(f, "SIGTERM to copy {copy}, back after {back:?}"),
            Self::StopCopy { copy, lasts } => write!(f, "SIGSTOP to copy {copy} for {lasts:?}"),
            Self::KillBackend { server, which } => write!(f, "kill -9 of backend {which} of server {}", name(server)),
            Self::EndBackend { server, which } => write!(f, "end of backend {which} of server {}", name(server)),
            Self::KillServer { server, back } => {
                write!(f, "kill -9 of PostgreSQL {}, back after {back:?}", name(server))
            }
            Self::QuitServer { server, back } => {
                write!(f, "immediate stop of PostgreSQL {}, back after {back:?}", name(server))
            }
            Self::HoldLock { server, which, lasts } => {
                write!(f, "lock on a table of database {which} of server {} for {lasts:?}", name(server))
            }
            Self::TakeConnections { server, lasts } => {
                write!(f, "all connections of server {} taken for {lasts:?}", name(server))
            }
            Self::FillDisk { lasts } => write!(f, "disk of server {} full for {lasts:?}", SERVERS[SMALL_DISK]),
            Self::Cut { place, lasts } => write!(f, "{place} cut for {lasts:?}"),
            Self::Stall { place, lasts } => write!(f, "{place} half open for {lasts:?}"),
            Self::Delay { place, by, lasts } => write!(f, "{place} with a delay of {by:?} for {lasts:?}"),
            Self::Drop { place } => write!(f, "{place}: connections reset"),
            Self::KillRedis { back } => write!(f, "kill -9 of Redis, back after {back:?}"),
            Self::StopRedis { lasts } => write!(f, "Redis hangs for {lasts:?}"),
        }
    }
}

pub(super) fn lanes(seed: u64, size: Size) -> Vec<Lane<Fault>> {
    let mut lanes = Vec::new();
    for copy in 0..size.copies {
        lanes.push(lane(seed, format!("copy-{copy}"), size.length, (15_000, 60_000), |chance| of_copy(chance, copy)));
        let places = [Place::Master(copy), Place::Master(copy), Place::Redis(copy)];
        lanes.push(lane(seed, format!("lines-{copy}"), size.length, (20_000, 60_000), |chance| {
            let place = places[chance.below(places.len())];
            of_line(chance, place)
        }));
    }
    for (server, name) in SERVERS.iter().enumerate() {
        lanes.push(lane(seed, format!("server-{name}"), size.length, (15_000, 50_000), |chance| {
            of_server(chance, server, size.small_disk)
        }));
        lanes.push(lane(seed, format!("line-{name}"), size.length, (20_000, 60_000), |chance| {
            of_line(chance, Place::Server(server))
        }));
        lanes.push(lane(seed, format!("locks-{name}"), size.length, (10_000, 40_000), |chance| Fault::HoldLock {
            server,
            which: chance.between(0, 99),
            lasts: lasting(chance),
        }));
    }
    lanes.push(lane(seed, "storage".to_owned(), size.length, (20_000, 60_000), |chance| {
        of_line(chance, Place::Storage)
    }));
    lanes.push(lane(seed, "redis".to_owned(), size.length, (20_000, 60_000), |chance| {
        if chance.one_in(2) {
            Fault::KillRedis { back: lasting(chance) }
        } else {
            Fault::StopRedis { lasts: lasting(chance) }
        }
    }));
    lanes
}

/// Mostly seconds; sometimes longer than any lease.
fn lasting(chance: &mut Chance) -> Duration {
    if chance.one_in(8) {
        Duration::from_millis(chance.between(45_000, 75_000))
    } else {
        Duration::from_millis(chance.between(200, 9_000))
    }
}

/// A machine comes back within seconds.
fn back(chance: &mut Chance) -> Duration {
    Duration::from_millis(chance.between(100, 6_000))
}

fn of_copy(chance: &mut Chance, copy: usize) -> Fault {
    match chance.below(5) {
        0..2 => Fault::KillCopy { copy, back: back(chance) },
        2..4 => Fault::EndCopy { copy, back: back(chance) },
        _ => Fault::StopCopy { copy, lasts: lasting(chance) },
    }
}

fn of_server(chance: &mut Chance, server: usize, small_disk: bool) -> Fault {
    match chance.below(if small_disk && server == SMALL_DISK { 8 } else { 6 }) {
        0 => Fault::KillBackend { server, which: chance.between(0, 99) },
        1..3 => Fault::EndBackend { server, which: chance.between(0, 99) },
        3 => Fault::KillServer { server, back: back(chance) },
        4 => Fault::QuitServer { server, back: back(chance) },
        5 => Fault::TakeConnections { server, lasts: Duration::from_millis(chance.between(500, 8_000)) },
        _ => Fault::FillDisk { lasts: Duration::from_millis(chance.between(500, 8_000)) },
    }
}

fn of_line(chance: &mut Chance, place: Place) -> Fault {
    match chance.below(5) {
        0 => Fault::Cut { place, lasts: lasting(chance) },
        1 => Fault::Stall { place, lasts: lasting(chance) },
        2..4 => {
            let by = Duration::from_millis(chance.between(5, 200));
            Fault::Delay { place, by, lasts: lasting(chance) }
        }
        _ => Fault::Drop { place },
    }
}
