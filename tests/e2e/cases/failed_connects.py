# SPDX-License-Identifier: Apache-2.0
"""Connects that fail, as spans: each names its address, its error, and the request that its thread answers. The witness is the errno that the program was given."""

import errno
import http.client
import os
import threading

from sonde_test.agent import free_port
from sonde_test.otelcol import read_spans
from sonde_test.process import wait_until
from sonde_test.runner import test

INTERNAL, SERVER, CLIENT = 1, 2, 3

# GET /A.B.C.D/how: connects there, and answers with the errno.
SERVICE = """
import http.server, socket, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        _, address, how = self.path.split("/")
        with socket.socket() as one:
            one.settimeout(20 if how == "nonblocking" else None)
            said = b"%d" % one.connect_ex((address, int(sys.argv[1])))
        self.wfile.write(b"HTTP/1.1 502 Bad Gateway\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(said), said))
    def log_message(self, *words):
        pass
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
server = Server(("127.0.0.1", 0), Handler)
print("ready", server.server_address[1], flush=True)
server.serve_forever()
"""


def watch(t, *words):
    file = os.path.join(t.directory, "spans.ndjson")
    return t.agent("--spans-ndjson", file, "--only", "service=failed-*", *words), file


def collect(t, file, count):
    """Those of connects that failed, and all by their IDs."""
    def read():
        spans = read_spans(file, parts=True)
        return {span["spanId"]: span for span in spans}, [span for span in spans if span["kind"] == INTERNAL and "error.type" in span["attributes"]]
    return wait_until(lambda: got if len((got := read())[1]) >= count else None, 20 * t.patience) or read()


def check_span(t, span, address, port, error):
    attributes = span["attributes"]
    t.equal((span["name"], attributes["server.address"], attributes["server.port"], attributes["error.type"], span["status"]["code"]),
            (f"socket connect {address}:{port}", address, port, errno.errorcode[error], 2), "what a connect says")


def ask(port, paths, said):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for path in paths:
        connection.request("GET", path)
        said[path] = int(connection.getresponse().read())
    connection.close()


@test()
def failed_connects_are_children(t):
    """Of a request that is alone: each has its own."""
    agent, file = watch(t)
    closed = free_port()
    _, port = t.serve("/usr/bin/python3", "-c", SERVICE, closed, service="failed-handler")
    said = {}
    ask(port, [f"/127.0.{number}.1/{how}" for number in range(20) for how in ("blocking", "nonblocking")], said)
    t.equal(set(said.values()), {errno.ECONNREFUSED}, "what the program was told")
    spans, failed = collect(t, file, 40)
    t.equal(len(failed), 40, "spans of connects")
    for span in failed:
        above = spans.get(span.get("parentSpanId"), {"attributes": {"url.path": "//"}, "kind": None, "traceId": None})
        _, address, how = above["attributes"]["url.path"].split("/")
        t.equal((above["kind"], above["traceId"], span["attributes"]["sonde.join"]), (SERVER, span["traceId"], "parent"), "the request")
        check_span(t, span, address, closed, errno.ECONNREFUSED)
        t.check(int(above["startTimeUnixNano"]) <= int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"]) <= int(above["endTimeUnixNano"]),
                "a connect is not within its request")
    t.equal(len({span["parentSpanId"] for span in failed}), 40, "requests with a connect of their own")
    metrics = agent.settle(lambda m: m.total("sonde_tcp_connects_total", service_name="failed-handler", outcome="refused"), 40)
    t.equal(metrics.total("sonde_tcp_connects_total", service_name="failed-handler", outcome="refused"), 40, "connects as counted")
    t.nothing_lost(agent)


@test()
def failed_connects_at_once_have_no_wrong_parent(t):
    """Eight threads: where it is not sure, there are links, or nothing."""
    agent, file = watch(t)
    closed = free_port()
    _, port = t.serve("/usr/bin/python3", "-c", SERVICE, closed, service="failed-handler")
    said = {}
    threads = [threading.Thread(target=ask, args=(port, [f"/127.{client}.{number}.1/nonblocking" for number in range(40)], said)) for client in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    t.equal((len(said), set(said.values())), (320, {errno.ECONNREFUSED}), "what the program was told")
    spans, failed = collect(t, file, 320)
    t.equal(len({span["attributes"]["server.address"] for span in failed}), 320, "spans of connects")
    below = [span for span in failed if span.get("parentSpanId")]
    for span in below:
        above = spans.get(span["parentSpanId"], {"attributes": {"url.path": None}, "traceId": None})
        t.equal((above["attributes"]["url.path"], above["traceId"]), (f"/{span['attributes']['server.address']}/nonblocking", span["traceId"]), "the request")
    t.check(len(below) >= 200, f"only {len(below)} of 320 have a parent: threads that keep theirs are sure, once they have shown it")
    named = {(link["traceId"], link["spanId"]) for span in failed for link in span.get("links", [])}
    t.equal(named - {(span["traceId"], key) for key, span in spans.items()}, set(), "links to what was never told")
    t.nothing_lost(agent)


@test(needs=("netns", "veth"))
def failed_connects_of_clients_are_roots(t):
    """Refused, or without any answer; kept for their error."""
    agent, file = watch(t, "--span-sampling", "errors,ratio=0")
    spaces = t.namespaces()
    spaces.at(spaces.near, "sysctl", "-q", "-w", "net.ipv4.tcp_syn_retries=1")
    hole, closed = spaces.black_hole()[0], free_port()
    runs = [t.spawn("connects", hole, "80", "1", how, service="failed-late", netns=spaces.near) for how in ("blocking", "nonblocking")]
    for _ in range(3):
        t.spawn("/usr/bin/curl", "-s", f"http://127.0.0.1:{closed}/", service="failed-curl").wait(20 * t.patience, status=7)  # it could not connect
    t.equal([list(run.result(60 * t.patience)["errnos"]) for run in runs], [[str(errno.ETIMEDOUT)]] * 2, "the programs' errnos")
    _, failed = collect(t, file, 5)
    t.equal((len(failed), len({span["traceId"] for span in failed})), (5, 5), "spans and traces")
    for span in failed:
        t.equal((span.get("parentSpanId"), span["attributes"]["sonde.join"]), (None, "generated"), "whose it is")
        if span["resource"]["service.name"] == "failed-curl":
            check_span(t, span, "127.0.0.1", closed, errno.ECONNREFUSED)
        else:
            check_span(t, span, hole, 80, errno.ETIMEDOUT)
    metrics = agent.settle(lambda m: m.total("sonde_spans_sampled_total", reason="error"), 5)
    t.equal(metrics.total("sonde_spans_produced_total"), 5, "spans as counted")
