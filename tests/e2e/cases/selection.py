# SPDX-License-Identifier: Apache-2.0
"""Which processes are looked at, and what becomes of those that are chosen or left out while they run."""

import http.client
import os
import signal
import socket
import subprocess

from sonde_test.process import wait_until
from sonde_test.runner import test

CONNECTS = "sonde_tcp_connects_total"
ASKED = "http_client_request_duration_seconds_count"
SERVED = "http_server_request_duration_seconds_count"
PARTIAL = "sonde_requests_partial_total"
# Serves HTTP/1.1 on one connection at a time, as whoever it was told to be.
SERVER = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
os.setuid(int(sys.argv[1]))
print("ready", server.server_address[1], flush=True)
server.serve_forever()
"""

# Requests before and after a line comes in.
TELLER = """
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
for count, word in ((5, "asked"), (7, "done")):
    for _ in range(count):
        connection.request("GET", "/")
        connection.getresponse().read()
    print(word, flush=True)
    sys.stdin.readline()
"""


def select(t, agent, *args):
    """Returns what the command says when it fails."""
    run = subprocess.run([agent.binary, "select", *args, "--socket", agent.socket], capture_output=True,
                         timeout=30 * t.patience)
    return run.stderr.decode() if run.returncode else ""


def serve(t, service, uid=0):
    return t.serve("/usr/bin/python3", "-u", "-c", SERVER, str(uid), service=service)


def ask(port, count, connection=None):
    connection = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for _ in range(count):
        connection.request("GET", "/")
        connection.getresponse().read()
    return connection


def is_ignored(agent, pid):
    return {process["pid"]: process["ignored"] for process in agent.dump("procs")}[pid]


@test(guest=True)
def selected_and_skipped_programs(t):
    """--skip and --only by the program's path."""
    _, port = t.serve("acceptor", "127.0.0.1", "0", "128", "close")
    for option, seen in (("--skip", False), ("--only", True)):
        agent = t.agent(option, "exe=*/connects")
        t.spawn("connects", "127.0.0.1", port, "3", "blocking", service="chosen").wait(20 * t.patience)
        socket.create_connection(("127.0.0.1", port)).close()
        own = agent.settle(lambda m: (m.total(CONNECTS, service_name="chosen"), m.total(CONNECTS, process_pid=os.getpid()) > 0),
                           (3, False) if seen else (0, True))
        t.where = f"{option}: "
        t.equal(own.total(CONNECTS, service_name="chosen"), 3 if seen else 0, "connects of the named program")
        # The test's own scrapes are connects of an unnamed program.
        t.check((own.total(CONNECTS, process_pid=os.getpid()) == 0) == seen, "connects of another program")
        agent.stop()
        t.where = ""


@test()
def selected_by_every_condition(t):
    """Of two servers alike one satisfies the rule; both are asked as much."""
    chosen, port = serve(t, "shop", uid=12345)
    other, other_port = serve(t, "till")
    with open(f"/proc/{chosen.pid}/cgroup") as file:
        cgroups = [line.strip().split(":", 2)[2] for line in file if not line.strip().endswith(":/")]
    rules = ["service=sho?", f"port={port}", f"port={port}-{port}", "owner=12345", f"exe=*/python3*,owner=12345,port={port}"]
    for rule in rules + ([f"cgroup={cgroups[0]},service=shop"] if cgroups else []):
        t.where = f"{rule}: "
        agent = t.agent("--only", rule)
        wait_until(lambda: not is_ignored(agent, chosen.pid) and is_ignored(agent, other.pid), 5 * t.patience)
        ask(port, 7).close()
        ask(other_port, 7).close()
        metrics = agent.settle(lambda m: m.total(SERVED), 7)
        t.equal(metrics.by(SERVED, "service_name"), {"shop": 7}, "requests served")
        agent.stop()
    t.where = ""


