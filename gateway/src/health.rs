//! The active check: every copy is asked whether it is ready. Requests can take a copy out at once; only this puts one in.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use http::{Request, header};
use tokio_util::sync::CancellationToken;

use crate::endpoint::{Endpoint, State};
use crate::link::Link;
use crate::payload::Payload;
use crate::upstream::Copies;

/// A copy that takes longer to say that it is ready is not.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two questions at least, however often somebody asks for one.
const CALM: Duration = Duration::from_millis(50);

/// Asks all copies every so often, and the moment one has failed or come, until `stop`.
pub(crate) async fn keep(copies: Arc<Copies>, every: Duration, stop: CancellationToken) {
    loop {
        let round = async {
            let all = copies.all();
            join_all(all.iter().map(|endpoint| look(endpoint, &copies.plan.health))).await;
            all.iter().for_each(|endpoint| endpoint.tidy());
            tokio::time::sleep(CALM).await;
            // Who is down may be back at any moment, and is missed.
            let anybody_down = all.iter().any(|endpoint| endpoint.state() == State::Down);
            let pause = if anybody_down { every.min(Duration::from_millis(500)) } else { every };
            let _ = tokio::time::timeout(pause, copies.check.notified()).await;
        };
        if stop.run_until_cancelled(round).await.is_none() {
            return;
        }
    }
}

async fn look(endpoint: &Arc<Endpoint>, path: &str) {
    let ready = tokio::time::timeout(PATIENCE, is_ready(endpoint, path)).await;
    endpoint.checked(ready.unwrap_or(false));
}

async fn is_ready(endpoint: &Arc<Endpoint>, path: &str) -> bool {
    // A connection of its own: one that lies ready says nothing about whether another can be opened.
    let Ok(mut link) = Link::open(&endpoint.authority, PATIENCE).await else { return false };
    let request = Request::get(path).header(header::HOST, endpoint.host.clone()).header(header::CONNECTION, "close");
    let Ok(request) = request.body(Payload::Empty) else { return false };
    link.send(request).await.is_ok_and(|answer| answer.status().is_success())
}
