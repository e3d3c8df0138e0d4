//! What a pool can be told.

use std::time::Duration;

/// How a pool works. [`Default`] suits one copy of a service.
#[derive(Debug, Clone)]
pub struct PoolSettings {
    /// At most so many sessions; at least 1. All copies of all services together must stay below the server's
    /// `max_connections`. More than a few per processor of the server make nothing faster.
    pub size: usize,
    /// How long a request waits for a session before it is told that there is none.
    pub wait: Duration,
    /// How long one statement may take, where the transaction does not say otherwise.
    pub statement_timeout: Duration,
    /// How long a transaction may wait for its service; then the server ends it together with its session.
    pub idle_in_transaction_timeout: Duration,
    /// How old a session gets before another one takes its place, so that servers that are added or replaced behind a
    /// name are found, and memory that a session has gathered is let go.
    pub lifetime: Duration,
    /// The role of signed-in users, which every session is from its first moment.
    pub role: String,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            size: 8,
            wait: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(5),
            idle_in_transaction_timeout: Duration::from_secs(10),
            lifetime: Duration::from_mins(30),
            role: "app_user".to_owned(),
        }
    }
}

/// Whether a transaction may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The server refuses every write.
    Read,
    /// Reads and writes.
    Write,
}

impl Access {
    /// Of a request's method: the safe ones of RFC 9110 only read.
    pub fn of_method(method: &str) -> Self {
        if matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE") { Self::Read } else { Self::Write }
    }
}

/// As a setting of the server: whole milliseconds. 0 would switch a limit off, so 1 is the least.
pub(super) fn millis(limit: Duration) -> String {
    limit.as_millis().clamp(1, i32::MAX as u128).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn safe_methods_only_read() {
        let reads = |method| Access::of_method(method) == Access::Read;
        assert!(["GET", "HEAD", "OPTIONS"].into_iter().all(reads));
        assert!(!["POST", "PUT", "PATCH", "DELETE", "get", "QUERY", ""].into_iter().any(reads));
    }

    #[test]
    fn no_limit_is_ever_off() {
        assert_eq!(millis(Duration::from_secs(5)), "5000");
        assert_eq!(millis(Duration::from_micros(10)), "1");
        assert_eq!(millis(Duration::MAX), "2147483647");
    }
}
