# SPDX-License-Identifier: Apache-2.0
"""What Jaeger shows of the spans that it is sent, against those in the file: field by field, and without a warning."""

import http.client
import os
import secrets
import socket
import time
from collections import Counter

from cases.instrumented import is_followed
from cases.joins import SERVICE
from cases.spans import DROPPED, QUEUED, balance
from sonde_test.agent import free_port
from sonde_test.otelcol import INTERNAL, read_spans
from sonde_test.process import wait_until
from sonde_test.runner import test

SERVER, CLIENT = 2, 3
KINDS = {INTERNAL: "internal", SERVER: "server", CLIENT: "client"}
ERROR = 2

# One thread that has read two requests before it makes a call for either: each call has links to both. It is late to accept.
PAIRS = """
import select, socket, sys, time
listener = socket.create_server(("127.0.0.1", 0))
print("ready", listener.getsockname()[1], flush=True)
calls = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(2)]
select.select([listener], [], [])
time.sleep(0.05)
clients = [listener.accept()[0] for _ in range(2)]
while all([client.recv(65536) for client in clients]):
    for call in calls:
        call.sendall(b"*2\\r\\n$3\\r\\nGET\\r\\n$3\\r\\none\\r\\n")
    for call in calls:
        call.recv(4096)
    for client in clients:
        client.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
"""
NAMED, UNNAMED, REFUSED, CLOSED, MISSING, PAIRED = 20, 20, 4, 4, 4, 10


def own_span(trace, span, start, end):
    """The span of a client that has a tracer of its own; its clock need not be read with sonde's."""
    spare = 50000000
    return {"traceId": trace, "spanId": span, "name": "ask", "kind": CLIENT, "startTimeUnixNano": str(start - spare),
            "endTimeUnixNano": str(end + spare)}


def ask(connection, method, path, headers=None):
    connection.request(method, path, headers=headers or {})
    connection.getresponse().read()


def ask_chain(port):
    """Requests to nginx; returns the spans of those that name one."""
    connection, spans = http.client.HTTPConnection("127.0.0.1", port, timeout=20), []
    for number in range(NAMED):
        trace, span, start = secrets.token_hex(16), secrets.token_hex(8), time.time_ns()
        ask(connection, "GET", f"/up/{number}", {"traceparent": f"00-{trace}-{span}-01", "tracestate": "one=1,two=2",
                                                 "X-Request-ID": f"request-{number}"})
        spans.append(own_span(trace, span, start, time.time_ns()))
    for number in range(UNNAMED):
        ask(connection, "GET", f"/up/{number}")
    for number in range(REFUSED):  # a method that the service does not know: 501
        ask(connection, "POST", f"/up/{number}")
    for number in range(CLOSED):
        ask(connection, "GET", f"/closed/{number}")
    for number in range(MISSING):
        ask(connection, "GET", "/missing")
    connection.close()
    return spans


def ask_pairs(port):
    clients = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(2)]
    for number in range(PAIRED):
        for client in clients:
            client.sendall(b"GET /pairs/%d HTTP/1.1\r\nHost: here\r\n\r\n" % number)
        for client in clients:
            client.recv(4096)
    for client in clients:
        client.close()


def dependencies(parts):
    """Which service's spans are how often below which's. What a client names itself all along the chain are its children, as nginx
    passes the header on; a part of a request is below its own service's."""
    calls = {("jaeger-client", "jaeger-nginx"): 2 * NAMED,
             ("jaeger-client", "jaeger-python"): NAMED,
             ("jaeger-nginx", "jaeger-nginx"): UNNAMED + REFUSED,
             ("jaeger-nginx", "jaeger-python"): UNNAMED + REFUSED,
             ("jaeger-python", "jaeger-python"): 2 * (NAMED + UNNAMED),
             ("jaeger-python", "jaeger-redis"): 2 * (NAMED + UNNAMED),
             ("jaeger-pairs", "jaeger-redis"): 2 * PAIRED}
    return Counter(calls) + Counter((service, service) for service in parts.elements())


