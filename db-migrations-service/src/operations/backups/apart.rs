//! The vault's work keeps to one thread, which requests do not: it gets one of its own, and the runtime's clock and network.

use std::future::Future;

use backup_vault::VaultError;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Begins `work` on a thread of its own.
pub(super) fn begin<T, W>(work: impl FnOnce() -> W + Send + 'static) -> JoinHandle<Result<T, VaultError>>
where
    T: Send + 'static,
    W: Future<Output = Result<T, VaultError>>,
{
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || runtime.block_on(work()))
}

/// Does `work` on a thread of its own. A panic of it is this one's.
pub(super) async fn done<T, W>(work: impl FnOnce() -> W + Send + 'static) -> Result<T, VaultError>
where
    T: Send + 'static,
    W: Future<Output = Result<T, VaultError>>,
{
    match begin(work).await {
        Ok(done) => done,
        Err(lost) => match lost.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(VaultError::Cancelled),
        },
    }
}
