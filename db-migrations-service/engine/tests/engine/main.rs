//! The engine as its callers meet it: projects in folders, real databases.

mod apply;
mod at_once;
mod audit;
mod autovacuum;
mod backfill;
mod bad_input;
mod budget;
mod concurrency;
mod confine;
mod drift;
mod dry_run;
mod full_disk;
mod help;
mod hold;
mod kill;
mod order;
mod proofs;
mod proxy;
mod rollback;
mod seeds;
mod sparing;
mod states;
mod stepwise;
mod watch;
mod wire;
mod with_data;
