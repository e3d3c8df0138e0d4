//! How long a storage may take, and how often it is asked again.

use std::time::Duration;

use object_store::{BackoffConfig, ClientOptions, RetryConfig};

/// The limits of every request to a remote storage.
#[derive(Debug, Clone)]
pub struct Patience {
    /// How often a request is sent at most, and how often in a row a reading is resumed without having got anywhere.
    pub tries: usize,
    /// After which time no further attempt of the same request begins.
    pub total: Duration,
    /// How long a connection may take to come about.
    pub connect: Duration,
    /// How long a storage may be silent: until it answers a request, also one that carries 8 MiB, and between two
    /// pieces of what it sends.
    pub silence: Duration,
    /// The pause after the first failure; it doubles (with some chance in it) with each further one, up to 5 s.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            tries: 5,
            total: Duration::from_mins(1),
            connect: Duration::from_secs(5),
            silence: Duration::from_mins(1),
            pause: Duration::from_millis(100),
        }
    }
}

const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Patience {
    pub(super) fn retries(&self) -> RetryConfig {
        RetryConfig {
            backoff: BackoffConfig { init_backoff: self.pause, max_backoff: LONGEST_PAUSE, base: 2. },
            max_retries: self.tries.saturating_sub(1),
            retry_timeout: self.total,
        }
    }

    /// No limit on a whole answer: it may be a stream of many gigabytes. Silence ends it.
    pub(super) fn client(&self) -> ClientOptions {
        ClientOptions::new().with_timeout_disabled().with_connect_timeout(self.connect).with_read_timeout(self.silence)
    }

    pub(super) async fn pause(&self, failed: usize) {
        let doubled = self.pause.saturating_mul(1 << failed.min(10));
        tokio::time::sleep(doubled.min(LONGEST_PAUSE)).await;
    }
}
