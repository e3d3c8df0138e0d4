"""A fleet of 1,000 small databases on two servers, one migration forward, against the same DDL by parallel libpq sessions.

    benches/run --part fleet        (cargo build --release -p profe first; FLEET=100 for fewer databases; about 8 MB of disk each)

Both do the same statement in a transaction in every database, so many sessions at once on each server. Profe finds its databases,
reads each one's history, takes its locks, records the migration and what it did, and takes it back again between two rounds. The
sessions of the limit do none of that. They have two turns of a round: in the databases as they are, whose audit writes down whatever
anybody does there, and "spared": with the audit's triggers switched off, as nobody would leave them.
"""

import os
import statistics
import subprocess
import time

from .cluster import Cluster

DATABASES = int(os.environ.get("FLEET", "1000"))
SESSIONS = 4
CATALOGUE = """
[project]
name = "fleet"
[environments.development]
url_variable = "DATABASE_URL"
[services.tenant-service]
schemas = ["tenant"]
[fleets.tenants]
service = "tenant-service"
environment = "development"
servers = ["SERVER_ONE", "SERVER_TWO"]
match = "tenant\\\\_%"
wave = 250
per_server = {sessions}
"""
COLUMN = "ALTER TABLE tenant.account ADD COLUMN note text"
BACK = "ALTER TABLE tenant.account DROP COLUMN note"
# They fire whatever a session sets, so it takes this to go without; a run would find it, and put it right.
TRIGGERS = "ALTER EVENT TRIGGER migration_service_audit {0}; ALTER EVENT TRIGGER migration_service_audit_drops {0}"


def project(work):
    folder = os.path.join(work, "fleet")
    files = {
        "config/services.toml": CATALOGUE.format(sessions=SESSIONS),
        "migrations/tenant/1_create_account.up.sql": "CREATE TABLE tenant.account (id bigint PRIMARY KEY, name text NOT NULL);",
        "migrations/tenant/1_create_account.down.sql": "DROP TABLE tenant.account;",
        "migrations/tenant/2_add_note.up.sql": COLUMN + ";",
        "migrations/tenant/2_add_note.down.sql": BACK + ";",
    }
    for path, text in files.items():
        os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
        with open(os.path.join(folder, path), "w") as file:
            file.write(text)
    return folder


def measure(root, first, work, rounds):
    """`first` is one of the two servers."""
    profe = os.path.join(root, "target/release/profe")
    limit = os.path.join(root, "target/bench/peers/fleet_limit")
    folder = project(work)
    with Cluster() as second:
        servers = [first, second]
        names = []
        variables = dict(os.environ, DATABASE_URL=first.url("fleet_master"), SERVER_ONE=first.url("postgres"),
                         SERVER_TWO=second.url("postgres"), MIGRATION_SERVICE_LOG_LEVEL="warn")
        first.sql("CREATE DATABASE fleet_master;")

        def fleet(*arguments):
            begun = time.monotonic()
            done = subprocess.run([profe, "--project", folder, "fleet", *arguments, "--output", "json"], env=variables,
                                  cwd=work, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(f"profe fleet {' '.join(arguments)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
            return time.monotonic() - begun

        # One database of each server is migrated, and copied: a thousand that were made by runs take ten times as long.
        for server in servers:
            server.sql("CREATE DATABASE tenant_0000;")
        fleet("run", "tenants", "--to", "tenant/1")
        for server in servers:
            for at in range(1, DATABASES // 2):
                server.sql(f"CREATE DATABASE tenant_{at:04} TEMPLATE tenant_0000 STRATEGY file_copy;")
            names.append([f"tenant_{at:04}" for at in range(DATABASES // 2)])
            server.sql("CHECKPOINT;")
        listed = os.path.join(work, "fleet.databases")
        with open(listed, "w") as file:
            file.write("\n\n".join("\n".join(map(server.url, of_one)) for server, of_one in zip(servers, names)))

        def bare(message):
            begun = time.monotonic()
            subprocess.run([limit, listed, f"BEGIN; {message}; COMMIT", str(SESSIONS)], check=True)
            return time.monotonic() - begun

        def ours():
            took = fleet("run", "tenants")
            fleet("rollback", "tenants", "--steps", "1")
            return took

        def sessions():
            took = bare(COLUMN)
            bare(BACK)
            return took

        def spared():
            bare(TRIGGERS.format("DISABLE"))
            took = sessions()
            bare(TRIGGERS.format("ENABLE ALWAYS"))
            return took

        turns = {"profe_s": ours, "limit_s": sessions, "spared_s": spared}
        measured = {name: [] for name in turns}
        for turn in range(rounds + 1):
            for name in list(turns) if turn % 2 else reversed(turns):
                took = turns[name]()
                # The first round warms up.
                if turn:
                    measured[name].append(took)
    middle = {name: statistics.median(times) for name, times in measured.items()}
    return {"databases": DATABASES, "sessions": SESSIONS, **measured, "ratio": middle["profe_s"] / middle["limit_s"],
            "spared_ratio": middle["profe_s"] / middle["spared_s"]}
