"""A private PostgreSQL for one benchmark: initdb, start, databases, statistics. Removed when it is done."""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time


def server_programs():
    """The folder of PostgreSQL's own binaries. Debian's /usr/bin/psql is a Perl wrapper that costs 20 ms a start."""
    found = os.environ.get("PG_BIN", "/usr/lib/postgresql/15/bin")
    if not os.path.exists(os.path.join(found, "initdb")):
        raise SystemExit(f"no initdb in {found}: install postgresql-15, or set PG_BIN to the folder that holds it")
    return found


def quiet_folder():
    """A folder where files are made at the disk's real speed; answers it and the folder to remove in the end.

    ext4 does not reuse an inode for some minutes after its file was deleted, and looks at each such inode again and
    again while it makes new files near by: twenty times slower, for whoever happens to be measured then. So nothing is
    deleted before the end, and the folder is one whose neighbourhood is quiet. `chattr +T` has subfolders spread.
    """
    top = tempfile.mkdtemp(prefix="profe-bench-", dir=os.environ.get("BENCH_DIR", "/var/tmp"))
    os.chmod(top, 0o755)
    subprocess.run(["chattr", "+T", top], capture_output=True)
    tried = []
    for number in range(12):
        folder = os.path.join(top, str(number))
        os.makedirs(os.path.join(folder, "probe"))
        begun = time.monotonic()
        for file in range(300):
            open(os.path.join(folder, "probe", str(file)), "w").close()
        tried.append(((time.monotonic() - begun) / 300 * 1e6, folder))
        if tried[-1][0] < 60:
            break
    microseconds, folder = min(tried)
    return folder, top, microseconds


def children(process):
    with open(f"/proc/{process}/task/{process}/children") as file:
        return [int(child) for child in file.read().split()]


def free_port():
    """A port that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Cluster:
    """fsync is the only setting that differs from PostgreSQL's defaults, and only where asked for."""

    def __init__(self, fsync=True, keep=False):
        self.fsync, self.keep = fsync, keep
        self.bin = server_programs()
        self.folder, self.top, self.file_us = quiet_folder()
        self.password = secrets.token_hex(8)
        self.psql = os.path.join(self.bin, "psql")
        self.server = None
        self.port = free_port()

    def __enter__(self):
        data, secret = os.path.join(self.folder, "data"), os.path.join(self.folder, "password")
        with open(secret, "w") as file:
            file.write(self.password)
        self.as_user = []
        if os.geteuid() == 0:
            entry = pwd.getpwnam("postgres")
            for path in (self.folder, secret):
                os.chown(path, entry.pw_uid, entry.pw_gid)
            self.as_user = ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]
        initdb = [os.path.join(self.bin, "initdb"), "-D", data, "-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8"]
        subprocess.run(self.as_user + initdb + ["--locale=C.UTF-8", "--data-checksums", f"--pwfile={secret}"],
                       check=True, stdout=subprocess.DEVNULL, cwd="/")
        settings = ["-c", f"port={self.port}", "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
        if not self.fsync:
            settings += ["-c", "fsync=off"]
        log = open(os.path.join(self.folder, "log"), "w")
        self.server = subprocess.Popen(self.as_user + [os.path.join(self.bin, "postgres"), "-D", data] + settings,
                                       stdout=log, stderr=log, cwd="/")
        for _ in range(200):
            if subprocess.run([self.psql, "-XqAtc", "select 1", self.url("postgres")], capture_output=True).returncode == 0:
                return self
            time.sleep(0.05)
        raise SystemExit(f"the cluster did not start; see {self.folder}/log")

    def __exit__(self, *_):
        if self.server:
            self.server.terminate()
            try:
                self.server.wait(60)
            except subprocess.TimeoutExpired:
                self.server.kill()
                self.server.wait()
        if not self.keep:
            shutil.rmtree(self.top, ignore_errors=True)

    def url(self, database, port=None):
        return f"postgresql://postgres:{self.password}@127.0.0.1:{port or self.port}/{database}?sslmode=disable"

    def sql(self, text, database="postgres"):
        """Each line of `text` is one statement; answers the lines printed."""
        done = subprocess.run([self.psql, "-XqAt", "-v", "ON_ERROR_STOP=1", self.url(database)], input=text,
                              capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{text[:200]}\n{done.stderr}")
        return done.stdout.split("\n")[:-1]

    def fresh(self, name, template):
        """A database equal to `template`, and nothing left for the server to write."""
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template};\nCHECKPOINT;")

    def processor_ms(self):
        """What the server has taken of the processors: the postmaster, what has ended of it, and what has not."""
        ticks = 0
        for process in [self.server.pid] + children(self.server.pid):
            try:
                with open(f"/proc/{process}/stat") as file:
                    fields = file.read().rsplit(")", 1)[1].split()
            except FileNotFoundError:
                continue
            ticks += sum(int(field) for field in fields[11:15])
        return ticks * 1_000 / os.sysconf("SC_CLK_TCK")

    def wal_syncs(self):
        """Flushes of the log since the last reset. Backends report when they end, so it is asked until it stands."""
        seen = None
        while True:
            now = int(self.sql("SELECT wal_sync FROM pg_stat_wal;")[0])
            if now == seen:
                return now
            seen = now
            time.sleep(0.3)
