//! What may be said of a school, and how one can be set up.

mod config;
mod details;

pub use config::{CONFIG_KEYS, Config, check, known};
pub use details::clean;
