# SPDX-License-Identifier: Apache-2.0
"""A redis-server of our own; its command statistics are what to count by. It keeps its title: a changed one lies over
the environment, and with it over the service name."""

import os
import re
import socket
from collections import Counter

from .agent import free_port
from .process import Process, wait_until


class Redis:
    def __init__(self, directory, service=None, patience=1, options=()):
        self.directory = os.path.join(directory, "redis")
        os.makedirs(self.directory, exist_ok=True)
        self.port = free_port()
        self.process = Process(["/usr/bin/redis-server", "--port", self.port, "--bind", "127.0.0.1", "--save", "",
                                "--daemonize", "no", "--set-proc-title", "no", "--dir", self.directory, *options], directory, service=service)
        self.pid = self.process.pid
        if not wait_until(lambda: "Ready to accept connections" in self.process.output(), 20 * patience):
            raise AssertionError(f"redis-server did not start: {self.process.output()}")

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.settimeout(20)
        return connection

    def ask(self, *words):
        """One command over a connection of its own; returns the first bytes of the answer."""
        request = b"".join([b"*%d\r\n" % len(words), *(b"$%d\r\n%s\r\n" % (len(word), word) for word in
                                                      (str(word).encode() for word in words))])
        with self.connect() as connection:
            connection.sendall(request)
            answer = connection.recv(65536)
            match = re.match(rb"\$(\d+)\r\n", answer)
            while match and len(answer) < match.end() + int(match[1]) + 2:
                answer += connection.recv(65536)
            return answer.decode()

    def calls(self):
        """Calls by command, as semantic conventions spell it: what was run, also when it failed."""
        found = re.findall(r"cmdstat_(\S+?):calls=(\d+),.*?rejected_calls=(\d+)", self.ask("INFO", "commandstats"))
        return Counter({name.upper().replace("|", " "): int(calls) + int(rejected)
                        for name, calls, rejected in found if int(calls) + int(rejected)})

    def errors(self):
        """Error answers by their prefix."""
        found = re.findall(r"errorstat_(\S+?):count=(\d+)", self.ask("INFO", "errorstats"))
        return Counter({name: int(count) for name, count in found})

    def stop(self):
        self.process.stop()
