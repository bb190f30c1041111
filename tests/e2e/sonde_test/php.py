# SPDX-License-Identifier: Apache-2.0
"""php-fpm behind an nginx of its own, over a Unix-domain socket or TCP; its access log is what to count by."""

import glob
import os
from collections import Counter

from .agent import free_port
from .nginx import temp_paths
from .process import Process, wait_until

SCRIPT = """<?php
http_response_code(intval($_GET['status'] ?? 200));
$body = file_get_contents('php://input');
echo str_repeat('x', intval($_GET['bytes'] ?? strlen($body)));
if (isset($_GET['noise'])) error_log('noise');
"""

FPM = """[global]
error_log={dir}/fpm-error.log
daemonize=no
[www]
user=root
group=root
listen={listen}
pm=static
pm.max_children=2
catch_workers_output=no
access.log={dir}/fpm-access.log
access.format="%m %r %s"
"""

NGINX = """daemon off;
worker_processes 1;
user root root;
pid {dir}/nginx.pid;
error_log {dir}/nginx-error.log warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    """ + temp_paths() + """
    upstream php {{ server {upstream}; {keepalive} }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            include /etc/nginx/fastcgi_params;
            fastcgi_param SCRIPT_FILENAME {dir}/script.php;
            fastcgi_keep_conn {keep};
            fastcgi_pass php;
        }}
    }}
}}
"""


def program():
    """The newest php-fpm installed, or None."""
    found = sorted(glob.glob("/usr/sbin/php-fpm[0-9]*"))
    return found[-1] if found else None


class Php:
    def __init__(self, directory, service, over_tcp=False, keeps=False, patience=1):
        self.directory, self.port = os.path.join(directory, "php"), free_port()
        os.makedirs(self.directory)
        self.socket = f"{self.directory}/fpm.sock"
        listen = f"127.0.0.1:{free_port()}" if over_tcp else self.socket
        names = {"dir": self.directory, "listen": listen, "port": self.port, "keep": "on" if keeps else "off",
                 "upstream": listen if over_tcp else f"unix:{listen}", "keepalive": "keepalive 4;" if keeps else ""}
        for name, text in (("script.php", SCRIPT), ("fpm.conf", FPM.format(**names)), ("nginx.conf", NGINX.format(**names))):
            with open(os.path.join(self.directory, name), "w") as file:
                file.write(text)
        self.log = os.path.join(self.directory, "fpm-access.log")
        self.fpm = Process([program(), "-R", "-F", "-y", f"{self.directory}/fpm.conf"], directory, service=service)
        self.nginx = Process(["/usr/sbin/nginx", "-c", f"{self.directory}/nginx.conf", "-p", self.directory], directory,
                             service=service + "-nginx")
        if not wait_until(self._is_ready, 20 * patience):
            raise AssertionError(f"php-fpm did not start: {self.fpm.error()} {self.nginx.error()}")

    def _is_ready(self):
        import socket
        try:
            with open(f"{self.directory}/fpm-error.log") as file:
                if "ready to handle connections" not in file.read():
                    return False
        except OSError:
            return False
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def counts(self):
        """Answers by (method, status)."""
        with open(self.log) as file:
            return Counter((line.split()[0], line.split()[2]) for line in file if line.endswith("\n"))

    def stop(self):
        self.nginx.popen.send_signal(15)
        self.nginx.stop()
        self.fpm.popen.send_signal(15)
        self.fpm.stop()
