//! A proxy between a runner and the server that counts the runner's messages and can cut it off at one of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

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
    let counted = Arc::clone(&messages);
    let (dead, kill) = (Arc::new(AtomicBool::new(false)), Arc::new(kill));
    tokio::spawn(async move {
        loop {
            let Ok((client, _)) = listener.accept().await else { return };
            let server = TcpStream::connect(&upstream).await.unwrap();
            let (counted, dead, kill) = (Arc::clone(&counted), Arc::clone(&dead), Arc::clone(&kill));
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = server.into_split();
            tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
            tokio::spawn(async move {
                let mut started = false;
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
                    if hit {
                        dead.store(true, Ordering::SeqCst);
                        kill();
                        return;
                    }
                }
            });
        }
    });
    Proxy { port, messages }
}
