//! Which backups may go.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use time::{Duration, OffsetDateTime};

use crate::manifest::{BackupId, Scope};

/// How long backups are kept. A backup stays that any of the rules keeps; without any rule all stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// Those of the last so many days. A backup's own retention takes the place of this.
    pub days: Option<u32>,
    /// The newest so many of each scope.
    pub count: Option<usize>,
    /// One a week, the first of it, for so many weeks: 52 is a year.
    pub weekly: Option<u32>,
}

/// What must be known of a backup to say whether it may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Which.
    pub id: BackupId,
    /// Its environment.
    pub environment: String,
    /// What it covers.
    pub scope: Scope,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// Its own retention, days.
    pub retention_days: Option<u32>,
    /// Whether it was verified, and held.
    pub verified: bool,
}

/// Whether a backup may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing keeps it.
    Goes,
    /// There is no rule that it could go by.
    NoRule,
    /// It is younger than so many days; `own` says that it said so itself.
    Young {
        /// The days.
        days: u32,
        /// Its own retention, and not the rule's.
        own: bool,
    },
    /// It is among the newest so many of its scope.
    Counted(usize),
    /// It is the first of its week, of the last so many weeks.
    Weekly(u32),
    /// It is the newest verified one of a service, or of a whole database.
    LastVerified,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Goes => f.write_str("no rule keeps it"),
            Self::NoRule => f.write_str("there is no rule for it"),
            Self::Young { days, own: false } => write!(f, "it is younger than {days} days"),
            Self::Young { days, own: true } => write!(f, "it is to be kept for {days} days"),
            Self::Counted(count) => write!(f, "it is among the newest {count}"),
            Self::Weekly(weeks) => write!(f, "it is the first of its week, of the last {weeks} weeks"),
            Self::LastVerified => f.write_str("it is the last one that was verified"),
        }
    }
}

/// What the rules say of each of `backups` at `now`, the newest first.
///
/// The newest verified one of each service, and of each whole database, never does, whatever the rules say: a service's is also kept
/// by a newer verified one of its whole database.
pub fn judge(backups: &[Kept], retention: Retention, now: OffsetDateTime) -> Vec<(BackupId, Verdict)> {
    let mut newest_first: Vec<&Kept> = backups.iter().collect();
    newest_first.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
    let last = last_verified(&newest_first);
    let weekly = weekly(&newest_first, retention.weekly, now);
    let mut counted: BTreeMap<(&str, &[String]), usize> = BTreeMap::new();
    let mut judged = Vec::with_capacity(backups.len());
    for backup in newest_first {
        let seen = counted.entry((&backup.environment, &backup.scope.services)).or_default();
        *seen += 1;
        let own = backup.retention_days.is_some();
        let days = backup.retention_days.or(retention.days);
        // Whoever gave it a time of its own did not ask for its place among the others.
        let count = retention.count.filter(|_| !own);
        let young = days.filter(|days| now - backup.created_at < Duration::days((*days).into()));
        let verdict = match (young, count.filter(|count| *seen <= *count), retention.weekly) {
            (Some(days), ..) => Verdict::Young { days, own },
            (_, Some(count), _) => Verdict::Counted(count),
            (.., Some(weeks)) if weekly.contains(&backup.id) => Verdict::Weekly(weeks),
            _ if last.contains(&backup.id) => Verdict::LastVerified,
            (.., weeks) if days.is_none() && count.is_none() && weeks.is_none() => Verdict::NoRule,
            _ => Verdict::Goes,
        };
        judged.push((backup.id.clone(), verdict));
    }
    judged
}

fn last_verified(newest_first: &[&Kept]) -> BTreeSet<BackupId> {
    let mut covered: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut last = BTreeSet::new();
    for backup in newest_first.iter().filter(|backup| backup.verified) {
        let environment = backup.environment.as_str();
        let whole = covered.contains(&(environment, ""));
        let services: Vec<&str> = match backup.scope.services.as_slice() {
            [] => vec![""],
            services => services.iter().map(String::as_str).collect(),
        };
        for service in services {
            if !whole && covered.insert((environment, service)) {
                last.insert(backup.id.clone());
            }
        }
    }
    last
}

