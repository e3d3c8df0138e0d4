//! A domain service that runs, and a client who asks it.

use std::net::SocketAddr;

use http::{HeaderMap, Method};
use reqwest::RequestBuilder;
use runtime::{Supervisor, SupervisorError};
use serde_json::Value;
use service::Service;
use service::web::Readiness;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::issuer::Issuer;
use crate::people::Person;

/// A service within the test, served as in the binary.
pub struct Served {
    /// Where it listens.
    pub address: SocketAddr,
    /// What its `/ready` goes by.
    pub readiness: Readiness,
    /// Who asks; it keeps connections and follows no redirects.
    pub client: reqwest::Client,
    shutdown: CancellationToken,
    running: JoinHandle<Result<(), SupervisorError>>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Seen {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub text: String,
}

impl Served {
    /// Runs it, and waits until it is ready.
    pub async fn ready(service: Service) -> Self {
        let served = Self::start(service);
        served.readiness.ready().await;
        assert_eq!(served.get("/ready").await.status, 200);
        served
    }

    /// Runs it.
    pub fn start(service: Service) -> Self {
        let (address, readiness, shutdown) = (service.address(), service.readiness(), CancellationToken::new());
        let mut supervisor = Supervisor::new(shutdown.clone());
        supervisor.add(service);
        let running = tokio::spawn(supervisor.run());
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build();
        Self { address, readiness, client: client.expect("a client"), shutdown, running }
    }

    /// Tells it to end, and waits until it has.
    ///
    /// # Errors
    /// As the supervisor says.
    pub async fn stop(self) -> Result<(), SupervisorError> {
        self.shutdown.cancel();
        self.running.await.expect("no panic")
    }

    /// A request of nobody.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address))
    }

    /// What nobody is answered.
    pub async fn get(&self, path: &str) -> Seen {
        Seen::of(self.request(Method::GET, path)).await
    }

    /// What somebody is answered, whose token `issuer` signs; with a body where there is one.
    pub async fn ask(&self, issuer: &Issuer, person: &Person, method: Method, path: &str, body: Option<Value>) -> Seen {
        let request = self.request(method, path).bearer_auth(issuer.token(person));
        Seen::of(match body {
            Some(body) => request.json(&body),
            None => request,
        })
        .await
    }
}

impl Seen {
    /// Sends the request.
    pub async fn of(request: RequestBuilder) -> Self {
        let answer = request.send().await.expect("the service answers");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Self { status, headers, text: answer.text().await.expect("a whole answer") }
    }

    /// Its body, which is JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The stable code of a problem; empty for what is none.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// A header; empty where it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }
}
