"""Who takes part, and how each is called for a set and a database."""

import datetime
import json
import os
import shutil
import urllib.parse


class Contestant:
    """`name` as the table shows it; `command(set, url)` what is run; `times` reads what it printed about its own times."""

    def __init__(self, key, name, program, command, environment=None, times=None, largest=None, nothing=True, audited=None, back=None,
                 folder=None, needs=None):
        self.key, self.name, self.program, self.command = key, name, program, command
        self.environment = environment or (lambda url: {})
        self.times = times or (lambda printed: {})
        self.largest = largest  # measured on sets of at most so many migrations: more would only take time
        self.nothing = nothing  # can be started with nothing pending
        self.audited = audited  # with the audit's event triggers (True), with the audit refused (False), without knowing of it (None)
        self.back = back  # `back(set, url)`: takes all of the set back; None where the tool knows no way back
        self.folder = folder or (lambda set: None)  # where it is run
        self.installed = all(os.path.exists(path) for path in [program] + (needs or []))


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
    psql = cluster.psql
    each = 'for f in "$2"/*.sql; do "$0" -Xq1 -v ON_ERROR_STOP=1 -f "$f" "$1" || exit 1; done'
    one = lambda u, file: [psql, "-Xq", "-v", "ON_ERROR_STOP=1", "-f", file, u]
    ours = lambda s: [profe, "--project", s.project, "--output", "json", "migrate"]
    count = lambda s: str(len(s.migrations))
    return [
        Contestant("limit", "the limit (libpq, one message each)", limit,
                   lambda s, u: [limit, "apply", u, s.path("messages")], times=last_line, nothing=False,
                   back=lambda s, u: [limit, "apply", u, s.path("messages-back")]),
        Contestant("engine", "Profe's engine", runner, lambda s, u: [runner, "run", s.project, u], times=last_line,
                   audited=True, back=lambda s, u: [runner, "rollback", s.project, u, count(s)]),
        Contestant("engine-unaudited", "Profe's engine without its audit", runner, lambda s, u: [runner, "run", s.project, u],
                   times=last_line, nothing=False, audited=False,
                   back=lambda s, u: [runner, "rollback", s.project, u, count(s)]),
        Contestant("profe", "profe migrate", profe, lambda s, u: ours(s) + ["run"],
                   environment=lambda u: {"DATABASE_URL": u}, times=from_events, audited=True,
                   back=lambda s, u: ours(s) + ["rollback", "--yes", "--steps", count(s)]),
        Contestant("psql", "psql, one session and file", psql, lambda s, u: one(u, s.path("one.sql")), nothing=False,
                   back=lambda s, u: one(u, s.path("one-back.sql"))),
        Contestant("psql-each", "psql, one process per file", psql,
                   lambda s, u: ["sh", "-c", each, psql, u, s.path("psql")], largest=200, nothing=False,
                   back=lambda s, u: ["sh", "-c", each, psql, u, s.path("psql-back")]),
    ] + others(tools, psql)


