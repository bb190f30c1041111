# SPDX-License-Identifier: Apache-2.0
"""The connection's part of a request: how long its bytes waited to be read, what the peer's window held back, what was sent again. The
witnesses are the programs' own clocks, and what the kernel tells them of their socket (TCP_INFO)."""

import time

from sonde_test.otelcol import read_spans
from sonde_test.process import wait_until
from sonde_test.runner import test

INTERNAL, SERVER, CLIENT = 1, 2, 3
COARSE = 6  # CLOCK_MONOTONIC_COARSE, which moves by ticks
TICK_NS = int(time.clock_getres(COARSE) * 1e9)
WORDS = """
import json, socket, struct, sys, time
def tcp_info(connection):
    # struct tcp_info of linux/tcp.h: 8 bytes, 24 words, then numbers of 64 bits.
    raw = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 232)
    words, longs = struct.unpack_from("24I", raw, 8), struct.unpack_from("3Q", raw, 168)
    return {"rtt_us": words[15], "retransmits": words[23], "rwnd_limited_us": longs[1], "sndbuf_limited_us": longs[2]}
def say(**what):
    print(json.dumps(what), flush=True)
def ask(connection, path):
    connection.sendall(f"GET {path} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n".encode())
def take(connection, length):
    while length > 0:
        length -= len(connection.recv(65536))
def head(length):
    return b"HTTP/1.1 200 OK\\r\\nContent-Length: %07d\\r\\n\\r\\n" % length
HEAD = len(head(0))
def listen(address="127.0.0.1"):
    listener = socket.create_server((address, 0))
    print("ready", listener.getsockname()[1], flush=True)
    return listener
"""

# One thread for two connections: what the second asks waits while the first is served, as long as it says.
BUSY = WORDS + """
listener = listen()
first, second = listener.accept()[0], listener.accept()[0]
while asked := first.recv(4096):
    time.sleep(float(asked.split()[1][1:]))
    first.sendall(head(0))
    second.recv(4096)
    say(read=time.monotonic_ns())
    second.sendall(head(0))
"""
ASK_BUSY = WORDS + """
first, second = (socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(2))
for wait in sys.argv[2:]:
    ask(first, f"/{wait}")
    time.sleep(0.002)
    ask(second, "/waits")
    say(sent=time.monotonic_ns())
    take(first, HEAD)
    take(second, HEAD)
"""
WAITS = [0.01 + 0.005 * number for number in range(20)]


def watch(t, *services):
    file = t.path("spans.ndjson")
    return t.agent("--spans-ndjson", file, *(word for service in services for word in ("--only", f"service={service}"))), file


def spans_of(t, file, count, kind):
    """In the order of their beginnings."""
    wait_until(lambda: len(read_spans(file)) >= count, 10 * t.patience)
    spans = [span for span in read_spans(file) if span["kind"] == kind]
    return sorted(spans, key=lambda span: int(span["endTimeUnixNano"]))


def receive_queue(t, file, services, slack_ns):
    """Each other request has waited as the programs' clocks say, and what waited long has a part for it. Between a call and the clock
    that is read after it an emulated machine may do something else."""
    slack_ns *= 3 if t.guest else 1
    server, port = t.serve("/usr/bin/python3", "-c", BUSY, service="busy-server")
    client = t.spawn("/usr/bin/python3", "-c", ASK_BUSY, port, *(f"{wait:.3f}" for wait in WAITS), service="busy-client")
    client.wait(30 * t.patience)
    wait_until(lambda: len(server.objects()) == len(WAITS), 10 * t.patience)
    spans = spans_of(t, file, 2 * services * len(WAITS), SERVER)
    parts = {span["parentSpanId"]: span for span in read_spans(file, parts=True) if span["name"] == "receive queue"}
    t.equal(len(spans), 2 * len(WAITS), "spans of the server")
    waiting = [span for span in spans if span["attributes"]["url.path"] == "/waits"]
    for span, sent, read in zip(waiting, client.objects(), server.objects()):
        waited, told = read["read"] - sent["sent"], span["attributes"].get("sonde.receive_queue_ns", 0)
        t.check(abs(told - waited) <= waited / 20 + slack_ns, f"it waited for {waited} ns, not {told}")
        part = parts.pop(span["spanId"], None)
        t.equal(part is not None, told >= 10000000, f"a part of {told} ns")
        if part:
            begin, end = int(part["startTimeUnixNano"]), int(part["endTimeUnixNano"])
            t.equal((part["kind"], part["traceId"], end - begin), (INTERNAL, span["traceId"], told), "its kind, trace and length")
            t.equal(begin, int(span["startTimeUnixNano"]), "where it and its request begin")
    others = [span["attributes"].get("sonde.receive_queue_ns", 0) for span in spans if span["attributes"]["url.path"] != "/waits"]
    t.check(sum(told > slack_ns for told in others) <= len(WAITS) / 5, f"nothing to wait for: {others}")
    return waiting


