"""Signing in over HTTP beside the hash alone: one client, in turn with one hash on a thread of the same kind in the same process."""

import json
import os
import statistics
import subprocess
import sys

TIMES = 200
EMAIL, PASSWORD = "docente@escuela.example", "profe-desarrollo"
# The one of the development seeds, at the parameters that the service hashes with.
HASH = "$argon2id$v=19$m=19456,t=2,p=1$ZJyvgKF2ns6kCZzmxByEuw$4IdgDuEtDMHrrSXGHMo8up+NW0YRosbZlwyZMcrZojA"


def say(text):
    print(f"  {text}", flush=True, file=sys.stderr)


def prepare(root, cluster):
    """The platform as migrated, a school, and its teacher."""
    cluster.sql("DROP DATABASE IF EXISTS logins;\nCREATE DATABASE logins;")
    engine = os.path.join(root, "target/bench/release/engine-runner")
    done = subprocess.run([engine, "run", os.path.join(root, "db-migrations-service"), cluster.url("logins")], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"preparing the platform: {done.stderr}")
    school = cluster.sql("INSERT INTO organizations.organizations (name) VALUES ('School') RETURNING id;", "logins")[0]
    cluster.sql(
        "INSERT INTO public.roles (name, description) VALUES ('teacher', '') ON CONFLICT DO NOTHING;\n"
        f"INSERT INTO auth.users (email, password_hash, is_verified) VALUES ('{EMAIL}', '{HASH}', true);\n"
        "INSERT INTO users.user_profiles (user_id, first_name, last_name) SELECT id, 'Given', 'Family' FROM auth.users;\n"
        f"INSERT INTO users.user_roles (user_id, role, organization_id) SELECT id, 'teacher', '{school}' FROM auth.users;\n"
        "VACUUM ANALYZE;\n"
        f"ALTER ROLE auth_service PASSWORD '{cluster.password}';\nCHECKPOINT;", "logins")


def measure(root, cluster, rounds=3):
    """Each round is a process of its own."""
    prepare(root, cluster)
    runner = os.path.join(root, "target/bench/release/login-runner")
    url = cluster.url("logins").replace("//postgres:", "//auth_service:")
    measured = []
    for number in range(rounds):
        done = subprocess.run([runner, url, EMAIL, PASSWORD, HASH, str(TIMES)], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)
        measured.append(json.loads(done.stdout.strip().split("\n")[-1]))
        login, alone = measured[-1]["login"]["p50_us"], measured[-1]["hash"]["p50_us"]
        say(f"login {number}: {measured[-1]} ({login / alone:.2f})")
    middle = lambda what, which: round(statistics.median(one[what][which] for one in measured) / 1000, 1)  # noqa: E731
    ratios = [one["login"]["p50_us"] / one["hash"]["p50_us"] for one in measured]
    return {"rounds": rounds, "times": TIMES, "login_p50_ms": middle("login", "p50_us"), "login_p99_ms": middle("login", "p99_us"),
            "hash_p50_ms": middle("hash", "p50_us"), "ratio": round(statistics.median(ratios), 2), "ratios": [round(ratio, 2) for ratio in ratios]}
