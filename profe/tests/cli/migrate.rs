//! The walk of somebody who writes a migration.

use std::path::{Path, PathBuf};

use testkit::block_on;

use crate::support::{Workplace, profe, run};

impl Workplace {
    /// The two files that `migrate new` says it wrote.
    fn new_migration(&self, arguments: &[&str]) -> (PathBuf, PathBuf) {
        let out = run(&mut self.profe(), &[&["migrate", "new"], arguments].concat()).ok(0);
        let mut paths = out.lines().filter_map(|line| line.strip_prefix("wrote ")).map(PathBuf::from);
        (paths.next().expect("the up file"), paths.next().expect("the down file"))
    }
}

fn append(path: &Path, sql: &str) {
    let text = std::fs::read_to_string(path).expect("it was written");
    std::fs::write(path, text + sql).expect("our own file");
}

#[test]
fn new_edit_run_status_rollback() {
    let walk = Workplace::new();
    let (up, down) = walk.new_migration(&["alpha", "Añade", "la tabla de notas"]);
    let name = up.file_name().and_then(|n| n.to_str()).expect("a name");
    assert!(name.ends_with("_anade_la_tabla_de_notas.up.sql") && name.find('_') == Some(14), "{name}");
    append(&up, "create table alpha.notes (id int primary key);\n");
    append(&down, "drop table alpha.notes;\n");
    let (second, second_down) = walk.new_migration(&["alpha", "second"]);
    assert!(second.file_name() > up.file_name(), "later, also within the same second");
    append(&second, "alter table alpha.notes add body text;\n");
    append(&second_down, "alter table alpha.notes drop body;\n");

    let plan = run(&mut walk.profe(), &["migrate", "plan"]).ok(3);
    assert!(plan.contains("2 migrations would be applied"), "{plan}");
    let dry = run(&mut walk.profe(), &["migrate", "run", "--dry-run"]).ok(0);
    assert!(dry.contains("nothing of it stays"), "{dry}");
    let status = run(&mut walk.profe(), &["migrate", "status", "--exit-code"]).ok(3);
    assert!(status.contains("2 migrations pending"), "{status}");

    let ran = run(&mut walk.profe(), &["migrate", "run"]).ok(0);
    assert!(ran.contains("2 migrations applied in"), "{ran}");
    assert!(run(&mut walk.profe(), &["migrate", "status", "--exit-code"]).ok(0).contains("Up to date: 2 migrations"));
    assert!(run(&mut walk.profe(), &["migrate", "run"]).ok(0).contains("Nothing to do"));

    let shown = run(&mut walk.profe(), &["migrate", "rollback", "--steps", "1", "--dry-run"]).ok(0);
    assert!(shown.contains("| alter table alpha.notes drop body;"), "{shown}");
    let back = run(&mut walk.profe(), &["migrate", "rollback", "--steps", "1"]).ok(0);
    assert!(back.contains("1 migration taken back in"), "{back}");
    let columns = "select count(*) from information_schema.columns where table_schema = 'alpha'";
    assert_eq!(block_on(walk.database.value(columns)).as_deref(), Some("1"));

    let history = run(&mut walk.profe(), &["migrate", "history"]).ok(0);
    assert!(history.contains("taken back") && history.contains("by cli:ana"), "{history}");
}

#[test]
fn an_edited_file_is_refused_and_can_be_blessed() {
    let walk = Workplace::new();
    walk.project.migration("alpha/1_create_t", "create table alpha.t (id int);", "drop table alpha.t;");
    run(&mut walk.profe(), &["migrate", "run"]).ok(0);
    walk.project.write("migrations/alpha/1_create_t.up.sql", "create table alpha.t (id bigint);");
    let refused = run(&mut walk.profe(), &["migrate", "run"]).err(5);
    assert!(refused.contains("error[edited]") && refused.contains("repair bless alpha/1"), "{refused}");
    assert!(run(&mut walk.profe(), &["migrate", "status"]).ok(0).contains("1 edited"));
    run(&mut walk.profe(), &["migrate", "repair", "bless", "alpha/1"]).err(2);
    run(&mut walk.profe(), &["migrate", "repair", "bless", "alpha/1", "--reason", " "]).err(2);
    run(&mut walk.profe(), &["migrate", "repair", "bless", "alpha/1", "--reason", "widened by hand"]).ok(0);
    run(&mut walk.profe(), &["migrate", "run"]).ok(0);
}

#[test]
fn a_mistake_is_shown_with_a_caret() {
    let walk = Workplace::new();
    let sql = "create table alpha.t (id int);\n\ncreate index on alpha.t (naem);\n";
    walk.project.migration("alpha/1_create_t", sql, "drop table alpha.t;");
    let said = run(&mut walk.profe(), &["migrate", "run"]).err(1);
    insta::assert_snapshot!(said, @r#"
    error[migration_failed]: column "naem" does not exist
      --> migrations/alpha/1_create_t.up.sql:3:1
      |
    3 | create index on alpha.t (naem);
      | ^^^^^^
      SQLSTATE 42703
      left behind: nothing
    help: correct the file and run again; what was applied before it stands
    "#);
    walk.project.write("migrations/alpha/1_create_t.up.sql", "create table alpha.t (\n    id integr\n);\n");
    let said = run(&mut walk.profe(), &["migrate", "run"]).err(1);
    insta::assert_snapshot!(said, @r#"
    error[migration_failed]: type "integr" does not exist
      --> migrations/alpha/1_create_t.up.sql:2:8
      |
    2 |     id integr
      |        ^^^^^^
      SQLSTATE 42704
      left behind: nothing
    help: correct the file and run again; what was applied before it stands
    "#);
    walk.project.write("migrations/alpha/1_create_t.up.sql", "create table alpha.t (id int;\n");
    let said = run(&mut walk.profe(), &["migrate", "run"]).err(1);
    insta::assert_snapshot!(said, @r#"
    error[syntax_error]: syntax error at or near ";"
      --> migrations/alpha/1_create_t.up.sql:1:29
      |
    1 | create table alpha.t (id int;
      |                             ^
    help: correct the file; nothing was run
    "#);
}

#[test]
fn where_new_files_go_is_clear() {
    let walk = Workplace::new();
    let said = run(&mut walk.profe(), &["migrate", "new", "delta", "x"]).err(2);
    assert!(said.contains("\"delta\"") && said.contains("alpha, beta, gamma"), "{said}");
    let said = run(&mut profe(walk.folder.path()), &["migrate", "new", "alpha", "x"]).err(2);
    assert!(said.contains("--project"), "{said}");
    let said = run(&mut walk.profe(), &["migrate", "new", "alpha", "¿?"]).err(2);
    assert!(said.contains("no letter"), "{said}");
}
