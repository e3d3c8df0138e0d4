//! Contracts are held while a live release still uses what they take away.

use migration_engine::hold::{Contract, Hold};
use migration_engine::{EngineError, ErrorCode, MigrationId, Plan, PreparedRun};

use super::ReleaseView;
use crate::operations::{OperationError, Operations};

/// So many instances are named.
const NAMED: usize = 5;

/// Which way a schema goes, and with it who is left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// A contract takes away the old shape, which old releases use.
    Forward,
    /// A rollback takes away what new releases need.
    Back,
}

impl Operations {
    /// Refuses a run with a contract that is held, and has it asked again when its turn comes. With a reason it goes on
    /// whoever needs what.
    pub(in crate::operations) async fn hold_contracts(
        &self,
        environment: &str,
        prepared: &mut PreparedRun,
        despite: Option<String>,
    ) -> Result<(), OperationError> {
        let contracts = contracts(prepared.plan());
        self.hold(environment, (Way::Forward, contracts), prepared, despite).await
    }

    /// Refuses a rollback of what a live release needs, likewise.
    pub(in crate::operations) async fn hold_rollback(
        &self,
        environment: &str,
        prepared: &mut PreparedRun,
        despite: Option<String>,
    ) -> Result<(), OperationError> {
        let taken = prepared.plan().takes_back();
        self.hold(environment, (Way::Back, taken), prepared, despite).await
    }

    async fn hold(
        &self,
        environment: &str,
        (way, contracts): (Way, Vec<Contract>),
        prepared: &mut PreparedRun,
        despite: Option<String>,
    ) -> Result<(), OperationError> {
        if despite.is_none() {
            self.refuse_held(environment, way, &contracts).await?;
        }
        let (this, environment) = (self.clone(), environment.to_owned());
        let hold = Hold::new(move |contracts| {
            let (this, environment) = (this.clone(), environment.clone());
            async move { this.refuse_held(&environment, way, &contracts).await }
        });
        prepared.hold_contracts_by(hold, despite);
        Ok(())
    }

    /// What a plan should say of contracts that are held.
    pub(in crate::operations) async fn note_held(&self, environment: &str, plan: &mut Plan) {
        for contract in contracts(plan) {
            if let Err(error) = self.refuse_held(environment, Way::Forward, std::slice::from_ref(&contract)).await {
                plan.notes.push(error.message);
            }
        }
    }

    /// What the plan of a rollback should say of live releases that need what it takes back.
    pub(in crate::operations) async fn note_needed(&self, environment: &str, plan: &mut Plan) {
        if let Err(error) = self.refuse_held(environment, Way::Back, &plan.takes_back()).await {
            plan.notes.push(error.message);
        }
    }

    async fn refuse_held(&self, environment: &str, way: Way, contracts: &[Contract]) -> Result<(), EngineError> {
        let Some(first) = contracts.first() else { return Ok(()) };
        let live =
            self.master().instances(Some(self.catalogue().whole_of(environment)), None).await.map_err(|error| {
                EngineError::new(
                    ErrorCode::ContractHeld,
                    format!(
                        "whether a live release still uses what {} takes away cannot be known: {error}",
                        way.of(&first.migration)
                    ),
                )
                .cure(format!("see that the master database answers; {WAY_PAST}"))
                .migration(&first.migration)
            })?;
        let releases = self.by_release(live);
        for contract in contracts {
            let users: Vec<String> = releases.iter().filter_map(|release| self.uses(release, way, contract)).collect();
            if !users.is_empty() {
                return Err(way.held(contract, &users));
            }
        }
        Ok(())
    }

    /// Who a release is and why it holds a contract, or what is taken back, if it does.
    fn uses(&self, release: &ReleaseView, way: Way, contract: &Contract) -> Option<String> {
        let schema = &contract.of.schema;
        let entry = self.catalogue().services.get(&release.service)?;
        let known = release.declared.as_ref().or_else(|| entry.release_needs(&release.release));
        let of = |ids: &[MigrationId]| ids.iter().find(|id| id.schema == *schema).cloned();
        let why = match known {
            None if entry.uses(schema) => "nobody says what it needs".to_owned(),
            None => return None,
            Some(needs) => match (of(&needs.needs), of(&needs.tolerates)) {
                (Some(least), _) if way == Way::Back && contract.migration.version <= least.version => {
                    format!("it needs {least}")
                }
                (_, Some(most)) if way == Way::Forward && most.version < contract.migration.version => {
                    format!("it tolerates nothing newer than {most}")
                }
                (Some(least), _) if way == Way::Forward && least.version < contract.of.version => {
                    format!("it needs only {least}")
                }
                (None, _) if entry.schemas.contains(schema) => format!("it does not say what it needs of {schema}"),
                _ => return None,
            },
        };
        Some(format!("{} {} ({why}; {})", release.service, release.release, who(release)))
    }
}

/// How to go on all the same.
const WAY_PAST: &str = "`--despite-releases REASON` (override the gate \"contract\") goes on all the same";

fn contracts(plan: &Plan) -> Vec<Contract> {
    plan.migrations.iter().flat_map(migration_engine::plan::PlannedMigration::contracts).collect()
}

impl Way {
    fn of(self, migration: &MigrationId) -> String {
        match self {
            Self::Forward => migration.to_string(),
            Self::Back => format!("the rollback of {migration}"),
        }
    }

    fn held(self, Contract { migration, of }: &Contract, users: &[String]) -> EngineError {
        let users = users.join("; ");
        let (message, cure) = match self {
            Self::Forward => {
                let since = if migration == of { "it replaced".to_owned() } else { format!("{of} replaced") };
                let message = format!("{migration} takes away what {since}, which live releases still use: {users}");
                (message, format!("deploy releases that need {of} or newer"))
            }
            Self::Back => {
                let message = format!("{migration} cannot be taken back, because live releases need it: {users}");
                (message, format!("deploy releases that do without {migration} and say so"))
            }
        };
        EngineError::new(ErrorCode::ContractHeld, message)
            .cure(format!("{cure} and let the old ones end (`profe release list` shows who lives); {WAY_PAST}"))
            .migration(migration)
    }
}

fn who(release: &ReleaseView) -> String {
    let mut names: Vec<String> = release
        .instances
        .iter()
        .take(NAMED)
        .map(|i| if i.silent { format!("{}, silent since {}", i.instance, i.seen_at) } else { i.instance.clone() })
        .collect();
    let more = release.instances.len().saturating_sub(NAMED);
    if more > 0 {
        names.push(format!("{more} more"));
    }
    let word = if release.instances.len() == 1 { "instance" } else { "instances" };
    format!("{word} {}", names.join(", "))
}
