# SPDX-License-Identifier: Apache-2.0
"""Why the slow ones were slow: each cause is provoked, after so many fast requests of the same route that the slow ones stay unusual.
The witness is what was done to the server, and its own clock."""

import http.client
import os
import threading
import time

from cases.usage import HOG
from sonde_test.otelcol import read_spans
from sonde_test.process import wait_until
from sonde_test.runner import Skip, test

SERVER = """
import http.client, http.server, os, sys, time
os.sched_setaffinity(0, {int(sys.argv[2])})
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = sys.argv[3]
    wbufsize = -1 # in one piece
    def do_GET(self):
        what = self.path.partition("?")[2]
        if what == "busy":
            until = time.thread_time() + 0.02
            while time.thread_time() < until:
                pass
        elif what == "sleep":
            time.sleep(0.05)
        elif what.startswith("call"):
            connection = http.client.HTTPConnection("127.0.0.1", int(what[4:]))
            connection.request("GET", "/?sleep")
            connection.getresponse().read()
            connection.close()
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *words):
        pass
http.server.HTTPServer.request_queue_size = 64
server = getattr(http.server, sys.argv[1])(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print("ready", server.server_address[1], flush=True)
server.serve_forever()
"""
SLOW = 20
# More than a hundred for each slow one: these are then among the slowest hundredth.
FAST = 150 * SLOW
SERVER_KIND = 2
QUOTA_FOLDER = "/sys/fs/cgroup/cpu"  # cgroup version 1


