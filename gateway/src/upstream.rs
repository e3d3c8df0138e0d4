//! A service: its copies, and which of them is sent the next request.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::discover::Resolver;
use crate::endpoint::{Endpoint, State};
use crate::place::Place;
use crate::table::UpstreamPlan;
use crate::{discover, health};

/// A service. When it is dropped, nobody asks or looks for its copies any more.
pub(crate) struct Upstream(Arc<Copies>, #[expect(dead_code, reason = "stops the tasks when it is dropped")] DropGuard);

/// What the tasks share with the requests.
pub(crate) struct Copies {
    pub(crate) name: Arc<str>,
    pub(crate) plan: UpstreamPlan,
    all: RwLock<Arc<[Arc<Endpoint>]>>,
    /// What each place has last been found to be.
    found: Mutex<Vec<Vec<Arc<str>>>>,
    pub(crate) check: Arc<Notify>,
    dice: AtomicU64,
}

/// How a service is, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) copies: usize,
    pub(crate) usable: usize,
}

impl Upstream {
    /// Begins to look for copies and to check them.
    pub(crate) fn start(
        name: &str,
        plan: UpstreamPlan,
        places: Vec<Place>,
        every: Duration,
        resolver: &Resolver,
    ) -> Self {
        let copies = Arc::new(Copies {
            name: name.into(),
            plan,
            all: RwLock::new(Arc::from([])),
            found: Mutex::new(vec![Vec::new(); places.len()]),
            check: Arc::default(),
            dice: AtomicU64::new(0),
        });
        let stop = CancellationToken::new();
        for (at, place) in places.into_iter().enumerate() {
            match place {
                Place::At(authority) => copies.set(at, vec![authority]),
                wanted => drop(tokio::spawn(discover::follow(
                    Arc::clone(&copies),
                    at,
                    wanted,
                    resolver.clone(),
                    stop.clone(),
                ))),
            }
        }
        tokio::spawn(health::keep(Arc::clone(&copies), every, stop.clone()));
        Self(copies, stop.drop_guard())
    }

    pub(crate) fn copies(&self) -> &Arc<Copies> {
        &self.0
    }
}

