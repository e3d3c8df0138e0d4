//! The catalogue's rules as a rule file of Prometheus.
//!
//! Each expression asks of the metrics what [`readings`](super::readings) asks of the same figures. Aggregations take away
//! which copy of the service was scraped, so that an alert is one however many there are, and has the labels with which the
//! service tells Alertmanager itself.

use std::fmt::Write as _;

use migration_engine::Catalogue;
use migration_engine::catalogue::alerts::{AlertRule, AlertSettings};

use super::readings::{BACKUPS, DATA, MAKING, VERIFICATION};

/// The name of a rule's alert, as Prometheus and Alertmanager show it: `ProfeLowDisk` for `low-disk`.
pub fn alert_name(rule: &str) -> String {
    let word = |word: &str| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_ascii_uppercase() + rest
    };
    std::iter::once("Profe".to_owned()).chain(rule.split('-').map(word)).collect()
}

/// The whole file for a catalogue.
pub fn rule_file(catalogue: &Catalogue) -> String {
    let mut text = "# Made by `profe alerts rules` from the catalogue's [alerts]; change that instead.\n\
                    groups:\n  - name: profe\n    rules:\n"
        .to_owned();
    for rule in AlertRule::ALL {
        for (settings, selector) in variants(catalogue, rule) {
            let subject = (rule == AlertRule::LowDisk).then_some(DATA);
            write_rule(&mut text, rule, subject, settings, &expression(rule, settings.threshold, &selector));
        }
        if let (AlertRule::LowDisk, Some(settings)) = (rule, catalogue.alert(rule, None)) {
            write_rule(&mut text, rule, Some(BACKUPS), settings, &backups_disk(settings.threshold));
        }
    }
    text
}

/// The environments with the same settings, as a selector; in the order of the catalogue.
fn variants(catalogue: &Catalogue, rule: AlertRule) -> Vec<(AlertSettings, String)> {
    let mut groups: Vec<(AlertSettings, Vec<&str>)> = Vec::new();
    for name in catalogue.environments.keys() {
        let Some(settings) = catalogue.alert(rule, Some(name)) else { continue };
        match groups.iter_mut().find(|(other, _)| *other == settings) {
            Some((_, names)) => names.push(name),
            None => groups.push((settings, vec![name])),
        }
    }
    let all = catalogue.environments.len();
    let selector = |names: Vec<&str>| match names.len() {
        // Others may export PostgreSQL's figures under the same names, without our label.
        n if n == all => "environment!=\"\"".to_owned(),
        _ => format!("environment=~{}", matcher(&names)),
    };
    groups.into_iter().map(|(settings, names)| (settings, selector(names))).collect()
}

/// A regular expression for exactly these names, as a string of PromQL: names are the catalogue's, and may have any sign.
fn matcher(names: &[&str]) -> String {
    let literal = |name: &&str| {
        name.chars().fold(String::new(), |mut literal, c| {
            if r"\.+*?()|[]{}^$".contains(c) {
                literal.push('\\');
            }
            literal.push(c);
            literal
        })
    };
    quoted(&names.iter().map(literal).collect::<Vec<_>>().join("|"))
}

