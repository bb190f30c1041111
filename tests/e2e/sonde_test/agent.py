# SPDX-License-Identifier: Apache-2.0
"""The agent under test."""

import http.client
import json
import os
import socket
import subprocess
import time

from . import bpf
from .metrics import Metrics
from .process import Process, wait_until

LOST = "sonde_events_lost_total"


def free_port(family=socket.AF_INET):
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        return probe.getsockname()[1]


class Agent:
    """A running `sonde agent`, ready when the constructor returns."""

    def __init__(self, binary, directory, options=(), patience=1, env=None, wrap=()):
        self.binary = binary
        self.patience = patience
        self.port = free_port()
        self.socket = os.path.join(directory, f"sonde-{self.port}.sock")
        args = [*wrap, binary, "agent", "--listen", f"127.0.0.1:{self.port}", "--socket", self.socket, *options]
        started = time.monotonic()
        self.process = Process(args, directory, env=env)
        self.pid = self.process.pid
        ready = wait_until(lambda: not self.process.is_alive() or self._is_ready(), 30 * patience)
        if not ready or not self.process.is_alive():
            self.process.kill()
            raise AssertionError(f"the agent is not ready (exit {self.process.popen.returncode}): {self.log()}")
        self.ready_seconds = time.monotonic() - started
        self.objects = bpf.held_by(self.pid)

    def get(self, path="/metrics", headers=None, method="GET", timeout=None):
        """Returns (status, headers, body)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout or 10 * self.patience)
        try:
            connection.request(method, path, headers=headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def _is_ready(self):
        try:
            return self.get("/readyz")[0] == 200
        except OSError:
            return False

    def scrape(self):
        try:
            status, _, body = self.get()
        except OSError as error:
            self.process.popen.poll()
            raise AssertionError(f"/metrics: {error}; exit status of the agent: {self.process.popen.returncode}") from error
        if status != 200:
            raise AssertionError(f"/metrics answered {status}")
        return Metrics(body.decode())

    def settle(self, read, want, seconds=8):
        """Scrapes until read(metrics) is `want`, and once more later: counts must not go on growing.
        Returns the last scrape, whatever it says: the caller compares and explains."""
        deadline = time.monotonic() + seconds * min(self.patience, 4)
        while True:
            metrics = self.scrape()
            if read(metrics) == want:
                time.sleep(0.3)
                return self.scrape()
            if time.monotonic() > deadline:
                return metrics
            time.sleep(0.2)

    def dump(self, topic):
        run = subprocess.run([self.binary, "dump", topic, "--json", "--socket", self.socket],
                             capture_output=True, timeout=30 * self.patience)
        if run.returncode != 0:
            raise AssertionError(f"dump {topic}: exit {run.returncode}: {run.stderr.decode()}")
        return json.loads(run.stdout)

    def log(self):
        return self.process.output()[-4000:] + self.process.error()[-4000:]

    def stop(self):
        """Ends it as systemd would; returns (exit status, seconds)."""
        began = time.monotonic()
        self.process.stop(seconds=20 * self.patience)
        return self.process.popen.returncode, time.monotonic() - began

    def left_behind(self, seconds=10):
        """BPF objects of this agent that outlive it."""
        wait_until(lambda: not bpf.still_there(self.objects), seconds * self.patience)
        return bpf.still_there(self.objects)


def balance(metrics):
    """{kind: (produced, consumed, lost)} of the kinds that do not add up."""
    produced = metrics.by("sonde_events_produced_total", "kind")
    consumed = metrics.by("sonde_events_consumed_total", "kind")
    lost = metrics.by(LOST, "kind")
    return {kind: (produced[kind], consumed[kind], lost[kind]) for kind in {*produced, *consumed, *lost}
            if produced[kind] != consumed[kind] + lost[kind]}
