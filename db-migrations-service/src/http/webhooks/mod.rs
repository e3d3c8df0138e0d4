//! `/api/webhooks`: what services are told of their migrations.

pub(super) mod list;
