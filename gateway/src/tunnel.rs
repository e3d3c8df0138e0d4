//! WebSockets: asked for as HTTP, and from the service's 101 on bytes that nobody looks at.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONNECTION, HOST, UPGRADE};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use web::Problem;

use crate::answer::Answer;
use crate::core::Core;
use crate::endpoint::InFlight;
use crate::forward::away;
use crate::headers;
use crate::payload::Payload;
use crate::problems;
use crate::proxy::{Visitor, let_through};
use crate::upstream::Upstream;

/// The one protocol that is let through.
const WEBSOCKET: &str = "websocket";

/// What a tunnel is opened with.
pub(crate) struct Tunnel<'a> {
    pub(crate) core: &'a Arc<Core>,
    pub(crate) upstream: &'a Upstream,
    pub(crate) visitor: &'a Visitor,
    pub(crate) upgrade: OnUpgrade,
    pub(crate) timeout: Duration,
}

impl Tunnel<'_> {
    /// Asks a copy of the service. Only its 101 makes a tunnel; after any other answer the client's connection ends, for what
    /// follows on it may have been meant as something else than HTTP (CVE-2026-2833).
    pub(crate) async fn open(
        self,
        parts: Parts,
        body: &Incoming,
        wanted: &HeaderValue,
        id: &HeaderValue,
    ) -> Result<Response<Answer>, Problem> {
        let is_websocket = wanted.as_bytes().eq_ignore_ascii_case(WEBSOCKET.as_bytes());
        if !is_websocket || parts.method != Method::GET || !body.is_end_stream() {
            let refused = Problem::new(problems::UPGRADE_REFUSED).header(CONNECTION, "close");
            return Err(refused.detail("only a GET without a body can ask for a WebSocket"));
        }
        let (mut answer, in_flight) =
            tokio::time::timeout(self.timeout, self.ask(parts)).await.map_err(|_| late())??;
        headers::to_client(answer.headers_mut(), id);
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            let mut answer = answer.map(|body| Answer::Loose(body, in_flight));
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            return Ok(answer);
        }
        let theirs = hyper::upgrade::on(&mut answer);
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
        answer.headers_mut().insert(UPGRADE, HeaderValue::from_static(WEBSOCKET));
        let_through(self.visitor);
        self.core.tunnels.spawn(join(self.upgrade, theirs, in_flight, self.core.closing.clone()));
        Ok(answer.map(|_| Answer::empty()))
    }

    async fn ask(&self, parts: Parts) -> Result<(Response<Incoming>, InFlight), Problem> {
        let mut tried = Vec::new();
        // A tunnel that was not opened can be asked for again.
        while let Some(endpoint) = self.upstream.copies().choose(&tried).filter(|_| tried.len() < 3) {
            let in_flight = InFlight::new(&endpoint);
            let stream = tokio::time::timeout(self.core.times.connect, TcpStream::connect(&*endpoint.authority)).await;
            let Ok(Ok(stream)) = stream else {
                endpoint.failed("no connection can be opened");
                tried.push(endpoint);
                continue;
            };
            // Frames are small and waited for.
            let _ = stream.set_nodelay(true);
            let Ok((mut sender, driver)) = http1::handshake(TokioIo::new(stream)).await else { break };
            tokio::spawn(driver.with_upgrades());
            let mut request = Request::new(Payload::Empty);
            request.method_mut().clone_from(&parts.method);
            request.uri_mut().clone_from(&parts.uri);
            request.headers_mut().clone_from(&parts.headers);
            request.headers_mut().insert(HOST, endpoint.host.clone());
            request.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
            request.headers_mut().insert(UPGRADE, HeaderValue::from_static(WEBSOCKET));
            if let Ok(answer) = sender.send_request(request).await {
                return Ok((answer, in_flight));
            }
            endpoint.stumbled();
            tried.push(endpoint);
        }
        Err(away())
    }
}

fn late() -> Problem {
    Problem::new(problems::TOO_SLOW).detail("the service did not answer whether it speaks WebSocket")
}

/// Both ways until one side ends, or the process does.
async fn join(
    client: OnUpgrade,
    service: OnUpgrade,
    in_flight: InFlight,
    closing: tokio_util::sync::CancellationToken,
) {
    let both = async {
        let (client, service) = tokio::try_join!(client, service)?;
        let (mut client, mut service) = (TokioIo::new(client), TokioIo::new(service));
        let _ = tokio::io::copy_bidirectional(&mut client, &mut service).await;
        Ok::<_, hyper::Error>(())
    };
    if let Some(Err(error)) = closing.run_until_cancelled(both).await {
        tracing::debug!(%error, "a WebSocket was not opened");
    }
    drop(in_flight);
}
