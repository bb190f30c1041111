# SPDX-License-Identifier: Apache-2.0
"""A MariaDB server of our own; its status counters are what to count by."""

import os
import shutil
import subprocess
from collections import Counter

from .agent import free_port
from .process import Process, wait_until


class MariaDB:
    def __init__(self, directory, service=None, patience=1, options=()):
        self.directory = os.path.join(directory, "mariadb")
        data = os.path.join(self.directory, "data")
        os.makedirs(data, exist_ok=True)
        os.chmod(directory, 0o755)  # it changes to a user of its own
        for path in (self.directory, data):
            shutil.chown(path, "mysql", "mysql")
        subprocess.run(["mariadb-install-db", "--no-defaults", "--user=mysql", f"--datadir={data}", "--skip-test-db",
                        "--auth-root-authentication-method=normal"], check=True, capture_output=True)
        self.port = free_port()
        self.process = Process(["/usr/sbin/mariadbd", "--no-defaults", "--user=mysql", f"--datadir={data}", f"--port={self.port}",
                                "--bind-address=127.0.0.1", f"--socket={self.directory}/s.sock", f"--pid-file={data}/pid",
                                "--local-infile=1", "--innodb-buffer-pool-size=32M", *options], directory, service=service)
        self.pid = self.process.pid
        if not wait_until(lambda: "ready for connections" in self.process.error(), 40 * patience):
            raise AssertionError(f"mariadbd did not start: {self.process.error()}")
        self.say("CREATE DATABASE t")

    def client(self, *args):
        """The arguments with which mariadb, and sonde's tests, reach it over TCP."""
        return ("mariadb", "--no-defaults", "-h", "127.0.0.1", "-P", str(self.port), "-u", "root", *args)

    def say(self, statement):
        """Over a Unix-domain socket: told from the rest by its server_address."""
        done = subprocess.run(["mariadb", "--no-defaults", "-S", f"{self.directory}/s.sock", "-u", "root", "-N", "-e", statement],
                              check=True, capture_output=True, text=True)
        return done.stdout

    def status(self):
        lines = [line.split("\t") for line in self.say("SHOW GLOBAL STATUS").splitlines()]
        return Counter({name: int(value) for name, value in lines if value.isdigit()})

    def commands(self, before):
        """Statements run since status() gave `before`: its Com_ counters."""
        now = self.status()
        now.subtract(before)
        grown = Counter({name[4:]: count for name, count in now.items() if name.startswith("Com_") and count > 0})
        grown["show_status"] -= 1  # ours
        grown.pop("admin_commands", None)
        return +grown

    def stop(self):
        self.process.stop()
