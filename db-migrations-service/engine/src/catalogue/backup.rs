//! `[environments.<name>.backup]`: when an environment is backed up, and for how long backups are kept.

use std::fmt;

use chrono::{DateTime, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use serde::Deserialize;
use time::OffsetDateTime;

use super::Environment;

/// When backups are made, whether they are verified, and which ones are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackupSettings {
    /// A run or a rollback first backs up what it touches. Default: where the environment is protected.
    pub before_run: Option<bool>,
    /// A backup is restored and compared as soon as it is made; a run waits for that too. Default: where the environment is
    /// protected.
    pub verify: Option<bool>,
    /// A verified backup that is not older than this, minutes, and that nobody has changed a schema since, does instead of a new
    /// one before a run. 0 is never.
    pub fresh_for_minutes: u32,
    /// Backups of the last so many days are kept.
    pub keep_days: Option<u32>,
    /// The newest so many backups of the same services are kept.
    pub keep_count: Option<usize>,
    /// One backup a week is kept for so many weeks.
    pub keep_weekly_weeks: Option<u32>,
    /// Backups that are made by the clock.
    pub schedules: Vec<Schedule>,
}

/// `[[environments.<name>.backup.schedules]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// When, in UTC.
    pub cron: CronExpression,
    /// Of which services; empty is the whole database.
    #[serde(default)]
    pub services: Vec<String>,
    /// How long to keep what it makes, days; `None` is what the rules say.
    pub retention_days: Option<u32>,
}

/// A cron expression of five fields – minute, hour, day of the month, month, day of the week – in UTC.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct CronExpression {
    text: String,
    cron: Cron,
}

impl CronExpression {
    /// The newest moment at or before `now` that it names; `None` where there never was one.
    pub fn last_due(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let now: DateTime<Utc> = DateTime::from_timestamp(now.unix_timestamp(), 0)?;
        let due = self.cron.find_previous_occurrence(&now, true).ok()?;
        OffsetDateTime::from_unix_timestamp(due.timestamp()).ok()
    }

    /// The next moment after `now` that it names; `None` where there will be none.
    pub fn next_due(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let now: DateTime<Utc> = DateTime::from_timestamp(now.unix_timestamp(), 0)?;
        let due = self.cron.find_next_occurrence(&now, false).ok()?;
        OffsetDateTime::from_unix_timestamp(due.timestamp()).ok()
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl TryFrom<String> for CronExpression {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        match parser.parse(&text) {
            Ok(cron) => Ok(Self { text, cron }),
            Err(error) => {
                let why = error.to_string();
                Err(format!(
                    "{text:?} is no cron expression ({}); write minute, hour, day of the month, month and day of the week, as in \
                     \"15 2 * * *\"",
                    why.trim_end_matches('.')
                ))
            }
        }
    }
}

impl fmt::Debug for CronExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl PartialEq for CronExpression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for CronExpression {}

impl Environment {
    /// Whether a run first backs up what it touches.
    pub fn backs_up_before_runs(&self) -> bool {
        self.backup.before_run.unwrap_or(self.protected)
    }

    /// Whether a backup is verified as soon as it is made.
    pub fn verifies_backups(&self) -> bool {
        self.backup.verify.unwrap_or(self.protected)
    }
}

/// What of an environment's settings contradicts itself or the services.
pub(super) fn problems(name: &str, settings: &BackupSettings, is_service: impl Fn(&str) -> bool) -> Vec<String> {
    let place = format!("[environments.{name}.backup]");
    let mut problems = Vec::new();
    let numbers = [
        ("keep_days", settings.keep_days),
        ("keep_count", settings.keep_count.and_then(|count| count.try_into().ok())),
        ("keep_weekly_weeks", settings.keep_weekly_weeks),
    ];
    for (key, number) in numbers {
        if number == Some(0) {
            problems.push(format!("{place} {key} must be above 0; leave it out where the rule shall not hold"));
        }
    }
    for (at, schedule) in settings.schedules.iter().enumerate() {
        let place = format!("{place} schedule {} ({})", at + 1, schedule.cron.as_str());
        problems.extend(
            schedule
                .services
                .iter()
                .filter(|service| !is_service(service))
                .map(|service| format!("{place}: there is no service {service:?}")),
        );
        if schedule.retention_days == Some(0) {
            problems.push(format!("{place}: retention_days must be above 0"));
        }
        if settings.schedules[..at]
            .iter()
            .any(|other| other.cron == schedule.cron && other.services == schedule.services)
        {
            problems.push(format!("{place} stands there twice"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::super::Catalogue;
    use super::*;

    fn catalogue(backup: &str) -> Result<Catalogue, String> {
        let text = format!(
            "[project]\nname = \"t\"\n[environments.production]\nprotected = true\n{backup}\n[services.alpha-service]\nschemas = [\"alpha\"]"
        );
        Catalogue::parse(&text).map_err(|error| error.message)
    }

    fn cron(text: &str) -> CronExpression {
        text.to_owned().try_into().unwrap()
    }

    #[test]
    fn a_protected_environment_is_backed_up_and_verified_unless_it_says_otherwise() {
        let read = |backup: &str| {
            let environment = catalogue(backup).unwrap().environments["production"].clone();
            (environment.backs_up_before_runs(), environment.verifies_backups())
        };
        assert_eq!(read(""), (true, true));
        assert_eq!(read("backup = { before_run = false }"), (false, true));
        assert_eq!(read("backup = { verify = false, keep_days = 30 }"), (true, false));
        assert!(!Environment::default().backs_up_before_runs());
    }

    #[test]
    fn what_cannot_be_is_told_with_its_place() {
        let schedule =
            |rest: &str| format!("[[environments.production.backup.schedules]]\ncron = \"15 2 * * *\"\n{rest}");
        for (backup, says) in [
            ("backup = { befor_run = true }".to_owned(), ["services.toml:5:", "befor_run"]),
            (schedule("").replace("15 2", "75 2"), ["services.toml:6:", "\"75 2 * * *\" is no cron expression"]),
            (schedule("").replace("15 2", "0 15 2"), ["services.toml:6:", "is no cron expression"]),
            (schedule("services = [\"beta\"]"), ["schedule 1", "there is no service \"beta\""]),
            (schedule("retention_days = 0"), ["schedule 1", "retention_days must be above 0"]),
            (schedule("") + &schedule(""), ["schedule 2", "stands there twice"]),
            (
                "backup = { keep_count = 0 }".to_owned(),
                ["[environments.production.backup]", "keep_count must be above 0"],
            ),
        ] {
            let told = catalogue(&backup).expect_err(&backup);
            assert!(says.iter().all(|part| told.contains(part)), "{told}");
        }
    }

    #[test]
    fn a_cron_expression_names_moments_in_utc() {
        let night = cron("15 2 * * *");
        assert_eq!(night.last_due(datetime!(2026-11-23 02:15:00 UTC)), Some(datetime!(2026-11-23 02:15 UTC)));
        assert_eq!(night.last_due(datetime!(2026-11-23 02:14:59 UTC)), Some(datetime!(2026-11-22 02:15 UTC)));
        assert_eq!(night.next_due(datetime!(2026-11-23 02:15:00 UTC)), Some(datetime!(2026-11-24 02:15 UTC)));
        assert_eq!(
            cron("0 3 * * SUN").last_due(datetime!(2026-11-23 12:00 UTC)),
            Some(datetime!(2026-11-22 03:00 UTC))
        );
        assert_eq!(cron("0 0 30 2 *").last_due(datetime!(2026-11-23 12:00 UTC)), None);
    }
}
