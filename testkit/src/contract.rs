//! A running service against its own OpenAPI document: schemathesis makes up requests from it, good ones and bad ones, and every
//! answer must be one that the document has – no 5xx, no status, type, header or body that nobody wrote down, no route that
//! forgets to ask for a token.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Map, Value, json};
use tokio::process::Command;

use crate::matrix;

/// What every answer is looked at for.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance,ignored_auth,unsupported_method,allow_header_conformance";
/// The same requests each time; so many of the made up ones for each operation.
const SEED: &str = "20260901";
const EXAMPLES: &str = "15";

/// Runs of schemathesis against one service, and what they have seen.
#[derive(Debug)]
pub struct Contract {
    base: String,
    document: Value,
    known: Map<String, Value>,
    succeeded: BTreeSet<String>,
}

impl Contract {
    /// Of the service that answers at `base` and has this document.
    pub fn new(base: String, document: Value) -> Self {
        Self { base, document, known: Map::new(), succeeded: BTreeSet::new() }
    }

    /// Parameters of paths and members of bodies that have this name get one of these values in every second request; with a path
    /// template and a space in front of the name, at that path alone.
    #[must_use]
    pub fn known(mut self, name: &str, values: &[impl ToString]) -> Self {
        self.known.insert(name.to_owned(), values.iter().map(ToString::to_string).collect());
        self
    }

    /// Asks as the bearer of this token.
    pub async fn ask_as(&mut self, token: &str) {
        self.ask(json!({ "token": token })).await;
    }

    /// Asks as who signs in at `path` with this body, and again wherever the session was ended.
    pub async fn ask_signed_in(&mut self, path: &str, body: &Value) {
        self.ask(json!({ "sign_in": { "url": format!("{}{path}", self.base), "body": body } })).await;
    }

    async fn ask(&mut self, mut says: Value) {
        let folder = tempfile::tempdir().expect("a folder");
        let (told, seen) = (folder.path().join("told.json"), folder.path().join("seen.json"));
        says["known"] = Value::Object(self.known.clone());
        says["seen"] = json!(seen);
        std::fs::write(&told, says.to_string()).expect("a file");
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts");
        let mut command = Command::new(schemathesis());
        command
            .args(["run", &format!("{}/openapi.json", self.base), "--url", &self.base])
            .args(["--checks", CHECKS, "--seed", SEED, "--max-examples", EXAMPLES])
            // Who reads of a failure wants all of them, each with the request that shows it.
            .args(["--continue-on-failure", "--no-color", "--output-sanitize", "false"])
            .env("PYTHONPATH", scripts)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("SCHEMATHESIS_HOOKS", "contract")
            .env("CONTRACT", &told)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = command.output().await.expect("schemathesis runs");
        let said = String::from_utf8_lossy(&output.stdout);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "the service and its document differ:\n{said}\n{error}");
        let seen = std::fs::read_to_string(&seen).unwrap_or_else(|error| panic!("{error}\n{said}"));
        let seen: BTreeMap<String, BTreeMap<String, u64>> = serde_json::from_str(&seen).expect("JSON");
        let good = |statuses: &BTreeMap<String, u64>| statuses.keys().any(|status| status.starts_with('2'));
        self.succeeded.extend(seen.into_iter().filter(|(_, statuses)| good(statuses)).map(|(operation, _)| operation));
    }

    /// Fails where an operation has succeeded in none of the runs, for then only its refusals were looked at. `refused` are
    /// those of which it is known, each with the reason; one that has succeeded after all is wrong there.
    ///
    /// # Panics
    /// See above.
    pub fn assert_seen(&self, refused: &[(&str, &str)]) {
        let all = matrix::routes(&self.document);
        let missed: BTreeSet<_> = all.difference(&self.succeeded).map(String::as_str).collect();
        let expected: BTreeSet<_> = refused.iter().map(|(operation, _)| *operation).collect();
        assert_eq!(missed, expected, "left: never answered with success; right: those of which it is known");
    }
}

/// In the target folder, which this program lies in, too.
fn schemathesis() -> PathBuf {
    let own = std::env::current_exe().expect("a program");
    let tools = own.ancestors().map(|folder| folder.join("contract-tools/bin/schemathesis"));
    let mut found = tools.filter(|program| program.exists());
    found.next().expect("schemathesis is not there: install it with scripts/contract.sh")
}
