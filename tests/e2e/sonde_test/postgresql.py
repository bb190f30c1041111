# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL server of our own, with pg_stat_statements to count by. It does not run as root, so neither does what it is
made with."""

import glob
import os
import shutil
import subprocess
from collections import Counter

from .agent import free_port
from .process import Process, wait_until


def programs():
    """The folder of the newest server installed, or None."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"), key=lambda path: int(path.split("/")[4]))
    return os.path.dirname(found[-1]) if found else None


class Postgres:
    def __init__(self, directory, service=None, patience=1, options=()):
        self.bin, self.port, self.patience = programs(), free_port(), patience
        self.directory = os.path.join(directory, "postgresql")
        self.environment = {"PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": "postgres", "PGDATABASE": "postgres",
                            "PGSSLMODE": "disable", "PGGSSENCMODE": "disable", "PGCONNECT_TIMEOUT": "30"}
        os.chmod(directory, 0o755)
        os.makedirs(self.directory)
        shutil.chown(self.directory, "postgres", "postgres")
        self.data = os.path.join(self.directory, "data")
        self._run(*self._as_server("initdb"), "-D", self.data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C",
                  "--no-sync", "--no-instructions")
        settings = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": self.directory, "fsync": "off",
                    "shared_preload_libraries": "pg_stat_statements", "autovacuum": "off", "max_connections": 100, **dict(options)}
        self.process = Process([*self._as_server("postgres"), "-D", self.data,
                                *(part for name, value in settings.items() for part in ("-c", f"{name}={value}"))],
                               directory, service=service)
        if not wait_until(lambda: self._is_ready(), 60 * patience):
            raise AssertionError(f"postgres did not start: {self.process.error()}")
        self.ask("CREATE EXTENSION pg_stat_statements")

    def _as_server(self, name):
        return ["/usr/bin/setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--inh-caps=-all",
                os.path.join(self.bin, name)]

    def _run(self, *args):
        run = subprocess.run(args, capture_output=True, timeout=120 * self.patience, env={**os.environ, **self.environment},
                             cwd=self.directory)
        if run.returncode:
            raise AssertionError(f"{args}: exit {run.returncode}: {run.stderr.decode()}")
        return run.stdout.decode()

    def _is_ready(self):
        return "ready to accept connections" in self.process.error()

    def ask(self, *statements):
        """Over the Unix-domain socket: what is asked here is told from the rest by its server_address."""
        run = [part for statement in statements for part in ("-c", statement)]
        return self._run(os.path.join(self.bin, "psql"), "-X", "-q", "-A", "-t", "-h", self.directory, *run)

    def forget(self):
        self.ask("SELECT pg_stat_statements_reset()")

    def calls(self):
        """Calls by operation and table, as far as pg_stat_statements tells: SELECT, INSERT, UPDATE and DELETE that succeeded."""
        calls = Counter()
        for line in self.ask("SELECT calls, regexp_replace(query, '\\s+', ' ', 'g') FROM pg_stat_statements "
                             "WHERE query !~ 'pg_stat_statements'").splitlines():
            count, _, query = line.partition("|")
            words = query.split()
            table = {"SELECT": "FROM", "DELETE": "FROM", "INSERT": "INTO", "UPDATE": "UPDATE"}.get(words[0].upper())
            if table:
                upper = [word.upper() for word in words]
                name = words[upper.index(table) + 1].split("(")[0].rstrip(";") if table in upper else ""
                calls[(words[0].upper(), name)] += int(count)
        return calls

    def stop(self):
        self.process.popen.send_signal(2)  # SIGINT: without waiting for clients
        try:
            self.process.popen.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