@test()
def selected_program_heard_of_late(t):
    """One that is looked at, started by one that is left out, is in the middle of its requests when the agent hears of it."""
    agent = t.agent("--only", "service=teller")
    server, port = serve(t, "shop")
    wait_until(lambda: is_ignored(agent, server.pid) and is_ignored(agent, os.getpid()), 5 * t.patience)
    os.kill(agent.pid, signal.SIGSTOP)
    try:
        teller = t.spawn("/usr/bin/python3", "-c", TELLER, port, service="teller", stdin=True)
        teller.wait_line("asked")
    finally:
        os.kill(agent.pid, signal.SIGCONT)
    wait_until(lambda: teller.pid in {process["pid"] for process in agent.dump("procs")}, 5 * t.patience)
    teller.say()
    teller.wait_line("done")
    metrics = agent.settle(lambda m: m.total(ASKED), 12)
    teller.say()
    teller.wait(20)
    t.equal(metrics.by(ASKED, "service_name"), {"teller": 12}, "requests made")
    t.equal(metrics.total(PARTIAL), 0, "partial requests")


@test()
def selected_when_old_enough(t):
    """A process begins to be looked at while its connection is open: what it does from then on is counted, exactly."""
    agent = t.agent("--only", "service=shop,age=4")
    server, port = serve(t, "shop")
    connection = ask(port, 5)
    t.check(is_ignored(agent, server.pid), "a young process is looked at")
    t.check(wait_until(lambda: not is_ignored(agent, server.pid), 10 * t.patience), "it is never looked at")
    ask(port, 9, connection).close()
    metrics = agent.settle(lambda m: m.total(SERVED), 9)
    t.equal(metrics.total(SERVED), 9, "requests since it was old enough")
    t.equal(metrics.total(PARTIAL), 0, "partial requests")


@test()
def selection_changed_while_running(t):
    """Rules given to the running agent hold at once; bad ones change nothing."""
    agent = t.agent()
    server, port = serve(t, "shop")
    connection = ask(port, 10)
    metrics = agent.settle(lambda m: m.total(SERVED, service_name="shop"), 10)
    t.equal(metrics.total(SERVED, service_name="shop"), 10, "requests before")
    t.equal(select(t, agent, "--skip", "service=shop"), "", "sonde select")
    ask(port, 20, connection)
    t.check(is_ignored(agent, server.pid), "it is not left out")
    why = select(t, agent, "--skip", "colour=red")
    t.check("'colour=red'" in why and "owner=" in why, f"a bad rule: {why!r}")
    t.equal(agent.dump("selection")["rules"], [{"list": "skip", "rule": "service=shop"}], "rules in force")
    t.equal(select(t, agent, "--all"), "", "sonde select")
    ask(port, 40, connection).close()
    ask(port, 50).close()
    metrics = agent.settle(lambda m: m.total(SERVED, service_name="shop"), 100)
    t.equal(metrics.total(SERVED, service_name="shop"), 100, "requests before and after")
    t.equal(metrics.total(CONNECTS, process_pid=os.getpid(), outcome="established") > 0, True, "connects of others")
    t.equal(metrics.total(PARTIAL, service_name="shop"), 0, "partial requests")


@test()
def ignored_processes_leave_no_trace(t):
    """The kernel's tables do not fill with processes that nobody looks at."""
    agent = t.agent("--skip", "exe=*/connects")
    _, port = t.serve("acceptor", "127.0.0.1", "0", "128", "close")
    loop = f"i=0; while [ $i -lt 1000 ]; do {t.program('connects')} 127.0.0.1 {port} 1 blocking; i=$((i+1)); done"
    t.spawn("/bin/sh", "-c", loop).wait(120 * t.patience)

    def entries():
        return {table["map"]: table["entries"] for table in agent.dump("maps")}["process_by_tgid"]
    t.check(wait_until(lambda: entries() < 500, 10 * t.patience), f"processes in the kernel's table: {entries()}")
    t.equal(agent.scrape().total(CONNECTS, process_executable_name="connects"), 0, "connects of ignored processes")
