//! What every HTTP service of the platform has in common, and nothing of any of them.
//!
//! A service builds its routes and hands them to [`shell()`], which gives every answer a request id, an access-log
//! line, the guard against foreign hosts and origins, and `application/problem+json` for whatever goes wrong: bad
//! bodies, unknown paths, wrong methods, panics. [`serve()`] then serves it and ends in time. Who the caller is and what
//! they may do is the service's own.

mod access_log;
mod door;
mod headers;
mod health;
mod json;
pub mod kinds;
mod language;
mod openapi;
mod params;
pub mod problem;
mod request_id;
mod serve;
mod shell;
mod unreadable;

pub use door::{Door, host_name, is_loopback_name, is_own_page};
pub use health::{Readiness, health_routes};
pub use json::{BODY_LIMIT, Json, JsonOrNothing, read_body};
pub use kernel::RequestId;
pub use language::Language;
pub use openapi::{browsable, pretty};
pub use params::{Path, Query};
pub use problem::{Asked, Kind, Problem, ProblemDocument};
pub use serve::{Grace, serve};
pub use shell::{Panics, shell};
