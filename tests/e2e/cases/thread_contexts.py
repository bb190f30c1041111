# SPDX-License-Identifier: Apache-2.0
"""Spans of ours are children of those that an application's tracer publishes in its threads, wherever its thread-local lies."""

import http.client
import json
import os
import subprocess
import threading
from collections import Counter

from sonde_test import pypi
from sonde_test.otelcol import read_spans
from sonde_test.process import wait_until
from sonde_test.runner import test

SERVER, CLIENT = 2, 3
SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "context")
READ = "sonde_thread_context_processes"

# How the variable is found: options of the library (None: it is part of the program), and whether it is loaded at run time.
MODELS = {
    "executable": (None, False),
    "initial-exec": (("-ftls-model=initial-exec",), False),
    "general-dynamic": (("-mtls-dialect=gnu",), False),
    "descriptor": (("-mtls-dialect=gnu2",), False),
    "loaded-general-dynamic": (("-mtls-dialect=gnu",), True),
    "loaded-descriptor": (("-mtls-dialect=gnu2",), True),
    "loaded-large-descriptor": (("-mtls-dialect=gnu2", "-DROOM=65536"), True),  # no static place is left for it
    "loaded-initial-exec": (("-ftls-model=initial-exec",), True),
    "old-hash": (("-mtls-dialect=gnu", "-Wl,--hash-style=sysv"), True),
}


def compiled(t, file, name, *options):
    path = os.path.join(t.directory, name)
    if not os.path.exists(path):
        subprocess.run(["gcc", "-Wall", "-Werror", *options, os.path.join(SOURCES, file), "-o", path], check=True)
    return path


def build(t, name):
    """Returns the program's command, but for the port of Redis, and what comes behind it."""
    options, is_loaded = MODELS[name]
    if is_loaded:
        library = compiled(t, "publisher.c", f"lib{name}.so", "-fPIC", "-shared", *options)
        return [compiled(t, "server.c", "loader", "-DLOADED")], [library]
    server = compiled(t, "server.c", "server.o", "-c")
    publisher = compiled(t, "publisher.c", f"lib{name}.so" if options else "publisher.o", *(("-fPIC", "-shared", *options) if options else ("-c",)))
    program = os.path.join(t.directory, name)
    subprocess.run(["gcc", "-rdynamic", server, publisher, "-o", program], check=True)
    return [program], []


def ask(port, paths, headers=lambda path: {}):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    for path in paths:
        connection.request("GET", path, headers=headers(path))
        connection.getresponse().read()
    connection.close()


