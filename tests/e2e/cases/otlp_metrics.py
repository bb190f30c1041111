# SPDX-License-Identifier: Apache-2.0
"""Metrics at the OpenTelemetry Collector are those of /metrics, series by series: against nginx's access log too."""

import time
from collections import Counter, defaultdict

from cases.exemplars import duration_ns
from sonde_test.nginx import PLAN
from sonde_test.otelcol import read_spans
from sonde_test.process import wait_until
from sonde_test.prometheus import read_protobuf
from sonde_test.runner import test

DURATION = "http_server_request_duration_seconds"
EXPORTED = "sonde_metric_points_exported_total"
DROPPED = "sonde_metric_points_dropped_total"
RETRIED = "sonde_metric_batches_retried_total"
DELTA, CUMULATIVE = 1, 2
SERVICES = ("posted-server", "posted-client")
ONLY = tuple(word for service in SERVICES for word in ("--only", f"service={service}"))
PROTOBUF = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"


def environment(interval_ms, temporality="cumulative", aggregation="explicit_bucket_histogram"):
    return {"OTEL_METRIC_EXPORT_INTERVAL": str(interval_ms),
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": temporality,
            "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": aggregation}


def load(t, nginx, requests):
    t.spawn("load", "127.0.0.1", nginx.port, 4, requests, "keep", *PLAN, service=SERVICES[1]).result(300 * t.patience)


def settle(t, agent, requests, sides=("server", "client")):
    """The figures once all these requests are counted."""
    read = lambda metrics: {side: metrics.total(f"http_{side}_request_duration_seconds_count") for side in sides}
    want = dict.fromkeys(sides, requests)
    metrics = agent.settle(read, want)
    t.equal(read(metrics), want, "requests counted")
    return metrics


def is_of_services(series):
    return dict(series[1]).get("service_name") in SERVICES


def told(metrics):
    """/metrics: {series: number}, or (count, sum, {bound: count of that bucket}) of a histogram."""
    figures, buckets, ends = {}, defaultdict(dict), ("_bucket", "_sum", "_count")
    for sample in metrics.samples:
        family = next((sample.name[:-len(end)] for end in ends
                       if sample.name.endswith(end) and metrics.types.get(sample.name[:-len(end)]) == "histogram"), None)
        labels = {key: value for key, value in sample.labels.items() if not (family and key == "le")}
        series = family or sample.name, tuple(sorted(labels.items()))
        if family and sample.name.endswith("_bucket"):
            buckets[series][float(sample.labels["le"])] = sample.value
        elif family:
            figures.setdefault(series, {})[sample.name[len(family):]] = sample.value
        else:
            figures[series] = sample.value
    for series, below in buckets.items():
        bounds = sorted(below)
        single = {bound: below[bound] - (below[bounds[at - 1]] if at else 0) for at, bound in enumerate(bounds)}
        figures[series] = (figures[series]["_count"], figures[series]["_sum"], single)
    return figures


def figure(point):
    """The same of a data point."""
    if point["kind"] == "histogram":
        bounds = [*point["explicitBounds"], float("inf")]
        return int(point["count"]), point["sum"], dict(zip(map(float, bounds), map(int, point["bucketCounts"])))
    return int(point["asInt"]) if "asInt" in point else point["asDouble"]


def add(left, right):
    if not isinstance(left, tuple):
        return left + right
    return left[0] + right[0], left[1] + right[1], {bound: left[2][bound] + right[2][bound] for bound in left[2]}


def in_nanoseconds(value):
    """Each part of a sum of seconds was rounded for itself."""
    return (value[0], round(value[1], 9), value[2]) if isinstance(value, tuple) else round(value, 9)


def exports(points):
    """{time: {series: point}}; a series twice in an export is an error."""
    found = defaultdict(dict)
    for point in points:
        if found[int(point["timeUnixNano"])].setdefault(point["series"], point) is not point:
            raise AssertionError(f"a series twice in an export: {point}")
    return found


