"""What 1,000 listeners on the event stream cost: memory of the service, and time of a run that they watch.

    benches/run --part listeners        (cargo build --release -p profe first)

Runs with and without listeners take turns on one service and one database; between them everything is taken back. The
listeners are one process at the lowest priority that reads and counts: theirs are other machines' processors.
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

CHILD = "--listen"


def listen(port, count):
    """Child: opens the streams, says when all stand, reads until stdin closes, and says what was read."""
    os.nice(19)
    chosen = selectors.DefaultSelector()
    request = f"GET /api/events HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode()
    for _ in range(count):
        stream = socket.create_connection(("127.0.0.1", port))
        stream.sendall(request)
        stream.recv(4096)
        stream.setblocking(False)
        chosen.register(stream, selectors.EVENT_READ)
    chosen.register(sys.stdin, selectors.EVENT_READ)
    print("listening", flush=True)
    read, ended = 0, 0
    while True:
        for key, _ in chosen.select():
            if key.fileobj is sys.stdin:
                print(json.dumps({"read_bytes": read, "ended": ended}), flush=True)
                return
            data = key.fileobj.recv(1 << 18)
            read += len(data)
            if not data:
                ended += 1
                chosen.unregister(key.fileobj)


class Service:
    def __init__(self, profe, project, url, folder):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        variables = dict(os.environ, DATABASE_URL=url, MIGRATION_SERVICE_PORT=str(self.port),
                         MIGRATION_SERVICE_WATCH_INTERVAL="off", MIGRATION_SERVICE_LOG_LEVEL="warn")
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

    def once(self):
        """Milliseconds of one run, as it says itself; everything is taken back after it."""
        ran = self.post("/api/migrations/run", {"wait": True})
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/migrations/runs/{ran['migrationId']}/events") as told:
            events = [json.loads(line[6:]) for line in told.read().decode().split("\n") if line.startswith("data: ")]
        took = next(event["durationMs"] for event in events if event.get("type") == "finished")
        self.post("/api/migrations/rollback", {"steps": ran["migrationsApplied"], "wait": True})
        return took

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


def measure(root, cluster, work, migrations=400, rounds=10, listeners=1000):
    profe = os.environ.get("BENCH_PROFE", os.path.join(root, "target/release/profe"))
    if not os.path.exists(profe):
        return {"absent": f"no {profe}: cargo build --release -p profe"}
    chosen = sets.generated(work, migrations)
    cluster.sql("DROP DATABASE IF EXISTS events;\nCREATE DATABASE events;")
    service = Service(profe, chosen.project, cluster.url("events"), work)
    try:
        for _ in range(2):
            service.once()
        alone, watched, processors, sent = [], [], [[], []], []
        before = service.memory_mib("VmRSS")
        service.forget_peak()
        alone_peak, watched_peak, standing = 0, 0, 0
        for number in range(rounds):
            for with_listeners in ((False, True) if number % 2 else (True, False)):
                child = None
                if with_listeners:
                    child = subprocess.Popen([sys.executable, __file__, CHILD, str(service.port), str(listeners)],
                                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                    child.stdout.readline()
                    time.sleep(0.5)
                    standing = max(standing, service.memory_mib("VmRSS"))
                service.forget_peak()
                began = service.processor_s()
                (watched if with_listeners else alone).append(service.once())
                processors[with_listeners].append(service.processor_s() - began)
                if child:
                    watched_peak = max(watched_peak, service.memory_mib("VmHWM"))
                    time.sleep(1)
                    child.stdin.close()
                    sent.append(json.loads(child.stdout.readline()))
                    child.wait()
                    time.sleep(0.5)
                else:
                    alone_peak = max(alone_peak, service.memory_mib("VmHWM"))
            say(f"{number}: alone {alone[-1]} ms, watched {watched[-1]} ms")
    finally:
        service.stop()
    delays = [(w / a - 1) * 100 for a, w in zip(alone, watched)]
    return {"binary": os.path.basename(os.path.dirname(profe)), "migrations": migrations, "listeners": listeners, "alone_ms": statistics.median(alone),
            "watched_ms": statistics.median(watched), "delay_percent": round(statistics.median(delays), 2),
            "alones_ms": alone, "watcheds_ms": watched, "before_mib": round(before, 1), "standing_mib": round(standing, 1),
            "alone_peak_mib": round(alone_peak, 1), "watched_peak_mib": round(watched_peak, 1),
            "cost_mib": round(watched_peak - before, 1),
            "processor_alone_s": round(statistics.median(processors[0]), 3),
            "processor_watched_s": round(statistics.median(processors[1]), 3),
            "sent_mib": round(statistics.median(s["read_bytes"] for s in sent) / 2**20, 1),
            "ended": sum(s["ended"] for s in sent)}


def say(text):
    print(f"  {text}", flush=True, file=sys.stderr)


if __name__ == "__main__" and CHILD in sys.argv:
    listen(int(sys.argv[2]), int(sys.argv[3]))
