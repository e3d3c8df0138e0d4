//! From where somebody calls.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRef, FromRequestParts};
use http::HeaderMap;
use http::request::Parts;
use ipnet::IpNet;

use crate::platform::Platform;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The address of whoever called. `X-Forwarded-For` counts as far as trusted proxies have written it: read from the right, the
/// first address that is none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl<S: Sync> FromRequestParts<S> for ClientAddress
where
    Platform: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        // Without a connection, which only a caller within the process has, nobody is limited for somebody else.
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip());
        Ok(Self(client(peer, &parts.headers, Platform::from_ref(state).proxies())))
    }
}

fn client(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> IpAddr {
    let trusted = |address: &IpAddr| proxies.iter().any(|net| net.contains(&address.to_canonical()));
    let lines: Vec<&str> = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok()).collect();
    let mut address = peer.to_canonical();
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        if !trusted(&address) {
            break;
        }
        // What is no address was written by nobody who is trusted.
        let Ok(next) = hop.trim().parse::<IpAddr>() else { break };
        address = next.to_canonical();
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, forwarded: &[&str], proxies: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED_FOR, line.parse().expect("a header"));
        }
        let proxies: Vec<IpNet> = proxies.iter().map(|net| net.parse().expect("a network")).collect();
        client(peer.parse().expect("an address"), &headers, &proxies).to_string()
    }

    #[test]
    fn check_25_an_address_is_what_trusted_proxies_say_and_no_more() {
        let proxies = ["127.0.0.0/8", "10.1.0.0/16"];
        // Nobody who is trusted calls: what they say of themselves is nothing.
        assert_eq!(seen("203.0.113.7", &["198.51.100.1"], &proxies), "203.0.113.7");
        assert_eq!(seen("127.0.0.1", &["198.51.100.1"], &proxies), "198.51.100.1");
        // The left end is whatever the client wrote.
        assert_eq!(seen("127.0.0.1", &["1.1.1.1, 198.51.100.1"], &proxies), "198.51.100.1");
        assert_eq!(seen("127.0.0.1", &["1.1.1.1, 198.51.100.1, 10.1.2.3"], &proxies), "198.51.100.1");
        assert_eq!(seen("127.0.0.1", &["1.1.1.1", "198.51.100.1"], &proxies), "198.51.100.1");
        assert_eq!(seen("127.0.0.1", &["nonsense"], &proxies), "127.0.0.1");
        assert_eq!(seen("127.0.0.1", &[], &proxies), "127.0.0.1");
        assert_eq!(seen("::ffff:127.0.0.1", &["2001:db8::1"], &proxies), "2001:db8::1");
    }
}
