# SPDX-License-Identifier: Apache-2.0
"""What a request waited for before its first byte: connect and the accept queue are children of its span, by the clocks of those
who waited."""

import json
import os

from sonde_test.agent import free_port
from sonde_test.dns import ask, unbound_config
from sonde_test.nginx import temp_paths
from sonde_test.otelcol import read_spans
from sonde_test.process import wait_until
from sonde_test.runner import test

INTERNAL, SERVER, CLIENT = 1, 2, 3
PARTS = "sonde_span_parts_total"
# Between the two clocks, which are read one after the other when the agent starts.
SLACK_NS = 1000000

# Accepts 0.3 s after it may, and says when.
LATE = """
import json, select, socket, time
listener = socket.create_server(("127.0.0.1", 0))
print("ready", listener.getsockname()[1], flush=True)
for _ in range(2):
    select.select([listener], [], [])
    time.sleep(0.3)
    before = time.time_ns()
    connection, _ = listener.accept()
    print(json.dumps({"before": before, "after": time.time_ns()}), flush=True)
    for _ in range(2):
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
    connection.recv(4096)
"""

# Two requests on a connection, and when its parts began and were over.
ASK = """
import http.client, json, sys, time
connection = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]), timeout=20)
times = [time.time_ns()]
connection.connect()
times.append(time.time_ns())
for path in sys.argv[3:]:
    connection.request("GET", path)
    connection.getresponse().read()
    times.append(time.time_ns())
print(json.dumps(times), flush=True)
"""


def times_of(span):
    return int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])


def check_within(t, inner, outer, what):
    (start, end), (first, last) = inner, outer
    t.check(first <= start <= end <= last, f"{what}: {start} to {end}, not within {first} to {last}")


def between(t, moment, first, last, what):
    t.check(first - SLACK_NS <= moment <= last + SLACK_NS, f"{what}: {moment}, not from {first} to {last}")


def one(t, spans, what, **wanted):
    """The one span that is like that."""
    found = [span for span in spans if all(span.get(key) == value for key, value in wanted.items())]
    t.equal(len(found), 1, what)
    return found[0] if found else None


def of_path(spans, kind, path):
    return [span for span in spans if span["kind"] == kind and span["attributes"].get("url.path") == path]


def check_part(t, part, whole, name):
    """A part lies within the whole, begins it, and is of the same trace, process and connection."""
    key = ("network.transport", "network.type", "network.peer.address", "network.peer.port", "server.address", "server.port", "sonde.join")
    t.equal((part["name"], part["kind"], part["traceId"], part["parentSpanId"], part["resource"]),
            (name, INTERNAL, whole["traceId"], whole["spanId"], whole["resource"]), "a part's name, kind, trace, parent and process")
    t.equal({word: part["attributes"].get(word) for word in key}, {word: whole["attributes"][word] for word in key}, "its connection")
    t.check(not {word for word in part["attributes"] if word.startswith(("http.", "url."))}, f"fields of the request: {part}")
    check_within(t, times_of(part), times_of(whole), name)
    t.equal(times_of(part)[0], times_of(whole)[0], f"beginnings of {name} and its request")


@test()
def openings_accept_queue(t):
    """A server that accepts 0.3 s late: by its own clock. The second request on a connection waited for nothing."""
    file = t.path("spans.ndjson")
    agent = t.agent("--spans-ndjson", file, "--only", "service=late-*", "--only", "service=asks-*")
    server, port = t.serve("/usr/bin/python3", "-c", LATE, service="late-server")
    for number in range(2):
        client = t.spawn("/usr/bin/python3", "-c", ASK, "127.0.0.1", port, f"/{number}/first", f"/{number}/second", service="asks-client")
        client.wait()
        began, connected, *_ = json.loads(client.output())
        wait_until(lambda: len(read_spans(file)) == 4 * (number + 1), 10 * t.patience)
        spans = read_spans(file, parts=True)
        t.equal(len(spans), 5 * (number + 1), "spans")
        accepted = server.objects()[number]
        first, second = (of_path(spans, SERVER, f"/{number}/{name}")[0] for name in ("first", "second"))
        asked = of_path(spans, CLIENT, f"/{number}/first")[0]
        part = one(t, spans, "parts of the first request", parentSpanId=first["spanId"])
        check_part(t, part, first, "accept queue")
        t.equal([span for span in spans if span.get("parentSpanId") == second["spanId"]], [], "parts of the second request")
        between(t, times_of(part)[0], began, times_of(asked)[0] + SLACK_NS, "the queue begins")
        between(t, times_of(part)[1], accepted["before"], accepted["after"], "the queue ends")
        t.check(times_of(part)[1] - times_of(part)[0] >= 100000000, f"a wait of {times_of(part)}")
        # Connecting took less than a millisecond: the client's has no part, and is what the server's is a child of.
        t.equal(first["parentSpanId"], asked["spanId"], "whose child it is")
        check_within(t, times_of(first), times_of(asked), "the server's request")
        t.check(times_of(asked)[0] >= connected - SLACK_NS, "the client's request begins before it was connected")
    metrics = agent.scrape()
    t.equal((metrics.total(PARTS, part="accept_queue"), metrics.total(PARTS, part="connect")), (2, 0), "parts counted")
    t.equal(metrics.total("sonde_spans_produced_total"), 10, "spans produced, parts included")


