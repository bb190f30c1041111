# SPDX-License-Identifier: Apache-2.0
"""A Prometheus of our own, which scrapes an agent once a second; and how a newer one reads protobuf."""

import json
import os
import subprocess
import urllib.parse
import urllib.request

from .agent import free_port
from .go_program import go_program
from .process import wait_until

CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: sonde
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


def read_protobuf(page):
    """The samples of a page, as that parser gives them."""
    run = subprocess.run([go_program("promparse")], input=page, capture_output=True, check=True)
    return [json.loads(line) for line in run.stdout.splitlines()]


class Prometheus:
    def __init__(self, t, program, agent, features=()):
        self.port = free_port()
        directory = t.path(f"prometheus-{self.port}")
        os.makedirs(directory)
        config = os.path.join(directory, "prometheus.yml")
        with open(config, "w") as file:
            file.write(CONFIG.format(port=agent.port))
        t.spawn(program, f"--config.file={config}", f"--storage.tsdb.path={os.path.join(directory, 'tsdb')}",
                f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=error",
                *([f"--enable-feature={','.join(features)}"] if features else []))

    def _ask(self, what, **parameters):
        address = f"http://127.0.0.1:{self.port}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                return json.load(answer)["data"]
        except OSError:
            return None

    def query(self, text):
        """(labels, number) of each series; nothing as long as it does not answer."""
        data = self._ask("query", query=text)
        return [(row["metric"], float(row["value"][1])) for row in data["result"]] if data else []

    def number(self, text):
        """The value of the one series that a query gives; None: there is none."""
        rows = self.query(text)
        return rows[0][1] if len(rows) == 1 else None

    def buckets(self, text):
        """{(bound that is not inside, bound that is): count} of the one native histogram that a query gives."""
        data = self._ask("query", query=text)
        return {(float(low), float(high)): float(count) for row in data["result"] if data
                for _, low, high, count in row["histogram"][1]["buckets"]}

    def exemplars(self, text, start, end):
        """(labels of the series, labels of the exemplar, value, seconds) of each exemplar."""
        return [(series["seriesLabels"], exemplar["labels"], float(exemplar["value"]), exemplar["timestamp"])
                for series in self._ask("query_exemplars", query=text, start=start, end=end) or []
                for exemplar in series["exemplars"]]

    def scraped_after(self, seconds, patience):
        """Waits until it has a scrape that began after that time."""
        return wait_until(lambda: (self.number('timestamp(up{job="sonde"})') or 0) > seconds, 20 * patience, every=0.2)
