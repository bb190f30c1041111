# SPDX-License-Identifier: Apache-2.0
"""Every request is a span, once, with its fields, at the OpenTelemetry Collector: against nginx's access log and the client."""

import json
import os
import socket
import time
from collections import Counter

from sonde_test.agent import free_port
from sonde_test.nginx import PLAN, temp_paths
from sonde_test.otelcol import Certificates, read_spans
from sonde_test.process import wait_until
from sonde_test.runner import test

SERVER, CLIENT = 2, 3
PRODUCED = "sonde_spans_produced_total"
EXPORTED = "sonde_spans_exported_total"
DROPPED = "sonde_spans_dropped_total"
QUEUED = "sonde_spans_queued"
SPOOLED = "sonde_spans_spooled"
RECOVERED = "sonde_spans_recovered_total"


def of(spans, service):
    return [span for span in spans if span["resource"]["service.name"] == service]


def by_request(spans):
    return Counter((span["attributes"]["http.request.method"], str(span["attributes"]["http.response.status_code"]))
                   for span in spans)


def arrived(t, read, count, *services):
    """Waits until so many spans of each service are there; returns all that are."""
    wait_until(lambda: all(len(of(read(), service)) >= count for service in services), 10 * t.patience, every=0.2)
    return read()


def requests(metrics):
    """Spans of whole requests. A machine that is busy keeps connections waiting, and that is told as a part of some."""
    return metrics.total(PRODUCED) - metrics.total("sonde_span_parts_total")


def load(t, nginx, connections, requests, service, plan=PLAN):
    """Sends requests; returns the client's own report and its process."""
    client = t.spawn("load", "127.0.0.1", nginx.port, connections, requests, "keep", *plan, service=service)
    return client.result(300 * t.patience), client


def balance(t, agent, exporter):
    """produced + recovered = exported + dropped + queued + spooled, as of one scrape."""
    metrics = agent.scrape()
    t.equal(metrics.total(PRODUCED) + metrics.total(RECOVERED, exporter=exporter),
            sum(metrics.total(name, exporter=exporter) for name in (EXPORTED, DROPPED, QUEUED, SPOOLED)),
            f"spans produced and recovered, and what became of them ({exporter})")
    return metrics


def check_fields(t, spans, kind, service, pids, port, window):
    """What must stand in every one of these spans of requests to nginx."""
    ids = {(span["traceId"], span["spanId"]) for span in spans}
    t.equal(len(ids), len(spans), f"{service}: different IDs")
    executable = {SERVER: "nginx", CLIENT: "load"}[kind]
    for span in spans:
        attributes, resource = span["attributes"], span["resource"]
        route = attributes.get("http.route")
        want = {"kind": kind, "name": attributes["http.request.method"] + (f" {route}" if route else ""),
                "flags": 3, "scope": "sonde", "join": "parent" if span.get("parentSpanId") else "generated", "scheme": "http", "version": "1.1",
                "transport": "tcp", "type": "ipv4", "server": ("127.0.0.1", port), "peer": "127.0.0.1", "service": service,
                "executable": executable, "host": socket.gethostname(), "zone": "a b",
                "error": str(attributes["http.response.status_code"]) if is_error(attributes, kind) else None,
                "status": {"code": 2} if is_error(attributes, kind) else {},
                "client": "127.0.0.1" if kind == SERVER else None}
        got = {"kind": span["kind"], "name": span["name"], "flags": span["flags"],
               "scope": span["scope"]["name"], "join": attributes["sonde.join"], "scheme": attributes["url.scheme"],
               "version": attributes["network.protocol.version"], "transport": attributes["network.transport"],
               "type": attributes["network.type"], "server": (attributes["server.address"], attributes["server.port"]),
               "peer": attributes["network.peer.address"], "service": resource["service.name"],
               "executable": resource["process.executable.name"], "host": resource["host.name"], "zone": resource["zone"],
               "error": attributes.get("error.type"), "status": span["status"], "client": attributes.get("client.address")}
        start, end = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
        t.equal(got, want, f"{service}: fields of a span")
        t.check(window[0] <= start <= end <= window[1], f"{service}: from {start} to {end}, not within {window}")
        t.check(resource["process.pid"] in pids, f"{service}: pid {resource['process.pid']} is none of {pids}")
        t.check(kind == SERVER or attributes["network.peer.port"] == port, f"{service}: peer port of {attributes}")
        if t.failures:
            return


def is_error(attributes, kind):
    return attributes["http.response.status_code"] >= (500 if kind == SERVER else 400)


