# SPDX-License-Identifier: Apache-2.0
"""What the thread that serves a request did meanwhile: on a CPU, waiting for one, or blocked. The witness is the kernel's own account
of the thread (schedstat), and the server's clocks."""

import http.client
import os

from sonde_test.otelcol import read_spans
from sonde_test.process import wait_until
from sonde_test.runner import test

SERVER = """
import http.server, json, os, sys, threading, time
os.sched_setaffinity(0, {int(sys.argv[1])})
def schedstat():
    return [int(word) for word in open("/proc/thread-self/schedstat").read().split()[:2]]
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path == "/busy":
            until = time.thread_time() + 0.02
            while time.thread_time() < until:
                pass
        else:
            time.sleep(0.05)
        body = json.dumps(schedstat()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print("ready", server.server_address[1], flush=True)
server.serve_forever()
"""
HOG = """
import os, sys
os.sched_setaffinity(0, {int(sys.argv[1])})
print("ready", flush=True)
while True:
    pass
"""
PARTS = ("sonde.on_cpu_ns", "sonde.run_queue_ns", "sonde.throttled_ns", "sonde.blocked_ns", "sonde.unaccounted_ns")


def ask(port, path, count):
    """On one connection: of each request what the server's thread had used when it was answered."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    used = []
    for _ in range(count):
        connection.request("GET", path)
        used.append([int(word) for word in connection.getresponse().read().decode().strip("[]").split(",")])
    connection.close()
    return used


def watch(t, cpu):
    file = os.path.join(t.directory, "spans.ndjson")
    agent = t.agent("--spans-ndjson", file, "--only", "service=usage-server")
    server, port = t.serve("/usr/bin/python3", "-u", "-c", SERVER, cpu, service="usage-server")
    wait_until(lambda: server.pid in {process["pid"] for process in agent.dump("procs")}, 5 * t.patience)
    return agent, file, port


def spans_of(t, file, count):
    spans = wait_until(lambda: (spans := read_spans(file)) if len(read_spans(file)) >= count else None, 10 * t.patience) or []
    t.equal(len(spans), count, "spans")
    for span in spans:
        duration = int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"])
        parts = sum(span["attributes"].get(part, 0) for part in PARTS)
        # A span begins when its request had come, or its connection.
        if span["attributes"].keys() & {"sonde.receive_queue_ns", "sonde.accept_queue_ns"}:
            t.check(parts <= duration, f"the parts are {parts} ns of {duration}: {span['attributes']}")
        else:
            t.equal(parts, duration, f"the parts of {span['attributes']}")
    return sorted(spans, key=lambda span: int(span["startTimeUnixNano"]))


@test()
def usage_of_a_crowded_cpu(t):
    """A server and a program that never rests have one CPU: the wait for it is told, as the kernel counts it."""
    cpu = min(os.sched_getaffinity(0))
    agent, file, port = watch(t, cpu)
    hog = t.spawn("/usr/bin/python3", "-c", HOG, cpu)
    hog.wait_line("ready")
    used = ask(port, "/busy", 20)
    hog.kill()
    spans = spans_of(t, file, 20)
    for field, part in enumerate(PARTS[:2]):
        # From the first answer to the last: what is between two requests is the client's time, in which the server is blocked.
        told = sum(span["attributes"][part] for span in spans[1:])
        counted = used[-1][field] - used[0][field]
        t.check(abs(told - counted) <= counted / 20 + 4_000_000, f"{part}: told {told}, counted {counted}")
    t.check(sum(span["attributes"]["sonde.run_queue_ns"] for span in spans) > 100_000_000, "the CPU was not crowded")
    t.nothing_lost(agent)


@test()
def usage_of_a_sleeper(t):
    agent, file, port = watch(t, min(os.sched_getaffinity(0)))
    ask(port, "/sleep", 20)
    for span in spans_of(t, file, 20):
        t.check(45_000_000 <= span["attributes"]["sonde.blocked_ns"], f"blocked for 50 ms: {span['attributes']}")
        t.check(span["attributes"]["sonde.voluntary_switches"] >= 1, f"it left its CPU: {span['attributes']}")
    t.nothing_lost(agent)
