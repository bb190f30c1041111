# SPDX-License-Identifier: Apache-2.0
"""What services lack and what waits in them, at a moment and in all. The witnesses are the kernel's own files of threads and control groups,
and `ss`."""

import glob
import os
import re
import subprocess
import time
from contextlib import contextmanager
from functools import partial

from cases.usage import HOG
from sonde_test.process import wait_until
from sonde_test.runner import Skip, test

RUN_QUEUE, THREADS = "sonde_run_queue_seconds_total", "sonde_run_queue_threads"
BYTES, FULL = "sonde_tcp_queue_bytes", "sonde_tcp_queues_full"
PRESSURE = "sonde_cgroup_pressure_seconds_total"
HOGS = 4

# Threads that hash, which lets go of Python's lock, for a second; then others in their place. All of what they waited for a CPU is told.
ENDING = """
import hashlib, os, sys, threading, time
os.sched_setaffinity(0, {int(sys.argv[1])})
block, waited, all_are_done = bytes(1 << 20), [], threading.Barrier(4)
def work():
    until = time.monotonic() + 1
    while time.monotonic() < until:
        hashlib.sha256(block).digest()
    all_are_done.wait() # from here on nobody is in the way
    waited.append(int(open("/proc/thread-self/schedstat").read().split()[1]))
for _ in range(3):
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print("waited", sum(waited), flush=True)
sys.stdin.readline()
"""

# A listener that accepts and does not read before it is told to; then it reads everything.
READER = """
import socket, sys
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen()
print("ready", listener.getsockname()[1], flush=True)
connection, _ = listener.accept()
sys.stdin.readline()
while connection.recv(1 << 20):
    pass
print("read", flush=True)
sys.stdin.readline()
"""
WRITER = """
import socket, sys
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
connection.setblocking(False)
size = int(sys.argv[2])
try:
    while size:
        size -= connection.send(bytes(min(size, 65536)))
except BlockingIOError:
    pass
print("ready", flush=True)
sys.stdin.readline()
connection.shutdown(socket.SHUT_WR)
sys.stdin.readline()
"""


def start_hogs(t, service, count=HOGS):
    cpu = min(os.sched_getaffinity(0))
    hogs = [t.spawn("/usr/bin/python3", "-c", HOG, cpu, service=service) for _ in range(count)]
    for hog in hogs:
        hog.wait_line("ready", 60 * t.patience)
    return hogs


def waited(*processes):
    """Seconds that all threads of these waited for a CPU, those that live."""
    delays = 0
    for process in processes:
        for path in glob.glob(f"/proc/{process.pid}/task/*/schedstat"):
            with open(path) as file:
                delays += int(file.read().split()[1])
    return delays / 1e9


def told_between(t, agent, name, which, witness, base, what):
    """A counter that has grown as the witness has since `base`, its readings before and after the scrape from which on it counts: at some scrape
    it lies between two readings."""
    seen = []

    def is_between():
        low = witness() - base[1]
        told = agent.scrape().total(name, **which)
        seen[:] = low, told, witness() - base[0]
        return low - 1e-6 <= told <= seen[2] + 1e-6
    t.check(wait_until(is_between, 10 * t.patience, every=0.5), f"{what}: {seen[1]} s, the kernel says {seen[0]} to {seen[2]}")
    return seen[1]


@test(guest=True)
def saturation_run_queue(t):
    """Programs that never rest have one CPU: all but one of them wait, or all while the agent itself has it."""
    agent = t.agent()
    agent.scrape()
    hogs = start_hogs(t, "saturation-hog")
    time.sleep(2)
    told = told_between(t, agent, RUN_QUEUE, {"service_name": "saturation-hog"}, lambda: waited(*hogs), (0, 0), "waited for a CPU")
    t.check(told > 1, f"the CPU was not crowded: {told} s")
    counts = [agent.scrape().total(THREADS, service_name="saturation-hog") for _ in range(5) if not time.sleep(0.5)]
    # Threads are looked at one after the other: one that has the CPU by then is seen to run, too.
    t.check(set(counts) <= {HOGS - 2, HOGS - 1, HOGS} and counts.count(HOGS - 2) <= 1, f"threads that wait: {counts}")
    for hog in hogs:
        hog.kill()
    metrics = agent.settle(lambda m: m.total(THREADS, service_name="saturation-hog"), 0)
    t.equal(metrics.total(THREADS, service_name="saturation-hog"), 0, "threads that wait, when all have ended")
    t.check(metrics.total(RUN_QUEUE, service_name="saturation-hog") >= told, "the counter fell")
    t.nothing_lost(agent)