def export_after(t, collector, moment_ns):
    """The first export of what was so at that time, whole: another one has come."""
    times = lambda: sorted(at for at in exports(collector.points()) if at > moment_ns)
    if not wait_until(lambda: len(times()) > 1, 20 * t.patience, every=0.2):
        raise AssertionError("nothing more is exported")
    return exports(collector.points())[times()[0]]


def compare(t, got, want, what):
    t.equal(sorted(got.keys() ^ want.keys()), [], f"{what}: series on one side only")
    wrong = {series: (got[series], want[series]) for series in got.keys() & want.keys() if got[series] != want[series]}
    t.equal(list(wrong.items())[:3], [], f"{what}: {len(wrong)} of {len(want)} series differ")


def stop(agent, collector):
    """Both, so that everything is in the file. Returns the agent's exit status."""
    status, _ = agent.stop()
    collector.stop()
    return status


@test(needs=("nginx", "otelcol"))
def otlp_metrics_are_those_of_the_page(t):
    """Cumulative, with classic buckets: after traffic each point is the series that /metrics shows; the agent's own have the same names.
    Exemplars are spans."""
    collector, ndjson = t.collector(), t.path("spans.ndjson")
    began = time.time_ns()
    agent = t.agent("--otlp-metrics-endpoint", collector.endpoint, "--spans-ndjson", ndjson, *ONLY, env=environment(500) | {"OTEL_RESOURCE_ATTRIBUTES": "zone=a%20b"})
    nginx = t.nginx(service=SERVICES[0])
    load(t, nginx, 1000)
    metrics = settle(t, agent, 1000)
    export = export_after(t, collector, time.time_ns())
    wait_until(lambda: len(nginx.log()) >= 1000, 10 * t.patience)
    compare(t, {series: figure(point) for series, point in export.items() if is_of_services(series)},
            {series: value for series, value in told(metrics).items() if is_of_services(series)}, "services")
    ours = lambda all_series: {series for series in all_series if not is_of_services(series)}
    t.equal(sorted(ours(told(metrics)) - ours(export)), [], "series of the agent itself on the page before, not in the export")
    t.equal(sorted(ours(export) - ours(told(agent.scrape()))), [], "series of the agent itself in the export, not on the page after")
    served = Counter()
    for point in export.values():
        if point["metric"] == "http.server.request.duration":
            served[point["labels"]["http.request.method"], str(point["labels"]["http.response.status_code"])] += int(point["count"])
    t.equal(served, nginx.counts(), "counts against the access log")
    check_times(t, collector.points(), began)
    check_exemplars(t, export, ndjson)
    resources = {tuple(sorted(point["resource"].items())) for point in export.values()}
    host = next(iter(export.values()))["resource"]["host.name"]
    t.equal({*SERVICES, "sonde"} - {dict(resource)["service.name"] for resource in resources}, set(), "services without a resource")
    t.equal({resource for resource in resources if resource[:2] + resource[3:] != (
        ("host.name", host), ("service.instance.id", host), ("zone", "a b"))}, set(), "other resources")


def check_exemplars(t, export, ndjson):
    """Each is a span, told as the file has it: durations to the nanosecond."""
    read = lambda: {(span["traceId"], span["spanId"]): span for span in read_spans(ndjson)}
    wait_until(lambda: len(read()) >= 2000, 10 * t.patience)
    spans, count = read(), 0
    for point in export.values():
        for one in point.get("exemplars", []):
            span = spans.get((one["traceId"], one["spanId"]), {"endTimeUnixNano": 0, "attributes": {}})
            name, labels = point["series"]
            value = span["attributes"].get(f"sonde.{dict(labels)['part']}_ns") if name == "sonde_request_wait_seconds" else duration_ns(span)
            t.equal((round(one["asDouble"] * 1e9), int(one["timeUnixNano"])), (value, int(span["endTimeUnixNano"])), f"exemplar of {point['series']}")
            count += 1
    t.check(count > 20, f"{count} exemplars")


