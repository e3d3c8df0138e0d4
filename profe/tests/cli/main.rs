//! `profe` as its users meet it: the built binary, on real databases.

mod collector;
mod support;

mod alerts;
mod backup;
mod backup_policy;
mod backup_faults;
mod backup_kills;
mod doctor;
mod erd;
mod exit_codes;
mod migrate;
mod output;
mod proof;
mod serve;
mod telemetry;
mod together;
mod up;
mod with_data;
