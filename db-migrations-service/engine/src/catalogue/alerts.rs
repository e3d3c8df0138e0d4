//! `[alerts]`: what is worth waking somebody for, from when on, and how urgently.
//!
//! Every rule has a default, so that a catalogue without the section is watched over. A section changes a rule for all
//! environments, a section of an environment below it for that one.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::Environment;

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlertRule {
    /// A migration failed, or was interrupted, and nobody has mended it.
    FailedMigration,
    /// The last attempt to make a backup made none, or the last verification found one damaged.
    FailedBackup,
    /// The disk of the server's data or of the backups fills up.
    LowDisk,
    /// The server's connections are nearly used up.
    TooManyConnections,
    /// A service with applied migrations has no backup of late.
    StaleBackup,
    /// The live schema is not what its migrations make.
    Drift,
    /// The record of who changed the schema is not whole.
    BrokenAuditChain,
    /// Somebody waits for a lock for long.
    LongLockWait,
    /// A migration is pending where proofs are required, and has none for its present files.
    CertificateMissing,
    /// The database does not answer, for another reason than that its server is full.
    TargetUnreachable,
    /// Nobody has looked at the database of late: what is known of it is old.
    StaleSample,
}

/// How urgent it is. Alertmanager routes by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// To be looked at on the next working day.
    Warning,
    /// To be looked at now.
    Critical,
}

impl Severity {
    /// The word in documents, tables and labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// A rule as it holds for one environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlertSettings {
    /// The limit, in the rule's [`unit`](AlertRule::unit); 0 for rules that have none.
    pub threshold: u32,
    /// For how long it must be so before anybody is told, seconds.
    pub hold_s: u32,
    /// How urgent it is.
    pub severity: Severity,
}

/// What a rule is without a word in the catalogue.
struct Defaults {
    name: &'static str,
    /// The limit and its unit, where there is one to choose.
    threshold: Option<(u32, &'static str)>,
    hold_s: u32,
    severity: Severity,
    /// Off where the environment is not protected: nobody backs up or proves what is played with.
    only_protected: bool,
}

impl AlertRule {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::FailedMigration,
        Self::FailedBackup,
        Self::LowDisk,
        Self::TooManyConnections,
        Self::StaleBackup,
        Self::Drift,
        Self::BrokenAuditChain,
        Self::LongLockWait,
        Self::CertificateMissing,
        Self::TargetUnreachable,
        Self::StaleSample,
    ];

    fn defaults(self) -> Defaults {
        use Severity::{Critical, Warning};
        let rule = |name, threshold, hold_s, severity, only_protected| Defaults {
            name,
            threshold,
            hold_s,
            severity,
            only_protected,
        };
        match self {
            Self::FailedMigration => rule("failed-migration", None, 0, Critical, false),
            Self::FailedBackup => rule("failed-backup", None, 0, Critical, false),
            Self::LowDisk => rule("low-disk", Some((10, "percent")), 300, Critical, false),
            Self::TooManyConnections => rule("too-many-connections", Some((80, "percent")), 300, Warning, false),
            Self::StaleBackup => rule("stale-backup", Some((26, "hours")), 900, Critical, true),
            Self::Drift => rule("drift", None, 60, Warning, false),
            Self::BrokenAuditChain => rule("broken-audit-chain", None, 0, Critical, false),
            Self::LongLockWait => rule("long-lock-wait", Some((60, "seconds")), 0, Warning, false),
            Self::CertificateMissing => rule("certificate-missing", None, 900, Warning, true),
            Self::TargetUnreachable => rule("target-unreachable", None, 60, Critical, false),
            // More than a sampler needs that waits for everything as long as it may.
            Self::StaleSample => rule("stale-sample", Some((300, "seconds")), 0, Warning, false),
        }
    }

    /// The word in the catalogue, in documents and in labels.
    pub fn as_str(self) -> &'static str {
        self.defaults().name
    }

    /// In what its threshold is counted; `None` for rules without one.
    pub fn unit(self) -> Option<&'static str> {
        self.defaults().threshold.map(|(_, unit)| unit)
    }
}

/// `[alerts]`: what differs from the defaults, rule by rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Alerts(BTreeMap<AlertRule, AlertSection>);

/// `[alerts.<rule>]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct AlertSection {
    enabled: Option<bool>,
    threshold: Option<u32>,
    #[serde(rename = "for")]
    hold: Option<Hold>,
    severity: Option<Severity>,
    #[serde(default)]
    environments: BTreeMap<String, AlertChange>,
}

/// `[alerts.<rule>.environments.<name>]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct AlertChange {
    enabled: Option<bool>,
    threshold: Option<u32>,
    #[serde(rename = "for")]
    hold: Option<Hold>,
    severity: Option<Severity>,
}

/// A time such as `90s`, `5m` or `1h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct Hold(u32);

impl TryFrom<String> for Hold {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parsed = || {
            let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
            let unit_s = match unit {
                "s" => 1,
                "m" => 60,
                "h" => 3_600,
                _ => return None,
            };
            number.parse::<u32>().ok()?.checked_mul(unit_s).map(Self)
        };
        parsed().ok_or_else(|| format!("{text:?} is no time; write one such as \"90s\", \"5m\" or \"1h\""))
    }
}

