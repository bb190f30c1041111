# SPDX-License-Identifier: Apache-2.0
"""Durations against what the server itself logged: first byte read to last byte written."""

import json
import os
import socket
import time

from sonde_test.process import wait_until
from sonde_test.runner import test

SERVER = "http_server_request_duration_seconds"
CLIENT = "http_client_request_duration_seconds"


class Witness:
    """A server that logs, and the agent that watches it."""

    def __init__(self, t, service):
        self.t, self.service = t, service
        self.agent = t.agent()
        self.log_path = t.path(service + ".log")
        self.server, self.port = t.serve("timed_server", "127.0.0.1", "0", self.log_path, service=service)
        self.requests, self.seconds = 0, 0.0

    def log(self):
        if not os.path.exists(self.log_path):
            return []
        with open(self.log_path) as file:
            return [json.loads(line) for line in file if line.endswith("\n")]

    def counts(self, metrics):
        return metrics.total(SERVER + "_count", service_name=self.service)

    def compare(self, name, requests=1, labels=None):
        """The metric's growth since the last comparison against the log's new lines."""
        t = self.t
        t.where = f"{name}: "
        before = self.requests
        wait_until(lambda: len(self.log()) >= before + requests, 30 * t.patience)
        lines = self.log()[before:]
        t.equal(len(lines), requests, "lines of the server's log")
        want = sum(line["end_ns"] - line["start_ns"] for line in lines) / 1e9
        metrics = self.agent.settle(self.counts, before + requests)
        t.equal(self.counts(metrics) - before, requests, "requests")
        seconds = metrics.total(SERVER + "_sum", service_name=self.service)
        t.near(seconds - self.seconds, want, "duration", 0.001 * requests * (20 if t.guest else 1), 0.02)
        for label, value in (labels or {}).items():
            t.check(metrics.find(SERVER + "_count", service_name=self.service, **{label: value}),
                    f"no series with {label}={value}")
        self.requests, self.seconds = len(self.log()), seconds
        t.where = ""
        return metrics

    def load(self, *plan, requests=1, slow_ms=0):
        """Requests over one connection; also compares the client's side with what the client measured."""
        t = self.t
        service = f"{self.service}-client-{self.requests}"
        args = ["--slow-ms", str(slow_ms)] if slow_ms else []
        said = t.spawn("load", "127.0.0.1", self.port, 1, requests, "keep", *args, *plan, service=service).result(120 * t.patience)
        t.where = f"{plan[0]}, client side: "
        metrics = self.agent.settle(lambda m: m.total(CLIENT + "_count", service_name=service), requests)
        t.equal(metrics.total(CLIENT + "_count", service_name=service), requests, "requests")
        seconds = metrics.total(CLIENT + "_sum", service_name=service)
        t.near(seconds, min(max(seconds, said["sum_ns"] / 1e9), said["most_ns"] / 1e9), "duration",
               0.001 * requests * (20 if t.guest else 1), 0.02)
        t.where = ""
        return said

    def converse(self, *steps):
        """One connection: bytes are sent, numbers are seconds of rest, None reads until one more header has come,
        "half" says that nothing more will be sent, "end" reads to the end."""
        got, want = b"", 0
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.settimeout(20 * self.t.patience)
            for step in steps:
                if isinstance(step, bytes):
                    connection.sendall(step)
                elif isinstance(step, (int, float)):
                    time.sleep(step)
                elif step == "half":
                    connection.shutdown(socket.SHUT_WR)
                elif step == "end":
                    while connection.recv(65536):
                        pass
                else:
                    want += 1
                    while got.count(b"\r\n\r\n") < want:
                        more = connection.recv(65536)
                        if not more:
                            break
                        got += more
        return got

    def outcome(self, metrics, name):
        self.t.check(metrics.total("sonde_parse_outcomes_total", protocol="http", outcome=name) > 0,
                     f"no parse outcome {name}: {metrics.by('sonde_parse_outcomes_total', 'outcome')}")


