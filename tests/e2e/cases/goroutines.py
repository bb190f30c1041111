# SPDX-License-Identifier: Apache-2.0
"""Whose child a call of a Go program is, with many requests at once on few threads. The witness is the number that a request and what is
fetched for it carry; go-redis asks last."""

import http.client
import threading
from collections import Counter

from sonde_test.otelcol import read_spans
from sonde_test.process import wait_until
from sonde_test.runner import test

SERVER, CLIENT = 2, 3
APP = "goroutines-app"


def ask(port, numbers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for number in numbers:
        connection.request("GET", f"/items/{number}")
        connection.getresponse().read()
    connection.close()


def ask_at_once(port, first, clients, each):
    threads = [threading.Thread(target=ask, args=(port, range(first + i * each, first + (i + 1) * each))) for i in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def is_inside(call, above, before):
    return before and before["parentSpanId"] == above["spanId"] and int(before["endTimeUnixNano"]) <= int(call["startTimeUnixNano"]) and \
        int(call["endTimeUnixNano"]) <= int(above["endTimeUnixNano"])


def judge(spans):
    """{what was called: Counter of right, wrong, linked, none}"""
    requests = {span["spanId"]: span for span in spans if span["kind"] == SERVER}
    fetches = {span.get("parentSpanId"): span for span in spans if "url.path" in span["attributes"] and span["kind"] == CLIENT}
    said, taken = {"http": Counter(), "redis": Counter()}, Counter()
    for span in spans:
        if span["kind"] != CLIENT:
            continue
        above, is_redis = requests.get(span.get("parentSpanId")), "url.path" not in span["attributes"]
        taken[is_redis, span.get("parentSpanId")] += 1
        if not span.get("parentSpanId"):
            outcome = "linked" if span.get("links") else "none"
        elif not above or taken[is_redis, span["parentSpanId"]] > 1:
            outcome = "wrong"
        elif is_redis:  # its fetch may have no parent
            fetch = fetches.get(span["parentSpanId"])
            outcome = "right" if not fetch or is_inside(span, above, fetch) else "wrong"
        else:
            outcome = "right" if above["attributes"]["url.path"] == span["attributes"]["url.path"] else "wrong"
        said["redis" if is_redis else "http"][outcome] += 1
    return said


@test(needs=("nginx", "goroutines"), guest=True)
def goroutines_have_their_calls(t):
    clients, each = (8, 40) if t.guest else (50, 40)
    file = t.path("spans.ndjson")
    agent = t.agent("--spans-ndjson", file, "--only", f"service={APP}")
    up, redis = t.nginx(service="goroutines-up"), t.redis(service="goroutines-redis")
    _, port = t.serve("goroutines", up.port, redis.port, service=APP)
    ask(port, [0])
    found = lambda metrics: metrics.total("sonde_thread_context_processes", state="read")
    t.equal(found(agent.settle(found, 1)), 1, "Go programs found")
    ask_at_once(port, 1, clients, each)
    count = 1 + clients * each
    operation = lambda span: span["attributes"].get("db.operation.name", "HTTP")
    read = lambda: [span for span in read_spans(file) if operation(span) in ("HTTP", "GET")]  # go-redis introduces itself
    wait_until(lambda: len(read()) >= 3 * count, 20 * t.patience, every=0.2)
    spans = read()
    t.equal(Counter((span["kind"], operation(span)) for span in spans),
            {(SERVER, "HTTP"): count, (CLIENT, "HTTP"): count, (CLIENT, "GET"): count}, "spans")
    said = judge(spans)
    for name, outcomes in said.items():
        t.equal(outcomes["wrong"], 0, f"wrong parents of {name} ({dict(outcomes)})")
        t.check(outcomes["right"] >= 0.8 * count, f"calls with a parent, {name}: {dict(outcomes)}")
    t.nothing_lost(agent)
