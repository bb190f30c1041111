# SPDX-License-Identifier: Apache-2.0
"""Whose child a span is: nginx in front of a Python service with a thread a connection, which asks Redis twice a request."""

import http.client
import os
import threading
from collections import Counter

from sonde_test.otelcol import read_spans
from sonde_test.process import wait_until
from sonde_test.runner import test, tool

SERVER, CLIENT = 2, 3
JOINS = "sonde_span_joins_total"

SERVICE = """
import http.server, socket, socketserver, sys, threading
local = threading.local()
def ask(key):
    if not hasattr(local, "redis"):
        local.redis = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    local.redis.sendall(b"*2\\r\\n$3\\r\\nGET\\r\\n$%d\\r\\n%s\\r\\n" % (len(key), key))
    local.redis.recv(4096)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        ask(b"one")
        ask(b"two")
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *words):
        pass
class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128
server = Server(("127.0.0.1", 0), Handler)
print("ready", server.server_address[1], flush=True)
server.serve_forever()
"""

# Head and body apart, as http.server does it: a proxy mostly reads them apart, too.
TWO_WRITES = """
import http.server, socketserver
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *words):
        pass
class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128
server = Server(("127.0.0.1", 0), Handler)
print("ready", server.server_address[1], flush=True)
server.serve_forever()
"""

# Two calls for each request, one after the other.
ONE_THEN_TWO = """
const http = require('http');
const agent = new http.Agent({ keepAlive: true });
const port = Number(process.argv[2]);
const ask = (path) => new Promise((done) => http.get({ host: '127.0.0.1', port, path, agent }, (answer) => {
	answer.resume();
	answer.on('end', done);
}));
const server = http.createServer(async (request, response) => {
	await ask('/one' + request.url);
	await ask('/two' + request.url);
	response.end('ok');
});
server.listen(0, '127.0.0.1', 256, () => console.log('ready', server.address().port));
"""


# Sends what it was told in pieces that are cut anywhere, many requests at a time.
PIPELINES = """
import socket, sys
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
commands = [b"SET k 1", b"GET k", b"INCR k", b"STRLEN k", b"LPUSH l a", b"LLEN l", b"SADD s a", b"SCARD s", b"HSET h f v", b"HGET h f",
            b"EXISTS k", b"TTL k", b"TYPE k", b"APPEND k 1", b"PING"]
for number in range(int(sys.argv[2])):
    asked = b""
    for words in map(bytes.split, commands + [b"ECHO end%d." % number]):
        asked += b"*%d\\r\\n" % len(words) + b"".join(b"$%d\\r\\n%s\\r\\n" % (len(word), word) for word in words)
    cut = number * 7 % len(asked)
    for piece in filter(None, (asked[:cut], asked[cut:])):
        connection.sendall(piece)
    told = b""
    while b"end%d." % number not in told:
        told += connection.recv(50 + number % 100)
"""


def start(t, agent):
    redis = t.redis(service="join-redis")
    python, port = t.serve("/usr/bin/python3", "-c", SERVICE, redis.port, service="join-python")
    nginx = t.nginx(service="join-nginx", locations=f"location /up/ {{ proxy_pass http://127.0.0.1:{port}; }}")
    pids = {redis.pid, python.pid, nginx.pid, *nginx.workers()}
    if not wait_until(lambda: pids <= {process["pid"] for process in agent.dump("procs") if not process["ignored"]}, 10 * t.patience):
        raise AssertionError(f"not all are looked at: {agent.dump('procs')}")
    return redis, nginx


