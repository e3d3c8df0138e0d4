-- Every kind of object that a snapshot holds, in what PostgreSQL 14 to 18 have in common.
CREATE SCHEMA plans AUTHORIZATION catalog_owner;
CREATE SCHEMA "Old plans" AUTHORIZATION catalog_owner;
COMMENT ON SCHEMA plans IS 'What a school offers';

SET ROLE catalog_owner;
SET search_path = plans;

CREATE TYPE status AS ENUM ('draft', 'open', 'it''s, closed');
COMMENT ON TYPE status IS 'How far a plan is';
CREATE TYPE address AS (street text, number integer, country char(2) COLLATE "C");
CREATE FUNCTION apart(a real, b real) RETURNS double precision LANGUAGE sql IMMUTABLE AS 'select (a - b)::float8';
CREATE TYPE grade_range AS RANGE (subtype = float4, subtype_diff = apart);
CREATE DOMAIN email AS text COLLATE "C" DEFAULT 'nobody@example.org' NOT NULL
    CONSTRAINT email_has_at CHECK (VALUE ~ '@');
CREATE COLLATION posix (provider = libc, locale = 'POSIX');
CREATE SEQUENCE numbers AS integer START 10 INCREMENT 5 MAXVALUE 1000 CACHE 3;

CREATE TABLE teachers (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    "Full name" text NOT NULL,
    mail email,
    home address
);
CREATE TABLE plans (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    old_column integer,
    title varchar(255) NOT NULL,
    body text,
    status status NOT NULL DEFAULT 'draft',
    price numeric(10, 2) DEFAULT 0.0 CONSTRAINT plans_price CHECK (price >= 0 AND price <> ALL (ARRAY[13, 666])),
    teacher_id uuid,
    made_at timestamptz NOT NULL DEFAULT now(),
    valid_from timestamptz DEFAULT '2024-01-01 00:00:00+01',
    doubled numeric GENERATED ALWAYS AS (price * 2) STORED,
    tags text[] NOT NULL DEFAULT ARRAY[]::text[],
    "json" jsonb,
    number serial,
    CONSTRAINT plans_fk FOREIGN KEY (teacher_id) REFERENCES teachers ON DELETE CASCADE DEFERRABLE,
    CONSTRAINT plans_title_key UNIQUE (title)
) WITH (fillfactor = 90, toast.autovacuum_enabled = false);
ALTER TABLE plans DROP COLUMN old_column;
COMMENT ON TABLE plans IS 'Plans of lessons';
COMMENT ON COLUMN plans.title IS 'a';
COMMENT ON CONSTRAINT plans_price ON plans IS 'Nobody is paid for coming';
CREATE INDEX plans_title_idx ON plans (lower(title) DESC, made_at) INCLUDE (id) WHERE status <> 'draft' AND "json" IS NOT NULL;
COMMENT ON INDEX plans_title_idx IS 'serves the list of titles';
CREATE INDEX plans_body_idx ON plans USING gin (to_tsvector('simple'::regconfig, body));
CREATE STATISTICS plans_statistics (dependencies) ON status, teacher_id FROM plans;
GRANT SELECT, INSERT ON plans TO catalog_user;
GRANT UPDATE (title) ON plans TO catalog_user WITH GRANT OPTION;
GRANT USAGE ON SCHEMA plans TO catalog_user;
GRANT SELECT ON SEQUENCE numbers TO catalog_user;

CREATE UNLOGGED TABLE cache (key text PRIMARY KEY, value text);
CREATE TABLE base (a integer NOT NULL, b text);
CREATE TABLE derived (c integer) INHERITS (base);
CREATE TABLE events (at date NOT NULL, kind text) PARTITION BY RANGE (at);
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE events_rest PARTITION OF events DEFAULT;
CREATE INDEX events_at_idx ON events (at);
CREATE TABLE meetings (room integer, during int4range, CONSTRAINT meetings_once EXCLUDE USING gist (during WITH &&));
CREATE TABLE typed OF address;

