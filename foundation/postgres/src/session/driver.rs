//! The task that moves a session's bytes and passes on what the server says unasked.

use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};
use tokio_postgres::AsyncMessage;

use super::closed::Closed;
use super::pulse::Pulse;
use crate::connect::Wire;
use crate::sql_error::SqlError;

/// What NOTIFY sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// The channel this session LISTENs to.
    pub channel: String,
    /// What was sent along; empty if nothing.
    pub payload: String,
    /// The process of the session that sent it.
    pub backend_pid: i32,
}

type Listener<T> = Arc<dyn Fn(T) + Send + Sync>;

/// What the session and its task both reach.
pub(super) struct Shared {
    /// Gone once the session has ended: queries that still wait learn it by that.
    wire: Mutex<Option<Box<dyn Wire>>>,
    notice: Mutex<Option<Listener<SqlError>>>,
    notification: Mutex<Option<Listener<Notification>>>,
    broken_off: Notify,
    /// How many wait for an answer at this moment.
    waiting: AtomicUsize,
    /// Why this side gave the session up.
    given_up: Mutex<Option<String>>,
}

/// Somebody waits for an answer, as long as this is kept.
pub(super) struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

impl Shared {
    pub(super) fn new(wire: Box<dyn Wire>) -> Self {
        Self {
            wire: Mutex::new(Some(wire)),
            notice: Mutex::new(None),
            notification: Mutex::new(None),
            broken_off: Notify::new(),
            waiting: AtomicUsize::new(0),
            given_up: Mutex::new(None),
        }
    }

    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        lock(&self.wire).as_ref()?.parameter(name).map(str::to_owned)
    }

    pub(super) fn set_notice_listener(&self, listener: Listener<SqlError>) {
        *lock(&self.notice) = Some(listener);
    }

    pub(super) fn set_notification_listener(&self, listener: Listener<Notification>) {
        *lock(&self.notification) = Some(listener);
    }

    /// Nothing is sent or read while what this returns is held. It must be let go at once.
    pub(super) fn hold_back(&self) -> impl Sized {
        lock(&self.wire)
    }

    /// Ends the session without goodbye: for one that waits for something this side cannot give.
    pub(super) fn break_off(&self) {
        self.broken_off.notify_one();
    }

    pub(super) fn waits(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        Waiting(&self.waiting)
    }

    pub(super) fn is_waited_for(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
    }

    /// Why the session ended, where it was this side that gave it up.
    pub(super) fn given_up(&self) -> Option<String> {
        lock(&self.given_up).clone()
    }

    async fn next(&self) -> Option<Result<AsyncMessage, tokio_postgres::Error>> {
        poll_fn(|cx| match lock(&self.wire).as_mut() {
            Some(wire) => wire.poll_message(cx),
            None => std::task::Poll::Ready(None),
        })
        .await
    }

    fn pass_on(&self, message: AsyncMessage) {
        match message {
            AsyncMessage::Notice(notice) => {
                let notice = SqlError::from(&notice);
                // Cloned out, so that a listener may set another one.
                let listener = lock(&self.notice).clone();
                if let Some(listener) = listener {
                    listener(notice);
                } else {
                    tracing::debug!(sqlstate = %notice.sqlstate, "{}: {}", notice.severity, notice.message);
                }
            }
            AsyncMessage::Notification(notification) => {
                let listener = lock(&self.notification).clone();
                if let Some(listener) = listener {
                    listener(Notification {
                        channel: notification.channel().to_owned(),
                        payload: notification.payload().to_owned(),
                        backend_pid: notification.process_id(),
                    });
                }
            }
            _ => {}
        }
    }
}

/// A panic of a listener must not take the session's state with it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Drops the wire even when a listener panics: queries that wait would hang otherwise.
struct Unplug(Arc<Shared>);

impl Drop for Unplug {
    fn drop(&mut self) {
        lock(&self.0.wire).take();
    }
}

pub(super) fn spawn(shared: &Arc<Shared>, pulse: Pulse) -> watch::Receiver<Option<Closed>> {
    let (report, closed) = watch::channel(None);
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        let unplug = Unplug(shared);
        let reason = loop {
            let message = tokio::select! {
                message = unplug.0.next() => message,
                () = unplug.0.broken_off.notified() => None,
                why = pulse.is_gone(&unplug.0) => {
                    *lock(&unplug.0.given_up) = Some(why.clone());
                    break Closed::Lost(why);
                }
            };
            match message {
                Some(Ok(message)) => unplug.0.pass_on(message),
                Some(Err(error)) => break Closed::because_of(&error),
                None => break Closed::ByUs,
            }
        };
        drop(unplug);
        // Nobody may be waiting for it.
        let _ = report.send(Some(reason));
    });
    closed
}
