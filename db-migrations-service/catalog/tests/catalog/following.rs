//! Who follows a schema sees what everybody sees who reads all of it.

use schema_catalog::{Follower, ReadError, Snapshot, difference};
use testkit::block_on;

use crate::fixture::{database, read, run, scope};

/// Things that name each other across two schemas.
const BASE: &str = "
CREATE SCHEMA a; CREATE SCHEMA b;
CREATE TYPE a.mood AS ENUM ('good', 'bad');
CREATE TYPE a.pair AS (x int, y int);
CREATE DOMAIN a.short AS text CHECK (length(value) < 9);
CREATE TABLE a.t (id int PRIMARY KEY, m a.mood DEFAULT 'good', s a.short, n int GENERATED ALWAYS AS IDENTITY);
CREATE FUNCTION a.rows() RETURNS SETOF a.t LANGUAGE sql AS 'SELECT * FROM a.t';
CREATE FUNCTION a.pairs() RETURNS SETOF a.pair LANGUAGE sql AS 'SELECT 1, 2';
CREATE FUNCTION a.one(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE FUNCTION a.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE SEQUENCE a.numbers;
CREATE TABLE b.u (
    t int REFERENCES a.t (id), moods a.mood[] DEFAULT '{bad}', whole a.t, k int DEFAULT nextval('a.numbers'),
    CHECK (a.one(t) > 0), CHECK ((whole).id > 0));
CREATE INDEX u_one ON b.u (a.one(t));
CREATE STATISTICS b.both ON t, k FROM b.u;
CREATE VIEW b.v AS SELECT t.id AS number, t.m, u.k FROM a.t JOIN b.u ON u.t = t.id WHERE t.m = 'good';
CREATE VIEW b.w AS SELECT v.number FROM b.v;
CREATE VIEW b.called AS SELECT r.id, p.x FROM a.rows() r, a.pairs() p;
CREATE MATERIALIZED VIEW b.kept AS SELECT count(*) AS n FROM a.t GROUP BY m;
CREATE RULE loud AS ON INSERT TO b.w DO ALSO NOTIFY loud;
CREATE FUNCTION b.takes(a.t, a.mood) RETURNS a.short LANGUAGE sql AS 'SELECT $1.s';
CREATE TRIGGER touch BEFORE UPDATE ON b.u FOR EACH ROW WHEN (NEW.k > 0) EXECUTE FUNCTION a.touch();
ALTER TABLE b.u ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON b.u USING (EXISTS (SELECT FROM a.t WHERE t.id = u.t));
CREATE FUNCTION a.alike(a.pair, a.pair) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR b.~~~ (LEFTARG = a.pair, RIGHTARG = a.pair, FUNCTION = a.alike);
CREATE TABLE a.parted (id int NOT NULL, at date) PARTITION BY RANGE (id);
CREATE TABLE b.part PARTITION OF a.parted FOR VALUES FROM (0) TO (10);
CREATE INDEX parted_at ON a.parted (at);
COMMENT ON CONSTRAINT u_t_fkey ON b.u IS 'k'; COMMENT ON TRIGGER touch ON b.u IS 't'; COMMENT ON POLICY p ON b.u IS 'p';
COMMENT ON INDEX b.u_one IS 'i'; COMMENT ON STATISTICS b.both IS 's'; COMMENT ON RULE loud ON b.w IS 'r';
COMMENT ON DOMAIN a.short IS 'd'; COMMENT ON FUNCTION a.one(int) IS 'f'; COMMENT ON COLUMN b.v.number IS 'c'";

/// Most change one thing and the words of others; some take away without writing a row anew.
const STEPS: &[&str] = &[
    "ALTER TABLE a.t RENAME TO things",
    "ALTER TABLE a.things RENAME COLUMN id TO number",
    "ALTER TABLE a.things ADD COLUMN extra int",
    "ALTER TYPE a.mood RENAME TO feeling",
    "ALTER TYPE a.feeling RENAME VALUE 'good' TO 'fine'",
    "ALTER TYPE a.feeling ADD VALUE 'so so'",
    "ALTER TYPE a.pair RENAME ATTRIBUTE x TO first",
    "ALTER TYPE a.pair RENAME TO two",
    "ALTER FUNCTION a.one(int) RENAME TO same",
    "ALTER FUNCTION a.touch() RENAME TO touched",
    "ALTER FUNCTION a.rows() RENAME TO all_rows",
    "ALTER FUNCTION a.alike(a.two, a.two) RENAME TO like_each_other",
    "ALTER DOMAIN a.short RENAME CONSTRAINT short_check TO brief",
    "ALTER SEQUENCE a.numbers RENAME TO counted",
    "ALTER SEQUENCE a.counted OWNED BY a.things.extra",
    "ALTER SEQUENCE a.counted OWNED BY NONE",
    "ALTER VIEW b.v RENAME COLUMN number TO id",
    "ALTER TABLE a.parted RENAME TO pieces",
    "ALTER INDEX a.parted_at RENAME TO pieces_at",
    "ALTER TABLE a.pieces DETACH PARTITION b.part",
    "COMMENT ON CONSTRAINT u_t_fkey ON b.u IS NULL",
    "COMMENT ON TRIGGER touch ON b.u IS NULL",
    "COMMENT ON POLICY p ON b.u IS NULL",
    "COMMENT ON INDEX b.u_one IS NULL",
    "COMMENT ON STATISTICS b.both IS NULL",
    "COMMENT ON RULE loud ON b.w IS NULL",
    "COMMENT ON DOMAIN a.short IS NULL",
    "COMMENT ON FUNCTION a.same(int) IS NULL",
    "COMMENT ON COLUMN b.v.id IS NULL",
    "DROP STATISTICS b.both",
    "DROP INDEX b.u_one",
    "DROP RULE loud ON b.w",
    "DROP POLICY p ON b.u",
    "DROP TRIGGER touch ON b.u",
    "ALTER TABLE b.u DROP CONSTRAINT u_t_fkey",
    "ALTER TABLE b.u ALTER k DROP DEFAULT",
    "ALTER TABLE b.u RENAME TO x; CREATE TABLE b.u (z int)",
    "DROP TABLE b.u; ALTER TABLE b.x RENAME TO u",
    "CREATE TABLE a.new (id int PRIMARY KEY REFERENCES a.things); CREATE VIEW a.newer AS SELECT * FROM a.new",
    "DROP TABLE a.new CASCADE",
    "ALTER TABLE a.things SET SCHEMA b",
    "CREATE OPERATOR CLASS b.lengths DEFAULT FOR TYPE a.two USING hash AS OPERATOR 1 b.~~~",
    "ALTER SCHEMA a RENAME TO c",
    "GRANT SELECT ON b.v TO catalog_user; GRANT UPDATE (k) ON b.u TO catalog_user",
    "REVOKE ALL ON b.v FROM catalog_user",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA b GRANT SELECT ON TABLES TO catalog_user",
    "DROP SCHEMA c CASCADE",
];

#[test]
fn who_follows_sees_what_is_there() {
    block_on(async {
        let database = database(BASE).await;
        let (worker, other) = (database.session().await, database.session().await);
        let mut follower = Follower::new(&other, scope());
        let mut before = followed(&mut follower, BASE).await;
        for step in STEPS {
            run(&worker, step).await;
            let (seen, there) = (followed(&mut follower, step).await, read(&worker).await);
            let missed: Vec<String> = difference(&there, &seen).iter().map(ToString::to_string).collect();
            assert!(missed.is_empty(), "{step}\n{missed:#?}");
            assert_eq!(seen.fingerprint(), there.fingerprint(), "{step}");
            assert_ne!(seen.fingerprint(), before.fingerprint(), "{step}");
            before = seen;
        }
    });
}

#[test]
fn what_did_not_change_is_not_read_anew() {
    block_on(async {
        let database = database(BASE).await;
        let (worker, other) = (database.session().await, database.session().await);
        let mut follower = Follower::new(&other, scope());
        let before = followed(&mut follower, "at first").await;
        run(&worker, "CREATE TABLE a.new (id int); CREATE VIEW a.over AS SELECT id FROM a.new").await;
        // Whoever reads the view waits for this one in vain.
        run(&worker, "BEGIN; LOCK TABLE b.called IN ACCESS EXCLUSIVE MODE").await;
        let after = followed(&mut follower, "something else").await;
        assert!(matches!(Snapshot::read(&other, &scope()).await, Err(ReadError::Changing(_))));
        let made: Vec<String> = difference(&before, &after).iter().map(ToString::to_string).collect();
        assert_eq!(made, ["table a.new: added", "view a.over: added"]);
    });
}

#[test]
fn two_follow_on_one_session_and_go_on_after_a_failure() {
    block_on(async {
        let database = database(BASE).await;
        let (worker, other) = (database.session().await, database.session().await);
        let (mut one, mut two) = (Follower::new(&other, scope()), Follower::new(&other, scope()));
        assert_eq!(followed(&mut one, "at first").await, followed(&mut two, "at first").await);
        run(&worker, "ALTER VIEW b.v RENAME TO z").await;
        // What is deparsed is locked for a moment, so this one is in the way.
        run(&worker, "BEGIN; LOCK TABLE b.z IN ACCESS EXCLUSIVE MODE").await;
        assert!(matches!(one.read().await, Err(ReadError::Changing(_))));
        run(&worker, "COMMIT").await;
        let there = read(&worker).await;
        assert_eq!(followed(&mut one, "a failure").await, there);
        assert_eq!(followed(&mut two, "the other's failure").await, there);
    });
}

async fn followed(follower: &mut Follower<'_>, after: &str) -> Snapshot {
    follower.read().await.unwrap_or_else(|error| panic!("{error}\nafter: {after}"))
}
