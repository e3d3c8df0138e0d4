//! The organization service as its users meet it: over HTTP, on the platform's database.

mod config;
mod contract;
mod document;
mod founding;
mod limits;
mod matrix;
mod schools;
mod world;
