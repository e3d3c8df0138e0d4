"""How long the dashboard's overview takes on a cold load: the platform in three environments, a new browser each time."""

import contextlib
import http.client
import json
import os
import re
import statistics
import subprocess
import time

from .cluster import free_port

ENVIRONMENTS = ("development", "staging", "production")
LOADS = 10
SCREEN = "1280,900"
# Runs before the page's own scripts, and notes when its rows are there.
WATCH = """
new MutationObserver((_, self) => {
  if (document.querySelectorAll('.matrix tbody tr').length && document.querySelector('.attention li, .calm')) {
    self.disconnect();
    requestAnimationFrame(() => setTimeout(() => { window.rowsAt = performance.now(); }));
  }
}).observe(document, { childList: true, subtree: true });
"""
FOUND = """
const done = arguments[arguments.length - 1];
const look = () => {
  const paint = performance.getEntriesByName('first-contentful-paint')[0];
  if (!window.rowsAt || !paint) return requestAnimationFrame(look);
  const all = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
  done({ paint_ms: paint.startTime, rows_ms: rowsAt, bytes: all.reduce((sum, e) => sum + e.transferSize, 0), requests: all.length,
         rows: document.querySelectorAll('.matrix tbody tr').length });
};
look();
"""


def ask(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, json.dumps(body or {}), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    value = json.loads(answer.read())["value"]
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"chromedriver: {method} {path}: {value}")
    return value


@contextlib.contextmanager
def driver():
    """chromedriver, answering its port."""
    process = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        for line in process.stdout:
            found = re.search(r"successfully on port (\d+)", line)
            if found:
                yield int(found[1])
                return
        raise SystemExit("chromedriver did not start: apt-get install chromium chromium-driver")
    finally:
        process.terminate()
        process.wait(30)


def load(port, url):
    """One cold load: a browser with no cache."""
    arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                 "--disable-background-networking", "--disable-component-update", "--disable-sync", f"--window-size={SCREEN}"]
    wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": {"args": arguments}, "timeouts": {"script": 60_000}}}}
    session = f"/session/{ask(port, 'POST', '/session', wanted)['sessionId']}"
    try:
        ask(port, "POST", f"{session}/goog/cdp/execute", {"cmd": "Page.addScriptToEvaluateOnNewDocument", "params": {"source": WATCH}})
        ask(port, "POST", f"{session}/url", {"url": url})
        return ask(port, "POST", f"{session}/execute/async", {"script": FOUND, "args": []})
    finally:
        ask(port, "DELETE", session)


def serving(port, service):
    give_up = time.monotonic() + 60
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/ready")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        if time.monotonic() > give_up or service.poll() is not None:
            raise SystemExit("the service did not come up")
        time.sleep(0.1)


def measure(root, cluster):
    """Milliseconds from the navigation to the first paint with content and to the rows, and bytes over the wire."""
    profe = os.environ.get("BENCH_PROFE", os.path.join(root, "target/release/profe"))
    if not os.path.exists(profe):
        return {"absent": f"no {profe}: cargo build --release -p profe"}
    port = free_port()
    cluster.sql("CREATE DATABASE overview_master;")
    variables = {
        **os.environ,
        "MIGRATION_SERVICE_PROJECT": os.path.join(root, "db-migrations-service"),
        "MIGRATION_SERVICE_MASTER_DB_URL": cluster.url("overview_master"),
        "MIGRATION_SERVICE_PORT": str(port),
        "MIGRATION_SERVICE_LOG_LEVEL": "warn",
    }
    for name in ENVIRONMENTS:
        cluster.sql(f"CREATE DATABASE overview_{name};")
        variables["DATABASE_URL" if name == "development" else f"{name.upper()}_DATABASE_URL"] = cluster.url(f"overview_{name}")
    subprocess.run([profe, "migrate", "run", "--environment", "development"], env=variables, check=True, stdout=subprocess.DEVNULL)
    service = subprocess.Popen([profe, "serve"], env=variables, stdout=subprocess.DEVNULL)
    try:
        serving(port, service)
        with driver() as chrome:
            loads = [load(chrome, f"http://127.0.0.1:{port}/") for _ in range(LOADS)]
    finally:
        service.terminate()
        service.wait(30)
    each = {key: [one[key] for one in loads] for key in ("paint_ms", "rows_ms", "bytes", "requests")}
    return {"loads": LOADS, "environments": len(ENVIRONMENTS), "services": loads[0]["rows"],
            "paint_ms": statistics.median(each["paint_ms"]), "paint_worst_ms": max(each["paint_ms"]),
            "rows_ms": statistics.median(each["rows_ms"]), "rows_worst_ms": max(each["rows_ms"]),
            "kb": max(each["bytes"]) / 1000, "requests": max(each["requests"]), "binary": os.path.basename(os.path.dirname(profe))}
