//! The backup before a run, as whoever types the command meets it.

use serde_json::Value;
use testkit::{TestDb, block_on, server};

use crate::support::{Done, Workplace, run};

/// Production has a database of its own, is backed up before each run, and asks for no gate.
struct Place {
    work: Workplace,
    production: TestDb,
}

impl Place {
    fn new() -> Self {
        let work = Workplace::new();
        let catalogue = work.project.read("config/services.toml");
        let named = "[environments.production]\nurl_variable = \"PRODUCTION_DATABASE_URL\"\ngates = []";
        work.project.write("config/services.toml", &catalogue.replace("[environments.production]", named));
        Self { work, production: block_on(server().empty_database()) }
    }

    fn profe(&self, arguments: &[&str]) -> Done {
        let mut command = self.work.profe();
        command.env("PRODUCTION_DATABASE_URL", self.production.url()).args(["-e", "production"]);
        run(&mut command, arguments)
    }

    /// With a storage for backups.
    fn safely(&self, arguments: &[&str]) -> Done {
        let mut command = self.work.profe();
        command.env("PRODUCTION_DATABASE_URL", self.production.url()).args(["-e", "production"]);
        run(command.env("MIGRATION_SERVICE_BACKUP_STORAGE", self.work.folder.path().join("backups")), arguments)
    }
}

/// The id that stands after this word.
fn id_after<'a>(text: &'a str, word: &str) -> &'a str {
    let (_, rest) = text.split_once(word).unwrap_or_else(|| panic!("no {word:?} in {text}"));
    rest.split_whitespace().next().expect("an id")
}

#[test]
fn production_is_backed_up_before_a_run_and_the_way_back_is_named() {
    let place = Place::new();
    let project = &place.work.project;
    project.migration("alpha/1_create_t", "create table alpha.t (id int);", "drop table alpha.t;");
    let first = place.profe(&["migrate", "run"]).ok(0);
    assert!(!first.contains("backup"), "nothing was there to back up: {first}");

    project.migration("alpha/2_add_note", "alter table alpha.t add note text;", "alter table alpha.t drop note;");
    let refused = place.profe(&["migrate", "run"]).err(5);
    assert!(refused.contains("MIGRATION_SERVICE_BACKUP_STORAGE") && refused.contains("--no-backup"), "{refused}");
    let ran = place.safely(&["migrate", "run"]).ok(0);
    assert!(ran.contains("backing up alpha-service first") && ran.contains("made and verified"), "{ran}");
    let backup = id_after(&ran, "✓ backup ");

    let command = format!("profe backup restore {backup} --in-place");
    let shown = place.profe(&["migrate", "rollback", "-n", "2", "--dry-run"]).ok(0);
    assert!(shown.contains(&format!("backup {backup} is of before 1 migration of these")), "{shown}");
    assert!(shown.contains(&command), "{shown}");
    let plan = place.profe(&["migrate", "rollback", "-n", "2", "--dry-run", "--output", "json"]).ok(0);
    let plan: Value = serde_json::from_str(&plan).expect("a document");
    assert_eq!(plan["backups"][0]["backupId"], backup, "{plan}");
    assert_eq!(plan["backups"][0]["command"], command, "{plan}");

    let refused = place.profe(&["migrate", "rollback", "-n", "1", "--yes"]).err(5);
    assert!(refused.contains("--no-backup"), "{refused}");
    let without = ["migrate", "rollback", "-n", "1", "--yes", "--no-backup", "the storage moves"];
    let back = place.profe(&without).ok(0);
    assert!(back.contains(&command), "{back}");
    let kept = "select concat_ws(' ', gate, reason, by_whom) from migration_service.gate_override";
    assert_eq!(block_on(place.production.value(kept)).as_deref(), Some("backup the storage moves cli:ana"));

    project.migration("alpha/3_break", "select 1 / 0;", "select 1;");
    let failed = place.safely(&["migrate", "run"]);
    assert_eq!(failed.code, 1, "{failed:?}");
    let own = id_after(&failed.out, "The backup ");
    assert!(
        failed.out.contains(&format!("is of before this run: profe backup restore {own} --in-place")),
        "{failed:?}"
    );
    assert_ne!(own, backup);
}

#[test]
fn backups_of_production_are_verified_and_pruned_by_its_rules() {
    let place = Place::new();
    let project = &place.work.project;
    let catalogue = project.read("config/services.toml");
    let rules = "gates = []\nbackup = { keep_count = 1 }";
    project.write("config/services.toml", &catalogue.replace("gates = []", rules));
    project.migration("alpha/1_create_t", "create table alpha.t (id int);", "drop table alpha.t;");
    place.profe(&["migrate", "run"]).ok(0);
    for _ in 0..2 {
        let made = place.safely(&["backup", "create"]).ok(0);
        assert!(made.contains("was restored and is equal"), "{made}");
    }
    let look = place.safely(&["backup", "prune", "--dry-run"]).ok(0);
    assert!(look.contains("goes: no rule keeps it") && look.contains("stays: it is among the newest 1"), "{look}");
    assert!(look.contains("1 backup would be deleted"), "{look}");
    let told = place.safely(&["backup", "prune"]).err(5);
    assert!(told.contains("1 backup would be gone for good") && told.contains("--yes"), "{told}");
    let done = place.safely(&["backup", "prune", "--yes", "--output", "json"]).ok(0);
    let done: Value = serde_json::from_str(&done).expect("a document");
    assert_eq!((done["deleted"].as_array().map(Vec::len), done["kept"].as_array().map(Vec::len)), (Some(1), Some(1)));
    let again = place.safely(&["backup", "prune"]).ok(0);
    assert!(again.contains("0 backups deleted"), "nothing is asked where nothing goes: {again}");
}

#[test]
fn doctor_says_what_a_protected_environment_lacks() {
    let place = Place::new();
    place.work.project.migration("alpha/1_create_t", "create table alpha.t (id int);", "drop table alpha.t;");
    let before = place.safely(&["doctor"]).out;
    assert!(!before.contains("production is protected"), "nothing is there to lose: {before}");
    place.safely(&["migrate", "run"]).ok(0);
    let warned = place.safely(&["doctor"]).out;
    assert!(
        warned.contains("there is no backup of it") && warned.contains("backup create --environment production"),
        "{warned}"
    );
    assert!(warned.contains("whoever can read its backups") && warned.contains("BACKUP_RECIPIENTS"), "{warned}");
    assert!(!warned.contains("on the disk that it lies on itself"), "the storage is named: {warned}");
    place.safely(&["backup", "create"]).ok(0);
    let after = place.safely(&["doctor"]).out;
    assert!(!after.contains("there is no backup of it") && after.contains("whoever can read its backups"), "{after}");
}
