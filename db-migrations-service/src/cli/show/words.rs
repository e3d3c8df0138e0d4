//! Numbers, times and people, in words.

use std::time::Duration;

use migration_engine::event::Blocker;
use migration_engine::status::MigrationState;
use owo_colors::Style;
use postgres_link::ConnectOptions;
use time::OffsetDateTime;
use time::macros::format_description;

use super::{BAD, DIM, GOOD, WARN};

/// "1 migration", "3 migrations".
pub fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// "12 ms", "1.3 s", "4 min".
pub fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{:.1} s", Duration::from_millis(ms).as_secs_f64()),
        60_000..3_600_000 => format!("{} min", ms / 60_000),
        _ => format!("{:.1} h", ms as f64 / 3_600_000.0),
    }
}

/// "812 B", "4.2 kB", "1.3 GB".
pub fn bytes(n: u64) -> String {
    let mut size = n as f64;
    let mut units = ["B", "kB", "MB", "GB", "TB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    for larger in units {
        if size < 1_000.0 {
            break;
        }
        (size, unit) = (size / 1_000.0, larger);
    }
    if unit == "B" { format!("{n} B") } else { format!("{size:.1} {unit}") }
}

/// To the second, in UTC.
pub fn time(at: OffsetDateTime) -> String {
    at.format(format_description!("[year]-[month]-[day] [hour]:[minute]:[second]")).unwrap_or_default()
}

/// Which database, without the password.
pub fn place(connect: &ConnectOptions) -> String {
    format!("{} on {}", connect.database(), connect.host_summary())
}

/// Who is in the way.
pub fn blocker(blocker: &Blocker) -> String {
    let mut text = format!("process {}", blocker.pid);
    let mut parts: Vec<String> = [&blocker.user, &blocker.application, &blocker.address]
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .cloned()
        .collect();
    let open = blocker.transaction_ms.map(|ms| format!(" for {}", duration(ms.max(0) as u64))).unwrap_or_default();
    if let Some(state) = &blocker.state {
        parts.push(format!("{state}{open}"));
    }
    if !parts.is_empty() {
        text = format!("{text} ({})", parts.join(", "));
    }
    // What our own sessions run says nothing to anybody.
    let ours = blocker.application.as_deref().is_some_and(|name| name.starts_with("profe "));
    if let Some(query) = blocker.query.as_ref().filter(|_| !ours) {
        let line = query.split_whitespace().collect::<Vec<_>>().join(" ");
        let short: String = line.chars().take(60).collect();
        let more = if line.chars().count() > 60 { "…" } else { "" };
        text = format!("{text}: {short}{more}");
    }
    text
}

/// A state's word and colour.
pub fn state_style(state: MigrationState) -> (&'static str, Style) {
    match state {
        MigrationState::Applied => ("applied", GOOD),
        MigrationState::Pending => ("pending", WARN),
        MigrationState::Late => ("late", WARN),
        MigrationState::Edited => ("edited", BAD),
        MigrationState::Missing => ("missing", DIM),
        MigrationState::Failed => ("failed", BAD),
        MigrationState::Interrupted => ("interrupted", BAD),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        for (ms, text) in [(0, "0 ms"), (999, "999 ms"), (1_300, "1.3 s"), (240_000, "4 min"), (5_400_000, "1.5 h")] {
            assert_eq!(duration(ms), text);
        }
    }

    #[test]
    fn a_blocker_is_named() {
        let who = Blocker {
            pid: 42,
            user: Some("ana".into()),
            application: Some("psql".into()),
            address: None,
            state: Some("idle in transaction".into()),
            query: Some("select *\n  from plans.plans".into()),
            transaction_ms: Some(300_000),
        };
        assert_eq!(blocker(&who), "process 42 (ana, psql, idle in transaction for 5 min): select * from plans.plans");
        let ours = Blocker { application: Some("profe migrate 0a1b2c3d by cli:ana".into()), ..who };
        assert!(!blocker(&ours).contains("select"), "{}", blocker(&ours));
    }
}
