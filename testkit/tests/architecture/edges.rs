//! Who may know whom.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

use crate::tree;

const ALLOWED: &str = "testkit/tests/architecture/allowed-edges.txt";

/// Crates that speak HTTP.
const HTTP: [&str; 10] =
    ["axum", "http", "http-body-util", "hyper", "hyper-util", "reqwest", "tower", "tower-http", "utoipa", "web"];

/// No resolution, so no network: the manifests say what each crate asks for.
fn manifests() -> Metadata {
    let mut command = MetadataCommand::new();
    command.manifest_path(tree::root().join("Cargo.toml")).no_deps().other_options(["--offline".to_owned()]);
    command.exec().unwrap_or_else(|error| panic!("cargo metadata: {error}"))
}

/// What each crate of the workspace asks for outside of tests.
fn dependencies(metadata: &Metadata) -> BTreeMap<&str, BTreeSet<&str>> {
    metadata
        .packages
        .iter()
        .map(|package| {
            let wanted = package.dependencies.iter().filter(|d| d.kind != DependencyKind::Development);
            (package.name.as_str(), wanted.map(|d| d.name.as_str()).collect())
        })
        .collect()
}

/// A crate and everything of the workspace that it reaches, and what all of them ask for.
fn reaches<'a>(all: &BTreeMap<&'a str, BTreeSet<&'a str>>, start: &'a str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![start];
    while let Some(name) = open.pop() {
        for dependency in all.get(name).into_iter().flatten() {
            if reached.insert(*dependency) {
                open.push(dependency);
            }
        }
    }
    reached
}

#[test]
fn every_edge_between_our_crates_is_on_the_list() {
    let metadata = manifests();
    let mut edges = BTreeSet::new();
    for package in &metadata.packages {
        for dependency in package.dependencies.iter().filter(|d| d.path.is_some()) {
            let only_tests = if dependency.kind == DependencyKind::Development { " (tests)" } else { "" };
            edges.insert(format!("{} -> {}{only_tests}", package.name, dependency.name));
        }
    }
    let list = tree::read(ALLOWED);
    let allowed: BTreeSet<String> = list
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect();

    let mut message = String::new();
    for edge in edges.difference(&allowed) {
        let _ =
            writeln!(message, "  new:  {edge}   (if it keeps the rules of direction in ARCHITECTURE.md, add the line)");
    }
    for edge in allowed.difference(&edges) {
        let _ = writeln!(message, "  gone: {edge}   (take the line away)");
    }
    assert!(message.is_empty(), "{ALLOWED} does not say what the manifests say:\n{message}");
}

#[test]
fn the_foundation_knows_only_itself() {
    let metadata = manifests();
    let folder = tree::root().join("foundation");
    let below = |path: &std::path::Path| path.starts_with(&folder);
    for package in metadata.packages.iter().filter(|p| below(p.manifest_path.as_std_path())) {
        for dependency in &package.dependencies {
            let inside = dependency.path.as_ref().is_none_or(|path| below(path.as_std_path()));
            assert!(inside, "{} is foundation and must not know {}", package.name, dependency.name);
        }
    }
}

#[test]
fn what_works_on_databases_knows_nothing_of_http() {
    let metadata = manifests();
    let all = dependencies(&metadata);
    assert!(reaches(&all, "profe").contains("axum"), "the search does not find what is there");
    for name in
        ["sql-grammar", "migration-engine", "postgres-link", "embedded-postgres", "kernel", "identity", "runtime"]
    {
        assert!(all.contains_key(name), "there is no crate {name}; mend this test");
        let reached = reaches(&all, name);
        let http: Vec<_> = HTTP.iter().filter(|http| reached.contains(*http)).collect();
        assert!(http.is_empty(), "{name} reaches {http:?}");
    }
}

#[test]
fn only_postgres_link_opens_connections() {
    let metadata = manifests();
    for package in metadata.packages.iter().filter(|p| p.name.as_str() != "postgres-link") {
        let driver =
            package.dependencies.iter().find(|d| d.name.starts_with("tokio-postgres") || d.name == "deadpool-postgres");
        assert!(driver.is_none(), "{} asks for tokio-postgres; use what postgres_link exports", package.name);
    }
    for file in tree::files() {
        if !file.is_rust() || file.path.starts_with("foundation/postgres/") || file.path.starts_with("testkit/tests/") {
            continue;
        }
        for call in ["tokio_postgres::connect(", "tokio_postgres::Config", "connect_raw("] {
            assert!(!file.text.contains(call), "{}: {call} opens a connection; use postgres_link::connect", file.path);
        }
    }
}

/// Where `text` names postgres_link, but not as `postgres_link::tenant`.
fn past_the_door(text: &str) -> Vec<&str> {
    let named = |line: &&str| {
        line.match_indices("postgres_link").any(|(at, name)| {
            let rest = line[at + name.len()..].strip_prefix("::tenant");
            rest.is_none_or(|rest| rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        })
    };
    text.lines().filter(named).collect()
}

#[test]
fn a_service_reaches_its_database_by_the_tenant_module_only() {
    for file in tree::files().iter().filter(|file| file.is_rust() && file.path.starts_with("services/")) {
        let found = past_the_door(&file.text);
        assert!(
            found.is_empty(),
            "{}: {found:?}; a service names postgres_link::tenant and nothing else of it",
            file.path
        );
    }
    let metadata = manifests();
    let folder = |name: &str| tree::root().join(name);
    for package in &metadata.packages {
        let Some(link) = package.dependencies.iter().find(|d| d.name == "postgres-link") else { continue };
        let manifest = package.manifest_path.as_std_path();
        let renamed = manifest.starts_with(folder("services")) && link.rename.is_some();
        assert!(!renamed, "{} gives postgres-link another name, by which nobody finds its uses", package.name);
        assert!(!manifest.starts_with(folder("gateway")), "{} has no database", package.name);
    }
}

#[test]
fn a_way_past_the_door_is_found() {
    for fine in ["use postgres_link::tenant::{TenantTx, TxError};", "postgres_link::tenant::Row", "use kernel::Claims;"]
    {
        assert!(past_the_door(fine).is_empty(), "{fine}");
    }
    for wrong in [
        "use postgres_link::connect;",
        "use postgres_link::{tenant::TenantTx, AdminConn};",
        "use postgres_link as link;",
        "postgres_link::tenants()",
        "postgres_link::tenant::x(); postgres_link::tokio_postgres::connect()",
    ] {
        assert_eq!(past_the_door(wrong), [wrong]);
    }
}

#[test]
fn tests_help_only_tests() {
    let metadata = manifests();
    // The soak is a test too, as a program of its own.
    for (name, wanted) in dependencies(&metadata).into_iter().filter(|(name, _)| *name != "soak") {
        assert!(!wanted.contains("testkit"), "{name} asks for testkit outside of its tests");
    }
}