def check_times(t, points, began):
    """Of cumulative points: a series begins once, and goes on."""
    starts, newest = defaultdict(set), {}
    for point in points:
        series, start, at = point["series"], int(point.get("startTimeUnixNano", 0)), int(point["timeUnixNano"])
        t.check(newest.get(series, 0) < at, f"{series}: at {at} after {newest.get(series)}")
        newest[series] = at
        if point["kind"] == "gauge":
            continue
        starts[series].add(start)
        t.equal(point["temporality"], CUMULATIVE, f"temporality of {series}")
        t.check(began <= start < at <= time.time_ns(), f"{series}: from {start} to {at}, begun at {began}")
    t.equal([series for series, times in starts.items() if len(times) > 1][:3], [], "series that began twice")


def sum_of_deltas(t, points):
    """{series: sum}. The same bytes may come twice when an answer was lost: the point is the same then."""
    spans, sums = defaultdict(dict), {}
    for point in points:
        if point["kind"] == "gauge":
            continue
        t.equal(point["temporality"], DELTA, f"temporality of {point['series']}")
        spans[point["series"]][int(point["startTimeUnixNano"]), int(point["timeUnixNano"])] = figure(point)
    for series, deltas in spans.items():
        ends = sorted(deltas)
        t.check(all(start < end for start, end in ends) and all(first[1] <= second[0] for first, second in zip(ends, ends[1:])),
                f"{series}: times that overlap: {ends}")
        for at in ends:
            sums[series] = add(sums[series], deltas[at]) if series in sums else deltas[at]
    return sums


def is_counted(metrics, series, value):
    """Neither a gauge, nor 0 all the time: that is no delta."""
    return metrics.types.get(series[0]) != "gauge" and (value[0] if isinstance(value, tuple) else value) != 0


@test(needs=("nginx", "otelcol"))
def otlp_metrics_deltas_add_up_over_an_outage(t):
    """What is counted while the Collector is away is delivered when it is back, nothing twice; of processes that ended meanwhile too."""
    collector = t.collector(at_once=True)
    agent = t.agent("--otlp-metrics-endpoint", collector.endpoint, *ONLY, "--series-ttl", "1", env=environment(300, "delta"))
    nginx = t.nginx(service=SERVICES[0])
    load(t, nginx, 1000)
    settle(t, agent, 1000, ("server",))
    collector.stop()
    for requests in (1700, 2400):
        load(t, nginx, 700)
        settle(t, agent, requests, ("server",))
        t.check(wait_until(lambda: agent.scrape().total(RETRIED) > 0, 10 * t.patience), "no retry was counted")
    time.sleep(3)  # the clients' series would be gone
    collector.start()
    exported = agent.scrape().total(EXPORTED)
    t.check(wait_until(lambda: agent.scrape().total(EXPORTED) > exported, 40 * t.patience), "nothing is delivered")
    load(t, nginx, 600)
    metrics = settle(t, agent, 3000, ("server",))
    t.equal(stop(agent, collector), 0, "exit status")
    sums = sum_of_deltas(t, collector.points())
    served = lambda series: dict(series[1]).get("service_name") == SERVICES[0]
    compare(t, {series: in_nanoseconds(value) for series, value in sums.items() if served(series)},
            {series: in_nanoseconds(value) for series, value in told(metrics).items()
             if served(series) and is_counted(metrics, series, value)}, "sums of deltas")
    made = Counter()
    for (name, labels), value in sums.items():
        if name == "http_client_request_duration_seconds":
            made[dict(labels)["http_request_method"], dict(labels)["http_response_status_code"]] += value[0]
    t.equal(made, nginx.counts(), "requests of clients that ended, against the access log")
    t.equal((metrics.total(DROPPED), metrics.total("sonde_series_unsent_total")), (0, 0), "points dropped, series dropped unsent")


def native(agent):
    """{series: (count, zeros, {upper bound: count})} of the native histograms of /metrics."""
    _, _, page = agent.get(headers={"Accept": PROTOBUF})
    found = {}
    for sample in read_protobuf(page):
        if sample["is_native"]:
            labels = {key: value for key, value in sample["labels"].items() if key != "__name__"}
            found[sample["labels"]["__name__"], tuple(sorted(labels.items()))] = (
                sample["count"], sample["zero"], {bucket["high"]: bucket["count"] for bucket in sample["buckets"] or []})
    return found


