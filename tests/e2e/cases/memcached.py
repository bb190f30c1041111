# SPDX-License-Identifier: Apache-2.0
"""Every memcached operation is counted, once, under its name, and every key as hit or miss: against `stats`."""

import struct
import time
from collections import Counter

from sonde_test.process import wait_until
from sonde_test.runner import test, tool

SERVER = "db_server_operation_duration_seconds_count"
CLIENT = "db_client_operation_duration_seconds_count"
READS = "sonde_db_reads_total"
PARTIAL = "sonde_requests_partial_total"
OUTCOMES = "sonde_parse_outcomes_total"
RINGS = ("--ring-bytes", 64 << 20)


def by_operation(metrics, name, service):
    """Without `stats`, which is how we read the witness."""
    found = metrics.by(name, "db_operation_name", service_name=service)
    found.pop("stats", None)
    return found


def reads(metrics, service):
    return dict(metrics.by(READS, "result", service_name=service))


def grown(memcached, before):
    now = memcached.stats()
    now.subtract(before)
    return now


def compare(t, agent, server, client, want, hits, misses):
    """Both sides have these operations, and looked up so many keys."""
    sides = ((SERVER, server), (CLIENT, client))
    metrics = agent.settle(lambda m: [by_operation(m, *side) for side in sides], [want, want])
    for name, service in sides:
        t.equal(by_operation(metrics, name, service), want, f"operations of {service}")
        found = {"hit": hits, "miss": misses}
        t.equal(reads(metrics, service), {result: count for result, count in found.items() if count}, f"keys of {service}")
        t.equal(metrics.total(PARTIAL, service_name=service), 0, f"partial operations of {service}")
    t.equal(metrics.total(OUTCOMES, protocol="memcached", outcome="malformed"), 0, "malformed")
    t.nothing_lost(agent)
    return metrics


def memslap(t, name, *args, kind="get"):
    agent = t.agent(*RINGS)
    memcached = t.memcached(service=name)
    before = memcached.stats()
    run = t.spawn(tool("memcslap"), f"--servers=127.0.0.1:{memcached.port}", "--concurrency=16", "--execute-number=1000",
                  f"--test={kind}", *args, service=name + "-client")
    run.wait(120 * t.patience)
    done = grown(memcached, before)
    t.check(done["cmd_set"] + done["cmd_get"] >= 16000, f"the witness: {dict(done)}")
    return agent, done


def memslap_exact(t, name, *args, kind="get", extra=None):
    agent, done = memslap(t, name, *args, kind=kind)
    metrics = agent.settle(lambda m: by_operation(m, SERVER, name)["set"], done["cmd_set"])
    others = by_operation(metrics, SERVER, name) - Counter({"set": 1 << 30, "get": 1 << 30})
    want = Counter({"set": done["cmd_set"], "get": done["cmd_get"]}) + others
    t.check(set(others) <= set(extra or ("version", "quit", "flush_all", "noop")), f"other operations: {others}")
    compare(t, agent, name, name + "-client", want, done["get_hits"], done["get_misses"])


@test(needs=("memcslap",), guest=True)
def memcached_text_exact(t):
    memslap_exact(t, "text-get", kind="get")


@test(needs=("memcslap",))
def memcached_binary_exact(t):
    memslap_exact(t, "binary-get", "--binary", kind="get")


@test(needs=("memcslap",))
def memcached_set_exact(t):
    memslap_exact(t, "text-set", kind="set")
    t.where = "binary: "
    memslap_exact(t, "binary-set", "--binary", kind="set")


@test(needs=("memcslap",))
def memcached_noreply_is_one_way(t):
    """What nothing answers has no duration; it is counted all the same."""
    agent, done = memslap(t, "noreply", "--noreply", kind="set")
    metrics = agent.settle(lambda m: m.total(OUTCOMES, protocol="memcached", outcome="one_way"), 2 * 16000)
    answered = by_operation(metrics, SERVER, "noreply")["set"]
    one_way = metrics.total(OUTCOMES, protocol="memcached", outcome="one_way")
    quits = 2 * 16
    t.equal(2 * answered + one_way, 2 * done["cmd_set"] + quits, "sets of both sides")
    t.nothing_lost(agent)


