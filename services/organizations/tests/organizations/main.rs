//! The organization service as its users meet it: over HTTP, on the platform's database.

mod config;
mod document;
mod founding;
mod matrix;
mod schools;
mod world;
