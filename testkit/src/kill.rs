//! Killing what a test has started: when, and what is left of it.

use std::fs;
use std::time::Duration;

/// The variable that sets another seed than the usual one: a number.
const SEED: &str = "PROFE_TEST_SEED";

/// What random moments are drawn from; a test that fails prints it.
pub fn seed() -> u64 {
    std::env::var(SEED).map_or(20_260_901, |text| text.parse().unwrap_or_else(|_| panic!("{SEED} is no number")))
}

/// Moments at random, one in each of `count` equal shares of a duration.
pub fn moments(seed: u64, count: u32, of: Duration) -> Vec<Duration> {
    let share = of / count;
    // SplitMix64, of the first bits of which a fraction is made.
    let fraction = |at: u32| {
        let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(u64::from(at) + 1));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        f64::from(((z ^ (z >> 31)) >> 32) as u32) / f64::from(u32::MAX)
    };
    (0..count).map(|at| share * at + share.mul_f64(fraction(at))).collect()
}

/// The command lines of all processes that were started with this variable, by whoever started them: children inherit it.
pub fn processes_with(variable: &str, value: &str) -> Vec<String> {
    let wanted = format!("{variable}={value}");
    let entries = fs::read_dir("/proc").expect("Linux");
    let line = |entry: fs::DirEntry| {
        // One that has just ended has none; those of others cannot be read.
        let environment = fs::read(entry.path().join("environ")).ok()?;
        let has_it = environment.split(|byte| *byte == 0).any(|one| one == wanted.as_bytes());
        has_it.then(|| fs::read(entry.path().join("cmdline")).unwrap_or_default())
    };
    let lines =
        entries.filter_map(|entry| line(entry.ok()?)).map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.collect()
}