PYMEMCACHE = """
import sys
from pymemcache.client.base import Client
client = Client(("127.0.0.1", int(sys.argv[1])), default_noreply=False)
for i in range(50):
    client.set("a", "1"); client.set("b", b"x" * 2000); client.add("a", "2"); client.replace("a", "3"); client.append("a", "4")
    client.prepend("a", "5"); value, cas = client.gets("a"); client.cas("a", "7", cas); client.cas("a", "8", cas)
    client.get("a"); client.get("sEcReT"); client.get_many(["a", "b", "c", "d"]); client.gets_many(["a", "c"])
    client.incr("a", 2); client.decr("a", 1); client.incr("sEcReT", 1); client.touch("a", 100)
    client.delete("a"); client.delete("a"); client.version(); client.set("quiet", "x", noreply=True)
    client.set_many({"m%d" % n: "v" for n in range(10)})
client.flush_all()
client.quit()
"""


@test(needs=("memcached", "pymemcache"))
def memcached_all_commands_exact(t):
    agent = t.agent()
    memcached = t.memcached(service="commands")
    before = memcached.stats()
    t.spawn("/usr/bin/python3", "-c", PYMEMCACHE, memcached.port, service="commands-client").wait(60 * t.patience)
    done = grown(memcached, before)
    want = Counter({"set": 12, "add": 1, "replace": 1, "append": 1, "prepend": 1, "gets": 2, "cas": 2, "get": 3, "incr": 2,
                    "decr": 1, "touch": 1, "delete": 2, "version": 1})
    want = Counter({name: 50 * count for name, count in want.items()} | {"flush_all": 1})
    metrics = compare(t, agent, "commands", "commands-client", want, done["get_hits"], done["get_misses"])
    t.equal(done["cmd_set"], 50 * (13 + 4 + 2), "the witness: what stores")
    t.equal(done["cmd_touch"], 50, "the witness: touch")
    t.equal(done["incr_hits"] + done["incr_misses"] + done["decr_hits"], 150, "the witness: incr and decr")
    t.equal(metrics.total(OUTCOMES, protocol="memcached", outcome="one_way"), 2 * 51, "noreply and quit, of both sides")
    t.check("sEcReT" not in metrics.text, "a key left the machine")


def packet(opcode, key=b"", value=b"", extras=b"", opaque=0):
    return struct.pack(">BBHBBHIIQ", 0x80, opcode, len(key), len(extras), 0, 0, len(extras) + len(key) + len(value), opaque, 0) + \
        extras + key + value


STORE = b"\0" * 8
TEXT = [  # request, end of its answers
    (b"set a 0 0 5\r\nhello\r\n", b"STORED\r\n"),
    (b"set b 0 0 2 noreply\r\nhi\r\nget a b c\r\n", b"END\r\n"),
    (b"incr a 1\r\nbogus\r\n\r\n", b"value\r\nERROR\r\nERROR\r\n"),
    (b"set a 0 0 x\r\n", b"format\r\n"),
    (b"set k 0 0 2\r\ntoolong\r\n", b"ERROR\r\n"),
    (b"mg none q v\r\nmg a q v s Oabc\r\nms x 3 q\r\nfoo\r\nmd x q\r\nmd none q Oz\r\nmn\r\n", b"MN\r\n"),
    (b"ms y 2 q I\r\nzz\r\nms y 2 ME q O7\r\nzz\r\nma a q\r\nma y Ok\r\nme y\r\nmn\r\n", b"MN\r\n"),
    (b"gat 100 a c\r\ngats 100 b\r\ntouch a 10\r\n", b"TOUCHED\r\n"),
    (b"stats settings\r\nversion\r\nverbosity 0\r\n", b"OK\r\n"),
]
TEXT_WANT = Counter({"set": 3, "get": 1, "incr": 1, "other": 3, "mg": 2, "ms": 3, "md": 2, "mn": 2, "ma": 2, "me": 1, "gat": 1,
                     "gats": 1, "touch": 1, "version": 1, "verbosity": 1})