def others(tools, psql):
    """The other migration tools, each as its manual has it, committing after each migration."""
    sqlx, refinery, diesel = (os.path.join(tools, "bin", name) for name in ("sqlx", "refinery", "diesel"))
    alembic, yoyo = (os.path.join(tools, name, "bin", name) for name in ("alembic", "yoyo"))
    modules = os.path.join(tools, "node_modules")
    dbmate = os.path.join(modules, "@dbmate/linux-x64/bin/dbmate")
    node_pg, graphile = (os.path.join(modules, ".bin", name) for name in ("node-pg-migrate", "graphile-migrate"))
    jar, driver = os.path.join(modules, "liquibase/dist/liquibase/liquibase"), "/usr/share/java/postgresql.jar"
    java, sqitch = shutil.which("java") or "java", shutil.which("sqitch") or "sqitch"
    python_url = lambda u: u.replace("postgresql:", "postgresql+psycopg2:", 1)
    in_variable = lambda u: {"DATABASE_URL": u}
    dbmate_on = lambda s, u: [dbmate, "--url", u, "-d", s.path("dbmate"), "--no-dump-schema"]
    # dbmate takes one back in each process.
    steps = 'n=$0; while [ "$n" -gt 0 ]; do "$@" || exit 1; n=$((n - 1)); done'
    alembic_on = lambda s, *words: [alembic, "-c", s.path("alembic/alembic.ini"), *words]
    diesel_on = lambda s, u, *words: [diesel, "migration", *words, "--database-url", u, "--migration-dir", s.path("diesel"),
                                      "--config-file", s.path("diesel.toml")]
    node_pg_on = lambda s, *words: [node_pg, *words, "-m", s.path("node-pg-migrate"), "--no-single-transaction", "--no-verbose"]
    yoyo_on = lambda s, u, *words: [yoyo, *words, "--batch", "--no-config-file", "--database", u, s.path("yoyo")]

    def liquibase_on(s, u, *words):
        at = urllib.parse.urlsplit(u)
        return [jar, f"--classpath={s.folder}:{driver}", "--changeLogFile=liquibase.yaml", "--hubMode=off", f"--username={at.username}",
                f"--password={at.password}", f"--url=jdbc:postgresql://{at.hostname}:{at.port}{at.path}?{at.query}", *words]

    def sqitch_on(s, u, *words):
        return [sqitch, *words, "--target", u.replace("postgresql:", "db:pg:", 1)]

    return [
        Contestant("sqlx", "sqlx-cli 0.9", sqlx,
                   lambda s, u: [sqlx, "migrate", "run", "--no-dotenv", "--source", s.path("sqlx"), "-D", u],
                   back=lambda s, u: [sqlx, "migrate", "revert", "--no-dotenv", "--source", s.path("sqlx"), "-D", u, "--target-version", "0"]),
        Contestant("refinery", "refinery_cli 0.10", refinery,
                   lambda s, u: [refinery, "migrate", "-e", "DATABASE_URL", "-p", s.path("refinery")], environment=in_variable),
        Contestant("diesel", "diesel_cli 2.3", diesel, lambda s, u: diesel_on(s, u, "run"),
                   back=lambda s, u: diesel_on(s, u, "revert", "--all")),
        Contestant("dbmate", "dbmate 2", dbmate, lambda s, u: dbmate_on(s, u) + ["migrate"],
                   back=lambda s, u: ["sh", "-c", steps, str(len(s.migrations))] + dbmate_on(s, u) + ["rollback"]),
        Contestant("alembic", "alembic 1", alembic, lambda s, u: alembic_on(s, "upgrade", "head"),
                   environment=lambda u: {"DATABASE_URL": python_url(u)}, back=lambda s, u: alembic_on(s, "downgrade", "base")),
        Contestant("yoyo", "yoyo-migrations 9", yoyo, lambda s, u: yoyo_on(s, u, "apply"),
                   back=lambda s, u: yoyo_on(s, u, "rollback", "--all")),
        Contestant("node-pg", "node-pg-migrate 9", node_pg, lambda s, u: node_pg_on(s, "up"), environment=in_variable,
                   back=lambda s, u: node_pg_on(s, "down", str(len(s.migrations)))),
        Contestant("graphile", "graphile-migrate 1", graphile,
                   lambda s, u: [graphile, "migrate", "--config", s.path("graphile.json")], environment=in_variable),
        Contestant("liquibase", "liquibase 4.4", jar, lambda s, u: liquibase_on(s, u, "update"), needs=[java, driver],
                   back=lambda s, u: liquibase_on(s, u, "rollbackCount", str(len(s.migrations)))),
        # It runs psql once for each change.
        Contestant("sqitch", "sqitch 1.3", sqitch, lambda s, u: sqitch_on(s, u, "deploy", "--client", psql),
                   folder=lambda s: s.path("sqitch"), back=lambda s, u: sqitch_on(s, u, "revert", "-y", "--client", psql)),
    ]
