# SPDX-License-Identifier: Apache-2.0
"""What a request's thread was blocked on, with --blocked-causes or by what the kernel counts itself. The witnesses are the server's own
clock, and the kernel's account of delays."""

import contextlib
import http.client
import json
import math
import os
import re

from cases.request_errors import FORK_TO_SHARE
from sonde_test.otelcol import read_spans
from sonde_test.process import wait_until
from sonde_test.runner import Skip, test

SERVER = FORK_TO_SHARE + """
import http.server, json, mmap, os, socket, sys, threading, time
size, file = int(sys.argv[1]), os.open(sys.argv[2], os.O_RDWR | os.O_CREAT)
os.truncate(file, 0)
os.write(file, os.urandom(1 << 20) * (size >> 20))
os.fsync(file)
lock, begin, begun = threading.Lock(), threading.Semaphore(0), threading.Semaphore(0)
def hold():
    while begin.acquire():
        with lock:
            begun.release()
            time.sleep(0.02)
threading.Thread(target=hold, daemon=True).start()
def drop():
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
def do_lock():
    start = time.monotonic_ns()
    with lock:
        return start
def do_sleep():
    start = time.monotonic_ns()
    time.sleep(0.02)
    return start
def do_disk():
    start = time.monotonic_ns()
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_RANDOM)  # no read-ahead
    for at in range(0, size, 1 << 18):
        os.pread(file, 4096, at)
    return start
def do_fault():
    start = time.monotonic_ns()
    with mmap.mmap(file, size, prot=mmap.PROT_READ) as memory:
        memory.madvise(mmap.MADV_RANDOM)
        for at in range(0, size, 1 << 18):
            memory[at]
    return start
def do_none():
    return time.monotonic_ns()
def do_memory():
    start, ran = time.monotonic_ns(), time.thread_time_ns()
    taken = b"x" * (9 << 19)
    return start + time.thread_time_ns() - ran  # what is left it did not run
def write():
    pair = socket.socketpair()
    pair[0].send(b"x")
def do_shared():
    run_in_my_slot(write)
    return do_sleep()
def do_taken():
    time.sleep(5.5) # beyond THREAD_WAIT_KEPT_US
    run_in_my_slot(write)
    return do_sleep()
def delayed():
    return int(open("/proc/thread-self/stat").read().rsplit(")", 1)[1].split()[39])
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1 # in one piece
    def do_GET(self):
        before = delayed()
        if self.path == "/lock":
            begin.release()
            begun.acquire()
        start = globals()["do_" + self.path[1:]]()
        took = time.monotonic_ns() - start
        if self.path in ("/disk", "/fault"):
            drop() # for the next one
        body = json.dumps([took, before, delayed()]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
drop()
print("ready", server.server_address[1], flush=True)
server.serve_forever()
"""
REQUESTS = 100
FILE_BYTES = 64 << 20
CAUSES = ("lock", "disk", "sleep", "memory", "blocked")
DELAY_ACCOUNT = "/proc/sys/kernel/task_delayacct"


class Scene:
    def __init__(self, t, *options):
        self.t, self.file = t, t.path("spans.ndjson")
        self.agent = t.agent("--spans-ndjson", self.file, "--only", "service=blocked-server", *options)
        self.server, self.port = t.serve("/usr/bin/python3", "-u", "-c", SERVER, FILE_BYTES if not t.guest else 1 << 20, t.path("data"),
                                         service="blocked-server")
        wait_until(lambda: self.server.pid in {process["pid"] for process in self.agent.dump("procs")}, 5 * t.patience)

    def ask(self, path, count, spans=None):
        """What the server says: how long it took, and for how long in all the thread had waited for disks before and after that, in the kernel's
        ticks; and what all spans say of each part."""
        connection, said = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60), []
        for _ in range(count):
            connection.request("GET", path)
            said.append(json.loads(connection.getresponse().read()))
        connection.close()
        return said, self.spans(spans or count)

    def spans(self, count):
        spans = wait_until(lambda: found if len(found := read_spans(self.file)) >= count else None, 10 * self.t.patience, every=0.2) or read_spans(self.file)
        self.t.equal(len(spans), count, "spans")
        spans.sort(key=lambda span: int(span["startTimeUnixNano"]))
        return [{part: span["attributes"].get(f"sonde.{part}_ns", 0) for part in (*CAUSES, "run_queue", "on_cpu", "unaccounted")} for span in spans]


def check_each(t, path, part, *options):
    """All but one in a hundred within 5 % of what the server has measured, of which the time until it had a CPU again is another part."""
    scene = Scene(t, *options)
    count = REQUESTS if not t.guest else 20
    said, spans = scene.ask(path, count)
    slack = 500_000 if not t.guest else 5_000_000
    wrong = [(took, span) for (took, *_), span in zip(said, spans)
             if not took * 0.95 - span["run_queue"] - slack <= span[part] <= took * 1.05 + slack]
    t.check(len(wrong) * 100 <= count, f"{len(wrong)} of {count} {part}: {wrong[:5]}")
    t.nothing_lost(scene.agent)


@test()
def blocked_on_a_lock(t):
    """Another thread holds it for 20 ms, from before the request wants it."""
    check_each(t, "/lock", "lock", "--blocked-causes")


@test()
def blocked_by_its_own_sleep(t):
    check_each(t, "/sleep", "sleep", "--blocked-causes")


GROUPS = "/sys/fs/cgroup"