TEXT_HITS, TEXT_MISSES = 2 + 1 + 1 + 1, 1 + 1 + 1
BINARY = [
    (packet(0x01, b"a", b"hello", STORE), 24),
    (packet(0x09, b"a", opaque=1) + packet(0x09, b"none", opaque=2) + packet(0x0d, b"a", opaque=3) + packet(0x0a), None),
    (packet(0x11, b"q", b"v", STORE) + packet(0x12, b"q", b"v", STORE, 9) + packet(0x14, b"q") + packet(0x14, b"q", opaque=8) +
     packet(0x0a), None),
    (packet(0x05, b"a", b"", struct.pack(">QQI", 1, 1, 0)) + packet(0x0b) + packet(0x00, b"none") + packet(0x7f) + packet(0x10) +
     packet(0x1c, b"a", extras=b"\0\0\0\1") + packet(0x0a), None),
]
BINARY_WANT = Counter({"set": 2, "add": 1, "get": 4, "noop": 3, "delete": 2, "incr": 1, "version": 1, "other": 1, "touch": 1})
BINARY_HITS, BINARY_MISSES = 2, 2


def read_until(connection, claim):
    received = b""
    while not claim(received):
        more = connection.recv(4096)
        if not more:
            raise AssertionError(f"closed after {received}")
        received += more


def ends_with_noop(received):
    """Walks the packets; the last one of each exchange is the answer to noop."""
    at = 0
    while len(received) >= at + 24:
        at, opcode = at + 24 + struct.unpack(">I", received[at + 8:at + 12])[0], received[at + 1]
        if opcode == 0x0a and len(received) == at:
            return True
    return False


def talk(connection, exchanges, pause=0):
    for request, end in exchanges:
        for piece in [request[i:i + 1] for i in range(len(request))] if pause else [request]:
            connection.sendall(piece)
            if pause:
                time.sleep(pause)
        if isinstance(end, bytes):
            read_until(connection, lambda received, end=end: received.endswith(end))
        else:
            read_until(connection, ends_with_noop if end is None else lambda received, end=end: len(received) == end)


@test(needs=("memcached",))
def memcached_split_at_every_byte(t):
    """Whole, and in writes of one byte each; quiet requests of both protocols, errors, values that do not fit."""
    agent = t.agent()
    memcached = t.memcached(service="bytes")
    for pause in (0, 0.0005):
        for exchanges in (TEXT, BINARY):
            with memcached.connect() as connection:
                talk(connection, exchanges, pause)
    want = Counter({name: 2 * count for name, count in (TEXT_WANT + BINARY_WANT).items()})
    metrics = agent.settle(lambda m: by_operation(m, SERVER, "bytes"), want)
    t.equal(by_operation(metrics, SERVER, "bytes"), want, "operations")
    t.equal(reads(metrics, "bytes"), {"hit": 2 * (TEXT_HITS + BINARY_HITS), "miss": 2 * (TEXT_MISSES + BINARY_MISSES)}, "keys")
    t.equal(metrics.total(PARTIAL, service_name="bytes"), 0, "partial operations")
    for outcome in ("malformed", "unmatched_response", "lost"):
        t.equal(metrics.total(OUTCOMES, protocol="memcached", outcome=outcome), 0, outcome)
    t.nothing_lost(agent)


