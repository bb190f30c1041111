# SPDX-License-Identifier: Apache-2.0
"""A Kafka broker of our own, one node that is its own controller; its request metrics, over JMX, are what to count by."""

import os
import re
import subprocess
from collections import Counter

from .agent import free_port
from .process import Process, wait_until

FETCH = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "kafka", "fetch")
CLUSTER = "MkU3OEVBNTcwNTJENDM2Qk"
JAVA = ("/usr/bin/java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m")
OTHER_THAN_REQUESTS = {"FetchConsumer", "FetchFollower"}  # parts of Fetch


def libraries():
    """The folder of the broker's jars, fetched when it is not there yet."""
    return subprocess.run([FETCH], check=True, capture_output=True, text=True, timeout=600).stdout.strip()


class Kafka:
    def __init__(self, directory, service=None, patience=1):
        self.directory, self.patience = os.path.join(directory, "kafka"), patience
        self.port, self.jmx_port, controller = free_port(), free_port(), free_port()
        self.classes = os.path.join(libraries(), "*")
        os.makedirs(self.directory)
        settings = os.path.join(self.directory, "server.properties")
        with open(settings, "w") as file:
            for name, value in {
                    "process.roles": "broker,controller", "node.id": 1,
                    "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}",
                    "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
                    "controller.quorum.voters": f"1@127.0.0.1:{controller}", "controller.listener.names": "CONTROLLER",
                    "log.dirs": os.path.join(self.directory, "data"), "num.partitions": 1,
                    "offsets.topic.num.partitions": 1, "offsets.topic.replication.factor": 1,
                    "transaction.state.log.num.partitions": 1, "transaction.state.log.replication.factor": 1,
                    "transaction.state.log.min.isr": 1, "group.initial.rebalance.delay.ms": 0}.items():
                file.write(f"{name}={value}\n")
        self._run("kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", settings)
        remote = "-Dcom.sun.management.jmxremote"
        self.process = Process([*JAVA, f"{remote}.port={self.jmx_port}", f"{remote}.rmi.port={self.jmx_port}",
                                f"{remote}.authenticate=false", f"{remote}.ssl=false", f"{remote}.host=127.0.0.1",
                                "-Djava.rmi.server.hostname=127.0.0.1", "-cp", self.classes, "kafka.Kafka", settings],
                               directory, service=service)
        self.pid = self.process.pid
        if not wait_until(self._is_ready, 60 * patience):
            raise AssertionError(f"the broker did not start: {self.process.error()}")

    def _run(self, *args):
        run = subprocess.run([*JAVA, "-cp", self.classes, *map(str, args)], capture_output=True, text=True,
                             timeout=120 * self.patience, env={**os.environ, "OTEL_SERVICE_NAME": "kafka-tool"})
        if run.returncode:
            raise AssertionError(f"{args}: exit {run.returncode}: {run.stdout}{run.stderr}")
        return run.stdout

    def _is_ready(self):
        """Its listener opens when it may serve; found without a connection, which would be one more for sonde to see."""
        if not self.process.is_alive():
            raise AssertionError(f"the broker ended: {self.process.output()}{self.process.error()}")
        with open("/proc/net/tcp") as tcp, open("/proc/net/tcp6") as tcp6:
            return any(re.search(rf":{self.port:04X} [0-9A-F]+:0000 0A ", line) for line in [*tcp, *tcp6])

    def java(self, *args):
        """The command of one of its Java programs."""
        return [*JAVA, "-cp", self.classes, *map(str, args)]

    def counts(self):
        """Requests that the broker has answered, by API; errors in answers, by API and name."""
        found = self._run("org.apache.kafka.tools.JmxTool", "--one-time", "true", "--report-format", "properties", "--attributes", "Count",
                          "--jmx-url", f"service:jmx:rmi:///jndi/rmi://127.0.0.1:{self.jmx_port}/jmxrmi",
                          "--object-name", "kafka.network:type=RequestMetrics,*")
        requests, errors = Counter(), Counter()
        for labels, count in re.findall(r"^kafka\.network:(.*):Count=(\d+)$", found, re.MULTILINE):
            labels = dict(part.split("=", 1) for part in labels.split(","))
            if labels["request"] in OTHER_THAN_REQUESTS:
                continue
            if labels["name"] == "RequestsPerSec":
                requests[labels["request"]] += int(count)
            elif labels["name"] == "ErrorsPerSec" and labels["error"] != "NONE":
                errors[(labels["request"], labels["error"])] += int(count)
        return +requests, +errors

    def compressions(self, topics):
        """Codecs of the batches that it keeps, by topic."""
        logs = {os.path.join(self.directory, "data", f"{topic}-0", "00000000000000000000.log"): topic for topic in topics}
        told = self._run("kafka.tools.DumpLogSegments", "--files", ",".join(logs)).split("Dumping ")[1:]
        return {logs[of_file.split()[0]]: set(re.findall(r"\bcompresscodec: (\w+)", of_file)) for of_file in told}

    def stop(self):
        self.process.stop(60)
