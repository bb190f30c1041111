# SPDX-License-Identifier: Apache-2.0
"""A FerretDB of our own, which speaks MongoDB's protocol; its own metrics are what to count by."""

import functools
import os
import subprocess
import urllib.request
from collections import Counter

from .agent import free_port
from .metrics import Metrics
from .process import Process, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
FETCH = os.path.join(HERE, "..", "fetch-ferretdb.sh")
CACHE = os.environ.get("SONDE_CACHE") or os.path.join(HERE, "..", "..", "..", ".cache", "vm")


@functools.cache
def ferretdb():
    """Where it is, built if need be; None: it could not be built."""
    done = subprocess.run([FETCH], capture_output=True)
    return os.path.join(os.path.realpath(CACHE), "ferretdb", "ferretdb") if done.returncode == 0 else None


class FerretDB:
    def __init__(self, directory, service=None, patience=1):
        self.directory = os.path.join(directory, "ferretdb")
        os.makedirs(os.path.join(self.directory, "data"), exist_ok=True)
        self.port, self.witness_port = free_port(), free_port()
        self.process = Process([ferretdb(), "--handler=sqlite", f"--sqlite-url=file:{self.directory}/data/", f"--state-dir={self.directory}",
                                f"--listen-addr=127.0.0.1:{self.port}", f"--debug-addr=127.0.0.1:{self.witness_port}", "--telemetry=disable",
                                "--log-level=error"], directory, service=service)
        self.pid = self.process.pid
        if not wait_until(self._answers, 30 * patience):
            raise AssertionError(f"ferretdb did not start: {self.process.error()}")

    def _answers(self):
        try:
            return self.requests() is not None
        except OSError:
            return False

    def requests(self):
        """Requests that it has had, by command."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.witness_port}/debug/metrics", timeout=20) as answer:
            found = Metrics(answer.read().decode()).by("ferretdb_client_requests_total", "command", opcode="OP_MSG")
        return Counter(found)

    def stop(self):
        self.process.stop()