@contextlib.contextmanager
def little_memory(pid):
    """A control group of version 2 that is slowed down beyond what the process has now, and 4 MiB."""
    control, folder = f"{GROUPS}/cgroup.subtree_control", f"{GROUPS}/sonde-blocked-{os.getpid()}"
    if not os.path.exists(control) or "memory" not in open(f"{GROUPS}/cgroup.controllers").read().split():
        raise Skip("no control groups with bounds of memory")
    exchange(control, "+memory")
    os.mkdir(folder)
    try:
        exchange(f"{folder}/cgroup.procs", str(pid))
        exchange(f"{folder}/memory.high", str(int(open(f"{folder}/memory.current").read()) + (4 << 20)))
        yield
        exchange(f"{folder}/memory.high", "max")
        exchange(f"{GROUPS}/cgroup.procs", str(pid))
    finally:
        os.rmdir(folder)
        exchange(control, "-memory")


@test(guest=True)
def blocked_on_memory(t):
    """The kernel puts whoever takes more than memory.high to sleep. The witness is the server's clock, without the time that it ran: what is beyond
    happened to the rest of the request."""
    scene = Scene(t, "--blocked-causes")
    with little_memory(scene.server.pid):
        said, spans = scene.ask("/memory", 1)
    slept, told = said[0][0] - spans[0]["run_queue"], spans[0]["memory"]
    t.check(slept > 50_000_000, f"nobody had to wait for memory: {said}")
    t.check(told >= slept * 0.95 - 20_000_000 and told > 20 * spans[0]["blocked"], f"{slept} ns asleep: {spans}")


@test()
def blocked_requests_are_exemplars(t):
    """Each bucket of a wait leads to the trace of a request that waited so long."""
    scene = Scene(t, "--blocked-causes")
    scene.ask("/sleep", 5)
    spans = {(span["traceId"], span["spanId"]): span["attributes"] for span in read_spans(scene.file)}
    body = scene.agent.get(headers={"Accept": "application/openmetrics-text; version=1.0.0"})[2].decode()
    found = re.findall(r'sonde_request_wait_seconds_bucket{.*part="sleep".*} \d+ # {trace_id="(\w+)",span_id="(\w+)"} ([0-9.]+)', body)
    t.check(found, "no exemplar of a sleep")
    for trace, span, seconds in found:
        t.equal(spans.get((trace, span), {}).get("sonde.sleep_ns"), round(float(seconds) * 1e9), "the exemplar and the span")


def exchange(path, value):
    with open(path) as file:
        was = file.read()
    with open(path, "w") as file:
        file.write(value)
    return was


def disk_account(t, *options):
    """In all it was as long as the kernel's account of delays says, of either way to read: system calls and faults."""
    if not os.path.exists(DELAY_ACCOUNT):
        raise Skip("no account of delays")
    was = exchange(DELAY_ACCOUNT, "1")
    try:
        scene = Scene(t, *options)  # only threads that begin now have it
        before, _ = scene.ask("/none", 1)
        read, _ = scene.ask("/disk", REQUESTS // 2, 1 + REQUESTS // 2)
        faulted, spans = scene.ask("/fault", REQUESTS // 2, 1 + REQUESTS)
    finally:
        exchange(DELAY_ACCOUNT, was)
    said = before + read + faulted
    # Between requests it may be kept by what others do to the disk. Of one tick nobody knows whose it is.
    between = [begin - end for (_, _, end), (_, begin, _) in zip(said, said[1:])]
    apart = sum(ticks for ticks in between if ticks > 1)
    tick, told = 1e9 / os.sysconf("SC_CLK_TCK"), sum(span["disk"] for span in spans)
    # The account's clock jumps at times: a request of 20 ms that waited for 210 ms.
    apart += sum(max(0, end - begin - math.ceil(took / tick)) for took, begin, end in said)
    t.check(told, "a disk that makes nobody wait")
    t.near(told, (said[-1][2] - said[0][2] - apart) * tick, "nanoseconds blocked on the disk",
           absolute=(1 + between.count(1)) * tick, relative=0.05)
    t.nothing_lost(scene.agent)


@test(needs=("disk",))
def blocked_on_a_disk(t):
    disk_account(t, "--blocked-causes")


@test(needs=("disk",))
def blocked_on_a_disk_that_the_kernel_accounts_for(t):
    """Without a hook: kernel.task_delayacct."""
    disk_account(t)


@test()
def blocked_threads_that_share_a_slot(t):
    """A process's number differs from the handler's by the slots. The slot stays the handler's for five seconds after its newest call; then the
    process takes it, and what the handler was blocked on is not known."""
    scene = Scene(t, "--blocked-causes")
    taken = lambda: scene.agent.scrape().total("sonde_thread_waits_taken_total")
    before = taken()
    _, spans = scene.ask("/shared", 1)
    t.check(spans[0]["sleep"] >= 20_000_000, f"the slot was kept: {spans[0]}")
    kept = taken()
    t.check(kept > before, "a process that found no slot")
    _, spans = scene.ask("/taken", 1, 2)
    t.equal((spans[1]["sleep"], spans[1]["blocked"] >= 5_520_000_000), (0, True), "asleep, blocked")
    t.check(taken() > kept, "slots taken")
    _, spans = scene.ask("/sleep", 1, 3)
    t.equal(spans[2]["sleep"], 0, "of the one that finds the slot taken")