def get(path, method="GET", headers="", version="1.1"):
    return f"{method} {path} HTTP/{version}\r\nHost: x\r\n{headers}\r\n".encode()


@test(guest=True)
def duration_of_slow_handlers(t):
    witness = Witness(t, "slow-handler")
    for ms in (50, 200, 1000):
        for kind in ("sleep", "busy"):
            witness.load(f"GET /{kind}/{ms}")
            witness.compare(f"/{kind}/{ms}")
    witness.load("GET /sleep/5", requests=10)
    witness.compare("ten on one connection", requests=10)


@test()
def duration_of_large_bodies(t):
    witness = Witness(t, "large-body")
    size = 20_000_000 if t.guest else 100_000_000
    for kind in ("body", "sendfile"):
        witness.load(f"GET /{kind}/{size}")
        metrics = witness.compare(f"/{kind}/{size}")
    t.equal(metrics.total("http_server_response_body_size_bytes_sum", service_name="large-body"), 2 * size,
            "bytes of the bodies")
    witness.load(f"POST /status/200 {size}")
    metrics = witness.compare("upload")
    t.equal(metrics.total("http_server_request_body_size_bytes_sum", service_name="large-body"), size,
            "bytes of the upload")


@test()
def duration_with_slow_reader(t):
    """The server's last write waits for a client that reads 64 KiB every 10 ms."""
    witness = Witness(t, "slow-reader")
    witness.load("GET /body/12000000", slow_ms=10)
    witness.compare("/body, slow reader")
    witness.load("GET /sendfile/12000000", slow_ms=10)
    witness.compare("/sendfile, slow reader")


@test()
def duration_of_streams(t):
    witness = Witness(t, "streams")
    witness.load("GET /chunked/30/100")
    witness.compare("chunked stream of 3 s")
    witness.load("GET /dribble/10/20")
    witness.compare("ten bytes in ten calls")
    witness.load("GET /trailers")
    witness.compare("chunked with trailers")
    witness.load("GET /close/200000")
    witness.compare("ended by close")
    witness.load("GET /hints")
    metrics = witness.compare("early hints", labels={"http_response_status_code": "200"})
    witness.outcome(metrics, "interim")
    t.equal(metrics.total(SERVER + "_count", service_name="streams", http_response_status_code="103"), 0,
            "requests with status 103")


@test()
def duration_of_unusual_requests(t):
    witness = Witness(t, "unusual")
    witness.converse(get("/close/50", version="1.0"), None, "end")
    witness.compare("HTTP/1.0, ended by close")
    witness.converse(get("/close/50", version="1.0"), None, "half", "end")
    witness.compare("HTTP/1.0, the client closes its half in between")
    witness.converse(get("/dribble/5/20"), "half", "end")
    witness.compare("the client closes its half at once")
    witness.load("HEAD /body/100", "GET /sleep/30", requests=2)
    metrics = witness.compare("HEAD, then GET on the same connection", requests=2,
                              labels={"http_request_method": "HEAD"})
    witness.outcome(metrics, "head")
    witness.converse(get("/status/201", "POST", "Content-Length: 5\r\nExpect: 100-continue\r\n"), None, 0.05,
                     b"12345", None)
    metrics = witness.compare("100-continue", labels={"http_response_status_code": "201"})
    witness.outcome(metrics, "interim")
    witness.converse(get("/sleep/20", "POST", "Content-Length: 10\r\n"), b"12345", 0.1, b"67890", None)
    witness.compare("request in three pieces")
    request = get("/sleep/20")
    witness.converse(request[:7], 0.05, request[7:30], 0.05, request[30:], None)
    witness.compare("request line in pieces")
    witness.converse(get("/sleep/20", headers="X-Long: " + "l" * 3000 + "\r\n"), None)
    witness.compare("header longer than the captured prefix")


