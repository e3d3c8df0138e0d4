//! Who asks, and for which services they may.

use kernel::Actor;
use migration_engine::Plan;

use super::error::{OperationError, RefusalCode};

/// Somebody whose credentials were read. What kind of thing they may do was decided at the door; which services they
/// may do it to is decided here, because only a plan knows all the services that it touches.
#[derive(Debug, Clone)]
pub struct Caller {
    /// As histories show them.
    pub actor: Actor,
    /// The request that they came with.
    pub request_id: Option<String>,
    /// The services they may touch; `None` is all.
    pub services: Option<Vec<String>>,
}

impl Caller {
    /// Somebody who may touch every service.
    pub fn unrestricted(actor: Actor) -> Self {
        Self { actor, request_id: None, services: None }
    }

    /// Whether they may touch `service`.
    pub fn may_touch(&self, service: &str) -> bool {
        self.services.as_ref().is_none_or(|allowed| allowed.iter().any(|name| name == service))
    }

    /// The services that a list shows them which was asked for `service`, or for all that there are; `None` is all.
    pub fn listed(&self, service: Option<&str>) -> Option<Vec<String>> {
        service.map(|name| vec![name.to_owned()]).or_else(|| self.services.clone())
    }

    /// Refuses a service that they may not touch; `None` means all services.
    ///
    /// # Errors
    /// [`RefusalCode::ServiceNotAllowed`], naming what they may do.
    pub fn check(&self, service: Option<&str>) -> Result<(), OperationError> {
        let Some(allowed) = &self.services else { return Ok(()) };
        match service {
            Some(name) if self.may_touch(name) => Ok(()),
            Some(name) => Err(Self::refused(format!("the token is not for the service {name:?}"), allowed)),
            None => Err(Self::refused("the token is not for all services".to_owned(), allowed)),
        }
    }

    /// Refuses a plan that brings along services they may not touch.
    pub(super) fn check_plan(&self, plan: &Plan) -> Result<(), OperationError> {
        let Some(allowed) = &self.services else { return Ok(()) };
        match plan.migrations.iter().find(|planned| !self.may_touch(&planned.service)) {
            None => Ok(()),
            Some(other) => {
                let message =
                    format!("it needs {} of {:?}, which the token is not for", other.migration, other.service);
                Err(Self::refused(message, allowed))
            }
        }
    }

    fn refused(message: String, allowed: &[String]) -> OperationError {
        OperationError::refuse(RefusalCode::ServiceNotAllowed, message)
            .with_cure(format!("name one of its services ({}), or use a token for all", allowed.join(", ")))
    }
}