/// JSON's strings are PromQL's, and YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn expression(rule: AlertRule, threshold: u32, on: &str) -> String {
    match rule {
        AlertRule::FailedMigration => format!(
            "max by (environment, service) (profe_migration_migrations{{state=~\"failed|interrupted\",{on}}}) > 0"
        ),
        AlertRule::FailedBackup => {
            let failed = |metric: &str, subject: &str| {
                let least = format!("min by (environment, service) (profe_migration_backup_{metric}_success{{{on}}})");
                subject_is(subject, &format!("{least} == 0"))
            };
            format!("{} or {}", failed("last_attempt", MAKING), failed("last_verification", VERIFICATION))
        }
        AlertRule::LowDisk => {
            format!(
                "100 * min by (environment) (profe_migration_data_directory_free_bytes{{{on}}} \
                 / profe_migration_data_directory_size_bytes{{{on}}}) < {threshold}"
            )
        }
        AlertRule::TooManyConnections => format!(
            "100 * max by (environment) (sum by (environment, instance) (pg_stat_activity_count{{{on}}})) \
             / max by (environment) (pg_settings_max_connections{{{on}}} - pg_settings_superuser_reserved_connections{{{on}}}) \
             > {threshold} \
             or 100 * max by (environment) (profe_migration_target_connections_refused{{{on}}}) > {threshold}"
        ),
        AlertRule::StaleBackup => {
            let made = "profe_migration_backup_last_success_timestamp_seconds";
            let seconds = u64::from(threshold) * 3_600;
            format!(
                "max by (environment, service) (profe_migration_migrations{{state=\"applied\",{on}}}) > 0 \
                 unless on (environment, service) (time() - max by (environment, service) ({made}{{{on}}}) < {seconds}) \
                 unless on (environment) (time() - max by (environment) ({made}{{service=\"*\",{on}}}) < {seconds}) \
                 and on () (max(profe_migration_master_up) == 1)"
            )
        }
        AlertRule::Drift => format!("max by (environment, service) (profe_migration_drift_findings{{{on}}}) > 0"),
        AlertRule::BrokenAuditChain => {
            format!("min by (environment) (profe_migration_audit_chain_intact{{{on}}}) == 0")
        }
        AlertRule::LongLockWait => {
            format!("max by (environment) (profe_migration_target_lock_wait_seconds{{{on}}}) > {threshold}")
        }
        AlertRule::CertificateMissing => {
            format!("max by (environment, service) (profe_migration_certificates_missing{{{on}}}) > 0")
        }
        AlertRule::TargetUnreachable => format!(
            "max by (environment) (pg_up{{{on}}}) == 0 \
             unless on (environment) max by (environment) (profe_migration_target_connections_refused{{{on}}}) == 1"
        ),
        AlertRule::StaleSample => {
            let looked_at = "profe_migration_target_sample_timestamp_seconds";
            format!("time() - max by (environment) ({looked_at}{{{on}}}) > {threshold}")
        }
    }
}

fn backups_disk(threshold: u32) -> String {
    format!(
        "100 * min(profe_migration_backup_storage_free_bytes / profe_migration_backup_storage_size_bytes) < {threshold}"
    )
}

fn subject_is(subject: &str, expression: &str) -> String {
    format!("label_replace({expression}, \"subject\", \"{subject}\", \"\", \"\")")
}

/// What a person reads first, in Prometheus's templates.
fn summary(rule: AlertRule) -> &'static str {
    match rule {
        AlertRule::FailedMigration => {
            "{{ $value }} migrations of {{ $labels.service }} failed in {{ $labels.environment }}"
        }
        AlertRule::FailedBackup => {
            "the last {{ $labels.subject }} of a backup of {{ if eq $labels.service \"*\" }}the whole database{{ else }}{{ $labels.service }}{{ end }} in {{ $labels.environment }} failed"
        }
        AlertRule::LowDisk => {
            "{{ printf \"%.1f\" $value }} % of the disk of the {subject} are free{{ with $labels.environment }} in {{ . }}{{ end }}"
        }
        AlertRule::TooManyConnections => {
            "{{ printf \"%.0f\" $value }} % of the connections of the server of {{ $labels.environment }} are in use"
        }
        AlertRule::StaleBackup => "there is no recent backup of {{ $labels.service }} in {{ $labels.environment }}",
        AlertRule::Drift => {
            "{{ $value }} differences between {{ or $labels.service \"the database\" }} in {{ $labels.environment }} and what its migrations make"
        }
        AlertRule::BrokenAuditChain => "the record of who changed the schema in {{ $labels.environment }} is not whole",
        AlertRule::LongLockWait => {
            "somebody has waited for a lock in {{ $labels.environment }} for {{ printf \"%.0f\" $value }} s"
        }
        AlertRule::CertificateMissing => {
            "{{ $value }} migrations of {{ $labels.service }} pending in {{ $labels.environment }} without a certificate"
        }
        AlertRule::TargetUnreachable => "the database of {{ $labels.environment }} does not answer",
        AlertRule::StaleSample => {
            "the database of {{ $labels.environment }} was last looked at {{ printf \"%.0f\" $value }} s ago"
        }
    }
}

fn write_rule(text: &mut String, rule: AlertRule, subject: Option<&str>, settings: AlertSettings, expression: &str) {
    let (name, severity) = (rule.as_str(), settings.severity.as_str());
    // A label that the rule itself gives is not among those that its templates see.
    let summary = summary(rule).replace("{subject}", subject.unwrap_or_default());
    let subject = subject.map(|subject| format!("          subject: {subject}\n")).unwrap_or_default();
    // Writing into a String cannot fail.
    let _ = write!(
        text,
        "      - alert: {}\n        expr: {}\n        for: {}s\n        labels:\n          rule: {name}\n          \
         severity: {severity}\n{subject}        annotations:\n          summary: {}\n",
        alert_name(name),
        quoted(expression),
        settings.hold_s,
        quoted(&summary),
    );
}
