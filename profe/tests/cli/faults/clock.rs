//! Copies of the service whose machine's clock is wrong, or is set while they run.

use serde_json::{Value, json};
use testkit::faults::Clock;

use super::world::until as becomes;
use crate::support::{Running, Workplace, client, free_port, until};

const DAY_S: i64 = 24 * 3600;

/// A copy that looks at this clock.
fn start(place: &Workplace, clock: &Clock) -> (Running, u16) {
    let port = free_port();
    let mut command = place.profe();
    command.env("MIGRATION_SERVICE_PORT", port.to_string());
    command.env("MIGRATION_SERVICE_BACKUP_STORAGE", place.folder.path().join("backups"));
    let mut serving =
        Running::start(clock.of(&mut command), &["serve", "--only", "migration-service", "--output", "json"]);
    serving.wait_for("\"ready\":true");
    (serving, port)
}

/// A place with two schedules: one that is due each minute, and one that will be in twelve hours.
fn with_schedules() -> (Workplace, String) {
    let place = Workplace::new();
    place.project.migration("alpha/1_create_t", "create table alpha.t (id int);", "drop table alpha.t;");
    let later =
        place.value("select to_char(now() at time zone 'utc' + interval '12 hours', 'MI HH24 * * *')").expect("a time");
    let catalogue = place.project.read("config/services.toml");
    let schedules = format!(
        "[environments.development]\nbackup = {{ schedules = [{{ cron = \"{later}\", services = [\"alpha-service\"] }}, {{ cron = \"* * * * *\" }}] }}"
    );
    place.project.write("config/services.toml", &catalogue.replace("[environments.development]", &schedules));
    crate::support::run(&mut place.profe(), &["migrate", "run"]).ok(0);
    (place, later)
}

/// What has been made, by schedule.
const MADE: &str = "select coalesce(string_agg(description, ', ' order by id), '') from migration_service.backup \
                    where state = 'ready' and description like 'scheduled:%'";
const KNOWN: &str = "select count(*) = 2 from migration_service.backup_schedule where environment <> ''";

/// What a copy does whose clock is wrong by so much, when one schedule is an hour overdue and the other not due at all.
fn a_clock_that_is_wrong_by(seconds: i64) {
    let (place, later) = with_schedules();
    let clock = Clock::new();
    let (first, _) = start(&place, &clock);
    until(&place.database, KNOWN);
    assert_eq!(first.interrupt().0.code(), Some(0));
    place.value("update migration_service.backup_schedule set done_until = now() - interval '1 hour', claim = null, claimed_until = null");
    clock.jump(seconds);
    let (second, _) = start(&place, &clock);
    until(&place.database, &format!("select ({MADE}) like '%scheduled: * * * * *%'"));
    let made = place.value(MADE).expect("a text");
    assert!(!made.contains(&later), "what is due in twelve hours was made already: {made}");
    assert_eq!(second.interrupt().0.code(), Some(0));
    let begun =
        "select count(*) from migration_service.backup where abs(extract(epoch from now() - started_at)) > 3600";
    assert_eq!(place.value(begun).as_deref(), Some("0"), "and stamped with the common time");
}

#[test]
fn a_copy_whose_clock_is_a_day_ahead_makes_no_backup_too_early() {
    a_clock_that_is_wrong_by(DAY_S);
}

#[test]
fn a_copy_whose_clock_is_two_days_behind_makes_the_backups_that_are_due() {
    a_clock_that_is_wrong_by(-2 * DAY_S);
}

