//! The gateway over TCP, in front of services that write down what they see.

mod balance;
mod discovery;
mod drain;

mod limits;
mod pages;
mod reload;
mod service;
mod smuggling;
mod streams;
mod tokens;
mod webhooks;
mod world;
