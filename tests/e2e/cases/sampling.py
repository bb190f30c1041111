# SPDX-License-Identifier: Apache-2.0
"""Which spans are kept: against nginx's access log, by what each of them says it counts for."""

import http.client
import os
from collections import Counter

from sonde_test.otelcol import read_spans
from sonde_test.process import wait_until
from sonde_test.runner import test

SAMPLED, UNSAMPLED, PRODUCED = "sonde_spans_sampled_total", "sonde_spans_unsampled_total", "sonde_spans_produced_total"
PARTS = "sonde_span_parts_total"
SERVED = "http_server_request_duration_seconds_count"


def start(t, *options, env=None):
    file = os.path.join(t.directory, "spans.ndjson")
    agent = t.agent("--spans-ndjson", file, "--only", "service=sampled", *options, env=env)
    nginx = t.nginx(service="sampled")
    pids = {nginx.pid, *nginx.workers()}
    if not wait_until(lambda: pids <= {process["pid"] for process in agent.dump("procs") if not process["ignored"]}, 10 * t.patience):
        raise AssertionError(f"nginx is not looked at: {agent.dump('procs')}")
    return agent, nginx, file


def threshold(span):
    """The 56 bits of `th`, and how many spans such a one counts for; None: it does not say."""
    for member in span.get("traceState", "").split(","):
        for part in member.removeprefix("ot=").split(";") if member.startswith("ot=") else ():
            if part.startswith("th:"):
                return int(part[3:].ljust(14, "0"), 16)
    return None


def counts_for(span):
    return 2 ** 56 / (2 ** 56 - threshold(span))


def settled(t, agent, file, requests):
    """The spans that were kept, and the metrics, once all requests are decided on."""
    all_of = lambda m: m.total(SAMPLED) + m.total(UNSAMPLED)
    metrics = agent.settle(all_of, requests)
    t.equal(all_of(metrics), requests, "spans sampled and unsampled")
    t.equal(metrics.total(PRODUCED), metrics.total(SAMPLED) + metrics.total(PARTS), "spans produced, and sampled or parts of such")
    t.equal(metrics.total(SERVED, service_name="sampled"), requests, "metrics see every request")
    want = metrics.total(SAMPLED)
    wait_until(lambda: len(read_spans(file)) >= want, 10 * t.patience)
    spans = read_spans(file)
    t.equal(len(spans), want, "spans in the file and sampled")
    return spans, metrics


@test(needs=("nginx",))
def sampling_keeps_errors_and_a_ratio(t):
    """One in eight; every failure; and what is kept counts for all there were."""
    agent, nginx, file = start(t, "--span-sampling", "errors,ratio=0.125")
    t.spawn("load", "127.0.0.1", nginx.port, 4, 8000, "keep", *["GET /ok"] * 9, "GET /broken").result(100 * t.patience)
    spans, metrics = settled(t, agent, file, 8000)
    wait_until(lambda: len(nginx.log()) >= 8000, 10 * t.patience)
    served = nginx.counts()
    kept = Counter(str(span["attributes"]["http.response.status_code"]) for span in spans)
    t.equal(kept["500"], served["GET", "500"], "spans of failures, against the access log")
    t.equal((metrics.total(SAMPLED, reason="error"), metrics.total(SAMPLED, reason="ratio")), (kept["500"], kept["200"]), "by reason")
    t.equal({threshold(span) for span in spans if span["attributes"]["http.response.status_code"] == 500}, {0}, "what failures count for")
    t.equal({threshold(span) for span in spans if span["attributes"]["http.response.status_code"] == 200}, {0xe << 52}, "and others")
    t.check(all(int(span["traceId"][-14:], 16) >= threshold(span) for span in spans), "a span that its own threshold rejects")
    # Four standard deviations of a binomial distribution.
    bound = 4 * (served["GET", "200"] * 7) ** 0.5
    t.check(abs(sum(map(counts_for, spans)) - 8000) < bound, f"the spans count for {sum(map(counts_for, spans))}, not 8000")
    t.equal({span["flags"] & 1 for span in spans}, {1}, "sampled flags")


def ask(port, path, headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path, headers=headers)
    connection.getresponse().read()
    connection.close()


@test(needs=("nginx",))
def sampling_goes_by_the_parent(t):
    """The caller's decision, its threshold and what others put into tracestate; failures are kept all the same."""
    agent, nginx, file = start(t, env={"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.000001"})
    parent = lambda number, flags, **more: {"traceparent": f"00-{number:030x}ff-{number:016x}-{flags}", **more}
    for number in range(1, 21):
        ask(nginx.port, "/ok", parent(number, "01"))
        ask(nginx.port, "/ok", parent(number + 100, "00"))
        ask(nginx.port, "/ok", parent(number + 200, "03", tracestate="a=b,ot=th:8;rv:c0000000000000;q:1,c=d"))
        ask(nginx.port, "/ok", parent(number + 300, "03", tracestate="ot=th:8,a=b"))  # its end is not above that
    spans, metrics = settled(t, agent, file, 80)
    by_hundred = Counter((int(span["traceId"], 16) // 25600, span.get("traceState")) for span in spans)
    t.equal(by_hundred, {(0, None): 20, (2, "ot=th:8;rv:c0000000000000;q:1,a=b,c=d"): 20, (3, "a=b"): 20}, "spans and tracestate")
    t.equal((metrics.total(SAMPLED, reason="parent"), metrics.total(UNSAMPLED, reason="parent")), (60, 20), "by the parent")


@test(needs=("nginx",))
def sampling_keeps_floors(t):
    """Of a chosen route a number a minute, of the others nothing; a sampler that nobody knows is none."""
    agent, nginx, file = start(t, "--span-sampling", "floor=3@GET /files*,ratio=0")
    t.spawn("load", "127.0.0.1", nginx.port, 2, 400, "keep", "GET /ok", "GET /files/small").result(100 * t.patience)
    spans, metrics = settled(t, agent, file, 400)
    t.check(len(spans) in (3, 6), f"{len(spans)} spans: three a minute")  # a minute may end meanwhile
    t.equal({span["attributes"]["url.path"] for span in spans}, {"/files/small"}, "of what")
    t.equal(metrics.total(SAMPLED, reason="floor"), len(spans), "by reason")
    agent.stop()
    os.remove(file)
    agent, nginx, file = start(t, env={"OTEL_TRACES_SAMPLER": "nonsense"})
    t.spawn("load", "127.0.0.1", nginx.port, 1, 50, "keep", "GET /ok").result(100 * t.patience)
    settled(t, agent, file, 50)
    t.check("OTEL_TRACES_SAMPLER 'nonsense' is not known" in agent.log(), agent.log())
