//! A headless Chromium, driven through chromedriver by the W3C protocol: <https://www.w3.org/TR/webdriver2/>.
//!
//! Waiting is done in the page: a script looks at every frame whether something has come to be, and the driver's own
//! time limit ends it.

use std::process::Stdio;

use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// For one wait; a run, a backup and a restore each fit into it many times over.
const PATIENCE_MS: u32 = 60_000;
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// One browser with nothing in it: no cookie, no cache. [`close`](Self::close) it.
pub struct Browser {
    client: Client,
    session: String,
    /// Dies with this value.
    _driver: Child,
}

impl Browser {
    /// Starts one, in English.
    pub async fn open() -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("chromedriver is installed: apt-get install chromium chromium-driver");
        let mut lines = BufReader::new(driver.stdout.take().expect("it is piped")).lines();
        let port = loop {
            let line = lines.next_line().await.expect("text").expect("chromedriver says its port");
            if let Some((_, port)) = line.split_once("successfully on port ") {
                break port.trim_end_matches('.').to_owned();
            }
        };
        let client = Client::builder().no_proxy().build().expect("a client");
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--lang=en",
            "--window-size=1280,900",
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": arguments, "prefs": { "intl.accept_languages": "en" } },
            "timeouts": { "script": PATIENCE_MS, "pageLoad": PATIENCE_MS, "implicit": 0 },
        } } });
        let base = format!("http://127.0.0.1:{port}/session");
        let answer = command(&client, Method::POST, &base, wanted).await.unwrap_or_else(|error| panic!("{error}"));
        let id = answer["sessionId"].as_str().expect("a session");
        Self { session: format!("{base}/{id}"), client, _driver: driver }
    }

    /// Ends it.
    pub async fn close(self) {
        drop(command(&self.client, Method::DELETE, &self.session, Value::Null).await);
    }

    async fn send(&self, method: Method, path: &str, body: Value) -> Value {
        let answer = command(&self.client, method, &format!("{}{path}", self.session), body).await;
        match answer {
            Ok(value) => value,
            Err(error) => panic!("{path}: {error}\n{}", self.text().await),
        }
    }

    /// What is on the page, for whoever reads why a test failed.
    async fn text(&self) -> String {
        let body = json!({ "script": "return location.href + '\\n' + document.body.innerText", "args": [] });
        let answer = command(&self.client, Method::POST, &format!("{}/execute/sync", self.session), body).await;
        answer.ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// Goes to an address.
    pub async fn go(&self, url: &str) {
        self.send(Method::POST, "/url", json!({ "url": url })).await;
    }

    /// Another page of the same browser, before the one that was seen so far.
    pub async fn another(&self) {
        let made = self.send(Method::POST, "/window/new", json!({ "type": "tab" })).await;
        self.send(Method::POST, "/window", json!({ "handle": made["handle"] })).await;
    }

    /// The size of the window, CSS pixels.
    pub async fn resize(&self, width: u32, height: u32) {
        // The window itself has a least width; the page's does not.
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// Light or dark, as the system would say.
    pub async fn theme(&self, theme: &str) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": theme }] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    /// From now on nothing answers at addresses like these.
    pub async fn unreachable(&self, patterns: &[&str]) {
        self.devtools("Network.enable", json!({})).await;
        self.devtools("Network.setBlockedURLs", json!({ "urls": patterns })).await;
    }

    async fn devtools(&self, cmd: &str, params: Value) {
        self.send(Method::POST, "/goog/cdp/execute", json!({ "cmd": cmd, "params": params })).await;
    }

    /// What a script returns.
    pub async fn run(&self, script: &str) -> Value {
        self.send(Method::POST, "/execute/sync", json!({ "script": script, "args": [] })).await
    }

    /// What a script hands to `done`, which may be later.
    pub async fn run_async(&self, script: &str) -> Value {
        let script = format!("const done = arguments[arguments.length - 1];\n{script}");
        self.send(Method::POST, "/execute/async", json!({ "script": script, "args": [] })).await
    }

    /// Waits until an expression of the page is true.
    pub async fn until(&self, expression: &str) {
        let script = format!("const look = () => ({expression}) ? done(true) : requestAnimationFrame(look); look();");
        self.run_async(&script).await;
    }

    /// Waits for an element that shows this text.
    pub async fn see(&self, css: &str, text: &str) {
        let (css, text) = (json!(css), json!(text));
        self.until(&format!("[...document.querySelectorAll({css})].some((e) => e.textContent.includes({text}))")).await;
    }

    /// Waits for an element that can be pressed and shows this text, and presses it.
    pub async fn press(&self, css: &str, text: &str) {
        let find = format!(
            "[...document.querySelectorAll({})].find((e) => !e.disabled && e.textContent.includes({}))",
            json!(css),
            json!(text)
        );
        self.until(&find).await;
        let element = self.run(&format!("const e = {find}; e.scrollIntoView({{ block: 'center' }}); return e")).await;
        let id = element[ELEMENT].as_str().unwrap_or_else(|| panic!("{css} went away")).to_owned();
        self.send(Method::POST, &format!("/element/{id}/click"), json!({})).await;
    }

    /// Waits for a field, empties it, and types into it.
    pub async fn fill(&self, css: &str, text: &str) {
        self.until(&format!("document.querySelector({})", json!(css))).await;
        let element = self.send(Method::POST, "/element", json!({ "using": "css selector", "value": css })).await;
        let id = element[ELEMENT].as_str().expect("an element").to_owned();
        self.send(Method::POST, &format!("/element/{id}/clear"), json!({})).await;
        self.send(Method::POST, &format!("/element/{id}/value"), json!({ "text": text })).await;
    }

    /// Chooses an option of a select by its text.
    pub async fn choose(&self, css: &str, text: &str) {
        self.press(&format!("{css} option"), text).await;
    }

    /// Types a text where the focus is.
    pub async fn write(&self, text: &str) {
        let keys: Vec<Value> = text
            .chars()
            .flat_map(|c| [("keyDown", c), ("keyUp", c)])
            .map(|(kind, c)| json!({ "type": kind, "value": c.to_string() }))
            .collect();
        let actions = json!({ "actions": [{ "type": "key", "id": "keys", "actions": keys }] });
        self.send(Method::POST, "/actions", actions).await;
    }

    /// Presses a key where the focus is.
    pub async fn key(&self, key: &str) {
        let actions = json!({ "actions": [{ "type": "key", "id": "keys", "actions": [
            { "type": "keyDown", "value": key }, { "type": "keyUp", "value": key },
        ] }] });
        self.send(Method::POST, "/actions", actions).await;
    }
}

async fn command(client: &Client, method: Method, url: &str, body: Value) -> Result<Value, String> {
    let mut request = client.request(method, url);
    if !body.is_null() {
        request = request.json(&body);
    }
    let response = request.send().await.map_err(|error| error.to_string())?;
    let success = response.status().is_success();
    let mut answer: Value = response.json().await.map_err(|error| error.to_string())?;
    let value = answer["value"].take();
    if success { Ok(value) } else { Err(format!("{}: {}", value["error"], value["message"])) }
}
