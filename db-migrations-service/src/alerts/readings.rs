//! From the last look at the targets to what is wrong, rule by rule: the same questions as the expressions in
//! [`rules`](super::rules) ask of Prometheus.

use migration_engine::Catalogue;
use migration_engine::catalogue::alerts::{AlertRule, AlertSettings};
use migration_engine::status::MigrationState;
use time::OffsetDateTime;

use crate::master::alerts::Breach;
use crate::master::figures::{MasterFigures, WHOLE_DATABASE};
use crate::master::findings::FindingKind;
use crate::monitor::disk::Room;
use crate::monitor::sample::{Condition, Figures, Migrations, Snapshot, TargetSample};

/// Which backup or disk an alert is about.
pub(super) const MAKING: &str = "making";
pub(super) const VERIFICATION: &str = "verification";
pub(super) const DATA: &str = "data";
pub(super) const BACKUPS: &str = "backups";

/// What an evaluation has seen.
#[derive(Debug, Default)]
pub(super) struct Readings {
    pub(super) breaches: Vec<Breach>,
    /// Rules that could not be looked at on these environments.
    pub(super) unknown: Vec<(&'static str, String)>,
}

/// What a rule needs to know is not known.
struct Unknown;

/// One thing that is wrong, before it is said by which rule.
struct Found {
    service: String,
    subject: &'static str,
    words: String,
    value: Option<f64>,
}

/// What a rule looks at.
struct View<'a> {
    environment: &'a str,
    sample: &'a TargetSample,
    master: Option<&'a MasterFigures>,
    threshold: f64,
    now: OffsetDateTime,
}

pub(super) fn read(catalogue: &Catalogue, snapshot: &Snapshot, now: OffsetDateTime) -> Readings {
    let mut readings = Readings::default();
    let master = snapshot.master.as_ref().and_then(|master| master.figures.as_ref().ok());
    for rule in AlertRule::ALL {
        for environment in catalogue.environments.keys() {
            let Some(settings) = catalogue.alert(rule, Some(environment)) else { continue };
            // One without a database has nothing that could be wrong.
            let Some(sample) = snapshot.targets.get(environment) else { continue };
            let view = View { environment, sample, master, threshold: settings.threshold.into(), now };
            match view.look(rule) {
                Ok(found) => readings.add(rule, environment, &settings, found),
                Err(Unknown) => readings.unknown.push((rule.as_str(), environment.clone())),
            }
        }
    }
    if let (Some(settings), Some(room)) = (catalogue.alert(AlertRule::LowDisk, None), snapshot.backup_room) {
        let found = low_disk(room, settings.threshold.into(), BACKUPS, "the backups' disk").into_iter().collect();
        readings.add(AlertRule::LowDisk, "", &settings, found);
    }
    readings
}

impl Readings {
    fn add(&mut self, rule: AlertRule, environment: &str, settings: &AlertSettings, found: Vec<Found>) {
        self.breaches.extend(found.into_iter().map(|found| Breach {
            rule: rule.as_str(),
            environment: environment.to_owned(),
            service: found.service,
            subject: found.subject,
            severity: settings.severity.as_str(),
            words: found.words,
            value: found.value,
            hold_s: settings.hold_s,
        }));
    }
}

