//! Files of people in the shape of OneRoster 1.2's users.csv: read row by row while they come, and written so that no spreadsheet
//! runs what somebody is called.
//!
//! A role stands in `metadata.roles`, separated by commas, for 1.2 has moved roles into a file of their own; `role`, as in
//! 1.1, is read too.

mod csv;
mod person;

pub(crate) use csv::{Malformed, Reader, write_row};
pub(crate) use person::{COLUMNS, Header, Mistake};
