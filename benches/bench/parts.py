"""What is measured: applying, nothing pending, counts, clones. Rounds are interleaved, each on a fresh database."""

import json
import os
import statistics
import subprocess
import sys
import time

from . import measure, proxy, sets
from .contestants import Contestant

# How the names of the tools' own tables begin, which some keep in the schema public.
HISTORIES = ("_sqlx_|refinery_|schema_migrations|alembic_|__diesel_|_yoyo_|yoyo_|pgmigrations|databasechangelog")


class Bench:
    def __init__(self, root, cluster, contestants, work, rounds):
        self.root, self.cluster, self.work, self.rounds = root, cluster, work, rounds
        self.contestants = contestants
        self.sets, self.databases = {}, 0
        self.runner = os.path.join(root, "target/bench/release/engine-runner")

    def make_set(self, name):
        if name not in self.sets:
            if name == "platform":
                project = os.path.join(self.root, "db-migrations-service")
                order = sets.platform_order(self.runner, project, self.cluster.url("postgres"))
                made = sets.platform(self.work, project, order)
            else:
                made = sets.generated(self.work, int(name))
            self.sets[name] = made
            self.prepare(made)
        return self.sets[name]

    def prepare(self, chosen):
        """Roles, schemas, grants and the history tables stand in a template, so that nobody is timed making them."""
        template = f"prepared_{chosen.name}"
        self.cluster.sql(f"CREATE DATABASE {template};")
        done = subprocess.run([self.runner, "run", chosen.write_bare(), self.cluster.url(template)], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"preparing {chosen.name}: {done.stderr}")
        self.cluster.sql("DELETE FROM migration_service.history; TRUNCATE migration_service.audit_entry, migration_service.audit_chain;",
                         template)
        self.cluster.sql("VACUUM ANALYZE;", template)
        # Profe finds its event triggers as any target has them that it has seen before; nobody else pays for them.
        self.cluster.sql(f"CREATE DATABASE audited_{chosen.name} TEMPLATE {template};")
        self.cluster.sql("DO $$ DECLARE t text; BEGIN FOR t IN SELECT evtname FROM pg_event_trigger LOOP"
                         " EXECUTE format('DROP EVENT TRIGGER %I', t); END LOOP; END $$;", template)
        self.cluster.sql("VACUUM ANALYZE;", template)

    def fresh(self, chosen, audited):
        self.databases += 1
        name = f"bench_{self.databases}"
        self.cluster.fresh(name, f"{'audited' if audited else 'prepared'}_{chosen.name}")
        return name

    def once(self, contestant, chosen, database=None, port=None):
        database = database or self.fresh(chosen, contestant.audited)
        if contestant.audited is False:
            # The audit is not installed where somebody else than a superuser owns its schema.
            self.cluster.sql("DO $$ BEGIN CREATE ROLE bench_nobody; EXCEPTION WHEN duplicate_object THEN NULL; END $$;"
                             " ALTER SCHEMA migration_service OWNER TO bench_nobody;", database)
        url = self.cluster.url(database, port)
        return database, measure.run(self.root, contestant, contestant.command(chosen, url), url, contestant.folder(chosen))

    def made(self, chosen, database):
        """The relations in the set's schemas, as a count and a hash, without the tools' own."""
        schemas = ",".join(sorted({f"'{m.schema}'" for m in chosen.migrations}))
        return self.cluster.sql(
            "SELECT count(*), md5(string_agg(format('%s.%s %s', relnamespace::regnamespace, relname, relkind), ','"
            " ORDER BY relnamespace::regnamespace::text, relname))"
            f" FROM pg_class WHERE relnamespace::regnamespace::text IN ({schemas}) AND relname !~ '^({HISTORIES})';", database)

    def check(self, contestant, chosen, database):
        """The schema that came out must be the same for everybody."""
        found = self.made(chosen, database)
        chosen.expected = chosen.expected or found
        if found != chosen.expected:
            raise SystemExit(f"{contestant.name} left another schema than the first contestant: {found} against {chosen.expected}")

    def apply(self, chosen_sets, keys=None):
        taking_part = [c for c in self.contestants if c.installed and (keys is None or c.key in keys)]
        answer = {}
        for chosen in chosen_sets:
            count = len(chosen.migrations)
            here = [c for c in taking_part if c.largest is None or count <= c.largest]
            samples = {c.key: [] for c in here}
            for round_number in range(self.rounds + 1):
                # Each round begins with another one, so that nobody always comes after the same neighbour.
                turn = round_number % len(here)
                for contestant in here[turn:] + here[:turn]:
                    database, outcome = self.once(contestant, chosen)
                    self.check(contestant, chosen, database)
                    if round_number:  # the first round warms up
                        samples[contestant.key].append(outcome)
                    say(f"{chosen.name} {round_number} {contestant.key}: {outcome.wall_ms:.0f} ms, applying {outcome.applying_ms or 0:.0f}, {outcome.rss_mib:.1f} MiB")
                if count > 500:
                    time.sleep(3)
            answer[chosen.name] = {"title": chosen.title, "count": count, "rows": [
                {"key": c.key, "name": c.name, **summary(samples[c.key])} if c.key in samples and samples[c.key]
                else {"key": c.key, "name": c.name, "absent": "not installed" if not c.installed else "not measured at this size"}
                for c in self.contestants if keys is None or c.key in keys]}
        return answer

    def nothing(self, chosen):
        """Whole processes that find nothing to do, against one that connects and reads the history."""
        limit = next((c for c in self.contestants if c.key == "limit"), None)
        runs, migrated = [], None
        for contestant in [c for c in self.contestants if c.nothing and c.installed]:
            database, _ = self.once(contestant, chosen)
            migrated = database if contestant.key == "engine" else migrated
            command = contestant.command(chosen, self.cluster.url(database))
            runs.append((contestant.key, contestant.name, contestant, command, database, contestant.folder(chosen)))
        if limit and migrated:
            url = self.cluster.url(migrated)
            reader = Contestant("read", "libpq: connects, reads the history", limit.program, None)
            runs.insert(0, ("read", reader.name, reader, [limit.program, "read", url], migrated, None))
        self.cluster.sql("CHECKPOINT;")
        samples = {key: [] for key, *_ in runs}
        for round_number in range(max(20, self.rounds * 4) + 2):
            for key, _, contestant, command, database, folder in runs:
                outcome = measure.run(self.root, contestant, command, self.cluster.url(database), folder)
                if round_number >= 2:
                    samples[key].append(outcome)
        return {"title": chosen.title, "count": len(chosen.migrations),
                "rows": [{"key": key, "name": name, **summary(samples[key])} for key, name, *_ in runs]}

    def rollback(self, chosen):
        """All of the set is applied by each tool, which then takes all of it back; only that is timed."""
        able = [c for c in self.contestants if c.installed and c.back and (c.largest is None or len(chosen.migrations) <= c.largest)]
        samples = {c.key: [] for c in able}
        for round_number in range(self.rounds + 1):
            turn = round_number % len(able)
            for contestant in able[turn:] + able[:turn]:
                database, _ = self.once(contestant, chosen)
                self.check(contestant, chosen, database)
                self.cluster.sql("CHECKPOINT;")
                url, folder = self.cluster.url(database), contestant.folder(chosen)
                outcome = measure.run(self.root, contestant, contestant.back(chosen, url), url, folder)
                left = self.made(chosen, database)[0]
                if not left.startswith("0|"):
                    raise SystemExit(f"{contestant.name} left relations behind: {left}")
                if round_number:
                    samples[contestant.key].append(outcome)
                else:
                    # Who has taken all back, in its history too, can apply all again.
                    measure.run(self.root, contestant, contestant.command(chosen, url), url, folder)
                    self.check(contestant, chosen, database)
                say(f"back {chosen.name} {round_number} {contestant.key}: {outcome.wall_ms:.0f} ms, taking back {outcome.applying_ms or 0:.0f}, {outcome.rss_mib:.1f} MiB")
        return {"title": chosen.title, "count": len(chosen.migrations), "rows": [
            {"key": c.key, "name": c.name, **summary(samples[c.key])} if c.key in samples
            else {"key": c.key, "name": c.name, "absent": "not installed" if not c.installed else "has no way back"}
            for c in self.contestants]}

    def count(self):
        """Messages, turnarounds and flushes for each further migration: the difference between 40 and 200 of them."""
        small, large = self.make_set("40"), self.make_set("200")
        quiet = {"wal_writer_delay": "'10s'", "autovacuum": "off", "checkpoint_timeout": "'1h'"}
        for name, value in quiet.items():
            self.cluster.sql(f"ALTER SYSTEM SET {name} = {value};")
        self.cluster.sql("SELECT pg_reload_conf();")
        time.sleep(0.5)
        rows = []
        for contestant in self.contestants:
            if not contestant.installed:
                rows.append({"key": contestant.key, "name": contestant.name, "absent": "not installed"})
                continue
            found = []
            for chosen in (small, large):
                database = self.fresh(chosen, contestant.audited)
                counting = proxy.Counting(self.cluster.port)
                self.cluster.wal_syncs()
                self.cluster.sql("SELECT pg_stat_reset_shared('wal');")
                before = self.cluster.wal_syncs()
                self.once(contestant, chosen, database, counting.port)
                flushes = self.cluster.wal_syncs() - before
                counting.close()
                found.append({"turnarounds": counting.turnarounds, "flushes": flushes, "sessions": counting.sessions, **counting.messages})
            step = len(large.migrations) - len(small.migrations)
            each = {key: (found[1].get(key, 0) - found[0].get(key, 0)) / step for key in sorted(set(found[0]) | set(found[1]))}
            rows.append({"key": contestant.key, "name": contestant.name, "each": each, "of_40": found[0], "of_200": found[1]})
            say(f"count {contestant.key}: {each} {found}")
        for name in quiet:
            self.cluster.sql(f"ALTER SYSTEM RESET {name};")
        self.cluster.sql("SELECT pg_reload_conf();")
        return rows

    def prove(self, chosen):
        """The whole set through every gate, rehearsal included, on an empty database."""
        taken = []
        for _ in range(3):
            done = subprocess.run([self.runner, "validate", chosen.project, self.cluster.url("postgres")], capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(done.stderr)
            taken.append(json.loads(done.stdout))
            say(f"prove {chosen.name}: {taken[-1]}")
        taken.sort(key=lambda t: t["total_ms"])
        return {"title": chosen.title, **taken[1]}

    def clone(self, chosen, count=40):
        done = subprocess.run([self.runner, "clone", chosen.project, self.cluster.url("postgres"), str(count)], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)
        times = sorted(json.loads(done.stdout)["clone_ms"])
        return {"count": count, "median_ms": statistics.median(times), "least_ms": times[0], "most_ms": times[-1],
                "p90_ms": times[int(len(times) * 0.9)]}


def summary(outcomes):
    answer = {"wall_ms": statistics.median(o.wall_ms for o in outcomes), "cpu_ms": statistics.median(o.cpu_ms for o in outcomes),
              "rss_mib": max(o.rss_mib for o in outcomes), "walls_ms": [round(o.wall_ms, 1) for o in outcomes]}
    applying = [o.applying_ms for o in outcomes if o.applying_ms is not None]
    if applying:
        answer.update(applying_ms=statistics.median(applying), applyings_ms=[round(a, 1) for a in applying])
    for name in ("opened_ms", "planned_ms"):
        values = [o.printed[name] for o in outcomes if name in o.printed]
        if values:
            answer[name] = statistics.median(values)
    return answer


def say(text):
    print(f"  {text}", flush=True, file=sys.stderr)