impl Copies {
    pub(crate) fn all(&self) -> Arc<[Arc<Endpoint>]> {
        Arc::clone(&self.all.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The place number `at` stands for these now. Copies that stay keep their connections and how they are.
    pub(crate) fn set(&self, at: usize, authorities: Vec<Arc<str>>) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found[at] = authorities;
        let before = self.all();
        let mut after: Vec<Arc<Endpoint>> = Vec::new();
        for authority in found.iter().flatten() {
            if after.iter().any(|endpoint| endpoint.authority == *authority) {
                continue;
            }
            let kept = before.iter().find(|endpoint| endpoint.authority == *authority).cloned();
            after.push(kept.unwrap_or_else(|| self.endpoint(authority)));
        }
        *self.all.write().unwrap_or_else(PoisonError::into_inner) = after.into();
        drop(found);
        self.check.notify_one();
    }

    fn endpoint(&self, authority: &Arc<str>) -> Arc<Endpoint> {
        Arc::new(Endpoint::new(Arc::clone(&self.name), Arc::clone(authority), Arc::clone(&self.check)))
    }

    /// Of two by chance the one that is doing less, among those that are up; where none is, among those that nobody has
    /// asked yet. Those of `tried` only where there is no other.
    pub(crate) fn choose(&self, tried: &[Arc<Endpoint>]) -> Option<Arc<Endpoint>> {
        let all = self.all();
        let is_new = |endpoint: &Arc<Endpoint>| !tried.iter().any(|other| Arc::ptr_eq(other, endpoint));
        let up = |endpoint: &&Arc<Endpoint>| endpoint.state() == State::Up;
        let unknown = |endpoint: &&Arc<Endpoint>| endpoint.state() == State::Unknown;
        let fresh = |endpoint: &&Arc<Endpoint>| is_new(endpoint);
        self.lighter(&all, |endpoint| up(endpoint) && fresh(endpoint))
            .or_else(|| self.lighter(&all, |endpoint| unknown(endpoint) && fresh(endpoint)))
            .or_else(|| self.lighter(&all, |endpoint| up(endpoint) || unknown(endpoint)))
    }

    fn lighter(&self, all: &[Arc<Endpoint>], wanted: impl Fn(&&Arc<Endpoint>) -> bool) -> Option<Arc<Endpoint>> {
        let count = all.iter().filter(&wanted).count();
        let mut usable = all.iter().filter(&wanted);
        if count < 2 {
            return usable.next().cloned();
        }
        let dice = self.roll();
        let first = dice as usize % count;
        // Another one than the first.
        let second = (first + 1 + (dice >> 32) as usize % (count - 1)) % count;
        // How they are may have changed since they were counted.
        let (a, b) = (usable.clone().nth(first), usable.nth(second));
        match (a, b) {
            (Some(a), Some(b)) => Some(Arc::clone(if b.load() < a.load() { b } else { a })),
            (one, other) => one.or(other).cloned(),
        }
    }

    /// SplitMix64: nobody gains by foreseeing it.
    fn roll(&self) -> u64 {
        let mut z = self.dice.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn standing(&self) -> Standing {
        let all = self.all();
        Standing { copies: all.len(), usable: all.iter().filter(|endpoint| endpoint.state() == State::Up).count() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::InFlight;

    fn copies(names: &[&str]) -> Copies {
        let plan = UpstreamPlan { addresses: String::new(), health: "/ready".to_owned(), webhook: None };
        let copies = Copies {
            name: "users".into(),
            plan,
            all: RwLock::new(Arc::from([])),
            found: Mutex::new(vec![Vec::new()]),
            check: Arc::default(),
            dice: AtomicU64::new(0),
        };
        copies.set(0, names.iter().map(|name| Arc::from(*name)).collect());
        copies
    }

    #[test]
    fn of_two_by_chance_the_lighter_one_is_taken() {
        let copies = copies(&["a:1", "b:1", "c:1", "d:1"]);
        let all = copies.all();
        all.iter().for_each(|endpoint| endpoint.checked(true));
        // The heaviest of all is never the lighter one of two.
        let busy: Vec<_> = (0..9).map(|_| InFlight::new(&all[2])).collect();
        let taken: Vec<_> = (0..400).filter_map(|_| copies.choose(&[])).collect();
        let times = |name: &str| taken.iter().filter(|endpoint| &*endpoint.authority == name).count();
        assert_eq!(times("c:1"), 0);
        assert!(["a:1", "b:1", "d:1"].iter().all(|name| times(name) > 80), "each of the others often");
        drop(busy);
        assert!((0..400).filter_map(|_| copies.choose(&[])).any(|endpoint| Arc::ptr_eq(&endpoint, &all[2])));
    }

    #[test]
    fn who_is_down_is_not_taken_until_it_says_that_it_is_up() {
        let copies = copies(&["a:1", "b:1"]);
        let all = copies.all();
        assert!(copies.choose(&[]).is_some(), "before anybody was asked, one is tried");
        all[0].checked(true);
        assert!((0..20).all(|_| copies.choose(&[]).is_some_and(|chosen| Arc::ptr_eq(&chosen, &all[0]))));
        assert!(
            copies.choose(&[Arc::clone(&all[0])]).is_some_and(|chosen| Arc::ptr_eq(&chosen, &all[1])),
            "another one first"
        );
        all[0].failed("gone");
        all[1].checked(false);
        assert!(copies.choose(&[]).is_none());
        all[1].answered();
        assert!(copies.choose(&[]).is_none(), "only its own word puts it back");
        all[1].checked(true);
        assert!(copies.choose(&[]).is_some());
    }

    #[test]
    fn copies_that_stay_are_the_same_ones() {
        let copies = copies(&["a:1", "b:1"]);
        let before = copies.all();
        before[1].checked(true);
        copies.set(0, vec!["b:1".into(), "c:1".into(), "b:1".into()]);
        let after = copies.all();
        assert_eq!(after.len(), 2);
        assert!(Arc::ptr_eq(&before[1], &after[0]));
    }
}
