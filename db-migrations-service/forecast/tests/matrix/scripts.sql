CREATE TABLE s.fresh (id int PRIMARY KEY, school_id int);
ALTER TABLE s.fresh ADD FOREIGN KEY (school_id) REFERENCES s.schools;
CREATE INDEX fresh_school ON s.fresh (school_id);
ALTER TABLE s.fresh ALTER COLUMN school_id TYPE bigint;
DROP TABLE s.fresh;

CREATE TABLE s.fresh (id int PRIMARY KEY, school_id int REFERENCES s.schools);
ALTER TABLE s.fresh DROP CONSTRAINT fresh_school_id_fkey;

CREATE TABLE s.fresh (id int PRIMARY KEY, school_id int CONSTRAINT fresh_school REFERENCES s.schools);
ALTER TABLE s.fresh DROP COLUMN school_id;

ALTER TABLE s.schools RENAME TO colleges;
ALTER TABLE s.colleges ADD COLUMN a float DEFAULT random();
DROP TABLE s.colleges CASCADE;

ALTER TABLE s.schools SET SCHEMA other;
ALTER TABLE other.schools ALTER COLUMN code SET NOT NULL;
CREATE INDEX ON other.schools (code);

ALTER TABLE s.schools ADD CONSTRAINT code_there CHECK (code IS NOT NULL) NOT VALID;
ALTER TABLE s.schools VALIDATE CONSTRAINT code_there;
ALTER TABLE s.schools ALTER COLUMN code SET NOT NULL;
ALTER TABLE s.schools DROP CONSTRAINT code_there;

ALTER TABLE s.marks ADD CONSTRAINT marks_owner FOREIGN KEY (owner_id) REFERENCES s.schools NOT VALID;
ALTER TABLE s.marks VALIDATE CONSTRAINT marks_owner;
ALTER TABLE s.marks DROP CONSTRAINT marks_owner;

ALTER TABLE s.schools ADD COLUMN a int DEFAULT 1;
ALTER TABLE s.schools ALTER COLUMN a TYPE bigint;
ALTER TABLE s.schools ALTER COLUMN a SET NOT NULL;

ALTER TABLE s.schools ADD COLUMN a varchar(10) DEFAULT 'x';
ALTER TABLE s.schools RENAME COLUMN a TO b;
CREATE INDEX schools_b ON s.schools (b);
ALTER TABLE s.schools ALTER COLUMN b TYPE varchar(20);
ALTER TABLE s.schools ALTER COLUMN b TYPE varchar(5);
DROP INDEX s.schools_b;
ALTER TABLE s.schools DROP COLUMN b;

CREATE VIEW s.fresh AS SELECT id, code FROM s.schools;
SELECT * FROM s.fresh;
CREATE VIEW s.fresher AS SELECT * FROM s.fresh;
SELECT * FROM s.fresher;
DROP VIEW s.fresh CASCADE;

CREATE TABLE s.fresh PARTITION OF s.events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
ALTER TABLE s.events ADD COLUMN a int;
ALTER TABLE s.events DETACH PARTITION s.events_2025;
ALTER TABLE s.events_2025 ADD COLUMN b int;

ALTER TABLE s.events ATTACH PARTITION s.events_2027 FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
ALTER TABLE s.events ALTER COLUMN body SET DEFAULT 'x';

ALTER TABLE s.dogs NO INHERIT s.animals;
ALTER TABLE s.stray INHERIT s.animals;
ALTER TABLE s.animals ADD COLUMN a int;

DROP VIEW s.pupil_schools;
ALTER TABLE s.pupils DROP COLUMN title;
DROP MATERIALIZED VIEW s.counts;
DROP TABLE s.pupils CASCADE;
DROP TABLE s.marks;

CREATE UNIQUE INDEX schools_code ON s.schools (code);
ALTER TABLE s.schools ADD CONSTRAINT schools_code_key UNIQUE USING INDEX schools_code;
ALTER TABLE s.schools DROP CONSTRAINT schools_code_key;

CREATE TRIGGER schools_touch BEFORE UPDATE ON s.schools FOR EACH ROW EXECUTE FUNCTION s.touch();
DROP TRIGGER watched_touch ON s.watched;
UPDATE s.watched SET text = 'x' WHERE false;

CREATE DOMAIN s.short AS text;
ALTER TABLE s.schools ADD COLUMN a s.short;
ALTER DOMAIN s.short ADD CHECK (length(VALUE) < 5);
ALTER TABLE s.lonely ADD COLUMN a s.short;

CREATE SEQUENCE s.fresh;
ALTER TABLE s.lonely ALTER COLUMN id SET DEFAULT nextval('s.fresh');
ALTER SEQUENCE s.fresh OWNED BY s.lonely.id;
INSERT INTO s.lonely (body) VALUES ('x');
DROP TABLE s.lonely;

CREATE TABLE s.copied AS SELECT * FROM s.schools;
INSERT INTO s.copied SELECT * FROM s.schools WHERE false;
ALTER TABLE s.copied ADD PRIMARY KEY (id);

TRUNCATE s.lonely;
ALTER TABLE s.lonely ALTER COLUMN id SET NOT NULL;

CREATE FUNCTION s.fresh() RETURNS int LANGUAGE plpgsql VOLATILE AS $$ BEGIN RETURN 1; END $$;
ALTER TABLE s.schools ADD COLUMN a int DEFAULT s.fresh();

ALTER TABLE s.watched ADD COLUMN school_id int REFERENCES s.schools;
ALTER TABLE s.watched DROP COLUMN school_id;

DROP TABLE IF EXISTS s.nothing;
CREATE TABLE s.a (id int PRIMARY KEY);
CREATE TABLE s.b (id int PRIMARY KEY, a_id int REFERENCES s.a);
COMMENT ON TABLE s.b IS 'x';
GRANT SELECT ON s.b TO PUBLIC;
DROP TABLE s.a CASCADE;
DROP TABLE s.b;
