# SPDX-License-Identifier: Apache-2.0
"""A memcached of our own; its statistics are what to count by."""

import os
import socket
from collections import Counter

from .agent import free_port
from .process import Process, wait_until


class Memcached:
    def __init__(self, directory, service=None, patience=1, options=()):
        self.directory = os.path.join(directory, "memcached")
        os.makedirs(self.directory, exist_ok=True)
        self.port = free_port()
        self.process = Process(["/usr/bin/memcached", "-u", "nobody", "-l", "127.0.0.1", "-p", self.port, "-U", "0", *options],
                               directory, service=service)
        self.pid = self.process.pid
        if not wait_until(self._answers, 20 * patience):
            raise AssertionError(f"memcached did not start: {self.process.error()}")

    def _answers(self):
        try:
            return self.stats()
        except OSError:
            return None

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.settimeout(20)
        return connection

    def ask(self, request, end=b"\r\n"):
        """One request over a connection of its own; returns the answer."""
        with self.connect() as connection:
            connection.sendall(request)
            answer = b""
            while not answer.endswith(end):
                more = connection.recv(65536)
                if not more:
                    break
                answer += more
            return answer

    def stats(self):
        """Its counters. Each call is a `stats` operation more."""
        lines = self.ask(b"stats\r\n", b"END\r\n").decode().split("\r\n")
        pairs = [line.split(" ", 2)[1:] for line in lines if line.startswith("STAT ")]
        return Counter({name: int(value) for name, value in pairs if value.isdigit()})

    def stop(self):
        self.process.stop()
