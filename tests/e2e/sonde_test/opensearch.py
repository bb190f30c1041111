# SPDX-License-Identifier: Apache-2.0
"""An OpenSearch node of our own: its libraries are pinned in tests/e2e/java, and installed once into .cache."""

import http.client
import json
import os
import shutil
import subprocess

from .agent import free_port
from .process import Process, wait_until

_HERE = os.path.dirname(os.path.abspath(__file__))
_JAVA = os.path.join(_HERE, "..", "java")
_FOLDER = os.path.join(os.path.realpath(os.path.join(_HERE, "..", "..", "..", ".cache")), "opensearch")


def _sources():
    texts = []
    for name in ("pom.xml", "Search.java"):
        with open(os.path.join(_JAVA, name)) as file:
            texts.append(file.read())
    return "".join(texts)


def install():
    """Returns whether it is there."""
    if not shutil.which("mvn") or not shutil.which("javac"):
        return False
    done = os.path.join(_FOLDER, "installed")
    if os.path.exists(done):
        with open(done) as file:
            if file.read() == _sources():
                return True
    shutil.rmtree(_FOLDER, ignore_errors=True)
    os.makedirs(_FOLDER)
    for command in (["mvn", "-q", "-B", "-f", os.path.join(_JAVA, "pom.xml"), "dependency:copy-dependencies",
                     "-DoutputDirectory=" + os.path.join(_FOLDER, "lib")],
                    ["javac", "-d", _FOLDER, "-cp", os.path.join(_FOLDER, "lib", "*"), os.path.join(_JAVA, "Search.java")]):
        if subprocess.run(command, capture_output=True).returncode != 0:
            return False
    with open(done, "w") as file:
        file.write(_sources())
    return True


class OpenSearch:
    def __init__(self, directory, service=None, patience=1):
        home = os.path.join(directory, "opensearch")
        for name in ("config", "modules", "plugins", "lib"):
            os.makedirs(os.path.join(home, name))
        self.port = free_port()
        classes = os.path.join(_FOLDER, "lib", "*") + ":" + _FOLDER
        self.process = Process([shutil.which("java"), "-Xmx384m", "-XX:TieredStopAtLevel=1", "-cp", classes, "Search", home, self.port,
                                free_port()], directory, service=service)
        self.process.wait_line("ready ", 90 * patience)
        wait_until(self._is_ready, 60 * patience, every=0.3)

    def _is_ready(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/_cluster/health")
            return json.loads(connection.getresponse().read())["status"] == "green"
        except OSError:
            return False
        finally:
            connection.close()

    def stop(self):
        self.process.kill()
