//! What listens, and how it says it is.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use db_migrations_service::doctor::Check;
use serde_json::Value;

/// A neighbour is not waited for any longer.
const PATIENCE: Duration = Duration::from_secs(2);
/// More than any answer of `/ready`, bytes.
const LONGEST: u64 = 16 * 1024;

/// Whether a part's port is free, or the part serves there already.
pub(super) fn port(area: &str, address: SocketAddr, variable: &str) -> Check {
    if address.port() == 0 {
        return Check::ok(area, "it takes a free port");
    }
    let Err(error) = TcpListener::bind(address) else { return Check::ok(area, format!("{address} is free")) };
    match ready(address) {
        Some(answer) if answer["status"] == "ready" => Check::ok(area, format!("it serves on {address}, and is ready")),
        Some(answer) if answer["code"] == "not_ready" => {
            let why = answer["detail"].as_str().unwrap_or("it does not say why");
            let cure =
                "its log says what holds it up; docs/platform.md, \"When something is wrong at night\", what to do";
            Check::warning(area, format!("it serves on {address}, and is not ready: {why}"), cure)
        }
        _ => Check::warning(
            area,
            format!("{address} cannot be had: {error}"),
            format!("stop what listens there, or choose another port with {variable}"),
        ),
    }
}

/// What is answered to `/ready` there, where it is JSON.
fn ready(address: SocketAddr) -> Option<Value> {
    let ip = address.ip();
    let here = if !ip.is_unspecified() {
        address
    } else if ip.is_ipv4() {
        ([127, 0, 0, 1], address.port()).into()
    } else {
        (std::net::Ipv6Addr::LOCALHOST, address.port()).into()
    };
    let mut stream = TcpStream::connect_timeout(&here, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(b"GET /ready HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer).ok()?;
    let text = String::from_utf8(answer).ok()?;
    serde_json::from_str(text.split_once("\r\n\r\n")?.1).ok()
}

/// Whether somebody listens at one of the addresses that a name has.
pub(super) fn listens(name: &str) -> Result<(), String> {
    let addresses: Vec<_> = name.to_socket_addrs().map_err(|error| error.to_string())?.collect();
    let mut why = "the name has no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(_) => return Ok(()),
            Err(error) => why = error.to_string(),
        }
    }
    Err(why)
}
