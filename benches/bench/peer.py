"""The user service beside the same three endpoints in FastAPI with asyncpg (benches/peers/fastapi): a read by id, a list of 20 filtered, a
change of one's own profile, each under the policies and with the same SQL.

One school of a thousand people. wrk asks with 16 connections, both take turns on one server, and everything shares the processors: ours is one
process, uvicorn's are two workers with a parent. Memory is the greatest proportional share (PSS) of all processes of either, after all rounds.
"""

import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request

from .cluster import children, free_port

PEOPLE, STUDENTS, CONNECTIONS, SECONDS = 1_000, 64, 16, 4
ISSUER, AUDIENCE = "http://localhost:3001", "profe"
# Each thread goes through the people in an order of its own.
SCRIPTS = {
    "read": 'function request() n = n % #ids + 1; return wrk.format("GET", "/api/users/" .. ids[n], '
            '{{["Authorization"] = "Bearer " .. admin}}) end\n',
    "list": 'function request() return wrk.format("GET", "/api/users?role=student&status=active&limit=20", '
            '{{["Authorization"] = "Bearer " .. admin}}) end\n',
    "write": 'function request() n = n % #ids + 1; count = count + 1; return wrk.format("PATCH", "/api/users/" .. ids[n] .. "/profile/avatar", '
             '{{["Authorization"] = "Bearer " .. tokens[n], ["Content-Type"] = "application/json"}}, '
             '\'{{"avatarUrl":"/api/files/\' .. count .. \'"}}\') end\n',
}
HEAD = """local threads = 0
function setup(thread) thread:set("first", threads * 17); threads = threads + 1 end
function init(args) n = first; count = first * 1000000 end
local admin = "{admin}"
local ids = {{{ids}}}
local tokens = {{{tokens}}}
"""


def say(text):
    print(f"  {text}", flush=True, file=sys.stderr)


def prepare(root, cluster):
    """The platform as migrated and a school of a thousand; answers its id, its administrator's, and those of some students."""
    cluster.sql("DROP DATABASE IF EXISTS peer;\nCREATE DATABASE peer;")
    engine = os.path.join(root, "target/bench/release/engine-runner")
    done = subprocess.run([engine, "run", os.path.join(root, "db-migrations-service"), cluster.url("peer")], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"preparing the platform: {done.stderr}")
    school = cluster.sql("INSERT INTO organizations.organizations (name) VALUES ('School') RETURNING id;", "peer")[0]
    cluster.sql(
        "INSERT INTO public.roles (name, description) VALUES ('admin', ''), ('student', '') ON CONFLICT DO NOTHING;\n"
        "INSERT INTO auth.users (email, password_hash, is_verified) SELECT 'p' || n || '@escuela.example', 'x', true"
        f" FROM generate_series(0, {PEOPLE}) n;\n"
        "INSERT INTO users.user_profiles (user_id, first_name, last_name) SELECT id, 'Given ' || email, 'Family' FROM auth.users;\n"
        "INSERT INTO users.user_roles (user_id, role, organization_id) SELECT id, CASE email WHEN 'p0@escuela.example' THEN 'admin'"
        f" ELSE 'student' END, '{school}' FROM auth.users;\n"
        "VACUUM ANALYZE;\n"
        f"ALTER ROLE users_service PASSWORD '{cluster.password}';\nCHECKPOINT;", "peer")
    admin = cluster.sql("SELECT id FROM auth.users WHERE email = 'p0@escuela.example';", "peer")[0]
    return school, admin, cluster.sql(f"SELECT id FROM auth.users WHERE id <> '{admin}' ORDER BY id LIMIT {STUDENTS};", "peer")