def tag(key, value):
    """A key and value of OTLP, as Jaeger types them; it has no lists, and writes them as JSON."""
    if isinstance(value, list):
        value = f'["{value[0]}"]'
    return key, "int64" if isinstance(value, int) else "string", value


def tagged(where, tags):
    """{where and key: (type, value)}, and how many there are: a key may be there twice."""
    return {f"{where} {key}": (kind, value) for key, kind, value in tags} | {f"{where}s": len(tags)}


def shown(span):
    """A span of OTLP as Jaeger should show it (OpenTelemetry specification, "OpenTelemetry to Jaeger Transformation")."""
    start, end = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
    above = [("CHILD_OF", span["traceId"], span["parentSpanId"])] if span.get("parentSpanId") else []
    tags = [tag(*pair) for pair in span["attributes"].items()]
    tags += [("span.kind", "string", KINDS[span["kind"]]), ("otel.scope.name", "string", span["scope"]["name"]),
             ("otel.scope.version", "string", span["scope"]["version"])]
    if span["status"].get("code") == ERROR:
        tags += [("otel.status_code", "string", "ERROR"), ("error", "bool", True)]
    if "traceState" in span:
        tags.append(("w3c.tracestate", "string", span["traceState"]))
    process = [tag(*pair) for pair in span["resource"].items() if pair[0] != "service.name"]
    return {"trace": span["traceId"], "span": span["spanId"], "name": span["name"], "start": start // 1000, "duration": (end - start) // 1000,
            "references": above + sorted(("FOLLOWS_FROM", link["traceId"], link["spanId"]) for link in span.get("links", ())),
            "service": span["resource"]["service.name"], "logs": [], "warnings": None} | tagged("tag", tags) | tagged("process tag", process)


def read(span):
    """The same of a span that Jaeger shows. A parent is its first reference."""
    tags = lambda of: [(pair["key"], pair["type"], pair["value"]) for pair in of["tags"]]
    references = [(reference["refType"], reference["traceID"], reference["spanID"]) for reference in span["references"]]
    above = 1 if references and references[0][0] == "CHILD_OF" else 0
    return {"trace": span["traceID"], "span": span["spanID"], "name": span["operationName"], "start": span["startTime"],
            "duration": span["duration"], "references": references[:above] + sorted(references[above:]),
            "service": span["process"]["serviceName"], "logs": span["logs"], "warnings": span["warnings"]
            } | tagged("tag", tags(span)) | tagged("process tag", tags(span["process"]))


def is_ours(service):
    """Processes that are gone before sonde has looked at them are called unknown, and pass by --only: this machine may run others."""
    return service.startswith("jaeger-")


def ours(file):
    return [span for span in read_spans(file, parts=True) if is_ours(span["resource"]["service.name"])]


def failed_connects(spans):
    return [span for span in spans if span["name"].startswith("socket connect") and span["attributes"].get("error.type") == "ECONNREFUSED"]


def is_whole(spans):
    requests = [span for span in spans if span["kind"] != INTERNAL]
    return len(requests) >= 7 * (NAMED + UNNAMED) + 3 * REFUSED + CLOSED + MISSING + 6 * PAIRED and len(failed_connects(spans)) >= CLOSED


