//! Faults in the middle of runs over the real binary: servers that are killed, networks that are cut or half open, failover, full
//! disks, servers without a connection left, clocks that jump. What is asserted is the end: every database at the same
//! schema, history and audit whole, every run accounted for, nothing left behind.

mod world;

mod clock;
mod connections;
mod disk;
mod failover;
mod locks;
mod network;
mod servers;
