# SPDX-License-Identifier: Apache-2.0
"""An nginx of our own, with an access log to count by."""

import json
import os
import signal
from collections import Counter

from .agent import free_port
from .process import Process, wait_until


def temp_paths(prefix=""):
    """Of a configuration that is formatted with `dir`: where nginx keeps files for a time."""
    return " ".join(f"{kind}_temp_path {{dir}}/{prefix}{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))


CONFIG = """
daemon off;
worker_processes 2;
user root root;
pid {dir}/nginx.pid;
error_log {dir}/error.log warn;
events {{ worker_connections 2048; }}
http {{
    log_format json '{{"method":"$request_method","status":$status,"uri":"$request_uri",'
                    '"seconds":$request_time,"body":$body_bytes_sent,"connection":$connection}}';
    access_log {dir}/access.log json;
    """ + temp_paths() + """
    client_max_body_size 200m;
    keepalive_requests 1000000;
    keepalive_time 1h;
    sendfile on;
    {upstreams}
    server {{
        listen 127.0.0.1:{port};
        listen [::1]:{port6};
        listen 127.0.0.1:{port_http2} http2;
        http2_max_concurrent_streams 128;
        location = /ok {{ return 200 "ok"; }}
        location /items/ {{ return 200 "an item\\n"; }}
        location = /none {{ return 204; }}
        location = /moved {{ return 301 /ok; }}
        location = /missing {{ return 404 "no"; }}
        location = /broken {{ return 500 "oh"; }}
        location /files/ {{ alias {dir}/files/; }}
        {locations}
        location / {{ return 200 "root"; }}
    }}
}}
"""

# A plan that visits methods, paths and statuses evenly: for `load`, as arguments.
PLAN = ["GET /ok", "GET /items/17", "POST /none 300", "GET /missing", "HEAD /ok", "GET /moved",
        "PUT /items/4 2000", "GET /broken", "DELETE /none", "GET /files/small"]


class Nginx:
    def __init__(self, directory, service=None, patience=1, has_ipv6=True, netns=None, locations="", upstreams=""):
        import socket
        self.directory = os.path.join(directory, "nginx")
        os.makedirs(os.path.join(self.directory, "files"), exist_ok=True)
        self.port = free_port()
        self.port_http2 = free_port()
        self.port6 = free_port(socket.AF_INET6) if has_ipv6 else 0
        with open(os.path.join(self.directory, "files", "small"), "wb") as file:
            file.write(b"s" * 5000)
        config = CONFIG.format(dir=self.directory, port=self.port, port6=self.port6, port_http2=self.port_http2,
                               locations=locations, upstreams=upstreams)
        if not has_ipv6:
            config = "\n".join(line for line in config.split("\n") if "[::1]" not in line)
        path = os.path.join(self.directory, "nginx.conf")
        with open(path, "w") as file:
            file.write(config)
        self.process = Process(["/usr/sbin/nginx", "-c", path, "-p", self.directory], directory,
                               service=service, netns=netns)
        self.pid = self.process.pid
        if not wait_until(lambda: len(self.workers()) == 2, 20 * patience):
            raise AssertionError(f"nginx did not start: {self.process.error()}")
        wait_until(lambda: self._listens(netns), 10 * patience)

    def _listens(self, netns):
        import socket
        if netns:
            return True
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def workers(self):
        try:
            with open(f"/proc/{self.pid}/task/{self.pid}/children") as file:
                return [int(word) for word in file.read().split()]
        except OSError:  # a kernel without CONFIG_PROC_CHILDREN
            return []

    def log(self):
        """The access log, one object a request."""
        with open(os.path.join(self.directory, "access.log"), errors="replace") as file:
            return [json.loads(line) for line in file if line.endswith("\n")]

    def counts(self):
        """Log lines by (method, status)."""
        return Counter((line["method"], str(line["status"])) for line in self.log())

    def stop(self):
        if self.process.is_alive():
            self.process.popen.send_signal(signal.SIGTERM)
        self.process.stop()
