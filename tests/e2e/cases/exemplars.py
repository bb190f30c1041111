# SPDX-License-Identifier: Apache-2.0
"""Exemplars and native histograms, as Prometheus stores and answers them: against nginx's access log and the spans themselves."""

import math
import re
import time
from collections import Counter

from sonde_test.metrics import Metrics
from sonde_test.nginx import PLAN
from sonde_test.otelcol import read_spans
from sonde_test.process import wait_until
from sonde_test.prometheus import Prometheus, read_protobuf
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
    """Of the request: a span begins with what was waited for before, if that is long."""
    waits = [key for key in ("sonde.receive_queue_ns", "sonde.accept_queue_ns") if key in span["attributes"]]
    parts = [value for key, value in span["attributes"].items() if re.fullmatch(r"sonde\.[a-z_]+_ns", key) and key not in waits]
    return sum(parts)


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
    t.check(ids <= set(spans) and len(ids) >= 5, f"{len(ids)} exemplars, of them no spans: {ids - set(spans)}")
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


PROTOBUF = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
BRACES = re.compile(r' # {trace_id="(.*)",span_id="(.*)"} (.*) (.*)$')


def key_of(name, labels):
    """A series, however its bound is spelled."""
    return name, tuple(sorted((label, float(value) if label == "le" else value) for label, value in labels.items() if label != "__name__"))


def text_samples(page, is_wanted):
    """What OpenMetrics says: {series: value}, {series: exemplar}."""
    values, exemplars = {}, {}
    for line in filter(is_wanted, page.decode().split("\n")):
        sample, = Metrics(BRACES.sub("", line) + "\n").samples
        key, found = key_of(sample.name, sample.labels), BRACES.search(line)
        values[key] = sample.value
        if found:
            exemplars[key] = (found[1], found[2], float(found[3]), int(float(found[4]) * 1000))
    return values, exemplars


def exemplars_of(sample):
    return [(one["labels"]["trace_id"], one["labels"]["span_id"], one["value"], round(one["seconds"] * 1000))
            for one in sample["exemplars"] or []]


def check_histogram(t, sample, values, exemplars):
    """A native histogram against its classic series, and the exemplars of their buckets."""
    name = sample["labels"]["__name__"]
    key = key_of(name, sample["labels"])[1]
    t.equal((sample["count"], sample["value"]), (values[name + "_count", key], values[name + "_sum", key]), f"count and sum of {sample['labels']}")
    t.equal(sample["zero"] + sum(bucket["count"] for bucket in sample["buckets"] or []), sample["count"], f"native buckets of {sample['labels']}")
    t.equal(sorted(exemplars_of(sample)), sorted(
        exemplar for (_, labels), exemplar in exemplars.items() if tuple(pair for pair in labels if pair[0] != "le") == key),
        f"native exemplars of {sample['labels']}")


@test(needs=("nginx", "promparse"))
def exemplars_protobuf_says_what_openmetrics_says(t):
    ndjson = t.path("spans.ndjson")
    agent = t.agent("--spans-ndjson", ndjson)
    nginx = t.nginx(service="exemplified")
    t.spawn("load", "127.0.0.1", nginx.port, 4, 500, "keep", *PLAN, service="exemplifier").result(300 * t.patience)
    wait_until(lambda: len(nginx.log()) >= 500 and len(served(ndjson, "exemplified")) >= 500, 20 * t.patience, every=0.2)
    agent.settle(lambda m: m.total(f"{DURATION}_count", service_name="exemplified"), 500)
    text = agent.get(headers={"Accept": "application/openmetrics-text"})[2]
    _, headers, page = agent.get(headers={"Accept": PROTOBUF})
    t.equal(headers["Content-Type"], PROTOBUF, "Content-Type")
    # These say the same in both scrapes: what is about the agent itself goes on.
    of_service = ('service_name="exemplified"', 'service_name="exemplifier"')
    values, exemplars = text_samples(text, lambda line: line.startswith("sonde_build_info") or any(label in line for label in of_service))
    samples = [sample for sample in read_protobuf(page)
               if sample["labels"]["__name__"] == "sonde_build_info" or sample["labels"].get("service_name") in ("exemplified", "exemplifier")]
    classic = [sample for sample in samples if not sample["is_native"]]
    native = [sample for sample in samples if sample["is_native"]]
    t.equal({key_of(sample["labels"]["__name__"], sample["labels"]): sample["value"] for sample in classic}, values, "samples")
    t.equal({key_of(sample["labels"]["__name__"], sample["labels"]): one for sample in classic for one in exemplars_of(sample)},
            exemplars, "exemplars of classic buckets")
    t.check(len(exemplars) >= 20 and len(native) > 20 and len(values) > 500, f"{len(exemplars)}, {len(native)}, {len(values)}")
    for sample in native:
        check_histogram(t, sample, values, exemplars)
    whole = [sample for sample in native if sample["labels"]["__name__"] == DURATION and sample["labels"]["service_name"] == "exemplified"]
    t.equal(sum(sample["count"] for sample in whole), len(nginx.log()), "native histograms against the access log")
    seconds = [duration_ns(span) / 1e9 for span in served(ndjson, "exemplified").values()]
    t.equal(sum(bucket["count"] for sample in whole for bucket in sample["buckets"]), len(seconds), "native buckets against spans")
