//! The service on a database of its own.

use http::Method;
use serde_json::Value;
use testkit::{Person, Platform, Seen, Served};

pub struct World {
    pub platform: Platform,
    pub served: Served,
}

impl World {
    pub async fn start() -> Self {
        let platform = Platform::start().await;
        let settings = platform.settings(&organizations::DEFINITION).await;
        let service = organizations::bind(settings).await.expect("it starts");
        Self { platform, served: Served::ready(service).await }
    }

    pub async fn ask(&self, person: &Person, method: Method, path: &str, body: Option<Value>) -> Seen {
        self.served.ask(&self.platform.issuer, person, method, path, body).await
    }

    pub async fn get(&self, person: &Person, path: &str) -> Seen {
        self.ask(person, Method::GET, path, None).await
    }
}
