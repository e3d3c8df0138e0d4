//! Who owned the objects, who owns them now, and what is on record.

use super::{FIRST, Legacy};
use crate::support::run;

fn owned_by_application() -> (Legacy, String) {
    let legacy = Legacy::new("goose");
    let (user, _) = legacy.work.plain_user();
    legacy
        .file("1_create_plan.sql", &format!("-- +goose Up\ncreate extension if not exists citext;\n{FIRST}create function weeks() returns int language sql as 'select 38';\n"))
        .sql(&format!(
            "create extension citext; grant create on schema public to {user}; set role {user};\n{FIRST}\
             create function weeks() returns int language sql as 'select 38';
             create table goose_db_version (id serial primary key, version_id bigint not null, is_applied boolean not null,
                 tstamp timestamp default now());
             insert into goose_db_version (version_id, is_applied) values (0, true), (1, true); reset role;
             revoke create on schema public from {user}"
        ));
    (legacy, user)
}

#[test]
fn whoever_used_the_objects_goes_on_using_them() {
    let (legacy, user) = owned_by_application();
    let said = legacy.adopt(&[]).err(5);
    assert!(said.contains(&format!("{user} owns")) && said.contains(&format!("role = \"{user}\"")), "{said}");
    legacy.is_untouched();

    let catalogue = legacy.work.project.read("config/services.toml");
    let role = catalogue.lines().find(|line| line.starts_with("role = ")).expect("a role").to_owned();
    legacy.catalogue(&role, &format!("role = \"{user}\""));
    let adopted = legacy.adopt(&[]).ok(0);
    assert!(adopted.contains("ALTER TABLE \"public\".\"plan\" OWNER TO"), "{adopted}");
    assert!(adopted.contains("extensions = [\"citext\"]"), "{adopted}");
    let owner = "select relowner::regrole::text ~ '^plans_owner_' from pg_class where relname = ";
    assert_eq!(legacy.value(&format!("{owner} 'plan'")), "t");
    // The tool's own table is nobody else's.
    assert_eq!(legacy.value(&format!("{owner} 'goose_db_version'")), "f");
    let works = format!("set role {user}; insert into plan (title) values ('algebra') returning weeks()");
    assert_eq!(legacy.value(&works), "38");
    legacy.profe(&["db", "diff"]).ok(0);

    let history = legacy.profe(&["audit", "list", "--output", "json"]).ok(0);
    assert!(history.contains("\"ADOPT\"") && history.contains("adopted from goose"), "{history}");
    let entries = "select string_agg(event || ' ' || command, ', ' order by id) from migration_service.audit_entry
                    where event <> 'installation'";
    assert_eq!(legacy.value(entries), "run RUN, adoption ADOPT, migration MIGRATE");
    legacy.profe(&["audit", "verify"]).ok(0);
    legacy.work.drop_user(&user);
}

#[test]
fn where_only_migrations_own_they_go_on_owning() {
    let (legacy, user) = owned_by_application();
    let catalogue = legacy.work.project.read("config/services.toml");
    let owner = catalogue.lines().find(|line| line.starts_with("owner = ")).expect("an owner").to_owned();
    legacy.catalogue(&owner, &format!("owner = \"{user}\""));
    let adopted = legacy.adopt(&[]).ok(0);
    assert!(!adopted.contains("OWNER TO"), "{adopted}");
    legacy.profe(&["db", "diff"]).ok(0);
    legacy.profe(&["migrate", "status", "--exit-code"]).ok(0);
    legacy.work.drop_user(&user);
}

#[test]
fn a_user_who_is_no_superuser_adopts_what_is_theirs() {
    let legacy = Legacy::new("golang-migrate");
    let (user, url) = legacy.work.plain_user();
    let database = legacy.work.database.name().to_owned();
    legacy.file("1_create_plan.up.sql", FIRST).sql(&format!(
        "alter role {user} createrole createdb; alter database {database} owner to {user};
         set role {user};\n{FIRST}\
         create table schema_migrations (version bigint not null primary key, dirty boolean not null);
         insert into schema_migrations values (1, false)"
    ));
    let adopt =
        ["migrate", "adopt", "--from", "golang-migrate", "--path", "legacy/migrations", "--service", "plans-service"];
    let adopted = run(&mut legacy.work.profe_at(&url), &adopt).ok(0);
    assert!(adopted.contains("Adopted 1 migration"), "{adopted}");
    run(&mut legacy.work.profe_at(&url), &["db", "diff"]).ok(0);
    // They own no more, and go on: as a member of the role that does.
    assert_eq!(
        legacy.value(&format!("set role {user}; insert into plan (title) values ('algebra') returning id")),
        "1"
    );
    legacy.sql(&format!("alter database {database} owner to current_user"));
    legacy.work.drop_user(&user);
}
