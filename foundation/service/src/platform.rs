//! What handlers find in their state.

use std::sync::Arc;

use identity::Access as Token;
use ipnet::IpNet;
use kernel::{Caller, Claims, RequestId};
use keyring::Keyring;
use postgres_link::tenant::{Access, TenantPool, TenantTx};
use uuid::Uuid;

/// The service's database and whom it believes. A copy is the same; services keep it in their own state and give it out by
/// `FromRef`.
#[derive(Clone)]
pub struct Platform(Arc<Inner>);

struct Inner {
    pool: TenantPool,
    keyring: Keyring,
    proxies: Vec<IpNet>,
}

impl Platform {
    pub(crate) fn new(pool: TenantPool, keyring: Keyring, proxies: Vec<IpNet>) -> Self {
        Self(Arc::new(Inner { pool, keyring, proxies }))
    }

    /// A transaction of the service itself beside any request: a worker's. `name` stands where a request's id would.
    pub fn work(&self, name: &'static str) -> TenantTx {
        let id = RequestId::parse(name).unwrap_or_else(|| Uuid::now_v7().into());
        self.0.pool.begin_as_service(&id, Access::Write)
    }

    pub(crate) fn pool(&self) -> &TenantPool {
        &self.0.pool
    }

    pub(crate) fn keyring(&self) -> &Keyring {
        &self.0.keyring
    }

    pub(crate) fn proxies(&self) -> &[IpNet] {
        &self.0.proxies
    }
}

/// What policies are told of somebody with this token, in this request.
pub(crate) fn claims(token: &Token, request: RequestId) -> Claims {
    Claims::new(Caller {
        user: token.user,
        organization: token.organization,
        role: token.role,
        session: Some(token.session),
        request,
    })
}
