//! What happens on all targets, for any number of listeners, in every copy of the service and beside it.
//!
//! The truth is a table of the master database ([`crate::master::events`]), so whoever comes back with the number of the
//! last event they saw goes on from there, on whichever copy they meet. Each copy reads what is new once ([`Feed`]) and
//! keeps the newest at hand ([`Hub`]), from where its listeners take it at their own speed. NOTIFY, Redis and a clock only
//! say that there is something to read; Redis carries the events to other services as well ([`Redis`]).

mod feed;
mod happening;
mod hub;
mod kinds;
mod listener;
mod redis;

pub use feed::Feed;
pub use happening::{Happening, Wanted};
pub use hub::Hub;
pub use kinds::kinds;
pub use listener::{Heard, Listener};
pub use redis::{Redis, RedisState};
