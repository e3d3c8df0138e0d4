"""The gateway beside nginx: both proxy one service, on the same two processors as it and as the client.

wrk asks for 1 KiB, as somebody who has signed in: the gateway believes the token and counts the user's requests, nginx passes it on.
Throughput with 32 connections, taking turns; what either adds to an answer with one connection, where nobody waits for a processor.
"""

import os
import re
import signal
import statistics
import subprocess
import sys
import time

CONNECTIONS, SECONDS = 32, 4
TABLE = """[limits]
user = { requests = 1000000, seconds = 1, burst = 1000000 }
client = { requests = 1000000, seconds = 1, burst = 1000000 }
[upstreams]
bench = { addresses = "http://127.0.0.1:1" }
[[routes]]
name = "bench"
paths = ["/api/bench"]
upstream = "bench"
"""
NGINX = """worker_processes 2;
pid {work}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    upstream bench {{ server {upstream}; keepalive 64; keepalive_requests 1000000; }}
    server {{
        listen 127.0.0.1:{port};
        keepalive_requests 100000000;
        location /api/bench {{
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $proxy_host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Request-Id $request_id;
            proxy_pass http://bench;
        }}
    }}
}}
"""


def say(text):
    print(f"  {text}", flush=True, file=sys.stderr)


def wrk(address, token, connections, seconds):
    """Answers a second, and p50 and p99 in microseconds."""
    threads = str(min(2, connections))
    command = ["wrk", "-t", threads, "-c", str(connections), "-d", f"{seconds}s", "--latency", "-H", f"Authorization: Bearer {token}",
               f"http://{address}/api/bench"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in told or "Socket errors" in told:
        raise SystemExit(told)

    def microseconds(part):
        number, unit = re.search(rf"{part}%\s+([\d.]+)(us|ms|s)", told).groups()
        return float(number) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]
    return float(re.search(r"Requests/sec:\s+([\d.]+)", told).group(1)), microseconds(50), microseconds(99)


def resident_mib(processes):
    """Of these and their children."""
    total = 0
    for folder in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{folder}/status") as file:
                status = file.read()
        except OSError:
            continue
        parent = int(re.search(r"PPid:\s+(\d+)", status).group(1))
        if int(folder) in processes or parent in processes:
            total += int((re.search(r"VmRSS:\s+(\d+)", status) or [0, "0"])[1])
    return round(total / 1024, 1)


def measure(root, work, rounds=5):
    """Interleaved rounds; the first of each warms up."""
    runner = os.path.join(root, "target/bench/release/gateway-runner")
    table, conf = os.path.join(work, "routes.toml"), os.path.join(work, "nginx.conf")
    with open(table, "w") as file:
        file.write(TABLE)
    started = []

    def start(*command):
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return started[-1]
    try:
        upstream, token = start(runner, "upstream").stdout.readline().split()
        ours = start(runner, "gateway", f"http://{upstream}", table)
        address = ours.stdout.readline().strip()
        port = int(address.rsplit(":")[-1]) + 1
        with open(conf, "w") as file:
            file.write(NGINX.format(work=work, upstream=upstream, port=port))
        nginx = start("/usr/sbin/nginx", "-p", work, "-c", conf, "-g", "daemon off;")
        time.sleep(0.5)
        places = {"direct": upstream, "nginx": f"127.0.0.1:{port}", "ours": address}
        names = list(places)
        rates, p50 = {name: [] for name in names}, {name: [] for name in names}
        for number in range(rounds + 1):
            for name in names[number % 3:] + names[:number % 3]:
                rate, *_ = wrk(places[name], token, CONNECTIONS, SECONDS)
                _, alone, _ = wrk(places[name], token, 1, 2)
                say(f"gateway {number} {name}: {rate:.0f}/s, alone p50 {alone:.0f} us")
                if number:
                    rates[name].append(rate)
                    p50[name].append(alone)
        memory = {"nginx": resident_mib([nginx.pid]), "ours": resident_mib([ours.pid])}
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
            process.wait()
    ratios = [ours / nginx for ours, nginx in zip(rates["ours"], rates["nginx"])]
    middle = statistics.median
    return {"connections": CONNECTIONS, "rounds": rounds, "per_s": {name: round(middle(rates[name])) for name in names},
            "p50_us": {name: round(middle(p50[name])) for name in names}, "ratio": round(middle(ratios), 2),
            "ratios": [round(ratio, 2) for ratio in ratios],
            "added_p50_us": {name: round(middle(p50[name]) - middle(p50["direct"])) for name in ("nginx", "ours")},
            "resident_mib": memory}


if __name__ == "__main__":
    import json
    import tempfile
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        here = os.path.dirname(os.path.abspath(__file__))
        print(json.dumps(measure(os.path.dirname(os.path.dirname(here)), folder, int(sys.argv[1]) if len(sys.argv) > 1 else 5)))