def ask(port, paths, headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    for path in paths:
        connection.request("GET", path, headers=headers(path))
        connection.getresponse().read()
    connection.close()


def sent(path):
    """What a tracer would send with a path that ends with a number."""
    number = int(path.rpartition("/")[2]) + 1
    return f"{number:032x}", f"{number:016x}"


def traceparent(path):
    trace, span = sent(path)
    return {"traceparent": f"00-{trace}-{span}-01", "X-Request-ID": f"request-{path}"}


def collect(t, agent, file, requests):
    """The spans, by (service, kind); seven a request."""
    def all_of():
        spans = read_spans(file)
        return spans if len(spans) >= 7 * requests else None
    spans = wait_until(all_of, 20 * t.patience, every=0.2) or read_spans(file)
    services = {}
    for span in spans:
        services.setdefault((span["resource"]["service.name"], span["kind"]), []).append(span)
    counts = {key: len(of) for key, of in services.items()}
    t.equal(counts, {("join-nginx", SERVER): requests, ("join-nginx", CLIENT): requests, ("join-python", SERVER): requests,
                     ("join-python", CLIENT): 2 * requests, ("join-redis", SERVER): 2 * requests}, "spans by service and kind")
    metrics = agent.settle(lambda m: m.total(JOINS), 7 * requests)
    said = Counter(span["attributes"]["sonde.join"] for span in spans)
    counted = {join: metrics.total(JOINS, join=join) for join in said}
    if "generated" in counted:
        counted["generated"] += metrics.total(JOINS, join="ambiguous")
    t.equal(counted, dict(said), "joins as counted")
    return services, {span["spanId"]: span for span in spans}


def path_of(span, spans):
    """The request that a span is about, by its own path or its parents'."""
    while span and "url.path" not in span["attributes"]:
        span = spans.get(span.get("parentSpanId"))
    return span["attributes"]["url.path"] if span else None


def paired(t, spans, what):
    """The spans; of what is served, each has the other end's for its parent, also where the client lost its CPU between the bytes' way into the socket and the end
    of its call, and the server was over first."""
    alone = [span for span in spans if span["kind"] == SERVER and not span.get("parentSpanId")]
    t.equal(len(alone), 0, f"{what}: of {len(spans)} spans, those without a parent")
    return spans


def watch(t):
    file = os.path.join(t.directory, "spans.ndjson")
    only = [word for name in ("nginx", "python", "redis") for word in ("--only", f"service=join-{name}")]
    return t.agent("--spans-ndjson", file, *only), file


@test(needs=("nginx", "redis-server"))
def spans_are_children_of_whom_the_header_names(t):
    agent, file = watch(t)
    redis, nginx = start(t, agent)
    paths = [f"/up/{number}" for number in range(40)]
    ask(nginx.port, paths, traceparent)
    services, spans = collect(t, agent, file, len(paths))
    t.equal(redis.calls()["GET"], 2 * len(paths), "what Redis was asked")
    for service, kind in (("join-nginx", SERVER), ("join-nginx", CLIENT), ("join-python", SERVER)):
        for span in services.get((service, kind), []):
            path = span["attributes"]["url.path"]
            t.equal((span["traceId"], span["parentSpanId"], span["attributes"]["sonde.join"], span["flags"] & 255),
                    (*sent(path), "header", 1), f"{service}: whose child the span of {path} is")
            t.equal(span["attributes"]["http.request.header.x-request-id"], [f"request-{path}"], "X-Request-ID")
    check_below(t, services, spans)


def check_below(t, services, spans):
    """What Python asks is a child of what it is asked, and what Redis is asked one of that."""
    for service, kind, parent in (("join-python", CLIENT, SERVER), ("join-redis", SERVER, CLIENT)):
        for span in paired(t, services.get((service, kind), []), service):
            above = spans.get(span.get("parentSpanId"), {"resource": {"service.name": None}, "kind": None, "traceId": None})
            t.equal((above["resource"]["service.name"], above["kind"], above["traceId"], span["attributes"]["sonde.join"]),
                    ("join-python", parent, span["traceId"], "parent"), f"{service}: the parent of a span")
    below = Counter(span.get("parentSpanId") for span in services.get(("join-python", CLIENT), []))
    t.equal(set(below.values()), {2}, "calls of Redis by request")


@test(needs=("nginx", "redis-server"))
def spans_without_headers_are_one_trace(t):
    agent, file = watch(t)
    _, nginx = start(t, agent)
    paths = [f"/up/{number}" for number in range(40)]
    ask(nginx.port, paths, lambda path: {})
    services, spans = collect(t, agent, file, len(paths))
    roots = services.get(("join-nginx", SERVER), [])
    t.equal(len({span["traceId"] for span in roots}), len(paths), "traces")
    t.equal({span["attributes"]["sonde.join"] for span in roots}, {"generated"}, "how the first is joined")
    for service, kind, parent in (("join-nginx", CLIENT, "join-nginx"), ("join-python", SERVER, "join-nginx")):
        for span in paired(t, services.get((service, kind), []), service):
            above = spans.get(span.get("parentSpanId"), {})
            t.equal((above.get("traceId"), path_of(above, spans) if above else None, above and above["resource"]["service.name"]),
                    (span["traceId"], span["attributes"]["url.path"], parent), f"{service}: the parent of a span")
    check_below(t, services, spans)


@test(needs=("redis-server",))
def spans_of_pipelines_are_paired(t):
    """Sixteen requests under way on one connection: each that is served is the child of the one that was asked."""
    agent, file = watch(t)
    redis = t.redis(service="join-redis")
    t.spawn("/usr/bin/python3", "-c", PIPELINES, redis.port, 100, service="join-python").wait(60 * t.patience)
    spans = wait_until(lambda: (spans := read_spans(file)) if len(read_spans(file)) >= 3200 else None, 20 * t.patience) or []
    asked = {span["spanId"]: span for span in spans if span["kind"] == CLIENT}
    served = [span for span in spans if span["kind"] == SERVER]
    calls = redis.calls()
    want = Counter({name: 100 for name in ("SET", "GET", "INCR", "STRLEN", "LPUSH", "LLEN", "SADD", "SCARD", "HSET", "HGET", "EXISTS", "TTL",
                                           "TYPE", "APPEND", "PING", "ECHO")})
    t.equal(Counter({name: calls[name] for name in want}), want, "the witness")
    t.equal(Counter(span["attributes"]["db.operation.name"] for span in served), want, "what was served")
    below = paired(t, served, "Redis")
    t.equal(len({span["parentSpanId"] for span in below} & set(asked)), len(below), "requests with a server's span of their own")
    for span in below:
        above = asked.get(span.get("parentSpanId"), {"attributes": {}, "traceId": None})
        t.equal((above["attributes"].get("db.operation.name"), above["traceId"]), (span["attributes"]["db.operation.name"], span["traceId"]),
                "what the parent asked")


@test(needs=("nginx", "redis-server"))
def spans_at_once_have_no_wrong_parent(t):
    """Many at a time: what is not sure is a link or a trace of its own, and never a wrong parent."""
    agent, file = watch(t)
    _, nginx = start(t, agent)
    clients, each = 8, 40
    threads = [threading.Thread(target=ask, args=(nginx.port, [f"/up/{client * each + number}" for number in range(each)],
                                                  lambda path: {})) for client in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    services, spans = collect(t, agent, file, clients * each)
    wrong = [span for span in spans.values() if span.get("parentSpanId") and "url.path" in span["attributes"] and
             path_of(spans.get(span["parentSpanId"]), spans) != span["attributes"]["url.path"]]
    t.equal(wrong, [], "spans with a parent of another request")
    calls = [span for span in services.get(("join-python", CLIENT), []) if span.get("parentSpanId")]
    t.equal({number for number in Counter(span["parentSpanId"] for span in calls).values() if number > 2}, set(),
            "requests with more calls than they made")
    t.check(len(calls) > len(services.get(("join-python", CLIENT), [])) / 4, f"only {len(calls)} calls of a thread have a parent")
    peers = services.get(("join-python", SERVER), []) + services.get(("join-redis", SERVER), [])
    paired(t, peers, "Python and Redis")


@test(needs=("nginx", "redis-server"))
def spans_at_once_are_joined_by_their_request_id(t):
    """An event loop that answers twenty at a time and passes X-Request-ID on: every call has its own request as its parent; where two
    have the same ID, none."""
    agent, file = watch(t)
    _, nginx = start(t, agent)
    clients, each = 20, 20
    paths = [[f"/up/{client * each + number}" for number in range(each)] for client in range(clients)]
    threads = [threading.Thread(target=ask, args=(nginx.port, mine, lambda path: {"X-Request-ID": f"request-{path}"})) for mine in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    services, spans = collect(t, agent, file, clients * each)
    calls = services.get(("join-nginx", CLIENT), [])
    above = lambda span: spans.get(span.get("parentSpanId"), {"attributes": {}, "kind": None, "traceId": None})
    right = [span for span in calls if (above(span)["kind"], above(span)["traceId"], above(span)["attributes"].get("url.path")) ==
             (SERVER, span["traceId"], span["attributes"]["url.path"])]
    wrong = [span for span in calls if span.get("parentSpanId") and span not in right]
    t.equal((len(right), wrong), (clients * each, []), "calls with their own request as the parent, and with another one")
    served = paired(t, services.get(("join-python", SERVER), []), "Python")
    wrong = [span for span in served if path_of(above(span), spans) != span["attributes"]["url.path"]]
    t.equal(wrong, [], "what Python serves, below them")
    t.equal(len({span["traceId"] for span in services.get(("join-nginx", SERVER), [])}), clients * each, "traces")
    t.equal(agent.scrape().total("sonde_table_entries", table="span_request_ids"), 0, "IDs kept of requests that are over")


def ask_at_once(port, clients, each):
    """So many requests of so many clients, each with a number of its own."""
    threads = [threading.Thread(target=ask, args=(port, [f"/up/{client * each + number}" for number in range(each)], lambda path: {}))
               for client in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def parents(t, file, service, calls):
    """Of a service's calls, whose numbers are those of the request: how many have that for a parent, another one, links with it or without, or nothing."""
    def all_of():
        spans = read_spans(file)
        return spans if sum(1 for span in spans if is_call(span)) >= calls else None
    is_call = lambda span: (span["resource"]["service.name"], span["kind"]) == (service, CLIENT)
    number = lambda span: span["attributes"]["url.path"].rpartition("/")[2]
    spans = wait_until(all_of, 20 * t.patience, every=0.2) or read_spans(file)
    asked = {span["spanId"]: span for span in spans if (span["resource"]["service.name"], span["kind"]) == (service, SERVER)}
    said = Counter()
    for span in filter(is_call, spans):
        above = asked.get(span.get("parentSpanId"))
        links = [asked[link["spanId"]] for link in span.get("links", []) if link["spanId"] in asked]
        if span.get("parentSpanId"):
            said["right" if above and (number(above), above["traceId"]) == (number(span), span["traceId"]) else "wrong"] += 1
        else:
            said["linked" if number(span) in map(number, links) else "astray" if links else "none"] += 1
    t.equal((sum(said.values()), len({number(span) for span in asked.values()})), (calls, len(asked)), "calls, and requests by number")
    return said


@test(needs=("nginx",))
def calls_of_a_proxy_whose_answers_come_in_parts(t):
    """nginx answers fifty at once; what it passes on comes in two writes, of which the second is mostly no event."""
    agent, file = watch(t)
    python, port = t.serve("/usr/bin/python3", "-c", TWO_WRITES, service="join-python")
    nginx = t.nginx(service="join-nginx", upstreams=f"upstream localhost {{ server 127.0.0.1:{port}; keepalive 64; }}",
                    locations='location /up/ { proxy_pass http://localhost; proxy_http_version 1.1; proxy_set_header Connection ""; }')
    wait_until(lambda: {python.pid, *nginx.workers()} <= {process["pid"] for process in agent.dump("procs") if not process["ignored"]},
               10 * t.patience)
    clients, each = 50, 20
    ask_at_once(nginx.port, clients, each)
    said = parents(t, file, "join-nginx", clients * each)
    t.equal(said["wrong"], 0, f"calls with another request's span as a parent: {said}")
    t.check(said["right"] > clients * each / 10, f"few calls have a parent: {said}")
    t.equal(agent.settle(lambda m: -m.total("sonde_table_entries", table="span_loop_calls"), 0)
            .total("sonde_table_entries", table="span_loop_calls"), 0, "calls that wait")


@test(needs=("nginx", "node"))
def calls_of_a_loop_one_after_the_other(t):
    """Node.js makes its second call when it has the first one's answer, for twenty requests at once."""
    file = os.path.join(t.directory, "spans.ndjson")
    agent = t.agent("--spans-ndjson", file, "--only", "service=join-node")
    nginx = t.nginx(service="join-nginx", locations='location ~ /(one|two)/ { return 200 "ok"; }')
    script = os.path.join(t.directory, "chain.js")
    with open(script, "w") as out:
        out.write(ONE_THEN_TWO)
    node, port = t.serve(tool("node"), script, nginx.port, service="join-node")
    wait_until(lambda: node.pid in {process["pid"] for process in agent.dump("procs") if not process["ignored"]}, 10 * t.patience)
    clients, each = 20, 40
    ask_at_once(port, clients, each)
    said = parents(t, file, "join-node", 2 * clients * each)
    t.equal(said["wrong"], 0, f"calls with another request's span as a parent: {said}")
    t.check(said["right"] > 2 * clients * each / 4, f"few calls have a parent: {said}")
