//! Folders as the tools' own documents show them.

use std::collections::BTreeMap;

use foreign_migrations::{Fault, FaultKind, Found, Layout, Settings, down_sql, find, up_sql};

type Files<'a> = &'a [(&'a str, &'a str)];

fn settings() -> Settings {
    Settings {
        extensions: vec!["citext".to_owned()],
        placeholders: BTreeMap::from([("who".to_owned(), "teachers".to_owned())]),
        ..Settings::of_schema("public")
    }
}

fn list(layout: Layout, settings: &Settings, files: Files<'_>) -> Result<Vec<Found>, Fault> {
    let paths: Vec<String> = files.iter().map(|(path, _)| (*path).to_owned()).collect();
    let read = |wanted: &str| files.iter().find(|(path, _)| *path == wanted).map(|(_, text)| (*text).to_owned());
    find(layout, settings, &paths, &read)
}

fn names(layout: Layout, files: &[&str]) -> Result<Vec<(i64, String, bool)>, Fault> {
    let files: Vec<(&str, &str)> = files.iter().map(|path| (*path, "select 1;\n")).collect();
    let found = list(layout, &Settings { version_parts: 3, ..settings() }, &files)?;
    Ok(found.into_iter().map(|one| (one.version, one.name, one.down.is_some())).collect())
}

/// Both ways of the only migration of a folder.
fn both(layout: Layout, files: Files<'_>) -> Result<(String, String), Fault> {
    let found = list(layout, &settings(), files)?;
    let [one] = found.as_slice() else { panic!("{found:#?}") };
    let text = |path: &str| files.iter().find(|(name, _)| *name == path).map(|(_, text)| *text);
    let up = up_sql(layout, &settings(), one, text(&one.up).expect("its file"))?;
    let down = down_sql(layout, &settings(), one, one.down.as_deref().and_then(text))?;
    // What is blank stays blank.
    assert_eq!(up.lines().count(), text(&one.up).unwrap_or_default().lines().count(), "lines keep their numbers");
    Ok((up, down))
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, Fault>, kind: FaultKind, part: &str) {
    let fault = result.expect_err("it is refused");
    assert_eq!(fault.kind, kind, "{fault:?}");
    assert!(fault.message.contains(part) && !fault.cure.is_empty(), "{fault:?}");
}

#[test]
fn names_give_versions_intents_and_ways_back() {
    let of = |version: i64, name: &str, back: bool| (version, name.to_owned(), back);
    for (layout, files, wanted) in [
        (
            Layout::GolangMigrate,
            &["000010_b.up.sql", "000002_a.up.sql", "000002_a.down.sql", "README.md", "embed.go"][..],
            vec![of(2, "a", true), of(10, "b", false)],
        ),
        (
            Layout::Sqlx,
            &["20240101000000_a.sql", "20240102000000_b.up.sql", "20240102000000_b.down.sql"],
            vec![of(20_240_101_000_000, "a", false), of(20_240_102_000_000, "b", true)],
        ),
        (Layout::Dbmate, &["20240101000000_a.sql"], vec![of(20_240_101_000_000, "a", true)]),
        (Layout::Goose, &["00001_a.sql", "00010_b.sql", "embed.go"], vec![of(1, "a", true), of(10, "b", true)]),
        (
            Layout::Flyway,
            &["V1__a.sql", "U1__a.sql", "V1.2__b.sql", "more/V1_10_3__c_d.sql", "V1.2__b.sql.conf"],
            vec![of(1_0000_0000, "a", true), of(1_0002_0000, "b", false), of(1_0010_0003, "c_d", false)],
        ),
        (
            Layout::Diesel,
            &[
                "00000000000000_diesel_initial_setup/up.sql",
                "00000000000000_diesel_initial_setup/down.sql",
                ".keep",
                "2024-01-31-120000_a/up.sql",
            ],
            vec![of(0, "diesel_initial_setup", true), of(20_240_131_120_000, "a", false)],
        ),
        (Layout::Refinery, &["V1__a.sql", "U2__b.sql", "mod.rs"], vec![of(1, "a", false), of(2, "b", false)]),
        (
            Layout::Prisma,
            &[
                "0_init/migration.sql",
                "20240131120000_a/migration.sql",
                "20240131120000_a/down.sql",
                "migration_lock.toml",
            ],
            vec![of(0, "init", false), of(20_240_131_120_000, "a", true)],
        ),
        (
            Layout::Numbered,
            &["001_a.sql", "001_a.down.sql", "2-b.up.sql", "2-b.down.sql", "10 c.sql"],
            vec![of(1, "a", true), of(2, "b", true), of(10, "c", false)],
        ),
    ] {
        assert_eq!(names(layout, files), Ok(wanted), "{layout}");
    }
}

