"""Backups beside PostgreSQL's own tools: two databases of about 2 GB, dumped and restored in turn."""

import datetime
import glob
import json
import os
import shutil
import statistics
import subprocess
import threading
import time

from . import measure
from .parts import say

SCALE = 130
TABLES = 40

# Anybody's public key: what is encrypted here is never read.
RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"

# Words of a school. Phrases are made of them, so that the text repeats itself about as much as people's text does.
WORDS = """curso plan tarea examen nota alumna maestro grupo aula libro lectura escritura ciencia historia idioma música
proyecto semana lunes martes jueves viernes entrega revisión comentario mejora avance objetivo recurso ejemplo pregunta
respuesta familia reunión calendario horario tutor apoyo refuerzo evaluación rúbrica criterio portafolio cuaderno
laboratorio experimento mapa gráfica número fracción ecuación problema solución párrafo resumen tema unidad sesión
actividad dinámica equipo debate presentación aviso""".split()
PHRASES = [f"{WORDS[at]} de {WORDS[(at * 7 + 3) % 64]} y {WORDS[(at * 13 + 5) % 64]}" for at in range(64)]


def many_tables():
    """SQL that makes the second database: the same on every machine. Sizes differ, from a quarter of the middle to thrice it."""
    phrases = lambda *bits: " || ', ' || ".join(f"p[1 + ((h >> {bit}) & 63)::int]" for bit in bits)
    statements = ["CREATE TABLE person (id bigint PRIMARY KEY, name text NOT NULL, email text NOT NULL);",
                  "INSERT INTO person SELECT g, 'Persona ' || g, 'persona' || g || '@escuela.example'"
                  " FROM generate_series(1, 50000) g;"]
    all_phrases = ",".join(f"'{phrase}'" for phrase in PHRASES)
    for number in range(1, TABLES + 1):
        rows = 27_000 + number * number * 37 % 41 * 4_200
        statements.append(
            f"CREATE TABLE note_{number} (id bigint, person_id bigint NOT NULL, kind text NOT NULL, title text NOT NULL,"
            " body text NOT NULL, details jsonb NOT NULL, score numeric(6, 2), created_at timestamptz NOT NULL);")
        statements.append(
            f"INSERT INTO note_{number} SELECT g, 1 + (h & 65535) % 50000, 'kind-' || (h >> 7 & 7), {phrases(3)}, {phrases(9, 15, 21, 27, 33, 39)},"
            f" jsonb_build_object('unit', g % 12, 'tag', {phrases(45)}, 'read', g % 3 = 0, 'key', to_hex(h & 1048575)),"
            f" (h >> 9 & 1023) / 10.0, timestamptz '2025-01-01' + g * interval '31 seconds'"
            f" FROM (SELECT ARRAY[{all_phrases}] AS p) phrases,"
            f" LATERAL (SELECT g, hashint8extended(g, {number}) & x'7fffffffffffffff'::bigint AS h FROM generate_series(1, {rows}) g) rows;")
        statements.append(f"ALTER TABLE note_{number} ADD PRIMARY KEY (id),"
                          " ADD FOREIGN KEY (person_id) REFERENCES person;")
        statements.append(f"CREATE INDEX ON note_{number} (person_id, created_at);")
    return "\n".join(["SET TIME ZONE 'UTC'; SET synchronous_commit = off; SET max_parallel_maintenance_workers = 0;"] + statements + ["VACUUM ANALYZE;"])


def large_values():
    """Six values of 100 MB, which no tool can take in pieces."""
    return ("CREATE TABLE large (id int PRIMARY KEY, value text NOT NULL); ALTER TABLE large ALTER value SET STORAGE EXTERNAL;"
            " INSERT INTO large SELECT g, (SELECT string_agg(md5(g || '-' || n), '') FROM generate_series(1, 3125000) n)"
            " FROM generate_series(1, 6) g;")


class Tool:
    """One way to dump or to restore; what `measure.run` calls a contestant."""

    def __init__(self, key, name, command, environment=None, base=False):
        self.key, self.name, self.command, self.base = key, name, command, base
        self.variables = environment or {}

    def environment(self, _):
        return self.variables

    def times(self, printed):
        """Only Profe prints something: the backup."""
        return json.loads(printed) if printed.strip().startswith("{") else {}


