# SPDX-License-Identifier: Apache-2.0
"""Exemplars and native histograms, as Prometheus stores and answers them: against nginx's access log and the spans themselves."""

import math
import re
import time
from collections import Counter

from sonde_test.nginx import PLAN
from sonde_test.otelcol import read_spans
from sonde_test.process import wait_until
from sonde_test.prometheus import Prometheus
from sonde_test.runner import test, tool

DURATION = "http_server_request_duration_seconds"
SERVER = 2
REQUESTS = 1000
EXEMPLAR = re.compile(r'le="([^"]+)"} (\d+) # {trace_id="([0-9a-f]{32})",span_id="([0-9a-f]{16})"} ([0-9.]+) ([0-9.]+)$')


def served(path, service):
    """The spans of a service's requests by their IDs."""
    return {(span["traceId"], span["spanId"]): span for span in read_spans(path)
            if span["kind"] == SERVER and span["resource"]["service.name"] == service}


def duration_ns(span):
    return int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"])


def check_exemplar(t, spans, series, labels, value, seconds):
    """It is a span of that series, with its duration and its end. Returns its IDs."""
    ids = (labels["trace_id"], labels["span_id"])
    if not t.check(ids in spans and set(labels) == {"trace_id", "span_id"}, f"an exemplar that is no span: {labels}"):
        return ids
    span = spans[ids]
    attributes = span["attributes"]
    t.equal((attributes["http.request.method"], str(attributes["http.response.status_code"]), attributes.get("http.route", "")),
            (series["http_request_method"], series["http_response_status_code"], series.get("http_route", "")),
            f"the series and the span of {series}")
    t.equal(round(value * 1e9), duration_ns(span), f"the duration of {ids}")
    t.check(abs(seconds * 1000 - int(span["endTimeUnixNano"]) / 1e6) < 1.5, f"the end of {ids}: {seconds}, {span['endTimeUnixNano']}")
    return ids


def check_text(t, agent, spans):
    """Each bucket that counted something has an exemplar of its own range. Returns their IDs."""
    _, headers, body = agent.get(headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    t.check(headers["Content-Type"].startswith("application/openmetrics-text"), f"Content-Type: {headers['Content-Type']}")
    lines = [line for line in body.decode().split("\n") if line.startswith(f'{DURATION}_bucket{{service_name="exemplified"')]
    ids, below, bound = set(), 0, 0.0
    for line in lines:
        found = EXEMPLAR.search(line)
        le, count = re.search(r'le="([^"]+)"} (\d+)', line).groups()
        has_some = int(count) > below
        t.check(bool(found) == has_some, f"a bucket and its exemplar: {line}, below it {below}")
        if found:
            t.check(bound < float(found[5]) <= float(le), f"not of its bucket, above {bound}: {line}")
            ids.add((found[3], found[4]))
        below, bound = (0, 0.0) if le == "+Inf" else (int(count), float(le))
    t.check(ids <= set(spans) and len(ids) > 10, f"{len(ids)} exemplars, of them no spans: {ids - set(spans)}")
    return ids


def check_native(t, prometheus, spans):
    """Each bucket has its spans; a quantile is estimated within the bucket that the exact value is in."""
    whole = f'sum({DURATION}{{service_name="exemplified"}})'
    values = sorted(duration_ns(span) / 1e9 for span in spans.values())
    buckets = prometheus.buckets(whole)
    t.equal(buckets, {(low, high): sum(low < value <= high for value in values) for low, high in buckets}, "native buckets")
    t.equal(sum(buckets.values()), len(values), "all native buckets")
    t.check(all(high <= low * 1.2 for low, high in buckets), f"wide buckets: {buckets}")
    for quantile in (0.1, 0.5, 0.9, 0.99):
        exact = values[math.ceil(quantile * len(values)) - 1]
        told = prometheus.number(f"histogram_quantile({quantile}, {whole})")
        t.check(any(low < exact <= high and low <= told <= high for low, high in buckets), f"quantile {quantile}: {told}, exactly {exact}")


@test(needs=("nginx", "prometheus"))
def exemplars_and_native_histograms_at_prometheus(t):
    ndjson, began = t.path("spans.ndjson"), time.time()
    agent = t.agent("--spans-ndjson", ndjson)
    nginx = t.nginx(service="exemplified")
    native = Prometheus(t, tool("prometheus"), agent, ("native-histograms", "exemplar-storage"))
    classic = Prometheus(t, tool("prometheus"), agent, ("exemplar-storage",))
    t.spawn("load", "127.0.0.1", nginx.port, 8, REQUESTS, "keep", *PLAN, service="exemplifier").result(300 * t.patience)
    wait_until(lambda: len(nginx.log()) >= REQUESTS and len(served(ndjson, "exemplified")) >= REQUESTS, 20 * t.patience, every=0.2)
    spans, done = served(ndjson, "exemplified"), time.time()
    t.equal(len(spans), REQUESTS, "spans")
    t.check(native.scraped_after(done, t.patience) and classic.scraped_after(done, t.patience), "no scrape")

    counts = {(labels["http_request_method"], labels["http_response_status_code"]): count for labels, count in native.query(
        f'sum by (http_request_method, http_response_status_code) (histogram_count({DURATION}{{service_name="exemplified"}}))')}
    t.equal(counts, nginx.counts(), "native histograms against the access log")
    t.equal(native.query(f'{DURATION}_count{{service_name="exemplified"}}'), [], "classic series where there are native ones")
    total = native.number(f'sum(histogram_sum({DURATION}{{service_name="exemplified"}}))')
    t.equal(round(total * 1e9), sum(map(duration_ns, spans.values())), "sum of durations against the spans', nanoseconds")
    check_native(t, native, spans)

    shown = check_text(t, agent, spans)
    stored = [check_exemplar(t, spans, *row)
              for row in classic.exemplars(f'{DURATION}_bucket{{service_name="exemplified"}}', began, done + 10)]
    t.check(shown <= set(stored), f"{len(shown - set(stored))} of {len(shown)} exemplars are not stored")
    series = Counter()
    for row in native.exemplars(f'{DURATION}{{service_name="exemplified"}}', began, done + 10):
        series[tuple(sorted(row[0].items()))] += 1
        check_exemplar(t, spans, *row)
    t.equal(len(series), 10, "native histograms with exemplars")
