"""What 1,000 listeners on the event stream cost: memory of the service, and time of a run that they watch.

    benches/run --part listeners        (cargo build --release -p profe first; about eight minutes)

Runs with and without listeners take turns on one service and one database; after each, everything is taken back, and the
server puts its own tables in order. Four runs are one measurement: alone, watched, watched, alone (the next begins
watched), so that a disk which grows faster or slower meanwhile does so for both. There are enough of them for a
difference of 2 % to be told from chance: the error of the mean is said beside it. The listeners are one process at the lowest priority that reads and
counts: theirs are other machines' processors. Each has to hear the run to its end.
"""

import json
import os
import selectors
import socket
import statistics
import subprocess
import sys
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
sys.dont_write_bytecode = True

from bench import sets  # noqa: E402
from bench.cluster import free_port  # noqa: E402

CHILD = "--listen"
END = b"event: run_ended\n"
# How long listeners may take to hear of the end of a run that is over.
PATIENCE_S = 120
# Two watched runs between two alone, or the other way round, so often; a pair before them warms up.
ROUNDS = 12


def listen(port, count):
    """Child: opens the streams, says when all stand, says when each has heard of a run's end and what was read, and stays
    until stdin closes. A stream that the service closes has not heard it."""
    os.nice(19)
    chosen = selectors.DefaultSelector()
    request = f"GET /api/events HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode()
    tails = {}
    for _ in range(count):
        stream = socket.create_connection(("127.0.0.1", port))
        stream.sendall(request)
        stream.recv(4096)
        stream.setblocking(False)
        chosen.register(stream, selectors.EVENT_READ)
        tails[stream] = b""
    chosen.register(sys.stdin, selectors.EVENT_READ)
    print("listening", flush=True)
    read, ended = 0, 0
    while True:
        for key, _ in chosen.select():
            if key.fileobj is sys.stdin:
                return
            stream = key.fileobj
            data = stream.recv(1 << 18)
            read += len(data)
            if not data:
                ended += 1
                chosen.unregister(stream)
            tail = tails.get(stream)
            if tail is None:
                continue
            if not data or END in data or END in tail + data[:len(END)]:
                del tails[stream]
                if not tails:
                    print(json.dumps({"read_bytes": read, "ended": ended, "at": time.time()}), flush=True)
            else:
                tails[stream] = data[-len(END):]


