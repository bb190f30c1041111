# SPDX-License-Identifier: Apache-2.0
"""Connections: outcomes and latencies against the connecting program's own count, resets, queues, bytes."""

import errno
import socket
import time

from sonde_test import namespaces
from sonde_test.agent import free_port
from sonde_test.process import wait_until
from sonde_test.runner import missing, test

CONNECTS = "sonde_tcp_connects_total"
LATENCY = "sonde_tcp_connect_duration_seconds"
OUTCOMES = {0: "established", errno.ECONNREFUSED: "refused", errno.ETIMEDOUT: "timeout",
            errno.EHOSTUNREACH: "unreachable", errno.ENETUNREACH: "unreachable"}


def compare(t, agent, service, *runs):
    """Outcomes, and the latencies of those that the kernel worked on, against what the programs of the service say."""
    want, seconds = {}, {}
    for number, row in [item for said in runs for item in said["errnos"].items()]:
        outcome = OUTCOMES[int(number)]
        want[outcome] = want.get(outcome, 0) + row["count"]
        seconds[outcome] = seconds.get(outcome, 0) + row["sum_ns"] / 1e9
    metrics = agent.settle(lambda m: m.by(CONNECTS, "outcome", service_name=service), want)
    if not t.equal(metrics.by(CONNECTS, "outcome", service_name=service), want, f"{service}: connects by outcome"):
        t.fail(f"connects of all: {dict(metrics.by(CONNECTS, 'service_name', 'process_pid', 'outcome'))}")
    t.equal(metrics.by(LATENCY + "_count", "outcome", service_name=service), want, f"{service}: latencies counted")
    for outcome, witness in seconds.items():
        # The program's times hold the system calls around, and its wake-up.
        t.near(metrics.total(LATENCY + "_sum", service_name=service, outcome=outcome), witness,
               f"{service}: latency of {outcome}", want[outcome] * (0.005 if t.guest else 0.0002), 0.05)
    t.equal(set(metrics.by(CONNECTS, "process_pid", service_name=service)), {str(said["pid"]) for said in runs},
            f"{service}: pids")
    t.nothing_lost(agent)
    return metrics


def connect(t, service, host, port, count, how, end="close", **keywords):
    return t.spawn("connects", host, port, count, how, end, service=service, **keywords).result(400 * t.patience)


@test(guest=True)
def connect_established_and_refused(t):
    agent = t.agent()
    hosts = ["127.0.0.1"] + ([] if missing("ipv6") else ["::1"])
    for host in hosts:
        family = "six" if ":" in host else "four"
        _, port = t.serve("acceptor", host, "0", "512", "drain", service=f"accept-{family}")
        closed = free_port(socket.AF_INET6 if ":" in host else socket.AF_INET)
        for how in ("blocking", "nonblocking"):
            service = f"connect-{family}-{how}"
            said = connect(t, service, host, port, 500, how)
            t.equal(said["errnos"].get("0", {}).get("count"), 500, "the program's own count")
            compare(t, agent, service, said)
            said = connect(t, service + "-refused", host, closed, 200, how)
            t.equal(said["errnos"].get(str(errno.ECONNREFUSED), {}).get("count"), 200, "the program's own count")
            compare(t, agent, service + "-refused", said)
        metrics = agent.settle(lambda m: m.total("sonde_tcp_accepts_total", service_name=f"accept-{family}"), 1000)
        t.equal(metrics.total("sonde_tcp_accepts_total", service_name=f"accept-{family}"), 1000, "accepts")


@test(needs=("netns", "veth"))
def connect_timeouts(t):
    """20 time-outs of a host that never answers, blocking and not, IPv4 and IPv6."""
    agent = t.agent()
    spaces = t.namespaces()
    # Gives up after about three seconds instead of two minutes.
    spaces.at(spaces.near, "sysctl", "-q", "-w", "net.ipv4.tcp_syn_retries=1")
    runs = {}
    for index, hole in enumerate(spaces.black_hole()):
        for how in ("blocking", "nonblocking"):
            service = f"timeout-{'46'[index]}-{how}"
            runs[service] = [t.spawn("connects", hole, "80", "1", how, service=service, netns=spaces.near)
                             for _ in range(5)]
    for service, processes in runs.items():
        said = [process.result(60 * t.patience) for process in processes]
        t.equal([list(one["errnos"]) for one in said], [[str(errno.ETIMEDOUT)]] * 5, f"{service}: the programs' errnos")
        compare(t, agent, service, *said)