@test(needs=("memcached",))
def memcached_long_values_and_pipelines(t):
    """Values of 100 kB, many in one call; a thousand requests in one write, first thing on a fresh connection."""
    agent = t.agent(*RINGS)
    memcached = t.memcached(service="long")
    before = memcached.stats()
    for form in ("text", "binary"):
        with memcached.connect() as connection:
            for i in range(10):
                value = b"v" * (100000 + i)
                if form == "text":
                    talk(connection, [(b"set big%d 0 0 %d\r\n%s\r\n" % (i, len(value), value), b"STORED\r\n")])
                else:
                    talk(connection, [(packet(0x01, b"big%d" % i, value, STORE) + packet(0x0a), None)])
            if form == "text":
                talk(connection, [(b"get " + b" ".join(b"big%d" % i for i in range(12)) + b"\r\n", b"END\r\n")] * 3)
            else:
                talk(connection, [(b"".join(packet(0x09, b"big%d" % i, opaque=i) for i in range(12)) + packet(0x0a), None)] * 3)
        with memcached.connect() as connection:
            if form == "text":
                talk(connection, [(b"".join(b"set key%d 0 0 600\r\n%s\r\nget key%d\r\n" % (i, b"x" * 600, i) for i in range(1000)) +
                                   b"mn\r\n", b"MN\r\n")])
            else:
                talk(connection, [(b"".join(packet(0x11, b"key%d" % i, b"x" * 600, STORE) + packet(0x09, b"key%d" % i)
                                            for i in range(1000)) + packet(0x0a), None)])
    done = grown(memcached, before)
    want = Counter({"set": 2 * (10 + 1000), "get": 3 + 1000 + 36 + 1000, "mn": 1, "noop": 10 + 3 + 1})
    metrics = agent.settle(lambda m: by_operation(m, SERVER, "long"), want)
    t.equal(by_operation(metrics, SERVER, "long"), want, "operations")
    t.equal(done["cmd_set"], want["set"], "the witness: what stores")
    t.equal(reads(metrics, "long"), {"hit": done["get_hits"], "miss": done["get_misses"]}, "keys")
    t.equal(done["get_misses"], 12, "the witness: misses")
    t.equal(metrics.total(PARTIAL, service_name="long"), 0, "partial operations")
    t.nothing_lost(agent)


LOAD = """
import socket, struct, sys, threading
def text(i):
    return b"get k%d\\r\\nset k%d 0 0 5\\r\\nhello\\r\\n" % (i, i), lambda answer: answer.endswith(b"STORED\\r\\n")
def binary(i):
    head = lambda opcode, extras, value: struct.pack(">BBHBBHIIQ", 128, opcode, 2, extras, 0, 0, 2 + extras + value, i, 0)
    return head(0, 0, 0) + b"k1" + head(1, 8, 5) + bytes(8) + b"k1hello", lambda answer: answer[-24:-22] == b"\\x81\\1"
def run():
    connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    for i in range(int(sys.argv[3])):
        request, is_end = (text if sys.argv[2] == "text" else binary)(i % 90)
        connection.sendall(request)
        answer = b""
        while not is_end(answer):
            answer += connection.recv(4096)
for thread in [threading.Thread(target=run) for _ in range(8)]:
    thread.start()
"""


@test(needs=("memcached",))
def memcached_agent_starts_in_the_middle(t):
    """What was under way counts as partial; what begins afterwards is exact."""
    memcached = t.memcached(service="middle")
    for form in ("text", "binary"):
        t.where = form + ": "
        load = lambda service, count: t.spawn("/usr/bin/python3", "-c", LOAD, memcached.port, form, count, service=service)
        run = load("middle-" + form, 1000000)
        wait_until(lambda: memcached.stats()["cmd_get"] > 1000, 60 * t.patience)
        agent = t.agent(*RINGS)
        time.sleep(1)
        run.stop()
        time.sleep(0.5)
        metrics = agent.scrape()
        for side, service in ((SERVER, "middle"), (CLIENT, "middle-" + form)):
            t.check(by_operation(metrics, side, service)["get"] > 100, f"{service}: nothing was understood")
            t.equal(set(by_operation(metrics, side, service)) - {"get", "set"}, set(), f"{service}: operations that were not")
            t.check(metrics.total(PARTIAL, service_name=service) <= 16, f"{service}: too many partial operations")
        before, seen = memcached.stats(), by_operation(agent.scrape(), SERVER, "middle")
        load("later-" + form, 500).wait(60 * t.patience)
        done = grown(memcached, before)
        want = Counter({"get": done["cmd_get"], "set": done["cmd_set"]})
        t.equal(want["get"], 8 * 500, "the witness")
        metrics = agent.settle(lambda m: by_operation(m, CLIENT, "later-" + form), want)
        t.equal(by_operation(metrics, CLIENT, "later-" + form), want, "client operations afterwards")
        t.equal(by_operation(metrics, SERVER, "middle") - seen, want, "server operations afterwards")
        agent.stop()