#[test]
fn what_the_tool_would_not_run_as_it_stands_is_refused() {
    use FaultKind::{Duplicate, Misnamed, Unpaired, Unsupported};
    for (layout, files, kind, part) in [
        (Layout::GolangMigrate, &["1_a.down.sql"][..], Unpaired, "1_a.down.sql"),
        (Layout::GolangMigrate, &["a.up.sql"], Misnamed, "a.up.sql"),
        (Layout::GolangMigrate, &["1_a.up.sql", "01_b.up.sql"], Duplicate, "both claim"),
        (Layout::Goose, &["1_a.sql", "2_b.go"], Unsupported, "Go"),
        (Layout::Dbmate, &["9_a.sql", "10_b.sql"], Unsupported, "sorts names as texts"),
        (Layout::Flyway, &["V1__a.sql", "R__views.sql"], Unsupported, "repeatable"),
        (Layout::Flyway, &["V1__a.sql", "afterMigrate.sql"], Unsupported, "callback"),
        (Layout::Flyway, &["V1__a.sql", "B5__all.sql"], Unsupported, "up to its version"),
        (Layout::Flyway, &["V1__a.sql", "V2__B.java"], Unsupported, "Java"),
        (Layout::Flyway, &["V1.2.3.4__a.sql"], Unsupported, "4 parts"),
        (Layout::Flyway, &["V1.0__a.sql", "V1__b.sql"], Duplicate, "both claim"),
        (Layout::Flyway, &["V1.20000__a.sql"], Unsupported, "more than 4 digits"),
        (Layout::Refinery, &["V1__a.rs"], Unsupported, "Rust"),
        (Layout::Diesel, &["one_a/up.sql"], Misnamed, "one_a/"),
        (Layout::Prisma, &["1_a/down.sql"], Unpaired, "1_a/migration.sql"),
        (Layout::Numbered, &["a.sql"], Misnamed, "a.sql"),
    ] {
        refused(names(layout, files), kind, part);
    }
    let lock = [("1_a/migration.sql", ""), ("migration_lock.toml", "provider = \"mysql\"\n")];
    refused(list(Layout::Prisma, &settings(), &lock), Unsupported, "mysql");
}

#[test]
fn both_ways_in_one_file_are_taken_apart_line_by_line() {
    let dbmate =
        "-- migrate:up transaction:false\ncreate index concurrently i on t (x);\n\n-- migrate:down\ndrop index i;\n";
    let (up, down) = both(Layout::Dbmate, &[("1_a.sql", dbmate)]).unwrap();
    assert_eq!(up, "-- transaction: none\ncreate index concurrently i on t (x);\n\n\n\n");
    assert_eq!(down, "\n\n\n\ndrop index i;\n");

    let goose = "-- +goose NO TRANSACTION\n-- +goose Up\n-- +goose StatementBegin\ncreate function f() returns int as $$ begin; return 1; end $$ language plpgsql;\n-- +goose StatementEnd\n-- +goose Down\ndrop function f;\n";
    let (up, down) = both(Layout::Goose, &[("1_a.sql", goose)]).unwrap();
    assert!(up.starts_with("-- transaction: none\n") && up.contains("create function") && !up.contains("drop"), "{up}");
    assert!(down.starts_with("-- transaction: none\n") && down.ends_with("\ndrop function f;\n"), "{down}");
    assert_eq!(down.lines().count(), 7);

    let alone = both(Layout::Goose, &[("1_a.sql", "-- +goose Up\ncreate table t (id int);\n")]).unwrap();
    assert!(alone.1.starts_with("-- irreversible: 1_a.sql holds no statement"), "{}", alone.1);
}

#[test]
fn marks_that_cannot_be_read_are_told_with_their_line() {
    use FaultKind::Malformed;
    for (layout, text, part) in [
        (Layout::Dbmate, "create table t ();\n", "1_a.sql:1: it stands before the mark"),
        (Layout::Dbmate, "-- only a comment\n", "has no line -- migrate:up"),
        (Layout::Goose, "-- +goose Up\n-- +goose Sideways\n", "1_a.sql:2: goose has no mark"),
        (Layout::Goose, "-- +goose ENVSUB ON\n-- +goose Up\n", "1_a.sql:1: goose puts values"),
    ] {
        refused(both(layout, &[("1_a.sql", text)]), Malformed, part);
    }
}