class Scene:
    """A server that is watched, and a client that is not."""

    def __init__(self, t, kind="ThreadingHTTPServer", version="HTTP/1.1"):
        self.t, self.file = t, t.path("spans.ndjson")
        self.cpu = min(os.sched_getaffinity(0))
        self.agent = t.agent("--spans-ndjson", self.file, "--only", "service=why-*")
        self.server, self.port = self.serve("why-server", kind, version)
        self.connection = self.connect()

    def serve(self, service, kind="ThreadingHTTPServer", version="HTTP/1.1"):
        server, port = self.t.serve("/usr/bin/python3", "-u", "-c", SERVER, kind, self.cpu, version, service=service)
        wait_until(lambda: server.pid in {process["pid"] for process in self.agent.dump("procs")}, 5 * self.t.patience)
        return server, port

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def ask(self, what="", count=1):
        for _ in range(count):
            self.connection.request("GET", f"/work?{what}")
            self.connection.getresponse().read()

    def warm(self):
        """The usual case. Returns how many spans there are then."""
        self.ask(count=FAST)
        return self.spans(FAST)

    def spans(self, count):
        read = lambda: [span for span in read_spans(self.file) if span["kind"] == SERVER_KIND and span["resource"]["service.name"] == "why-server"]
        spans = wait_until(lambda: found if len(found := read()) >= count else None, 10 * self.t.patience, every=0.2) or read()
        self.t.equal(len(spans), count, "requests")
        return sorted(spans, key=lambda span: int(span["endTimeUnixNano"]))

    def check(self, slow, cause, least_ns, are_slowest=True):
        """All of these have the cause, and at least so much of it; so has the counter, and who asks for the slowest ones."""
        t = self.t
        causes = [span["attributes"].get("sonde.cause") for span in slow]
        t.check(causes.count(cause) >= len(slow) - len(slow) // 20, f"causes: {causes}")
        for span in slow:
            told = span["attributes"]
            if told.get("sonde.cause") == cause:
                t.check(told[f"sonde.{cause}_ns"] >= least_ns and 50 <= told["sonde.cause_percent"] <= 100, f"{cause}: {told}")
        counted = self.agent.scrape().total("sonde_slow_requests_total", service_name="why-server", http_route="/work", cause=cause)
        t.check(counted >= causes.count(cause), f"{counted} slow requests counted for {cause}")
        rows = [row for row in self.agent.dump("slow") if row["service"] == "why-server" and row["cause"] == cause]
        t.check((rows or not are_slowest) and {row["trace_id"] for row in rows} <= {span["traceId"] for span in self.spans(self.count)}, f"the slowest: {rows}")
        t.check(all(row["parts"][cause] * 2 >= row["took_seconds"] for row in rows), f"the slowest: {rows}")
        t.nothing_lost(self.agent)

    def provoke(self, what, cause, least_ns):
        self.warm()
        self.ask(what, SLOW)
        self.count = FAST + SLOW
        self.check(self.spans(self.count)[-SLOW:], cause, least_ns)


@test()
def why_a_crowded_cpu(t):
    """Three programs that never rest have the server's CPU, too: it has a quarter."""
    scene = Scene(t)
    scene.warm()
    hogs = [t.spawn("/usr/bin/python3", "-c", HOG, scene.cpu) for _ in range(3)]
    for hog in hogs:
        hog.wait_line("ready")
    scene.ask("busy", SLOW)
    for hog in hogs:
        hog.kill()
    scene.count = FAST + SLOW
    scene.check(scene.spans(scene.count)[-SLOW:], "run_queue", 20_000_000)


@test()
def why_a_quota(t):
    """A cgroup that may use 10 ms of each 100."""
    if not os.path.exists(f"{QUOTA_FOLDER}/cpu.cfs_quota_us"):
        raise Skip("no cgroup of version 1 with CPU quotas here")
    scene, folder = Scene(t), f"{QUOTA_FOLDER}/sonde-why-{os.getpid()}"
    scene.warm()
    os.mkdir(folder)
    try:
        for name, value in (("cpu.cfs_period_us", 100000), ("cpu.cfs_quota_us", 10000), ("cgroup.procs", scene.server.pid)):
            with open(f"{folder}/{name}", "w") as file:
                file.write(str(value))
        scene.ask("busy", SLOW)
        with open(f"{folder}/cpu.stat") as file:
            throttled = dict(line.split() for line in file)
        with open(f"{QUOTA_FOLDER}/cgroup.procs", "w") as file:
            file.write(str(scene.server.pid))
    finally:
        os.rmdir(folder)
    scene.count = FAST + SLOW
    slow = scene.spans(scene.count)[-SLOW:]
    scene.check(slow, "throttled", 50_000_000)
    told, counted = sum(span["attributes"].get("sonde.throttled_ns", 0) for span in slow), int(throttled["throttled_time"])
    t.check(abs(told - counted) <= counted / 20 + 200_000_000, f"throttled for {told} ns, cpu.stat says {counted}")


@test()
def why_a_dependency(t):
    """The request waits for a call of its own to a service that sleeps 50 ms."""
    scene = Scene(t)
    _, port = scene.serve("why-dependency")
    scene.provoke(f"call{port}", "network", 45_000_000)


@test()
def why_something_else(t):
    scene = Scene(t)
    scene.provoke("sleep", "blocked", 45_000_000)


def two_at_once(t, scene):
    """Requests that came while the server, which does one thing after the other, was busy with another one for 50 ms."""
    for _ in range(SLOW):
        busy = threading.Thread(target=scene.ask_once, args=("sleep",))
        busy.start()
        time.sleep(0.01)
        scene.ask_once("late")
        busy.join()


@test()
def why_nobody_accepts(t):
    """A server with one thread, and a connection for each request: the second one waits for accept."""
    scene = Scene(t, "HTTPServer", "HTTP/1.0")

    def once(what):
        connection = scene.connect()
        connection.request("GET", f"/work?{what}")
        connection.getresponse().read()
        connection.close()

    scene.ask_once = once
    for _ in range(2 * FAST):  # each pair has two slow ones
        once("")
    scene.spans(2 * FAST)
    two_at_once(t, scene)
    scene.count = 2 * FAST + 2 * SLOW
    late = scene.spans(scene.count)[1 - 2 * SLOW::2]
    scene.check(late, "accept_queue", 25_000_000, are_slowest=False)


@test()
def why_not(t):
    """A mixed load with none of these: what is usual for its route is no cause, however long it takes."""
    scene = Scene(t)
    _, port = scene.serve("why-dependency")
    rounds, mix = 70, ["none", "none", "sleep", "none", f"call{port}", "none"]

    def load():
        connection = scene.connect()
        for _ in range(rounds):
            for what in mix:
                connection.request("GET", f"/{what.rstrip('0123456789')}?{what}")
                connection.getresponse().read()

    clients = [threading.Thread(target=load) for _ in range(4)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    spans = scene.spans(len(clients) * rounds * len(mix))
    named = [span["attributes"] for span in spans if "sonde.cause" in span["attributes"]]
    # A machine that does other things as well may have a moment for which there is one.
    t.check(len(named) * 200 <= len(spans), f"{len(named)} of {len(spans)} have a cause: {named}")
    t.nothing_lost(scene.agent)


def pressure():
    """Seconds by resource and kind, as the kernel tells."""
    told = {}
    for resource in ("cpu", "memory", "io", "irq"):
        try:
            with open(f"/proc/pressure/{resource}") as file:
                for line in file:
                    told[resource, line.split()[0]] = int(line.split("total=")[1]) / 1e6
        except OSError:
            pass  # no such resource, or not counted by this kernel
    return told


@test(guest=True)
def pressure_is_what_the_kernel_counts(t):
    before = pressure()
    if not before:
        raise Skip("this kernel counts no pressure")
    agent = t.agent()
    told = agent.scrape().by("sonde_pressure_seconds_total", "resource", "kind")
    after = pressure()
    for key in before:
        seconds = told.get(key, 0)  # what never was lacking is left out
        t.check(before[key] <= seconds <= after[key], f"{key}: {seconds} s, the kernel says {before[key]} to {after[key]}")
