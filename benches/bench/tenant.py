"""What row level security by the data door costs: a read by id as the caller, beside pgbench's plain prepared select of the row.

Both have 8 clients and take turns on one server, on the same processors as it. pgbench signs in as the superuser, whom no policy
concerns; ours does for each read what a request does: it writes the claims, takes a session, and sends BEGIN, role and claims, the
statement and COMMIT.
"""

import json
import os
import statistics
import subprocess
import sys

CLIENTS, SECONDS, ROWS = 8, 5, 16
READ = "SELECT id, name, email FROM organizations.organizations WHERE id = :id{0};\n"


def say(text):
    print(f"  {text}", flush=True, file=sys.stderr)


def prepare(root, cluster):
    """The platform as migrated, ten thousand schools, and a password for the service's own role; answers ids of some."""
    cluster.sql("DROP DATABASE IF EXISTS tenants;\nCREATE DATABASE tenants;")
    engine = os.path.join(root, "target/bench/release/engine-runner")
    done = subprocess.run([engine, "run", os.path.join(root, "db-migrations-service"), cluster.url("tenants")], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"preparing the platform: {done.stderr}")
    cluster.sql("INSERT INTO organizations.organizations (name, email) SELECT 'School ' || n, n || '@escuela.example'"
                " FROM generate_series(1, 10000) n;\nVACUUM ANALYZE organizations.organizations;\n"
                f"ALTER ROLE organizations_service PASSWORD '{cluster.password}';\nCHECKPOINT;", "tenants")
    return cluster.sql(f"SELECT id FROM organizations.organizations ORDER BY id LIMIT {ROWS};", "tenants")


def pgbench(cluster, scripts, ids):
    command = [os.path.join(cluster.bin, "pgbench"), "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "2", "-T", str(SECONDS)]
    for number, id in enumerate(ids):
        command += ["-D", f"id{number}={id}", "-f", scripts[number]]
    done = subprocess.run(command + [cluster.url("tenants")], capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.split("\n") if line.startswith("tps = "))
    return float(line.split()[2])


def measure(root, cluster, work, rounds=3):
    """Reads in a second of either, taking turns; the first round of each warms up."""
    ids = prepare(root, cluster)
    scripts = []
    for number in range(len(ids)):
        scripts.append(os.path.join(work, f"tenant-{number}.sql"))
        with open(scripts[-1], "w") as file:
            file.write(READ.format(number))
    runner = os.path.join(root, "target/bench/release/tenant-runner")
    url = cluster.url("tenants").replace("//postgres:", "//organizations_service:")
    plain, guarded = [], []
    for number in range(rounds + 1):
        rate = pgbench(cluster, scripts, ids)
        done = subprocess.run([runner, url, str(CLIENTS), str(SECONDS), ",".join(ids)], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)
        ours = json.loads(done.stdout)
        say(f"tenant {number}: pgbench {rate:.0f}/s, guarded {ours['per_second']:.0f}/s ({ours['per_second'] / rate:.2f}), {ours}")
        if number:
            plain.append(rate)
            guarded.append(ours)
    ratios = [ours["per_second"] / rate for ours, rate in zip(guarded, plain)]
    return {"clients": CLIENTS, "rounds": rounds, "plain_per_s": round(statistics.median(plain)),
            "guarded_per_s": round(statistics.median(ours["per_second"] for ours in guarded)),
            "ratio": round(statistics.median(ratios), 2), "p50_us": statistics.median(ours["p50_us"] for ours in guarded),
            "p99_us": statistics.median(ours["p99_us"] for ours in guarded)}