@test(guest=True)
def receive_queue_of_a_busy_server(t):
    agent, file = watch(t, "busy-server")
    receive_queue(t, file, 1, TICK_NS)
    t.nothing_lost(agent)


@test()
def receive_queue_of_a_known_client(t):
    """Both ends are seen: a request has not come before it was sent."""
    agent, file = watch(t, "busy-server", "busy-client")
    waiting = receive_queue(t, file, 2, TICK_NS)
    asked = {span["spanId"]: span for span in spans_of(t, file, 4 * len(WAITS), CLIENT)}
    for span in waiting:
        t.check(int(asked[span["parentSpanId"]]["startTimeUnixNano"]) <= int(span["startTimeUnixNano"]), f"before it was asked: {span}")
    t.nothing_lost(agent)


# What the kernel counted of the connection between reading a request and having written its answer.
GIVE = WORDS + """
connection = listen().accept()[0]
connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 131072)
while asked := connection.recv(4096):
    before = tcp_info(connection)
    length = int(asked.split()[1][1:])
    connection.sendall(head(length))
    connection.sendall(b"x" * length)
    after = tcp_info(connection)
    say(**{word: after[word] - before[word] for word in before}, rtt=after["rtt_us"])
"""
# A receiver that rests before it reads: at most 128 KiB go to it meanwhile.
TAKE = WORDS + """
connection = socket.socket()
connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
connection.connect(("127.0.0.1", int(sys.argv[1])))
for rest in sys.argv[2:]:
    ask(connection, "/4000000" if rest != "0" else "/10000")
    time.sleep(float(rest))
    take(connection, HEAD + (4000000 if rest != "0" else 10000))
"""
RESTS = [0.1, 0, 0.2, 0, 0.3, 0, 0.05, 0]


@test()
def rwnd_of_a_peer_that_rests(t):
    """As long as the kernel says; answers that fit have none of it."""
    agent, file = watch(t, "giving-server")
    server, port = t.serve("/usr/bin/python3", "-c", GIVE, service="giving-server")
    t.spawn("/usr/bin/python3", "-c", TAKE, port, *RESTS, service="taking-client").wait(30 * t.patience)
    wait_until(lambda: len(server.objects()) == len(RESTS), 10 * t.patience)
    spans = spans_of(t, file, len(RESTS), SERVER)
    t.equal(len(spans), len(RESTS), "spans of the server")
    for span, said, rest in zip(spans, server.objects(), RESTS):
        told = span["attributes"]
        for word in ("rwnd_limited", "sndbuf_limited"):
            t.near(told.get(f"sonde.tcp.{word}_ns", 0) / 1e9, said[f"{word}_us"] / 1e6, f"{word}, {told}", 1.01 * TICK_NS / 1e9, 0.05)
        t.near(told["sonde.tcp.rtt_ns"] / 1e9, said["rtt"] / 1e6, f"round trip, {told}", 0.0001, 0.1)
        t.equal(told["sonde.tcp.retransmits"], said["retransmits"], "segments sent again")
        if rest:
            t.check(told.get("sonde.tcp.rwnd_limited_ns", 0) >= rest * 0.9e9, f"a rest of {rest} s: {told}")
            # On a busy machine it also waits for a CPU, when the peer has read.
            t.check(told.get("sonde.send_ns", 0) + told.get("sonde.run_queue_ns", 0) >= rest * 0.9e9, f"the server was blocked for {rest} s: {told}")
        else:
            t.equal(told.get("sonde.tcp.rwnd_limited_ns"), None, "an answer that fits")
    t.nothing_lost(agent)


