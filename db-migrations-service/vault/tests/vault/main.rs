//! Backups as their users meet them: made of a real database, verified, restored into a real one.

mod faults;
mod help;
mod in_place;
mod whole;
