//! The whole platform through its front door, on `profe up`'s defaults: what its people do on a day.

mod days;
mod parts;
mod school;
