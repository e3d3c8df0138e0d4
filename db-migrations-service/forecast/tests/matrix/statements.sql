-- since 14
CREATE TABLE s.fresh (id int PRIMARY KEY)
CREATE TABLE s.fresh (id int PRIMARY KEY, school_id int REFERENCES s.schools)
CREATE TABLE s.fresh (id serial, pupil_id bigint, FOREIGN KEY (pupil_id) REFERENCES s.pupils ON DELETE CASCADE)
CREATE TABLE s.fresh (id int PRIMARY KEY, parent_id int REFERENCES s.fresh)
CREATE TABLE s.fresh (id int, day date, FOREIGN KEY (id, day) REFERENCES s.events)
CREATE TABLE s.fresh (LIKE s.pupils INCLUDING ALL)
CREATE TABLE s.fresh (colour text) INHERITS (s.animals)
CREATE TABLE s.fresh OF s.pair
CREATE TABLE s.fresh PARTITION OF s.events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')
CREATE TABLE s.fresh PARTITION OF s.logs FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')
CREATE TABLE IF NOT EXISTS s.schools (id int)
CREATE TABLE s.fresh (id int DEFAULT nextval('s.numbers'))
CREATE TABLE s.fresh AS SELECT * FROM s.schools
CREATE TABLE s.fresh AS SELECT * FROM s.pupil_schools WITH NO DATA
CREATE TABLE s.fresh (id int, email s.email, CHECK (id > 0))
CREATE UNLOGGED TABLE s.fresh (id int UNIQUE)
CREATE TEMPORARY TABLE fresh (id int)
SELECT * INTO s.fresh FROM s.schools
CREATE VIEW s.fresh AS SELECT * FROM s.schools
CREATE VIEW s.fresh AS SELECT * FROM s.pupil_schools JOIN s.events USING (id)
CREATE OR REPLACE VIEW s.school_names AS SELECT id, name FROM s.schools WHERE id > 0
CREATE MATERIALIZED VIEW s.fresh AS SELECT * FROM s.pupil_schools
REFRESH MATERIALIZED VIEW s.counts
REFRESH MATERIALIZED VIEW CONCURRENTLY s.counts
REFRESH MATERIALIZED VIEW s.counts WITH NO DATA
ALTER TABLE s.schools ADD COLUMN a int
ALTER TABLE s.schools ADD COLUMN a int DEFAULT 5
ALTER TABLE s.schools ADD COLUMN a int NOT NULL DEFAULT 5
ALTER TABLE s.schools ADD COLUMN a timestamptz DEFAULT now()
ALTER TABLE s.schools ADD COLUMN a timestamptz DEFAULT clock_timestamp()
ALTER TABLE s.schools ADD COLUMN a uuid DEFAULT gen_random_uuid()
ALTER TABLE s.schools ADD COLUMN a float DEFAULT random()
ALTER TABLE s.schools ADD COLUMN a int DEFAULT s.helper()
ALTER TABLE s.schools ADD COLUMN a serial
ALTER TABLE s.schools ADD COLUMN a int GENERATED ALWAYS AS IDENTITY
ALTER TABLE s.schools ADD COLUMN a int GENERATED ALWAYS AS (id + 1) STORED
ALTER TABLE s.schools ADD COLUMN a s.email
ALTER TABLE s.schools ADD COLUMN a s.plain
ALTER TABLE s.schools ADD COLUMN a s.mood
ALTER TABLE s.schools ADD COLUMN a int CHECK (a > 0)
ALTER TABLE s.schools ADD COLUMN a int UNIQUE
ALTER TABLE s.schools ADD COLUMN a int REFERENCES s.pupils
ALTER TABLE s.schools ADD COLUMN a int DEFAULT 1 REFERENCES s.pupils
ALTER TABLE s.schools ADD COLUMN IF NOT EXISTS name text
ALTER TABLE s.schools ADD COLUMN a int, ADD COLUMN b int
ALTER TABLE s.animals ADD COLUMN a int
ALTER TABLE s.animals ADD COLUMN a float DEFAULT random()
ALTER TABLE s.events ADD COLUMN a int DEFAULT 1
ALTER TABLE s.lonely ADD COLUMN a bigserial PRIMARY KEY
ALTER TABLE s.schools DROP COLUMN seen
ALTER TABLE s.schools DROP COLUMN note
ALTER TABLE s.pupils DROP COLUMN school_id CASCADE
ALTER TABLE s.pupils DROP COLUMN mood
ALTER TABLE s.schools DROP COLUMN name CASCADE
ALTER TABLE s.schools DROP COLUMN id CASCADE
ALTER TABLE s.schools DROP COLUMN IF EXISTS nothing
ALTER TABLE s.animals DROP COLUMN name
ALTER TABLE s.events DROP COLUMN body
ALTER TABLE s.marks DROP COLUMN pupil_id
ALTER TABLE s.schools ALTER COLUMN code SET NOT NULL
ALTER TABLE s.schools ALTER COLUMN note SET NOT NULL
ALTER TABLE s.schools ALTER COLUMN name SET NOT NULL
ALTER TABLE s.animals ALTER COLUMN id SET NOT NULL
ALTER TABLE s.schools ALTER COLUMN name DROP NOT NULL
ALTER TABLE s.animals ALTER COLUMN id DROP NOT NULL
ALTER TABLE s.animals ALTER COLUMN kind DROP NOT NULL
ALTER TABLE s.animals ALTER COLUMN kind SET NOT NULL
ALTER TABLE s.schools ALTER COLUMN code SET DEFAULT 'x'
ALTER TABLE s.schools ALTER COLUMN code DROP DEFAULT
ALTER TABLE s.animals ALTER COLUMN name SET DEFAULT 'x'
ALTER TABLE s.events ALTER COLUMN body SET DEFAULT 'x'
ALTER TABLE s.schools ALTER COLUMN code SET STATISTICS 500
ALTER TABLE s.animals ALTER COLUMN name SET STATISTICS 500
ALTER TABLE s.schools ALTER COLUMN note SET STORAGE EXTERNAL
ALTER TABLE s.animals ALTER COLUMN name SET STORAGE EXTERNAL
ALTER TABLE s.schools ALTER COLUMN note SET COMPRESSION pglz
ALTER TABLE s.schools ALTER COLUMN note SET (n_distinct = 5)
ALTER TABLE s.schools ALTER COLUMN code TYPE varchar(40)
ALTER TABLE s.schools ALTER COLUMN code TYPE varchar(10)
ALTER TABLE s.schools ALTER COLUMN code TYPE varchar
ALTER TABLE s.schools ALTER COLUMN code TYPE text
ALTER TABLE s.schools ALTER COLUMN note TYPE varchar(100)
ALTER TABLE s.schools ALTER COLUMN note TYPE varchar
ALTER TABLE s.schools ALTER COLUMN amount TYPE numeric(12, 2)
ALTER TABLE s.schools ALTER COLUMN amount TYPE numeric(12, 3)
ALTER TABLE s.schools ALTER COLUMN amount TYPE numeric
ALTER TABLE s.schools ALTER COLUMN amount TYPE int USING amount::int
ALTER TABLE s.schools ALTER COLUMN seen TYPE timestamptz
ALTER TABLE s.schools ALTER COLUMN seen TYPE timestamp(3)
ALTER TABLE s.schools ALTER COLUMN seen TYPE timestamp(6)
ALTER TABLE s.lonely ALTER COLUMN stamp TYPE timestamptz(5)
ALTER TABLE s.lonely ALTER COLUMN wide TYPE char(6)
ALTER TABLE s.lonely ALTER COLUMN wide TYPE text
ALTER TABLE s.lonely ALTER COLUMN numbers TYPE bigint[]
ALTER TABLE s.lonely ALTER COLUMN address TYPE inet
ALTER TABLE s.lonely ALTER COLUMN bits TYPE varbit(9)
ALTER TABLE s.lonely ALTER COLUMN id TYPE bigint
ALTER TABLE s.lonely ALTER COLUMN body TYPE s.plain
ALTER TABLE s.lonely ALTER COLUMN body TYPE s.email
ALTER TABLE s.lonely ALTER COLUMN body TYPE varchar USING body
ALTER TABLE s.lonely ALTER COLUMN body TYPE text USING upper(body)
ALTER TABLE s.lonely ALTER COLUMN body TYPE text COLLATE "C"
ALTER TABLE s.pupils ALTER COLUMN title TYPE varchar(60)
ALTER TABLE s.pupils ALTER COLUMN title TYPE text
ALTER TABLE s.pupils ALTER COLUMN title TYPE varchar(60) COLLATE "C"
ALTER TABLE s.pupils ALTER COLUMN tag TYPE varchar
ALTER TABLE s.pupils ALTER COLUMN mood TYPE text
ALTER TABLE s.pupils ALTER COLUMN email TYPE varchar(100)
ALTER TABLE s.pupils ALTER COLUMN label TYPE text
ALTER TABLE s.marks ALTER COLUMN id TYPE bigint
ALTER TABLE s.marks ALTER COLUMN school_id TYPE bigint
ALTER TABLE s.marks ALTER COLUMN pupil_id TYPE int
ALTER TABLE s.nodes ALTER COLUMN id TYPE bigint
ALTER TABLE s.animals ALTER COLUMN id TYPE bigint
ALTER TABLE s.animals ALTER COLUMN name TYPE varchar
ALTER TABLE s.events ALTER COLUMN body TYPE varchar
ALTER TABLE s.schools ADD CHECK (id > 0)
ALTER TABLE s.schools ADD CONSTRAINT c CHECK (id > 0) NOT VALID
ALTER TABLE s.animals ADD CHECK (id > 0)
ALTER TABLE s.animals ADD CHECK (id > 0) NO INHERIT
ALTER TABLE s.events ADD CHECK (id > 0)
ALTER TABLE s.marks ADD FOREIGN KEY (owner_id) REFERENCES s.schools
ALTER TABLE s.marks ADD CONSTRAINT f FOREIGN KEY (owner_id) REFERENCES s.schools NOT VALID
ALTER TABLE s.marks ADD FOREIGN KEY (owner_id) REFERENCES s.marks (id)
ALTER TABLE s.events ADD FOREIGN KEY (id) REFERENCES s.marks (id)
ALTER TABLE s.schools ADD UNIQUE (code)
ALTER TABLE s.marks ADD PRIMARY KEY (id)
ALTER TABLE s.marks ADD PRIMARY KEY USING INDEX marks_id
ALTER TABLE s.marks ADD PRIMARY KEY USING INDEX marks_value
ALTER TABLE s.marks ADD CONSTRAINT u UNIQUE USING INDEX marks_value
ALTER TABLE s.marks ADD PRIMARY KEY (value)
ALTER TABLE s.logs ADD PRIMARY KEY (id, at)
ALTER TABLE s.events ADD UNIQUE (school_id, day)
ALTER TABLE s.lonely ADD EXCLUDE USING btree (id WITH =)
ALTER TABLE s.pupils VALIDATE CONSTRAINT pupils_age_max
ALTER TABLE s.marks VALIDATE CONSTRAINT marks_school
ALTER TABLE s.marks VALIDATE CONSTRAINT marks_pupil
ALTER TABLE s.marks DROP CONSTRAINT marks_school
ALTER TABLE s.schools DROP CONSTRAINT schools_pkey CASCADE
ALTER TABLE s.schools DROP CONSTRAINT note_there
ALTER TABLE s.animals DROP CONSTRAINT animals_id
ALTER TABLE s.attends DROP CONSTRAINT attends_event_id_event_day_fkey
ALTER TABLE s.events DROP CONSTRAINT events_school_fk
ALTER TABLE s.schools DROP CONSTRAINT IF EXISTS nothing
ALTER TABLE s.marks ALTER CONSTRAINT marks_school DEFERRABLE INITIALLY DEFERRED
ALTER TABLE s.schools RENAME TO colleges
ALTER TABLE s.schools RENAME COLUMN name TO title
ALTER TABLE s.animals RENAME COLUMN name TO title
ALTER TABLE s.events RENAME COLUMN body TO content
ALTER TABLE s.schools RENAME CONSTRAINT note_there TO note_is_there
ALTER TABLE s.animals RENAME CONSTRAINT animals_id TO animals_no
ALTER TABLE s.marks RENAME CONSTRAINT marks_school TO m
ALTER TABLE s.schools SET SCHEMA other
ALTER TABLE s.marks SET SCHEMA other
ALTER VIEW s.school_names SET SCHEMA other
ALTER TABLE s.schools OWNER TO CURRENT_USER
ALTER TABLE s.schools OWNER TO pg_read_all_data
ALTER TABLE s.events OWNER TO pg_read_all_data
ALTER VIEW s.school_names OWNER TO pg_read_all_data
ALTER SEQUENCE s.numbers OWNER TO pg_read_all_data
ALTER TABLE s.watched DISABLE TRIGGER watched_touch
ALTER TABLE s.watched ENABLE TRIGGER ALL
ALTER TABLE s.watched DISABLE TRIGGER USER
ALTER TABLE s.watched ENABLE REPLICA TRIGGER watched_touch
ALTER TABLE s.events DISABLE TRIGGER events_touch
ALTER TABLE s.watched DISABLE RULE watched_quiet
ALTER TABLE s.watched DISABLE ROW LEVEL SECURITY
ALTER TABLE s.watched FORCE ROW LEVEL SECURITY
ALTER TABLE s.watched REPLICA IDENTITY FULL
ALTER TABLE s.marks REPLICA IDENTITY USING INDEX marks_id
ALTER TABLE s.marks CLUSTER ON marks_id
ALTER TABLE s.marks SET WITHOUT CLUSTER
ALTER TABLE s.schools SET (fillfactor = 70)
ALTER TABLE s.schools SET (autovacuum_enabled = false, fillfactor = 80)
ALTER TABLE s.schools SET (user_catalog_table = true)
ALTER TABLE s.schools RESET (fillfactor)
ALTER TABLE s.watched SET UNLOGGED
ALTER TABLE s.watched SET LOGGED
ALTER TABLE s.cache SET LOGGED
ALTER TABLE s.lonely SET TABLESPACE pg_default
ALTER TABLE s.dogs NO INHERIT s.animals
ALTER TABLE s.stray INHERIT s.animals
ALTER TABLE s.events DETACH PARTITION s.events_2025
ALTER TABLE s.logs DETACH PARTITION s.logs_2024
ALTER TABLE s.events ATTACH PARTITION s.events_2027 FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')
ALTER TABLE s.pupils ALTER COLUMN id DROP IDENTITY
ALTER TABLE s.pupils ALTER COLUMN id SET GENERATED ALWAYS
ALTER TABLE s.marks ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY
ALTER TABLE s.pupils ALTER COLUMN doubled DROP EXPRESSION
ALTER TABLE s.typed NOT OF
ALTER TABLE ONLY s.animals ADD CHECK (id > 0) NO INHERIT
ALTER TABLE ONLY s.animals ALTER COLUMN name SET DEFAULT 'x'
ALTER TABLE s.lonely ADD COLUMN a int DEFAULT nextval('s.numbers')
ALTER TABLE s.lonely ALTER COLUMN id SET DEFAULT nextval('s.numbers')
ALTER TABLE IF EXISTS s.nothing ADD COLUMN a int
ALTER VIEW s.school_names SET (security_barrier = true)
ALTER VIEW s.school_names RENAME TO names
ALTER VIEW s.school_names RENAME COLUMN name TO title
ALTER MATERIALIZED VIEW s.counts RENAME TO totals
CREATE INDEX ON s.schools (code)
CREATE INDEX fresh ON s.schools (lower(name)) WHERE id > 5
CREATE UNIQUE INDEX fresh ON s.schools (code)
CREATE INDEX fresh ON s.events (id)
CREATE INDEX fresh ON ONLY s.events (id)
CREATE INDEX fresh ON s.animals (id)
CREATE INDEX IF NOT EXISTS pupils_title ON s.pupils (title)
CREATE INDEX fresh ON s.counts (pupils)
DROP INDEX s.pupils_title
DROP INDEX s.events_body
DROP INDEX IF EXISTS s.nothing
ALTER INDEX s.pupils_title RENAME TO pupils_by_title
ALTER INDEX s.pupils_title SET (fillfactor = 70)
ALTER INDEX s.events_school ATTACH PARTITION s.events_2024_school
REINDEX INDEX s.pupils_title
REINDEX TABLE s.pupils
DROP TABLE s.lonely
DROP TABLE s.marks
DROP TABLE s.attends
DROP TABLE s.schools CASCADE
DROP TABLE s.pupils CASCADE
DROP TABLE s.animals CASCADE
DROP TABLE s.dogs
DROP TABLE s.events CASCADE
DROP TABLE s.events_2025 CASCADE
DROP TABLE s.logs_2024
DROP TABLE s.numbered
DROP TABLE s.watched
DROP TABLE IF EXISTS s.nothing, s.lonely
DROP VIEW s.pupil_schools
DROP VIEW s.school_names CASCADE
DROP MATERIALIZED VIEW s.counts
DROP SEQUENCE s.numbers CASCADE
DROP TYPE s.mood CASCADE
DROP TYPE s.pair CASCADE
DROP DOMAIN s.email CASCADE
DROP FUNCTION s.touch() CASCADE
DROP FUNCTION s.helper() CASCADE
DROP SCHEMA other CASCADE
DROP SCHEMA s CASCADE
DROP STATISTICS s.marks_stats
DROP TRIGGER watched_touch ON s.watched
DROP TRIGGER events_touch ON s.events
DROP POLICY watched_all ON s.watched
DROP POLICY watched_schools ON s.watched
DROP RULE watched_quiet ON s.watched
TRUNCATE s.lonely
TRUNCATE s.events CASCADE
TRUNCATE s.schools RESTART IDENTITY CASCADE
TRUNCATE s.animals
CREATE TRIGGER fresh BEFORE INSERT ON s.schools FOR EACH ROW EXECUTE FUNCTION s.touch()
CREATE TRIGGER fresh AFTER INSERT ON s.events FOR EACH ROW EXECUTE FUNCTION s.touch()
CREATE TRIGGER fresh AFTER INSERT ON s.events FOR EACH STATEMENT EXECUTE FUNCTION s.touch()
CREATE CONSTRAINT TRIGGER fresh AFTER INSERT ON s.schools FROM s.lonely FOR EACH ROW EXECUTE FUNCTION s.touch()
ALTER TRIGGER watched_touch ON s.watched RENAME TO t
CREATE POLICY fresh ON s.lonely USING (id IN (SELECT id FROM s.schools))
ALTER POLICY watched_all ON s.watched USING (false)
ALTER POLICY watched_all ON s.watched RENAME TO w
CREATE RULE fresh AS ON DELETE TO s.lonely DO INSTEAD NOTHING
CREATE RULE fresh AS ON INSERT TO s.lonely DO ALSO INSERT INTO s.watched VALUES (1, 'x')
COMMENT ON TABLE s.schools IS 'x'
COMMENT ON COLUMN s.schools.name IS 'x'
COMMENT ON CONSTRAINT note_there ON s.schools IS 'x'
COMMENT ON INDEX s.pupils_title IS 'x'
COMMENT ON TRIGGER watched_touch ON s.watched IS 'x'
COMMENT ON POLICY watched_all ON s.watched IS 'x'
COMMENT ON RULE watched_quiet ON s.watched IS 'x'
COMMENT ON VIEW s.school_names IS 'x'
COMMENT ON SEQUENCE s.numbers IS 'x'
COMMENT ON SCHEMA s IS 'x'
COMMENT ON TYPE s.mood IS 'x'
COMMENT ON FUNCTION s.helper() IS 'x'
COMMENT ON CONSTRAINT pending_positive ON DOMAIN s.pending IS 'x'
GRANT SELECT ON s.schools TO PUBLIC
GRANT ALL ON ALL TABLES IN SCHEMA s TO PUBLIC
GRANT USAGE ON SEQUENCE s.numbers TO PUBLIC
GRANT SELECT (name) ON s.schools TO PUBLIC
REVOKE SELECT ON s.schools FROM PUBLIC
CREATE STATISTICS s.fresh ON id, name FROM s.schools
CREATE SEQUENCE s.fresh
CREATE SEQUENCE s.fresh OWNED BY s.schools.id
ALTER SEQUENCE s.numbers INCREMENT BY 5
ALTER SEQUENCE s.numbers OWNED BY s.numbered.id
ALTER SEQUENCE s.numbers RESTART
ALTER SEQUENCE s.numbers RENAME TO numerals
CREATE DOMAIN s.fresh AS int CHECK (VALUE > 0)
ALTER DOMAIN s.email ADD CHECK (length(VALUE) > 2)
ALTER DOMAIN s.plain ADD CHECK (VALUE <> '') NOT VALID
ALTER DOMAIN s.plain SET DEFAULT 'x'
ALTER DOMAIN s.plain SET NOT NULL
ALTER DOMAIN s.pending VALIDATE CONSTRAINT pending_positive
ALTER DOMAIN s.pending DROP CONSTRAINT pending_positive
CREATE TYPE s.fresh AS ENUM ('a')
CREATE TYPE s.fresh AS (a int)
ALTER TYPE s.mood ADD VALUE 'neutral'
ALTER TYPE s.mood RENAME VALUE 'good' TO 'fine'
ALTER TYPE s.pair RENAME TO duo
CREATE FUNCTION s.fresh() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM s.schools'
CREATE FUNCTION s.fresh() RETURNS bigint LANGUAGE sql RETURN (SELECT count(*) FROM s.school_names)
CREATE FUNCTION s.fresh() RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM 1 FROM s.schools; RETURN 1; END $$
CREATE OR REPLACE FUNCTION s.helper() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 2; END $$
CREATE SCHEMA fresh CREATE TABLE a (school_id int REFERENCES s.schools)
CREATE PUBLICATION fresh FOR TABLE s.schools
INSERT INTO s.schools (name, note) VALUES ('a', 'b')
INSERT INTO s.marks (id, pupil_id) SELECT 100 + id, 1 FROM s.schools
INSERT INTO s.events (id, day) SELECT 1, day FROM s.events WHERE false
INSERT INTO s.numbered (body) VALUES ('x')
INSERT INTO s.school_names SELECT 100, 'x' WHERE false
UPDATE s.lonely SET body = 'x'
UPDATE s.schools SET name = 'x' WHERE id = 1
UPDATE s.watched SET text = 'b' WHERE false
UPDATE s.animals SET name = 'x'
UPDATE s.events SET body = 'x'
UPDATE s.events SET body = 'x' WHERE day = '2024-06-01'
UPDATE s.pupils SET age = 5 FROM s.schools WHERE schools.id = school_id
DELETE FROM s.lonely
DELETE FROM s.pupils WHERE id = 1
DELETE FROM s.marks USING s.pupils WHERE pupils.id = pupil_id
WITH gone AS (DELETE FROM s.lonely RETURNING id) INSERT INTO s.nodes SELECT id FROM gone
SELECT count(*) FROM s.pupil_schools
SELECT * FROM s.events
SELECT * FROM s.events WHERE day = '2024-06-01'
SELECT * FROM s.animals
SELECT * FROM ONLY s.animals
SELECT * FROM s.schools FOR UPDATE
SELECT * FROM s.schools a JOIN s.lonely b USING (id) FOR SHARE OF b
SELECT * FROM s.school_names FOR UPDATE
SELECT nextval('s.numbers')
SELECT setval('s.numbers', 5)
SELECT s.helper()
SELECT * FROM s.schools WHERE id IN (SELECT id FROM s.lonely)
EXPLAIN SELECT * FROM s.schools
COPY (SELECT * FROM s.schools) TO '/dev/null'
COPY s.schools TO '/dev/null'
LOCK TABLE s.schools
LOCK TABLE s.schools, s.marks IN SHARE MODE
LOCK TABLE s.animals IN ROW SHARE MODE
LOCK TABLE s.pupil_schools IN SHARE MODE
CLUSTER s.pupils USING pupils_title
ANALYZE s.schools
ANALYZE s.events
SET search_path = s, public
DO $$ BEGIN END $$
-- since 15
MERGE INTO s.lonely USING s.schools ON schools.id = lonely.id WHEN MATCHED THEN UPDATE SET body = 'x'
ALTER VIEW s.school_names SET (security_invoker = true)
CREATE TABLE s.fresh (id int UNIQUE NULLS NOT DISTINCT)
ALTER TABLE s.schools SET ACCESS METHOD heap
-- since 17
ALTER TABLE s.pupils ALTER COLUMN doubled SET EXPRESSION AS (age * 3)
-- since 18
ALTER TABLE s.schools ADD CONSTRAINT n NOT NULL code
ALTER TABLE s.schools ADD CONSTRAINT n NOT NULL code NOT VALID
ALTER TABLE s.schools ADD COLUMN a int GENERATED ALWAYS AS (id + 1) VIRTUAL
ALTER TABLE s.schools ADD COLUMN a int GENERATED ALWAYS AS (id + 1) VIRTUAL NOT NULL
ALTER TABLE s.events ADD CONSTRAINT f FOREIGN KEY (id) REFERENCES s.marks (id) NOT VALID