#[test]
fn what_is_the_tool_s_own_is_made_blank() {
    let sqitch = "-- Deploy flipr:a to pg\n-- requires: appschema\n\n\\set ON_ERROR_STOP on\nBEGIN;\n\nCREATE TABLE t (id int);\n\nCOMMIT;\n";
    let plan = "%syntax-version=1.0.0\n%project=flipr\n\na 2024-01-31T12:00:00Z Ana <ana@example.org> # first\n";
    let files = [("sqitch.plan", plan), ("deploy/a.sql", sqitch), ("revert/a.sql", "BEGIN;\nDROP TABLE t;\nCOMMIT;\n")];
    let (up, down) = both(Layout::Sqitch, &files).unwrap();
    assert_eq!(
        up.trim_end(),
        "-- Deploy flipr:a to pg\n                      \n\n                     \n      \n\nCREATE TABLE t (id int);"
    );
    assert_eq!(down, "      \nDROP TABLE t;\n       \n");

    let standing = "create schema public;\ncreate extension if not exists citext;\ncreate table t (e citext);\n";
    let (up, _) = both(Layout::Numbered, &[("1_a.sql", standing)]).unwrap();
    assert_eq!(up.trim(), "create table t (e citext);");
    let (_, down) =
        both(Layout::Numbered, &[("1_a.sql", standing), ("1_a.down.sql", "drop table t;\ndrop extension citext;\n")])
            .unwrap();
    assert_eq!(down.trim(), "drop table t;");
    let dumped = "\\restrict x\nALTER TABLE public.t OWNER TO postgres;\nALTER FUNCTION f() OWNER TO postgres;\n\
        COMMENT ON EXTENSION citext IS 'text';\nALTER TABLE ONLY t ADD UNIQUE (e);\n\\unrestrict x\n";
    let (up, _) = both(Layout::Numbered, &[("1_a.sql", dumped)]).unwrap();
    assert_eq!(up.trim(), "ALTER TABLE ONLY t ADD UNIQUE (e);");
    // Halves of a transaction are nobody's to guess at.
    let (up, _) =
        both(Layout::Numbered, &[("1_a.sql", "begin; select 1; commit; begin; select 2; commit;\n")]).unwrap();
    assert!(up.starts_with("begin;"), "{up}");
    refused(both(Layout::Sqlx, &[("1_a.sql", "create extension hstore;")]), FaultKind::Unsupported, "hstore");
}

#[test]
fn what_runs_outside_of_a_transaction_says_so() {
    let sqlx = both(Layout::Sqlx, &[("1_a.sql", "-- no-transaction\nvacuum;\n")]).unwrap();
    assert_eq!(sqlx.0, "-- transaction: none\nvacuum;\n");
    let refinery = both(Layout::Refinery, &[("V1__a.sql", "-- refinery:noTransaction\nvacuum;\n")]).unwrap();
    assert_eq!(refinery.0, "-- transaction: none\nvacuum;\n");
    let diesel = both(
        Layout::Diesel,
        &[("1_a/up.sql", "vacuum;\n"), ("1_a/metadata.toml", "# why\nrun_in_transaction = false\n")],
    );
    assert_eq!(diesel.unwrap().0, "/* transaction: none */ vacuum;\n");
    let flyway = [("V1__a.sql", "\nvacuum;\n"), ("V1__a.sql.conf", "executeInTransaction=false\n")];
    assert_eq!(both(Layout::Flyway, &flyway).unwrap().0, "-- transaction: none\nvacuum;\n");
}

#[test]
fn placeholders_have_values_or_are_told() {
    let text = "create table ${flyway:defaultSchema}.${who} ();\n";
    assert_eq!(both(Layout::Flyway, &[("V1__a.sql", text)]).unwrap().0, "create table public.teachers ();\n");
    let unknown = both(Layout::Flyway, &[("V1__a.sql", "\nselect '${other}';\n")]);
    refused(unknown, FaultKind::Unsupported, "V1__a.sql:2: the placeholder ${other}");
}

#[test]
fn psql_s_variables_are_whole_names_outside_of_quotes() {
    let plan = "%syntax-version=1.0.0\n%project=p\n\na 2024-01-31T12:00:00Z A <a@example.org> # a\n";
    let values = [("who", "teachers"), ("who_else", "it's"), ("text", "no type")];
    let settings =
        Settings { placeholders: values.map(|(name, value)| (name.to_owned(), value.to_owned())).into(), ..settings() };
    let filled = |sql: &str| {
        let files = [("sqitch.plan", plan), ("deploy/a.sql", sql)];
        let found = list(Layout::Sqitch, &settings, &files).unwrap();
        up_sql(Layout::Sqitch, &settings, &found[0], sql).unwrap()
    };
    for (sql, wanted) in [
        ("select 1 from :who;", "select 1 from teachers;"),
        ("select :'who_else', :\"who_else\";", "select 'it''s', \"it's\";"),
        ("select :who_else from ñ.:who;", "select it's from ñ.teachers;"),
        ("select :whoever;", "select :whoever;"),
        ("select 'x'::text, a[1:2];", "select 'x'::text, a[1:2];"),
        ("select ':who', $$:who$$, \":who\"; -- :who\n", "select ':who', $$:who$$, \":who\"; -- :who\n"),
    ] {
        assert_eq!(filled(sql), wanted);
    }
}

