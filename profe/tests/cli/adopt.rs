//! Databases that another tool has migrated, taken over with the tool's folder as it is.

mod order;
mod refused;
mod rights;
mod sqitch;
mod tools;

use std::path::PathBuf;

use crate::support::{Done, Workplace, run};

/// The folder, within the project.
const FOLDER: &str = "legacy/migrations";
/// What the tool has applied.
pub const FIRST: &str = "create table plan (\n  id bigserial primary key,\n  title text not null\n);\n";
pub const SECOND: &str = "alter table plan add column week int;\ncreate index plan_week on plan (week);\n";
pub const FIRST_BACK: &str = "drop table plan;\n";
pub const SECOND_BACK: &str = "alter table plan drop column week;\n";
/// What is applied after the adoption.
pub const THIRD: &str = "create view plan_titles as select title from plan;\n";
pub const THIRD_BACK: &str = "drop view plan_titles;\n";

/// A project whose service owns `public`, and a database that no service has touched.
pub struct Legacy {
    pub work: Workplace,
    layout: &'static str,
    /// Relative to the project.
    place: &'static str,
}

impl Legacy {
    pub fn new(layout: &'static str) -> Self {
        Self::at(FOLDER, layout)
    }

    /// With the tool's folder elsewhere in the project.
    pub fn at(place: &'static str, layout: &'static str) -> Self {
        let work = Workplace::new();
        let catalogue = work.project.read("config/services.toml");
        // Roles belong to the whole server: those of this project have a mark of their own.
        let tag = catalogue.split("alpha_owner_").nth(1).and_then(|rest| rest.get(..8)).expect("the mark").to_owned();
        let (environments, _) = catalogue.split_once("[services.").expect("services");
        work.project.write(
            "config/services.toml",
            &format!(
                "{environments}[services.plans-service]\nschemas = [\"public\"]\nowner = \"plans_owner_{tag}\"\nrole = \"plans_service_{tag}\"\n"
            ),
        );
        Self { work, layout, place }
    }

    pub fn file(&self, path: &str, text: &str) -> &Self {
        self.work.project.write(&format!("{}/{path}", self.place), text);
        self
    }

    pub fn folder(&self) -> PathBuf {
        self.work.project.path().join(self.place)
    }

    pub fn catalogue(&self, from: &str, to: &str) {
        let text = self.work.project.read("config/services.toml");
        assert!(text.contains(from), "{text}");
        self.work.project.write("config/services.toml", &text.replace(from, to));
    }

    /// By hand, as the tool would.
    pub fn sql(&self, text: &str) -> &Self {
        self.work.value(text);
        self
    }

    pub fn value(&self, sql: &str) -> String {
        self.work.value(sql).unwrap_or_default()
    }

    pub fn profe(&self, arguments: &[&str]) -> Done {
        run(&mut self.work.profe(), arguments)
    }

    pub fn adopt(&self, more: &[&str]) -> Done {
        let base = ["migrate", "adopt", "--from", self.layout, "--path", self.place, "--service", "plans-service"];
        self.profe(&[&base, more].concat())
    }

    /// Nothing of the engine's is in the database, and the catalogue is as it was.
    #[track_caller]
    pub fn is_untouched(&self) {
        assert_eq!(self.value("select to_regnamespace('migration_service') is null"), "t");
        assert!(!self.work.project.read("config/services.toml").contains("layout"));
    }

    /// All of the walk: proven, adopted, run on from, taken back. `theirs` is the tool's history table; `third` are the files
    /// of one more migration.
    #[track_caller]
    pub fn walk(&self, theirs: &str, third: &[(&str, &str)], is_reversible: bool) {
        let history = format!("select coalesce(md5(string_agg(t::text, ',' order by t::text)), '') from {theirs} t");
        let before = self.value(&history);
        let dry = self.adopt(&["--dry-run"]).ok(0);
        assert!(dry.contains("Proven:") && dry.contains("2 migrations would be adopted"), "{dry}");
        self.is_untouched();

        let adopted = self.adopt(&[]).ok(0);
        assert!(adopted.contains("Adopted 2 migrations on development"), "{adopted}");
        let section =
            format!("[services.plans-service.migrations]\npath = \"{}\"\nlayout = \"{}\"", self.place, self.layout);
        assert!(self.work.project.read("config/services.toml").contains(&section), "{adopted}");
        let again = self.profe(&["migrate", "adopt", "--service", "plans-service"]).ok(0);
        assert!(again.contains("Nothing to adopt on development: 2 migrations adopted before"), "{again}");
        self.profe(&["migrate", "status", "--exit-code"]).ok(0);
        self.profe(&["db", "diff"]).ok(0);

        for (path, text) in third {
            self.file(path, text);
        }
        self.profe(&["migrate", "status", "--exit-code"]).ok(3);
        self.profe(&["migrate", "validate"]).ok(0);
        self.profe(&["migrate", "run"]).ok(0);
        assert_eq!(self.value("select count(*) from plan_titles"), "1");
        self.profe(&["db", "diff"]).ok(0);
        let back = self.profe(&["migrate", "rollback", "--steps", "1"]);
        if is_reversible {
            back.ok(0);
            assert_eq!(self.value("select to_regclass('public.plan_titles') is null"), "t");
            // What the tool's own files bring along takes back what the tool has applied.
            self.profe(&["migrate", "rollback", "--steps", "1"]).ok(0);
            assert_eq!(self.value("select to_regclass('public.plan_week') is null"), "t");
            let told = self.profe(&["migrate", "adopt", "--service", "plans-service"]).ok(0);
            assert!(told.contains("Rolled back here since it was adopted"), "{told}");
        } else {
            assert!(back.err(5).contains("irreversible"));
        }
        assert_eq!(self.value(&history), before, "the tool's history is left alone");
    }
}
