# SPDX-License-Identifier: Apache-2.0
"""Whose child a call is that a pool's thread makes, which was handed its work by the thread that reads all requests."""

import http.client
import threading
from collections import Counter

from sonde_test.otelcol import read_spans
from sonde_test.process import wait_until
from sonde_test.runner import test

SERVER, CLIENT = 2, 3
JOINS = "sonde_span_joins_total"

# One thread reads; a pool works and answers: two calls a request, with words of the same number. MODE `later`: every fourth request has one
# more made when it was answered, by whatever thread of the pool comes to it.
SERVICE = """
import http.client, selectors, socket, sys, threading
from concurrent.futures import ThreadPoolExecutor
upstream, mode = int(sys.argv[1]), sys.argv[2]
local = threading.local()
def ask(path):
    if not hasattr(local, "upstream"):
        local.upstream = http.client.HTTPConnection("127.0.0.1", upstream, timeout=60)
    local.upstream.request("GET", path)
    local.upstream.getresponse().read()
def work(connection, number):
    ask(f"/items/{number}?one")
    ask(f"/items/{number}?two")
    connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
    if mode == "later" and int(number) % 4 == 0:
        pool.submit(ask, f"/later/{number}")
listener = socket.create_server(("127.0.0.1", 0), backlog=128)
selector, pool = selectors.DefaultSelector(), ThreadPoolExecutor(4)
selector.register(listener, selectors.EVENT_READ)
print("ready", listener.getsockname()[1], flush=True)
while True:
    for key, _ in selector.select():
        if key.fileobj is listener:
            selector.register(listener.accept()[0], selectors.EVENT_READ)
            continue
        head = key.fileobj.recv(65536)
        if head:
            pool.submit(work, key.fileobj, head.split(b" ")[1].decode().rpartition("/")[2])
        else:
            selector.unregister(key.fileobj)
            key.fileobj.close()
"""
CLIENTS, EACH = 12, 40


