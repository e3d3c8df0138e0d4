//! What a refresh token that is presented means for its session (ADR 23).

use crate::model::Refreshable;

/// For so long the last token is good once more, seconds: for who lost the answer, and for a second tab.
pub(crate) const GRACE_S: f64 = 30.0;

/// What follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judged {
    /// The current one: it is replaced.
    Current,
    /// The one before, in time: the same next one is given again.
    Again,
    /// One that was replaced: somebody else has it. The session ends.
    Replayed,
    /// The session has ended, or is over.
    Over,
}

/// Judges the hash of a token of this session's family.
pub(crate) fn judge(presented: &str, session: &Refreshable) -> Judged {
    if !session.is_live {
        return Judged::Over;
    }
    if presented == session.current {
        return Judged::Current;
    }
    let is_last = session.previous.as_deref() == Some(presented) && session.salt.is_some();
    if is_last && session.age_s <= GRACE_S { Judged::Again } else { Judged::Replayed }
}

#[cfg(test)]
mod tests {
    use kernel::{SessionId, UserId};
    use uuid::Uuid;

    use super::*;
    use crate::model::Acting;

    #[test]
    fn check_12_only_the_last_token_is_forgiven_and_only_for_a_moment() {
        let session = |is_live, age_s| Refreshable {
            session: SessionId::new(Uuid::nil()),
            user: UserId::new(Uuid::nil()),
            email: String::new(),
            is_live,
            current: "c".to_owned(),
            previous: Some("b".to_owned()),
            salt: Some(vec![1]),
            age_s,
            acting: Acting::default(),
        };
        for (presented, is_live, age_s, expected) in [
            ("c", true, 9_999.0, Judged::Current),
            ("b", true, 0.0, Judged::Again),
            ("b", true, 30.0, Judged::Again),
            ("b", true, 30.1, Judged::Replayed),
            ("a", true, 0.0, Judged::Replayed),
            ("c", false, 0.0, Judged::Over),
            ("a", false, 0.0, Judged::Over),
        ] {
            assert_eq!(judge(presented, &session(is_live, age_s)), expected, "{presented} {is_live} {age_s}");
        }
        let first = Refreshable { previous: None, salt: None, ..session(true, 0.0) };
        assert_eq!(judge("b", &first), Judged::Replayed);
    }
}
