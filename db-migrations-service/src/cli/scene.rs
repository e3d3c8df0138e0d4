//! What stands on the terminal while a run goes on: lines of what is done, and on a terminal one that moves.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use migration_engine::event::{Blocker, Event};
use owo_colors::OwoColorize;
use tokio::time::Instant;

use super::follow::Doing;
use super::show::{BOLD, DIM, GOOD, Output, WARN, blocker, count, duration};

/// A statement that runs so long is shown with its first line.
const LONG: Duration = Duration::from_secs(1);

/// What stands on the terminal.
pub(super) struct Scene {
    output: Output,
    doing: Doing,
    line: ProgressBar,
    current: String,
    /// The migration is one transaction.
    is_whole: bool,
    /// When and how the moving line shows the running statement by its first line.
    running: Option<(Instant, String)>,
    /// Who is in the way was said for this attempt.
    named: bool,
}

impl Scene {
    /// An empty stage for a run of so many migrations.
    pub(super) fn new(output: Output, doing: Doing, total: usize) -> Self {
        let line = if output.is_live() && total > 0 { ProgressBar::new(total as u64) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {pos}/{len} {wide_msg} {elapsed}") {
            line.set_style(style);
        }
        line.enable_steady_tick(Duration::from_millis(100));
        Self { output, doing, line, current: String::new(), is_whole: false, running: None, named: false }
    }

    /// Takes the moving line away.
    pub(super) fn end(&self) {
        self.line.finish_and_clear();
    }

    /// A line above the moving one.
    pub(super) fn say(&self, text: &str) {
        self.line.suspend(|| self.output.line(text));
    }

    /// When [`lasts`](Self::lasts) has to be called, unless something happens before.
    pub(super) fn due(&self) -> Option<Instant> {
        self.running.as_ref().map(|(due, _)| *due)
    }

    /// The running statement has taken long.
    pub(super) fn lasts(&mut self) {
        if let Some((_, shown)) = self.running.take() {
            self.line.set_message(shown);
        }
    }

    /// Shows what happened.
    pub(super) fn event(&mut self, event: &Event) {
        if !matches!(event, Event::Waiting { .. }) {
            self.running = None;
        }
        match event {
            Event::Planned { migrations, dry_run } if !migrations.is_empty() => {
                let what = count(migrations.len(), "migration");
                let note = if *dry_run { " (dry run: nothing of it stays)" } else { "" };
                let verb = if self.doing == Doing::TakeBack { "Taking back" } else { "Applying" };
                self.say(&format!("{verb} {what}{note}").style(BOLD).to_string());
            }
            Event::Planned { .. } | Event::Finished { .. } | Event::MigrationFailed { .. } => {}
            Event::BackingUp { services, .. } => {
                self.say(&format!("{} backing up {} first", "·".style(DIM), services.join(", ")));
            }
            Event::VerifyingBackup { .. } => {
                self.say(&format!("{} restoring the backup into a scratch database, to compare", "·".style(DIM)));
            }
            Event::BackedUp { backup_id, accepted, verified, duration_ms } => {
                let how = match (accepted, verified) {
                    (true, _) => "is verified and still fits".to_owned(),
                    (false, true) => format!("made and verified in {}", duration(*duration_ms)),
                    (false, false) => format!("made in {}", duration(*duration_ms)),
                };
                self.say(&format!("{} backup {backup_id} {}", "✓".style(GOOD), how.style(DIM)));
            }
            Event::Preparing { what } => self.say(&format!("{} {what}", "·".style(DIM))),
            Event::Validating { gates } => {
                let names: Vec<&str> = gates.iter().map(|gate| gate.as_str()).collect();
                self.say(&format!("{} through the gates: {}", "·".style(DIM), names.join(", ")));
            }
            Event::Validated { passed, .. } => {
                if *passed {
                    self.say(&format!("{} every gate holds", "✓".style(GOOD)));
                }
            }
            Event::MigrationStarted { migration, name, late, transactional, .. } => {
                self.is_whole = *transactional;
                self.current = format!("{migration} {name}");
                self.line.set_message(self.current.clone());
                if *late {
                    self.say(&format!(
                        "{} {migration} comes late: newer ones of its schema are applied",
                        "!".style(WARN)
                    ));
                }
            }
            Event::StatementStarted { statement, through, of, line, tag, text, .. } => {
                let which =
                    if statement == through { statement.to_string() } else { format!("{statement}–{through}") };
                self.line.set_message(format!("{}: {which}/{of} {tag}", self.current));
                self.running = Some((Instant::now() + LONG, format!("{which}/{of} line {line}: {text}")));
            }
            // What is done of a transaction stands only when all of it is.
            Event::StatementFinished { .. } if self.is_whole => self.line.set_message(self.current.clone()),
            Event::StatementFinished { statement, of, tag, resumed, duration_ms, .. } => {
                let how = if *resumed { "done before".to_owned() } else { duration(duration_ms.round() as u64) };
                self.say(&format!("  {} {statement}/{of} {tag}, {how}", "·".style(DIM)));
            }
            Event::Waiting { statement, waited_ms, blockers, .. } => {
                let what = statement.map(|statement| format!("statement {statement} ")).unwrap_or_default();
                let how_long = duration(*waited_ms);
                self.say(&format!("  {what}{} for a lock, {how_long} so far", "waiting".style(WARN)));
                self.blockers(blockers);
                self.named = true;
            }
            Event::Retrying { attempt, of, delay_ms, blockers, .. } => {
                let again = format!("attempt {attempt} of {of} got no lock, again in {}", duration(*delay_ms));
                self.say(&format!("  {}: {again}", "blocked".style(WARN)));
                if !std::mem::take(&mut self.named) {
                    self.blockers(blockers);
                }
            }
            Event::Yielded { budget_ms, victims, .. } => {
                let who = count(victims.len(), "session");
                self.say(&format!("  {} to {who} that waited {}", "gave way".style(WARN), duration(*budget_ms)));
            }
            Event::InTheWay { blockers } => {
                self.say(&format!("{} long transactions hold what the run needs:", "!".style(WARN)));
                self.blockers(blockers);
            }
            Event::Repaired { what, .. } => self.say(&format!("  {} {what}", "repaired:".style(WARN))),
            Event::BackfillProgress { relation, rows_done, rows_estimated, rows_per_second, left_ms, .. } => {
                let left = left_ms.map(|ms| format!(", {} left", duration(ms))).unwrap_or_default();
                let share = format!("{rows_done} of about {rows_estimated} rows");
                let line = format!("{}: {relation}, {share}, {rows_per_second}/s{left}", self.current);
                self.line.set_message(line);
                self.running = None;
            }
            Event::BackfillPaused { why, waited_ms, .. } => {
                self.say(&format!("  {} {}: {why}", "pauses".style(WARN), duration(*waited_ms)));
            }
            Event::NotTried { migration, why } => self.line.set_message(format!("{migration}: {why}")),
            Event::MigrationFinished { duration_ms, .. } => {
                self.line.inc(1);
                self.say(&format!("{} {}  {}", "✓".style(GOOD), self.current, duration(*duration_ms).style(DIM)));
            }
        }
    }

    fn blockers(&self, blockers: &[Blocker]) {
        for who in blockers {
            self.say(&format!("    held by {}", blocker(who)));
        }
    }
}
