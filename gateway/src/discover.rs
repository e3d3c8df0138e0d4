//! Finds copies by DNS, and looks again when what was found has lived its time (RFC 1035, 2782).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::place::Place;
use crate::upstream::Copies;

/// A time to live of nothing would be a question for ever; one of a day would keep what has long gone.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(5);
/// After no answer. What was found before stays: a name server that is away is no reason to lose a service.
const AGAIN: Duration = Duration::from_secs(2);

/// Asks name servers. Made once; cheap to clone.
#[derive(Clone)]
pub(crate) struct Resolver(Result<Arc<TokioResolver>, String>);

impl Resolver {
    /// The system's name servers, or this one.
    pub(crate) fn new(server: Option<SocketAddr>) -> Self {
        let builder = match server {
            None => match TokioResolver::builder_tokio() {
                Ok(builder) => builder,
                Err(error) => return Self(Err(error.to_string())),
            },
            Some(address) => {
                let mut udp = ConnectionConfig::udp();
                let mut tcp = ConnectionConfig::tcp();
                (udp.port, tcp.port) = (address.port(), address.port());
                let mut server = NameServerConfig::udp_and_tcp(address.ip());
                server.connections = vec![udp, tcp];
                let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
                TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
        };
        let mut builder = builder;
        // Times to live are kept here; a second memory would double them.
        builder.options_mut().cache_size = 0;
        Self(builder.build().map(Arc::new).map_err(|error| error.to_string()))
    }

    /// Where the copies of a place are, and until when that holds.
    async fn find(&self, place: &Place) -> Result<(Vec<Arc<str>>, Instant), String> {
        let resolver = self.0.as_ref().map_err(Clone::clone)?;
        match place {
            Place::At(authority) => Ok((vec![Arc::clone(authority)], Instant::now() + LONGEST)),
            Place::Dns { name, port } => addresses(resolver, name, *port).await,
            Place::Srv(name) => targets(resolver, name).await,
        }
    }
}

async fn addresses(resolver: &TokioResolver, name: &str, port: u16) -> Result<(Vec<Arc<str>>, Instant), String> {
    let found = resolver.lookup_ip(name).await.map_err(|error| error.to_string())?;
    let until = found.valid_until().into();
    let mut copies: Vec<Arc<str>> = found.iter().map(|ip| SocketAddr::new(ip, port).to_string().into()).collect();
    copies.sort();
    Ok((copies, until))
}

async fn targets(resolver: &TokioResolver, name: &str) -> Result<(Vec<Arc<str>>, Instant), String> {
    let found = resolver.srv_lookup(name).await.map_err(|error| error.to_string())?;
    let mut until: Instant = found.valid_until().into();
    let services = found.answers().iter().filter_map(|record| match &record.data {
        RData::SRV(srv) => Some(srv),
        _ => None,
    });
    let first = services.clone().map(|srv| srv.priority).min();
    let mut copies = Vec::new();
    for srv in services.filter(|srv| Some(srv.priority) == first) {
        let (found, holds_until) = addresses(resolver, &srv.target.to_string(), srv.port).await?;
        copies.extend(found);
        until = until.min(holds_until);
    }
    copies.sort();
    copies.dedup();
    Ok((copies, until))
}

/// Follows a place until `stop`.
pub(crate) async fn follow(copies: Arc<Copies>, at: usize, place: Place, resolver: Resolver, stop: CancellationToken) {
    let mut before: Option<Result<Vec<Arc<str>>, String>> = None;
    loop {
        let Some(found) = stop.run_until_cancelled(resolver.find(&place)).await else { return };
        let now = Instant::now();
        let (found, next) = match found {
            Ok((found, until)) => (Ok(found), until.clamp(now + SHORTEST, now + LONGEST)),
            Err(error) => (Err(error), now + AGAIN),
        };
        if before.as_ref() != Some(&found) {
            match &found {
                Ok(found) => {
                    tracing::info!(upstream = %copies.name, %place, ?found, "copies were found");
                    copies.set(at, found.clone());
                }
                Err(error) => {
                    tracing::warn!(upstream = %copies.name, %place, error, "copies cannot be looked for; the last ones stay");
                }
            }
            before = Some(found);
        }
        if stop.run_until_cancelled(tokio::time::sleep_until(next)).await.is_none() {
            return;
        }
    }
}
