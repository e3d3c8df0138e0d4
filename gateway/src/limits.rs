//! How much one client and one user may ask, by the generic cell rate algorithm (GCRA): a bucket is one number, the time at which
//! it would be empty again.
//!
//! It counts in this process alone: of two copies of the gateway each lets as much through. What must be counted by all
//! copies together – failed sign-ins – the services count in the database.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Instant;

use kernel::UserId;

use crate::table::Rate;

const SHARDS: usize = 16;
/// Of so many buckets in a shard those that are empty again are forgotten; where that is not enough, all newcomers share one.
const MANY: usize = 20_000;

/// Of whom is counted, under which limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// Which limit: a route's number, or one of those below.
    pub(crate) limit: usize,
    who: Who,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Who {
    Address(IpAddr),
    User(UserId),
    Others,
}

/// All requests of a client.
pub(crate) const CLIENT: usize = usize::MAX;
/// All requests of a user.
pub(crate) const USER: usize = usize::MAX - 1;

impl Key {
    /// Of an address; of IPv6 its /64, for who has one address has 2^64 of them.
    pub(crate) fn address(limit: usize, address: IpAddr) -> Self {
        let who = match address {
            IpAddr::V6(six) => match six.to_ipv4_mapped() {
                Some(four) => IpAddr::V4(four),
                None => IpAddr::V6((u128::from(six) & !u128::from(u64::MAX)).into()),
            },
            four @ IpAddr::V4(_) => four,
        };
        Self { limit, who: Who::Address(who) }
    }

    pub(crate) fn user(limit: usize, user: UserId) -> Self {
        Self { limit, who: Who::User(user) }
    }
}

/// Buckets by their keys.
#[derive(Default)]
struct Shard {
    empty_us: HashMap<Key, i64>,
    /// Empty ones were forgotten last at this time.
    swept_us: i64,
}

/// All buckets.
pub(crate) struct Limits {
    begun: Instant,
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

impl Limits {
    pub(crate) fn new() -> Self {
        Self { begun: Instant::now(), hasher: RandomState::new(), shards: Default::default() }
    }

    /// Counts one request. Where it is one too many, says in how many seconds to come again.
    pub(crate) fn count(&self, key: Key, rate: Rate) -> Result<(), u64> {
        self.count_at(key, rate, self.begun.elapsed().as_micros() as i64)
    }

    fn count_at(&self, mut key: Key, rate: Rate, now_us: i64) -> Result<(), u64> {
        let shard = &self.shards[self.hasher.hash_one(key) as usize % SHARDS];
        // A thread that panicked here has left numbers behind, which are as good as before.
        let mut shard = shard.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if shard.empty_us.len() >= MANY && !shard.empty_us.contains_key(&key) {
            // At most once a second, so that a flood of newcomers does not pay for it each time.
            if now_us - shard.swept_us >= 1_000_000 {
                shard.empty_us.retain(|_, empty_us| *empty_us > now_us);
                shard.swept_us = now_us;
            }
            if shard.empty_us.len() >= MANY {
                key.who = Who::Others;
            }
        }
        let empty_us = shard.empty_us.entry(key).or_insert(now_us);
        let next = (*empty_us).max(now_us) + rate.interval_us;
        let too_early_us = next - now_us - rate.interval_us * rate.burst;
        if too_early_us > 0 {
            return Err((too_early_us as u64).div_ceil(1_000_000));
        }
        *empty_us = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { interval_us: 500_000, burst: 3 };

    #[test]
    fn a_burst_and_then_a_steady_flow() {
        let limits = Limits::new();
        let key = Key::address(0, IpAddr::from([192, 0, 2, 1]));
        let at = |now_us| limits.count_at(key, RATE, now_us);
        assert_eq!([at(0), at(0), at(0), at(0)], [Ok(()), Ok(()), Ok(()), Err(1)]);
        assert_eq!([at(500_000), at(500_000)], [Ok(()), Err(1)]);
        assert_eq!(at(60_000_000), Ok(()));
        let other = Key::address(0, IpAddr::from([192, 0, 2, 2]));
        assert_eq!(limits.count_at(other, RATE, 0), Ok(()), "another client's bucket");
        let costly = Key { limit: 1, ..key };
        assert_eq!(limits.count_at(costly, RATE, 500_000), Ok(()), "another limit's bucket");
    }

    #[test]
    fn a_network_of_ipv6_is_one_client_and_a_flood_of_them_takes_no_memory() {
        let of = |text: &str| Key::address(0, text.parse().expect("an address"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        let limits = Limits::new();
        let slow = Rate { interval_us: 60_000_000, burst: 1 };
        for n in 0..(MANY as u32 * SHARDS as u32 * 2) {
            let _ = limits.count_at(Key::address(0, IpAddr::from(n.to_be_bytes())), slow, i64::from(n / 1000));
        }
        assert!(limits.shards.iter().all(|shard| shard.lock().expect("a lock").empty_us.len() <= MANY + 1));
    }
}