impl View<'_> {
    fn look(&self, rule: AlertRule) -> Result<Vec<Found>, Unknown> {
        match rule {
            AlertRule::FailedMigration => self.failed_migrations(),
            AlertRule::FailedBackup => self.failed_backups(),
            AlertRule::LowDisk => self.low_disk(),
            AlertRule::TooManyConnections => self.too_many_connections(),
            AlertRule::StaleBackup => self.stale_backups(),
            AlertRule::Drift => self.drift(),
            AlertRule::BrokenAuditChain => self.broken_audit_chain(),
            AlertRule::LongLockWait => self.long_lock_wait(),
            AlertRule::CertificateMissing => self.certificates_missing(),
            AlertRule::TargetUnreachable => Ok(self.target_unreachable()),
            AlertRule::StaleSample => Ok(self.stale_sample()),
        }
    }

    fn migrations(&self) -> Result<&Migrations, Unknown> {
        self.sample.migrations.as_deref().ok_or(Unknown)
    }

    fn master(&self) -> Result<&MasterFigures, Unknown> {
        self.master.ok_or(Unknown)
    }

    /// `None` where there is no database yet.
    fn figures(&self) -> Result<Option<&Figures>, Unknown> {
        match &self.sample.condition {
            Condition::Up(figures) => Ok(Some(figures)),
            Condition::NotCreated => Ok(None),
            Condition::Down(_) => Err(Unknown),
        }
    }

    fn failed_migrations(&self) -> Result<Vec<Found>, Unknown> {
        let environment = self.environment;
        let counted = self
            .migrations()?
            .0
            .iter()
            .map(|of| (of.service.as_str(), of.count(&[MigrationState::Failed, MigrationState::Interrupted])));
        Ok(by_service(counted, |service, n| format!("{} of {service} failed in {environment}", migrations(n))))
    }

    fn certificates_missing(&self) -> Result<Vec<Found>, Unknown> {
        let environment = self.environment;
        let counted = self.migrations()?.0.iter().map(|of| (of.service.as_str(), of.uncertified.unwrap_or_default()));
        Ok(by_service(counted, |service, n| {
            format!("{} of {service} pending in {environment} without a certificate", migrations(n))
        }))
    }

    fn failed_backups(&self) -> Result<Vec<Found>, Unknown> {
        let environment = self.environment;
        let here = self.master()?.backups.iter().filter(|backup| backup.environment == environment);
        Ok(here
            .flat_map(|backup| {
                let of = whose(&backup.service);
                let making = (backup.last_attempt_succeeded == Some(false))
                    .then(|| (MAKING, format!("the last attempt to back up {of} in {environment} failed")));
                let verification = (backup.last_verification_held == Some(false))
                    .then(|| (VERIFICATION, format!("the last verified backup of {of} in {environment} is damaged")));
                [making, verification].into_iter().flatten().map(|(subject, words)| Found {
                    service: backup.service.clone(),
                    subject,
                    words,
                    value: None,
                })
            })
            .collect())
    }

    fn stale_backups(&self) -> Result<Vec<Found>, Unknown> {
        let (environment, figures) = (self.environment, self.master()?);
        let applied = self.migrations()?.0.iter().filter(|of| of.count(&[MigrationState::Applied]) > 0);
        Ok(applied
            .filter_map(|of| {
                let covers = |service: &str| service == of.service || service == WHOLE_DATABASE;
                let here = figures.backups.iter().filter(|b| b.environment == environment && covers(&b.service));
                let age_h = here
                    .filter_map(|backup| backup.last_made_at)
                    .max()
                    .map(|at| (self.now - at).as_seconds_f64() / 3600.0);
                age_h.is_none_or(|age_h| age_h >= self.threshold).then(|| Found {
                    service: of.service.clone(),
                    subject: "",
                    words: age_h.map_or_else(
                        || format!("there is no backup of {} in {environment}", of.service),
                        |age_h| format!("the newest backup of {} in {environment} is {age_h:.0} hours old", of.service),
                    ),
                    value: age_h,
                })
            })
            .collect())
    }

    fn drift(&self) -> Result<Vec<Found>, Unknown> {
        let environment = self.environment;
        let here = self
            .master()?
            .findings
            .iter()
            .filter(|finding| finding.environment == environment && finding.kind == FindingKind::Drift.as_str());
        let counted = here.map(|finding| {
            (finding.service.as_deref().unwrap_or_default(), usize::try_from(finding.open).unwrap_or_default())
        });
        Ok(by_service(counted, |service, n| {
            let of = if service.is_empty() { "the database" } else { service };
            let differences = if n == 1 { "1 difference".to_owned() } else { format!("{n} differences") };
            format!("{differences} between {of} in {environment} and what its migrations make")
        }))
    }

    fn broken_audit_chain(&self) -> Result<Vec<Found>, Unknown> {
        let environment = self.environment;
        let findings = self.master()?.findings.iter();
        let here = findings.filter(|f| f.environment == environment && f.kind == FindingKind::Audit.as_str());
        let open: i64 = here.map(|finding| finding.open).sum();
        let words = || format!("the record of who changed the schema in {environment} is not whole");
        Ok((open > 0).then(|| of_all(words(), open as f64)).into_iter().collect())
    }

    fn low_disk(&self) -> Result<Vec<Found>, Unknown> {
        self.figures()?;
        let name = format!("the disk of the data of {}", self.environment);
        Ok(self.sample.data_room.and_then(|room| low_disk(room, self.threshold, DATA, &name)).into_iter().collect())
    }

    fn too_many_connections(&self) -> Result<Vec<Found>, Unknown> {
        let environment = self.environment;
        let share = match &self.sample.condition {
            // It has not even one left for whoever asks.
            Condition::Down(trouble) if trouble.is_refusal() => 100.0,
            _ => match self.figures()? {
                Some(figures) => share_of_connections(figures),
                None => return Ok(Vec::new()),
            },
        };
        let words = || format!("{share:.0} % of the connections of the server of {environment} are in use");
        Ok((share > self.threshold).then(|| of_all(words(), share)).into_iter().collect())
    }

    fn long_lock_wait(&self) -> Result<Vec<Found>, Unknown> {
        let Some(figures) = self.figures()? else { return Ok(Vec::new()) };
        let (waited_s, environment) = (figures.longest_lock_wait_s, self.environment);
        let words = || format!("somebody has waited for a lock in {environment} for {waited_s:.0} s");
        Ok((waited_s > self.threshold).then(|| of_all(words(), waited_s)).into_iter().collect())
    }

    /// Of a server that is full another rule tells.
    fn target_unreachable(&self) -> Vec<Found> {
        let is_away = matches!(&self.sample.condition, Condition::Down(trouble) if !trouble.is_refusal());
        let words = format!("the database of {} does not answer", self.environment);
        is_away.then(|| Found { service: String::new(), subject: "", words, value: None }).into_iter().collect()
    }

    fn stale_sample(&self) -> Vec<Found> {
        let age_s = (self.now - self.sample.at).as_seconds_f64();
        let words = || format!("the database of {} was last looked at {age_s:.0} s ago", self.environment);
        (age_s > self.threshold).then(|| of_all(words(), age_s)).into_iter().collect()
    }
}

