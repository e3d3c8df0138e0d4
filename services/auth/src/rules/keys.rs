//! When keys that sign tokens come and go.

use time::{Duration, OffsetDateTime};

/// How long a key signs.
pub(crate) const SIGNS_FOR: Duration = Duration::days(30);
/// How long it is published before: services read the keys every hour.
pub(crate) const AHEAD: Duration = Duration::days(1);
/// How long it is published beyond the last token that it signed: a copy that was behind may have used it a little longer.
const BEHIND: Duration = Duration::hours(1);

/// What is to be done about the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Nothing,
    /// A key that signs from then on.
    Make(OffsetDateTime),
}

/// Looks at when the keys that are still published begin to sign.
pub(crate) fn step(signs_from: impl Iterator<Item = OffsetDateTime>, now: OffsetDateTime) -> Step {
    match signs_from.max() {
        None => Step::Make(now),
        Some(newest) if now >= newest + SIGNS_FOR - AHEAD => Step::Make(now + AHEAD),
        Some(_) => Step::Nothing,
    }
}

/// Until when a key is published whose successor signs from `successor` on.
pub(crate) fn published_until(successor: OffsetDateTime, lifetime: Duration) -> OffsetDateTime {
    successor + lifetime + BEHIND
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_successor_is_published_a_day_before_it_signs() {
        let start = datetime!(2026-11-01 00:00 UTC);
        assert_eq!(step([].into_iter(), start), Step::Make(start));
        assert_eq!(step([start].into_iter(), start + Duration::days(28)), Step::Nothing);
        let due = start + Duration::days(29);
        let successor = start + Duration::days(30);
        assert_eq!(step([start].into_iter(), due), Step::Make(successor));
        assert_eq!(step([start, successor].into_iter(), due + Duration::days(1)), Step::Nothing);
        // A service that slept for months still publishes before it signs.
        let late = start + Duration::days(200);
        assert_eq!(step([start].into_iter(), late), Step::Make(late + AHEAD));
        let last = published_until(successor, Duration::minutes(10));
        assert_eq!(last, successor + Duration::minutes(70));
    }
}
