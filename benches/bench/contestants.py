"""Who takes part, and how each is called for a set and a database."""

import datetime
import json
import os


class Contestant:
    """`name` as the table shows it; `command(set, url)` what is run; `times` reads what it printed about its own times."""

    def __init__(self, key, name, program, command, environment=None, times=None, largest=None, nothing=True, audited=None):
        self.key, self.name, self.program, self.command = key, name, program, command
        self.environment = environment or (lambda url: {})
        self.times = times or (lambda printed: {})
        self.largest = largest  # measured on sets of at most so many migrations: more would only take time
        self.nothing = nothing  # can be started with nothing pending
        self.audited = audited  # with the audit's event triggers (True), with the audit refused (False), without knowing of it (None)
        self.installed = os.path.exists(program)


def last_line(printed):
    return json.loads(printed.strip().split("\n")[-1])


def from_events(printed):
    """From the first migration's start to the last one's end, by the times in the command line's events."""
    first = last = None
    for line in printed.splitlines():
        said = json.loads(line)
        kind = said.get("event", {}).get("type")
        if kind in ("migration_started", "migration_finished"):
            # Nine digits of a second are more than Python reads.
            at = datetime.datetime.fromisoformat(said["at"].split(".")[0].rstrip("Z")).timestamp()
            at += float("0." + said["at"].split(".")[1].rstrip("Z")) if "." in said["at"] else 0
            first, last = (at if first is None else first), (at if kind == "migration_finished" else last)
    return {"applying_ms": (last - first) * 1_000 if last else 0.0}


def all_contestants(root, cluster):
    peers = os.path.join(root, "target/bench/peers")
    tools = os.environ.get("TOOLS_PEERS", os.path.join(root, "target/tools-peers"))
    runner = os.path.join(root, "target/bench/release/engine-runner")
    profe = os.environ.get("PROFE", os.path.join(root, "target/release/profe"))
    limit = os.path.join(peers, "limit")
    dbmate = os.path.join(tools, "node_modules/@dbmate/linux-x64/bin/dbmate")
    alembic = os.path.join(tools, "alembic/bin/alembic")
    sqlx, refinery = os.path.join(tools, "bin/sqlx"), os.path.join(tools, "bin/refinery")
    psql = cluster.psql
    each = 'for f in "$2"/*.sql; do "$0" -Xq1 -v ON_ERROR_STOP=1 -f "$f" "$1" || exit 1; done'
    return [
        Contestant("limit", "the limit (libpq, one message each)", limit,
                   lambda s, u: [limit, "apply", u, s.path("messages")], times=last_line, nothing=False),
        Contestant("engine", "Profe's engine", runner, lambda s, u: [runner, "run", s.project, u], times=last_line,
                   audited=True),
        Contestant("engine-unaudited", "Profe's engine without its audit", runner, lambda s, u: [runner, "run", s.project, u],
                   times=last_line, nothing=False, audited=False),
        Contestant("profe", "profe migrate run", profe,
                   lambda s, u: [profe, "--project", s.project, "--output", "json", "migrate", "run"],
                   environment=lambda u: {"DATABASE_URL": u}, times=from_events, audited=True),
        Contestant("psql", "psql, one session and file", psql,
                   lambda s, u: [psql, "-Xq", "-v", "ON_ERROR_STOP=1", "-f", s.path("one.sql"), u], nothing=False),
        Contestant("psql-each", "psql, one process per file", psql,
                   lambda s, u: ["sh", "-c", each, psql, u, s.path("psql")], largest=200, nothing=False),
        Contestant("sqlx", "sqlx-cli 0.9", sqlx,
                   lambda s, u: [sqlx, "migrate", "run", "--no-dotenv", "--source", s.path("sqlx"), "-D", u]),
        Contestant("refinery", "refinery_cli 0.10", refinery,
                   lambda s, u: [refinery, "migrate", "-e", "DATABASE_URL", "-p", s.path("refinery")],
                   environment=lambda u: {"DATABASE_URL": u}),
        Contestant("dbmate", "dbmate 2", dbmate,
                   lambda s, u: [dbmate, "--url", u, "-d", s.path("dbmate"), "--no-dump-schema", "migrate"]),
        Contestant("alembic", "alembic 1", alembic,
                   lambda s, u: [alembic, "-c", s.path("alembic/alembic.ini"), "upgrade", "head"],
                   environment=lambda u: {"DATABASE_URL": u.replace("postgresql:", "postgresql+psycopg2:", 1)}),
    ]
