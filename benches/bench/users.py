"""Lists and searches of a school of 200,000 people, over HTTP and under the policies: the user service, its clients and the server share
the processors."""

import json
import os
import subprocess
import sys

PEOPLE, CLIENTS, SECONDS = 200_000, 2, 8
# Sorted, so that the deep page begins after six tenths of them.
SURNAMES = ["Acosta", "Bernal", "Castro", "Duarte", "Espinosa", "Forero", "Marin", "Ospina", "Rojas", "Zapata"]
GIVEN = ["Ana", "Mario", "Luz", "Mateo", "Eva", "Martina", "Juan", "Sara"]


def say(text):
    print(f"  {text}", flush=True, file=sys.stderr)


def prepare(root, cluster):
    """The platform as migrated, one school, its administrator and its students; answers both ids."""
    cluster.sql("DROP DATABASE IF EXISTS people;\nCREATE DATABASE people;")
    engine = os.path.join(root, "target/bench/release/engine-runner")
    done = subprocess.run([engine, "run", os.path.join(root, "db-migrations-service"), cluster.url("people")], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"preparing the platform: {done.stderr}")
    words = lambda names: "ARRAY[" + ",".join(f"'{name}'" for name in names) + "]"  # noqa: E731
    # As the triggers of roles and profiles would write them, at once.
    school = cluster.sql("INSERT INTO organizations.organizations (name) VALUES ('School') RETURNING id;", "people")[0]
    cluster.sql(
        "INSERT INTO public.roles (name, description) VALUES ('admin', ''), ('student', '') ON CONFLICT DO NOTHING;\n"
        "INSERT INTO auth.users (email, password_hash, is_verified) SELECT 'p' || n || '@escuela.example', 'x', true"
        f" FROM generate_series(0, {PEOPLE}) n;\n"
        "ALTER TABLE users.user_roles DISABLE TRIGGER user_roles_refresh_member;\n"
        "INSERT INTO users.user_roles (user_id, role, organization_id) SELECT id, CASE email WHEN 'p0@escuela.example' THEN 'admin'"
        f" ELSE 'student' END, '{school}' FROM auth.users;\n"
        "ALTER TABLE users.user_roles ENABLE TRIGGER user_roles_refresh_member;\n"
        "INSERT INTO users.members (organization_id, user_id, first_name, last_name, email, roles, is_joined)"
        f" SELECT '{school}', u.id, ({words(GIVEN)})[1 + abs(hashtext(u.id::text)) % 8],"
        f" ({words(SURNAMES)})[1 + abs(hashtext(u.email)) % 10] || ' ' || ({words(SURNAMES)})[1 + abs(hashtext(u.id::text || 'x')) % 10],"
        " u.email, ARRAY[r.role::text], true FROM auth.users u JOIN users.user_roles r ON r.user_id = u.id;\n"
        "VACUUM ANALYZE;\n"
        f"ALTER ROLE users_service PASSWORD '{cluster.password}';\nCHECKPOINT;", "people")
    admin = cluster.sql("SELECT id FROM auth.users WHERE email = 'p0@escuela.example';", "people")[0]
    return admin, school


def measure(root, cluster):
    admin, school = prepare(root, cluster)
    runner = os.path.join(root, "target/bench/release/users-runner")
    url = cluster.url("people").replace("//postgres:", "//users_service:")
    done = subprocess.run([runner, url, admin, school, str(CLIENTS), str(SECONDS), "marin"], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    measured = json.loads(done.stdout.strip().split("\n")[-1])
    say(f"users: {measured}")
    return {"people": PEOPLE, "clients": CLIENTS, "seconds": SECONDS, **measured}
