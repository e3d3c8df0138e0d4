//! The only door of a domain service to its database.
//!
//! A [`TenantPool`] keeps a few sessions; [`TenantPool::begin`] gives one request one [`TenantTx`], in which every
//! statement runs as the caller: the database's role for signed-in users and the claims that row level security reads,
//! for this transaction only. They are sent together with the first statement, so they cost no round trip of their own; a
//! request that is one statement ([`TenantTx::last`]) is one round trip with its COMMIT.
//!
//! ```no_run
//! # use postgres_link::tenant::{Access, TenantPool, TxError};
//! # async fn handler(pool: TenantPool, claims: kernel::Claims, id: uuid::Uuid) -> Result<Option<String>, TxError> {
//! let tx = pool.begin(&claims, Access::Read);
//! let row = tx.last().query_opt("SELECT name FROM organizations.organizations WHERE id = $1", &[&id]).await?;
//! # Ok(row.map(|row| row.get(0)))
//! # }
//! ```
//!
//! What it promises: a session whose transaction was not ended in order – a panic, a timeout, a future that nobody
//! polls any more – reaches no other request before it is: what runs is cancelled at the server, the transaction is rolled
//! back, and a session of which that is not certain is closed. Outside of a transaction a session is the role of signed-in
//! users without any claims, which sees nothing: a statement that gets there by whatever mistake finds no row.
//!
//! What it does not do: it retries nothing, builds no SQL (statements are `&'static str`, so that nothing from outside
//! becomes text), and does not defend against a statement that itself forges claims. Decisions: ADR 22.

mod error;
mod identity;
mod login;
mod pool;
mod session;
mod settings;
mod tx;

pub use error::{Refusal, TxError};
pub use login::{CheckError, UnfitLogin, check_login};
pub use pool::TenantPool;
pub use settings::{Access, PoolSettings};
pub use tx::{Last, TenantTx};

/// What stores need of the driver: rows, and what a parameter or a column may be.
pub use tokio_postgres::{Row, types};

pub use crate::{ConnectError, ConnectOptions, SqlError};