fn share_of_connections(figures: &Figures) -> f64 {
    let used = figures.sessions.values().sum::<i64>() + figures.sessions_elsewhere;
    100.0 * used as f64 / (figures.max_connections - figures.reserved_connections).max(1) as f64
}

fn low_disk(room: Room, threshold: f64, subject: &'static str, name: &str) -> Option<Found> {
    let free = 100.0 * room.free_bytes as f64 / room.size_bytes.max(1) as f64;
    (free < threshold).then(|| Found {
        service: String::new(),
        subject,
        words: format!("{free:.1} % of {name} are free"),
        value: Some(free),
    })
}

fn of_all(words: String, value: f64) -> Found {
    Found { service: String::new(), subject: "", words, value: Some(value) }
}

fn by_service<'a>(
    counted: impl Iterator<Item = (&'a str, usize)>,
    words: impl Fn(&str, usize) -> String,
) -> Vec<Found> {
    let found = counted.filter(|(_, n)| *n > 0).map(|(service, n)| Found {
        service: service.to_owned(),
        subject: "",
        words: words(service, n),
        value: Some(n as f64),
    });
    found.collect()
}

fn migrations(n: usize) -> String {
    if n == 1 { "1 migration".to_owned() } else { format!("{n} migrations") }
}

fn whose(service: &str) -> &str {
    if service == WHOLE_DATABASE { "the whole database" } else { service }
}
