//! Who listens to what happens, on whichever copy answers, and counts: every event once, in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use reqwest::Client;
use tokio_util::sync::CancellationToken;

use crate::chance::Chance;
use crate::world::World;

/// Longer than the service is ever silent towards a listener.
const SILENT_FOR: Duration = Duration::from_secs(25);
/// As browsers do.
const COME_AGAIN_AFTER: Duration = Duration::from_millis(300);

/// What one has heard.
#[derive(Debug, Default)]
pub struct Heard {
    /// Numbers of events, in the order in which they came.
    pub ids: Vec<i64>,
    /// How often it had to come again.
    pub connections: u64,
    /// What must not happen.
    pub deviations: Vec<String>,
}

/// The number up to which a listener has heard everything.
pub type Place = Arc<AtomicI64>;

/// Listens until it is told to stop; goes away and comes again now and then, as the seed says.
pub async fn listen(world: Arc<World>, seed: u64, number: usize, place: Place, stop: CancellationToken) -> Heard {
    let mut chance = Chance::of(seed, &format!("listener-{number}"));
    let (mut heard, client) = (Heard::default(), Client::new());
    while !stop.is_cancelled() {
        let copy = chance.below(world.copies.len());
        let stay = Duration::from_millis(chance.between(2_000, 60_000));
        heard.connections += 1;
        let url = format!("http://127.0.0.1:{}/api/events", world.copies[copy].port);
        let session = hear(&client, &url, &mut heard, &place);
        tokio::select! {
            () = stop.cancelled() => {}
            _ = tokio::time::timeout(stay, session) => tokio::time::sleep(COME_AGAIN_AFTER).await,
        }
    }
    heard
}

async fn hear(client: &Client, url: &str, heard: &mut Heard, place: &AtomicI64) {
    let last = place.load(Ordering::Acquire).to_string();
    let Ok(mut answer) = client.get(url).header("last-event-id", last).send().await else { return };
    if !answer.status().is_success() {
        return;
    }
    let mut parser = Parser::default();
    while let Ok(Ok(Some(chunk))) = tokio::time::timeout(SILENT_FOR, answer.chunk()).await {
        for message in parser.take(&chunk) {
            if let Some(id) = message.id {
                place.store(id, Ordering::Release);
            }
            match (message.kind.as_str(), message.id) {
                ("gap", _) => heard.deviations.push(format!("a listener was told of a gap: {}", message.data)),
                ("resume", _) => {}
                (_, Some(id)) if !message.data.is_empty() => heard.ids.push(id),
                (_, None) if !message.data.is_empty() => {
                    heard.deviations.push(format!("an event has no number: {}", message.data));
                }
                _ => {}
            }
        }
    }
}

/// One server-sent message.
#[derive(Debug, Default, PartialEq, Eq)]
struct Message {
    id: Option<i64>,
    kind: String,
    data: String,
}

/// Messages out of pieces that end anywhere.
#[derive(Default)]
struct Parser {
    rest: Vec<u8>,
}

impl Parser {
    fn take(&mut self, chunk: &[u8]) -> Vec<Message> {
        self.rest.extend_from_slice(chunk);
        let mut messages = Vec::new();
        while let Some(end) = self.rest.windows(2).position(|two| two == b"\n\n") {
            let text: Vec<u8> = self.rest.drain(..end + 2).collect();
            messages.push(message(&String::from_utf8_lossy(&text)));
        }
        messages
    }
}

fn message(text: &str) -> Message {
    let mut message = Message::default();
    for line in text.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim_start();
        match name {
            "id" => message.id = value.parse().ok(),
            "event" => value.clone_into(&mut message.kind),
            "data" => message.data.push_str(value),
            _ => {}
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_whole_from_any_pieces() {
        let text = "retry: 1000\nid: 4\n\nid: 5\nevent: run_started\ndata: {\"id\":5}\n\nid: 6\n";
        let mut parser = Parser::default();
        let found: Vec<_> = text.as_bytes().chunks(3).flat_map(|chunk| parser.take(chunk)).collect();
        let first = Message { id: Some(4), ..Message::default() };
        let second = Message { id: Some(5), kind: "run_started".to_owned(), data: "{\"id\":5}".to_owned() };
        assert_eq!(found, [first, second], "what has no end yet is none");
    }
}
