//! What is proven before it is applied, and what differs after somebody's hand.

use testkit::{TestDb, block_on, server};

use crate::support::{Done, Workplace, run};

const UP: &str = "create table alpha.t (id int primary key, title text not null);\n";
const DOWN: &str = "drop table alpha.t;\n";

struct Place {
    work: Workplace,
    production: TestDb,
}

impl Place {
    fn new() -> Self {
        let work = Workplace::new();
        let project = &work.project;
        project.migration("alpha/1_create_t", UP, DOWN);
        let catalogue = project.read("config/services.toml");
        let named = "[environments.production]\nurl_variable = \"PRODUCTION_DATABASE_URL\"";
        project.write("config/services.toml", &catalogue.replace("[environments.production]", named));
        Self { work, production: block_on(server().empty_database()) }
    }

    fn profe(&self, arguments: &[&str]) -> Done {
        run(self.work.profe().env("PRODUCTION_DATABASE_URL", self.production.url()), arguments)
    }

    fn by_hand(&self, sql: &str) {
        self.work.value(sql);
    }
}

/// Without what differs from run to run.
fn settled(text: &str) -> String {
    let lines = text.lines().map(|line| match line.find(", in ") {
        Some(at) => format!("{}, in <time>.", &line[..at]),
        None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn validate_says_what_holds_and_what_does_not() {
    let place = Place::new();
    insta::assert_snapshot!(settled(&place.profe(&["migrate", "validate"]).ok(0)), @r"
    ✓ alpha/1 create_t

    Gates (development):
      ✓ parses               not required
      ✓ stays-home           not required
      ✓ breaks-no-neighbour  not required
      ✓ hazards              not required
      ✓ rehearsed            not required

    Passed: 1 migration, in <time>.
    ");
    place.work.project.migration(
        "alpha/2_add_index",
        "create table alpha.u (id int);\ncreate index if not exists t_title on alpha.t (title);\n",
        "drop table alpha.u;\n",
    );
    insta::assert_snapshot!(settled(&place.profe(&["migrate", "validate"]).ok(1)), @r"
    ✓ alpha/1 create_t
    ✗ alpha/2 add_index
        error[down-does-not-restore]: the way back leaves another schema: index alpha.t_title: added
        help: complete the down file; where there is no way back, say so: `-- irreversible: <why>`

    Gates (development):
      ✓ parses               not required
      ✓ stays-home           not required
      ✓ breaks-no-neighbour  not required
      ✓ hazards              not required
      ✗ rehearsed            not required

    Not passed: 2 migrations, 1 error, in <time>.
    ");
    let shown = place.profe(&["migrate", "validate", "--figures"]).ok(1);
    assert!(shown.contains("line 1: ") && shown.contains("bytes of WAL") && shown.contains("up again"), "{shown}");
    let json: serde_json::Value =
        serde_json::from_str(&place.profe(&["migrate", "validate", "--output", "json"]).ok(1)).expect("one document");
    assert_eq!((&json["passed"], &json["migrations"][1]["findings"][0]["gate"]), (&false.into(), &"rehearsed".into()));
    let some = place.profe(&["migrate", "validate", "--gate", "parses", "--gate", "stays-home"]).ok(0);
    assert!(some.contains("not asked for"), "{some}");
    let unknown = place.profe(&["migrate", "validate", "--gate", "smells"]).err(2);
    assert!(unknown.contains("breaks-no-neighbour"), "{unknown}");
    assert!(place.profe(&["migrate", "history"]).ok(0).contains("Nothing has happened"), "it applies nothing");
}

#[test]
fn a_run_in_production_shows_what_it_was_refused_for_and_can_be_told_to_go_on() {
    let place = Place::new();
    place.work.project.migration("alpha/2_add_u", "create table alpha.u (id int);\n", "select 1;\n");
    let refused = place.profe(&["migrate", "run", "-e", "production"]);
    assert!(refused.out.contains("through the gates"), "{refused:?}");
    let said = refused.err(5);
    assert!(said.contains("error[gate_failed]") && said.contains("in alpha/2"), "{said}");
    assert!(said.contains("error[down-does-not-restore]: the way back leaves another schema"), "{said}");
    let told = place.profe(&["migrate", "run", "-e", "production", "--override", "rehearsed"]).err(2);
    assert!(told.contains("reason"), "{told}");
    place.profe(&["migrate", "run", "-e", "production", "--override", "rehearsed=agreed upon"]).ok(0);
}

#[test]
fn accepted_hazards_stand_in_the_history() {
    let place = Place::new();
    let up = "-- accept: ban-drop-column: nobody reads it\nalter table alpha.t drop column title;\n";
    place.work.project.migration("alpha/2_drop_title", up, "alter table alpha.t add column title text not null;\n");
    place.profe(&["migrate", "run"]).ok(0);
    let history = place.profe(&["migrate", "history"]).ok(0);
    assert!(history.contains("accepted ban-drop-column: nobody reads it"), "{history}");
}

#[test]
fn drift_is_shown_undone_and_adopted() {
    let place = Place::new();
    place.profe(&["migrate", "run"]).ok(0);
    assert!(place.profe(&["db", "diff"]).ok(0).contains("The live schemas are what their history makes"));
    place.by_hand("alter table alpha.t add column by_hand int default 3");
    let diff = place.profe(&["db", "diff"]).ok(1);
    assert!(diff.contains("column alpha.t.by_hand: added") && diff.contains("1 difference"), "{diff}");
    assert!(diff.contains("--write-migration <schema> <intent>"), "{diff}");
    place.profe(&["db", "drift"]).ok(1);

    let undo = place.profe(&["db", "drift", "--undo"]).ok(0);
    assert!(undo.contains(r#"ALTER TABLE "alpha"."t" DROP COLUMN "by_hand";"#), "{undo}");
    place.by_hand(undo.lines().last().expect("a statement"));
    place.profe(&["db", "diff"]).ok(0);

    place.by_hand("alter table alpha.t add column by_hand int default 3");
    let adopted = place.profe(&["db", "drift", "--write-migration", "alpha", "by", "hand"]).ok(0);
    assert!(adopted.contains("_by_hand.up.sql") && adopted.contains("as applied here"), "{adopted}");
    place.profe(&["db", "diff"]).ok(0);
    place.profe(&["migrate", "status", "--exit-code"]).ok(0);
    // Elsewhere it is a migration like any other.
    place.profe(&["migrate", "validate", "--whole"]).ok(0);
    assert!(place.profe(&["db", "drift", "--undo"]).ok(0).contains("Nothing to undo"));
}
