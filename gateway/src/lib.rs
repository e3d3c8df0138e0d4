//! The front door of the platform: one address for all services.
//!
//! It believes access tokens once, removes what nobody outside may say of themselves, limits, finds copies of services that are well,
//! and passes requests and answers on as they come. It has no database and knows no service: what there is to serve stands in the
//! [route table](Table). A service behind it believes tokens itself, so who gets past the gateway gets nowhere.
//!
//! [`Gateway::bind`] takes the ports; as a [`runtime::Component`] it serves until it is told to stop.

mod answer;
mod core;
mod cors;
mod discover;
mod endpoint;
mod export;
mod forward;
mod headers;
mod health;
mod ids;
mod lanes;
mod limits;
mod link;
mod methods;
mod metrics;
mod pages;
mod path;
mod payload;
mod place;
mod problems;
mod proxy;
mod routing;
mod serve;
mod settings;
mod spans;
mod strict;
mod table;
mod tunnel;
mod upstream;
mod webhooks;

pub use export::{envoy, nginx};
pub use place::Place;
pub use serve::{Gateway, StartError};
pub use settings::{DEFAULT_METRICS, DEFAULT_PORT, Settings, Times};
pub use table::{Access, DEFAULT as DEFAULT_ROUTES, Rate, Route, Table, TableError, UpstreamPlan};
