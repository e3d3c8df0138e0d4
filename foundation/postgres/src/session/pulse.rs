//! Whether the server behind a session that waits is still there.
//!
//! A statement may take hours without a word, and so may a network that swallows everything, a firewall that has
//! forgotten the connection, a server that another one has replaced. TCP's own probes find some of those, and none behind
//! a proxy that answers them. So whoever waits for long asks over a second connection: does the server answer, and does
//! it know this session?

use std::future::{pending, poll_fn};
use std::sync::Arc;

use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_postgres::SimpleQueryMessage;

use super::cancel;
use super::driver::Shared;
use crate::connect::{Login, Opener, Signs};
use crate::sqlstate;

/// Looks at one session.
pub(super) struct Pulse {
    signs: Arc<Signs>,
    opener: Arc<Opener>,
    login_pid: i32,
}

/// What a second connection found.
enum Found {
    /// The server works on it, or at least answers.
    Alive,
    /// Nobody answers, or somebody who owes this session nothing.
    Dead(String),
}

impl Pulse {
    pub(super) fn new(signs: Arc<Signs>, opener: Arc<Opener>, login_pid: i32) -> Self {
        Self { signs, opener, login_pid }
    }

    /// Resolves when the session is to be given up, with the reason: after half of the patience the server is asked, after
    /// three quarters once more, and then it is over. Never resolves while nobody waits.
    pub(super) async fn is_gone(&self, shared: &Shared) -> String {
        if self.opener.route.is_unix() {
            // The kernel carries it, and tells the end of either side.
            return pending().await;
        }
        let patience = self.opener.route.keepalive.patience();
        let mut alive_at = None;
        let mut in_vain = None;
        loop {
            let Some(since) = self.silent_since(shared) else {
                in_vain = None;
                sleep(patience / 4).await;
                continue;
            };
            let due = alive_at.map_or(since, |at| since.max(at)) + patience / 2;
            if Instant::now() < due {
                in_vain = None;
                sleep_until(due).await;
                continue;
            }
            let asked_at = Instant::now();
            let found = timeout(patience / 4, self.ask()).await;
            match found.unwrap_or_else(|_| Found::Dead("a new connection was not answered either".to_owned())) {
                Found::Alive => (alive_at, in_vain) = (Some(Instant::now()), None),
                // Twice in a row: the first time, the answer may just have been on its way.
                Found::Dead(reason) if in_vain == Some(since) => {
                    let seconds = since.elapsed().as_secs_f32().round();
                    return format!("the server gave no sign of life for {seconds} s: {reason}");
                }
                Found::Dead(_) => {
                    in_vain = Some(since);
                    sleep_until(asked_at + patience / 4).await;
                }
            }
        }
    }

    /// Since when nothing has come although somebody waits; `None` while nobody does.
    fn silent_since(&self, shared: &Shared) -> Option<Instant> {
        let (at, unanswered) = self.signs.last();
        (unanswered || shared.is_waited_for()).then_some(at)
    }

    async fn ask(&self) -> Found {
        let mut config = self.opener.config.clone();
        config.application_name("profe pulse");
        let Login { client, mut wire, .. } = match self.opener.log_in(&config).await {
            Ok(login) => login,
            Err(error) => {
                return match error.sql_error().map(|sql| sql.sqlstate.as_str()) {
                    // It comes or goes, and all sessions with it.
                    Some(sqlstate::CANNOT_CONNECT_NOW | sqlstate::ADMIN_SHUTDOWN | sqlstate::CRASH_SHUTDOWN) | None => {
                        Found::Dead(error.to_string())
                    }
                    Some(_) => Found::Alive,
                };
            }
        };
        let own_pid = cancel::backend_pid(&client.cancel_token()).await;
        let question = format!(
            "SELECT pg_catalog.pg_backend_pid(), \
             (SELECT coalesce(state, '') FROM pg_catalog.pg_stat_activity WHERE pid = {})",
            self.login_pid
        );
        let moving = async { while let Some(Ok(_)) = poll_fn(|cx| wire.poll_message(cx)).await {} };
        let answer = tokio::select! {
            answer = client.simple_query(&question) => answer.ok(),
            () = moving => None,
        };
        let row = answer.into_iter().flatten().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some((row.get(0).map(str::to_owned), row.get(1).map(str::to_owned))),
            _ => None,
        });
        let dead = |why: &str| Found::Dead(why.to_owned());
        match row {
            None => dead("a new connection was lost, too"),
            // A pooler's numbers are its own, so nothing is known of the server's process.
            Some((process, _)) if process != Some(own_pid.to_string()) => Found::Alive,
            Some((_, None)) => {
                dead("it does not know this session; it has ended, or another server has taken its place")
            }
            Some((_, Some(state))) if state.starts_with("idle") => {
                dead("it has answered, and the answer was lost on the way")
            }
            Some(_) => Found::Alive,
        }
    }
}