/// The first of each week and scope, of the last `weeks`.
fn weekly(newest_first: &[&Kept], weeks: Option<u32>, now: OffsetDateTime) -> BTreeSet<BackupId> {
    let Some(weeks) = weeks else { return BTreeSet::new() };
    let mut first: BTreeMap<(&str, &[String], i32, u8), &BackupId> = BTreeMap::new();
    for backup in newest_first.iter().filter(|backup| now - backup.created_at < Duration::weeks(weeks.into())) {
        let (year, week, _) = backup.created_at.date().to_iso_week_date();
        // An older one of the same week takes its place.
        first.insert((&backup.environment, &backup.scope.services, year, week), &backup.id);
    }
    first.into_values().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = time::macros::datetime!(2026-11-22 12:00 UTC);

    fn backup(days_ago: i64, service: &str, verified: bool) -> Kept {
        let created_at = NOW - Duration::days(days_ago);
        let services: Vec<String> = Some(service.to_owned()).into_iter().filter(|s| !s.is_empty()).collect();
        Kept {
            id: BackupId::new(created_at, service, u32::from(verified)),
            environment: "production".to_owned(),
            scope: Scope { schemas: services.clone(), services },
            created_at,
            retention_days: None,
            verified,
        }
    }

    /// How many days ago those were made that go.
    fn gone(backups: &[Kept], retention: Retention) -> Vec<i64> {
        let judged = judge(backups, retention, NOW);
        let days_ago = |id| backups.iter().find(|b| b.id == id).map(|b| (NOW - b.created_at).whole_days()).unwrap();
        judged.into_iter().rev().filter(|(_, verdict)| *verdict == Verdict::Goes).map(|(id, _)| days_ago(id)).collect()
    }

    #[test]
    fn without_a_rule_all_stay() {
        assert!(gone(&[backup(9_000, "auth", false)], Retention::default()).is_empty());
    }

    #[test]
    fn a_backup_stays_that_any_rule_keeps() {
        let backups: Vec<Kept> = (0..10).map(|day| backup(day, "auth", false)).collect();
        let days = Retention { days: Some(3), ..Retention::default() };
        assert_eq!(gone(&backups, days), [9, 8, 7, 6, 5, 4, 3]);
        assert_eq!(gone(&backups, Retention { count: Some(5), ..days }), [9, 8, 7, 6, 5]);
        let why = judge(&backups, Retention { count: Some(4), weekly: Some(52), ..days }, NOW);
        let why: Vec<Verdict> = why.into_iter().map(|(_, verdict)| verdict).collect();
        assert_eq!(
            why[2..7],
            [
                Verdict::Young { days: 3, own: false },
                Verdict::Counted(4),
                Verdict::Goes,
                Verdict::Goes,
                Verdict::Weekly(52)
            ]
        );
        // 2026-11-16, six days ago, was a Monday.
        assert_eq!(gone(&backups, Retention { weekly: Some(52), ..days }), [8, 7, 5, 4, 3]);
    }

    #[test]
    fn its_own_retention_takes_the_place_of_the_rule() {
        let mut backups = vec![backup(5, "auth", false), backup(6, "auth", false), backup(1, "auth", false)];
        backups[0].retention_days = Some(30);
        backups[2].retention_days = Some(1);
        assert_eq!(gone(&backups, Retention { days: Some(3), count: Some(1), weekly: None }), [6, 1]);
        assert_eq!(gone(&backups, Retention::default()), [1], "it said so itself");
    }

    #[test]
    fn the_last_verified_one_of_a_service_never_goes() {
        let rule = Retention { days: Some(1), ..Retention::default() };
        let backups =
            [backup(10, "auth", true), backup(20, "auth", true), backup(5, "auth", false), backup(30, "plans", true)];
        assert_eq!(gone(&backups, rule), [20, 5]);
        // A newer one of the whole database has them too.
        let whole = [backup(10, "auth", true), backup(8, "", true), backup(20, "", true)];
        assert_eq!(gone(&whole, rule), [20, 10]);
    }
}
