# SPDX-License-Identifier: Apache-2.0
"""System calls that fail while a request is handled: how many, and the newest. The witness is what the handler was told to do."""

import http.client
from collections import Counter

from sonde_test.agent import free_port
from sonde_test.otelcol import read_spans
from sonde_test.process import wait_until
from sonde_test.runner import test

# A child whose number shares the thread's slot (headers/config_abi.h): less by a multiple of the slots, below /proc/sys/kernel/pid_max, which
# may leave one.
FORK_TO_SHARE = """
import ctypes, os
libc, SLOTS = ctypes.CDLL(None), 16384
def fork_as(tid):
    # clone3(2): exit_signal is the fifth word, set_tid and its length are the ninth and tenth.
    wanted = ctypes.c_int32(tid)
    words = (ctypes.c_uint64 * 11)(0, 0, 0, 0, 17, 0, 0, 0, ctypes.addressof(wanted), 1, 0)
    return libc.syscall(435, words, ctypes.sizeof(words))
def run_in_my_slot(work):
    for round in range(256):
        child = fork_as(os.getpid() % SLOTS + round * SLOTS)
        if child == 0:
            work()
            os._exit(0)
        if child > 0:
            os.waitpid(child, 0)
            break
"""
SERVER = FORK_TO_SHARE + """
import socket, sys, time
closed = int(sys.argv[1])
address = b"\\2\\0" + closed.to_bytes(2, "big") + bytes([127, 0, 0, 1]) + bytes(8)
def refused(count):
    for _ in range(count):
        one = socket.socket()
        one.connect_ex(("127.0.0.1", closed))
        one.close()
def missing(count):
    for _ in range(count):
        libc.open(b"/nonexistent", 0)
def both(count):
    missing(count)
    refused(1)
def nothing(count):
    pair = socket.socketpair()
    pair[0].setblocking(False)
    for _ in range(count):  # EAGAIN, ENOTTY, ESPIPE: no failures
        libc.recv(pair[0].fileno(), ctypes.create_string_buffer(1), 1, 0)
        os.isatty(pair[0].fileno())
        libc.lseek(pair[0].fileno(), 0, 0)
def shared(count):
    missing(count)
    run_in_my_slot(lambda: missing(1))
    missing(1)
listener = socket.create_server(("127.0.0.1", 0))
print("ready", listener.getsockname()[1], flush=True)
while True:
    connection = listener.accept()[0]
    while asked := connection.recv(4096):
        what, count = asked.split()[1].decode()[1:].split("/")
        globals()[what](int(count))
        connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
    connection.close()
"""
ASKED = [("refused", 1), ("nothing", 3), ("missing", 1), ("missing", 5), ("nothing", 1), ("both", 2), ("refused", 300)]
NEWEST = {"refused": "connect ECONNREFUSED", "missing": "openat ENOENT", "both": "connect ECONNREFUSED", "nothing": None}


@test(guest=True)
def errors_of_the_handling_thread(t):
    rounds = 2 if t.guest else 15  # of seven requests
    file = t.path("spans.ndjson")
    agent = t.agent("--spans-ndjson", file, "--only", "service=failing-server")
    server, port = t.serve("/usr/bin/python3", "-c", SERVER, free_port(), service="failing-server")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for _ in range(rounds):
        for what, count in ASKED:
            connection.request("GET", f"/{what}/{count}")
            connection.getresponse().read()
    connection.close()
    wait_until(lambda: len(read_spans(file)) >= rounds * len(ASKED), 10 * t.patience)
    spans = sorted(read_spans(file), key=lambda span: int(span["endTimeUnixNano"]))
    t.equal(len(spans), rounds * len(ASKED), "spans")
    for span, (what, count) in zip(spans, rounds * ASKED):
        told = span["attributes"]
        want = {"refused": count, "missing": count, "both": count + 1, "nothing": None}[what]
        t.equal((told["url.path"], told.get("sonde.syscall.errors"), told.get("sonde.syscall.error")), (f"/{what}/{count}", want, NEWEST[what]), "failed calls")
    want = Counter(NEWEST[what].split()[1] for what, _ in rounds * ASKED if NEWEST[what])
    hit = lambda m: m.by("sonde_requests_hit_total", "by", service_name="failing-server", by=lambda by: by.startswith("E"))
    t.equal(hit(agent.settle(hit, want)), want, "requests by the newest error")
    t.nothing_lost(agent)


@test()
def errors_of_threads_that_share_a_slot(t):
    """A process fails whose number differs from the handler's by the slots: less is told, which is counted, and nothing of it."""
    file = t.path("spans.ndjson")
    agent = t.agent("--spans-ndjson", file, "--only", "service=failing-server")
    taken = lambda: agent.scrape().total("sonde_thread_errors_taken_total")
    before = taken()
    server, port = t.serve("/usr/bin/python3", "-c", SERVER, free_port(), service="failing-server")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for path in ("/shared/3", "/missing/2"):
        connection.request("GET", path)
        connection.getresponse().read()
    connection.close()
    wait_until(lambda: len(read_spans(file)) == 2, 10 * t.patience)
    spans = sorted(read_spans(file), key=lambda span: int(span["endTimeUnixNano"]))
    t.equal([span["attributes"].get("sonde.syscall.errors") for span in spans], [1, 2], "failed calls")
    t.check(taken() >= before + 2, "slots taken")
