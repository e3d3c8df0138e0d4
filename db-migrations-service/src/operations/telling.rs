//! What happens is told to whoever listens, on every copy of the service.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Caller, OperationError, Operations};
use crate::events::{Feed, Happening, Heard, Hub, Listener, Redis, Wanted};
use crate::master::events::NewEvent;
use crate::master::findings::{Finding, Settled};

/// So many events are read at a time for who comes late; all of them may come at once, after a restart.
const PAGE: i64 = 100;
/// Before who is ahead of what was read looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Which events to listen to.
#[derive(Debug, Clone, Default)]
pub struct EventOrder {
    /// Only of this environment.
    pub environment: Option<String>,
    /// Only of this service.
    pub service: Option<String>,
    /// Only of these types; empty is all.
    pub kinds: HashSet<String>,
    /// The number of the last event that was seen; `None` begins with what comes.
    pub after: Option<i64>,
}

/// What somebody who listens is told.
#[derive(Debug, PartialEq, Eq)]
pub enum Told {
    /// Messages of an event stream.
    Messages(Bytes),
    /// They were too slow; they may come again with the number of the last event that they were told.
    Behind,
}

/// Events from some place on, as they happen.
pub struct Events {
    operations: Operations,
    listener: Listener,
    is_late: bool,
    gap: Option<String>,
}

impl Events {
    /// The number of the last event that was looked at.
    pub fn after(&self) -> i64 {
        self.listener.after()
    }

    /// What comes next, waiting for it. Cancelling the call loses nothing.
    ///
    /// # Errors
    /// Where older events have to be read and the master database is away.
    pub async fn next(&mut self) -> Result<Told, OperationError> {
        if let Some(gap) = self.gap.take() {
            return Ok(Told::Messages(gap.into()));
        }
        while self.is_late && !self.listener.is_near() {
            let page = self.operations.master().events_after(self.listener.after(), PAGE).await?;
            let Some(last) = page.last().map(|event| event.id) else {
                tokio::time::sleep(LOOK_AGAIN).await;
                continue;
            };
            let events = page.into_iter().map(Happening::from);
            let messages: String =
                events.filter(|e| self.listener.wanted().holds(e)).map(|e| e.frame().to_owned()).collect();
            self.listener.skip_to(last);
            if !messages.is_empty() {
                return Ok(Told::Messages(messages.into()));
            }
        }
        self.is_late = false;
        Ok(match self.listener.next().await {
            Heard::Messages(messages) => Told::Messages(messages),
            Heard::Behind => Told::Behind,
        })
    }
}

impl Operations {
    /// Says which Redis carries the events; once, before they are fed.
    pub fn carry_events_in(&self, redis: Redis) {
        // A second one is a mistake of the program, and the first one stays.
        let _ = self.0.redis.set(redis);
    }

    /// The Redis that carries the events, where one is configured.
    pub fn redis(&self) -> Option<&Redis> {
        self.0.redis.get()
    }

    /// The events of this process.
    pub fn hub(&self) -> &Arc<Hub> {
        &self.0.hub
    }

    /// Keeps the events of this process up to date until `shutdown`.
    pub async fn feed_events(&self, shutdown: &CancellationToken) {
        Feed::new(self.master(), self.hub(), self.0.redis.get()).run(shutdown).await;
    }

    /// Listens, from after the event that was seen last or from now on.
    ///
    /// # Errors
    /// Unknown names, a service that the caller may not touch, a master database that is away.
    pub async fn listen(&self, order: EventOrder, caller: &Caller) -> Result<Events, OperationError> {
        self.check_listed(order.service.as_deref(), None, caller)?;
        let environments = self.listed_databases(order.environment.as_deref())?;
        let (after, gap) = match order.after {
            Some(after) => self.place_after(after).await?,
            None => (self.place_now().await?, None),
        };
        let wanted =
            Wanted { environments, service: order.service, kinds: order.kinds, allowed: caller.services.clone() };
        let listener = Listener::new(Arc::clone(self.hub()), wanted, after);
        Ok(Events { operations: self.clone(), listener, is_late: true, gap })
    }

    async fn place_now(&self) -> Result<i64, OperationError> {
        Ok(match self.hub().latest() {
            Some(latest) => latest,
            None => self.master().event_bounds().await?.latest,
        })
    }

    /// Where somebody goes on who has seen `after`, and what they are told where events in between are gone.
    async fn place_after(&self, after: i64) -> Result<(i64, Option<String>), OperationError> {
        let bounds = self.master().event_bounds().await?;
        let goes_on = if after > bounds.latest { bounds.latest } else { after.max(bounds.oldest - 1) };
        let gap = (goes_on != after).then(|| {
            let body = json!({ "type": "gap", "after": after, "resumedAfter": goes_on });
            format!("id: {goes_on}\nevent: gap\ndata: {body}\n\n")
        });
        Ok((goes_on, gap))
    }

    /// Tells of what happened outside of a run. What cannot be told is only logged.
    pub(crate) async fn tell(&self, events: Vec<NewEvent>) {
        if events.is_empty() {
            return;
        }
        if let Err(error) = self.master().add_events(&events).await {
            tracing::warn!(%error, "what happened could not be told through the master database");
        }
        self.hub().stir();
    }

    /// Tells of what a look has found, and of what is gone.
    pub(crate) async fn tell_findings(&self, settled: &Settled) {
        let told = |finding: &Finding, what: &str| NewEvent {
            at: self.master().now(),
            environment: Some(finding.environment.clone()),
            service: finding.service.clone(),
            event: merged(
                json!({ "type": format!("{}_{what}", finding.kind.as_str()) }),
                json!({ "finding": finding }),
            ),
        };
        let found = settled.opened.iter().map(|finding| told(finding, "found"));
        self.tell(found.chain(settled.resolved.iter().map(|finding| told(finding, "resolved"))).collect()).await;
    }
}

/// The members of both.
pub(super) fn merged(mut one: Value, other: Value) -> Value {
    if let (Value::Object(members), Value::Object(more)) = (&mut one, other) {
        members.extend(more);
    }
    one
}
