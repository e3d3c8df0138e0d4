//! The rule files for Prometheus: what is committed is what the catalogue says, and does what it should.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use db_migrations_service::alerts::rules::rule_file;

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).current_dir(deploy()).output();
    let output =
        output.unwrap_or_else(|error| panic!("{program}: {error}; scripts/needs.sh test-database installs it"));
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&said));
}

#[test]
fn the_committed_rules_are_those_of_the_platform_s_catalogue() {
    let catalogue = &db_migrations_service::project::open(None).expect("the platform's own project").catalogue;
    let (made, path) = (rule_file(catalogue), deploy().join("prometheus/profe.rules.yml"));
    if std::env::var_os("UPDATE_ALERT_RULES").is_some() {
        std::fs::write(&path, &made).expect("a file");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == made, "run this test with UPDATE_ALERT_RULES=1; it should be:\n{made}");
}

#[test]
fn promtool_finds_nothing_and_each_rule_fires_when_it_should() {
    run("promtool", &["check", "rules", "--lint-fatal", "prometheus/profe.rules.yml"]);
    run("promtool", &["test", "rules", "prometheus/profe.rules.test.yml"]);
    run("promtool", &["check", "config", "prometheus/prometheus.yml"]);
    run("amtool", &["check-config", "alertmanager/alertmanager.yml"]);
}

/// Names of metrics in a text, without what Prometheus adds to a histogram's.
fn metrics(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let ours = words.filter(|word| word.starts_with("profe_migration_") || word.starts_with("pg_"));
    ours.map(|name| name.trim_end_matches("_bucket").trim_end_matches("_count")).collect()
}

#[test]
fn the_dashboard_asks_for_metrics_that_there_are() {
    let families = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/monitor/families");
    let read = |path: PathBuf| std::fs::read_to_string(path).expect("a file");
    let written: String = ["process.rs", "records.rs", "targets.rs"].map(|name| read(families.join(name))).concat();
    let known = metrics(&written);
    for file in ["grafana/dashboard.json", "prometheus/profe.rules.yml"] {
        let text = read(deploy().join(file));
        let asked = metrics(&text);
        assert!(asked.len() > 10, "{file}: {asked:?}");
        assert_eq!(asked.difference(&known).collect::<Vec<_>>(), Vec::<&&str>::new(), "{file}");
    }
    let dashboard: serde_json::Value =
        serde_json::from_str(&read(deploy().join("grafana/dashboard.json"))).expect("JSON");
    assert!(dashboard["panels"].as_array().is_some_and(|panels| panels.len() > 10));
}
