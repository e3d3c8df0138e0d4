//! `/api/events`. The events of one run are [`super::runs::events`].

pub(super) mod stream;
