//! Migrations rehearsed on the rows of a backup.

use serde_json::Value;

use crate::support::{Done, Workplace, run};

struct Place {
    work: Workplace,
}

impl Place {
    fn new() -> Self {
        let work = Workplace::new();
        let up = "create table alpha.t (id int primary key, title text);\n";
        work.project.migration("alpha/1_create_t", up, "drop table alpha.t;\n");
        let place = Self { work };
        place.profe(&["migrate", "run"]).ok(0);
        place
            .work
            .value("insert into alpha.t select n, nullif('title ' || n, 'title 7') from generate_series(1, 100) n");
        place
    }

    fn profe(&self, arguments: &[&str]) -> Done {
        let mut command = self.work.profe();
        command.env("MIGRATION_SERVICE_BACKUP_STORAGE", self.work.folder.path().join("copies"));
        run(&mut command, arguments)
    }

    fn demand_titles(&self, before: &str) {
        self.work.project.migration(
            "alpha/2_demand_title",
            &format!("{before}alter table alpha.t alter column title set not null;\n"),
            "alter table alpha.t alter column title drop not null;\n",
        );
    }
}

#[test]
fn what_the_rows_of_the_newest_backup_refuse_is_found_and_mended() {
    let place = Place::new();
    place.demand_titles("");
    let none = place.profe(&["migrate", "validate", "--with-data"]).err(5);
    assert!(none.contains("error[no_backup]") && none.contains("profe backup create"), "{none}");
    let made: Value =
        serde_json::from_str(&place.profe(&["backup", "create", "--output", "json"]).ok(0)).expect("one document");
    let id = made["backupId"].as_str().expect("an id");

    let only = ["migrate", "validate", "--gate", "rehearsed"];
    place.profe(&only).ok(0);
    let refused = place.profe(&[&only[..], &["--with-data"]].concat()).ok(1);
    assert!(
        refused.contains("error[existing-rows]: it fails: column \"title\" of relation \"t\" contains null"),
        "{refused}"
    );
    assert!(refused.contains(&format!("of backup {id} (not verified).")), "{refused}");

    place.demand_titles("update alpha.t set title = '' where title is null;\n");
    let mended = place.profe(&[&only[..], &["--gate", "hazards", "--with-data"]].concat());
    assert!(mended.out.contains("✓ rehearsed"), "{mended:?}");
    assert!(mended.out.contains("line 2: ") && mended.out.contains(" ms (forecast "), "{mended:?}");
    let json = place.profe(&[&only[..], &["--with-data", "--output", "json"]].concat()).ok(0);
    let json: Value = serde_json::from_str(&json).expect("one document");
    assert_eq!((&json["withData"]["backup"], &json["withData"]["verified"]), (&id.into(), &false.into()), "{json}");
    assert_eq!(json["migrations"][0]["certificate"]["withData"]["backup"], id, "{json}");
}

#[test]
fn where_backups_are_kept_must_be_said() {
    let place = Place::new();
    place.demand_titles("");
    let unsaid = run(&mut place.work.profe(), &["migrate", "validate", "--with-data"]).err(2);
    assert!(
        unsaid.contains("backup_storage_unconfigured") && unsaid.contains("MIGRATION_SERVICE_BACKUP_STORAGE"),
        "{unsaid}"
    );
    place.profe(&["migrate", "validate", "--with-data", "--whole"]).err(2);
}
