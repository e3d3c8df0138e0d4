"""A backfill of ten million rows: against one UPDATE of the whole table at an idle server, and what writers beside it wait.

    benches/run --part backfill         (BACKFILL_ROWS=1000000 for a smaller table; ten million take 12 GB of disk and half an hour)

The UPDATE and the backfill set the same column on equal copies of one database, in turns. The backfill's time is that of the whole
run: its locks, the expand part, every batch with its journal row, the check that no row is left, the contract, the history row.
The writers are pgbench: short updates of single rows at random, at a steady rate, first by themselves and then beside a backfill.
Their waits are told in full: pgbench's latency is from when a transaction was due, so that one that stood in a queue is counted.
"""

import glob
import os
import statistics
import subprocess
import time

ROWS = int(os.environ.get("BACKFILL_ROWS", "10000000"))
CLIENTS, RATE, ALONE_S = 8, 400, 30
SET = "slug = lower(replace(name, ' ', '-'))"
CATALOGUE = """
[project]
name = "backfill"
[environments.development]
url_variable = "DATABASE_URL"
[services.plans-service]
schemas = ["plans"]
"""
TABLE = "CREATE TABLE plans.plans (id bigint PRIMARY KEY, name text NOT NULL, views int NOT NULL DEFAULT 0, slug text);"
WRITERS = f"""\\set id random(1, {ROWS})
\\set what random(1, 4)
\\if :what = 1
UPDATE plans.plans SET name = 'Renamed plan ' || :id WHERE id = :id;
\\else
UPDATE plans.plans SET views = views + 1 WHERE id = :id;
\\endif
"""


def project(work, with_backfill):
    folder = os.path.join(work, "backfill" if with_backfill else "before-backfill")
    files = {"config/services.toml": CATALOGUE, "migrations/plans/1_plans.up.sql": TABLE,
             "migrations/plans/1_plans.down.sql": "DROP TABLE plans.plans;"}
    if with_backfill:
        files["migrations/plans/2_slugs.up.sql"] = (
            "-- part: expand\nALTER TABLE plans.plans ALTER COLUMN slug SET STATISTICS 200;\n"
            f"-- part: backfill\nUPDATE plans.plans SET {SET} WHERE slug IS NULL;\n"
            "-- part: contract\nALTER TABLE plans.plans ALTER COLUMN views SET DEFAULT 1;\n")
        files["migrations/plans/2_slugs.down.sql"] = "UPDATE plans.plans SET slug = NULL;"
    for path, text in files.items():
        os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
        with open(os.path.join(folder, path), "w") as file:
            file.write(text)
    return folder


class Backfill:
    def __init__(self, root, cluster, work):
        self.cluster, self.work = cluster, work
        self.runner = os.path.join(root, "target/bench/release/engine-runner")
        self.project = project(work, True)
        cluster.sql("CREATE DATABASE backfill_full;")
        self.run(project(work, False), "backfill_full")
        cluster.sql(f"INSERT INTO plans.plans SELECT n, 'The plan number ' || n FROM generate_series(1, {ROWS}) n;\n"
                    "VACUUM (ANALYZE, FREEZE) plans.plans;", "backfill_full")

    def run(self, folder, database):
        began = time.monotonic()
        done = subprocess.run([self.runner, "run", folder, self.cluster.url(database)], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"the backfill: {done.stdout}{done.stderr}")
        return time.monotonic() - began

    def once(self, kind):
        self.cluster.fresh("backfill_now", "backfill_full")
        if kind == "backfill":
            took = self.run(self.project, "backfill_now")
        else:
            began = time.monotonic()
            self.cluster.sql(f"UPDATE plans.plans SET {SET} WHERE slug IS NULL;", "backfill_now")
            took = time.monotonic() - began
        left = self.cluster.sql("SELECT count(*) FROM plans.plans WHERE slug IS NULL;", "backfill_now")
        if left != ["0"]:
            raise SystemExit(f"{kind} has left rows: {left}")
        self.cluster.sql("DROP DATABASE backfill_now;")
        return took

    def writers(self, seconds, beside=None):
        """Latencies of the writers, in milliseconds; beside a backfill those that were due while it ran."""
        script, logs = os.path.join(self.work, "writers.sql"), os.path.join(self.work, "latencies")
        with open(script, "w") as file:
            file.write(WRITERS)
        for old in glob.glob(logs + ".*"):
            os.remove(old)
        command = [os.path.join(self.cluster.bin, "pgbench"), "-n", "-f", script, "-c", str(CLIENTS), "-j", "2", "-R", str(RATE),
                   "-T", str(seconds), "-l", "--log-prefix", logs, self.cluster.url("backfill_now")]
        bench = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        took = None
        if beside:
            time.sleep(2)
            began = time.time()
            took = beside()
            ended = time.time()
            bench.terminate()
        told = bench.communicate()[1]
        if not beside and bench.returncode:
            raise SystemExit(f"pgbench: {told}")
        waits = []
        for path in glob.glob(logs + ".*"):
            with open(path) as file:
                for line in file:
                    fields = line.split()
                    # client, transaction, latency in us, script, seconds, microseconds, lag
                    if len(fields) < 6 or not fields[2].isdigit():
                        continue
                    end = int(fields[4]) + int(fields[5]) / 1e6
                    if not beside or began <= end <= ended:
                        waits.append(int(fields[2]) / 1e3)
        waits.sort()
        if len(waits) < 100:
            raise SystemExit(f"the writers did almost nothing: {len(waits)} transactions; {told}")
        at = lambda share: waits[min(int(len(waits) * share), len(waits) - 1)]
        return {"transactions": len(waits), "p50_ms": at(0.5), "p99_ms": at(0.99), "p999_ms": at(0.999), "max_ms": waits[-1], "took_s": took}

    def beside_writers(self):
        self.cluster.fresh("backfill_now", "backfill_full")
        alone = self.writers(ALONE_S)
        beside = self.writers(24 * 3600, beside=lambda: self.run(self.project, "backfill_now"))
        stale = self.cluster.sql("SELECT count(*) FROM plans.plans WHERE slug IS NULL;", "backfill_now")
        if stale != ["0"]:
            raise SystemExit(f"rows are left beside the writers: {stale}")
        self.cluster.sql("DROP DATABASE backfill_now;")
        return alone, beside


def measure(root, cluster, work, rounds):
    backfill = Backfill(root, cluster, work)
    times = {"update": [], "backfill": []}
    for number in range(rounds):
        for kind in (("update", "backfill") if number % 2 else ("backfill", "update")):
            times[kind].append(backfill.once(kind))
            print(f"  {number}: {kind} {times[kind][-1]:.1f} s", flush=True)
    alone, beside = backfill.beside_writers()
    cluster.sql("DROP DATABASE backfill_full;")
    ratios = [b / u for b, u in zip(times["backfill"], times["update"])]
    return {"rows": ROWS, "update_s": times["update"], "backfill_s": times["backfill"], "ratio": statistics.median(ratios),
            "clients": CLIENTS, "rate": RATE, "alone": alone, "beside": beside, "budget_ms": 1_000}
