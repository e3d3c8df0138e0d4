"""One set of migrations in the form that each tool reads, in the tool's own layout."""

import hashlib
import json
import os


def read(path):
    with open(path) as file:
        return file.read()


def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb" if isinstance(content, bytes) else "w") as file:
        file.write(content)


def write_all(folder, migrations):
    """Writes every form beneath `folder`, a subfolder for each."""
    place = lambda path: os.path.join(folder, path)
    limit(place, migrations)
    names = [(f"{number:04}_{m.schema}_{m.name}", m) for number, m in enumerate(migrations, 1)]
    for name, m in names:
        write(place(f"sqlx/{name}.up.sql"), m.up)
        write(place(f"sqlx/{name}.down.sql"), m.down)
        write(place(f"diesel/{name}/up.sql"), m.up)
        write(place(f"diesel/{name}/down.sql"), m.down)
        write(place(f"refinery/V{int(name[:4])}__{name[5:]}.sql"), m.up)
        write(place(f"dbmate/{name}.sql"), f"-- migrate:up\n{m.up}\n-- migrate:down\n{m.down}")
        write(place(f"node-pg-migrate/{name}.sql"), f"-- Up Migration\n{m.up}\n-- Down Migration\n{m.down}")
        write(place(f"yoyo/{name}.sql"), m.up)
        write(place(f"yoyo/{name}.rollback.sql"), m.down)
        back = "".join(f"--rollback {line}\n" for line in m.down.splitlines() if line.strip())
        write(place(f"liquibase/{name}.sql"),
              f"--liquibase formatted sql\n--changeset bench:{name} splitStatements:false stripComments:false\n{m.up}\n{back}")
    write(place("diesel.toml"), "")  # else it looks for a Cargo.toml
    write(place("liquibase.yaml"), "databaseChangeLog:\n" + "".join(f"- include: {{file: liquibase/{name}.sql}}\n" for name, _ in names))
    alembic(place, migrations)
    graphile(place, migrations)
    sqitch(place, names)


def limit(place, migrations):
    """Messages for the limit and files for psql: each a transaction with its history row, there and back."""
    for direction, ordered in (("", migrations), ("-back", migrations[::-1])):
        messages, whole = bytearray(), []
        for number, m in enumerate(ordered, 1):
            sql = f"{m.down}\n;{m.without_history_row()}" if direction else f"{m.up}\n;{m.history_row(f'{m.schema}-service')}"
            transaction = f"BEGIN;\n{sql};COMMIT"
            messages += b"%d\n%s" % (len(transaction.encode()), transaction.encode())
            whole.append(transaction + ";\n")
            write(place(f"psql{direction}/{number:04}.sql"), sql + ";\n")
        write(place(f"messages{direction}"), bytes(messages))
        write(place(f"one{direction}.sql"), "".join(whole))


def alembic(place, migrations):
    for number, m in enumerate(migrations, 1):
        write(place(f"alembic/versions/v{number:04}.py"), ALEMBIC.format(
            this=f"v{number:04}", before=repr(f"v{number - 1:04}") if number > 1 else None, up=m.up, down=m.down))
    write(place("alembic/env.py"), ALEMBIC_ENV)
    write(place("alembic/alembic.ini"), "[alembic]\nscript_location = %(here)s\n")


ALEMBIC = """\
from alembic import op
revision, down_revision = {this!r}, {before}
def upgrade():
    op.get_bind().exec_driver_sql({up!r})
def downgrade():
    op.get_bind().exec_driver_sql({down!r})
"""
ALEMBIC_ENV = """\
import os
from alembic import context
from sqlalchemy import create_engine
with create_engine(os.environ["DATABASE_URL"]).connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
"""


def graphile(place, migrations):
    """Committed migrations; each names the hash of itself and of the one before."""
    before = None
    for number, m in enumerate(migrations, 1):
        text = f"{before or ''}\n{m.up.strip()}".strip() + "\n"
        this = "sha1:" + hashlib.sha1(text.encode()).hexdigest()
        write(place(f"graphile/committed/{number:06}.sql"), f"--! Previous: {before or '-'}\n--! Hash: {this}\n\n{m.up.strip()}\n")
        before = this
    write(place("graphile.json"), json.dumps({"migrationsFolder": place("graphile")}))


def sqitch(place, names):
    """A change is three scripts and a line of the plan; psql runs the scripts, so each is its own transaction."""
    plan = ["%syntax-version=1.0.0", "%project=bench", ""]
    for name, m in names:
        write(place(f"sqitch/deploy/{name}.sql"), f"BEGIN;\n{m.up}\nCOMMIT;\n")
        write(place(f"sqitch/revert/{name}.sql"), f"BEGIN;\n{m.down}\nCOMMIT;\n")
        plan.append(f"{name} 2026-01-01T00:00:00Z Benchmark <benchmark@example.org> # {m.name}")
    write(place("sqitch/sqitch.plan"), "\n".join(plan) + "\n")
    write(place("sqitch/sqitch.conf"), "[core]\n\tengine = pg\n[user]\n\tname = Benchmark\n\temail = benchmark@example.org\n")
