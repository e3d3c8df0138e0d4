//! Where copies of a service are found.

use std::fmt;
use std::sync::Arc;

/// One word of a list of addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// `http://host:port`: one copy. A name is resolved by the system whenever a connection is opened.
    At(Arc<str>),
    /// `dns://name:port`: a copy at each of the name's A and AAAA records, for their time to live.
    Dns {
        /// The name.
        name: String,
        /// Of all of them.
        port: u16,
    },
    /// `srv://_http._tcp.name`: a copy at each target of the lowest priority number, for its time to live. Weights are not
    /// heeded: what each is doing tells more.
    Srv(String),
}

impl Place {
    /// Reads a list separated by commas.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, String> {
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        let places = words.map(Self::parse).collect::<Result<Vec<_>, _>>()?;
        if places.is_empty() { Err("it has no address".to_owned()) } else { Ok(places) }
    }

    fn parse(word: &str) -> Result<Self, String> {
        let bad =
            || format!("{word:?} is no address; write http://host:port, dns://name:port or srv://_http._tcp.name");
        let (kind, rest) = word.split_once("://").ok_or_else(bad)?;
        let rest = rest.trim_end_matches('/');
        let name = |text: &str| {
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':' | b'[' | b']');
            !text.is_empty() && text.bytes().all(plain)
        };
        match kind {
            "http" if name(rest) => {
                let authority = if has_port(rest) { rest.to_owned() } else { format!("{rest}:80") };
                Ok(Self::At(authority.into()))
            }
            "dns" => {
                let (host, port) = rest.rsplit_once(':').filter(|(host, _)| name(host)).ok_or_else(bad)?;
                Ok(Self::Dns { name: host.to_owned(), port: port.parse().map_err(|_| bad())? })
            }
            "srv" if name(rest) && !rest.contains(':') => Ok(Self::Srv(rest.to_owned())),
            _ => Err(bad()),
        }
    }
}

fn has_port(authority: &str) -> bool {
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, ""));
    port.parse::<u16>().is_ok() && (!host.contains(':') || host.ends_with(']'))
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(authority) => write!(f, "http://{authority}"),
            Self::Dns { name, port } => write!(f, "dns://{name}:{port}"),
            Self::Srv(name) => write!(f, "srv://{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read() {
        let places = Place::parse_all("http://a:3001, http://[::1]:2/,dns://users.svc:80,srv://_http._tcp.users")
            .expect("a list");
        let shown: Vec<_> = places.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["http://a:3001", "http://[::1]:2", "dns://users.svc:80", "srv://_http._tcp.users"]);
        assert_eq!(Place::parse_all("http://a").expect("port 80"), [Place::At("a:80".into())]);
        for bad in
            ["", "a:1", "https://a", "http://", "http://a/path", "dns://a", "dns://:1", "srv://a:1", "http://a b"]
        {
            assert!(Place::parse_all(bad).is_err(), "{bad}");
        }
    }
}
