//! Which process does something, so that another can tell later whether it is still there.
//!
//! A process number alone does not: numbers come round again, and in containers they are all 1. Machine, boot, number
//! and start time together do. Where `/proc` is not to be had, only the silence of a run tells.

use std::fs;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Master, MasterError};

/// One process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// The machine's name.
    pub host: String,
    /// Changes with every start of the machine.
    pub boot_id: String,
    /// The process's number.
    pub pid: i32,
    /// When the process started, in clock ticks since the machine did; 0 where that cannot be known.
    pub process_start: i64,
}

impl Instance {
    /// This process.
    pub fn current() -> Self {
        let pid = std::process::id().cast_signed();
        Self {
            host: line("/proc/sys/kernel/hostname"),
            boot_id: line("/proc/sys/kernel/random/boot_id"),
            pid,
            process_start: process_start(pid).unwrap_or(0),
        }
    }

    /// Whether the process is certainly gone, seen from `self`'s machine. `false` where that cannot be known.
    pub fn knows_dead(&self, other: &Self) -> bool {
        if other.host != self.host || other.boot_id.is_empty() || self.boot_id.is_empty() {
            return false;
        }
        other.boot_id != self.boot_id
            || (other.process_start != 0 && process_start(other.pid) != Some(other.process_start))
    }
}

impl Master {
    /// By which this master database and the copies of the service on it are told from others that share something with them.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn installation(&self) -> Result<String, MasterError> {
        let rows =
            self.query("SELECT value FROM migration_service.master_meta WHERE key = 'installation'", &[]).await?;
        Ok(rows.first().map(|row| row.get(0)).unwrap_or_default())
    }

    /// This process, as a row keeps it for others to find out whether it is gone.
    pub(super) fn process(&self) -> Value {
        serde_json::to_value(self.instance()).unwrap_or_default()
    }

    /// Whether a process that a row keeps is certainly gone.
    pub(super) fn is_gone(&self, process: Option<Value>) -> bool {
        let process = process.and_then(|process| serde_json::from_value::<Instance>(process).ok());
        process.is_some_and(|process| self.instance().knows_dead(&process))
    }
}

fn line(path: &str) -> String {
    fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default()
}

/// Field 22 of `/proc/<pid>/stat` (proc(5)). The second field may hold blanks and brackets, so the rest is counted
/// from its last bracket.
fn process_start(pid: i32) -> Option<i64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_living_process_is_not_dead_and_its_number_is_not_enough() {
        let me = Instance::current();
        assert!(!me.knows_dead(&me));
        assert!(me.knows_dead(&Instance { process_start: me.process_start + 1, ..me.clone() }));
        assert!(me.knows_dead(&Instance { boot_id: "another".to_owned(), ..me.clone() }));
        assert!(
            !me.knows_dead(&Instance { host: "elsewhere".to_owned(), ..me.clone() }),
            "nothing is known of other machines"
        );
    }
}
