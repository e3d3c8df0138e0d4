"""How long a scrape of /metrics takes with 100 services on 3 environments, all of it migrated and looked at."""

import http.client
import os
import re
import statistics
import subprocess
import time

from .cluster import free_port

SERVICES, EACH, ENVIRONMENTS = 100, 4, ("development", "staging", "production")
SCRAPES = 200


def project(work):
    """A folder with so many services, each with a schema and a few migrations."""
    folder = os.path.join(work, "metrics-project")
    os.makedirs(os.path.join(folder, "config"))
    os.makedirs(os.path.join(folder, "seeds"))
    catalogue = ['[project]\nname = "bench"\ndefault_environment = "development"']
    for name in ENVIRONMENTS:
        catalogue.append(f'[environments.{name}]\ndatabase = "metrics_{name}"')
    for number in range(SERVICES):
        schema = f"s{number:03}"
        catalogue.append(f'[services.service-{number:03}]\nschemas = ["{schema}"]')
        migrations = os.path.join(folder, "migrations", schema)
        os.makedirs(migrations)
        for step in range(EACH):
            path = os.path.join(migrations, f"2026010100000{step}_create_t{step}")
            with open(path + ".up.sql", "w") as file:
                file.write(f"CREATE TABLE {schema}.t{step} (id int PRIMARY KEY);\n")
            with open(path + ".down.sql", "w") as file:
                file.write(f"DROP TABLE {schema}.t{step};\n")
    with open(os.path.join(folder, "config", "services.toml"), "w") as file:
        file.write("\n".join(catalogue) + "\n")
    return folder


def scrape(port):
    begun = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/metrics")
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"/metrics: {answer.status} {text[:500]}")
    return (time.perf_counter() - begun) * 1000, text


def measure(root, cluster, work):
    """Milliseconds per scrape, over a new connection each, as Prometheus might; while the sampler works beside."""
    profe = os.environ.get("BENCH_PROFE", os.path.join(root, "target/release/profe"))
    if not os.path.exists(profe):
        return {"absent": f"no {profe}: cargo build --release -p profe"}
    port = free_port()
    cluster.sql("CREATE DATABASE metrics_master;")
    variables = {
        **os.environ,
        "MIGRATION_SERVICE_PROJECT": project(work),
        "MIGRATION_SERVICE_MASTER_DB_URL": cluster.url("metrics_master"),
        "MIGRATION_SERVICE_PORT": str(port),
        "MIGRATION_SERVICE_SAMPLE_INTERVAL": "1s",
        "MIGRATION_SERVICE_WATCH_INTERVAL": "off",
        "MIGRATION_SERVICE_LOG_LEVEL": "warn",
    }
    for name in ENVIRONMENTS:
        subprocess.run([profe, "migrate", "run", "--environment", name], env=variables, check=True, stdout=subprocess.DEVNULL)
    service = subprocess.Popen([profe, "serve"], env=variables, stdout=subprocess.DEVNULL)
    try:
        last = f'service="service-{SERVICES - 1:03}"'
        counted = re.compile(rf'^profe_migration_migrations\{{(?=.*{last})(?=.*environment="(\w+)")(?=.*state="applied").* {EACH}$', re.M)
        give_up = time.monotonic() + 60
        while True:
            try:
                _, text = scrape(port)
                if set(ENVIRONMENTS) <= set(counted.findall(text)):
                    break
            except OSError:
                pass
            if time.monotonic() > give_up or service.poll() is not None:
                raise SystemExit("the service did not come to have all its samples")
            time.sleep(0.1)
        times = sorted(scrape(port)[0] for _ in range(SCRAPES))
        series = sum(not line.startswith("#") for line in text.splitlines())
    finally:
        service.terminate()
        service.wait(30)
    return {"services": SERVICES, "environments": len(ENVIRONMENTS), "series": series, "kib": len(text) / 1024, "scrapes": SCRAPES,
            "median_ms": statistics.median(times), "p99_ms": times[int(SCRAPES * 0.99) - 1], "binary": os.path.basename(os.path.dirname(profe))}
