//! Looking, while the service serves, at what was done to the targets behind its back.
//!
//! A look holds the live schema against what its migrations make, and the audit's chain against where it ended before. It
//! begins with what is cheap: while neither the live fingerprint nor the history has moved, nothing is compared again. What
//! it finds stands in the master database until a later look no longer finds it; it is logged when it comes and when it
//! goes. It changes nothing on a target, and stands aside where a run is under way.
//!
//! It knows no HTTP, and tells nobody but the log and the master database.

mod author;
mod compare;
mod look;
mod standing;

use std::collections::BTreeMap;
use std::time::Duration;

use kernel::Actor;
use migration_engine::{EngineError, ErrorCode};
use tokio_util::sync::CancellationToken;

use crate::master::findings::{Finding, FindingFilter};
use crate::master::looks::LookRecord;
use crate::operations::{Caller, OperationError, Operations, RefusalCode, Spread};
use look::When;

/// After the start, others have more urgent business.
const FIRST_LOOK: Duration = Duration::from_secs(30);
/// Whoever asks for a look waits so long for one that is under way.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(200);

/// What became of a look.
#[derive(Debug, Clone)]
pub enum Look {
    /// It was made.
    Done(Box<Seen>),
    /// Another copy of the service looks, or has looked a moment ago.
    NotDue,
    /// A run is under way, or came in between.
    Busy,
    /// Nothing was ever migrated here.
    NoHistory,
}

/// What a look has seen.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The environment.
    pub environment: String,
    /// Its database.
    pub target: String,
    /// What was not there before.
    pub opened: Vec<Finding>,
    /// What no longer is.
    pub resolved: Vec<Finding>,
    /// What could not be looked at, and why.
    pub trouble: Option<String>,
}

impl Operations {
    /// Looks at every environment each `interval` until `shutdown`.
    pub async fn watch(&self, interval: Duration, shutdown: &CancellationToken) {
        let mut troubles = BTreeMap::new();
        let mut pause = interval.min(FIRST_LOOK);
        while shutdown.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            for entry in self.targets().all().iter().filter(|entry| entry.target.is_ok()) {
                let name = entry.environment.as_str();
                let trouble = match self.look_after(name, interval, shutdown).await {
                    Ok(Look::Done(seen)) => seen.trouble,
                    Ok(_) => continue,
                    Err(error) => Some(error.to_string()),
                };
                if shutdown.is_cancelled() {
                    return;
                }
                if let Some(trouble) = trouble.as_ref().filter(|trouble| troubles.get(name) != Some(*trouble)) {
                    tracing::warn!(environment = name, %trouble, "not all of the target could be looked at");
                }
                match trouble {
                    Some(trouble) => troubles.insert(name.to_owned(), trouble),
                    None => troubles.remove(name),
                };
            }
            pause = interval;
        }
    }

    /// Looks at an environment, unless some copy of the service has done so within `interval`.
    ///
    /// # Errors
    /// Unknown names, a master database that is away, a target that cannot be reached.
    pub async fn look_after(
        &self,
        environment: &str,
        interval: Duration,
        shutdown: &CancellationToken,
    ) -> Result<Look, OperationError> {
        self.look(environment, When::After(interval), shutdown).await
    }

    /// Looks now at each database of an environment, or at the one that a service lives in, and answers with what is open.
    ///
    /// # Errors
    /// Unknown names, a caller who may not touch all services. Where none can be looked at: a database that is away, nothing
    /// that was ever migrated, a run that is under way; what kept the look from seeing all.
    pub async fn look_now(
        &self,
        environment: Option<&str>,
        service: Option<&str>,
        caller: &Caller,
        shutdown: &CancellationToken,
    ) -> Result<Spread<(Seen, Vec<Finding>)>, OperationError> {
        caller.check(None)?;
        self.check_listed(service, None, caller)?;
        let databases = self.databases_of(environment, service)?;
        let asked = databases.iter().map(|name| self.look_at_one(name.clone(), shutdown)).collect();
        self.spread(&databases, asked).await
    }

    async fn look_at_one(
        &self,
        name: String,
        shutdown: &CancellationToken,
    ) -> Result<(Seen, Vec<Finding>), OperationError> {
        let (operations, stop) = (self.clone(), shutdown.clone());
        // A task of its own: whoever stops listening must not leave the claim behind.
        let looking = tokio::spawn(async move { operations.look_patiently(&name, &stop).await });
        let seen = looking.await.unwrap_or_else(|_| Err(internal("the program broke down while it looked")))?;
        let filter = FindingFilter {
            environments: Some(vec![seen.environment.clone()]),
            open: Some(true),
            limit: i64::from(u16::MAX),
            ..FindingFilter::default()
        };
        let open = self.master().findings(&filter).await?;
        Ok((seen, open))
    }

    /// A page of what was found, newest first; of the services that the caller may touch.
    ///
    /// # Errors
    /// Unknown names, a service that the caller may not touch, a master database that is away.
    pub async fn findings(
        &self,
        service: Option<&str>,
        mut filter: FindingFilter,
        caller: &Caller,
    ) -> Result<Vec<Finding>, OperationError> {
        self.check_listed(service, None, caller)?;
        filter.services = caller.listed(service);
        Ok(self.master().findings(&filter).await?)
    }

    /// When each database was last looked at; of an environment, or of all.
    ///
    /// # Errors
    /// Unknown names, a master database that is away.
    pub async fn looks(&self, environment: Option<&str>) -> Result<Vec<LookRecord>, OperationError> {
        let wanted = self.listed_databases(environment)?;
        Ok(self.master().looks(wanted.as_deref()).await?)
    }

    async fn look_patiently(&self, environment: &str, shutdown: &CancellationToken) -> Result<Seen, OperationError> {
        let give_up = tokio::time::Instant::now() + PATIENCE;
        loop {
            return match self.look(environment, When::Asked, shutdown).await? {
                Look::Done(seen) => Ok(*seen),
                Look::NotDue if tokio::time::Instant::now() < give_up && !shutdown.is_cancelled() => {
                    tokio::time::sleep(POLL).await;
                    continue;
                }
                Look::NotDue => Err(busy("another look at it is under way")),
                Look::Busy => Err(busy("a run is under way on it")),
                Look::NoHistory => Err(OperationError::Refused {
                    code: RefusalCode::DatabaseNotCreated,
                    message: format!("nothing was ever migrated in the environment {environment:?}"),
                    cure: Some(format!("run the migrations of the environment {environment:?} first")),
                }),
            };
        }
    }
}

/// Whoever looks for something nobody asked for just now.
fn myself() -> Caller {
    Caller::unrestricted(Actor::system("watch"))
}

fn internal(message: &str) -> OperationError {
    EngineError::new(ErrorCode::Internal, message).cure("see the service's log, and try again").into()
}

fn busy(why: &str) -> OperationError {
    EngineError::new(ErrorCode::Busy, format!("the target cannot be looked at: {why}"))
        .cure("wait for it to finish, and ask again")
        .into()
}
