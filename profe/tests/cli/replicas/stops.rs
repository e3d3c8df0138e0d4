//! How long a copy that is told to end takes: as long as it was given, and not longer.

use rustix::process::Signal;
use serde_json::json;

use super::copies::Copies;

/// Longer than all else in the process may take to end.
const LASTS: &str = "select pg_sleep(12);";

#[test]
fn a_run_has_its_whole_grace_time_to_end() {
    let copies = Copies::new().applied();
    copies.place.project.migration("alpha/4_long", LASTS, "select 1;");
    let (copy, port) = copies.start("1m");
    let id = copies.ask_and_wait(port, "/api/migrations/run", &json!({}));
    copy.signal(Signal::TERM);
    let (status, _, said) = copy.end();
    assert_eq!(status.code(), Some(0), "{said}");
    let run = format!("select state from migration_service.run where id = '{id}'");
    assert_eq!(copies.place.value(&run).as_deref(), Some("completed"), "{said}");
}
