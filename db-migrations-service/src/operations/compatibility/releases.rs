//! Which releases of the services run: they say so themselves, again and again, until they end.

use std::time::Duration;

use migration_engine::catalogue::ReleaseNeeds;
use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use crate::master::events::NewEvent;
use crate::master::releases::{Instance, NewInstance};
use crate::operations::{Caller, OperationError, Operations, RefusalCode};

/// How long an instance may be silent where it does not say so, seconds.
const USUAL_TTL_S: u32 = 60;
/// Shorter than that a pause of the network is a death; longer than that a dead one holds contracts all day.
const TTL_S: std::ops::RangeInclusive<u32> = 5..=3_600;
/// Names are shown in messages.
const LONGEST_NAME: usize = 128;
/// Between two looks for who is silent.
const BEAT: Duration = Duration::from_secs(5);
/// A process that was stopped for longer has not listened.
const LONGEST_BEAT: Duration = Duration::from_secs(20);

/// A process of a service that says which release it is.
#[derive(Debug, Clone, Default)]
pub struct ReleaseOrder {
    /// On which environment; `None` is the default one.
    pub environment: Option<String>,
    /// Of which service.
    pub service: String,
    /// What it calls itself.
    pub instance: String,
    /// Which release it is.
    pub release: String,
    /// What it needs; `None` is what the catalogue says of the release.
    pub needs: Option<ReleaseNeeds>,
    /// After how long a silence it is gone, seconds; `None` is a minute.
    pub ttl_s: Option<u32>,
}

/// A release that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseView {
    /// On which environment.
    pub environment: String,
    /// Of which service.
    #[schema(example = "plans-service")]
    pub service: String,
    /// Which.
    #[schema(example = "2.4.1")]
    pub release: String,
    /// Of each schema the migration that it needs; null where nobody says, and then it is taken to need what was before any
    /// contract.
    #[schema(value_type = Option<Vec<String>>, example = json!(["plans/20260901100000"]))]
    pub needs: Option<Vec<String>>,
    /// Of each schema the newest migration that it works with.
    pub tolerates: Vec<String>,
    /// Its processes.
    pub instances: Vec<Instance>,
    #[serde(skip)]
    pub(super) declared: Option<ReleaseNeeds>,
}

impl Operations {
    /// Takes note that a process of a service lives; it says so again before its time to live is over.
    ///
    /// # Errors
    /// Unknown names, needs that cannot be, a service that the caller may not touch, a master database that is away.
    pub async fn register_release(&self, order: ReleaseOrder, caller: &Caller) -> Result<ReleaseView, OperationError> {
        caller.check(Some(&order.service))?;
        let environment = self.whole_environment(order.environment.as_deref())?;
        for (what, name) in [("instance", &order.instance), ("release", &order.release)] {
            check_name(what, name)?;
        }
        let ttl_s = order.ttl_s.unwrap_or(USUAL_TTL_S);
        if !TTL_S.contains(&ttl_s) {
            return Err(invalid(format!("the time to live is {ttl_s} s")).with_cure(format!(
                "say {} to {} seconds, or nothing for {USUAL_TTL_S}",
                TTL_S.start(),
                TTL_S.end()
            )));
        }
        if order.needs.is_some() {
            self.needs_of(&order.service, None, order.needs.as_ref())?;
        } else {
            self.catalogue().service(&order.service)?;
        }
        let new = NewInstance {
            environment: environment.clone(),
            service: order.service.clone(),
            instance: order.instance.clone(),
            release: order.release.clone(),
            needs: order.needs,
            actor: caller.actor.to_string(),
            ttl_s: ttl_s.cast_signed(),
        };
        let is_new = self.master().instance_lives(&new).await?;
        if is_new {
            let event = json!({ "type": "release_started", "release": new.release, "instance": new.instance });
            self.tell(vec![about(&environment, &new.service, event)]).await;
        }
        let live = self.live_releases(Some(&environment), Some(&order.service), caller).await?;
        let own = |view: &ReleaseView| view.instances.iter().any(|i| i.instance == order.instance);
        live.into_iter().find(own).ok_or_else(|| {
            invalid(format!("the instance {:?} was signed off while it registered", order.instance))
                .with_cure("register again, and give each process a name of its own")
        })
    }

    /// Takes note that a process of a service is gone.
    ///
    /// # Errors
    /// Unknown names, an instance that is not alive, a service that the caller may not touch, a master database that is away.
    pub async fn sign_release_off(
        &self,
        environment: Option<&str>,
        service: &str,
        instance: &str,
        caller: &Caller,
    ) -> Result<(), OperationError> {
        caller.check(Some(service))?;
        self.catalogue().service(service)?;
        let environment = self.whole_environment(environment)?;
        let Some(gone) = self.master().instance_leaves(&environment, service, instance).await? else {
            let message = format!("no instance {instance:?} of {service} is alive on {environment:?}");
            return Err(OperationError::refuse(RefusalCode::UnknownInstance, message)
                .with_cure("list the releases to find its name (`profe release list`)"));
        };
        self.tell(vec![ended(&gone, "signed_off")]).await;
        Ok(())
    }