def ask(port, numbers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for number in numbers:
        connection.request("GET", f"/in/{number}")
        connection.getresponse().read()
    connection.close()


def number_of(span):
    return span["attributes"]["url.path"].rpartition("/")[2]


def watch(t, service, mode, env=None):
    """The agent, who is called, and the port of the service: all are looked at."""
    agent = t.agent("--spans-ndjson", t.path("spans.ndjson"), "--only", "service=handed-app", "--only", "service=handed-up")
    up = t.nginx(service="handed-up", locations="location /later/ { return 200 later; }")
    app, port = t.serve("/usr/bin/python3", "-c", service, up.port, mode, service="handed-app", env=env)
    pids = {app.pid, up.pid, *up.workers()}
    if not wait_until(lambda: pids <= {process["pid"] for process in agent.dump("procs") if not process["ignored"]}, 10 * t.patience):
        raise AssertionError(f"not all are looked at: {agent.dump('procs')}")
    return agent, up, port


def collect(t, up, requests, calls):
    """The spans of so many requests, and of so many calls on both ends."""
    file = t.path("spans.ndjson")
    wait_until(lambda: len(up.log()) >= calls, 20 * t.patience)
    t.equal(len(up.log()), calls, "what was called, as the called one logged it")
    wait_until(lambda: len(read_spans(file)) >= 2 * calls + requests, 20 * t.patience, every=0.2)
    spans = read_spans(file)
    t.equal(Counter((span["resource"]["service.name"], span["kind"]) for span in spans),
            {("handed-app", SERVER): requests, ("handed-app", CLIENT): calls, ("handed-up", SERVER): calls}, "spans")
    return spans


def serve(t, mode, service=SERVICE):
    """The agent, and the spans of the service, after CLIENTS have asked EACH."""
    agent, up, port = watch(t, service, mode)
    threads = [threading.Thread(target=ask, args=(port, range(client * EACH, (client + 1) * EACH))) for client in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    calls = 2 * CLIENTS * EACH + (CLIENTS * EACH // 4 if mode == "later" else 0)
    return agent, collect(t, up, CLIENTS * EACH, calls)


def judge(spans):
    """(calls with the right parent, with a wrong one, with links to the right one, others)."""
    requests = {span["spanId"]: span for span in spans if span["kind"] == SERVER and span["resource"]["service.name"] == "handed-app"}
    said = Counter()
    for span in spans:
        if span["kind"] != CLIENT:
            continue
        above = requests.get(span.get("parentSpanId"))
        linked = [requests.get(link["spanId"]) for link in span.get("links", [])]
        if span.get("parentSpanId"):
            is_right = above and number_of(above) == number_of(span) and above["traceId"] == span["traceId"] and \
                "later" not in span["attributes"]["url.path"]
            said["right" if is_right else "wrong"] += 1
        elif any(number_of(other) == number_of(span) for other in linked if other):
            said["linked"] += 1
        else:
            said["astray" if linked else "none"] += 1
    return said


def check_parts(t, spans):
    """Whose calls are known, of that request all is known from the first one on. A call that lost its CPU before it returned is seen later."""
    first = {}
    for span in spans:
        above = span.get("parentSpanId") if span["kind"] == CLIENT else None
        if above:
            first[above] = min(first.get(above, int(span["startTimeUnixNano"])), int(span["startTimeUnixNano"]))
    known = [span for span in spans if span["spanId"] in first and span["attributes"].get("sonde.receive_queue_ns", 0) < 10_000_000]
    before = [first[span["spanId"]] - int(span["startTimeUnixNano"]) for span in known]
    told = [span["attributes"].get("sonde.unaccounted_ns", 0) for span in known]
    wrong = [pair for pair in zip(told, before) if abs(pair[0] - pair[1]) > 10_000]
    t.check(len(known) >= CLIENTS * EACH // 4, f"{len(known)} requests whose calls are known")
    t.check(len(wrong) * 20 <= len(known), f"unaccounted, and until the first call, of {len(wrong)} of {len(known)}: {wrong[:5]}")


@test(needs=("nginx",))
def handed_calls_are_their_requests(t):
    agent, spans = serve(t, "now")
    said = judge(spans)
    t.equal((said["wrong"], said["astray"]), (0, 0), f"wrong parents and links to wrong requests ({dict(said)})")
    t.check(said["right"] >= CLIENTS * EACH, f"parents: {dict(said)}")
    check_parts(t, spans)
    metrics = agent.settle(lambda m: m.total(JOINS), len(spans))
    t.equal(metrics.total(JOINS, join="ambiguous"), said["linked"], "joins counted as ambiguous")
    t.equal(metrics.total("sonde_table_entries", table="span_handed_calls"), 0, "calls kept of requests that are over")


@test(needs=("nginx",))
def work_for_later_has_no_parent(t):
    """A thread that does what nobody waits for between two answers: what it calls cannot be told apart, so nobody's calls are sure."""
    _, spans = serve(t, "later")
    said = judge(spans)
    t.equal(said["wrong"], 0, f"wrong parents ({dict(said)})")


# A thread a connection, which answers with two calls at once: of threads of its own that end, or (`stays`) of a pool that all share.
STARTS = """
import http.client, http.server, socketserver, sys
from concurrent.futures import ThreadPoolExecutor
upstream, shared = int(sys.argv[1]), ThreadPoolExecutor(16) if sys.argv[2] == "stays" else None
def ask(path):
    connection = http.client.HTTPConnection("127.0.0.1", upstream, timeout=60)
    connection.request("GET", path)
    connection.getresponse().read()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        number = self.path.rpartition("/")[2]
        paths = [f"/items/{number}?one", f"/items/{number}?two"]
        if shared:
            list(shared.map(ask, paths))
        else:
            with ThreadPoolExecutor(2) as own:
                list(own.map(ask, paths))
        self.wfile.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
    def log_message(self, *words):
        pass
class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128
server = Server(("127.0.0.1", 0), Handler)
print("ready", server.server_address[1], flush=True)
server.serve_forever()
"""


@test(needs=("nginx",))
def calls_of_started_threads_are_their_requests(t):
    agent, spans = serve(t, "ends", STARTS)
    said = judge(spans)
    t.equal((said["wrong"], said["astray"]), (0, 0), f"wrong parents and links to wrong requests ({dict(said)})")
    t.check(said["right"] >= CLIENTS * EACH, f"parents: {dict(said)}")
    t.equal(agent.scrape().total("sonde_table_entries", table="span_handed_calls"), 0, "calls kept of requests that are over")


@test(needs=("nginx",))
def calls_of_a_pools_first_threads_have_no_parent(t):
    """Those are started for a request, too, and do anybody's work from then on."""
    _, spans = serve(t, "stays", STARTS)
    said = judge(spans)
    t.equal(said["wrong"], 0, f"wrong parents ({dict(said)})")
