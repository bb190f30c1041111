# SPDX-License-Identifier: Apache-2.0
"""A Jaeger of our own: what it receives, and how it shows it."""

import json
import time
import urllib.request

from .agent import free_port
from .go_program import go_program
from .process import Process, wait_until


class Jaeger:
    def __init__(self, directory, patience=1):
        port, self.query_port = free_port(), free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        self.process = Process([go_program("jaeger"), "-otlp", f"127.0.0.1:{port}", "-query", f"127.0.0.1:{self.query_port}"], directory)
        if not wait_until(self._answers, 30 * patience):
            raise AssertionError(f"jaeger did not start: {self.process.error()}")

    def _answers(self):
        try:
            return self.services() is not None
        except OSError:
            return False

    def _ask(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.query_port}/api/{path}", timeout=20) as answer:
            return json.load(answer)["data"]

    def post(self, traces):
        """Sends a TracesData of OTLP/JSON, as somebody else's tracer."""
        request = urllib.request.Request(f"{self.endpoint}/v1/traces", json.dumps(traces).encode(), {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=20).close()

    def services(self):
        return set(self._ask("services") or ())

    def trace(self, trace_id):
        """Its spans, each with the process that it names."""
        trace, = self._ask(f"traces/{trace_id}")
        return [dict(span, process=trace["processes"][span["processID"]]) for span in trace["spans"]]

    def dependencies(self):
        """{(who calls, who is called): how often}, of the last day."""
        rows = self._ask(f"dependencies?endTs={time.time_ns() // 1000000 + 60000}")
        return {(row["parent"], row["child"]): row["callCount"] for row in rows}

    def stop(self):
        self.process.stop()