FAR = "10.99.0.2"  # see Namespaces
NGINX = """
daemon off;
worker_processes 1;
user root root;
pid {dir}/far.pid;
error_log {dir}/far-error.log warn;
events {{ worker_connections 64; }}
http {{
    access_log off;
    """ + temp_paths("far-") + """
    server {{
        listen {far}:{port};
        location / {{ return 200 "ok"; }}
    }}
}}
"""


def far_nginx(t, spaces, port):
    config = t.path("far.conf")
    with open(config, "w") as file:
        file.write(NGINX.format(dir=t.directory, far=FAR, port=port))
    t.spawn("/usr/sbin/nginx", "-c", config, "-p", t.directory, service="far-server", netns=spaces.far)
    if not wait_until(lambda: os.path.exists(t.path("far.pid")), 10 * t.patience):
        raise AssertionError("nginx did not start")


@test(needs=("netns", "tun", "nginx", "otelcol", "curl"))
def openings_connect_over_a_slow_wire(t):
    """curl to nginx with 30 ms each way, by curl's own times; at the Collector."""
    spaces, collector, port = t.namespaces(wire="tun"), t.collector(), free_port()
    spaces.delay(t.program("delay"), t.directory, 30)
    agent = t.agent("--otlp-endpoint", collector.endpoint, "--only", "service=far-*")
    far_nginx(t, spaces, port)
    url = f"http://{FAR}:{port}"
    said = "%{time_namelookup} %{time_connect} %{time_total}\\n"
    client = t.spawn("/usr/bin/curl", "-sS", "-w", said, "-o", "/dev/null", "-o", "/dev/null", f"{url}/first", f"{url}/second",
                     service="far-client", netns=spaces.near)
    client.wait()
    resolved, connected, total = (1e9 * float(word) for word in client.output().splitlines()[0].split())
    wait_until(lambda: len(collector.spans(parts=True)) >= 5, 10 * t.patience)
    spans = collector.spans(parts=True)
    t.equal(len(spans), 5, "spans")
    first, second = (of_path(spans, CLIENT, f"/{name}")[0] for name in ("first", "second"))
    served = of_path(spans, SERVER, "/first")[0]
    part = one(t, spans, "parts of the first request", parentSpanId=first["spanId"], kind=INTERNAL)
    check_part(t, part, first, f"socket connect {FAR}:{port}")
    start, end = times_of(part)
    t.check(60000000 <= end - start <= connected - resolved + SLACK_NS, f"{end - start} ns, curl says {resolved} to {connected}")
    t.check(end - start + 60000000 <= times_of(first)[1] - start <= total + SLACK_NS, f"{times_of(first)}, curl says {total} in all")
    t.check(times_of(second)[0] >= times_of(first)[1], "the second request begins after the first")
    t.equal(served["parentSpanId"], first["spanId"], "whose child the server's is")
    t.check(times_of(served)[0] >= end, "the server reads before the client is connected")
    check_within(t, times_of(served), times_of(first), "the server's request")
    metrics = agent.scrape()
    t.equal((metrics.total(PARTS, part="connect"), metrics.total(PARTS, part="accept_queue")), (1, 0), "parts counted")


NAMES = "127.53.0.53"  # resolv.conf knows no ports: 53 on an address of our own
HOST = "here.fixed.example"


