//! The whole platform through its front door: what its people do on a day, on `profe up`'s defaults and in two copies of each part.

mod copies;
mod days;
mod flows;
mod invited;
mod load;
mod parts;
mod school;
mod traces;