def exponential_sums(points):
    """The same of exponential deltas added up; those of a finer scale are merged to the coarsest."""
    scales, found = {}, {}
    for point in points:
        scales[point["series"]] = min(scales.get(point["series"], 20), int(point.get("scale", 0)))
    for point in points:
        scale, positive = int(point.get("scale", 0)), point.get("positive", {})
        count, zeros, buckets = found.setdefault(point["series"], (0, 0, Counter()))
        for at, number in enumerate(positive.get("bucketCounts", [])):
            index = (int(positive.get("offset", 0)) + at) >> (scale - scales[point["series"]])
            buckets[index] += int(number)
        found[point["series"]] = count + int(point["count"]), zeros + int(point.get("zeroCount", 0)), buckets
    return {series: (count, zeros, {index: number for index, number in buckets.items() if number}) for series, (count, zeros, buckets) in found.items()}


def upper_bound(index, scale):
    return 2.0 ** ((index + 1) * 2.0 ** -scale)


@test(needs=("nginx", "otelcol", "promparse"))
def otlp_metrics_exponential_buckets(t):
    """Deltas of exponential histograms add up to the native histograms of /metrics, bucket by bucket; counters go on."""
    collector = t.collector()
    agent = t.agent("--otlp-metrics-endpoint", collector.endpoint, *ONLY,
                    env=environment(300, "lowmemory", "base2_exponential_bucket_histogram"))
    nginx = t.nginx(service=SERVICES[0])
    for requests in (500, 1000, 1500):
        load(t, nginx, 500)
        settle(t, agent, requests)
    want = {series: value for series, value in native(agent).items() if is_of_services(series) and value[0]}
    stop(agent, collector)
    points = collector.points()
    t.equal({(point["kind"], point["temporality"]) for point in points},
            {("gauge", None), ("sum", CUMULATIVE), ("exponentialHistogram", DELTA)}, "kinds and temporalities")
    histograms = [point for point in points if point["kind"] == "exponentialHistogram" and is_of_services(point["series"])]
    scales = {point["series"]: min(int(other.get("scale", 0)) for other in histograms if other["series"] == point["series"])
              for point in histograms}
    got = {series: (count, zeros, {round(upper_bound(index, scales[series]), 12): number for index, number in buckets.items()})
           for series, (count, zeros, buckets) in exponential_sums(histograms).items()}
    rounded = {series: (count, zeros, {round(bound, 12): number for bound, number in buckets.items()})
               for series, (count, zeros, buckets) in want.items()}
    compare(t, got, rounded, "exponential buckets")
    t.check(len(got) > 20 and sum(len(value[2]) for value in got.values()) > 100, f"few buckets: {len(got)} histograms")


@test(needs=("nginx", "otelcol"))
def otlp_metrics_at_the_end(t):
    """An agent that ends sends its last values; one whose receiver refuses them, or is away, counts that and ends all the same."""
    collector = t.collector()
    agent = t.agent("--otlp-metrics-endpoint", collector.endpoint, *ONLY)
    nginx = t.nginx(service=SERVICES[0])
    load(t, nginx, 300)
    metrics = settle(t, agent, 300)
    t.equal(collector.points(), [], "points before the first minute is over")
    t.equal(stop(agent, collector), 0, "exit status")
    export, = exports(collector.points()).values()
    compare(t, {series: figure(point) for series, point in export.items() if is_of_services(series)},
            {series: value for series, value in told(metrics).items() if is_of_services(series)}, "the last values")
    agent = t.agent(*ONLY, env=environment(200) | {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"http://127.0.0.1:{nginx.port}/broken"})
    t.check(wait_until(lambda: agent.scrape().total(DROPPED, reason="rejected") > 0, 10 * t.patience), "nothing is counted as dropped")
    t.equal(agent.scrape().total(EXPORTED), 0, "points exported")
    t.check("HTTP status 500; they are lost" in agent.log(), agent.log())
    agent.stop()
    agent = t.agent("--otlp-metrics-endpoint", collector.endpoint, *ONLY)
    t.equal(agent.stop()[0], 0, "exit status without a receiver")
    t.check("data points were not delivered in time" in agent.log(), agent.log())
