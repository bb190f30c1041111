# SPDX-License-Identifier: Apache-2.0
"""What the agent holds: resident memory idle, after load, with many connections open; kernel memory of its maps."""

import resource
import socket
import time

from .table import show
from .traffic import Agent, Nginx, wrk

PAIRS = 5000  # both ends are here, so sonde sees twice as many
REQUEST = b"GET /items/17 HTTP/1.1\r\nHost: localhost\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
MAP_TYPES = {1: "hash", 2: "array", 5: "per-CPU hash", 6: "per-CPU array", 9: "LRU hash", 12: "array of maps", 27: "ring buffer"}


def open_pairs(count):
    """Connections over loopback that have each carried a request."""
    pairs = []
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        for _ in range(count):
            near = socket.create_connection(listener.getsockname())
            far, _ = listener.accept()
            near.sendall(REQUEST)
            far.recv(4096)
            far.sendall(ANSWER)
            near.recv(4096)
            pairs.append((near, far))
    return pairs


def run(settings):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4 * PAIRS), hard))
    rows = []
    with Agent(settings) as agent:
        def note(what):
            tracked = agent.total('sonde_map_entries{map="conn_by_sock"}')
            rows.append([what, f"{agent.rss() / 2**20:.1f}", f"{tracked:.0f}"])
        time.sleep(2)
        note("idle, 2 s after start")
        with Nginx() as nginx:
            wrk(nginx.url, settings.seconds)
        time.sleep(1)
        note(f"after wrk -c16 -d{settings.seconds}s")
        pairs = open_pairs(PAIRS)
        time.sleep(1.5)
        note(f"{2 * PAIRS:,} open connection ends")
        for near, far in pairs:
            near.close()
            far.close()
        time.sleep(2)
        note("after closing them")
        maps = agent.map_bytes()
    show("memory: resident, of the agent", ["when", "MiB", "connections tracked"], rows)
    by_type = {}
    for kind, size in maps.values():
        count, total = by_type.get(kind, (0, 0))
        by_type[kind] = count + 1, total + size
    show("memory: kernel side, of the agent's maps", ["type", "maps", "MiB"],
         [[MAP_TYPES.get(kind, f"type {kind}"), count, f"{size / 2**20:.2f}"] for kind, (count, size) in sorted(by_type.items())] +
         [["all", len(maps), f"{sum(size for _, size in maps.values()) / 2**20:.2f}"]],
         ["as /proc/PID/fdinfo says (memlock); hash maps that are not preallocated grow with their entries"])