impl Alerts {
    /// The rule for an environment, or for what belongs to none; `None` where it is off.
    pub(super) fn settings(&self, rule: AlertRule, environment: Option<(&str, &Environment)>) -> Option<AlertSettings> {
        let defaults = rule.defaults();
        let section = self.0.get(&rule);
        let change = section.zip(environment).and_then(|(section, (name, _))| section.environments.get(name));
        let enabled = change.and_then(|c| c.enabled).or(section.and_then(|s| s.enabled));
        let is_protected = environment.is_none_or(|(_, environment)| environment.protected);
        if !enabled.unwrap_or(is_protected || !defaults.only_protected) {
            return None;
        }
        let threshold = change.and_then(|c| c.threshold).or(section.and_then(|s| s.threshold));
        let hold = change.and_then(|c| c.hold).or(section.and_then(|s| s.hold));
        let severity = change.and_then(|c| c.severity).or(section.and_then(|s| s.severity));
        Some(AlertSettings {
            threshold: threshold.or(defaults.threshold.map(|(limit, _)| limit)).unwrap_or_default(),
            hold_s: hold.map_or(defaults.hold_s, |hold| hold.0),
            severity: severity.unwrap_or(defaults.severity),
        })
    }

    /// What cannot be, one sentence each.
    pub(super) fn problems(&self, environments: &IndexMap<String, Environment>) -> Vec<String> {
        let mut problems = Vec::new();
        for (rule, section) in &self.0 {
            let name = rule.as_str();
            let changes =
                section.environments.iter().map(|(environment, change)| (Some(environment), change.threshold));
            for (environment, threshold) in std::iter::once((None, section.threshold)).chain(changes) {
                let place = environment.map_or_else(
                    || format!("[alerts.{name}]"),
                    |environment| format!("[alerts.{name}.environments.{environment}]"),
                );
                if let Some(problem) = threshold.and_then(|limit| bad_threshold(*rule, limit)) {
                    problems.push(format!("{place} threshold {problem}"));
                }
                if environment.is_some_and(|environment| !environments.contains_key(environment)) {
                    problems.push(format!("{place} is of an environment that there is not"));
                }
            }
        }
        problems
    }
}

fn bad_threshold(rule: AlertRule, limit: u32) -> Option<&'static str> {
    match rule.unit() {
        None => Some("has no meaning: the rule has no limit to choose"),
        Some("percent") if !(1..=100).contains(&limit) => Some("must be 1 to 100 percent"),
        Some(_) if limit == 0 => Some("must be above 0"),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;

    const BASE: &str = "[project]\nname = \"x\"\n[environments.dev]\n[environments.prod]\nprotected = true\n";

    fn catalogue(alerts: &str) -> Catalogue {
        Catalogue::parse(&format!("{BASE}{alerts}")).expect("a good catalogue")
    }

    fn refusal(alerts: &str) -> String {
        Catalogue::parse(&format!("{BASE}{alerts}")).expect_err("a bad catalogue").message
    }

    #[test]
    fn every_rule_has_a_default_and_its_name_is_the_catalogue_s() {
        let catalogue = catalogue("");
        for rule in AlertRule::ALL {
            assert_eq!(serde_json::to_value(rule).expect("a word"), rule.as_str());
            assert!(catalogue.alert(rule, Some("prod")).is_some(), "{rule:?}");
        }
        let off: Vec<_> =
            AlertRule::ALL.into_iter().filter(|rule| catalogue.alert(*rule, Some("dev")).is_none()).collect();
        assert_eq!(off, [AlertRule::StaleBackup, AlertRule::CertificateMissing], "only where data is real");
    }

    #[test]
    fn a_rule_is_changed_for_all_and_for_one() {
        let catalogue = catalogue(
            "[alerts.low-disk]\nthreshold = 20\nfor = \"90s\"\n\
             [alerts.low-disk.environments.prod]\nthreshold = 30\nseverity = \"warning\"\n\
             [alerts.drift]\nenabled = false\n[alerts.drift.environments.prod]\nenabled = true\n\
             [alerts.stale-backup.environments.dev]\nenabled = true\n",
        );
        let low_disk = |environment| catalogue.alert(AlertRule::LowDisk, environment).expect("it is on");
        assert_eq!(low_disk(Some("dev")), AlertSettings { threshold: 20, hold_s: 90, severity: Severity::Critical });
        assert_eq!(low_disk(Some("prod")), AlertSettings { threshold: 30, hold_s: 90, severity: Severity::Warning });
        assert_eq!(low_disk(None).threshold, 20);
        assert!(catalogue.alert(AlertRule::Drift, Some("dev")).is_none());
        assert!(catalogue.alert(AlertRule::Drift, Some("prod")).is_some());
        assert!(catalogue.alert(AlertRule::StaleBackup, Some("dev")).is_some());
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_place() {
        let unknown = refusal("[alerts.low-disc]\nthreshold = 1\n");
        assert!(unknown.contains("config/services.toml:6:") && unknown.contains("low-disk"), "{unknown}");
        assert!(refusal("[alerts.drift]\nfor = \"5 minutes\"\n").contains("\"5m\""));
        assert!(refusal("[alerts.drift]\nseverity = \"bad\"\n").contains("critical"));
        assert!(refusal("[alerts.drift]\nlimit = 3\n").contains("threshold"));
        let all = refusal(
            "[alerts.low-disk]\nthreshold = 101\n[alerts.drift.environments.prod]\nthreshold = 1\n\
             [alerts.long-lock-wait.environments.qa]\nthreshold = 0\n",
        );
        for part in [
            "[alerts.low-disk] threshold must be 1 to 100 percent",
            "[alerts.drift.environments.prod] threshold has no meaning",
            "[alerts.long-lock-wait.environments.qa] threshold must be above 0",
            "[alerts.long-lock-wait.environments.qa] is of an environment that there is not",
        ] {
            assert!(all.contains(part), "{part}: {all}");
        }
    }
}