@test()
def early_response_is_counted(t):
    witness = Witness(t, "early")
    witness.converse(get("/early", "POST", "Content-Length: 100000\r\n"), None, b"x" * 100000, 0.05, get("/sleep/10"), None)
    wait_until(lambda: len(witness.log()) == 2, 10 * t.patience)

    def counts(m):
        return witness.counts(m) + m.total("sonde_requests_partial_total", service_name="early", kind="server")
    metrics = witness.agent.settle(counts, 2)
    t.equal(witness.counts(metrics) + metrics.total("sonde_requests_partial_total", service_name="early", kind="server"), 2,
            "requests and partial requests")
    t.equal(metrics.total(SERVER + "_count", service_name="early", http_response_status_code="413"), 1, "early answers")
    witness.outcome(metrics, "early_response")


@test()
def early_response_to_a_short_body(t):
    """The rest of the body and the next request arrive in one turn, both within the captured prefix."""
    witness = Witness(t, "early-short")
    witness.converse(get("/early", "POST", "Content-Length: 500\r\n"), None, b"x" * 500, 0.05, get("/sleep/10"), None)
    wait_until(lambda: len(witness.log()) == 2, 10 * t.patience)
    metrics = witness.agent.settle(witness.counts, 2)
    t.equal(metrics.by(SERVER + "_count", "http_response_status_code", service_name="early-short"), {"413": 1, "200": 1},
            "requests by status")


@test()
def pipelined_requests_are_counted(t):
    witness = Witness(t, "pipelined")
    witness.converse(get("/sleep/20") + get("/status/404") + get("/sleep/30"), None, None, None)
    metrics = witness.agent.settle(witness.counts, 3)
    t.equal(metrics.by(SERVER + "_count", "http_response_status_code", service_name="pipelined"), {"200": 2, "404": 1},
            "requests by status")
    witness.outcome(metrics, "pipelined")


@test()
def upgrade_and_connect_end_the_protocol(t):
    witness = Witness(t, "switching")
    witness.converse(get("/upgrade", headers="Upgrade: echo\r\nConnection: Upgrade\r\n"), None,
                     get("/not/a/request"), 0.05)
    witness.compare("Upgrade", labels={"http_response_status_code": "101"})
    witness.converse(get("example:443", "CONNECT"), None, get("/not/a/request"), 0.05)
    metrics = witness.compare("CONNECT", labels={"http_request_method": "CONNECT"})
    witness.outcome(metrics, "upgrade")
    witness.outcome(metrics, "connect")
    t.equal(witness.counts(metrics), 2, "requests: what the tunnel carries is none")


@test()
def not_http_is_counted_as_such(t):
    agent = t.agent()
    _, port = t.serve("acceptor", "127.0.0.1", "0", "16", "drain", service="no-http")
    before = agent.scrape().total("sonde_parse_outcomes_total", outcome="not_recognised")
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"\x00\x01\x02\x03 no protocol that anybody knows \xff" * 20)
    metrics = agent.settle(lambda m: m.total("sonde_parse_outcomes_total", outcome="not_recognised") > before, True)
    t.check(metrics.total("sonde_parse_outcomes_total", outcome="not_recognised") > before, "not counted")
    t.equal(metrics.total(SERVER + "_count", service_name="no-http"), 0, "requests")


@test()
def response_cut_is_counted(t):
    """The client goes away in the middle of an answer, and before it."""
    witness = Witness(t, "cut")
    with socket.create_connection(("127.0.0.1", witness.port)) as connection:
        connection.sendall(get("/chunked/10/50"))
        connection.recv(100)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    outcomes = ("response_cut", "no_response")

    def cut(m):
        return any(m.total("sonde_parse_outcomes_total", outcome=name) for name in outcomes)
    metrics = witness.agent.settle(cut, True)
    t.check(cut(metrics), f"outcomes: {metrics.by('sonde_parse_outcomes_total', 'outcome')}")