def answers():
    try:
        return ask(53, address=NAMES)
    except OSError:
        return None


def resolving(t, *command):
    """A command with the resolver at NAMES, in a file system of its own."""
    path = t.path("resolv.conf")
    with open(path, "w") as file:
        file.write(f"nameserver {NAMES}\n")
    return "unshare", "-m", "sh", "-c", f'mount --bind {path} /etc/resolv.conf && exec "$@"', "sh", *command


@test(needs=("unbound", "nginx", "curl", "unshare"))
def openings_lookup_before_connect(t):
    """curl asks unbound, connects and asks nginx; a lookup that nobody connects after is told by itself."""
    file = t.path("spans.ndjson")
    agent = t.agent("--spans-ndjson", file, "--only", "service=names-*")
    t.spawn("/usr/sbin/unbound", "-c", unbound_config(t.path("names"), 53, address=NAMES), service="resolver")
    if not wait_until(answers, 20 * t.patience):
        raise AssertionError("unbound did not start")
    nginx = t.nginx(service="names-server")
    url = f"http://{HOST}:{nginx.port}/ok"
    said = "%{time_namelookup} %{time_connect} %{time_total}\\n"
    client = t.spawn("/usr/bin/env", *resolving(t, "/usr/bin/curl", "-sS", "-w", said, "-o", "/dev/null", "-o", "/dev/null", f"{url}?first", f"{url}?second"),
                     service="names-client")
    client.wait()
    resolved, connected, total = (1e9 * float(word) for word in client.output().splitlines()[0].split())
    metrics = agent.settle(lambda m: m.total(PARTS, part="dns_lookup") > 0, True)
    lookups = metrics.total("dns_lookup_duration_seconds_count", service_name="names-client", kind="client")
    t.check(lookups in (1, 2), f"{lookups} lookups of a host with one address, of one family or both")
    t.equal(metrics.total(PARTS, part="dns_lookup"), lookups, "lookups told with a request")
    wait_until(lambda: len(read_spans(file)) == 4 + lookups, 10 * t.patience)
    spans = read_spans(file)
    first, second = sorted(of_path(spans, CLIENT, "/ok"), key=times_of)
    served = sorted(of_path(spans, SERVER, "/ok"), key=times_of)[0]
    asked = [span for span in spans if "dns.question.name" in span["attributes"]]
    t.equal(len(asked), lookups, "spans of lookups")
    for span in asked:
        t.equal((span["kind"], span["traceId"], span["parentSpanId"], span["resource"]), (CLIENT, first["traceId"], first["spanId"], first["resource"]),
                "a lookup's kind, trace, parent and process")
        t.equal((span["attributes"]["server.address"], span["attributes"]["server.port"]), (NAMES, 53), "who was asked")
        check_within(t, times_of(span), times_of(first), "a lookup")
    start = times_of(first)[0]
    t.equal(min(map(times_of, asked))[0], start, "the request begins with its first lookup")
    t.check(max(times_of(span)[1] for span in asked) - start <= resolved + SLACK_NS, f"lookups take longer than {resolved}")
    t.check(times_of(first)[1] - start <= total + SLACK_NS, f"{times_of(first)}, curl says {total} in all")
    t.check(not any(span.get("parentSpanId") == second["spanId"] for span in asked), "a lookup of the second request")
    t.equal((served["traceId"], served["parentSpanId"]), (first["traceId"], first["spanId"]), "whose child the server's is")
    t.check(times_of(served)[0] >= max(times_of(span)[1] for span in asked), "served before it was known where")
    alone = t.spawn("/usr/bin/env", *resolving(t, "/usr/bin/python3", "-c", f"__import__('socket').gethostbyname('{HOST}')"), service="names-alone")
    alone.wait()
    wait_until(lambda: len(read_spans(file)) == 5 + lookups, 10 * t.patience)
    span = one(t, [span for span in read_spans(file) if span["resource"]["service.name"] == "names-alone"], "spans of a lookup alone")
    t.check(span and not span.get("parentSpanId") and span["traceId"] != first["traceId"], f"of nobody's trace: {span}")
    metrics = agent.scrape()
    t.equal((metrics.total(PARTS, part="dns_lookup"), metrics.total("sonde_spans_sampled_total")), (lookups, 5), "parts, and those by themselves")
