//! What breaks under a program, made on purpose: the network, the server, its disk, the clock.

mod clock;
mod disk;
mod own_server;
mod proxy;

pub use clock::Clock;
pub use disk::{Disk, Full};
pub use own_server::{Crowd, OwnServer};
pub use proxy::Proxy;
