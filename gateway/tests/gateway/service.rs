//! A copy of a service, as a test wants it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{HeaderMap, Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// What arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A running copy.
#[derive(Clone)]
pub struct Service {
    pub address: SocketAddr,
    pub inner: Arc<Inner>,
    stop: CancellationToken,
    ended: CancellationToken,
}

pub struct Inner {
    seen: Mutex<Vec<Seen>>,
    /// How many requests have come, also those that hang.
    pub count: watch::Sender<usize>,
    pub ready: AtomicBool,
    /// Who hangs goes on with a permit of it.
    pub gate: Semaphore,
    /// What `/events` sends.
    pub events: Mutex<Option<mpsc::UnboundedReceiver<&'static str>>>,
    /// A client that `/events` or `/hang` was for has gone.
    pub gone: CancellationToken,
    /// Of a body that is being read.
    pub bytes: AtomicU64,
}

impl Service {
    pub fn start() -> Self {
        Self::at("127.0.0.1:0".parse().expect("an address"))
    }

    /// On this address, for one that comes back.
    pub fn at(address: SocketAddr) -> Self {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("an option");
        socket.bind(address).expect("the port");
        let listener = socket.listen(128).expect("a listener");
        let address = listener.local_addr().expect("an address");
        let inner = Arc::new(Inner {
            seen: Mutex::default(),
            count: watch::Sender::new(0),
            ready: AtomicBool::new(true),
            gate: Semaphore::new(0),
            events: Mutex::default(),
            gone: CancellationToken::new(),
            bytes: AtomicU64::new(0),
        });
        let (stop, ended) = (CancellationToken::new(), CancellationToken::new());
        let told = ended.clone().drop_guard();
        let running = run(listener, Arc::clone(&inner), stop.clone());
        tokio::spawn(async move {
            running.await;
            drop(told);
        });
        Self { address, inner, stop, ended }
    }

    /// As `kill -9`: every connection breaks off.
    pub async fn kill(&self) {
        self.stop.cancel();
        self.ended.cancelled().await;
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.inner.seen.lock().expect("a lock").clone()
    }

    pub fn last(&self) -> Seen {
        self.seen().pop().expect("a request arrived")
    }

    /// Waits until so many requests have come.
    pub async fn came(&self, count: usize) {
        self.inner.count.subscribe().wait_for(|now| *now >= count).await.expect("it runs");
    }
}

async fn run(listener: TcpListener, inner: Arc<Inner>, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return connections.shutdown().await,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        let inner = Arc::clone(&inner);
        connections.spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&inner), request));
            let builder = http1::Builder::new().timer(TokioTimer::new()).clone();
            let _ = builder.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
        });
    }
}

/// Says when whoever asked has gone.
struct Gone(CancellationToken, bool);

impl Drop for Gone {
    fn drop(&mut self) {
        if self.1 {
            self.0.cancel();
        }
    }
}

fn text(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).map_err(|never| match never {}).boxed_unsync()
}

async fn answer(inner: Arc<Inner>, mut request: Request<Incoming>) -> Result<Response<Body>, std::io::Error> {
    let path = request.uri().path().to_owned();
    if path == "/ready" {
        let status = if inner.ready.load(Ordering::Relaxed) { 200 } else { 503 };
        return Ok(Response::builder().status(status).body(text("{}")).expect("an answer"));
    }
    inner.count.send_modify(|count| *count += 1);
    let upgrade = hyper::upgrade::on(&mut request);
    let (parts, mut body) = request.into_parts();
    let note = |body: Bytes| {
        let seen = Seen { uri: parts.uri.clone(), headers: parts.headers.clone(), body };
        inner.seen.lock().expect("a lock").push(seen);
    };
    let word = path.rsplit('/').next().unwrap_or_default();
    match word {
        "hang" => {
            let mut gone = Gone(inner.gone.clone(), true);
            note(Bytes::new());
            inner.gate.acquire().await.expect("it is open").forget();
            gone.1 = false;
            Ok(Response::new(text("late")))
        }
        "drop" => {
            note(Bytes::new());
            Err(std::io::Error::other("dropped"))
        }
        "broken" => {
            note(Bytes::new());
            let failed = Response::builder().status(500).header("content-type", "text/plain");
            Ok(failed.body(text("panicked at /srv/app/main.rs: SELECT * FROM users")).expect("an answer"))
        }
        "problem" => {
            let failed = Response::builder().status(503).header("content-type", "application/problem+json");
            Ok(failed.body(text(r#"{"code":"theirs"}"#)).expect("an answer"))
        }
        "wordy" => {
            let answer = Response::builder().header("access-control-allow-origin", "*").header("server", "x");
            let answer =
                answer.header("connection", "x-inner").header("x-inner", "1").header("cache-control", "max-age=60");
            Ok(answer.body(text("{}")).expect("an answer"))
        }
        "large" => {
            let chunks =
                futures_util::stream::iter((0..256).map(|_| Ok(Frame::data(Bytes::from(vec![b'x'; 64 << 10])))));
            Ok(Response::new(StreamBody::new(chunks).boxed_unsync()))
        }
        "events" => {
            note(Bytes::new());
            let gone = Gone(inner.gone.clone(), true);
            let events = inner.events.lock().expect("a lock").take().expect("events");
            let events = futures_util::stream::unfold((events, gone), |(mut events, gone)| async move {
                let event = events.recv().await?;
                Some((Ok(Frame::data(Bytes::from(event))), (events, gone)))
            });
            let answer = Response::builder().header("content-type", "text/event-stream");
            Ok(answer.body(StreamBody::new(Box::pin(events)).boxed_unsync()).expect("an answer"))
        }
        "upload" => {
            // The first part is read, the others with a permit.
            let mut is_first = true;
            while let Some(frame) = body.frame().await {
                let Some(data) = frame.map_err(std::io::Error::other)?.into_data().ok() else { continue };
                inner.bytes.fetch_add(data.len() as u64, Ordering::SeqCst);
                if std::mem::take(&mut is_first) {
                    inner.gate.acquire().await.expect("it is open").forget();
                }
            }
            note(Bytes::new());
            Ok(Response::new(text(inner.bytes.load(Ordering::SeqCst).to_string())))
        }
        "ws" => {
            note(Bytes::new());
            tokio::spawn(async move {
                let mut stream = TokioIo::new(upgrade.await.expect("an upgrade"));
                let (mut from, mut to) = tokio::io::split(&mut stream);
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
            let answer = Response::builder().status(101).header("connection", "upgrade").header("upgrade", "websocket");
            Ok(answer.header("sec-websocket-accept", "yes").body(text("")).expect("an answer"))
        }
        _ => {
            note(body.collect().await.map_err(std::io::Error::other)?.to_bytes());
            Ok(Response::new(text(r#"{"ok":true}"#)))
        }
    }
}

/// A stream of parts that a test sends one by one.
pub fn parts() -> (mpsc::UnboundedSender<Bytes>, reqwest::Body) {
    let (send, receive) = mpsc::unbounded_channel::<Bytes>();
    let stream =
        futures_util::stream::unfold(receive, |mut receive| async move { Some((receive.recv().await?, receive)) });
    (send, reqwest::Body::wrap_stream(stream.map(Ok::<_, std::io::Error>)))
}