@test(needs=("netns", "veth"))
def connect_unreachable(t):
    """No route at all; and a router that says so."""
    agent = t.agent()
    spaces = t.namespaces()
    said = connect(t, "no-route", "203.0.113.1", "80", 7, "blocking", netns=spaces.near)
    metrics = agent.settle(lambda m: m.total(CONNECTS, service_name="no-route", outcome="unreachable"), 7)
    t.equal(metrics.by(CONNECTS, "outcome", service_name="no-route"), {"unreachable": 7}, "connects without a route")
    spaces.at(spaces.near, "ip", "route", "add", "198.51.100.0/24", "via", "10.99.0.2")
    spaces.at(spaces.far, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
    spaces.at(spaces.far, "sysctl", "-q", "-w", "net.ipv4.icmp_ratelimit=0")
    spaces.at(spaces.far, "ip", "route", "add", "unreachable", "198.51.100.0/24")
    # Blocking: a non-blocking socket may be told by an error that only the process sees (sk_err_soft).
    said = connect(t, "told", "198.51.100.1", "80", 3, "blocking", netns=spaces.near)
    t.equal(list(said["errnos"]), [str(errno.EHOSTUNREACH)], "errnos of the program")
    compare(t, agent, "told", said)


@test()
def connect_given_up(t):
    """A non-blocking connect to a full accept queue, closed before the kernel has an answer: no outcome is made up."""
    agent = t.agent()
    _, port = t.serve("acceptor", "127.0.0.1", "0", "0", "never", service="full")
    program = """
import socket, sys, time
sockets = [socket.socket() for _ in range(6)]
for one in sockets:
    one.setblocking(False)
    one.connect_ex(("127.0.0.1", int(sys.argv[1])))
time.sleep(0.3)
"""
    t.spawn("/usr/bin/python3", "-c", program, port, service="given-up").wait(20 * t.patience)
    metrics = agent.settle(lambda m: m.total(CONNECTS, service_name="given-up"), 6)
    outcomes = metrics.by(CONNECTS, "outcome", service_name="given-up")
    t.equal(sum(outcomes.values()), 6, "attempts")
    t.equal(outcomes["refused"] + outcomes["unreachable"] + outcomes["reset"], 0, "outcomes that did not happen")
    t.check(outcomes["established"] >= 1 and outcomes["other"] + outcomes["timeout"] >= 1, f"outcomes: {outcomes}")


def slow_wire(t, agent, spaces, rtt):
    server, port = t.serve("acceptor", "10.99.0.2", "0", "64", "drain", service="slow-accept", netns=spaces.far)
    for how in ("blocking", "nonblocking"):
        said = connect(t, f"slow-{how}", "10.99.0.2", port, 10, how, netns=spaces.near)
        metrics = compare(t, agent, f"slow-{how}", said)
        mean = metrics.total(LATENCY + "_sum", service_name=f"slow-{how}") / 10
        # A busy machine makes the wire itself late; what the program measured is the sharper witness.
        t.near(mean, rtt, "mean latency against the wire's delay", 0.003 if not t.guest else 0.010, 0.05)
    for name in ("sonde_tcp_min_rtt_seconds", "sonde_tcp_rtt_seconds"):
        metrics = agent.settle(lambda m: m.total(name + "_count", service_name="slow-blocking") >= 10, True)
        count = metrics.total(name + "_count", service_name="slow-blocking")
        if t.check(count >= 10, f"{name}: {count:g} observations"):
            t.near(metrics.total(name + "_sum", service_name="slow-blocking") / count, rtt, name,
                   0.002 if not t.guest else 0.015, 0.05)


@test(needs=("netns", "veth", "netem"), guest=True)
def connect_latency_with_netem(t):
    agent = t.agent()
    spaces = t.namespaces()
    spaces.at(spaces.near, "tc", "qdisc", "add", "dev", "wire", "root", "netem", "delay", "20ms")
    slow_wire(t, agent, spaces, 0.020)


@test(needs=("netns", "tun"))
def connect_latency_with_slow_wire(t):
    """The same delay by a program between two tunnel devices: for kernels without netem."""
    agent = t.agent()
    spaces = t.namespaces(wire="tun")
    spaces.delay(t.program("delay"), t.directory, 10)
    slow_wire(t, agent, spaces, 0.020)


@test(guest=True)
def accept_queue_wait(t):
    agent = t.agent()
    server, port = t.serve("acceptor", "127.0.0.1", "0", "16", "late", "300", service="late-accept")
    for number in range(3):
        with socket.create_connection(("127.0.0.1", port)):
            wait_until(lambda: len(server.objects()) > number, 20 * t.patience)
    want = sum(row["wait_ns"] for row in server.objects()) / 1e9
    name = "sonde_tcp_accept_queue_seconds"
    metrics = agent.settle(lambda m: m.total(name + "_count", service_name="late-accept"), 3)
    t.equal(metrics.total(name + "_count", service_name="late-accept"), 3, "waits")
    t.near(metrics.total(name + "_sum", service_name="late-accept"), want, "waits", 0.003 * (10 if t.guest else 1), 0.02)


@test(guest=True)
def resets_sent_and_received(t):
    """Who resets, and who is reset."""
    agent = t.agent()
    _, port = t.serve("timed_server", "127.0.0.1", "0", t.path("log"), service="reset-victim")
    for _ in range(4):
        # Answered before they are reset, so accepted before.
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(b"GET /body/10 HTTP/1.1\r\n\r\n")
            connection.recv(1000)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    _, drain = t.serve("acceptor", "127.0.0.1", "0", "128", "drain", service="reset-drain")
    connect(t, "reset-sender", "127.0.0.1", drain, 40, "blocking", "reset")
    _, port = t.serve("acceptor", "127.0.0.1", "0", "128", "reset", service="reset-server")
    connect(t, "reset-client", "127.0.0.1", port, 30, "blocking", "wait-eof")
    want = {("reset-sender", "sent"): 40, ("reset-victim", "received"): 4, ("reset-server", "sent"): 30,
            ("reset-client", "received"): 30}

    def read(m):
        counts = m.by("sonde_tcp_resets_total", "service_name", "direction")
        return {key: value for key, value in counts.items() if key in want}
    metrics = agent.settle(read, want)
    t.equal(read(metrics), want, "resets")


@test()
def reset_before_accept(t):
    """The connection waits in the queue of a listener when it is reset: the listener's process is the victim."""
    agent = t.agent()
    _, port = t.serve("acceptor", "127.0.0.1", "0", "64", "late", "300", service="queue-victim")
    connect(t, "queue-sender", "127.0.0.1", port, 5, "blocking", "reset")

    def received(m):
        return m.total("sonde_tcp_resets_total", service_name="queue-victim", direction="received")
    t.equal(received(agent.settle(received, 5)), 5, "resets received")


@test()
def bytes_and_open_connections(t):
    agent = t.agent()
    _, port = t.serve("acceptor", "127.0.0.1", "0", "128", "drain", service="gauge-server")
    clients = t.spawn("connects", "127.0.0.1", port, "25", "blocking", "hold", service="gauge-client", stdin=True)
    clients.wait_line("held")

    def opened(m):
        return m.total("sonde_tcp_connections", service_name="gauge-client", role="client")
    metrics = agent.settle(opened, 25)
    t.equal(opened(metrics), 25, "open connections of the client")
    clients.say()
    clients.wait(30 * t.patience)
    metrics = agent.settle(opened, 0)
    t.equal(opened(metrics), 0, "open connections after the close")

    _, port = t.serve("timed_server", "127.0.0.1", "0", t.path("bytes.log"), service="bytes-server")
    program = """
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
    sent = b"POST /status/200 HTTP/1.1\\r\\nContent-Length: 50000\\r\\n\\r\\n" + b"x" * 50000
    connection.sendall(sent)
    got = 0
    while got < 40:
        got += len(connection.recv(65536))
    print('{"sent": %d, "received": %d}' % (len(sent), got))
"""
    said = t.spawn("/usr/bin/python3", "-c", program, port, service="bytes-client").result(30 * t.patience)

    def moved(m):
        return {(service, direction): m.total("sonde_tcp_bytes_total", service_name=service, direction=direction)
                for service in ("bytes-client", "bytes-server") for direction in ("sent", "received")}
    want = {("bytes-client", "sent"): said["sent"], ("bytes-server", "received"): said["sent"],
            ("bytes-client", "received"): said["received"], ("bytes-server", "sent"): said["received"]}
    metrics = agent.settle(moved, want)
    t.equal(moved(metrics), want, "bytes")


def tcp_ext(space=None):
    """The kernel's own counters of a namespace."""
    command = (["ip", "netns", "exec", space] if space else []) + ["cat", "/proc/net/netstat"]
    lines = namespaces.run(*command).splitlines()
    values = {}
    for names, numbers in zip(lines[::2], lines[1::2]):
        values.update(zip(names.split()[1:], map(int, numbers.split()[1:])))
    return values


@test(needs=("netns", "veth"), guest=True)
def listen_overflows(t):
    """A listener that does not accept: drops as the kernel counts them, for the process that listens."""
    agent = t.agent()
    spaces = t.namespaces()
    _, port = t.serve("acceptor", "10.99.0.2", "0", "1", "never", service="overflow", netns=spaces.far)
    clients = [t.spawn("connects", "10.99.0.2", port, "1", "nonblocking", "hold", service="overflow-client",
                       netns=spaces.near, stdin=True) for _ in range(8)]
    time.sleep(4)
    name = "sonde_tcp_listen_overflows_total"

    def read(m):
        return m.total(name, service_name="overflow")
    for client in clients:
        client.kill()
    time.sleep(0.5)
    want = tcp_ext(spaces.far)["ListenDrops"]
    t.check(want > 0, "the kernel dropped nothing: the test is wrong")
    metrics = agent.settle(read, want)
    t.equal(read(metrics), want, "listen overflows")
    t.equal(set(metrics.by(name, "server_port", service_name="overflow")), {str(port)}, "server_port")


@test(needs=("netns", "veth"), guest=True)
def retransmits(t):
    """The wire is cut in the middle: what the kernel sends again is counted for the sender."""
    agent = t.agent()
    spaces = t.namespaces()
    _, port = t.serve("acceptor", "10.99.0.2", "0", "16", "drain", service="cut-server", netns=spaces.far)
    program = """
import socket, sys, time
connection = socket.create_connection(("10.99.0.2", int(sys.argv[1])))
connection.sendall(b"before")
print("sent", flush=True)
sys.stdin.readline()
connection.sendall(b"into the void")
print("again", flush=True)
sys.stdin.readline()
"""
    client = t.spawn("/usr/bin/python3", "-c", program, port, service="cut-client", netns=spaces.near, stdin=True)
    client.wait_line("sent")
    before = retransmitted(spaces.near)
    spaces.cut()
    client.say()
    client.wait_line("again")
    time.sleep(2)
    spaces.mend()
    time.sleep(2)
    client.say()
    client.wait(20 * t.patience)
    want = retransmitted(spaces.near) - before
    t.check(want > 0, "the kernel sent nothing again: the test is wrong")

    def read(m):
        return m.total("sonde_tcp_retransmits_total", service_name="cut-client")
    metrics = agent.settle(read, want)
    t.equal(read(metrics), want, "retransmits")


def retransmitted(space):
    lines = namespaces.run("ip", "netns", "exec", space, "cat", "/proc/net/snmp").splitlines()
    tcp = [line.split()[1:] for line in lines if line.startswith("Tcp:")]
    return int(dict(zip(*tcp))["RetransSegs"])
