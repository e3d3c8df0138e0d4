//! Copies of the service that end or die in the middle of something, and those that go on with it or say what became of it.

mod copies;
mod fleets;
mod in_place;
mod others;
mod restart;
mod runs;
mod scheduled;
mod stops;
