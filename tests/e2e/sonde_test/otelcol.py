# SPDX-License-Identifier: Apache-2.0
"""An OpenTelemetry Collector of our own, which writes what it receives to a file."""

import json
import os
import subprocess

from .agent import free_port
from .go_program import go_program
from .process import Process, wait_until

CONFIG = """
receivers: {{otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{port}"{tls}}}}}}}}}
exporters: {{file: {{path: "{path}", {writing}}}, file/metrics: {{path: "{metrics_path}", {writing}}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{traces: {{receivers: [otlp], exporters: [file]}}, metrics: {{receivers: [otlp], exporters: [file/metrics]}}}}
"""


def plain(attributes):
    """OTLP's list of attributes as a dict; numbers come as strings there."""
    def value(typed):
        if "arrayValue" in typed:
            return [value(item) for item in typed["arrayValue"]["values"]]
        return int(typed["intValue"]) if "intValue" in typed else typed["stringValue"]
    return {pair["key"]: value(pair["value"]) for pair in attributes}


INTERNAL = 1


def read_spans(path, parts=False):
    """The spans of a file of OTLP/JSON lines, each with its attributes and resource as dicts; twice the same attribute is an error.
    parts: those too that tell of a part of a request, which a slow machine has more of."""
    spans = []
    try:
        with open(path) as file:
            whole = file.read().rpartition("\n")[0]  # in one go: a line that is being written must not be seen in two pieces
            lines = [json.loads(line) for line in whole.splitlines()]
    except FileNotFoundError:
        return []
    for of_resource in (item for line in lines for item in line["resourceSpans"]):
        resource = plain(of_resource["resource"]["attributes"])
        for of_scope in of_resource["scopeSpans"]:
            for span in of_scope["spans"]:
                attributes = plain(span["attributes"])
                if len(attributes) != len(span["attributes"]):
                    raise AssertionError(f"an attribute twice: {span}")
                if span["kind"] != INTERNAL or of_scope["scope"]["name"] != "sonde" or parts:
                    spans.append(dict(span, attributes=attributes, resource=resource, scope=of_scope["scope"]))
    return spans


# What Prometheus' translation of OTLP puts behind a name (OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility").
UNITS = {"s": "_seconds", "By": "_bytes", "": ""}


def prometheus_name(metric):
    name, suffix = metric["name"].replace(".", "_"), UNITS[metric.get("unit", "")]
    if not name.endswith(suffix):
        name += suffix
    return name + "_total" if metric.get("sum", {}).get("isMonotonic") else name


def read_points(path):
    """The data points of a file of OTLP/JSON lines: each with its series, as Prometheus names it, its kind, temporality and resource."""
    points = []
    try:
        with open(path) as file:
            whole = file.read().rpartition("\n")[0]
            lines = [json.loads(line) for line in whole.splitlines()]
    except FileNotFoundError:
        return []
    for of_resource in (item for line in lines for item in line["resourceMetrics"]):
        resource = plain(of_resource["resource"]["attributes"])
        for metric in (metric for of_scope in of_resource["scopeMetrics"] for metric in of_scope["metrics"]):
            kind, = {"gauge", "sum", "histogram", "exponentialHistogram"} & set(metric)
            for point in metric[kind]["dataPoints"]:
                labels = plain(point.get("attributes", []))
                if len(labels) != len(point.get("attributes", [])):
                    raise AssertionError(f"an attribute twice: {point}")
                if resource["service.name"] != "sonde":
                    labels["service.name"] = resource["service.name"]
                series = prometheus_name(metric), tuple(sorted((key.replace(".", "_"), str(value)) for key, value in labels.items()))
                points.append(dict(point, metric=metric["name"], series=series, kind=kind, resource=resource, labels=labels,
                                   temporality=metric[kind].get("aggregationTemporality")))
    return points


class Certificates:
    """An authority, and what it says of a server on 127.0.0.1 and of a client."""

    def __init__(self, directory):
        self.directory = os.path.join(directory, "certificates")
        os.makedirs(self.directory)
        self.authority, self.client, self.client_key = (self._path(name) for name in ("ca.crt", "client.crt", "client.key"))
        self._sign("ca", "-addext", "basicConstraints=critical,CA:TRUE")
        for name in ("server", "client"):
            self._sign(name, "-addext", "subjectAltName=IP:127.0.0.1", "-CA", self.authority, "-CAkey", self._path("ca.key"))

    def _path(self, name):
        return os.path.join(self.directory, name)

    def _sign(self, name, *options):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", f"/CN={name}", "-keyout", self._path(f"{name}.key"), "-out", self._path(f"{name}.crt"), *options],
                       check=True, capture_output=True)

    def of_collector(self):
        """The setting of a receiver that knows only clients of this authority."""
        return (f', tls: {{cert_file: "{self._path("server.crt")}", key_file: "{self._path("server.key")}", '
                f'client_ca_file: "{self.authority}"}}')


class Collector:
    """at_once: what is acknowledged is in the file, also when the Collector is killed: the exporter writes through a buffer unless
    it rotates its file, which then is appended to anyway."""

    def __init__(self, directory, patience=1, certificates=None, at_once=False):
        writing = "rotation: {max_megabytes: 1000}" if at_once else "append: true, flush_interval: 50ms"
        self.directory, self.patience, self.certificates = directory, patience, certificates
        self.port = free_port()
        self.path = os.path.join(directory, f"spans-{self.port}.json")
        self.metrics_path = os.path.join(directory, f"metrics-{self.port}.json")
        self.config = os.path.join(directory, f"otelcol-{self.port}.yaml")
        with open(self.config, "w") as file:
            file.write(CONFIG.format(port=self.port, path=self.path, metrics_path=self.metrics_path, writing=writing, tls=certificates.of_collector() if certificates else ""))
        self.process = None
        self.start()

    def start(self):
        self.process = Process([go_program("otelcol"), "--config", self.config], self.directory)
        if not wait_until(lambda: "Everything is ready" in self.process.error(), 30 * self.patience):
            raise AssertionError(f"the collector did not start: {self.process.error()}")

    @property
    def endpoint(self):
        return f"{'https' if self.certificates else 'http'}://127.0.0.1:{self.port}"

    def spans(self, parts=False):
        return read_spans(self.path, parts)



    def points(self):
        return read_points(self.metrics_path)

    def stop(self):
        self.process.stop()

    def kill(self):
        self.process.kill()
