//! Services with a webhook, as small real servers that may fail, be slow, be away and return.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What becomes of the n-th call, from 1.
type Behaviour = Arc<dyn Fn(usize) -> Deed + Send + Sync>;

#[derive(Debug, Clone)]
pub enum Deed {
    Take,
    Refuse,
    /// Says nothing for ever.
    Hang,
    Redirect(String),
}

/// One call.
#[derive(Debug, Clone)]
pub struct Call {
    pub headers: HeaderMap,
    pub body: String,
    pub taken: bool,
}

impl Call {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    pub fn id(&self) -> String {
        self.headers["profe-delivery"].to_str().expect("text").to_owned()
    }
}

pub struct Receiver {
    pub address: SocketAddr,
    calls: Arc<Mutex<Vec<Call>>>,
    server: JoinHandle<()>,
}

impl Receiver {
    pub async fn new(behaviour: impl Fn(usize) -> Deed + Send + Sync + 'static) -> Self {
        Self::at("127.0.0.1:0".parse().expect("an address"), behaviour).await
    }

    pub async fn at(address: SocketAddr, behaviour: impl Fn(usize) -> Deed + Send + Sync + 'static) -> Self {
        let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
        let behaviour: Behaviour = Arc::new(behaviour);
        let app = Router::new().fallback(take).with_state((Arc::clone(&calls), behaviour));
        let listener = TcpListener::bind(address).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let server = tokio::spawn(async move { axum::serve(listener, app).await.expect("it serves") });
        Self { address, calls, server }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hooks/geheim", self.address)
    }

    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().expect("nobody panicked").clone()
    }

    /// What it took, each once: `type migration …`.
    pub fn taken(&self) -> Vec<String> {
        let mut seen = Vec::new();
        let mut told = Vec::new();
        for call in self.calls().into_iter().filter(|call| call.taken) {
            if !seen.contains(&call.id()) {
                seen.push(call.id());
                told.push(words(&call.json()));
            }
        }
        told
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// `applied 20260101000001 20260102000000`
pub fn words(body: &Value) -> String {
    let version = |id: &Value| id.as_str().and_then(|id| id.split('/').nth(1)).unwrap_or("?").to_owned();
    let all: Vec<_> = body["migrations"].as_array().into_iter().flatten().map(version).collect();
    let what = if all.is_empty() { version(&body["migration"]) } else { all.join(" ") };
    format!("{} {what}", body["type"].as_str().unwrap_or("?"))
}

async fn take(
    State((calls, behaviour)): State<(Arc<Mutex<Vec<Call>>>, Behaviour)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body = String::from_utf8(body.to_vec()).expect("text");
    let deed = {
        let mut calls = calls.lock().expect("nobody panicked");
        let deed = behaviour(calls.len() + 1);
        calls.push(Call { headers, body, taken: matches!(deed, Deed::Take) });
        deed
    };
    match deed {
        Deed::Take => StatusCode::NO_CONTENT.into_response(),
        Deed::Refuse => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Deed::Hang => std::future::pending().await,
        Deed::Redirect(to) => (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, to)]).into_response(),
    }
}