    /// The releases that run, with their processes.
    ///
    /// # Errors
    /// Unknown names, a service that the caller may not touch, a master database that is away.
    pub async fn releases(
        &self,
        environment: Option<&str>,
        service: Option<&str>,
        caller: &Caller,
    ) -> Result<Vec<ReleaseView>, OperationError> {
        self.check_listed(service, environment, caller)?;
        self.live_releases(environment, service, caller).await
    }

    async fn live_releases(
        &self,
        environment: Option<&str>,
        service: Option<&str>,
        caller: &Caller,
    ) -> Result<Vec<ReleaseView>, OperationError> {
        let services = caller.listed(service);
        let instances = self.master().instances(environment, services.as_deref()).await?;
        Ok(self.by_release(instances))
    }

    /// Sorted lists become one entry for each release; processes of one release that need different things are several.
    pub(super) fn by_release(&self, instances: Vec<Instance>) -> Vec<ReleaseView> {
        let mut views: Vec<ReleaseView> = Vec::new();
        for instance in instances {
            let same = |view: &&mut ReleaseView| {
                view.environment == instance.environment
                    && view.service == instance.service
                    && view.release == instance.release
                    && view.declared == instance.needs
            };
            if let Some(view) = views.iter_mut().find(same) {
                view.instances.push(instance);
                continue;
            }
            let known = instance.needs.as_ref().or_else(|| {
                self.catalogue()
                    .services
                    .get(&instance.service)
                    .and_then(|entry| entry.release_needs(&instance.release))
            });
            let texts = |ids: &[migration_engine::MigrationId]| ids.iter().map(ToString::to_string).collect();
            views.push(ReleaseView {
                environment: instance.environment.clone(),
                service: instance.service.clone(),
                release: instance.release.clone(),
                needs: known.map(|needs| texts(&needs.needs)),
                tolerates: known.map_or_else(Vec::new, |needs| texts(&needs.tolerates)),
                declared: instance.needs.clone(),
                instances: vec![instance],
            });
        }
        views
    }

    /// Finds who is silent, until `shutdown`. Only time in which this process listened counts: the silence of a process that
    /// had nobody to talk to says nothing.
    pub(crate) async fn listen_for_releases(&self, shutdown: &CancellationToken) {
        let mut since = Instant::now();
        let mut last = since;
        loop {
            if shutdown.run_until_cancelled(tokio::time::sleep(BEAT)).await.is_none() {
                return;
            }
            let now = Instant::now();
            if now.duration_since(last) > LONGEST_BEAT {
                since = now;
            }
            last = now;
            if let Err(error) = self.find_silent_releases(now.duration_since(since)).await {
                tracing::debug!(%error, "who is silent cannot be known");
                // What was said meanwhile could not be written down.
                since = Instant::now();
            }
        }
    }

    /// Takes note of who has been silent for their time to live, as far as somebody has `listened` for so long; returns how
    /// many.
    ///
    /// # Errors
    /// A master database that is away.
    pub async fn find_silent_releases(&self, listened: Duration) -> Result<usize, OperationError> {
        let gone = self.master().find_silent_instances(listened).await?;
        self.tell(gone.iter().map(|instance| ended(instance, "silent")).collect()).await;
        Ok(gone.len())
    }
}

fn ended(instance: &Instance, how: &str) -> NewEvent {
    let event =
        json!({ "type": "release_ended", "release": instance.release, "instance": instance.instance, "how": how });
    about(&instance.environment, &instance.service, event)
}

fn about(environment: &str, service: &str, event: serde_json::Value) -> NewEvent {
    NewEvent {
        at: OffsetDateTime::now_utc(),
        environment: Some(environment.to_owned()),
        service: Some(service.to_owned()),
        event,
    }
}

fn check_name(what: &str, name: &str) -> Result<(), OperationError> {
    let is_good = !name.trim().is_empty()
        && name.chars().count() <= LONGEST_NAME
        && !name.chars().any(|c| c.is_control() || c.is_whitespace() || c == '/');
    if is_good {
        return Ok(());
    }
    Err(invalid(format!("the {what} is {name:?}"))
        .with_cure(format!("give the {what} a name of 1 to {LONGEST_NAME} characters without blanks and slashes")))
}

fn invalid(message: String) -> OperationError {
    OperationError::refuse(RefusalCode::InvalidRequest, message)
}