@test(guest=True)
def saturation_threads_that_ended(t):
    """What threads waited for is not forgotten when they end."""
    agent = t.agent()
    agent.scrape()
    process = t.spawn("/usr/bin/python3", "-c", ENDING, min(os.sched_getaffinity(0)), service="saturation-ending", stdin=True)
    wait_until(lambda: agent.scrape() and "waited" in process.output(), 60 * t.patience, every=0.2)
    ended = int(process.wait_line("waited").split()[1]) / 1e9
    t.check(ended > 3, f"the CPU was not crowded: {ended} s")
    # Each thread may still wait a little after it has told.
    told = lambda m: m.total(RUN_QUEUE, service_name="saturation-ending")
    low = ended + waited(process)
    wait_until(lambda: told(agent.scrape()) >= low, 5 * t.patience, every=0.3)
    t.near(told(agent.scrape()), low, "waited for a CPU", 0.05 * t.patience, 0.03)
    process.say()


def ss_queues(port, side):
    """(Recv-Q, Send-Q) of the one established connection whose port on that side ("sport", "dport") is this."""
    lines = subprocess.run(["ss", "-Htn", "state", "established", side, "=", f":{port}"], capture_output=True, text=True).stdout.splitlines()
    return tuple(int(word) for word in lines[0].split()[:2]) if len(lines) == 1 else None


@test(needs=("ss",), guest=True)
def saturation_socket_queues(t):
    """A peer that does not read, at first a little, then until the sender's buffer is full."""
    agent = t.agent()
    for size, is_full in ((5000, 0), (1 << 30, 1)):
        reader, port = t.serve("/usr/bin/python3", "-c", READER, service="saturation-reader", stdin=True)
        writer = t.spawn("/usr/bin/python3", "-c", WRITER, port, size, service="saturation-writer", stdin=True)
        writer.wait_line("ready", 60 * t.patience)
        told = lambda m: [[m.total(name, service_name=service, direction=direction) for name in (BYTES, FULL)] for service, direction in
                          (("saturation-reader", "received"), ("saturation-writer", "sent"), ("saturation-reader", "sent"),
                           ("saturation-writer", "received"))]
        time.sleep(0.5)  # the last acknowledgement
        received, sent = ss_queues(port, "sport"), ss_queues(port, "dport")
        t.check(received[0] > 0 and received[0] + sent[1] >= min(size, 100000), f"the witness: {received}, {sent}")
        want = [[received[0], is_full], [sent[1], is_full], [0, 0], [0, 0]]
        t.equal(told(agent.settle(told, want)), want, f"queues after {size} bytes")
        writer.say()
        reader.say()
        reader.wait_line("read", 60 * t.patience)
        t.equal(told(agent.settle(told, [[0, 0]] * 4)), [[0, 0]] * 4, "queues when all is read")
        for process in (reader, writer):
            process.say()
            process.wait()
    t.nothing_lost(agent)


def cgroup_root():
    with open("/proc/self/mounts") as file:
        mounts = [line.split() for line in file]
    found = [words[1] for words in mounts if words[2] == "cgroup2"]
    if not found:
        raise Skip("no control groups of version 2 here")
    return found[0]


def write(path, text):
    with open(path, "w") as file:
        file.write(str(text))


@contextmanager
def cgroups(t, count):
    """So many folders; whoever is in them at the end is killed."""
    folders = [f"{cgroup_root()}/sonde-{os.getpid()}-{i}" for i in range(count)]
    try:
        for folder in folders:
            os.mkdir(folder)
        yield folders
    finally:
        for folder in folders:
            for pid in open(f"{folder}/cgroup.procs").read().split():
                os.kill(int(pid), 9)
            t.check(wait_until(lambda: not open(f"{folder}/cgroup.procs").read(), 5 * t.patience), "a group is not empty")
            os.rmdir(folder)