def check_scene(t, spans):
    """That what is compared was there at all; returns the parts of requests, by service."""
    said = Counter((span["resource"]["service.name"], span["kind"]) for span in spans if span["kind"] != INTERNAL)
    chain = NAMED + UNNAMED
    t.equal(said, {("jaeger-nginx", SERVER): chain + REFUSED + CLOSED + MISSING, ("jaeger-nginx", CLIENT): chain + REFUSED,
                   ("jaeger-python", SERVER): chain + REFUSED, ("jaeger-python", CLIENT): 2 * chain,
                   ("jaeger-pairs", SERVER): 2 * PAIRED, ("jaeger-pairs", CLIENT): 2 * PAIRED,
                   ("jaeger-redis", SERVER): 2 * chain + 2 * PAIRED}, "spans by service and kind")
    t.equal(sum(span["status"].get("code") == ERROR for span in spans), 3 * REFUSED + 2 * CLOSED, "spans with an error")
    t.equal(sum("traceState" in span and span["kind"] != INTERNAL for span in spans), 3 * NAMED, "spans with a tracestate")
    t.equal(sum(len(span.get("links", ())) for span in spans), 4 * PAIRED, "links of calls that may be of either request")
    t.equal(len(failed_connects(spans)), CLOSED, "connects that failed")
    t.check(sum(span["name"] == "accept queue" for span in spans) >= 2, "no part of a request")
    return Counter(span["resource"]["service.name"] for span in spans if span["kind"] == INTERNAL and span.get("parentSpanId"))


@test(needs=("nginx", "redis-server", "jaeger"))
def jaeger_shows_the_spans(t):
    jaeger, file = t.jaeger(), os.path.join(t.directory, "spans.ndjson")
    agent = t.agent("--spans-ndjson", file, "--otlp-endpoint", jaeger.endpoint,
                    *(word for name in ("nginx", "python", "pairs", "redis") for word in ("--only", f"service=jaeger-{name}")),
                    env={"OTEL_RESOURCE_ATTRIBUTES": "zone=a%20b"})
    redis = t.redis(service="jaeger-redis")
    python, port = t.serve("/usr/bin/python3", "-c", SERVICE, redis.port, service="jaeger-python")
    pairs, pairs_port = t.serve("/usr/bin/python3", "-c", PAIRS, redis.port, service="jaeger-pairs")
    nginx = t.nginx(service="jaeger-nginx", locations=f"location /up/ {{ proxy_pass http://127.0.0.1:{port}; }} "
                                                       f"location /closed/ {{ proxy_pass http://127.0.0.1:{free_port()}; }}")
    t.check(wait_until(lambda: is_followed(agent, {redis.pid, python.pid, pairs.pid, nginx.pid, *nginx.workers()}), 10 * t.patience),
            "not all are looked at")
    clients = ask_chain(nginx.port)
    ask_pairs(pairs_port)
    jaeger.post({"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "jaeger-client"}}]},
                                    "scopeSpans": [{"scope": {"name": "client"}, "spans": clients}]}]})
    wait_until(lambda: is_whole(ours(file)), 20 * t.patience, every=0.2)
    metrics = agent.settle(lambda m: m.total(QUEUED), 0)
    t.equal((metrics.total(QUEUED), metrics.total(DROPPED)), (0, 0), "spans queued and dropped")
    balance(t, agent, "otlp")
    spans = ours(file)
    parts = check_scene(t, spans)
    stored = [span for trace in sorted({span["traceId"] for span in spans}) for span in jaeger.trace(trace)]
    foreign = [span for span in stored if span["process"]["serviceName"] == "jaeger-client"]
    t.equal((len(foreign), [span["warnings"] for span in foreign if span["warnings"]]), (NAMED, []), "spans of the client, their warnings")
    got = {span["span"]: span for span in map(read, stored) if span["service"] != "jaeger-client"}
    t.equal(len(got) + len(foreign), len(stored), "spans in Jaeger, none of them twice")
    t.equal(set(got), {span["spanId"] for span in spans}, "IDs of spans in Jaeger")
    for span in spans:
        if not t.equal(got.get(span["spanId"], {}), shown(span), f"a span of {span['resource']['service.name']}"):
            break
    t.equal(set(filter(is_ours, jaeger.services())), {f"jaeger-{name}" for name in ("client", "nginx", "python", "pairs", "redis")}, "services")
    calls = {ends: count for ends, count in jaeger.dependencies().items() if all(map(is_ours, ends))}
    t.equal(calls, dependencies(parts), "who calls whom")
