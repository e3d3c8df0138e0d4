//! The soak: real copies of the service over real servers, asked for everything it can do while everything under it breaks; then
//! all is mended, and what must hold is looked at.
//!
//! What is asked and what is broken is drawn from a seed before anything begins ([`plan`]), so a soak that failed is repeated by
//! `--seed`: the same choices at the same times, as far as the machine keeps up. It is a program and no test function, because it
//! lasts as long as one wants.

mod ask;
mod chance;
mod director;
mod journal;
mod ledger;
mod listener;
mod plan;
mod saboteur;
mod soak;
mod summary;
mod verdict;
mod world;

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use clap::Parser;

use journal::Journal;
use plan::{Plan, Size};
use soak::Order;
use world::Extent;

/// What went wrong with the soak itself, in one sentence.
type Outcome<T> = Result<T, String>;

/// Copies of the service under faults, for as long as you like; ends with 0 when all is well, with 1 when something is
/// not, with 2 when the soak itself could not be run
#[derive(Debug, Parser)]
struct Arguments {
    /// What everything is drawn from; default: another one each time
    #[arg(long)]
    seed: Option<u64>,
    /// For how long things break, seconds
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How many databases the fleet has
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u16).range(2..=400))]
    tenants: u16,
    /// How many copies of the service
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=8))]
    copies: u16,
    /// Where the journal and the copies' logs go
    #[arg(long, default_value = "target/soak")]
    folder: PathBuf,
    /// Leave out what fills a disk: it needs the right to mount one
    #[arg(long)]
    no_small_disk: bool,
    /// Say what would be done and broken, and when, and do nothing
    #[arg(long)]
    plan: bool,
}

/// Set in the process that has a place of its own for mounts.
const APART: &str = "PROFE_SOAK_APART";

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let small_disk = !arguments.no_small_disk && can_mount();
    if small_disk && !arguments.plan && std::env::var_os(APART).is_none() {
        // What is mounted is gone with the last process that sees it, however it ends.
        let mut again = Command::new("unshare");
        again.args(["--mount", "--propagation", "private", "--"]).args(std::env::args_os()).env(APART, "1");
        return say(2, &format!("the soak cannot be run apart: {}", again.exec()));
    }
    match run(&arguments, small_disk) {
        Ok(code) => code,
        Err(error) => say(2, &error),
    }
}

fn run(arguments: &Arguments, small_disk: bool) -> Outcome<ExitCode> {
    let seed = arguments.seed.unwrap_or_else(from_the_clock);
    let length = Duration::from_secs(arguments.seconds);
    let copies = usize::from(arguments.copies);
    let plan = Plan::of(seed, Size { copies, length, small_disk });
    if arguments.plan {
        return Ok(say(0, plan.to_string().trim_end()));
    }
    std::fs::create_dir_all(&arguments.folder).map_err(|error| error.to_string())?;
    empty(&arguments.folder)?;
    let journal = Arc::new(Journal::new(&arguments.folder)?);
    journal.tell("", &format!("seed {seed}, {length:?}, {} steps", plan.steps()));
    say(0, &format!("Seed {seed}; the journal is {}.", journal.path().display()));
    if !small_disk {
        say(0, "No disk is filled: that needs the right to mount one.");
    }
    let extent = Extent { copies, tenants: usize::from(arguments.tenants), small_disk };
    let order = Order { seed, plan, length, extent };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| error.to_string())?;
    let summary = runtime.block_on(soak::run(order, Arc::clone(&journal)));
    // Connections that somebody left open are nobody's any more.
    runtime.shutdown_background();
    let summary = summary?;
    journal.tell("", &summary.to_string());
    let again = format!(
        "Again: make soak SEED={seed} SOAK_SECONDS={} — journal and logs: {}",
        arguments.seconds,
        arguments.folder.display()
    );
    let (code, end) = if summary.is_well() { (0, String::new()) } else { (1, format!("\n{again}")) };
    Ok(say(code, &format!("{summary}{end}")))
}

/// What the last soak has left there.
fn empty(folder: &Path) -> Outcome<()> {
    for entry in std::fs::read_dir(folder).map_err(|error| error.to_string())?.flatten() {
        if entry.path().extension().is_some_and(|end| end == "log") {
            std::fs::remove_file(entry.path()).map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

fn can_mount() -> bool {
    std::env::var_os(APART).is_some()
        || Command::new("unshare").args(["--mount", "true"]).output().is_ok_and(|output| output.status.success())
}

fn from_the_clock() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[expect(clippy::print_stdout, reason = "it is a command")]
fn say(code: u8, text: &str) -> ExitCode {
    println!("{text}");
    ExitCode::from(code)
}