class Backups:
    """Everybody's output goes to `work`, on the disk of the cluster, and is on the disk when the time is taken."""

    def __init__(self, root, cluster, rounds, work=None, only=None):
        self.root, self.cluster, self.rounds, self.only = root, cluster, rounds, only
        self.work = work or os.path.join(cluster.top, "backups")
        self.profe = os.environ.get("PROFE", os.path.join(root, "target/release/profe"))
        if not os.path.exists(self.profe):
            raise SystemExit(f"no {self.profe}: cargo build --release -p profe")
        self.store = os.path.join(self.work, "store")
        os.makedirs(self.work, exist_ok=True)

    def program(self, name):
        return os.path.join(self.cluster.bin, name)

    def prepare(self):
        """The databases, as large and as old as each other."""
        begun = time.monotonic()
        for name in ("one", "many", "large"):
            self.cluster.sql(f"CREATE DATABASE {name};")
        pgbench = [self.program("pgbench"), "-i", "-q", "-I", "dtGvp", "-s", str(SCALE), self.cluster.url("one")]
        subprocess.run(pgbench, check=True, capture_output=True)
        self.cluster.sql(many_tables(), "many")
        self.cluster.sql(large_values(), "large")
        self.cluster.sql("CHECKPOINT;")
        say(f"three databases in {time.monotonic() - begun:.0f} s")

    def ours(self, database, recipients=""):
        return {"DATABASE_URL": self.cluster.url(database), "MIGRATION_SERVICE_BACKUP_STORAGE": self.store,
                "MIGRATION_SERVICE_BACKUP_RECIPIENTS": recipients, "PG_BIN": self.cluster.bin}

    def dumps(self, database):
        """`sync` is for what pg_dump cannot flush itself, since it writes to a pipe."""
        url, out = self.cluster.url(database), lambda name: os.path.join(self.work, name)
        dump = self.program("pg_dump")
        create = [self.profe, "--output", "json", "backup", "create"]
        piped = '"$0" -Fc -Z0 "$1" | zstd -q -1 > "$2" && sync "$2"'
        return [
            Tool("folder", "pg_dump -Fd -j2 -Z0", [dump, "-Fd", "-j2", "-Z0", "-f", out("folder"), url], base=database != "one"),
            Tool("plain", "pg_dump -Fc -Z0", [dump, "-Fc", "-Z0", "-f", out("plain"), url], base=database == "one"),
            Tool("zstd", "pg_dump -Fc -Z0 \\| zstd -1", ["sh", "-c", piped, dump, url, out("zstd")]),
            Tool("gzip", "pg_dump -Fc (gzip)", [dump, "-Fc", "-f", out("gzip"), url]),
            Tool("ours", "profe backup create", create, self.ours(database)),
            Tool("sealed", "profe backup create, encrypted", create, self.ours(database, RECIPIENT)),
        ]

    def all(self):
        self.prepare()
        databases = ("one", "many")
        measured = {"dumps": [self.dump(name) for name in databases], "restores": [self.restore(name) for name in databases],
                    "memory": self.memory()}
        return {**measured, "date": str(datetime.date.today()), "rounds": self.rounds, "load": round(os.getloadavg()[1], 1)}

    def dump(self, database):
        """Each tool in turn, each round beginning with another one; the first round warms up."""
        tools, samples = self.wanted(self.dumps(database)), {}
        for round_number in range(self.rounds + 1):
            for tool in turned(tools, round_number):
                self.clear()
                outcome = self.once(tool, database)
                outcome["bytes"] = size(self.work)
                keep(samples, tool, outcome, round_number)
        self.clear()
        return {"database": database, "rows": [{**summary(tool, samples[tool.key]), "base": tool.base} for tool in tools]}

    def wanted(self, tools):
        """Those that are asked for, by key, and what they are compared with."""
        return [tool for tool in tools if not self.only or tool.key in self.only or tool.base]

    def restore(self, database):
        """Into a new database each; who needs it made has it made before the time is taken. Profe makes its own."""
        self.clear()
        dump, restore = self.program("pg_dump"), self.program("pg_restore")
        folder, plain = os.path.join(self.work, "folder"), os.path.join(self.work, "plain")
        subprocess.run([dump, "-Fd", "-j2", "-Z0", "-f", folder, self.cluster.url(database)], check=True)
        subprocess.run([dump, "-Fc", "-Z0", "-f", plain, self.cluster.url(database)], check=True)
        made = self.once(Tool("ours", "profe backup create", [self.profe, "--output", "json", "backup", "create"],
                              self.ours(database)), database)
        into = self.cluster.url("restored")
        tools = [
            Tool("folder", "pg_restore -j2, from -Fd", [restore, "-j2", "-d", into, folder], base=True),
            Tool("stream", "pg_restore, one stream", ["sh", "-c", 'cat "$1" | "$0" -d "$2"', restore, plain, into]),
            Tool("ours", "profe backup restore", [self.profe, "--output", "json", "backup", "restore", made["printed"]["backupId"],
                                                  "--into", "restored"], self.ours(database)),
        ]
        tools, samples = self.wanted(tools), {}
        for round_number in range(self.rounds + 1):
            for tool in turned(tools, round_number):
                self.cluster.sql("DROP DATABASE IF EXISTS restored;")
                if tool.key != "ours":
                    self.cluster.sql("CREATE DATABASE restored TEMPLATE template0;")
                outcome = self.once(tool, database)
                self.compare(tool, database)
                keep(samples, tool, outcome, round_number)
        self.cluster.sql("DROP DATABASE restored;")
        self.clear()
        return {"database": database, "rows": [{**summary(tool, samples[tool.key]), "base": tool.base} for tool in tools]}

    def compare(self, tool, database):
        """What came back must be what was there: tables, rows, indexes and keys, counted."""
        counts = ("SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace),"
                  " (SELECT count(*) FROM pg_constraint), (SELECT sum((xpath('/row/c/text()', query_to_xml("
                  "format('SELECT count(*) AS c FROM %s', oid::regclass), false, true, '')))[1]::text::bigint)"
                  " FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace);")
        expected, found = self.cluster.sql(counts, database), self.cluster.sql(counts, "restored")
        if expected != found:
            raise SystemExit(f"{tool.name} restored {found} instead of {expected}")

    def memory(self):
        """Profe's own greatest size with values of 100 MB; the tools beneath it hold a value as a whole, and are not counted."""
        self.clear()
        create = Tool("ours", "profe backup create", [self.profe, "--output", "json", "backup", "create"], self.ours("large"))
        made = self.once(create, "large")
        command = [self.profe, "--output", "json", "backup", "restore", made["printed"]["backupId"], "--into", "restored"]
        self.cluster.sql("DROP DATABASE IF EXISTS restored;")
        restored = self.once(Tool("ours", "profe backup restore", command, self.ours("large")), "large")
        self.cluster.sql("DROP DATABASE restored;")
        self.clear()
        return {"dump_mib": made["own_mib"], "restore_mib": restored["own_mib"]}

    def once(self, tool, database):
        self.cluster.sql("CHECKPOINT;")
        os.sync()
        watched = OwnSize(self.profe) if tool.command[0] == self.profe else None
        before = self.cluster.processor_ms()
        outcome = measure.run(self.root, tool, tool.command, self.cluster.url(database))
        # What PostgreSQL's sessions took is counted when they have ended, which is soon after.
        time.sleep(0.5)
        return {"wall_ms": outcome.wall_ms, "cpu_ms": outcome.cpu_ms, "server_ms": self.cluster.processor_ms() - before,
                "own_mib": watched.end() if watched else None, "printed": outcome.printed}

    def clear(self):
        shutil.rmtree(self.work, ignore_errors=True)
        os.makedirs(self.work)


