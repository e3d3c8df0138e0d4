//! `target_session_attrs`: is this server the kind that was asked for?

use super::error::{ConnectError, ConnectErrorKind, Place};
use crate::options::TargetSession;
use crate::session::AdminConn;

/// One query, and only when a kind was asked for.
pub(super) async fn check(session: &AdminConn, place: &Place, target: TargetSession) -> Result<(), ConnectError> {
    let fails = |reason: String| ConnectError::new(ConnectErrorKind::WrongSession, place, reason);
    if target == TargetSession::Any {
        return Ok(());
    }
    let sql = "select pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only')";
    let outcome = session.batch(sql).await.map_err(|error| fails(error.to_string()))?;
    let cell = |at: usize| outcome.value(0, at).map(str::to_owned);
    let standby = cell(0).as_deref() == Some("t");
    let read_only = cell(1).as_deref() == Some("on");
    let right = match target {
        TargetSession::Any | TargetSession::PreferStandby => true,
        TargetSession::ReadWrite => !read_only,
        TargetSession::ReadOnly => read_only,
        TargetSession::Primary => !standby,
        TargetSession::Standby => standby,
    };
    if right {
        return Ok(());
    }
    let is = if standby { "a standby" } else { "a primary" };
    let writes = if read_only { "does not take writes" } else { "takes writes" };
    let wanted = target.as_str();
    Err(fails(format!("target_session_attrs={wanted} is wanted, but the server is {is} and {writes}")))
}
