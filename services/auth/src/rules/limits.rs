//! How often something may be tried, and by whom.
//!
//! The bucket of an address counts attempts that were in vain, so that a school behind one address signs in unhindered. That of
//! an account counts those from addresses that the person has never signed in from: whoever attacks it from everywhere empties
//! it for strangers and never for the owner, who has a small bucket of their own for each address that is known. A reset by mail
//! makes an address known too, so nobody is locked out for good.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// A bucket: how many it holds, and in how many seconds one of them comes back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Limit {
    name: &'static str,
    pub(crate) burst: i32,
    pub(crate) every_s: f64,
}

/// Passwords tried from one address.
pub(crate) const LOGIN_ADDRESS: Limit = Limit { name: "login:address", burst: 20, every_s: 15.0 };
/// Passwords tried on one account from addresses that are not known.
pub(crate) const LOGIN_ACCOUNT: Limit = Limit { name: "login:account", burst: 100, every_s: 36.0 };
/// Passwords tried on one account from one address that is known.
pub(crate) const LOGIN_KNOWN: Limit = Limit { name: "login:known", burst: 10, every_s: 30.0 };
/// Registrations from one address: a class registers in one lesson.
pub(crate) const REGISTER_ADDRESS: Limit = Limit { name: "register:address", burst: 40, every_s: 60.0 };
/// Letters asked for from one address.
pub(crate) const LETTER_ADDRESS: Limit = Limit { name: "letter:address", burst: 10, every_s: 60.0 };
/// Letters to one account.
pub(crate) const LETTER_ACCOUNT: Limit = Limit { name: "letter:account", burst: 3, every_s: 1_200.0 };
/// Current passwords that a signed-in person gets wrong.
pub(crate) const CHANGE_ACCOUNT: Limit = Limit { name: "change:account", burst: 5, every_s: 60.0 };

impl Limit {
    /// The bucket of this account or other text; kept as a hash, for it is personal.
    pub(crate) fn of(&self, whom: &str) -> String {
        let hash = Sha256::digest(whom.to_lowercase());
        format!("{}:{}", self.name, URL_SAFE_NO_PAD.encode(&hash[..16]))
    }

    /// The bucket of this address: of IPv6 the network that one customer is given.
    pub(crate) fn of_address(&self, address: IpAddr) -> String {
        let network = match address.to_canonical() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
        };
        self.of(&network)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_a_network_has_one_bucket() {
        let of = |address: &str| LOGIN_ADDRESS.of_address(address.parse().expect("an address"));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_eq!(LOGIN_ACCOUNT.of("Ana@Escuela.example"), LOGIN_ACCOUNT.of("ana@escuela.example"));
        assert!(!LOGIN_ACCOUNT.of("ana@escuela.example").contains("ana"));
    }
}
