//! What will be done and what will be broken, and when: all of it drawn from the seed before anything begins.
//!
//! A lane is a sequence of steps that come one after the other; lanes go on beside each other. What a step finds depends on
//! how fast the machine is, what the steps are does not.

mod faults;
mod work;

pub use faults::{Fault, Place};
pub use work::Work;

use std::fmt;
use std::time::Duration;

use crate::chance::Chance;

/// One thing to do in a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step<T> {
    /// After the beginning of the soak; not before the step before it is over.
    pub at: Duration,
    /// What.
    pub what: T,
}

/// Steps one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane<T> {
    /// As the journal has it.
    pub name: String,
    /// In their order.
    pub steps: Vec<Step<T>>,
}

/// All lanes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What is asked of the service.
    pub work: Vec<Lane<Work>>,
    /// What is broken under it.
    pub faults: Vec<Lane<Fault>>,
}

/// How large it is.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Copies of the service.
    pub copies: usize,
    /// From the first step to the last.
    pub length: Duration,
    /// Whether the disk of a server can be filled.
    pub small_disk: bool,
}

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64, size: Size) -> Self {
        Self { work: work::lanes(seed, size), faults: faults::lanes(seed, size) }
    }

    /// How many steps it has.
    pub fn steps(&self) -> usize {
        self.work.iter().map(|lane| lane.steps.len()).sum::<usize>()
            + self.faults.iter().map(|lane| lane.steps.len()).sum::<usize>()
    }
}

/// Steps with pauses of so many milliseconds between them, until the time is over.
fn lane<T>(
    seed: u64,
    name: String,
    length: Duration,
    pause_ms: (u64, u64),
    mut draw: impl FnMut(&mut Chance) -> T,
) -> Lane<T> {
    let mut chance = Chance::of(seed, &name);
    let mut at = Duration::ZERO;
    let mut steps = Vec::new();
    loop {
        at += Duration::from_millis(chance.between(pause_ms.0, pause_ms.1));
        if at >= length {
            return Lane { name, steps };
        }
        steps.push(Step { at, what: draw(&mut chance) });
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        for lane in &self.work {
            lines.extend(lane.steps.iter().map(|step| (step.at, &lane.name, step.what.to_string())));
        }
        for lane in &self.faults {
            lines.extend(lane.steps.iter().map(|step| (step.at, &lane.name, step.what.to_string())));
        }
        lines.sort();
        lines.iter().try_for_each(|(at, lane, what)| writeln!(f, "{:9.3}  {lane:<16}  {what}", at.as_secs_f64()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { copies: 3, length: Duration::from_mins(30), small_disk: true };

    #[test]
    fn a_seed_has_one_plan() {
        let plan = Plan::of(7, SIZE);
        assert_eq!(plan, Plan::of(7, SIZE));
        assert_ne!(plan, Plan::of(8, SIZE));
        assert!(plan.steps() > 500, "{}", plan.steps());
    }

    #[test]
    fn a_longer_soak_begins_as_a_shorter_one() {
        let (short, long) = (Plan::of(7, Size { length: Duration::from_mins(5), ..SIZE }), Plan::of(7, SIZE));
        for (short, long) in short.faults.iter().zip(&long.faults) {
            assert_eq!(short.steps, long.steps[..short.steps.len()], "{}", short.name);
        }
        for (short, long) in short.work.iter().zip(&long.work) {
            assert_eq!(short.steps, long.steps[..short.steps.len()], "{}", short.name);
        }
    }

    #[test]
    fn in_half_an_hour_everything_happens() {
        let plan = Plan::of(7, SIZE).to_string();
        for word in [
            "kill -9 of copy",
            "kill -9 of PostgreSQL",
            "SIGTERM",
            "SIGSTOP",
            "backend",
            "PostgreSQL",
            "cut",
            "delay",
            "half open",
            "lock",
            "connections",
            "kill -9 of Redis",
            "Redis hangs",
            "S3",
            "disk",
            "forward",
            "back",
            "backup",
            "restore",
            "cancel",
            "command line",
            "resume",
        ] {
            assert!(plan.contains(word), "nothing with {word:?} in\n{plan}");
        }
    }
}
