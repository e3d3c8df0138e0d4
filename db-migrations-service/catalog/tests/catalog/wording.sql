-- Definitions of every shape, to see whether the servers' wordings are evened out.
CREATE SCHEMA c AUTHORIZATION catalog_owner;
SET ROLE catalog_owner;
SET search_path = c;
CREATE TABLE t (id int PRIMARY KEY, a text, b int NOT NULL DEFAULT 3, d timestamptz DEFAULT '2020-01-01 00:00+00',
    "user" text, "json" text, arr int[], "Upper" text);
CREATE TABLE u (id int PRIMARY KEY, t_id int REFERENCES t, x numeric);
CREATE TYPE c AS ENUM ('c');
CREATE FUNCTION t(x int) RETURNS int LANGUAGE sql AS 'select 1';
CREATE VIEW v01 AS SELECT id, a FROM t;
CREATE VIEW v02 AS SELECT id, a FROM t WHERE b > 1 ORDER BY id LIMIT 3;
CREATE VIEW v03 AS SELECT t.id, u.x FROM t JOIN u ON u.t_id = t.id;
CREATE VIEW v04 AS SELECT * FROM t LEFT JOIN u USING (id);
CREATE VIEW v05 AS SELECT a, count(*) n, sum(b) FILTER (WHERE b > 2) FROM t GROUP BY a HAVING count(*) > 1;
CREATE VIEW v06 AS SELECT 1 AS one UNION ALL SELECT id FROM t;
CREATE VIEW v07 AS WITH w AS (SELECT id, a FROM t) SELECT a FROM w;
CREATE VIEW v08 AS SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.t_id = t.id);
CREATE VIEW v09 AS SELECT a, row_number() OVER (PARTITION BY a ORDER BY b) FROM t;
CREATE VIEW v10 AS SELECT x.y FROM (SELECT id AS y FROM t) x;
CREATE VIEW v11 AS SELECT g FROM generate_series(1, 3) g;
CREATE VIEW v12 AS SELECT * FROM (VALUES (1, 'a'), (2, 'b')) k(n, s);
CREATE VIEW v13 AS SELECT extract(year FROM d) f1, trim(BOTH FROM a) f2, substring(a FROM 1 FOR 2) f3,
    position('a' IN a) f4, coalesce(a, 'x') f5, CASE WHEN b = 1 THEN 'one' ELSE 'x' END f6, a LIKE 'x%' f7, a ~ 'y' f8,
    b BETWEEN 1 AND 3 f9, b IN (1, 2) f10, b::text f11, d AT TIME ZONE 'UTC' f12, current_timestamp f13, current_user f14,
    overlay(a PLACING 'b' FROM 1) f15, nullif(b, 1) f16, greatest(b, 2) f17, interval '1 day' f18, -1 f19, 1.5 f20,
    true f21, null::int f22, row(a, b) = row('x', 1) f23, array[1, 2] f24, arr[1] f25, arr[1:2] f26, E'a\\b''c  "json"' f27 FROM t;
CREATE VIEW v14 AS SELECT DISTINCT ON (a) a, b FROM t ORDER BY a, b DESC NULLS LAST;
CREATE VIEW v15 AS SELECT a FROM t GROUP BY GROUPING SETS ((a), ());
CREATE VIEW v16 AS WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT n FROM r;
CREATE VIEW v17 AS SELECT t.*, l.* FROM t CROSS JOIN LATERAL (SELECT x FROM u WHERE u.t_id = t.id LIMIT 1) l;
CREATE VIEW v18 AS SELECT "user", "json", "Upper" FROM t;
CREATE VIEW v19 AS SELECT a, b FROM t ORDER BY b FETCH FIRST 3 ROWS WITH TIES;
CREATE VIEW v20 AS SELECT t1.id FROM t t1, t t2 WHERE t1.id = t2.b;
CREATE VIEW v21 AS SELECT count(*) OVER w FROM t WINDOW w AS (PARTITION BY a);
CREATE VIEW v22 AS SELECT id FROM t WHERE b = ANY (array[1, 2]) AND a IN (SELECT 'x');
CREATE VIEW v23 AS SELECT (SELECT max(x) FROM u) m, id FROM t q;
CREATE VIEW v24 AS SELECT to_char(d, 'x') FROM t WHERE d > now() - interval '1 day' FOR UPDATE;
CREATE VIEW v25 AS SELECT a, b + 1 AS c1, count(*) FROM t GROUP BY 1, 2;
CREATE VIEW v26 AS SELECT a || 'x' AS k, count(*) FROM t GROUP BY a || 'x' ORDER BY 2;
CREATE VIEW v27 AS SELECT c.t(t.b) AS f, 'c'::c.c AS e, c.t(t.id) AS g FROM t t(id) CROSS JOIN (SELECT 1) one;
CREATE VIEW v28 AS TABLE t;
CREATE VIEW v29 AS SELECT id FROM ONLY t;
CREATE VIEW v30 AS SELECT a COLLATE "C", string_agg(a, ',' ORDER BY b), percentile_cont(0.5) WITHIN GROUP (ORDER BY b),
    (t).id, t AS whole FROM t GROUP BY a, t.id;
