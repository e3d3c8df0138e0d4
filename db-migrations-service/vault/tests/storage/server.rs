//! An S3 server of this process, and what stands between it and its clients: a layer that counts what passes, and
//! fails as it is told.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex};

use backup_vault::storage::{Patience, Storage, StorageError};
use futures_util::StreamExt;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, BodyStream, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

pub const BUCKET: &str = "backups";
pub const KEY: &str = "the-key";
pub const SECRET: &str = "the-secret-of-the-key";

/// What is waited for comes within milliseconds, or not at all.
const LONGEST_WAIT: std::time::Duration = std::time::Duration::from_mins(1);

/// What happens to a request.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    None,
    /// Answered instead of the server.
    Answer(u16, &'static str),
    /// The connection ends before the server hears of it.
    Drop,
    /// The server has done it, but the connection ends before its answer.
    Lose,
    /// The connection ends after so many bytes of the answer's body.
    Cut(usize),
    /// One byte of the answer's body is another.
    Flip(usize),
    /// There is no answer, ever.
    Stall,
}

/// A request, as the layer sees it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// From 0, over all requests since the plan was set.
    pub number: usize,
    pub method: Method,
    pub path: String,
    pub query: String,
}

impl Seen {
    /// Of an object's content.
    pub fn is_get(&self) -> bool {
        self.method == Method::GET && !self.query.contains("list-type")
    }

    pub fn is_put(&self) -> bool {
        self.method == Method::PUT
    }

    pub fn is_part(&self) -> bool {
        self.is_put() && self.query.contains("partNumber")
    }

    pub fn is_completion(&self) -> bool {
        self.method == Method::POST && self.query.contains("uploadId")
    }
}

type Plan = Box<dyn Fn(&Seen) -> Fault + Send + Sync>;
type Body = UnsyncBoxBody<Bytes, std::io::Error>;

struct Layer {
    service: S3Service,
    plan: Mutex<(Plan, Vec<Seen>)>,
    /// Requests that are being worked on, and those that are done.
    counts: watch::Sender<(usize, usize)>,
}

pub struct Server {
    address: String,
    root: TempDir,
    layer: Arc<Layer>,
}

impl Server {
    /// A server with an empty bucket.
    pub async fn start() -> Self {
        Self::start_with(None).await
    }

    /// One that speaks TLS only, and the certificate of its authority.
    pub async fn start_tls() -> (Self, String) {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the versions")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("a certificate and its key");
        (Self::start_with(Some(TlsAcceptor::from(Arc::new(config)))).await, made.cert.pem())
    }

    async fn start_with(tls: Option<TlsAcceptor>) -> Self {
        let root = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(root.path().join(BUCKET)).expect("the bucket");
        let files = s3s_fs::FileSystem::new(root.path()).expect("a file system");
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let layer = Arc::new(Layer {
            service: builder.build(),
            plan: Mutex::new((Box::new(|_| Fault::None), Vec::new())),
            counts: watch::Sender::new((0, 0)),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        tokio::spawn(accept(listener, tls, Arc::clone(&layer)));
        Self { address, root, layer }
    }

    pub fn url(&self) -> String {
        format!("s3://{BUCKET}/platform?endpoint=http://{}", self.address)
    }

    /// A storage on it that loses its patience soon enough for a test.
    pub fn storage(&self) -> Storage {
        open(&self.url()).expect("the storage can be opened")
    }

    /// From now on, requests meet what the plan says; those seen so far are forgotten.
    pub fn plan(&self, plan: impl Fn(&Seen) -> Fault + Send + Sync + 'static) {
        *self.layer.plan.lock().expect("the plan") = (Box::new(plan), Vec::new());
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.layer.plan.lock().expect("the plan").1.clone()
    }

    /// Waits until a condition holds, looking whenever a request comes or is done.
    pub async fn until(&self, holds: impl Fn(&Self) -> bool) {
        let mut counts = self.layer.counts.subscribe();
        let wait = async {
            while !holds(self) {
                counts.changed().await.expect("the server lives");
            }
        };
        tokio::time::timeout(LONGEST_WAIT, wait).await.expect("what is waited for comes");
    }

    /// Waits until nothing is being worked on.
    pub async fn idle(&self) {
        let mut counts = self.layer.counts.subscribe();
        let idle = counts.wait_for(|(busy, _)| *busy == 0);
        tokio::time::timeout(LONGEST_WAIT, idle).await.expect("all is answered").expect("the server lives");
    }

    /// The names of all objects, temporaries included.
    pub fn objects(&self) -> BTreeSet<String> {
        files(&self.root.path().join(BUCKET))
    }

    /// What the server keeps of uploads that are not completed: their ids, their parts.
    pub fn parts(&self) -> BTreeSet<String> {
        let all = std::fs::read_dir(self.root.path()).expect("the server's folder");
        let names = all.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
        names.filter(|name| name.starts_with(".upload") || name.starts_with(".tmp")).collect()
    }

    /// How many of them have arrived whole.
    pub fn whole_parts(&self) -> usize {
        self.parts().iter().filter(|name| name.contains(".part-") && name.starts_with(".upload")).count()
    }

    /// Whether there is nothing but these objects, whole: no temporary, no part.
    #[track_caller]
    pub fn assert_holds(&self, objects: &[&str]) {
        let expected: BTreeSet<String> = objects.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!((self.objects(), self.parts()), (expected, BTreeSet::new()));
    }
}

/// The names of all files below a folder.
pub fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below").to_str().expect("a name");
                found.insert(name.to_owned());
            }
        }
    }
    found
}

