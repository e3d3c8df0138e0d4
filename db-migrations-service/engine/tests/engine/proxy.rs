//! A proxy between a runner and the server that counts the runner's messages and can cut it off at one of them.
//!
//! It keeps the answers to messages that are sent at once until the last of them has passed: a runner that waits for one
//! before it sends the next would wait for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How the first and the last of such messages begin and end: a migration in pieces, the same behind what a run over many databases
/// says of itself, and that run's first look.
const AT_ONCE: [(&[u8], &[u8]); 3] = [
    (b"BEGIN;SET LOCAL lock_timeout=", b"COMMIT\0"),
    (b"SET LOCAL synchronous_commit = off;INSERT", b"COMMIT\0"),
    (b"SELECT CASE WHEN ", b" = pg_backend_pid()\0"),
];

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum When {
    /// The message never reaches the server.
    Before,
    /// The server has it, and the runner never hears the answer.
    After,
}

pub struct Proxy {
    /// Where it listens on 127.0.0.1.
    pub port: u16,
    /// Simple queries seen so far, on all connections.
    pub messages: Arc<AtomicUsize>,
    /// How often a runner had to wait for the server: what it sends until the next answer counts once.
    pub round_trips: Arc<AtomicUsize>,
}

/// Only counts.
pub async fn counting(upstream: String) -> Proxy {
    start(upstream, usize::MAX, When::Before, || ()).await
}

/// Forwards to `upstream`; at simple query number `fatal` it calls `kill`, once, and lets nothing more through.
pub async fn start(upstream: String, fatal: usize, when: When, kill: impl Fn() + Send + Sync + 'static) -> Proxy {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let messages = Arc::new(AtomicUsize::new(0));
    let round_trips = Arc::new(AtomicUsize::new(0));
    let (counted, trips) = (Arc::clone(&messages), Arc::clone(&round_trips));
    let (dead, kill) = (Arc::new(AtomicBool::new(false)), Arc::new(kill));
    tokio::spawn(async move {
        loop {
            let Ok((client, _)) = listener.accept().await else { return };
            let server = TcpStream::connect(&upstream).await.unwrap();
            let (counted, trips) = (Arc::clone(&counted), Arc::clone(&trips));
            let (dead, kill) = (Arc::clone(&dead), Arc::clone(&kill));
            let (hold, mut held) = tokio::sync::watch::channel(false);
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = server.into_split();
            tokio::spawn(async move {
                let mut answers = vec![0; 65_536];
                loop {
                    let Ok(read @ 1..) = from_server.read(&mut answers).await else { return };
                    // The client's side is gone where this fails, and with it the need to hold back.
                    let _ = held.wait_for(|held| !held).await;
                    if to_client.write_all(&answers[..read]).await.is_err() {
                        return;
                    }
                }
            });
            tokio::spawn(async move {
                let mut started = false;
                let mut until: Option<&[u8]> = None;
                loop {
                    // The first message of a session has no type.
                    let mut head = vec![0; if started { 5 } else { 4 }];
                    if from_client.read_exact(&mut head).await.is_err() {
                        return;
                    }
                    let length = u32::from_be_bytes(head[head.len() - 4..].try_into().unwrap()) as usize - 4;
                    let mut body = vec![0; length];
                    if from_client.read_exact(&mut body).await.is_err() {
                        return;
                    }
                    let is_query = started && head[0] == b'Q';
                    started = true;
                    if is_query && until.is_none() {
                        trips.fetch_add(1, Ordering::SeqCst);
                        until = AT_ONCE.iter().find(|(begins, _)| body.starts_with(begins)).map(|(_, ends)| *ends);
                        hold.send_replace(until.is_some());
                    }
                    let ends = is_query && until.is_some_and(|ends| body.ends_with(ends));
                    let hit = is_query && counted.fetch_add(1, Ordering::SeqCst) + 1 == fatal;
                    if hit && when == When::Before {
                        dead.store(true, Ordering::SeqCst);
                        kill();
                    }
                    if dead.load(Ordering::SeqCst) {
                        return;
                    }
                    head.extend_from_slice(&body);
                    if to_server.write_all(&head).await.is_err() {
                        return;
                    }
                    if ends {
                        until = None;
                        hold.send_replace(false);
                    }
                    if hit {
                        dead.store(true, Ordering::SeqCst);
                        kill();
                        return;
                    }
                }
            });
        }
    });
    Proxy { port, messages, round_trips }
}
