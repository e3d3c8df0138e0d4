//! The set: what stands before, and one migration each with its verdict.

pub struct Fixture {
    pub name: &'static str,
    /// `<schema>/<version>_<intent>`
    pub at: &'static str,
    pub up: &'static str,
    pub down: &'static str,
    /// Errors as `gate/code`, or `ok`.
    pub verdict: &'static str,
    /// What one of the findings says.
    pub says: &'static str,
}

/// What is applied before: two services' schemas that hang together.
pub const BASE: &[(&str, &str, &str)] = &[
    (
        "alpha/1_base",
        "CREATE TYPE alpha.status AS ENUM ('draft', 'sent');
         CREATE DOMAIN alpha.short AS text CHECK (length(value) < 100);
         CREATE TABLE alpha.t (
           id int PRIMARY KEY, title varchar(255) NOT NULL DEFAULT 'none', body text, state alpha.status,
           amount numeric(8, 2) CHECK (amount > 0), at timestamptz DEFAULT now());
         COMMENT ON TABLE alpha.t IS 'Things';
         COMMENT ON COLUMN alpha.t.title IS 'What it is called';
         CREATE INDEX t_title_idx ON alpha.t (title);
         CREATE TABLE alpha.child (id int PRIMARY KEY, t int REFERENCES alpha.t ON DELETE CASCADE);
         CREATE VIEW alpha.titles AS SELECT id, title FROM alpha.t;
         CREATE FUNCTION alpha.twice(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n * 2';
         CREATE FUNCTION alpha.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.at = now(); RETURN NEW; END $$;
         CREATE TRIGGER touch BEFORE UPDATE ON alpha.t FOR EACH ROW EXECUTE FUNCTION alpha.touch();
         CREATE SEQUENCE alpha.numbers INCREMENT 5;
         ALTER TABLE alpha.t ENABLE ROW LEVEL SECURITY;
         CREATE POLICY mine ON alpha.t FOR SELECT USING (id > 0);
         GRANT SELECT ON alpha.t TO pg_monitor;
         CREATE TABLE alpha.empty (id int, note text);",
        "DROP TABLE alpha.empty; DROP SEQUENCE alpha.numbers; DROP VIEW alpha.titles; DROP TABLE alpha.child; DROP TABLE alpha.t;
         DROP FUNCTION alpha.touch(); DROP FUNCTION alpha.twice(int); DROP DOMAIN alpha.short; DROP TYPE alpha.status;",
    ),
    (
        "beta/2_base",
        "CREATE TABLE beta.u (id int PRIMARY KEY, t int REFERENCES alpha.t (id), note text);",
        "DROP TABLE beta.u;",
    ),
];

/// Rows, so that what is forecast and linted is about tables in use.
pub const ROWS: &str = "INSERT INTO alpha.t (id, title, amount) SELECT n, 'a title', 1 FROM generate_series(1, 500) n;
    INSERT INTO alpha.child SELECT n, n FROM generate_series(1, 500) n;
    INSERT INTO beta.u SELECT n, n, 'x' FROM generate_series(1, 500) n; ANALYZE";

macro_rules! fixtures {
    ($($name:literal, $at:literal, $up:literal, $down:literal => $verdict:literal $(, $says:literal)?;)+) => {
        pub const FIXTURES: &[Fixture] = &[$(Fixture {
            name: $name,
            at: $at,
            up: $up,
            down: $down,
            verdict: $verdict,
            says: concat!($($says)?),
        }),+];
    };
}

fixtures! {
    // Good ones.
    "a table", "alpha/3_x", "CREATE TABLE alpha.n (id int PRIMARY KEY, name text NOT NULL);", "DROP TABLE alpha.n;" => "ok";
    "a column", "alpha/3_x", "ALTER TABLE alpha.t ADD COLUMN extra text;", "ALTER TABLE alpha.t DROP COLUMN extra;" => "ok";
    "a column with a constant default", "alpha/3_x", "ALTER TABLE alpha.t ADD COLUMN extra int NOT NULL DEFAULT 0;", "ALTER TABLE alpha.t DROP COLUMN extra;" => "ok";
    "an index", "alpha/3_x", "CREATE INDEX t_body_idx ON alpha.empty (note);", "DROP INDEX alpha.t_body_idx;" => "ok";
    "an index built concurrently", "alpha/3_x", "CREATE INDEX CONCURRENTLY t_body_idx ON alpha.t (body);", "DROP INDEX CONCURRENTLY alpha.t_body_idx;" => "ok";
    "a view", "alpha/3_x", "CREATE VIEW alpha.v AS SELECT id FROM alpha.t;", "DROP VIEW alpha.v;" => "ok";
    "a function replaced and put back", "alpha/3_x", "CREATE OR REPLACE FUNCTION alpha.twice(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n + n';", "CREATE OR REPLACE FUNCTION alpha.twice(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n * 2';" => "ok";
    "a check added and dropped", "alpha/3_x", "ALTER TABLE alpha.empty ADD CONSTRAINT positive CHECK (id > 0);", "ALTER TABLE alpha.empty DROP CONSTRAINT positive;" => "ok";
    "a default changed and put back", "alpha/3_x", "ALTER TABLE alpha.t ALTER title SET DEFAULT 'some';", "ALTER TABLE alpha.t ALTER title SET DEFAULT 'none';" => "ok";
    "a comment changed and put back", "alpha/3_x", "COMMENT ON TABLE alpha.t IS 'All things';", "COMMENT ON TABLE alpha.t IS 'Things';" => "ok";
    "a grant", "alpha/3_x", "GRANT UPDATE (title) ON alpha.t TO pg_monitor;", "REVOKE UPDATE (title) ON alpha.t FROM pg_monitor;" => "ok";
    "a policy", "alpha/3_x", "CREATE POLICY theirs ON alpha.t FOR UPDATE USING (id > 5);", "DROP POLICY theirs ON alpha.t;" => "ok";
    "a trigger", "alpha/3_x", "CREATE TRIGGER again BEFORE INSERT ON alpha.t FOR EACH ROW EXECUTE FUNCTION alpha.touch();", "DROP TRIGGER again ON alpha.t;" => "ok";
    "an enum", "alpha/3_x", "CREATE TYPE alpha.kind AS ENUM ('a', 'b');", "DROP TYPE alpha.kind;" => "ok";
    "a domain", "alpha/3_x", "CREATE DOMAIN alpha.long AS text CHECK (length(value) > 3);", "DROP DOMAIN alpha.long;" => "ok";
    "a sequence changed and put back", "alpha/3_x", "ALTER SEQUENCE alpha.numbers INCREMENT 7;", "ALTER SEQUENCE alpha.numbers INCREMENT 5;" => "ok";
    "a materialized view", "alpha/3_x", "CREATE MATERIALIZED VIEW alpha.m AS SELECT count(*) FROM alpha.t;", "DROP MATERIALIZED VIEW alpha.m;" => "ok";
    "a foreign key that is permitted", "beta/3_x", "CREATE TABLE beta.n (t int REFERENCES alpha.t);", "DROP TABLE beta.n;" => "ok";
    "rows", "alpha/3_x", "INSERT INTO alpha.empty VALUES (1, 'x');", "DELETE FROM alpha.empty WHERE id = 1;" => "ok";
    "irreversible, with its reason", "alpha/3_x", "DELETE FROM alpha.empty;", "-- irreversible: the rows are gone" => "ok";
    "a partitioned table", "alpha/3_x", "CREATE TABLE alpha.p (a int) PARTITION BY RANGE (a); CREATE TABLE alpha.p1 PARTITION OF alpha.p FOR VALUES FROM (1) TO (9);", "DROP TABLE alpha.p;" => "ok";
    "code in a body", "alpha/3_x", "DO $$ BEGIN CREATE TABLE alpha.n (a int); END $$;", "DROP TABLE alpha.n;" => "ok";
    "a label for an enum, irreversible", "alpha/3_x", "ALTER TYPE alpha.status ADD VALUE 'seen';", "-- irreversible: labels cannot be taken away" => "ok";

    // Down forgets something.
    "down forgets an index", "alpha/3_x", "CREATE TABLE alpha.n (a int); CREATE INDEX body_idx ON alpha.empty (note);", "DROP TABLE alpha.n;" => "rehearsed/down-does-not-restore rehearsed/up-again-fails", "index alpha.body_idx";
    "down forgets a table", "alpha/3_x", "CREATE TABLE alpha.n (a int); CREATE TABLE alpha.o (a int);", "DROP TABLE alpha.n;" => "rehearsed/down-does-not-restore rehearsed/up-again-fails", "table alpha.o";
    "down forgets, and up says if not exists", "alpha/3_x", "CREATE TABLE IF NOT EXISTS alpha.n (a int);", "SELECT 1;" => "rehearsed/down-does-not-restore", "table alpha.n";
    "down forgets a column", "alpha/3_x", "ALTER TABLE alpha.empty ADD COLUMN a int, ADD COLUMN b int;", "ALTER TABLE alpha.empty DROP COLUMN a;" => "rehearsed/down-does-not-restore rehearsed/up-again-fails", "alpha.empty.b";
    "down forgets a function", "alpha/3_x", "CREATE OR REPLACE FUNCTION alpha.f() RETURNS int LANGUAGE sql AS 'SELECT 1';", "SELECT 1;" => "rehearsed/down-does-not-restore", "function alpha.f()";
    "down forgets a type", "alpha/3_x", "CREATE TYPE alpha.kind AS ENUM ('a'); CREATE TABLE alpha.n (k alpha.kind);", "DROP TABLE alpha.n;" => "rehearsed/down-does-not-restore rehearsed/up-again-fails", "enum alpha.kind";
    "down forgets a sequence", "alpha/3_x", "CREATE SEQUENCE IF NOT EXISTS alpha.s;", "SELECT 1;" => "rehearsed/down-does-not-restore", "sequence alpha.s";
    "down forgets a trigger", "alpha/3_x", "CREATE OR REPLACE TRIGGER again BEFORE INSERT ON alpha.t FOR EACH ROW EXECUTE FUNCTION alpha.touch();", "SELECT 1;" => "rehearsed/down-does-not-restore", "trigger alpha.t.again";
    "down forgets a policy", "alpha/3_x", "CREATE POLICY theirs ON alpha.t USING (true);", "SELECT 1;" => "rehearsed/down-does-not-restore rehearsed/up-again-fails", "policy alpha.t.theirs";
    "an enum label is left behind", "alpha/3_x", "ALTER TYPE alpha.status ADD VALUE IF NOT EXISTS 'seen';", "SELECT 1;" => "rehearsed/down-does-not-restore", "'seen'";
    "a grant is left behind", "alpha/3_x", "GRANT INSERT ON alpha.t TO pg_monitor;", "SELECT 1;" => "rehearsed/down-does-not-restore", "grant on alpha.t";
    "row level security is left on", "alpha/3_x", "ALTER TABLE alpha.empty ENABLE ROW LEVEL SECURITY;", "SELECT 1;" => "rehearsed/down-does-not-restore", "alpha.empty";
    "a comment is left behind", "alpha/3_x", "COMMENT ON COLUMN alpha.t.body IS 'new';", "SELECT 1;" => "rehearsed/down-does-not-restore", "alpha.t.body";

    // Down puts back something else.
    "the default is lost", "alpha/3_x", "ALTER TABLE alpha.empty ADD COLUMN n int; ALTER TABLE alpha.t ALTER title DROP DEFAULT;", "ALTER TABLE alpha.empty DROP COLUMN n;" => "hazards/ban-drop-default rehearsed/down-does-not-restore", "alpha.t.title";
    "not null is lost", "alpha/3_x", "ALTER TABLE alpha.t ALTER title DROP NOT NULL;", "SELECT 1;" => "hazards/ban-drop-not-null rehearsed/down-does-not-restore", "alpha.t.title: varchar(255) not null default";
    "the type comes back narrower", "alpha/3_x", "ALTER TABLE alpha.empty ALTER note TYPE varchar(50);", "ALTER TABLE alpha.empty ALTER note TYPE varchar(100);" => "rehearsed/down-does-not-restore", "varchar(100)";
    "the column comes back at the end", "alpha/3_x", "ALTER TABLE alpha.empty DROP COLUMN id;", "ALTER TABLE alpha.empty ADD COLUMN id int;" => "rehearsed/down-does-not-restore", "column order";
    "the column comes back without its comment", "alpha/3_x", "ALTER TABLE alpha.t DROP COLUMN at; ", "ALTER TABLE alpha.t ADD COLUMN at timestamptz;" => "hazards/ban-drop-column rehearsed/down-does-not-restore", "alpha.t.at";
    "the table comes back without its grant", "alpha/3_x", "REVOKE SELECT ON alpha.t FROM pg_monitor;", "SELECT 1;" => "rehearsed/down-does-not-restore", "grant on alpha.t";
    "the view comes back with another column", "alpha/3_x", "DROP VIEW alpha.titles;", "CREATE VIEW alpha.titles AS SELECT id FROM alpha.t;" => "rehearsed/down-does-not-restore", "view alpha.titles";
    "the function comes back otherwise", "alpha/3_x", "DROP FUNCTION alpha.twice(int);", "CREATE FUNCTION alpha.twice(n int) RETURNS int LANGUAGE sql AS 'SELECT n * 2';" => "rehearsed/down-does-not-restore", "alpha.twice";
    "the constraint comes back not valid", "alpha/3_x", "ALTER TABLE alpha.child DROP CONSTRAINT child_t_fkey;", "ALTER TABLE alpha.child ADD CONSTRAINT child_t_fkey FOREIGN KEY (t) REFERENCES alpha.t ON DELETE CASCADE NOT VALID;" => "rehearsed/down-does-not-restore", "NOT VALID";
    "the foreign key comes back without its action", "alpha/3_x", "ALTER TABLE alpha.child DROP CONSTRAINT child_t_fkey;", "ALTER TABLE alpha.child ADD CONSTRAINT child_t_fkey FOREIGN KEY (t) REFERENCES alpha.t NOT VALID; ALTER TABLE alpha.child VALIDATE CONSTRAINT child_t_fkey;" => "rehearsed/down-does-not-restore", "child_t_fkey";
    "the index comes back on another column", "alpha/3_x", "DROP INDEX alpha.t_title_idx;", "CREATE INDEX t_title_idx ON alpha.t (body);" => "rehearsed/down-does-not-restore", "t_title_idx";
    "the trigger comes back for other events", "alpha/3_x", "DROP TRIGGER touch ON alpha.t;", "CREATE TRIGGER touch BEFORE INSERT ON alpha.t FOR EACH ROW EXECUTE FUNCTION alpha.touch();" => "rehearsed/down-does-not-restore", "touch";
    "the policy comes back wide open", "alpha/3_x", "DROP POLICY mine ON alpha.t;", "CREATE POLICY mine ON alpha.t FOR SELECT USING (true);" => "rehearsed/down-does-not-restore", "policy alpha.t.mine";
    "the trigger comes back switched off", "alpha/3_x", "ALTER TABLE alpha.t DISABLE TRIGGER touch;", "SELECT 1;" => "rehearsed/down-does-not-restore", "touch";
    "the sequence comes back with another step", "alpha/3_x", "DROP SEQUENCE alpha.numbers;", "CREATE SEQUENCE alpha.numbers;" => "rehearsed/down-does-not-restore", "sequence alpha.numbers";
    "the domain comes back without its check", "alpha/3_x", "DROP DOMAIN alpha.short;", "CREATE DOMAIN alpha.short AS text;" => "rehearsed/down-does-not-restore", "alpha.short";
    "the name of a constraint is another", "alpha/3_x", "ALTER TABLE alpha.t DROP CONSTRAINT t_amount_check;", "ALTER TABLE alpha.t ADD CONSTRAINT amount_positive CHECK (amount > 0) NOT VALID; ALTER TABLE alpha.t VALIDATE CONSTRAINT amount_positive;" => "rehearsed/down-does-not-restore rehearsed/up-again-fails", "t_amount_check";

    // Down fails.
    "down drops what others need", "alpha/3_x", "CREATE TABLE alpha.n (id int PRIMARY KEY); CREATE TABLE alpha.o (n int REFERENCES alpha.n);", "DROP TABLE alpha.n; DROP TABLE alpha.o;" => "rehearsed/down-fails", "its way back fails";
    "down drops what is not there", "alpha/3_x", "CREATE TABLE alpha.n (a int);", "DROP TABLE alpha.m;" => "rehearsed/down-fails", "does not exist";
    "down cannot narrow the type", "alpha/3_x", "ALTER TABLE alpha.empty ALTER id TYPE text USING id::text;", "ALTER TABLE alpha.empty ALTER id TYPE int;" => "rehearsed/down-fails", "cannot be cast automatically";

    // Up fails, or is not the same twice.
    "up fails at run time", "alpha/3_x", "CREATE TABLE alpha.n (a int);\nDO $$ BEGIN RAISE EXCEPTION 'no'; END $$;", "DROP TABLE alpha.n;" => "rehearsed/up-fails", "it fails";
    "an extension that the server lacks", "alpha/3_x", "CREATE EXTENSION no_such_extension;", "DROP EXTENSION no_such_extension;" => "rehearsed/up-fails", "no_such_extension";
    "a name of the moment", "alpha/3_x", "DO $$ BEGIN EXECUTE format('CREATE TABLE alpha.%I ()', 'at_' || replace(extract(epoch from clock_timestamp())::text, '.', '_')); END $$;", "DO $$ BEGIN EXECUTE (SELECT format('DROP TABLE alpha.%I', relname) FROM pg_class WHERE relname LIKE 'at\\_%'); END $$;" => "rehearsed/not-repeatable", "the second time it makes another schema";
    "a default of the moment", "alpha/3_x", "DO $$ BEGIN EXECUTE format('ALTER TABLE alpha.empty ADD COLUMN since text DEFAULT %L', clock_timestamp()); END $$;", "ALTER TABLE alpha.empty DROP COLUMN since;" => "rehearsed/not-repeatable", "alpha.empty.since";

    // Leaves home.
    "a table in another's schema", "beta/3_x", "CREATE TABLE alpha.n (a int);", "DROP TABLE alpha.n;" => "rehearsed/up-fails stays-home/creates-elsewhere stays-home/drops-elsewhere", "belongs to alpha-service";
    "a column in another's table", "beta/3_x", "ALTER TABLE alpha.t ADD COLUMN b int;", "ALTER TABLE alpha.t DROP COLUMN b;" => "rehearsed/up-fails stays-home/changes-elsewhere", "it changes alpha.t";
    "reads what is not permitted", "alpha/3_x", "CREATE VIEW alpha.v AS SELECT id FROM beta.u;", "DROP VIEW alpha.v;" => "rehearsed/up-fails stays-home/reads-elsewhere", "beta.u";

    // Breaks a neighbour.
    "drops what another's key points at", "alpha/3_x", "ALTER TABLE alpha.t DROP CONSTRAINT t_pkey CASCADE;", "ALTER TABLE alpha.t ADD PRIMARY KEY (id);" => "rehearsed/down-does-not-restore stays-home/changed-elsewhere", "u_t_fkey";
    "drops the table another's key points at", "alpha/3_x", "DROP TABLE alpha.child; DROP VIEW alpha.titles; DROP TABLE alpha.t CASCADE;", "-- irreversible: gone" => "breaks-no-neighbour/breaks-neighbour hazards/ban-drop-table stays-home/changed-elsewhere", "beta-service depends on alpha.t";
    "renames the column another's key points at", "alpha/3_x", "ALTER TABLE alpha.t RENAME COLUMN id TO number;", "ALTER TABLE alpha.t RENAME COLUMN number TO id;" => "breaks-no-neighbour/breaks-neighbour hazards/renaming-column stays-home/changed-elsewhere", "depends on alpha.t.id";

    // Does not parse.
    "does not parse", "alpha/3_x", "CREATE TABEL alpha.n ();", "DROP TABLE alpha.n;" => "parses/syntax-error", "TABEL";
    "the way back does not parse", "alpha/3_x", "CREATE TABLE alpha.n ();", "DROP TABEL alpha.n;" => "parses/syntax-error", "TABEL";
    "uses what nothing creates", "alpha/3_x", "CREATE VIEW alpha.v AS SELECT * FROM alpha.nothing;", "DROP VIEW alpha.v;" => "parses/unresolved-reference", "alpha.nothing";
    "says COMMIT", "alpha/3_x", "CREATE TABLE alpha.n (); COMMIT;", "DROP TABLE alpha.n;" => "parses/forbidden-statement", "may not stand";

    // Hazards that a text can tell, and their acceptance.
    "drops a column in use", "alpha/3_x", "ALTER TABLE alpha.t DROP COLUMN body;", "-- irreversible: the texts are gone" => "hazards/ban-drop-column", "alpha.t has about 500 rows";
    "drops a column in use, accepted", "alpha/3_x", "-- accept: ban-drop-column: nobody reads it since spring\nALTER TABLE alpha.t DROP COLUMN body;", "-- irreversible: the texts are gone" => "ok", "Dropping a column";
    "drops a column that nobody uses", "alpha/3_x", "ALTER TABLE alpha.empty DROP COLUMN note;", "ALTER TABLE alpha.empty ADD COLUMN note text;" => "ok";
    "renames a table in use", "alpha/3_x", "ALTER TABLE alpha.child RENAME TO children;", "ALTER TABLE alpha.children RENAME TO child;" => "hazards/renaming-table", "alpha.child has about 500 rows";

    // Statements of every sort, for what they lock.
    "locks of a foreign key", "alpha/3_x", "ALTER TABLE alpha.empty ADD CONSTRAINT to_t FOREIGN KEY (id) REFERENCES alpha.t;", "ALTER TABLE alpha.empty DROP CONSTRAINT to_t;" => "ok";
    "locks of a foreign key validated later", "alpha/3_x", "ALTER TABLE alpha.empty ADD CONSTRAINT to_t FOREIGN KEY (id) REFERENCES alpha.t NOT VALID; ALTER TABLE alpha.empty VALIDATE CONSTRAINT to_t;", "ALTER TABLE alpha.empty DROP CONSTRAINT to_t;" => "ok";
    "locks of a type change", "alpha/3_x", "ALTER TABLE alpha.empty ALTER id TYPE bigint;", "ALTER TABLE alpha.empty ALTER id TYPE int;" => "ok";
    "a type that a view hangs on", "alpha/3_x", "-- accept: changing-column-type: it only becomes longer\nALTER TABLE alpha.t ALTER title TYPE varchar(300);", "ALTER TABLE alpha.t ALTER title TYPE varchar(255);" => "rehearsed/up-fails", "used by a view";
    "locks of a truncation", "alpha/3_x", "TRUNCATE alpha.empty;", "-- irreversible: rows" => "ok";
    "locks of not null", "alpha/3_x", "ALTER TABLE alpha.empty ALTER id SET NOT NULL;", "ALTER TABLE alpha.empty ALTER id DROP NOT NULL;" => "ok";
    "locks of a renaming", "alpha/3_x", "ALTER TABLE alpha.empty RENAME COLUMN note TO text;", "ALTER TABLE alpha.empty RENAME COLUMN text TO note;" => "ok";
    "locks of an unlogged table", "alpha/3_x", "ALTER TABLE alpha.empty SET UNLOGGED;", "ALTER TABLE alpha.empty SET LOGGED;" => "ok";
    "locks of statistics", "alpha/3_x", "ALTER TABLE alpha.t ALTER title SET STATISTICS 500; CREATE STATISTICS alpha.st ON id, title FROM alpha.t;", "DROP STATISTICS alpha.st; ALTER TABLE alpha.t ALTER title SET STATISTICS -1;" => "ok";
    "locks of a view over it", "alpha/3_x", "CREATE OR REPLACE VIEW alpha.titles AS SELECT id, title FROM alpha.t WHERE id > 0;", "CREATE OR REPLACE VIEW alpha.titles AS SELECT id, title FROM alpha.t;" => "ok";
    "locks of an update", "alpha/3_x", "UPDATE alpha.empty SET note = 'x';", "SELECT 1;" => "ok";
    "locks of an explicit lock", "alpha/3_x", "LOCK TABLE alpha.empty IN SHARE MODE; COMMENT ON TABLE alpha.empty IS 'x';", "COMMENT ON TABLE alpha.empty IS NULL;" => "ok";
}
