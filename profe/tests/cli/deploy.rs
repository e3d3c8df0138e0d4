//! What `deploy/` sets up: every part of compose.yaml as its own process, with exactly the variables and arguments that stand there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Running, client, free_port, open_folder, profe};

/// Each with its port in the file, those first that others wait for.
const PARTS: [(&str, u16); 5] = [
    ("migration-service", 3009),
    ("auth-service", 3001),
    ("user-service", 3002),
    ("organization-service", 3003),
    ("api-gateway", 3000),
];

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(name)
}

/// The lines below `key:`, one step deeper and without it.
fn below<'a>(lines: &[&'a str], key: &str) -> Vec<&'a str> {
    let is_key = |line: &&str| *line == format!("{key}:") || line.starts_with(&format!("{key}: &"));
    let at = lines.iter().position(is_key).unwrap_or_else(|| panic!("there is no {key}"));
    let own = lines[at + 1..].iter().take_while(|line| line.is_empty() || line.starts_with("  "));
    own.filter_map(|line| line.strip_prefix("  ")).collect()
}

/// A value as compose reads it: without quotes and a comment, with the defaults of what is not set.
fn read(value: &str) -> String {
    let value = value.split(" #").next().unwrap_or_default().trim().trim_matches('"');
    let mut text = value.to_owned();
    while let Some((before, rest)) = text.clone().split_once("${") {
        let (variable, after) = rest.split_once('}').expect("it is closed");
        let default = variable.split_once(":-").unwrap_or_else(|| panic!("{variable} has no default")).1;
        text = format!("{before}{default}{after}");
    }
    text
}

/// The variables of a part, those that it shares with others included.
fn variables(compose: &[&str], part: &str) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for line in below(&below(&below(compose, "services"), part), "environment") {
        let (name, value) = line.split_once(": ").expect("a variable");
        if name == "<<" {
            let shared = below(compose, &format!("x-{}", value.trim_start_matches('*')));
            all.extend(
                shared
                    .iter()
                    .map(|line| line.split_once(": ").expect("a variable"))
                    .map(|(name, value)| (name.to_owned(), read(value))),
            );
        } else {
            all.insert(name.to_owned(), read(value));
        }
    }
    all
}

