//! A rolling restart: copies end one after the other while a fleet's run, a backup and a listener go on, and nothing is lost.

use std::io::{BufRead, BufReader};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::process::Signal;
use serde_json::json;

use super::copies::{get, post};
use super::fleets::Fleet;
use crate::support::client;

/// Hears the events of whichever copy serves, and goes on at the next one where its stream ended.
struct Listener {
    /// The copy to listen to.
    port: Arc<AtomicU16>,
    heard: Arc<Mutex<Vec<i64>>>,
    is_over: Arc<AtomicBool>,
    listening: JoinHandle<()>,
}

impl Listener {
    fn start(port: u16, after: i64) -> Self {
        let (port, heard, is_over) =
            (Arc::new(AtomicU16::new(port)), Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (at, kept, over) = (Arc::clone(&port), Arc::clone(&heard), Arc::clone(&is_over));
        let listening = std::thread::spawn(move || {
            let mut last = after;
            while !over.load(Ordering::Relaxed) {
                let url = format!("http://127.0.0.1:{}/api/events", at.load(Ordering::Relaxed));
                let request =
                    client().get(url).header("last-event-id", last.to_string()).timeout(crate::support::DEADLINE);
                let Ok(stream) = request.send() else { continue };
                let mut id = None;
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    if let Some(text) = line.strip_prefix("id:") {
                        id = text.trim().parse().ok();
                    }
                    // The first message is the place alone, without an event.
                    if line.starts_with("data:")
                        && let Some(id) = id.take()
                    {
                        last = id;
                        kept.lock().expect("no panic").push(id);
                    }
                    if line.is_empty() {
                        id = None;
                    }
                }
            }
        });
        Self { port, heard, is_over, listening }
    }
}

#[test]
fn a_rolling_restart_loses_nothing() {
    let fleet = Fleet::new("0.5");
    let copies = &fleet.copies;
    crate::support::run(&mut copies.place.profe(), &["migrate", "run", "--to", "alpha/1"]).ok(0);
    let ((first, port), (second, other)) = (copies.start("1s"), copies.start("1s"));
    let newest = "select coalesce(max(id), 0) from migration_service.event";
    let before: i64 = copies.place.value(newest).and_then(|id| id.parse().ok()).expect("a number");
    let listener = Listener::start(port, before);

    // A backup that waits for a table, and a fleet's run, both of the first copy.
    let lock = copies.lock("alpha.gate");
    let backup = post(port, "/api/backup/create", &json!({}))["backupId"].as_str().expect("an id").to_owned();
    copies.until("select true from pg_locks where not granted and relation = 'alpha.gate'::regclass");
    let run = post(port, "/api/fleets/tenants/run", &json!({}))["runId"].as_str().expect("an id").to_owned();
    let done = |count: usize| {
        copies.until(&format!(
            "select count(*) >= {count} from migration_service.fleet_target where run = '{run}' and state = 'applied'"
        ));
    };
    done(1);

    listener.port.store(other, Ordering::Relaxed);
    first.signal(Signal::TERM);
    assert_eq!(first.end().0.code(), Some(0));
    let (third, next) = copies.start("1s");
    let held = |by: u32| {
        copies
            .until(&format!("select held_by like '%process {by}' from migration_service.fleet_run where id = '{run}'"));
    };
    let pid = |copy: &crate::support::Running| copy.pid().as_raw_nonzero().get().unsigned_abs();
    // Whoever has the run now goes next; a copy in its place has come before.
    copies.until(&format!("select holder is not null from migration_service.fleet_run where id = '{run}'"));
    let second_has_it = copies.place.value(&format!(
        "select held_by like '%process {}' from migration_service.fleet_run where id = '{run}'",
        pid(&second)
    ));
    let (goes, stays, port) =
        if second_has_it.as_deref() == Some("t") { (second, third, next) } else { (third, second, other) };
    listener.port.store(port, Ordering::Relaxed);
    goes.signal(Signal::TERM);
    assert_eq!(goes.end().0.code(), Some(0));
    held(pid(&stays));
    lock.let_go();

    copies.until(&format!("select state = 'completed' from migration_service.fleet_run where id = '{run}'"));
    assert!(fleet.applied().iter().all(|count| count == "2"), "{:?}", fleet.applied());
    copies.until(&format!(
        "with recursive chain as (select id, state, continued_by from migration_service.backup where id = '{backup}' \
           union all select n.id, n.state, n.continued_by from migration_service.backup n join chain c on n.id = c.continued_by) \
         select true from chain where state = 'ready'"
    ));
    let shown = get(port, &format!("/api/backup/{backup}"));
    assert_eq!(shown["status"], json!("interrupted"), "{shown}");

    // The end of the stays' stream ends the listener.
    let last: i64 = copies.place.value(newest).and_then(|id| id.parse().ok()).expect("a number");
    let heard_last = || listener.heard.lock().expect("no panic").last().copied() >= Some(last);
    let give_up = std::time::Instant::now() + crate::support::DEADLINE;
    while !heard_last() {
        assert!(std::time::Instant::now() < give_up, "the last event was not heard");
        std::thread::yield_now();
    }
    listener.is_over.store(true, Ordering::Relaxed);
    assert_eq!(stays.interrupt().0.code(), Some(0));
    listener.listening.join().expect("no panic");
    let told = format!(
        "select string_agg(id::text, ',' order by id) from migration_service.event where id > {before} and id <= {last}"
    );
    let heard = listener.heard.lock().expect("no panic").clone();
    let heard: Vec<String> = heard.into_iter().filter(|id| *id <= last).map(|id| id.to_string()).collect();
    assert_eq!(copies.place.value(&told), Some(heard.join(",")), "each event once and in order");
}