@test(needs=("nginx", "otelcol"))
def spans_reach_the_collector(t):
    collector = t.collector()
    ndjson = os.path.join(t.directory, "spans.ndjson")
    agent = t.agent("--spans-ndjson", ndjson,
                    env={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
                         "OTEL_RESOURCE_ATTRIBUTES": "zone=a%20b,service.name=not-ours"})
    nginx = t.nginx(service="span-server")
    began = time.time_ns()
    result, client = load(t, nginx, 8, 3000, "span-client")
    spans = arrived(t, collector.spans, 3000, "span-server", "span-client")
    window = (began, time.time_ns())
    wait_until(lambda: len(nginx.log()) >= 3000, 10 * t.patience)
    served, made = of(spans, "span-server"), of(spans, "span-client")
    t.equal(by_request(served), nginx.counts(), "server spans against the access log")
    t.equal(by_request(made), nginx.counts(), "client spans against the access log")
    t.equal(Counter(span["attributes"]["url.path"] for span in served), Counter(line["uri"] for line in nginx.log()), "url.path")
    t.equal(sum(span["attributes"]["http.response.body.size"] for span in served), result["body_received"], "bodies of answers")
    t.equal(sum(span["attributes"]["http.request.body.size"] for span in made), result["body_sent"], "bodies of requests")
    check_fields(t, served, SERVER, "span-server", nginx.workers(), nginx.port, window)
    check_fields(t, made, CLIENT, "span-client", [client.pid], nginx.port, window)
    # A served request is a child of the one that was made, where both ends were found to be one connection, and of no other.
    asked = {(span["traceId"], span["spanId"]): (span["name"], span["attributes"]["url.path"]) for span in made}
    answered = {(span["traceId"], span["parentSpanId"]): (span["attributes"]["http.request.method"], span["attributes"]["url.path"])
                for span in served if span.get("parentSpanId")}
    t.check(answered and answered.items() <= asked.items(),
            f"parents: {len(answered.items() - asked.items())} of {len(answered)} are wrong")
    t.check(not any(span.get("parentSpanId") for span in made), "a parent of a request that nothing led to")
    own = [span for span in collector.spans() if span["resource"]["process.pid"] == agent.pid]
    t.equal(len(own), 0, "spans of what the agent asks and answers itself")
    written = arrived(t, lambda: read_spans(ndjson), 3000, "span-server", "span-client")
    key = lambda span: (span["traceId"], span["spanId"])
    t.equal(sorted(of(written, "span-server"), key=key), sorted(served, key=key), "the file's spans against the Collector's")
    balance(t, agent, "otlp")
    balance(t, agent, "ndjson")
    t.equal(agent.scrape().total(DROPPED), 0, "spans dropped")


def watched_nginx(t, agent, service):
    """An nginx that the agent looks at, and at nothing else."""
    nginx = t.nginx(service=service)
    pids = {nginx.pid, *nginx.workers()}
    if not wait_until(lambda: pids <= {process["pid"] for process in agent.dump("procs") if not process["ignored"]}, 10 * t.patience):
        raise AssertionError(f"nginx is not looked at: {agent.dump('procs')}")
    return nginx


@test(needs=("nginx", "otelcol"))
def spans_wait_for_the_collector(t):
    """What fits into the queue is delivered when the receiver is back, what does not is counted."""
    collector = t.collector()
    agent = t.agent("--otlp-endpoint", collector.endpoint, "--span-queue", "3000", "--only", "service=wait-server")
    nginx = watched_nginx(t, agent, "wait-server")
    collector.stop()
    load(t, nginx, 4, 2000, "wait-client")
    metrics = agent.settle(requests, 2000)
    t.equal(requests(metrics), 2000, "spans of requests produced")
    t.equal((metrics.total(EXPORTED), metrics.total(DROPPED), metrics.total(QUEUED)), (0, 0, metrics.total(PRODUCED)), "all of them wait")
    load(t, nginx, 4, 2000, "wait-client")
    metrics = agent.settle(requests, 4000)
    lost = metrics.total(PRODUCED) - 3000
    t.equal((metrics.total(DROPPED, reason="queue_full"), metrics.total(QUEUED)), (lost, 3000), "the queue is full")
    collector.start()
    spans = arrived(t, collector.spans, 3000, "wait-server")
    metrics = balance(t, agent, "otlp")
    t.equal(len(spans), 3000, "spans at the Collector")
    t.equal((metrics.total(EXPORTED), metrics.total(DROPPED)), (3000, lost), "spans exported, dropped")
    t.equal(len({(span["traceId"], span["spanId"]) for span in spans}), 3000, "none of them twice")
    t.check(metrics.total("sonde_span_batches_retried_total") > 0, "no retry was counted")