/// As compose.yaml has it, on this machine: its names of hosts are ports here, its volumes folders.
#[test]
fn the_parts_of_compose_find_one_another_behind_the_gateway() {
    let text = std::fs::read_to_string(deploy("compose.yaml")).expect("it is there");
    let compose: Vec<&str> = text.lines().collect();
    let cluster = testkit::start_cluster();
    let postgres = cluster.url("postgres");
    let server = postgres.split_once('@').and_then(|(_, rest)| rest.split_once('/')).expect("a URL").0.to_owned();
    let user = postgres.split_once('@').expect("a user").0.to_owned();
    let options = postgres.split_once('?').map_or(String::new(), |(_, options)| format!("?{options}"));
    let folder = open_folder();
    let (secrets, mail) = (folder.path().join("secrets"), folder.path().join("mail"));
    std::fs::create_dir(&secrets).expect("our own folder");
    let ports: Vec<_> = PARTS.iter().map(|(name, port)| (format!("{name}:{port}"), free_port())).collect();
    let here = |value: &str| {
        let mut value = value.replace("/run/profe", &secrets.display().to_string());
        for (place, port) in &ports {
            value = value.replace(place, &format!("127.0.0.1:{port}"));
        }
        match value.strip_prefix("postgresql://postgres:profe@postgres/") {
            Some(database) => format!("{user}@{server}/{database}{options}"),
            None => value,
        }
    };
    // What stands for the store, and for the mail server.
    let absent = |name: &str| {
        name.starts_with("AWS_") || name == "MAIL_SMTP_URL" || name == "MIGRATION_SERVICE_REDIS_URL" || name == "PORT"
    };
    let set = |command: &mut Command, part: &str| {
        let all = variables(&compose, part);
        command.envs(all.iter().filter(|(name, _)| !absent(name)).map(|(name, value)| (name, here(value))));
        command.env("MIGRATION_SERVICE_BACKUP_STORAGE", folder.path().join("backups")).env("MAIL_FOLDER", &mail);
        command.env("MIGRATION_SERVICE_WATCH_INTERVAL", "off");
    };

    testkit::block_on(async {
        let session = postgres_link::connect(&postgres_link::ConnectOptions::parse(&postgres).expect("a URL"))
            .await
            .expect("a session");
        session.batch("CREATE DATABASE profe_database").await.expect("a database");
    });
    let prepare = || {
        let mut command = Command::new("sh");
        let path = Path::new(env!("CARGO_BIN_EXE_profe")).parent().expect("a folder").display().to_string();
        command.env_clear().current_dir(folder.path()).arg(deploy("prepare.sh")).env("SECRETS", &secrets);
        command.env("PATH", format!("{path}:{}", std::env::var("PATH").expect("a path")));
        set(&mut command, "prepare");
        let done = command.output().expect("it starts");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    let kept = || {
        let files = std::fs::read_dir(&secrets).expect("ours").map(|entry| entry.expect("a file").path());
        files.map(|path| (path.clone(), std::fs::read_to_string(path).expect("text"))).collect::<BTreeMap<_, _>>()
    };
    prepare();
    let secret = kept();
    prepare();
    assert_eq!(kept(), secret, "what is kept is kept");

    let mut running = Vec::new();
    for (index, (name, port)) in PARTS.iter().enumerate() {
        let mut command = profe(folder.path());
        set(&mut command, name);
        let prefix =
            if *name == "api-gateway" { "API_GATEWAY".to_owned() } else { name.replace('-', "_").to_uppercase() };
        assert_eq!(variables(&compose, name)["PORT"], port.to_string());
        command.env(format!("{prefix}_PORT"), ports[index].1.to_string());
        let lines = below(&below(&compose, "services"), name);
        let arguments = lines.iter().find_map(|line| line.strip_prefix("command: ")).expect("its arguments");
        let arguments: Vec<String> = serde_json::from_str(arguments).expect("a list");
        let mut part = Running::start(
            command.arg("--output").arg("json"),
            &arguments.iter().map(String::as_str).collect::<Vec<_>>(),
        );
        // The auth service is ready before those who want its keys; nothing else is waited for.
        part.wait_for("\"ready\":true");
        running.push(part);
    }
    let front = format!("http://127.0.0.1:{}/api", ports[4].1);
    let login = json!({ "email": "admin@escuela.example", "password": "profe-desarrollo" });
    let answer = client().post(format!("{front}/auth/login")).json(&login).send().expect("an answer");
    assert_eq!(answer.status().as_u16(), 200);
    let answer: Value = serde_json::from_str(&answer.text().expect("text")).expect("JSON");
    let token = answer["token"].as_str().expect("a token");
    for path in ["/admin/organization", "/users", "/auth/sessions"] {
        let asked = client().request(Method::GET, format!("{front}{path}")).bearer_auth(token).send();
        assert_eq!(asked.expect("an answer").status().as_u16(), 200, "{path}");
    }
    for part in running.into_iter().rev() {
        let (status, _, errors) = part.interrupt();
        assert_eq!(status.code(), Some(0), "{errors}");
    }
}

/// A variable that nobody reads is one that nobody misses: the typing error of a deployment.
#[test]
fn every_variable_that_is_set_stands_in_the_documents() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = |path: &str| std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let documents = [
        "README.md",
        "docs/platform.md",
        "services/auth/README.md",
        "services/users/README.md",
        "db-migrations-service/config/services.toml",
    ];
    let documents: String = documents.iter().map(|path| text(path)).collect();
    let services = ["AUTH_SERVICE", "USER_SERVICE", "ORGANIZATION_SERVICE"];
    let is_named = |name: &str| {
        let name = name.trim_end_matches("_FILE");
        let of_service = services.iter().find_map(|service| name.strip_prefix(service));
        let of_gateway = name.strip_prefix("API_GATEWAY");
        // Tables write what many have in common once, and go on with what differs.
        let is_word = |word: &str| documents.contains(&format!("`{word}")) || documents.contains(&format!("{word}`"));
        is_word(name)
            || of_service
                .is_some_and(|rest| is_word(&format!("<SERVICE>{rest}")) || documents.contains(&format!("`{rest}`")))
            || of_gateway.is_some_and(|rest| documents.contains(&format!("`{rest}`")) || rest.ends_with("_SERVICE"))
            || documents.contains(&format!("\"{name}\""))
    };
    let ours = [
        "MIGRATION_SERVICE_",
        "AUTH_SERVICE_",
        "USER_SERVICE_",
        "ORGANIZATION_SERVICE_",
        "API_GATEWAY_",
        "MAIL_",
        "DATABASE_URL",
    ];
    let mut seen = BTreeSet::new();
    let files = [
        "compose.yaml",
        "Dockerfile",
        "kubernetes/migration-service.yaml",
        "kubernetes/release-gate.yaml",
        "kubernetes/services.yaml",
        "kubernetes/gateway.yaml",
    ];
    for file in files {
        for line in text(&format!("deploy/{file}")).lines() {
            let line = line.trim().trim_start_matches("- name: ").trim_start_matches("ENV ");
            let name: String = line.chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
            if ours.iter().any(|prefix| name.starts_with(prefix)) {
                assert!(is_named(&name), "{file} sets {name}, which no document names");
                seen.insert(name);
            }
        }
    }
    assert!(seen.len() > 30, "{seen:?}");
}
