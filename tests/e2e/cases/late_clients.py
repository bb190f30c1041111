# SPDX-License-Identifier: Apache-2.0
"""Clients whose call returns when the server has answered: here they send more at once than the connection takes, and what is at its beginning is served while
they are still in that call."""

import os
from collections import Counter

from sonde_test.otelcol import read_spans
from sonde_test.process import wait_until
from sonde_test.runner import test

SERVER, CLIENT = 2, 3

SERVICE = """
import http.server, socket
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.wfile.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
    def log_message(self, *words):
        pass
class Server(http.server.HTTPServer):
    def server_bind(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        super().server_bind()
server = Server(("127.0.0.1", 0), Handler)
print("ready", server.server_address[1], flush=True)
server.serve_forever()
"""

# The first ones show that several may be under way; the rest is one call.
ASKS = """
import socket, sys
connection = socket.socket()
connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
connection.connect(("127.0.0.1", int(sys.argv[1])))
def ask(numbers):
    connection.sendall(b"".join(b"GET /%d HTTP/1.1\\r\\nHost: a\\r\\nX-Fill: %s\\r\\n\\r\\n" % (number, b"x" * 300) for number in numbers))
    answers = b""
    while answers.count(b"HTTP/1.1 200") < len(numbers):
        answers += connection.recv(65536) or sys.exit("closed")
ask(range(2))
ask(range(2, 4))
ask(range(4, int(sys.argv[2])))
"""

# As many connections, with eight long values in the first call of each.
ASKS_REDIS = """
import socket, sys
for number in range(int(sys.argv[2])):
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    connection.connect(("127.0.0.1", int(sys.argv[1])))
    connection.sendall(b"".join(b"*3\\r\\n$3\\r\\nSET\\r\\n$1\\r\\n%d\\r\\n$131072\\r\\n%s\\r\\n" % (key, b"x" * 131072) for key in range(8)))
    answers = 0
    while answers < 8:
        answers += (connection.recv(65536) or sys.exit("closed")).count(b"+OK")
    connection.close()
"""


def watch(t):
    file = os.path.join(t.directory, "spans.ndjson")
    return t.agent("--spans-ndjson", file, "--only", "service=late-*"), file


def check(t, agent, file, count, what):
    """Each served request is the child of the client's with the same words, in its trace, and lies within it."""
    spans = wait_until(lambda: (spans := read_spans(file)) if len(read_spans(file)) >= 2 * count else None, 20 * t.patience) or read_spans(file)
    asked = {span["spanId"]: span for span in spans if span["kind"] == CLIENT}
    served = [span for span in spans if span["kind"] == SERVER]
    t.equal((len(asked), len(served)), (count, count), "spans of both sides")
    t.equal(len({span.get("parentSpanId") for span in served} & set(asked)), count, "calls with a served request of their own")
    nobody = {"attributes": {}, "traceId": None, "startTimeUnixNano": 0}
    for span in served:
        above = asked.get(span.get("parentSpanId"), nobody)
        t.equal((above["attributes"].get(what), above["traceId"]), (span["attributes"][what], span["traceId"]), "the call above")
        t.check(int(above["startTimeUnixNano"]) <= int(span["startTimeUnixNano"]), "served before it was asked")
    metrics = agent.settle(lambda m: m.total("sonde_span_joins_total"), 2 * count)
    joins = {join: metrics.total("sonde_span_joins_total", join=join) for join in ("parent", "generated")}
    t.equal(joins, {"parent": count, "generated": count}, "how they were joined")
    t.equal(metrics.total("sonde_table_entries", table="span_unasked"), 0, "what still waits")
    return served


@test()
def late_clients_are_parents(t):
    agent, file = watch(t)
    _, port = t.serve("/usr/bin/python3", "-c", SERVICE, service="late-server")
    t.spawn("/usr/bin/python3", "-c", ASKS, port, 300, service="late-client").wait(60 * t.patience)
    served = check(t, agent, file, 300, "url.path")
    t.equal(Counter(span["attributes"]["url.path"] for span in served), Counter(f"/{number}" for number in range(300)), "what was asked")
    t.nothing_lost(agent)


@test(needs=("redis-server",))
def late_clients_are_parents_at_first(t):
    """Of its first call too: what it has connected to is known."""
    agent, file = watch(t)
    redis = t.redis(service="late-redis")
    t.spawn("/usr/bin/python3", "-c", ASKS_REDIS, redis.port, 25, service="late-client").wait(60 * t.patience)
    check(t, agent, file, 200, "db.operation.name")
    t.equal(redis.calls()["SET"], 200, "the witness")
    t.nothing_lost(agent)
