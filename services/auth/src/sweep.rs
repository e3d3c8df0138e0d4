//! What nobody needs any more goes.

use std::time::Duration;

use crate::state::Auth;
use crate::store;

const EVERY: Duration = Duration::from_hours(1);

/// Sweeps every hour; several copies do no harm to each other.
pub(crate) async fn run(auth: &Auth) {
    loop {
        tokio::time::sleep(EVERY).await;
        match store::sweep(auth.platform.work("sweep")).await {
            Ok(rows) => tracing::debug!(rows, "swept"),
            Err(error) => tracing::warn!(%error, "what is over cannot be swept"),
        }
    }
}