#[test]
fn comments_that_were_written_for_people_are_no_directives() {
    for comment in ["-- part: 2 of 3", "-- contract-of: the old column", "-- contract: none", "-- depends: on luck"] {
        let (up, _) = both(Layout::Sqlx, &[("1_a.sql", &format!("{comment}\nselect 1;\n"))]).unwrap();
        assert_eq!(up.trim(), "select 1;", "{comment}");
    }
    let (up, _) = both(Layout::Sqlx, &[("1_a.sql", "select 1;\n-- part: b\nselect '\n-- part: c';\n")]).unwrap();
    assert_eq!(up, "select 1;\n          \nselect '\n-- part: c';\n");
    for ours in ["-- part: expand\nselect 1;\n-- part: bakcfill\n", "-- contract-of: public/1\nselect 1;\n"] {
        assert_eq!(both(Layout::Sqlx, &[("1_a.sql", ours)]).unwrap().0, ours);
    }
}

#[test]
fn what_only_takes_back_what_the_engine_keeps_is_a_way_back() {
    let back = |down: &str| both(Layout::Numbered, &[("1_a.sql", "create schema public;"), ("1_a.down.sql", down)]);
    for down in ["drop schema public;", "\\set ON_ERROR_STOP on\nbegin;\ndrop extension citext;\ncommit;\n"] {
        assert_eq!(back(down).unwrap().1.trim(), "", "{down}");
    }
    for none in ["", "begin;\n-- nothing\ncommit;\n"] {
        assert!(back(none).unwrap().1.starts_with("-- irreversible:"), "{none}");
    }
}

#[test]
fn a_plan_orders_changes_and_their_later_forms() {
    let plan = "%syntax-version=1.0.0\n%project=flipr\n%uri=https://example.org/\n\n\
        users 2024-01-01T00:00:00Z A <a@example.org> # users\n@v1 2024-01-02T00:00:00Z A <a@example.org> # first\n\n\
        lists [users] 2024-01-03T00:00:00Z A <a@example.org>\nusers [users@v1 lists] 2024-01-04T00:00:00Z A <a@example.org> # anew\n";
    let scripts = [
        "deploy/users@v1.sql",
        "revert/users@v1.sql",
        "deploy/lists.sql",
        "deploy/users.sql",
        "revert/users.sql",
        "verify/users.sql",
    ];
    let mut files: Vec<(&str, &str)> = scripts.iter().map(|path| (*path, "select 1;")).collect();
    files.push(("sqitch.plan", plan));
    let found = list(Layout::Sqitch, &settings(), &files).unwrap();
    let told: Vec<_> = found.iter().map(|one| (one.version, one.up.as_str(), one.down.is_some())).collect();
    assert_eq!(told, [(1, "deploy/users@v1.sql", true), (2, "deploy/lists.sql", false), (3, "deploy/users.sql", true)]);

    for (line, kind, part) in [
        ("lists [nothing] 2024-01-03T00:00:00Z A <a@example.org>", FaultKind::Malformed, "requires nothing"),
        ("lists [!users] 2024-01-03T00:00:00Z A <a@example.org>", FaultKind::Malformed, "conflicts with users"),
        ("lists [other:users] 2024-01-03T00:00:00Z A <a@example.org>", FaultKind::Unsupported, "another project"),
        ("gone 2024-01-03T00:00:00Z A <a@example.org>", FaultKind::Unpaired, "deploy/gone.sql"),
        ("lists", FaultKind::Malformed, "sqitch.plan:2: it has no time"),
    ] {
        let plan = format!("users 2024-01-01T00:00:00Z A <a@example.org>\n{line}\n");
        let mut files: Vec<(&str, &str)> = scripts.iter().map(|path| (*path, "select 1;")).collect();
        files.push(("sqitch.plan", &plan));
        refused(list(Layout::Sqitch, &settings(), &files), kind, part);
    }
    refused(list(Layout::Sqitch, &settings(), &[("deploy/a.sql", "")]), FaultKind::Malformed, "no sqitch.plan");
}