CREATE VIEW v31 AS SELECT j.* FROM json_to_recordset('[]') AS j(a int, b text);
CREATE VIEW v32 AS SELECT id FROM t TABLESAMPLE system(10) REPEATABLE (3);
CREATE VIEW v33 AS SELECT a, grouping(a), sum(b) FROM t GROUP BY rollup(a);
CREATE VIEW v34 AS SELECT v01.id FROM v01 NATURAL JOIN u;
CREATE VIEW v35 AS SELECT t.id FROM t FULL JOIN u ON true WHERE (t.b, u.id) = (1, 2) AND NOT (t.b IS NULL)
    AND t.a IS DISTINCT FROM 'x';
CREATE VIEW v36 AS (SELECT id FROM t EXCEPT SELECT id FROM u) INTERSECT SELECT 1 ORDER BY 1;
CREATE VIEW v37 AS SELECT c.t(c.b), 'c'::c.c AS e, c."Upper" FROM t c;
CREATE VIEW v38 AS SELECT "T".id FROM t "T" WHERE "T".b > 0;
CREATE VIEW v39 AS SELECT g.n, g.ordinality FROM unnest(array[1]) WITH ORDINALITY g(n);
CREATE VIEW v40 AS SELECT r.* FROM ROWS FROM (generate_series(1, 2), generate_series(1, 3)) r(x, y);
CREATE VIEW v41 AS SELECT CASE WHEN (SELECT t.b FROM u LIMIT 1) > 1 THEN t.a END AS k FROM t;
CREATE VIEW v42 AS SELECT x.n FROM (SELECT count(*) AS n FROM t HAVING count(*) > 0) x ORDER BY x.n;
CREATE VIEW v43 AS WITH a AS (SELECT 1 AS n), b AS MATERIALIZED (SELECT n FROM a) SELECT b.n FROM b WHERE b.n IN (SELECT a.n FROM a);
CREATE VIEW v44 AS SELECT id FROM t WHERE a = 'FROM t WHERE (SELECT' OR a = ')';
CREATE RULE r1 AS ON INSERT TO v03 DO INSTEAD INSERT INTO u (id, x) VALUES (new.id, new.x) RETURNING id, x;
CREATE RULE r2 AS ON UPDATE TO v03 DO ALSO (UPDATE u SET x = new.x WHERE id = old.id; DELETE FROM u WHERE id = new.id);
CREATE FUNCTION f1(x int, OUT y int) LANGUAGE sql BEGIN ATOMIC SELECT x + b FROM t WHERE id = f1.x LIMIT 1; END;
CREATE FUNCTION f2(a text DEFAULT 'x', VARIADIC b int[] DEFAULT array[1]) RETURNS text LANGUAGE sql STABLE RETURN a;
ALTER TABLE t ADD CHECK (b > 0 AND a <> ALL (array['x', 'y'])), ADD CHECK ("user" ~~ 'a%' OR "json" IS NULL),
    ADD CONSTRAINT ex EXCLUDE USING gist (int4range(id, b) WITH &&) WHERE (b > 3);
CREATE INDEX i1 ON t (lower(a) text_pattern_ops DESC, b) INCLUDE (d) WHERE a IS NOT NULL AND "json" <> '';
CREATE INDEX i2 ON t ((b + 1), coalesce(a, 'x'::text));
CREATE POLICY p ON t USING (id IN (SELECT t_id FROM u WHERE u.x > t.b) AND current_setting('app.x', true)::int = b);
CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'begin return new; end';
CREATE TRIGGER tr BEFORE UPDATE OF a ON t FOR EACH ROW WHEN (old.a IS DISTINCT FROM new.a) EXECUTE FUNCTION tf('q');
CREATE TRIGGER whole AFTER INSERT ON t REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION tf();
CREATE CONSTRAINT TRIGGER late AFTER DELETE ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION tf();
CREATE TABLE g (a int, b int GENERATED ALWAYS AS (a * 2) STORED, c int GENERATED BY DEFAULT AS IDENTITY,
    d timestamptz DEFAULT now(), e text DEFAULT 'a' || current_user, f date DEFAULT ('now'::text)::date,
    h uuid DEFAULT gen_random_uuid(), i int DEFAULT -1, j float8 DEFAULT 0.1, k interval DEFAULT '1 day 02:00',
    l "char" DEFAULT 'x', m bytea DEFAULT '\x00', n date DEFAULT '2024-02-01', o money);
CREATE STATISTICS st ON a, (b + 1) FROM t;
CREATE TABLE pt (a int, b date) PARTITION BY RANGE (a, (a + 1));
CREATE TABLE pt1 PARTITION OF pt FOR VALUES FROM (1, minvalue) TO (10, 3);
CREATE TABLE pl (a text) PARTITION BY LIST (lower(a));
CREATE TABLE pl1 PARTITION OF pl FOR VALUES IN ('a', NULL);
CREATE TABLE ph (a int) PARTITION BY HASH (a);
CREATE TABLE ph1 PARTITION OF ph FOR VALUES WITH (modulus 4, remainder 1);
CREATE TABLE referenced (a int PRIMARY KEY) PARTITION BY RANGE (a);
CREATE TABLE referenced1 PARTITION OF referenced FOR VALUES FROM (0) TO (5);
CREATE TABLE referencing (a int REFERENCES referenced) PARTITION BY RANGE (a);
CREATE TABLE referencing1 PARTITION OF referencing FOR VALUES FROM (0) TO (5);
CREATE TRIGGER tr BEFORE UPDATE ON referencing FOR EACH ROW EXECUTE FUNCTION tf();
CREATE DOMAIN dm AS text COLLATE "C" DEFAULT 'x' CHECK (VALUE ~ 'a' AND length(VALUE) BETWEEN 1 AND 3);
RESET ROLE;