# The wire is cut while a request is under way, and mended; each end's kernel says what it sent again until the last call.
CUT_CLIENT = WORDS + """
connection = socket.create_connection(("10.99.0.2", int(sys.argv[1])))
for number in range(int(sys.argv[2])):
    before = tcp_info(connection)
    ask(connection, f"/{number}")
    say(asked=number)
    take(connection, HEAD)
    after = tcp_info(connection)
    say(retransmits=after["retransmits"] - before["retransmits"])
    sys.stdin.readline()
"""
SERVE_CUT = WORDS + """
connection = listen("10.99.0.2").accept()[0]
while connection.recv(4096):
    connection.sendall(head(0))
"""
# The other way round: the answer's second piece is sent into the cut wire, its third after that.
CUT_SERVER = WORDS + """
connection = listen("10.99.0.1").accept()[0]
while connection.recv(4096):
    before = tcp_info(connection)
    connection.sendall(head(3000))
    connection.sendall(b"x" * 1000)
    say(wrote=1)
    sys.stdin.readline()
    connection.sendall(b"x" * 1000)
    say(wrote=2)
    sys.stdin.readline()
    after = tcp_info(connection)
    connection.sendall(b"x" * 1000)
    say(retransmits=after["retransmits"] - before["retransmits"])
"""
ASK_CUT = WORDS + """
connection = socket.create_connection(("10.99.0.1", int(sys.argv[1])))
for number in range(int(sys.argv[2])):
    ask(connection, f"/{number}")
    take(connection, HEAD + 3000)
"""


def said_retransmits(process):
    return [said["retransmits"] for said in process.objects() if "retransmits" in said]


@test(needs=("netns", "veth"))
def retransmits_of_a_request(t):
    """Every other request is sent into a wire that is cut: its span, and no other, says how often it was sent again."""
    agent, file = watch(t, "cut-asking")
    spaces = t.namespaces()
    _, port = t.serve("/usr/bin/python3", "-c", SERVE_CUT, service="cut-answering", netns=spaces.far)
    client = t.spawn("/usr/bin/python3", "-c", CUT_CLIENT, port, 6, service="cut-asking", netns=spaces.near, stdin=True)
    for number in range(6):
        wait_until(lambda: len(said_retransmits(client)) == number + 1, 10 * t.patience)
        if number % 2 == 0 and number < 5:
            spaces.cut()
        client.say()
        if number % 2 == 0 and number < 5:
            wait_until(lambda: len(client.objects()) >= 2 * number + 3, 10 * t.patience)
            time.sleep(0.3)
            spaces.mend()
    client.wait(10 * t.patience)
    said = said_retransmits(client)
    spans = spans_of(t, file, 6, CLIENT)
    t.equal([span["attributes"]["sonde.tcp.retransmits"] for span in spans], said, "segments sent again")
    t.check(all(bool(count) == bool(number % 2) for number, count in enumerate(said)), f"cut every other time: {said}")
    t.nothing_lost(agent)


@test(needs=("netns", "veth"))
def retransmits_of_an_answer(t):
    agent, file = watch(t, "cut-giving")
    spaces = t.namespaces()
    server, port = t.serve("/usr/bin/python3", "-c", CUT_SERVER, service="cut-giving", netns=spaces.near, stdin=True)
    client = t.spawn("/usr/bin/python3", "-c", ASK_CUT, port, 4, service="cut-taking", netns=spaces.far)
    for number in range(4):
        server.wait_line('{"wrote": 1}')
        if number % 2:
            spaces.cut()
        server.say()
        server.wait_line('{"wrote": 2}')
        if number % 2:
            time.sleep(0.3)
            spaces.mend()
            time.sleep(0.5)
        server.say()
        wait_until(lambda: len(said_retransmits(server)) == number + 1, 10 * t.patience)
    client.wait(10 * t.patience)
    said = said_retransmits(server)
    spans = spans_of(t, file, 4, SERVER)
    t.equal([span["attributes"]["sonde.tcp.retransmits"] for span in spans], said, "segments sent again")
    t.check(all(bool(count) == bool(number % 2) for number, count in enumerate(said)), f"cut every other time: {said}")
    t.nothing_lost(agent)
