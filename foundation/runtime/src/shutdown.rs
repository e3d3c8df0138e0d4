//! One token that says stop, fed by SIGINT (Ctrl-C) and SIGTERM.
//!
//! It does not stop anything itself: whoever holds the token does. It sets no deadline; [`Supervisor`](crate::Supervisor)
//! does.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// 128 + SIGINT, what shells report for a program that Ctrl-C ended.
const EXIT_CODE_INTERRUPTED: i32 = 130;

/// Listens for the signals from now on, on a task of its own, and cancels the returned token at the first.
///
/// A SIGINT after that ends the process at once with code 130, without cleaning up: whoever presses Ctrl-C twice means
/// it.
///
/// # Errors
/// The signal handlers cannot be installed.
///
/// # Panics
/// Outside a tokio runtime.
pub fn on_signals() -> io::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let token = CancellationToken::new();
    let shutdown = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => tracing::info!("SIGINT: stopping; a second one stops at once"),
            _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
            // Somebody else began the shutdown; Ctrl-C is the impatient one then.
            () = shutdown.cancelled() => {}
        }
        shutdown.cancel();
        interrupt.recv().await;
        tracing::warn!("SIGINT again: ending without waiting");
        std::process::exit(EXIT_CODE_INTERRUPTED);
    });
    Ok(token)
}
