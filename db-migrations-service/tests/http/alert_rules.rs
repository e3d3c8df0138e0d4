//! The rule files for Prometheus: what is committed is what the catalogue says, and does what it should.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use db_migrations_service::alerts::rules::rule_file;
use migration_engine::Catalogue;

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

#[test]
fn environments_of_any_name_are_told_apart() {
    let names = ["eu.west", "a|b", r#"the "big" one"#, r"c:\d$", "ñandú {1}"];
    let mut catalogue = "[project]\nname = \"escuela\"\n".to_owned();
    for (percent, name) in names.iter().enumerate() {
        let name = serde_json::Value::from(*name);
        let _ = write!(
            catalogue,
            "[environments.{name}]\ndatabase = \"x{percent}\"\n[alerts.too-many-connections.environments.{name}]\nthreshold = {}\n",
            10 + percent
        );
    }
    let catalogue = Catalogue::parse(&catalogue).expect("a good catalogue");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("rules.yml"), rule_file(&catalogue)).expect("a file");
    // Each has as much as one threshold forbids and the next one allows; so has a name that only looks alike.
    let mut tests = "rule_files: [rules.yml]\nevaluation_interval: 1m\ntests:\n".to_owned();
    for (percent, name) in names.iter().chain(&["euxwest", "a", "b"]).enumerate() {
        let label = serde_json::Value::from(*name).to_string();
        let series = |metric: &str, value: usize| {
            let series = serde_json::Value::from(format!("{metric}{{environment={label}}}"));
            format!("      - {{series: {series}, values: '{value}x30'}}\n")
        };
        let is_known = percent < names.len();
        let used = if is_known { 11 + percent } else { 99 };
        let fires = format!(
            "[{{exp_labels: {{rule: too-many-connections, severity: warning, environment: {label}}}, exp_annotations: {{summary: {}}}}}]",
            serde_json::Value::from(format!("{used} % of the connections of the server of {name} are in use"))
        );
        let expected = if is_known { fires.as_str() } else { "[]" };
        let _ = write!(
            tests,
            "  - interval: 1m\n    input_series:\n{}{}{}    alert_rule_test:\n      \
             - {{eval_time: 10m, alertname: ProfeTooManyConnections, exp_alerts: {expected}}}\n",
            series("pg_stat_activity_count", used),
            series("pg_settings_max_connections", 100),
            series("pg_settings_superuser_reserved_connections", 0),
        );
    }
    // Its linter takes rules of one name for one; they are, each for environments of its own.
    let path = folder.path().join("tests.yml");
    std::fs::write(&path, tests).expect("a file");
    run("promtool", &["test", "rules", path.to_str().expect("text")]);
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