@test(needs=("nginx", "otelcol", "openssl"))
def spans_are_flushed_at_the_end(t):
    """An agent that ends delivers what waits, over TLS with certificates of both sides; one whose receiver is away ends all the
    same, and says what is lost."""
    certificates = Certificates(t.directory)
    collector = t.collector(certificates=certificates)
    agent = t.agent("--otlp-endpoint", collector.endpoint, "--only", "service=end-server",
                    env={"OTEL_EXPORTER_OTLP_CERTIFICATE": certificates.authority,
                         "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": certificates.client,
                         "OTEL_EXPORTER_OTLP_CLIENT_KEY": certificates.client_key})
    nginx = watched_nginx(t, agent, "end-server")
    collector.stop()
    load(t, nginx, 1, 100, "end-client")
    metrics = agent.settle(requests, 100)
    waiting = metrics.total(PRODUCED)
    t.equal((requests(metrics), metrics.total(QUEUED)), (100, waiting), "spans of requests produced, spans waiting")
    collector.start()
    status, _ = agent.stop()
    t.equal(status, 0, "exit status")
    t.equal(len(arrived(t, collector.spans, waiting, "end-server")), waiting, "spans at the Collector")
    # The Collector is there, but who it is cannot be told: as good as none.
    agent = t.agent("--otlp-endpoint", collector.endpoint, "--only", "service=end-again")
    nginx = watched_nginx(t, agent, "end-again")
    load(t, nginx, 1, 100, "end-client")
    waiting = agent.settle(requests, 100).total(PRODUCED)
    status, _ = agent.stop()
    t.equal(status, 0, "exit status without a receiver")
    t.check("certificate" in agent.log() and f"{waiting:.0f} spans were not delivered" in agent.log(), agent.log())
    t.equal(len(of(collector.spans(), "end-again")), 0, "spans at a Collector that is not trusted")


PROXY = """
daemon off;
worker_processes 1;
user root root;
pid {dir}/proxy.pid;
error_log {dir}/proxy-error.log warn;
events {{ worker_connections 64; }}
http {{
    log_format json '{{"status":$status,"encoding":"$http_content_encoding","type":"$http_content_type","team":"$http_x_team"}}';
    access_log {dir}/proxy-access.log json;
    """ + temp_paths("proxy-") + """
    server {{
        listen 127.0.0.1:{port};
        location = /v1/traces {{
            if ($http_x_team != "blue") {{ return 403; }}
            proxy_pass {collector};
        }}
    }}
}}
"""


@test(needs=("nginx", "otelcol"))
def spans_and_a_proxy_that_wants_a_header(t):
    """With the header they arrive; without it they are refused, lost and counted."""
    collector, port = t.collector(), free_port()
    config, headers = os.path.join(t.directory, "proxy.conf"), os.path.join(t.directory, "headers")
    with open(config, "w") as file:
        file.write(PROXY.format(dir=t.directory, port=port, collector=collector.endpoint))
    with open(headers, "w") as file:
        file.write("# who we are\nX-Team: blue\n")
    t.spawn("/usr/sbin/nginx", "-c", config, "-p", t.directory, service="proxy")
    for service, options, arriving in (("with-header", ("--otlp-headers-file", headers), 50), ("without-header", (), 0)):
        t.where = f"{service}: "
        agent = t.agent("--otlp-endpoint", f"http://127.0.0.1:{port}/", "--only", f"service={service}", *options,
                        env={"OTEL_EXPORTER_OTLP_COMPRESSION": "none"} if arriving else None)
        nginx = watched_nginx(t, agent, service)
        load(t, nginx, 1, 50, "any-client")
        made = agent.settle(lambda m: (requests(m), m.total(QUEUED)), (50, 0)).total(PRODUCED)
        want = (made, made if arriving else 0, 0 if arriving else made, 0)
        read = lambda m: (m.total(PRODUCED), m.total(EXPORTED), m.total(DROPPED, reason="rejected"), m.total(QUEUED))
        t.equal(read(agent.settle(read, want)), want, "spans produced, exported, rejected, queued")
        t.equal(len(of(collector.spans(), service)), want[1], "spans at the Collector")
        t.check(arriving or "HTTP status 403; they are lost" in agent.log(), agent.log())
        agent.stop()
    t.where = ""
    with open(os.path.join(t.directory, "proxy-access.log")) as file:
        posts = {tuple(json.loads(line).values()) for line in file}
    t.equal(posts, {(200, "-", "application/x-protobuf", "blue"), (403, "gzip", "application/x-protobuf", "-")}, "what the proxy saw")