pub fn variables(name: &str) -> Option<String> {
    match name {
        "AWS_ACCESS_KEY_ID" => Some(KEY.to_owned()),
        "AWS_SECRET_ACCESS_KEY" => Some(SECRET.to_owned()),
        "AWS_REGION" => Some("eu-central-1".to_owned()),
        _ => None,
    }
}

pub fn open(url: &str) -> Result<Storage, StorageError> {
    Storage::open_with(url, &variables, patience())
}

/// Short pauses. The silence is long enough for a busy machine to answer within.
pub fn patience() -> Patience {
    use std::time::Duration;
    Patience { pause: Duration::from_millis(1), silence: Duration::from_secs(20), ..Patience::default() }
}

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    layer: Arc<Layer>,
) -> Result<Infallible, std::io::Error> {
    loop {
        let (stream, _) = listener.accept().await?;
        let (tls, layer) = (tls.clone(), Arc::clone(&layer));
        tokio::spawn(async move {
            match tls {
                None => serve(stream, layer).await,
                Some(tls) => serve(tls.accept(stream).await?, layer).await,
            }
            Ok::<(), std::io::Error>(())
        });
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, layer: Arc<Layer>) {
    let service = hyper::service::service_fn(|request| handle(Arc::clone(&layer), request));
    // Broken connections are what this is for.
    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
}

/// Counts a request as being worked on, until it is answered or its connection ends.
struct Busy(Arc<Layer>);

impl Busy {
    fn new(layer: Arc<Layer>) -> Self {
        layer.counts.send_modify(|(busy, _)| *busy += 1);
        Self(layer)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.counts.send_modify(|(busy, done)| (*busy, *done) = (*busy - 1, *done + 1));
    }
}

async fn handle(layer: Arc<Layer>, request: Request<Incoming>) -> Result<Response<Body>, std::io::Error> {
    let _busy = Busy::new(Arc::clone(&layer));
    let fault = {
        let mut plan = layer.plan.lock().expect("the plan");
        let seen = Seen {
            number: plan.1.len(),
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
        };
        let fault = (plan.0)(&seen);
        plan.1.push(seen);
        fault
    };
    let broken = || std::io::Error::other("the connection was cut");
    match fault {
        Fault::Stall => std::future::pending().await,
        Fault::Drop => Err(broken()),
        Fault::Answer(status, code) => {
            // Read to its end, as a server would: otherwise the client sees a broken connection.
            request.into_body().collect().await.map_err(std::io::Error::other)?;
            let text = format!("<Error><Code>{code}</Code><Message>As told.</Message></Error>");
            let body = Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync();
            let status = StatusCode::from_u16(status).expect("a status");
            Ok(Response::builder().status(status).body(body).expect("an answer"))
        }
        Fault::None | Fault::Lose | Fault::Cut(_) | Fault::Flip(_) => {
            let request = request.map(s3s::Body::from);
            let answer = layer.service.call(request).await.map_err(|_| broken())?;
            match fault {
                Fault::Lose => Err(broken()),
                _ => Ok(answer.map(|body| spoiled(body, fault))),
            }
        }
    }
}

/// The body, cut or with one byte flipped.
fn spoiled(body: s3s::Body, fault: Fault) -> Body {
    let mut at = 0;
    let frames = BodyStream::new(body).flat_map(move |frame| {
        let frames = match frame.map(Frame::into_data) {
            Ok(Ok(mut data)) => {
                let start = at;
                at += data.len();
                match fault {
                    Fault::Cut(end) if at > end => {
                        let rest = data.split_to(end.saturating_sub(start));
                        vec![Ok(Frame::data(rest)), Err(std::io::Error::other("cut"))]
                    }
                    Fault::Flip(offset) if (start..at).contains(&offset) => {
                        let mut changed = data.to_vec();
                        changed[offset - start] ^= 1;
                        vec![Ok(Frame::data(changed.into()))]
                    }
                    _ => vec![Ok(Frame::data(data))],
                }
            }
            Ok(Err(other)) => vec![Ok(other)],
            Err(error) => vec![Err(std::io::Error::other(error.to_string()))],
        };
        futures_util::stream::iter(frames)
    });
    BodyExt::boxed_unsync(StreamBody::new(frames))
}
