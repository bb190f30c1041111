# SPDX-License-Identifier: Apache-2.0
"""A RabbitMQ of our own; its Prometheus endpoint is what to count by."""

import os
import shutil
import subprocess
import urllib.request
from collections import Counter

from .agent import free_port
from .metrics import Metrics
from .process import Process, wait_until

SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"
# Totals of the whole broker, without what they are called by.
WITNESS = "rabbitmq_global_messages_"


def epmd():
    return shutil.which("epmd", path="/usr/bin:/usr/sbin")


class RabbitMQ:
    def __init__(self, directory, service=None, patience=1):
        self.directory = os.path.join(directory, "rabbitmq")
        for name in ("", "log", "home"):
            os.makedirs(os.path.join(self.directory, name), exist_ok=True)
            shutil.chown(os.path.join(self.directory, name), "rabbitmq", "rabbitmq")
        os.chmod(directory, 0o755)  # it changes to a user of its own
        self.port, self.witness_port, self.epmd_port = free_port(), free_port(), free_port()
        self._write("rabbitmq.conf", f"listeners.tcp.1 = 127.0.0.1:{self.port}\nprometheus.tcp.ip = 127.0.0.1\n"
                    f"prometheus.tcp.port = {self.witness_port}\nlog.file = false\nlog.console = true\n")
        self._write("enabled_plugins", "[rabbitmq_prometheus].\n")
        paths = {"RABBITMQ_CONFIG_FILE": "rabbitmq", "RABBITMQ_ENABLED_PLUGINS_FILE": "enabled_plugins", "RABBITMQ_LOG_BASE": "log",
                 "RABBITMQ_MNESIA_BASE": "data", "RABBITMQ_PID_FILE": "pid", "HOME": "home"}
        env = {name: os.path.join(self.directory, path) for name, path in paths.items()}
        # With input allowed it is the Erlang machine itself, which ends at SIGTERM.
        env |= {"RABBITMQ_NODENAME": f"sonde{self.port}@localhost", "RABBITMQ_DIST_PORT": str(free_port()), "RABBITMQ_ALLOW_INPUT": "true",
                "ERL_EPMD_PORT": str(self.epmd_port), "ERL_EPMD_ADDRESS": "127.0.0.1"}
        self.process = Process(["/usr/bin/setpriv", "--reuid=rabbitmq", "--regid=rabbitmq", "--clear-groups", SERVER, "-noinput"],
                               directory, env=env, service=service)
        self.pid = self.process.pid
        if not wait_until(lambda: "Server startup complete" in self.process.output(), 60 * patience):
            self.stop()
            raise AssertionError(f"rabbitmq did not start: {self.process.output()[-2000:]}{self.process.error()[-2000:]}")

    def _write(self, name, text):
        with open(os.path.join(self.directory, name), "w") as file:
            file.write(text)

    def totals(self):
        """Its counters of messages by name, without the prefix and _total."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.witness_port}/metrics", timeout=20) as answer:
            metrics = Metrics(answer.read().decode())
        return Counter({name[len(WITNESS):-len("_total")]: sum(int(sample.value) for sample in samples)
                        for name, samples in metrics.by_name.items() if name.startswith(WITNESS)})

    def stop(self):
        self.process.stop(40)
        subprocess.run([epmd(), "-port", str(self.epmd_port), "-kill"], capture_output=True)