def ask(address, method, path, token, body=None):
    """The status and the body of one answer."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://{address}{path}", method=method, headers=headers, data=body and json.dumps(body).encode())
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, None
    except urllib.error.URLError:
        return None, None


def answers(address, ids, served):
    """One answer of each kind, as soon as the service gives them."""
    for _ in range(400):
        if ask(address, "GET", f"/api/users/{ids[0]}", served["admin"])[0] == 200:
            break
        time.sleep(0.05)
    reads = ask(address, "GET", f"/api/users/{ids[0]}", served["admin"])
    lists = ask(address, "GET", "/api/users?role=student&status=active&limit=20", served["admin"])
    path = f"/api/users/{ids[0]}/profile/avatar"
    writes = ask(address, "PATCH", path, served["students"][0], {"avatarUrl": "/api/files/1"})
    # Of whom one is not, one changes nothing; who is not signed in sees nothing.
    refused = [ask(address, "PATCH", path, served["students"][1], {"avatarUrl": "/api/files/2"})[0] // 100,
               ask(address, "GET", f"/api/users/{ids[0]}", served["admin"][:-6] + "AAAAAA")[0]]
    return [reads, lists, writes, refused]


def wrk(address, script):
    told = subprocess.run(["wrk", "-t", "2", "-c", str(CONNECTIONS), "-d", f"{SECONDS}s", "--latency", "-s", script, f"http://{address}"],
                          capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in told or "Socket errors" in told:
        raise SystemExit(told)
    number, unit = re.search(r"50%\s+([\d.]+)(us|ms|s)", told).groups()
    return float(re.search(r"Requests/sec:\s+([\d.]+)", told).group(1)), float(number) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit]


def share_mib(process):
    """Of this process and all below it: what is shared counts once."""
    with open(f"/proc/{process}/smaps_rollup") as file:
        own = int(re.search(r"^Pss:\s+(\d+)", file.read(), re.M).group(1)) / 1024
    return own + sum(share_mib(child) for child in children(process))


def measure(root, cluster, work, rounds=3):
    uvicorn = os.path.join(root, "target/tools-peers/uvicorn/bin/uvicorn")
    if not os.path.exists(uvicorn):
        return {"absent": "FastAPI is not installed"}
    school, admin, ids = prepare(root, cluster)
    url = cluster.url("peer").replace("//postgres:", "//users_service:")
    runner = os.path.join(root, "target/bench/release/users-runner")
    started = []
    try:
        started.append(subprocess.Popen([runner, "serve", url, admin, school, ",".join(ids)], stdout=subprocess.PIPE, text=True))
        served = json.loads(started[0].stdout.readline())
        port = free_port()
        environment = {**os.environ, "BENCH_KEYS": f"{served['auth']}/.well-known/jwks.json", "BENCH_DATABASE": url, "BENCH_POOL": "4",
                       "BENCH_ISSUER": ISSUER, "BENCH_AUDIENCE": AUDIENCE}
        started.append(subprocess.Popen(
            [uvicorn, "app:app", "--app-dir", os.path.join(root, "benches/peers/fastapi"), "--port", str(port), "--workers", "2", "--loop", "uvloop",
             "--http", "httptools", "--no-access-log", "--log-level", "warning"], env={**environment, "PYTHONDONTWRITEBYTECODE": "1"}))
        places = {"ours": served["address"], "fastapi": f"127.0.0.1:{port}"}
        said = {name: answers(address, ids, served) for name, address in places.items()}
        if said["ours"][0][0] != 200 or without_moment(said["ours"]) != without_moment(said["fastapi"]):
            raise SystemExit(f"the endpoints answer differently: {json.dumps(said, indent=1)[:4000]}")
        scripts = {}
        for kind, text in SCRIPTS.items():
            scripts[kind] = os.path.join(work, f"peer-{kind}.lua")
            quoted = lambda values: ",".join(f'"{value}"' for value in values)  # noqa: E731
            with open(scripts[kind], "w") as file:
                file.write((HEAD + text).format(admin=served["admin"], ids=quoted(ids), tokens=quoted(served["students"])))
        rates = {name: {kind: [] for kind in SCRIPTS} for name in places}
        p50_ms = {name: {kind: [] for kind in SCRIPTS} for name in places}
        memory = dict.fromkeys(places, 0)
        for number in range(rounds + 1):
            for kind, script in scripts.items():
                for name, process in list(zip(places, started))[:: -1 if number % 2 else 1]:
                    rate, middle = wrk(places[name], script)
                    memory[name] = max(memory[name], share_mib(process.pid))
                    say(f"peer {number} {kind} {name}: {rate:.0f}/s, p50 {middle:.2f} ms, {memory[name]:.0f} MiB")
                    if number:
                        rates[name][kind].append(rate)
                        p50_ms[name][kind].append(middle)
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
            process.wait()
    middle = statistics.median
    ratio = {kind: round(middle(ours / theirs for ours, theirs in zip(rates["ours"][kind], rates["fastapi"][kind])), 2) for kind in SCRIPTS}
    return {"people": PEOPLE, "connections": CONNECTIONS, "rounds": rounds, "ratio": ratio,
            "per_s": {name: {kind: round(middle(values)) for kind, values in kinds.items()} for name, kinds in rates.items()},
            "p50_ms": {name: {kind: round(middle(values), 2) for kind, values in kinds.items()} for name, kinds in p50_ms.items()},
            "memory_mib": {name: round(mib, 1) for name, mib in memory.items()}, "memory_ratio": round(memory["ours"] / memory["fastapi"], 3)}


def without_moment(said):
    """Times are written as Z by one and as +00:00 by the other, and a cursor's inside is each one's own."""
    text = re.sub(r"(\.\d+)?(Z|\+00:00)\"", '"', json.dumps(said))
    return re.sub(r'"next": "[^"]*"', '"next": "…"', text)
