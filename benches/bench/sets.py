"""The migration sets: the platform's own, and generated ones."""

import hashlib
import json
import os
import shutil
import subprocess

from . import forms
from .forms import read, write

SCHEMAS = ["stock", "sales", "people", "ledger"]
RUN_ID = "00000000-0000-4000-8000-000000000001"

UP = """\
-- {title} of {schema}: number {number} of the generated set.
create table {schema}.{table} (
    id bigint generated always as identity,
    code varchar(50) not null,
    name varchar(255) not null,
    description text,
    kind varchar(20) not null default 'standard',
    quantity integer not null default 0,
    price numeric(12, 2),
    is_active boolean not null default true,
    details jsonb not null default '{{}}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint {table}_pkey primary key (id),
    constraint {table}_code_key unique (code),
    constraint {table}_kind_check check (kind in ('standard', 'special', 'archived')),
    constraint {table}_quantity_check check (quantity >= 0)
);

create index {table}_name_created_at_idx on {schema}.{table} (name, created_at desc);

comment on table {schema}.{table} is '{title}: it isn''t read by anybody.';
comment on column {schema}.{table}.code is 'What people call it.';
comment on index {schema}.{table}_name_created_at_idx is 'Lists the newest by name.';
"""
DOWN = "drop table {schema}.{table};\n"


def quote(text):
    doubled = text.replace("'", "''")
    return f"'{doubled}'" if "\\" not in text else "E'" + doubled.replace("\\", "\\\\") + "'"


class Migration:
    def __init__(self, schema, version, name, up, down):
        self.schema, self.version, self.name, self.up, self.down = schema, version, name, up, down

    def history_row(self, service):
        """The statement that the engine writes; the token checksum is stood in for by one of the same length."""
        digest = hashlib.sha256(self.up.encode()).hexdigest()
        return (
            "INSERT INTO migration_service.history (service, schema_name, version, name, checksum, file_hash, up_sql, down_sql, "
            f"late, applied_by, duration_ms, run_id) VALUES ({quote(service)}, {quote(self.schema)}, {self.version}, "
            f"{quote(self.name)}, '{digest}', '{digest}', {quote(self.up)}, {quote(self.down)}, false, 'benchmark', "
            f"(extract(epoch FROM clock_timestamp() - transaction_timestamp()) * 1000)::bigint, '{RUN_ID}')"
        )

    def without_history_row(self):
        """The least that whoever takes a migration back must do to its history."""
        return (f"DELETE FROM migration_service.history WHERE schema_name = {quote(self.schema)} AND version = {self.version}"
                " AND rolled_back_at IS NULL")


class Set:
    """One set: a project for the engine, and `path(form)` for the others."""

    def __init__(self, name, title, folder, migrations, project):
        self.name, self.title, self.folder, self.migrations, self.project = name, title, folder, migrations, project
        self.expected = None  # what a migrated database looks like, once somebody has made one
        forms.write_all(folder, migrations)

    def path(self, form):
        return os.path.join(self.folder, form)

    def write_bare(self):
        """A project with this catalogue and one migration that does nothing: it leaves a prepared target."""
        bare = self.path("bare")
        write(os.path.join(bare, "config/services.toml"), read(os.path.join(self.project, "config/services.toml")))
        schema = self.migrations[0].schema
        for direction in ("up", "down"):
            write(os.path.join(bare, f"migrations/{schema}/1_nothing.{direction}.sql"), "-- nothing\n")
        return bare


def generated(work, count):
    """`count` migrations over four services: a table, an index and comments each. The same on every machine."""
    folder = os.path.join(work, f"generated-{count}")
    shutil.rmtree(folder, ignore_errors=True)
    project, migrations = os.path.join(folder, "project"), []
    services = "".join(f'[services.{s}-service]\nschemas = ["{s}"]\n\n' for s in SCHEMAS)
    write(os.path.join(project, "config/services.toml"),
          f'[project]\nname = "bench"\ndefault_environment = "development"\n\n[environments.development]\nurl_variable = "DATABASE_URL"\n\n{services}')
    for number in range(1, count + 1):
        schema, table = SCHEMAS[number % len(SCHEMAS)], f"things_{number:04}"
        words = {"schema": schema, "table": table, "number": number, "title": f"Things {number}"}
        m = Migration(schema, 20260101000000 + number, f"create_{table}", UP.format(**words), DOWN.format(**words))
        stem = os.path.join(project, f"migrations/{schema}/{m.version}_{m.name}")
        write(f"{stem}.up.sql", m.up)
        write(f"{stem}.down.sql", m.down)
        migrations.append(m)
    return Set(str(count), f"{count:,} generated", folder, migrations, project)


def platform(work, project, order):
    """The platform's own migrations, for the others in the `order` that the engine found (schema/version)."""
    folder = os.path.join(work, "platform")
    shutil.rmtree(folder, ignore_errors=True)
    files, migrations = {}, []
    for schema in os.listdir(os.path.join(project, "migrations")):
        path = os.path.join(project, "migrations", schema)
        for file in os.listdir(path) if os.path.isdir(path) else []:
            if file.endswith(".up.sql"):
                version, name = file.removesuffix(".up.sql").split("_", 1)
                stem = os.path.join(path, file.removesuffix(".up.sql"))
                files[f"{schema}/{int(version)}"] = Migration(schema, int(version), name, read(f"{stem}.up.sql"), read(f"{stem}.down.sql"))
    for migration in order:
        migrations.append(files.pop(migration))
    if files:
        raise SystemExit(f"the plan leaves out {', '.join(files)}")
    return Set("platform", f"the platform's ({len(migrations)})", folder, migrations, project)


def platform_order(runner, project, url):
    done = subprocess.run([runner, "plan", project, url], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)["migrations"]
