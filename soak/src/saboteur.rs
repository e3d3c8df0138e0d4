//! Breaks what was drawn, and mends it.

use std::fs::File;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use postgres_link::AdminConn;
use rustix::process::{Pid, Signal, kill_process};

use crate::Outcome;
use crate::journal::Journal;
use crate::plan::{Fault, Lane};
use crate::world::{PLATFORM, SMALL_DISK, World};

/// What whoever holds a lock waits for it themselves.
const LOCK_WITHIN: &str = "2s";
/// Written at once when a disk is filled; then less and less.
const FILL_BYTES: usize = 1 << 20;
/// More sessions than a server has.
const ALL_SESSIONS: usize = 200;

/// Whoever does it.
pub struct Saboteur {
    /// What is broken.
    pub world: Arc<World>,
}

impl Saboteur {
    fn journal(&self) -> &Journal {
        &self.world.journal
    }

    /// Does a lane's steps, each at its time or when the one before is mended.
    pub async fn walk(self: Arc<Self>, lane: Lane<Fault>, until: Instant) {
        for step in lane.steps {
            tokio::time::sleep_until((self.journal().begun() + step.at).into()).await;
            if Instant::now() >= until {
                return;
            }
            self.journal().tell(&lane.name, &step.what.to_string());
            match self.strike(step.what, until).await {
                Ok(()) => self.journal().tell(&lane.name, "… is over"),
                Err(error) => self.journal().tell(&lane.name, &format!("… {error}")),
            }
        }
    }

    async fn strike(&self, fault: Fault, until: Instant) -> Outcome<()> {
        let world = &self.world;
        // Nothing outlasts the soak.
        let last = async |time: Duration| tokio::time::sleep_until((Instant::now() + time).min(until).into()).await;
        match fault {
            Fault::KillCopy { copy, back } => world.copies[copy].kill(back),
            Fault::EndCopy { copy, back } => world.copies[copy].end(back),
            Fault::StopCopy { copy, lasts } => {
                world.copies[copy].stop();
                last(lasts).await;
                world.copies[copy].go_on();
            }
            Fault::KillBackend { server, which } => {
                let pid = self.one_backend(server, which).await?;
                let pid = Pid::from_raw(pid).ok_or("it has ended")?;
                kill_process(pid, Signal::KILL).map_err(|error| error.to_string())?;
            }
            Fault::EndBackend { server, which } => {
                let pid = self.one_backend(server, which).await?;
                world.servers[server].rows("postgres", &format!("SELECT pg_terminate_backend({pid})")).await?;
            }
            Fault::KillServer { server, back } => self.down(server, Signal::KILL, last(back)).await?,
            Fault::QuitServer { server, back } => self.down(server, Signal::QUIT, last(back)).await?,
            Fault::HoldLock { server, which, lasts } => {
                let _holder = self.hold_lock(server, which).await?;
                last(lasts).await;
            }
            Fault::TakeConnections { server, lasts } => {
                let mut taken = Vec::new();
                while taken.len() < ALL_SESSIONS {
                    match world.servers[server].session("postgres").await {
                        Ok(session) => taken.push(session),
                        Err(_) => break,
                    }
                }
                self.journal().tell("", &format!("{} sessions taken", taken.len()));
                last(lasts).await;
            }
            Fault::FillDisk { lasts } => {
                self.fill().await?;
                last(lasts).await;
                // The server may have ended with it.
                let filler = world.servers[SMALL_DISK].filler().to_owned();
                std::fs::remove_file(filler).map_err(|error| error.to_string())?;
                self.up(SMALL_DISK).await?;
            }
            Fault::Cut { place, lasts } => {
                world.line(place).cut();
                last(lasts).await;
                world.line(place).heal();
            }
            Fault::Stall { place, lasts } => {
                world.line(place).stall();
                last(lasts).await;
                world.line(place).heal();
            }
            Fault::Delay { place, by, lasts } => {
                world.line(place).delay(by);
                last(lasts).await;
                world.line(place).heal();
            }
            Fault::Drop { place } => world.line(place).drop_connections(),
            Fault::KillRedis { back } => {
                world.redis.kill();
                last(back).await;
                world.redis.ensure_running()?;
            }
            Fault::StopRedis { lasts } => {
                world.redis.signal(Signal::STOP);
                last(lasts).await;
                world.redis.signal(Signal::CONT);
            }
        }
        Ok(())
    }

    async fn down(&self, server: usize, signal: Signal, while_away: impl Future<Output = ()>) -> Outcome<()> {
        self.world.servers[server].signal(signal);
        while_away.await;
        self.up(server).await
    }

    async fn up(&self, server: usize) -> Outcome<()> {
        let world = Arc::clone(&self.world);
        let started = tokio::task::spawn_blocking(move || world.servers[server].ensure_running());
        started.await.map_err(|error| error.to_string())?
    }

    /// A session of the service, of a target or of whatever else is there.
    async fn one_backend(&self, server: usize, which: u64) -> Outcome<i32> {
        let sql = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name <> 'soak' \
                   ORDER BY pid";
        let rows = self.world.servers[server].rows("postgres", sql).await?;
        let count = u64::try_from(rows.len()).unwrap_or_default();
        let row = usize::try_from(which.checked_rem(count).ok_or("no session is there")?).unwrap_or_default();
        rows[row][0].parse().map_err(|_| "no number".to_owned())
    }

    /// A session that holds a lock, and does nothing else.
    async fn hold_lock(&self, server: usize, which: u64) -> Outcome<AdminConn> {
        let (database, table) = if server == 0 {
            (
                PLATFORM,
                ["auth.users", "plans.plans", "users.user_profiles"][usize::try_from(which % 3).unwrap_or_default()],
            )
        } else {
            let here: Vec<&str> =
                self.world.tenants.iter().filter(|(at, _)| *at == server).map(|(_, name)| name.as_str()).collect();
            let at = usize::try_from(which).unwrap_or_default() % here.len().max(1);
            (*here.get(at).ok_or("the server has no database")?, "tenants.students")
        };
        let session = self.world.servers[server].session(database).await?;
        let sql = format!("SET lock_timeout = '{LOCK_WITHIN}'; BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
        session.batch(&sql).await.map_err(|error| error.to_string())?;
        Ok(session)
    }

    async fn fill(&self) -> Outcome<()> {
        let path = self.world.servers[SMALL_DISK].filler().to_owned();
        let fill = move || {
            let mut file = File::create(path)?;
            let mut size = FILL_BYTES;
            let bytes = vec![1; FILL_BYTES];
            while size > 0 {
                // What was written before the disk was full stays.
                if file.write_all(&bytes[..size]).is_err() {
                    size /= 2;
                }
            }
            Ok::<_, std::io::Error>(())
        };
        let filled = tokio::task::spawn_blocking(fill).await.map_err(|error| error.to_string())?;
        filled.map_err(|error| error.to_string())
    }
}