CREATE VIEW titles AS SELECT p.id, p.title, p."json" FROM plans p WHERE p.status = 'open' ORDER BY p.made_at;
CREATE VIEW taught WITH (security_barrier) AS
    WITH recent AS (SELECT id, teacher_id FROM plans WHERE made_at > now() - interval '1 day')
    SELECT t."Full name", count(*) AS recent FROM recent JOIN teachers t ON t.id = recent.teacher_id GROUP BY t.id;
CREATE VIEW open_status AS SELECT plans.id, 'open'::plans.status AS open FROM plans WHERE EXISTS
    (SELECT FROM teachers WHERE teachers.id = plans.teacher_id) GROUP BY plans.id HAVING count(*) > 0;
CREATE VIEW both_names AS SELECT title FROM plans UNION ALL SELECT "Full name" FROM teachers;
COMMENT ON VIEW titles IS 'What is open';
CREATE MATERIALIZED VIEW prices AS SELECT teacher_id, sum(price) AS total FROM plans GROUP BY teacher_id;
CREATE UNIQUE INDEX prices_key ON prices (teacher_id);
CREATE RULE keep AS ON DELETE TO both_names DO INSTEAD NOTHING;

CREATE FUNCTION total(plan bigint, tax numeric DEFAULT 0.21) RETURNS numeric LANGUAGE sql STABLE
    SET search_path = plans AS 'select price * (1 + tax) from plans where id = plan';
CREATE FUNCTION titled(wanted text) RETURNS SETOF plans LANGUAGE sql STABLE ROWS 10
    BEGIN ATOMIC SELECT * FROM plans WHERE title = wanted; END;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
begin
    new.made_at := now();
    return new;
end $$;
COMMENT ON FUNCTION touch() IS 'Keeps the time';
REVOKE EXECUTE ON FUNCTION touch() FROM PUBLIC;
CREATE PROCEDURE tidy(INOUT done integer) LANGUAGE sql AS 'select 1';
CREATE AGGREGATE joined(text) (sfunc = textcat, stype = text, initcond = '');
CREATE TRIGGER touched BEFORE UPDATE OF title ON plans FOR EACH ROW WHEN (old.title IS DISTINCT FROM new.title)
    EXECUTE FUNCTION touch();

ALTER TABLE plans ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON plans FOR SELECT TO catalog_user USING (status <> 'draft');
CREATE POLICY writers ON plans AS RESTRICTIVE USING (true) WITH CHECK (price < 100);

CREATE FUNCTION same(a address, b address) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'select a.street = b.street';
CREATE OPERATOR === (leftarg = address, rightarg = address, function = same, commutator = ===);
CREATE FUNCTION written(a address) RETURNS text LANGUAGE sql IMMUTABLE AS 'select a.street';
CREATE CAST (address AS text) WITH FUNCTION written(address) AS ASSIGNMENT;
CREATE TEXT SEARCH DICTIONARY words (template = pg_catalog.simple, accept = false);
CREATE TEXT SEARCH CONFIGURATION search (parser = pg_catalog."default");
ALTER TEXT SEARCH CONFIGURATION search ADD MAPPING FOR asciiword, word WITH words, pg_catalog.simple;
ALTER DEFAULT PRIVILEGES IN SCHEMA plans GRANT SELECT ON TABLES TO catalog_user;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
RESET ROLE;

SET ROLE catalog_super;
CREATE OPERATOR CLASS by_street DEFAULT FOR TYPE address USING hash AS OPERATOR 1 ===;
CREATE FUNCTION plans.watch() RETURNS event_trigger LANGUAGE plpgsql AS 'begin end';
CREATE EVENT TRIGGER watching ON ddl_command_end WHEN tag IN ('DROP TABLE', 'CREATE TABLE') EXECUTE FUNCTION plans.watch();
CREATE PUBLICATION changes FOR TABLE plans.plans, plans.teachers;
RESET ROLE;
RESET search_path;
