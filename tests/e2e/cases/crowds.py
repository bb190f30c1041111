# SPDX-License-Identifier: Apache-2.0
"""A thousand connections at once: counts are exact with the settings that everybody has, and memory is bounded."""

from collections import Counter

from sonde_test import talks
from sonde_test.process import wait_until
from sonde_test.runner import test, tool

RESIDENT = "process_resident_memory_bytes"
SERVER, CLIENT = "db_server_operation_duration_seconds_count", "db_client_operation_duration_seconds_count"


MEMORY_MAX = 72 << 20  # what the agent may take with everything at its defaults
ASK = b"set key 0 0 5\r\nhello\r\nget key\r\n", b"STORED\r\nVALUE key 0 5\r\nhello\r\nEND\r\n"


def memory_is_bounded(t, agent):
    metrics = agent.scrape()
    t.check(0 < metrics.total(RESIDENT) < MEMORY_MAX, f"resident memory: {metrics.total(RESIDENT) / 1e6:.1f} MB")
    t.check(metrics.total("sonde_table_entries", table="requests") <= 2, "requests in flight, when all but the scrape are over")
    # So many connections at once may wait for accept that not all such waits are remembered.
    t.equal(metrics.by("sonde_table_evicted_total", "table", table=lambda table: table != "accepted"), {}, "connections given up")


def both_sides(t, agent, protocol, server, client, want):
    """The operations that `want` names, at both ends."""
    sides = ((SERVER, server), (CLIENT, client))
    counts = lambda m: [Counter({name: m.total(side, service_name=owner, db_operation_name=name) for name in want}) for side, owner in sides]
    metrics = agent.settle(counts, [want, want])
    for (_, owner), got in zip(sides, counts(metrics)):
        t.equal(got, want, owner)
    t.equal(metrics.total(talks.PARTIAL, protocol=protocol), 0, "partial operations")
    t.nothing_lost(agent)
    memory_is_bounded(t, agent)


@test(attempts=3)
def crowd_of_every_protocol(t):
    """Each says something on each of a thousand connections before the next thing is said on any."""
    agent = t.agent(*talks.ONLY)
    for protocol in talks.COUNTS:
        talks.exact(t, agent, protocol, lambda talk: ["at-once/1000/1"])
    memory_is_bounded(t, agent)


@test(needs=("nginx", "wrk"), attempts=3)
def crowd_of_wrk(t):
    agent = t.agent()
    nginx = t.nginx(service="crowd-nginx")
    t.spawn(tool("wrk"), "-t2", "-c1000", "-d2", f"http://127.0.0.1:{nginx.port}/ok", service="crowd-wrk").wait(120 * t.patience)
    last = [-1]

    def is_quiet():
        before, last[0] = last[0], sum(nginx.counts().values())
        return before == last[0]
    wait_until(is_quiet, 10 * t.patience, every=0.3)
    log = nginx.counts()
    t.check(sum(log.values()) > 1000, f"the witness: {log}")
    served = lambda m: m.by(talks.HTTP[0] % "server", *talks.HTTP[1], service_name="crowd-nginx")
    metrics = agent.settle(served, log)
    t.equal(served(metrics), log, "requests")
    t.equal(metrics.total(talks.PARTIAL, service_name="crowd-nginx"), 0, "partial requests")
    t.nothing_lost(agent)
    memory_is_bounded(t, agent)


@test(needs=("redis-benchmark",), attempts=3)
def crowd_of_redis_pipelines(t):
    agent = t.agent()
    redis = t.redis(service="crowd-redis")
    before = redis.calls()
    t.spawn(tool("redis-benchmark"), "-h", "127.0.0.1", "-p", redis.port, "-c", 1000, "-P", 16, "-n", 100000, "-r", 1000, "-t", "set,get",
            service="crowd-benchmark").wait(300 * t.patience)
    want = redis.calls()
    want.subtract(before)
    want = Counter({name: want[name] for name in ("SET", "GET")})
    t.check(sum(want.values()) == 200000, f"the witness: {want}")
    both_sides(t, agent, "redis", "crowd-redis", "crowd-benchmark", want)


MEMCACHED = """
import resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (2000, 2000))
port, count, rounds = map(int, sys.argv[1:4])
request, answer = (word.encode() for word in sys.argv[4:])
all = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
for _ in range(rounds):
    for one in all:
        one.sendall(request)
    for one in all:
        heard = b""
        while len(heard) < len(answer):
            heard += one.recv(len(answer))
        assert heard == answer, heard
"""


@test(needs=("memcached",), attempts=3)
def crowd_of_memcached_clients(t):
    agent = t.agent()
    memcached = t.memcached(service="crowd-memcached", options=("-c", "2000"))
    before = memcached.stats()
    t.spawn("/usr/bin/python3", "-c", MEMCACHED, memcached.port, 1000, 10, *(text.decode() for text in ASK),
            service="crowd-clients").wait(100 * t.patience)
    done = memcached.stats()
    done.subtract(before)
    want = Counter({"set": done["cmd_set"], "get": done["cmd_get"]})
    t.equal(want, Counter({"set": 10000, "get": 10000}), "the witness")
    both_sides(t, agent, "memcached", "crowd-memcached", "crowd-clients", want)


@test(needs=("sysbench", "mariadbd"), attempts=3)
def crowd_of_mysql_threads(t):
    agent = t.agent()
    mariadb = t.mariadb(service="crowd-mariadb", options=("--max-connections=400",))
    base = [tool("sysbench"), "--db-driver=mysql", "--mysql-host=127.0.0.1", f"--mysql-port={mariadb.port}", "--mysql-user=root",
            "--mysql-db=t", "--table-size=1000", "oltp_point_select"]
    t.spawn(*base, "prepare", service="crowd-prepare").wait(100 * t.patience)
    before = mariadb.status()
    t.spawn(*base[:-1], "--threads=300", "--events=20000", "--time=0", base[-1], "run", service="crowd-sysbench").wait(200 * t.patience)
    want = mariadb.commands(before)["select"]
    t.equal(want, 20000, "the witness")
    counts = lambda m: [m.total(CLIENT, service_name="crowd-sysbench", db_operation_name="SELECT")]
    metrics = agent.settle(counts, [want])
    t.equal(counts(metrics), [want], "statements")
    t.equal(metrics.total(talks.PARTIAL, protocol="mysql"), 0, "partial statements")
    t.nothing_lost(agent)
    memory_is_bounded(t, agent)
