//! The user service over HTTP, on a database of its own for each test.

mod accounts;
mod contract;
mod document;
mod guardians;
mod invitations;
mod lists;
mod matrix;
mod people;
mod profiles;
mod rosters;
mod teachers;
mod two_schools;
mod world;
