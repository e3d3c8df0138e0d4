//! `profe` as its users meet it: the built binary, on real databases.

mod collector;
mod support;

mod adopt;
mod alerts;
mod backup;
mod backup_policy;
mod backup_faults;
mod backup_kills;
mod deploy;
mod doctor;
mod erd;
mod exit_codes;
mod faults;
mod fleet;
mod migrate;
mod output;

mod platform;
mod poolers;
mod proof;
mod release;
mod replicas;
mod serve;
mod telemetry;
mod together;
mod two_servers;
mod up;
mod watched;
mod with_data;