class OwnSize:
    """The greatest resident size of one program, without its children's: the kernel's own account, looked at until it ends."""

    def __init__(self, program):
        self.program, self.kib, self.over = os.path.realpath(program), 0, threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        while not self.over.wait(0.02):
            for folder in glob.glob("/proc/[0-9]*"):
                try:
                    if os.readlink(f"{folder}/exe") != self.program:
                        continue
                    with open(f"{folder}/status") as file:
                        peak = next((line for line in file if line.startswith("VmHWM:")), "VmHWM: 0").split()[1]
                    self.kib = max(self.kib, int(peak))
                except OSError:
                    pass

    def end(self):
        self.over.set()
        self.thread.join()
        return self.kib / 1024


def turned(tools, round_number):
    turn = round_number % len(tools)
    return tools[turn:] + tools[:turn]


def keep(samples, tool, outcome, round_number):
    own = f", {outcome['own_mib']:.0f} MiB" if outcome["own_mib"] else ""
    say(f"{round_number} {tool.name}: {outcome['wall_ms']:.0f} ms, processor {outcome['cpu_ms']:.0f} + {outcome['server_ms']:.0f}{own}"
        + (f", {outcome['bytes'] / 1e6:.0f} MB" if "bytes" in outcome else ""))
    if round_number:
        samples.setdefault(tool.key, []).append(outcome)


def summary(tool, outcomes):
    middle = lambda name: statistics.median(o[name] for o in outcomes)
    own = [o["own_mib"] for o in outcomes if o["own_mib"]]
    return {"key": tool.key, "name": tool.name, "wall_ms": middle("wall_ms"), "cpu_ms": middle("cpu_ms"),
            "server_ms": middle("server_ms"), "walls_ms": [round(o["wall_ms"]) for o in outcomes],
            "own_mib": max(own) if own else None, "bytes": outcomes[-1].get("bytes")}


def size(folder):
    return sum(os.path.getsize(path) for path in glob.glob(f"{folder}/**", recursive=True) if os.path.isfile(path))