class Listeners:
    """The child, as its parent sees it."""

    def __init__(self, port, count):
        self.process = subprocess.Popen([sys.executable, __file__, CHILD, str(port), str(count)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "listening\n":
            raise SystemExit("the listeners were not let in")

    def heard(self):
        """What they read, once each has heard of the end."""
        with selectors.DefaultSelector() as chosen:
            chosen.register(self.process.stdout, selectors.EVENT_READ)
            if not chosen.select(PATIENCE_S):
                raise SystemExit(f"not every listener heard of the run's end within {PATIENCE_S} s")
        return json.loads(self.process.stdout.readline())

    def leave(self):
        self.process.stdin.close()
        self.process.wait(30)


class Service:
    def __init__(self, profe, project, url, folder):
        self.port = free_port()
        variables = dict(os.environ, DATABASE_URL=url, MIGRATION_SERVICE_PORT=str(self.port),
                         MIGRATION_SERVICE_WATCH_INTERVAL="off", MIGRATION_SERVICE_SAMPLE_INTERVAL="off",
                         MIGRATION_SERVICE_LOG_LEVEL="warn")
        self.process = subprocess.Popen([profe, "--project", project, "serve", "--output", "json"], cwd=folder,
                                        env=variables, stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            if '"ready":true' in line:
                return
        raise SystemExit("the service did not start")

    def post(self, path, body):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", json.dumps(body).encode(),
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def run(self):
        """Milliseconds of one run, as it says itself, and how many migrations it applied."""
        ran = self.post("/api/migrations/run", {"wait": True})
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/migrations/runs/{ran['migrationId']}/events") as told:
            events = [json.loads(line[6:]) for line in told.read().decode().split("\n") if line.startswith("data: ")]
        took = next(event["durationMs"] for event in events if event.get("type") == "finished")
        return took, ran["migrationsApplied"], len(events)

    def take_back(self, migrations):
        self.post("/api/migrations/rollback", {"steps": migrations, "wait": True})

    def memory_mib(self, name):
        with open(f"/proc/{self.process.pid}/status") as file:
            line = next(line for line in file if line.startswith(name))
        return int(line.split()[1]) / 1024

    def forget_peak(self):
        with open(f"/proc/{self.process.pid}/clear_refs", "w") as file:
            file.write("5")

    def processor_s(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


def project(work, migrations, tables):
    """Migrations of so many tables each: what a run does is the server's work, and not its events."""
    folder = os.path.join(work, "listeners-project")
    sets.write(os.path.join(folder, "config/services.toml"),
               '[project]\nname = "bench"\ndefault_environment = "development"\n\n'
               '[environments.development]\nurl_variable = "DATABASE_URL"\n\n[services.stock-service]\nschemas = ["stock"]\n')
    for number in range(1, migrations + 1):
        names = [f"things_{number:04}_{table:02}" for table in range(tables)]
        words = [{"schema": "stock", "table": name, "number": number, "title": f"Things {number}"} for name in names]
        stem = os.path.join(folder, f"migrations/stock/{20260101000000 + number}_create_things_{number:04}")
        sets.write(f"{stem}.up.sql", "".join(sets.UP.format(**word) for word in words))
        sets.write(f"{stem}.down.sql", "".join(sets.DOWN.format(**word) for word in words))
    return folder


def measure(root, cluster, work, migrations=100, tables=6, rounds=ROUNDS, listeners=1000):
    profe = os.environ.get("BENCH_PROFE", os.path.join(root, "target/release/profe"))
    if not os.path.exists(profe):
        return {"absent": f"no {profe}: cargo build --release -p profe"}
    cluster.sql("DROP DATABASE IF EXISTS events;\nCREATE DATABASE events;")
    service = Service(profe, project(work, migrations, tables), cluster.url("events"), work)
    alone, watched, heard, events = [], [], [], 0
    processors, peaks, standing = ([], []), [0, 0], 0

    def once(with_listeners):
        nonlocal standing, events
        # What the run before left to do is done, and nothing falls due while this one is measured.
        cluster.sql("VACUUM;\nCHECKPOINT;", "events")
        crowd = Listeners(service.port, listeners)
        standing = max(standing, service.memory_mib("VmRSS"))
        if not with_listeners:
            # They come for either run, so that what their coming does to the machine is done to both.
            crowd = crowd.leave()
        service.forget_peak()
        began = service.processor_s()
        took, applied, events = service.run()
        over = time.time()
        if crowd:
            heard.append(crowd.heard())
            heard[-1]["late_s"] = max(0, heard[-1].pop("at") - over)
        processors[with_listeners].append(service.processor_s() - began)
        peaks[with_listeners] = max(peaks[with_listeners], service.memory_mib("VmHWM"))
        if crowd:
            crowd.leave()
        service.take_back(applied)
        (watched if with_listeners else alone).append(took)

    try:
        once(False)
        before = service.memory_mib("VmRSS")
        once(True)
        for measured in (alone, watched, heard, *processors):
            measured.clear()
        for number in range(rounds):
            for with_listeners in ((False, True, True, False) if number % 2 else (True, False, False, True)):
                once(with_listeners)
            say(f"{number + 1} of {rounds}: alone {alone[-2:]} ms, watched {watched[-2:]} ms")
    finally:
        service.stop()
    delays = [(sum(watched[at:at + 2]) / sum(alone[at:at + 2]) - 1) * 100 for at in range(0, len(alone), 2)]
    error = statistics.stdev(delays) / len(delays) ** 0.5 if len(delays) > 1 else float("nan")
    return {"binary": os.path.basename(os.path.dirname(profe)), "migrations": migrations, "tables": tables, "events": events,
            "listeners": listeners, "rounds": rounds, "alone_ms": statistics.median(alone), "watched_ms": statistics.median(watched),
            "delay_percent": round(statistics.median(delays), 2), "delay_mean_percent": round(statistics.mean(delays), 2),
            "delay_error_percent": round(error, 2), "alones_ms": alone, "watcheds_ms": watched,
            "before_mib": round(before, 1), "standing_mib": round(standing, 1), "alone_peak_mib": round(peaks[0], 1),
            "watched_peak_mib": round(peaks[1], 1), "cost_mib": round(peaks[1] - before, 1),
            "processor_alone_s": round(statistics.median(processors[0]), 3),
            "processor_watched_s": round(statistics.median(processors[1]), 3),
            "sent_mib": round(statistics.median(h["read_bytes"] for h in heard) / 2**20, 1),
            "late_s": round(statistics.median(h["late_s"] for h in heard), 1), "ended": sum(h["ended"] for h in heard)}


def say(text):
    print(f"  {text}", flush=True, file=sys.stderr)


if __name__ == "__main__" and CHILD in sys.argv:
    listen(int(sys.argv[2]), int(sys.argv[3]))
