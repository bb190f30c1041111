# SPDX-License-Identifier: Apache-2.0
"""DNS servers of our own; their statistics and logs are what to count by."""

import os
import re
import socket
import struct
import subprocess
from collections import Counter

from .process import Process, wait_until


def free_port():
    """One that is free for UDP and TCP."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind(("127.0.0.1", 0))
            try:
                tcp.bind(udp.getsockname())
                return udp.getsockname()[1]
            except OSError:
                continue


def query(name, number, record=1):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label)
    return struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", record, 1)


def ask(port, name="ready.probe", timeout=0.5, address="127.0.0.1"):
    """One lookup of A over UDP; returns the answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(timeout)
        udp.connect((address, port))
        udp.send(query(name, 7))
        return udp.recv(4096)


class Server:
    """Ready when the constructor returns: it answers. Those probes are lookups too."""

    def __init__(self, directory, args, service, patience, port):
        self.port = port
        self.process = Process(args, directory, service=service)
        self.pid = self.process.pid
        if not wait_until(self._answers, 20 * patience):
            raise AssertionError(f"{args[0]} did not start: {self.process.error()}")

    def _answers(self):
        try:
            return ask(self.port)
        except OSError:
            return None

    def stop(self):
        self.process.stop()


UNBOUND = """
server:
  incoming-num-tcp: 100
  interface: {address}
  port: {port}
  interface: ::1@{port}
  do-ip6: {ipv6}
  username: ""
  chroot: ""
  directory: "{directory}"
  pidfile: "{directory}/pid"
  use-syslog: no
  do-daemonize: no
  extended-statistics: yes
  so-rcvbuf: 2m
  local-zone: "." static
  local-zone: "test." redirect
  local-data: "test. A 192.0.2.1"
  local-zone: "fixed.example." static
  local-data: "host.fixed.example. A 192.0.2.2"
  local-data: "here.fixed.example. A 127.0.0.1"
  local-zone: "refused.example." always_refuse
{big}
remote-control:
  control-enable: yes
  control-interface: {directory}/control
  control-use-cert: no
"""


def unbound_config(directory, port, has_ipv6=False, address="127.0.0.1"):
    """Writes one; returns its path."""
    os.makedirs(directory, exist_ok=True)
    big = "\n".join(f'  local-data: "big.fixed.example. TXT {"x" * 200}{i}"' for i in range(9))
    path = os.path.join(directory, "unbound.conf")
    with open(path, "w") as file:
        file.write(UNBOUND.format(address=address, port=port, ipv6="yes" if has_ipv6 else "no", directory=directory, big=big))
    return path


class Unbound(Server):
    """Knows all names below test, few below fixed.example, and nobody to ask."""

    def __init__(self, directory, service=None, patience=1, has_ipv6=False):
        port = free_port()
        self.config = unbound_config(os.path.join(directory, "unbound"), port, has_ipv6)
        super().__init__(directory, ["/usr/sbin/unbound", "-c", self.config], service, patience, port)

    def stats(self):
        done = subprocess.run(["/usr/sbin/unbound-control", "-c", self.config, "stats_noreset"], capture_output=True, text=True,
                              check=True)
        pairs = [line.split("=") for line in done.stdout.splitlines()]
        return Counter({name: int(value) for name, value in pairs if value.isdigit()})


class Dnsmasq(Server):
    """Knows all names below test itself, and asks `upstream` for others."""

    def __init__(self, directory, service=None, patience=1, upstream=None):
        port = free_port()
        asked = [f"--server=127.0.0.1#{upstream}"] if upstream else []
        super().__init__(directory, ["/usr/sbin/dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", f"--port={port}",
                                     "--listen-address=127.0.0.1", "--bind-interfaces", "--no-resolv", "--no-hosts", "--user=root",
                                     "--address=/test/192.0.2.1", "--log-queries", "--log-facility=-", "--cache-size=0",
                                     "--pid-file=", "--dns-forward-max=1000", *asked], service, patience, port)

    def log(self):
        """{(what, name): lines}, what it was asked and what it asked."""
        found = re.findall(r"(query|forwarded)(?:\[\w+\])? (\S+) (?:from|to)", self.process.error())
        return Counter(found)


NAMED = """
options {{
  directory "{directory}";
  listen-on port {port} {{ 127.0.0.1; }};
  listen-on-v6 {{ none; }};
  pid-file none;
  recursion no;
  dnssec-validation no;
  querylog yes;
}};
controls {{ }};
zone "named.example" {{ type primary; file "zone"; }};
zone "broken.example" {{ type primary; file "missing"; }};
"""
ZONE = """$TTL 60
@ IN SOA ns root 1 60 60 60 60
@ IN NS ns
ns IN A 192.0.2.53
* IN A 192.0.2.9
"""


class Named(Server):
    """BIND, with one zone, named.example, and another that it cannot load: broken.example."""

    def __init__(self, directory, service=None, patience=1):
        self.directory = os.path.join(directory, "named")
        os.makedirs(self.directory, exist_ok=True)
        port = free_port()
        config = os.path.join(self.directory, "named.conf")
        with open(config, "w") as file:
            file.write(NAMED.format(directory=self.directory, port=port))
        with open(os.path.join(self.directory, "zone"), "w") as file:
            file.write(ZONE)
        super().__init__(directory, ["/usr/sbin/named", "-g", "-c", config], service, patience, port)

    def queries(self, domain):
        """Queries below a domain that its log tells."""
        return len(re.findall(rf"query: \S*{re.escape(domain)} IN", self.process.error()))
