//! An event as it goes over the wire, and who wants it.

use std::collections::HashSet;
use std::fmt::Write as _;

use crate::master::events::KeptEvent;

/// An event, ready to be sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Happening {
    /// Its number.
    pub id: i64,
    /// Its type.
    pub kind: String,
    /// On which environment.
    pub environment: Option<String>,
    /// To which service; `None` where it concerns several or none.
    pub service: Option<String>,
    frame: String,
    document: (usize, usize),
}

impl Happening {
    /// As a message of an event stream.
    pub fn frame(&self) -> &str {
        &self.frame
    }

    /// As JSON, one line.
    pub fn document(&self) -> &str {
        self.frame.get(self.document.0..self.document.1).unwrap_or_default()
    }
}

impl From<KeptEvent> for Happening {
    fn from(kept: KeptEvent) -> Self {
        let KeptEvent { id, kind, environment, service, document } = kept;
        let mut frame = String::with_capacity(document.len() + kind.len() + 40);
        // Writing into a string cannot fail.
        let _ = write!(frame, "id: {id}\nevent: {kind}\ndata: ");
        let start = frame.len();
        frame.push_str(&document);
        let end = frame.len();
        frame.push_str("\n\n");
        frame.shrink_to_fit();
        Self { id, kind, environment, service, frame, document: (start, end) }
    }
}

/// What a listener wants, and what they may see.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Only these databases, as environments are named.
    pub environments: Option<Vec<String>>,
    /// Only this service.
    pub service: Option<String>,
    /// Only these types; empty is all.
    pub kinds: HashSet<String>,
    /// Only what concerns one of these services; `None` is everything.
    pub allowed: Option<Vec<String>>,
}

impl Wanted {
    /// Whether they are sent everything.
    pub(super) fn is_everything(&self) -> bool {
        self.environments.is_none() && self.service.is_none() && self.kinds.is_empty() && self.allowed.is_none()
    }

    /// Whether they are sent this one.
    pub fn holds(&self, event: &Happening) -> bool {
        let service = event.service.as_ref();
        self.environments
            .as_ref()
            .is_none_or(|names| event.environment.as_ref().is_some_and(|name| names.contains(name)))
            && self.service.as_ref().is_none_or(|name| service == Some(name))
            && (self.kinds.is_empty() || self.kinds.contains(&event.kind))
            && self.allowed.as_ref().is_none_or(|allowed| service.is_some_and(|name| allowed.contains(name)))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::events) fn event(id: i64, kind: &str, service: Option<&str>) -> Happening {
        let document = format!("{{\"id\": {id}}}");
        let kept = KeptEvent {
            id,
            kind: kind.to_owned(),
            environment: Some("production".to_owned()),
            service: service.map(str::to_owned),
            document,
        };
        kept.into()
    }

    #[test]
    fn what_is_wanted_and_what_may_be_seen() {
        let (own, others, all) =
            (event(1, "planned", Some("auth")), event(2, "planned", Some("chat")), event(3, "run_ended", None));
        let seen = |wanted: &Wanted| [&own, &others, &all].map(|event| wanted.holds(event));
        assert_eq!(seen(&Wanted::default()), [true, true, true]);
        let allowed = Some(vec!["auth".to_owned()]);
        assert_eq!(seen(&Wanted { allowed, ..Wanted::default() }), [true, false, false]);
        assert_eq!(seen(&Wanted { service: Some("chat".to_owned()), ..Wanted::default() }), [false, true, false]);
        let kinds = HashSet::from(["run_ended".to_owned()]);
        assert_eq!(seen(&Wanted { kinds, ..Wanted::default() }), [false, false, true]);
        assert_eq!(seen(&Wanted { environments: Some(vec!["staging".to_owned()]), ..Wanted::default() }), [false; 3]);
    }
}