/// Every moment that a document tells.
fn moments(document: &Value, told: &mut Vec<String>) {
    match document {
        Value::String(text) if text.len() >= 20 && text.ends_with('Z') && text.as_bytes()[10] == b'T' => {
            told.push(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| moments(item, told)),
        Value::Object(members) => members.values().for_each(|member| moments(member, told)),
        _ => {}
    }
}

/// Backups, verifications and restores of a copy whose clock is wrong by so much: what they are stamped with, which of them a rule
/// keeps, and whether one is fresh.
fn backups_by_a_clock_that_is_wrong_by(seconds: i64) {
    let place = Workplace::new();
    place.project.migration("alpha/1_create_t", "create table alpha.t (id int);", "drop table alpha.t;");
    let catalogue = place.project.read("config/services.toml");
    let rules = "[environments.development]\nbackup = { keep_days = 1, before_run = true, fresh_for_minutes = 60 }";
    place.project.write("config/services.toml", &catalogue.replace("[environments.development]", rules));
    crate::support::run(&mut place.profe(), &["migrate", "run"]).ok(0);
    let clock = Clock::new();
    clock.jump(seconds);
    let (copy, port) = start(&place, &clock);
    let api = format!("http://127.0.0.1:{port}/api");
    let post = |path: &str, body: Value| -> Value {
        let answer = client().post(format!("{api}/{path}")).json(&body).send().expect("an answer");
        assert!(answer.status().is_success(), "{path}: {}", answer.text().expect("text"));
        answer.json().expect("JSON")
    };
    let made: Vec<String> = (0..2)
        .map(|_| post("backup/create", json!({ "wait": true }))["backupId"].as_str().expect("an id").to_owned())
        .collect();
    let newest = &made[1];
    let into = format!("{}_back", place.database.name());
    for id in &made {
        post(&format!("backup/{id}/verify"), json!({ "wait": true }));
    }
    post(&format!("backup/restore/{newest}"), json!({ "confirm": newest, "into": into, "wait": true }));
    place.value(&format!("drop database {into}"));
    let shown: Value = client().get(format!("{api}/backup/{newest}")).send().expect("an answer").json().expect("JSON");
    let manifest = place.folder.path().join("backups").join(newest).join("manifest.json");
    let manifest: Value = serde_json::from_slice(&std::fs::read(manifest).expect("it is there")).expect("JSON");
    for (document, least) in [(&shown, 6), (&manifest, 2)] {
        let mut told = Vec::new();
        moments(document, &mut told);
        assert!(told.len() >= least, "{told:?} of {document}");
        for moment in told {
            let near = format!("select abs(extract(epoch from now() - '{moment}'::timestamptz)) < 3600");
            assert_eq!(place.value(&near).as_deref(), Some("t"), "{moment}: {document}");
        }
    }

    // By whatever clock: the copy's jumps once more, and a command has one of its own.
    clock.jump(400 * DAY_S - seconds);
    let pruned = post("backup/prune", json!({ "environment": "development", "confirm": "development" }));
    assert_eq!((&pruned["deleted"], pruned["kept"].as_array().map(Vec::len)), (&json!([]), Some(2)), "{pruned}");
    let mut command = place.profe();
    command.env("MIGRATION_SERVICE_BACKUP_STORAGE", place.folder.path().join("backups"));
    let looked = crate::support::run(clock.of(&mut command), &["backup", "prune", "--dry-run"]).ok(0);
    assert!(looked.contains("0 backups would be deleted"), "{looked}");
    place.project.migration("alpha/2_create_u", "create table alpha.u (id int);", "drop table alpha.u;");
    let ran = post("migrations/run", json!({ "wait": true }));
    assert_eq!((&ran["backupOrigin"], &ran["backupId"]), (&json!("accepted"), &json!(newest)), "{ran}");
    assert_eq!(copy.interrupt().0.code(), Some(0));
}

#[test]
fn backups_are_stamped_and_kept_by_the_common_time_where_a_clock_is_two_days_behind() {
    backups_by_a_clock_that_is_wrong_by(-2 * DAY_S);
}

#[test]
fn backups_are_stamped_and_kept_by_the_common_time_where_a_clock_is_a_day_ahead() {
    backups_by_a_clock_that_is_wrong_by(DAY_S);
}

/// Neither does the copy that works lose its run, nor does the other one take it for dead.
#[test]
fn a_run_stays_with_its_copy_while_clocks_jump_forward_and_back() {
    let place = Workplace::new();
    place.project.migration("alpha/1_gate", "create table alpha.gate (open bool);", "drop table alpha.gate;");
    place.project.migration(
        "alpha/2_wait",
        "do $$ begin while not exists (select from alpha.gate) loop perform pg_sleep(0.02); end loop; end $$;",
        "select 1;",
    );
    let (ours, theirs) = (Clock::new(), Clock::new());
    let ((first, port), (second, other)) = (start(&place, &ours), start(&place, &theirs));
    let answer = client().post(format!("http://127.0.0.1:{port}/api/migrations/run")).json(&json!({})).send();
    let answer: Value = answer.expect("an answer").json().expect("JSON");
    let id = answer["migrationId"].as_str().expect("an id");
    let run = |port: u16| -> Value {
        let answer = client().get(format!("http://127.0.0.1:{port}/api/migrations/runs/{id}")).send();
        answer.expect("an answer").json().expect("JSON")
    };
    // Each sign of life of the run comes after a jump, and is looked at by the other copy after one of its own.
    for jump in [DAY_S, -DAY_S, 0, 400 * DAY_S] {
        ours.jump(jump);
        theirs.jump(-jump);
        let seen = format!("select seen_at::text from migration_service.run where id = '{id}'");
        let before = place.value(&seen);
        becomes("the run shows that it lives", || place.value(&seen) != before);
        assert_eq!((&run(port)["status"], &run(other)["status"]), (&json!("running"), &json!("running")));
    }
    place.value("insert into alpha.gate values (true)");
    becomes("it is over", || run(other)["status"] == "completed");
    let (state, whole) = (
        format!("select concat_ws(' ', state, continued_by) from migration_service.run where id = '{id}'"),
        "select count(*) from migration_service.run".to_owned(),
    );
    assert_eq!(place.value(&state).as_deref(), Some("completed"));
    assert_eq!(place.value(&whole).as_deref(), Some("1"), "nobody has taken it up");
    let took = format!(
        "select finished_at - started_at between interval '0' and interval '1 hour' from migration_service.run where id = '{id}'"
    );
    assert_eq!(place.value(&took).as_deref(), Some("t"));
    for copy in [first, second] {
        assert_eq!(copy.interrupt().0.code(), Some(0));
    }
}
