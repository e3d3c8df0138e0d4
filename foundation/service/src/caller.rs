//! Who asks, and the transaction in which they are answered.

use axum::extract::{FromRef, FromRequestParts};
use http::request::Parts;
use kernel::{AppRole, Claims, OrganizationId, RequestId, UserId};
use postgres_link::tenant::{Access, TenantTx};
use uuid::Uuid;

use crate::fault::Fault;
use crate::platform::{Platform, claims};

/// A caller whose access token is believed. Nothing is asked of anybody for it.
#[derive(Debug, Clone)]
pub struct SignedIn(pub Claims);

/// A caller and their transaction: read-only where the method is safe. Nothing is sent before its first statement.
#[derive(Debug)]
pub struct Tenant {
    /// Who asks.
    pub claims: Claims,
    /// As whom the database answers.
    pub tx: TenantTx,
}

/// A transaction as the service itself, for who cannot be signed in yet. It sees every row of the service's schemas: what may
/// be answered is for the handler to say.
#[derive(Debug)]
pub struct AsService(pub TenantTx);

impl SignedIn {
    /// Who.
    pub fn user(&self) -> UserId {
        self.0.caller().user
    }

    /// The organization that they signed in to.
    ///
    /// # Errors
    /// 403 where they belong to none.
    pub fn organization(&self) -> Result<OrganizationId, Fault> {
        organization(&self.0)
    }

    /// Refuses everybody but these.
    ///
    /// # Errors
    /// 403. A role of a token is minutes old; what gives power is decided by the policies, which look.
    pub fn only(&self, roles: &[AppRole]) -> Result<(), Fault> {
        only(&self.0, roles)
    }
}

impl Tenant {
    /// As [`SignedIn::organization`].
    ///
    /// # Errors
    /// 403 where they belong to none.
    pub fn organization(&self) -> Result<OrganizationId, Fault> {
        organization(&self.claims)
    }

    /// As [`SignedIn::only`].
    ///
    /// # Errors
    /// 403.
    pub fn only(&self, roles: &[AppRole]) -> Result<(), Fault> {
        only(&self.claims, roles)
    }
}

impl<S: Sync> FromRequestParts<S> for SignedIn
where
    Platform: FromRef<S>,
{
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        // Of several extractors the first one finds out.
        if let Some(Self(claims)) = parts.extensions.get() {
            return Ok(Self(claims.clone()));
        }
        let platform = Platform::from_ref(state);
        let access = platform.keyring().believe(&parts.headers).await?;
        let caller = Self(claims(&access, request_id(parts)));
        parts.extensions.insert(caller.clone());
        Ok(caller)
    }
}

impl<S: Sync> FromRequestParts<S> for Tenant
where
    Platform: FromRef<S>,
{
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        let SignedIn(claims) = SignedIn::from_request_parts(parts, state).await?;
        let tx = Platform::from_ref(state).pool().begin(&claims, Access::of_method(parts.method.as_str()));
        Ok(Self { claims, tx })
    }
}

impl<S: Sync> FromRequestParts<S> for AsService
where
    Platform: FromRef<S>,
{
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        let access = Access::of_method(parts.method.as_str());
        Ok(Self(Platform::from_ref(state).pool().begin_as_service(&request_id(parts), access)))
    }
}

fn organization(claims: &Claims) -> Result<OrganizationId, Fault> {
    claims.caller().organization.ok_or_else(|| Fault::forbidden("the caller belongs to no organization"))
}

fn only(claims: &Claims, roles: &[AppRole]) -> Result<(), Fault> {
    if claims.caller().role.is_some_and(|role| roles.contains(&role)) {
        return Ok(());
    }
    let names: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
    Err(Fault::forbidden(&format!("this is for the role {}", names.join(" or "))))
}

/// The shell has given it one.
fn request_id(parts: &Parts) -> RequestId {
    parts.extensions.get::<RequestId>().cloned().unwrap_or_else(|| Uuid::now_v7().into())
}
