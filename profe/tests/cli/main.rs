//! `profe` as its users meet it: the built binary, on real databases.

mod support;

mod backup;
mod doctor;
mod erd;
mod exit_codes;
mod migrate;
mod output;
mod proof;
mod serve;
mod together;
mod up;
