//! The engine as its callers meet it: projects in folders, real databases.

mod apply;
mod bad_input;
mod concurrency;
mod confine;
mod dry_run;
mod full_disk;
mod help;
mod kill;
mod order;
mod proxy;
mod rollback;
mod seeds;
mod states;
mod stepwise;
mod wire;
