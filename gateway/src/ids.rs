//! Ids of requests: UUIDs of version 7, which sort by their time.
//!
//! They tell requests apart and are no secrets, so of the operating system's randomness each thread takes some once; asking for every request
//! costs as much as looking its route up.

use std::cell::Cell;
use std::time::{SystemTime, UNIX_EPOCH};

use kernel::RequestId;
use uuid::{Builder, Uuid};

thread_local! {
    static STATE: Cell<u128> = Cell::new(Uuid::new_v4().as_u128());
}

/// A new one.
pub(crate) fn new() -> RequestId {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // An odd step visits every number before one comes again; the product spreads it over all digits.
    let state = STATE.get().wrapping_add(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    STATE.set(state);
    let mixed = (state ^ (state >> 67)).wrapping_mul(0xDA94_2042_E4DD_58B5_2545_F491_4F6C_DD1D);
    let [bytes @ .., _, _, _, _, _, _] = (mixed ^ (mixed >> 61)).to_be_bytes();
    Builder::from_unix_timestamp_millis(now.as_millis() as u64, &bytes).into_uuid().into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_are_the_same() {
        let ids: BTreeSet<_> = (0..10_000).map(|_| new().to_string()).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| id.parse::<Uuid>().is_ok_and(|id| id.get_version_num() == 7)));
    }
}