def pressure(folder, resource, kind):
    with open(f"{folder}/{resource}.pressure") as file:
        return int(re.search(rf"^{kind} .*total=(\d+)$", file.read(), re.MULTILINE)[1]) / 1e6


def meet(t, agent, entries, *witnesses):
    """Processes enter groups that the agent does not know, and it meets these. Returns of each witness its readings before and after that."""
    known = lambda: agent.scrape().total("sonde_cgroups", state="read")
    before, want = [witness() for witness in witnesses], known() + len(entries)
    for folder, processes in entries.items():
        for process in processes:
            write(f"{folder}/cgroup.procs", process.pid)
    t.check(wait_until(lambda: known() >= want, 30 * t.patience, every=0.3), f"groups known: {known()} of {want}")
    return [(low, witness()) for low, witness in zip(before, witnesses)]


@test()
def saturation_cgroup_pressure(t):
    """Two services in one group are told the same; a service in two groups is told the sum; the root is nobody's."""
    if not os.path.exists("/proc/pressure/cpu"):
        raise Skip("this kernel counts no pressure")
    agent = t.agent()
    with cgroups(t, 2) as (shared, own):
        if not os.path.exists(f"{own}/cpu.pressure"):
            raise Skip("no pressure of control groups here")
        one, other = start_hogs(t, "saturation-one"), start_hogs(t, "saturation-other", 1)
        in_shared = lambda: pressure(shared, "cpu", "some")
        in_both = lambda: in_shared() + pressure(own, "cpu", "some")
        shared_base, both_base = meet(t, agent, {shared: one[:2] + other, own: one[2:]}, in_shared, in_both)
        time.sleep(2)
        which = {"resource": "cpu", "kind": "some"}
        told = told_between(t, agent, PRESSURE, dict(which, service_name="saturation-other"), in_shared, shared_base, "in one group")
        t.check(told > 0.5, f"the CPU was not crowded: {told} s")
        told_between(t, agent, PRESSURE, dict(which, service_name="saturation-one"), in_both, both_base, "in two groups")
        services = set(agent.scrape().by(PRESSURE, "service_name"))
        t.check("sonde" not in services, f"services in groups: {services}")
        t.equal(agent.scrape().total("sonde_cgroups", state="unreadable"), 0, "groups that cannot be read")
    t.nothing_lost(agent)


@contextmanager
def cpu_controller():
    root = cgroup_root()
    with open(f"{root}/cgroup.controllers") as file:
        if "cpu" not in file.read().split():
            raise Skip("control groups of version 2 have no CPU quota here")
    with open(f"{root}/cgroup.subtree_control") as file:
        was_on = "cpu" in file.read().split()
    write(f"{root}/cgroup.subtree_control", "+cpu")
    try:
        yield
    finally:
        if not was_on:
            write(f"{root}/cgroup.subtree_control", "-cpu")


def cpu_stat(folder, word, unit=1):
    with open(f"{folder}/cpu.stat") as file:
        return int(dict(line.split() for line in file)[word]) / unit


@test(guest=True)
def saturation_cgroup_quota(t):
    """A group that may use 10 ms of each 100."""
    agent = t.agent()
    with cpu_controller(), cgroups(t, 1) as (folder,):
        write(f"{folder}/cpu.max", "10000 100000")
        hog = start_hogs(t, "saturation-quota", 1)[0]
        figures = (("sonde_cgroup_cpu_periods_total", "nr_periods", 1), ("sonde_cgroup_cpu_throttled_periods_total", "nr_throttled", 1),
                   ("sonde_cgroup_cpu_throttled_seconds_total", "throttled_usec", 1e6))
        witnesses = [partial(cpu_stat, folder, word, unit) for _, word, unit in figures]
        bases = meet(t, agent, {folder: [hog]}, *witnesses)
        time.sleep(3)
        for (name, _, _), witness, base in zip(figures, witnesses, bases):
            told = told_between(t, agent, name, {"service_name": "saturation-quota"}, witness, base, name)
            t.check(told > 1, f"{name}: {told}")
    t.nothing_lost(agent)
