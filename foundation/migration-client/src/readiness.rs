//! What a service answers when it is asked whether it is ready.

use serde::Serialize;
use tokio::time::Instant;

use crate::answer::{Compatibility, Verdict};
use crate::error::ClientError;
use crate::settings::WhenUnknown;

/// What is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The release fits.
    Compatible,
    /// It will, when what is pending is applied.
    Wait,
    /// It does not.
    Incompatible,
    /// Nobody can say.
    Unknown,
}

/// An answer for a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Readiness {
    /// Whether the service is ready as far as its schemas are concerned.
    pub ready: bool,
    /// What is known.
    pub standing: Standing,
    /// Why it is not ready, or not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cure: Option<String>,
}

impl Readiness {
    pub(crate) fn not_asked() -> Self {
        let reason = Some("the migration service has not answered yet".to_owned());
        Self { ready: false, standing: Standing::Unknown, reason, cure: None }
    }

    /// 200 or 503, as probes want it.
    pub fn status_code(&self) -> u16 {
        if self.ready { 200 } else { 503 }
    }

    /// As a JSON document.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl From<Compatibility> for Readiness {
    fn from(found: Compatibility) -> Self {
        let standing = match found.verdict {
            Verdict::Compatible => Standing::Compatible,
            Verdict::Wait => Standing::Wait,
            Verdict::Incompatible => Standing::Incompatible,
        };
        Self { ready: standing == Standing::Compatible, standing, reason: found.reason, cure: found.cure }
    }
}

/// What was known, and since when nobody can say more.
#[derive(Debug)]
pub(crate) struct Memory {
    now: Readiness,
    unknown_since: Option<Instant>,
    when_unknown: WhenUnknown,
}

impl Memory {
    pub(crate) fn new(when_unknown: WhenUnknown) -> Self {
        Self { now: Readiness::not_asked(), unknown_since: None, when_unknown }
    }

    /// Takes an answer, or that there is none, and says what holds now.
    pub(crate) fn take(&mut self, answer: Result<Compatibility, ClientError>, now: Instant) -> Readiness {
        match answer {
            Ok(found) => {
                self.unknown_since = None;
                self.now = found.into();
            }
            Err(error) => {
                let since = *self.unknown_since.get_or_insert(now);
                let is_patient = match self.when_unknown {
                    WhenUnknown::Wait => false,
                    WhenUnknown::ReadyAfter(time) => now.duration_since(since) >= time,
                };
                // Only who never heard anything may go on without a word; a verdict against it stands until it is taken back.
                let may_go_on = self.now.standing == Standing::Unknown && is_patient;
                let is_refused = matches!(error, ClientError::Refused { .. } | ClientError::Settings(_));
                if self.now.standing == Standing::Unknown || self.now.ready {
                    self.now.ready = self.now.ready || may_go_on;
                    self.now.standing = Standing::Unknown;
                    self.now.cure = if let ClientError::Refused { cure, .. } = &error { cure.clone() } else { None };
                    let stays = if self.now.ready && !is_refused { "; it goes on as it was" } else { "" };
                    self.now.reason = Some(format!("{error}{stays}"));
                }
            }
        }
        self.now.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "what a question comes to")]
    fn found(verdict: Verdict) -> Result<Compatibility, ClientError> {
        let (environment, reason) = ("production".to_owned(), Some("because".to_owned()));
        Ok(Compatibility { environment, verdict, reason, cure: None, schemas: Vec::new() })
    }

    fn away() -> Result<Compatibility, ClientError> {
        Err(ClientError::Away("no route".to_owned()))
    }

    fn seen(readiness: &Readiness) -> (bool, Standing) {
        (readiness.ready, readiness.standing)
    }

    #[test]
    fn who_was_ready_stays_ready_while_nobody_can_say() {
        let mut memory = Memory::new(WhenUnknown::Wait);
        let now = Instant::now();
        assert_eq!(seen(&memory.take(away(), now)), (false, Standing::Unknown));
        assert_eq!(seen(&memory.take(found(Verdict::Compatible), now)), (true, Standing::Compatible));
        let unknown = memory.take(away(), now);
        assert_eq!(seen(&unknown), (true, Standing::Unknown));
        assert_eq!((unknown.status_code(), unknown.reason.is_some()), (200, true));
        assert_eq!(seen(&memory.take(found(Verdict::Wait), now)), (false, Standing::Wait));
        assert_eq!(seen(&memory.take(away(), now)), (false, Standing::Wait), "what was said against it stands");
    }

    #[test]
    fn who_starts_meanwhile_waits_as_long_as_they_were_told() {
        let mut memory = Memory::new(WhenUnknown::ReadyAfter(Duration::from_secs(30)));
        let start = Instant::now();
        assert!(!memory.take(away(), start).ready);
        assert!(!memory.take(away(), start + Duration::from_secs(29)).ready);
        let ready = memory.take(away(), start + Duration::from_secs(30));
        assert_eq!(seen(&ready), (true, Standing::Unknown));
        assert!(ready.to_json().contains("\"standing\":\"unknown\""), "{}", ready.to_json());
        assert!(!memory.take(found(Verdict::Incompatible), start + Duration::from_secs(31)).ready);
        assert!(!memory.take(away(), start + Duration::from_secs(99)).ready, "it was told that it does not fit");
    }
}
