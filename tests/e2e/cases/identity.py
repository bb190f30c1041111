# SPDX-License-Identifier: Apache-2.0
"""A connection is its socket: not the number of a descriptor, not the process that holds it, not its addresses."""

import os
from collections import Counter

from sonde_test import talks
from sonde_test.agent import free_port
from sonde_test.runner import test

SERVER, CLIENT = (talks.HTTP[0] % side for side in ("server", "client"))
ROUNDS = 50
WANT = Counter({("GET", "200"): ROUNDS, ("DELETE", "404"): ROUNDS, ("PUT", "500"): ROUNDS})

CLIENT_PROGRAM = """
import socket, sys
for _ in range(int(sys.argv[2])):
    connections = []
    for method in ("GET", "DELETE", "PUT"):
        connections.append(socket.create_connection(("127.0.0.1", int(sys.argv[1]))))
        connections[-1].sendall(("%s / HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n" % method).encode())
    for one in connections:
        heard = b""
        while not heard.endswith(b"ok"):
            heard += one.recv(1000) or sys.exit("closed")
"""
# Of two requests the first bytes are read; then their descriptors change hands; a third request is read and answered
# meanwhile, on a descriptor that may have the number of one of theirs; then the two are read to their end and answered.
SERVER_PROGRAM = """
import os, socket, sys
def finish(fd, status, text=b""):
    while not text.endswith(b"\\r\\n\\r\\n"):
        text += os.read(fd, 1000) or sys.exit("closed")
    os.write(fd, ("HTTP/1.1 %d X\\r\\nContent-Length: 2\\r\\n\\r\\nok" % status).encode())
    os.close(fd)
def swapped(a, b):
    spare = os.dup(a)
    os.dup2(b, a)
    os.dup2(spare, b)
    os.close(spare)
    return b, a
def renumbered(a, b):
    high = os.dup(a), os.dup(b)
    os.close(a)
    os.close(b)
    return high
def finish_two(a, b, texts):
    finish(b, 404, texts[1])
    finish(a, 200, texts[0])
def forked(a, b, texts, third):
    child = os.fork()
    if not child:
        finish_two(a, b, texts)
        os._exit(0)
    os.close(a)
    os.close(b)
    finish(third, 500)
    os.waitpid(child, 0)
def passed(a, b, texts, third):
    near, far = socket.socketpair()
    child = os.fork()
    if not child:
        os.close(a)
        os.close(b)
        _, fds, _, _ = socket.recv_fds(far, 1, 2)
        finish_two(*fds, texts)
        os._exit(0)
    socket.send_fds(near, [b"x"], [a, b])
    os.close(a)
    os.close(b)
    finish(third, 500)
    os.waitpid(child, 0)
listener = socket.create_server(("127.0.0.1", 0))
print("ready", listener.getsockname()[1], flush=True)
accept = lambda: listener.accept()[0].detach()
for _ in range(int(sys.argv[2])):
    a, b = accept(), accept()
    texts = os.read(a, 20), os.read(b, 20)
    if sys.argv[1] in ("forked", "passed"):
        globals()[sys.argv[1]](a, b, texts, accept())
        continue
    a, b = globals()[sys.argv[1]](a, b)
    finish(accept(), 500)
    finish_two(a, b, texts)
"""


def change_hands(t, agent, how):
    t.where = f"{how}: "
    name = "identity-" + how
    server, port = t.serve("/usr/bin/python3", "-c", SERVER_PROGRAM, how, ROUNDS, service=name)
    t.spawn("/usr/bin/python3", "-c", CLIENT_PROGRAM, port, ROUNDS, service=name + "-client").wait(60 * t.patience)
    server.wait(20 * t.patience)
    counts = lambda m: [m.by(side, *talks.HTTP[1], service_name=owner) for side, owner in ((SERVER, name), (CLIENT, name + "-client"))]
    metrics = agent.settle(counts, [WANT, WANT])
    for got, side in zip(counts(metrics), ("server", "client")):
        t.equal(got, WANT, f"requests of the {side}")
    t.equal(metrics.total(talks.PARTIAL, service_name=name), 0, "partial requests")
    by_process = metrics.by("sonde_process_request_duration_seconds_count", "process_pid", service_name=name, kind="server")
    t.equal(by_process, Counter({str(server.pid): 3 * ROUNDS}), "requests by the process that read their first bytes")


@test()
def identity_of_descriptors_that_change_hands(t):
    agent = t.agent()
    for how in ("swapped", "renumbered", "forked", "passed"):
        change_hands(t, agent, how)
    t.where = ""
    t.nothing_lost(agent)


@test(needs=("netns", "veth"))
def identity_of_equal_addresses_in_two_namespaces(t):
    """The same hundred pairs of addresses and ports at the same time, one time Redis, one time HTTP."""
    agent, spaces, port = t.agent(), t.namespaces(), free_port()
    shape, runs = "at-once/100/20", {}
    for space, protocol in ((spaces.near, "redis"), (spaces.far, "http")):
        spaces.at(space, "sh", "-c", "echo 42000 42099 >/proc/sys/net/ipv4/ip_local_port_range")
        talk, (metric, keys), once = talks.COUNTS[protocol][0]
        path, name = os.path.join(talks.TALKS, talk), "space-" + protocol
        server, _ = t.serve("player", "serve", path, "127.0.0.1", port, shape, service=name, netns=space)
        client = t.spawn("player", "talk", path, "127.0.0.1", port, shape, service=name + "-client", netns=space, stdin=True)
        want = Counter({key: 100 * 20 * count for key, count in once.items()})
        runs[name] = (server, client, metric, keys, want)
    for _, client, *_ in runs.values():
        client.say()
    for name, (server, client, metric, keys, want) in runs.items():
        t.where = f"{name}: "
        t.equal((client.result(60 * t.patience), server.result(20 * t.patience)), ({"played": 100},) * 2, "the witnesses")
        counts = lambda m: [m.by(metric % "server", *keys, service_name=name), m.by(metric % "client", *keys, service_name=name + "-client")]
        metrics = agent.settle(counts, [want, want])
        for got, side in zip(counts(metrics), ("server", "client")):
            t.equal(got, want, f"requests of the {side}")
        t.equal(metrics.total(talks.PARTIAL, service_name=lambda owner: owner.startswith(name)), 0, "partial requests")
    t.where = ""
    t.nothing_lost(agent)
