# SPDX-License-Identifier: Apache-2.0
"""A service with a tracer of its own, between a client and a backend that have none: with the tracer's spans ours make one trace, which
has one root and nothing twice. The witness is what OpenTelemetry's SDK exports."""

import http.client
import json
import os
from collections import Counter

from sonde_test import pypi
from sonde_test.otelcol import read_spans
from sonde_test.process import wait_until
from sonde_test.runner import test

SERVER, CLIENT = 2, 3
LEFT_OUT = "sonde_spans_left_out_total"
REQUESTS = 200

SERVICE = """
import http.client, http.server, json, socketserver, sys, threading
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
backend, told = int(sys.argv[1]), open(sys.argv[2], "w")
class ToFile(SpanExporter):
    def export(self, spans):
        for span in spans:
            told.write(json.dumps({"traceId": f"{span.context.trace_id:032x}", "spanId": f"{span.context.span_id:016x}",
                                   "parentSpanId": span.parent and f"{span.parent.span_id:016x}", "kind": span.kind.name}) + "\\n")
        told.flush()
        return SpanExportResult.SUCCESS
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(ToFile()))
tracer, propagator, local = provider.get_tracer("service"), TraceContextTextMapPropagator(), threading.local()
def ask(path, headers):
    if not hasattr(local, "backend"):
        local.backend = http.client.HTTPConnection("127.0.0.1", backend)
    local.backend.request("GET", path, headers=headers)
    local.backend.getresponse().read()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536
    def do_GET(self):
        with tracer.start_as_current_span("GET", context=propagator.extract(dict(self.headers)), kind=trace.SpanKind.SERVER):
            with tracer.start_as_current_span("GET", kind=trace.SpanKind.CLIENT):
                headers = {}
                propagator.inject(headers)
                ask("/backend/traced", headers)
            ask("/backend/untraced", {})
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")
    def log_message(self, *words):
        pass
class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
server = Server(("127.0.0.1", 0), Handler)
print("ready", server.server_address[1], flush=True)
server.serve_forever()
"""


def of(spans, service, kind):
    return [span for span in spans if span["resource"]["service.name"] == f"instrumented-{service}" and span["kind"] == kind]


def path(span):
    return span["attributes"].get("url.path")


def caller(number):
    """Every other request comes with a trace."""
    return (f"{number + 1:032x}", f"{number + 1:016x}") if number % 2 else None


def watch(t, setting):
    file = os.path.join(t.directory, f"spans-{setting}.ndjson")
    return t.agent("--spans-ndjson", file, "--only", "service=instrumented-*", "--spans-of-instrumented", setting), file


def is_followed(agent, pids):
    return pids <= {process["pid"] for process in agent.dump("procs") if not process["ignored"]}


def collect(t, agent, file):
    """Our spans and the metrics, once there are so many of the backend's."""
    def all_of():
        spans = read_spans(file)
        return spans if len(of(spans, "backend", SERVER)) >= 2 * REQUESTS else None
    spans = wait_until(all_of, 20 * t.patience, every=0.2) or read_spans(file)
    t.nothing_lost(agent)
    return spans, agent.scrape()


def heads(own, spans):
    """Of each of the tracer's traces, tracer's spans and ours together: how many begin it, or are children of who called."""
    callers = {caller(number)[1] for number in range(REQUESTS) if caller(number)}
    traces = {span["traceId"] for span in own}
    count = Counter(span["traceId"] for span in own + spans if span["traceId"] in traces and
                    (not span.get("parentSpanId") or span["parentSpanId"] in callers))
    return Counter(count.values())


def check_whole(t, own, spans, setting):
    """Every parent in the tracer's traces is a span that was told, or the caller's."""
    known = {(span["traceId"], span["spanId"]) for span in own + spans} | {caller(number) for number in range(REQUESTS)}
    traces = {span["traceId"] for span in own}
    lost = [span for span in spans if span["traceId"] in traces and span.get("parentSpanId") and
            (span["traceId"], span["parentSpanId"]) not in known]
    t.equal(lost, [], f"{setting}: spans whose parent nobody told")


def ids(spans, kind):
    return Counter((span["traceId"], span["spanId"]) for span in spans if span["kind"] == kind)


def parents(spans):
    return Counter((span["traceId"], span.get("parentSpanId")) for span in spans)


def check(t, setting, own, spans, metrics):
    calls, left_out = {"kernel-only": (1, 2), "on": (2, 0), "off": (0, 3)}[setting]
    served, asked, backend = of(spans, "python", SERVER), of(spans, "python", CLIENT), of(spans, "backend", SERVER)
    t.equal(len(backend), 2 * REQUESTS, f"{setting}: the backend's spans")
    t.equal((len(served), len(asked)), (REQUESTS * (setting == "on"), calls * REQUESTS), f"{setting}: the service's spans of ours")
    t.equal(metrics.total(LEFT_OUT), left_out * REQUESTS, f"{setting}: requests left out")
    t.equal(heads(own, spans), {2 if setting == "on" else 1: REQUESTS}, f"{setting}: traces by how many spans begin them")
    check_whole(t, own, spans, setting)
    traced = [span for span in backend if path(span) == "/backend/traced"]
    t.equal(parents(traced), ids(own, "CLIENT"), f"{setting}: whom the backend worked for")
    if setting == "kernel-only":
        t.equal(parents(asked), ids(own, "CLIENT"), "calls: each a child of the tracer's span of it")
    if setting != "on":
        t.equal({span["attributes"]["sonde.join"] for span in backend if path(span) == "/backend/untraced"}, {"generated"},
                f"{setting}: what the tracer knows nothing of")


@test(needs=("nginx", "opentelemetry-sdk"))
def spans_of_instrumented_are_told_once(t):
    agents = {setting: watch(t, setting) for setting in ("kernel-only", "on", "off")}
    told = os.path.join(t.directory, "told")
    nginx = t.nginx(service="instrumented-backend", locations="location /backend/ { return 200; }")
    service, port = t.serve("/usr/bin/python3", "-c", SERVICE, nginx.port, told, service="instrumented-python",
                            env={"PYTHONPATH": pypi.OPENTELEMETRY})
    pids = {service.pid, *nginx.workers()}
    t.check(wait_until(lambda: all(is_followed(agent, pids) for agent, _ in agents.values()), 10 * t.patience), "not all are looked at")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    for number in range(REQUESTS):
        connection.request("GET", f"/{number}", headers={"traceparent": "00-{}-{}-01".format(*caller(number))} if caller(number) else {})
        connection.getresponse().read()
    connection.close()
    ours = {setting: collect(t, *watched) for setting, watched in agents.items()}
    with open(told) as lines:
        own = [json.loads(line) for line in lines]
    t.equal(Counter(span["kind"] for span in own), {"SERVER": REQUESTS, "CLIENT": REQUESTS}, "the tracer's spans")
    for setting, (spans, metrics) in ours.items():
        check(t, setting, own, spans, metrics)