def ask_at_once(ports, clients, each, headers=lambda path: {}):
    """Each server by so many clients, each of which asks so often: numbers from 0."""
    threads = [threading.Thread(target=ask, args=(port, [f"/{client * each + i}" for i in range(each)], headers))
               for port in ports for client in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def start(t, agent, redis, *names):
    """Servers whose contexts are read: they are asked once, and waited for. Returns their ports by name."""
    before, ports = agent.scrape().total(READ, state="read"), {}
    for name in names:
        program, behind = build(t, name)
        _, ports[name] = t.serve(*program, redis.port, *behind, service=f"context-{name}")
        ask(ports[name], ["/none/0"])
    metrics = agent.settle(lambda m: m.total(READ, state="read"), before + len(names))
    t.equal(metrics.total(READ, state="read"), before + len(names), "processes whose contexts are read")
    return ports


def of(spans, service, kind):
    return [span for span in spans if span["resource"]["service.name"] == service and span["kind"] == kind]


def without(spans, early):
    """Nor what was joined to what asks to warm up: that may be over before the process is found, or not."""
    early = early | {span["traceId"] for span in spans if "warm" in span["attributes"].get("url.path", "")}
    return [span for span in spans if span["traceId"] not in early]


def collect(t, file, requests, *services, early=frozenset()):
    def all_of():
        spans = without(read_spans(file), early)
        return spans if min(len(of(spans, service, kind)) for service in services for kind in (SERVER, CLIENT)) >= requests else None
    return wait_until(all_of, 20 * t.patience, every=0.2) or without(read_spans(file), early)


def number_in(path):
    return int(path.rpartition("/")[2])


def number_of(span):
    return number_in(span["attributes"]["url.path"])


def check_spans(t, spans, name, requests):
    """Each request's span has the published one for its parent, what Redis was asked meanwhile that one's child."""
    served, asked = of(spans, f"context-{name}", SERVER), of(spans, f"context-{name}", CLIENT)
    t.equal((len(served), len(asked)), (requests + 1, requests + 1), f"{name}: spans, that of the first request too")
    want = {(f"{n + 1:032x}", f"{2 * n + 2:016x}") for n in range(requests)}
    got = Counter((span["traceId"], span.get("parentSpanId")) for span in served if "/none" not in span["attributes"]["url.path"])
    t.equal(got, Counter(want), f"{name}: traces and parents of the requests")
    t.check(all((span["traceId"], span.get("parentSpanId")) == (f"{number_of(span) + 1:032x}", f"{2 * number_of(span) + 2:016x}")
                for span in served if "/none" not in span["attributes"]["url.path"]), f"{name}: another request's parent")
    calls = Counter((span["traceId"], span.get("parentSpanId")) for span in asked if span["attributes"]["sonde.join"] == "thread_context")
    t.equal(calls, Counter((f"{n + 1:032x}", f"{2 * n + 3:016x}") for n in range(requests)), f"{name}: those of the calls")
    joins = Counter(span["attributes"]["sonde.join"] for span in served)
    t.equal(joins, Counter(thread_context=requests, generated=1), f"{name}: how they were joined")
    ids = {span["spanId"]: span for span in asked}
    below = [span for span in spans if span["kind"] == SERVER and span.get("parentSpanId") in ids]
    t.equal(len(below), requests + 1, f"{name}: what Redis was asked, below the calls")
    t.check(all(span["traceId"] == ids[span["parentSpanId"]]["traceId"] for span in below), f"{name}: their traces")


def watch(t, setting="on"):
    file = os.path.join(t.directory, f"spans-{setting}.ndjson")
    return t.agent("--spans-ndjson", file, "--only", "service=context-*", "--spans-of-instrumented", setting), file


@test(needs=("redis-server",))
def published_spans_are_parents(t):
    agent, file = watch(t)
    redis = t.redis(service="context-redis")
    clients, each = 4, 25
    ports = start(t, agent, redis, *MODELS)
    ask_at_once(ports.values(), clients, each)
    spans = collect(t, file, clients * each + 1, *(f"context-{name}" for name in MODELS))
    for name in MODELS:
        check_spans(t, spans, name, clients * each)
    t.nothing_lost(agent)


@test(needs=("redis-server",))
def published_spans_that_are_none(t):
    """No span is active, the record is not valid, or not in memory: joined by other means, and the last is counted."""
    agent, file = watch(t)
    port = start(t, agent, t.redis(service="context-redis"), "general-dynamic")["general-dynamic"]
    faults = "sonde_thread_context_faults_total"
    before = agent.scrape().total(faults)
    ask(port, [f"/{kind}/{number}" for number in range(10) for kind in ("none", "bad", "away")])
    spans = collect(t, file, 31, "context-general-dynamic")
    joins = Counter((span["kind"], span["attributes"]["sonde.join"]) for span in spans
                    if span["resource"]["service.name"] == "context-general-dynamic")
    t.equal(joins, Counter({(SERVER, "generated"): 31, (CLIENT, "parent"): 31}), "how they were joined")
    t.equal(agent.scrape().total(faults) - before, 2 * 10, "writes whose context was not in memory")


@test(needs=("redis-server", "javac"))
def published_spans_of_java_are_parents(t):
    """A pool of threads whose contexts a native library publishes."""
    agent, file = watch(t)
    redis, home = t.redis(service="context-redis"), os.path.dirname(os.path.dirname(os.path.realpath("/usr/bin/javac")))
    library = compiled(t, "service_java.c", "libservice.so", "-fPIC", "-shared", *(f"-I{home}/{part}" for part in ("include", "include/linux")),
                       os.path.join(SOURCES, "publisher.c"))
    _, port = t.serve("/usr/bin/java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", os.path.join(SOURCES, "Service.java"), redis.port, library,
                      service="context-java")
    ask(port, ["/none/0"])
    agent.settle(lambda m: m.total(READ, state="read"), 1)
    ask_at_once([port], 4, 25)
    check_spans(t, collect(t, file, 101, "context-java"), "java", 100)
    t.nothing_lost(agent)


def caller(path):
    """Every other request says whose it is: (trace, span)."""
    number = number_in(path) + 1
    return (f"{number:032x}", f"{number:016x}") if number % 2 else None


def headers(path):
    return {"traceparent": "00-{}-{}-01".format(*caller(path))} if caller(path) else {}


@test(needs=("redis-server", "opentelemetry-sdk"))
def spans_of_python_are_parents(t):
    """OpenTelemetry's SDK for Python, whose own spans are the witness; and what the process says it is called."""
    agent, file = watch(t)
    kernel_only, its_file = watch(t, "kernel-only")
    redis, told = t.redis(service="context-redis"), os.path.join(t.directory, "told")
    library = compiled(t, "publisher.c", "libpublisher.so", "-fPIC", "-shared")
    python, port = t.serve("/usr/bin/python3", os.path.join(SOURCES, "service.py"), redis.port, library, told, "context-published",
                           service="context-guessed", env={"PYTHONPATH": pypi.OPENTELEMETRY})
    ask(port, ["/warm/0"])
    for watching in (agent, kernel_only):
        watching.settle(lambda m: m.total(READ, state="read"), 1)
    named = lambda: any(process["pid"] == python.pid and process["service"] == "context-published" for process in agent.dump("procs"))
    t.check(wait_until(named, 10 * t.patience), f"it is not called what it says: {agent.dump('procs')}")
    clients, each = 4, 25
    ask_at_once([port], clients, each, headers)
    with open(told) as lines:
        own = [json.loads(line) for line in lines]
    early = {span["trace"] for span in own if "warm" in span["path"]}
    own = [span for span in own if span["trace"] not in early]
    spans = collect(t, file, clients * each, "context-published", early=early)
    served = {span["path"]: span for span in own if span["kind"] == "SERVER"}
    t.equal((len(served), len(own)), (clients * each, 2 * clients * each), "the SDK's spans")
    want = Counter((path, span["trace"], *(("header", span["parent"]) if caller(path) else ("thread_context", span["span"])))
                   for path, span in served.items())
    got = Counter((span["attributes"]["url.path"], span["traceId"], span["attributes"]["sonde.join"], span.get("parentSpanId"))
                  for span in of(spans, "context-published", SERVER))
    t.equal(got, want, "requests: trace, join and parent")
    asked = Counter((span["trace"], span["span"]) for span in own if span["kind"] == "CLIENT")
    got = Counter((span["traceId"], span.get("parentSpanId")) for span in of(spans, "context-published", CLIENT))
    t.equal(got, asked, "calls: trace and parent")
    t.nothing_lost(agent)
    told_once = collect(t, its_file, clients * each, "context-published", early=early)
    for kind, name in ((SERVER, "SERVER"), (CLIENT, "CLIENT")):
        want = Counter((span["trace"], span["span"]) for span in own if span["kind"] == name)
        got = Counter((span["traceId"], span.get("parentSpanId")) for span in of(told_once, "context-published", kind))
        t.equal(got, want, f"kernel-only: {name}: each a child of the SDK's own")
