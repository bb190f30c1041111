# SPDX-License-Identifier: Apache-2.0
"""Every Redis command is counted, once, under its name: against `INFO commandstats` and what the clients did."""

import time
from collections import Counter

from sonde_test.process import wait_until
from sonde_test.runner import test, tool

SERVER = "db_server_operation_duration_seconds_count"
CLIENT = "db_client_operation_duration_seconds_count"
PARTIAL = "sonde_requests_partial_total"
RINGS = ("--ring-bytes", 64 << 20)  # a benchmark that has all CPUs keeps the agent waiting


def by_operation(metrics, name, service, **labels):
    return metrics.by(name, "db_operation_name", service_name=service, **labels)


def grown(redis, before):
    """Calls since `before` was read; the reading of both is not among them."""
    calls = redis.calls()
    calls.subtract(before)
    calls["INFO"] -= 1
    return Counter({name: count for name, count in calls.items() if count})


def compare(t, agent, redis, server, client, want):
    """Both sides; redis.calls() itself is INFO on the server's side, asked from here."""
    metrics = agent.settle(lambda m: (by_operation(m, SERVER, server) - Counter(INFO=99),
                                      by_operation(m, CLIENT, client)), (want - Counter(INFO=99), want))
    got = by_operation(metrics, SERVER, server)
    got.pop("INFO", None)
    t.equal(got, Counter({name: count for name, count in want.items() if name != "INFO"}), "server operations")
    t.equal(by_operation(metrics, CLIENT, client), want, "client operations")
    t.equal(metrics.total(PARTIAL, service_name=server), 0, "partial server operations")
    t.equal(metrics.total(PARTIAL, service_name=client), 0, "partial client operations")
    t.nothing_lost(agent)
    return metrics


def benchmark(t, redis, service, *args):
    run = t.spawn(tool("redis-benchmark"), "-h", "127.0.0.1", "-p", redis.port, *args, service=service)
    run.wait(300 * t.patience)
    return run


def pipelined(t, name, *args, count=10000, rings=RINGS):
    agent = t.agent(*rings)
    redis = t.redis(service=name)
    before = redis.calls()
    benchmark(t, redis, name + "-client", "-n", count, "-r", 1000, *args)
    want = grown(redis, before)
    t.check(want["SET"] == count, f"the witness: {dict(want)}")
    metrics = compare(t, agent, redis, name, name + "-client", want)
    t.equal(metrics.total("sonde_process_request_duration_seconds_count", service_name=name + "-client", kind="client",
                          protocol="redis"), sum(want.values()), "operations by process")
    for side in (SERVER, CLIENT):
        service = name if side == SERVER else name + "-client"
        t.equal(set(metrics.by(side, "server_port", service_name=service)), {str(redis.port)}, "server_port")
        t.equal(set(metrics.by(side, "db_system_name", service_name=service)), {"redis"}, "db_system_name")


@test(needs=("redis-benchmark",))
def redis_one_by_one_exact(t):
    pipelined(t, "redis-one", "-c", 50, "-P", 1, "-t", "set")


@test(needs=("redis-benchmark",), guest=True)
def redis_pipeline_16_exact(t):
    pipelined(t, "redis-sixteen", "-c", 50, "-P", 16, "-t", "set,get,incr,lpush,lpop,sadd,hset,spop,zadd")


@test(needs=("redis-benchmark",))
def redis_pipeline_100_exact(t):
    pipelined(t, "redis-hundred", "-c", 50, "-P", 100, "-t", "set,get,lpush,lrange_100,mset")


@test(needs=("redis-benchmark",))
def redis_big_values_exact(t):
    """400 MB of values go through rings of 4 MiB: they are left out."""
    pipelined(t, "redis-big", "-c", 10, "-P", 4, "-d", 20000, "-t", "set,get", count=10000, rings=())


@test(needs=("redis-benchmark",))
def redis_flood_of_small_rings(t):
    """What does not fit into the rings is counted as lost, nothing is counted that was not, and afterwards the same
    connection is exact again."""
    agent = t.agent("--ring-bytes", 32 << 10)
    redis = t.redis(service="flood-server")
    with redis.connect() as steady:
        before = redis.calls()
        benchmark(t, redis, "flood-client", "-n", 100000, "-r", 1000, "-c", 50, "-P", 100, "-t", "set,get")
        for _ in range(100):
            steady.sendall(b"*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n" * 10)
            answer = b""
            while answer.count(b"\r\n") < 10:
                answer += steady.recv(4096)
            time.sleep(0.001)
        want = grown(redis, before)
        t.equal(want["INCR"], 1000, "the witness")
        metrics = agent.settle(lambda m: by_operation(m, SERVER, "flood-server")["INCR"], 1000)
        t.equal(by_operation(metrics, SERVER, "flood-server")["INCR"], 1000, "operations after the flood")
    t.check(metrics.total("sonde_events_lost_total", kind="turn", reason="ring_full") > 0, "nothing was lost: no flood")
    t.balanced(agent)
    for side, service in ((SERVER, "flood-server"), (CLIENT, "flood-client")):
        got, partial = by_operation(metrics, side, service), metrics.total(PARTIAL, service_name=service)
        got.pop("INFO", None)
        t.check(all(count <= want[name] for name, count in got.items()), f"{service}: more than there was: {dict(got)} of {dict(want)}")
        t.check(0 < partial <= sum(want.values()) - sum(got.values()), f"{service}: {partial} partial operations")
    t.check(metrics.total("sonde_parse_outcomes_total", protocol="redis", outcome="lost") > 0, "no outcome says lost")
    t.equal(metrics.total("sonde_parse_outcomes_total", protocol="redis", outcome="unmatched_response"), 0, "answers to nobody")
    exchanges = {role: metrics.total("sonde_exchanges_total", service_name=f"flood-{role}", role=role) for role in ("server", "client")}
    t.check(exchanges["client"] >= 2000, f"exchanges of the kernel's own counting: {exchanges}")


@test(needs=("redis-cli",))
def redis_cli_mixed_exact(t):
    """Commands of all kinds and their errors, RESP2 and RESP3, transactions, answers of all types."""
    agent = t.agent()
    redis = t.redis(service="mixed-server")
    errors_before, before = redis.errors(), redis.calls()
    script = [
        "SET key value", "GET key", "get nothing", "INCR key", "LPUSH key 1", "HSET h a 1 b 2", "HGETALL h",
        "CONFIG GET maxmemory", "CLIENT SETNAME somebody", "CLIENT NOSUCH", "NOSUCHCOMMAND x", "GET", "EVAL 'return {1,{2,{3}}}' 0",
        "EVAL 'return redis.error_reply(\"MYERR secret\")' 0", "EVALSHA 0000000000000000000000000000000000000000 0",
        "MULTI", "SET key 1", "INCR key", "EXEC", "MULTI", "NOSUCHCOMMAND", "EXEC", "COMMAND DOCS GET", "COMMAND COUNT",
        "ZADD z 1.5 m", "ZRANGE z 0 -1 WITHSCORES", "XADD s * f v", "XRANGE s - +", "CLUSTER INFO", "PING", "ECHO hello",
        "BLPOP nothing 0.01", "OBJECT ENCODING key", "SCAN 0",
    ] * 20
    for mode in ("-2", "-3"):
        client = t.spawn(tool("redis-cli"), mode, "-h", "127.0.0.1", "-p", redis.port, service="mixed-client", stdin=True)
        client.say("\n".join(script) + "\n")
        client.popen.stdin.close()
        client.wait(60 * t.patience)
    calls = grown(redis, before)
    errors = redis.errors()
    errors.subtract(errors_before)
    want = Counter()
    for line in script * 2:
        words = line.upper().split()
        two = words[0] in ("CONFIG", "CLIENT", "CLUSTER", "OBJECT", "COMMAND") and len(words) > 1
        name = " ".join(words[:2]) if two else words[0]
        want[{"NOSUCHCOMMAND": "other", "CLIENT NOSUCH": "CLIENT"}.get(name, name)] += 1
    want["HELLO"] += 1  # redis-cli -3
    want["COMMAND DOCS"] += 2  # redis-cli, to begin with
    server = lambda m: by_operation(m, SERVER, "mixed-server") - Counter(INFO=99)
    metrics = agent.settle(server, want)
    t.equal(server(metrics), want, "server operations")
    t.equal(by_operation(metrics, CLIENT, "mixed-client"), want, "client operations")
    unseen = {"other", "CLIENT"}  # the server has no statistics of what it does not know
    t.equal({name: count for name, count in want.items() if name not in unseen}, dict(calls), "commandstats (the witness)")
    failed = {prefix: count for prefix, count in errors.items() if count}
    for name, service in ((SERVER, "mixed-server"), (CLIENT, "mixed-client")):
        got = metrics.by(name, "error_type", service_name=service)
        got.pop("", None)
        t.equal(got, Counter({"_OTHER" if prefix == "MYERR" else prefix: count for prefix, count in failed.items()}),
                f"errors, {service}")
    t.check("secret" not in metrics.text and "somebody" not in metrics.text, "a literal left the machine")
    t.equal(metrics.total(PARTIAL, service_name="mixed-server"), 0, "partial operations")
    t.nothing_lost(agent)


def _every_byte(connection, text, pause=0.0005):
    for byte in text:
        connection.sendall(bytes([byte]))
        time.sleep(pause)


@test(needs=("redis-server",))
def redis_split_at_every_byte(t):
    """Writes of one byte each give the same as whole ones; inline commands, big values, subscribers."""
    agent = t.agent()
    redis = t.redis(service="bytes-server")
    big = b"x" * 300000
    with redis.connect() as connection:
        _every_byte(connection, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nhello\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n")
        connection.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$300000\r\n" + big + b"\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n")
        received = b""
        while len(received) < 5 + 11 + 7 + 5 + 300011:
            received += connection.recv(4096)
        connection.sendall(b"*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$3\r\nOFF\r\n*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n"
                           b"*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$2\r\nON\r\n*1\r\n$6\r\nDBSIZE\r\n")
        t.equal(connection.recv(100), b"+OK\r\n:2\r\n", "the answers after CLIENT REPLY ON")
    with redis.connect() as subscriber:
        subscriber.sendall(b"*3\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n$1\r\nb\r\n")
        wait_until(lambda: "a\n" in redis.ask("PUBSUB", "CHANNELS") or ":1" in redis.ask("PUBLISH", "a", "hello"), 5)
        time.sleep(0.2)
        subscriber.sendall(b"*1\r\n$11\r\nUNSUBSCRIBE\r\n")
        time.sleep(0.2)
        subscriber.sendall(b"*2\r\n$3\r\nGET\r\n$7\r\nnothing\r\n")
        time.sleep(0.2)
    want = Counter({"SET": 2, "GET": 3, "PING": 1, "CLIENT REPLY": 1, "DBSIZE": 1, "SUBSCRIBE": 1, "UNSUBSCRIBE": 1})
    kinds = lambda m: Counter({name: count for name, count in by_operation(m, SERVER, "bytes-server").items() if name in want})
    metrics = agent.settle(kinds, want)
    t.equal(kinds(metrics), want, "server operations")
    t.equal(metrics.total("sonde_parse_outcomes_total", protocol="redis", outcome="one_way"), 6,
            "one-way requests, of both sides")
    t.check(metrics.total("sonde_parse_outcomes_total", protocol="redis", outcome="push") >= 2, "messages to the subscriber")
    t.equal(metrics.total("sonde_parse_outcomes_total", protocol="redis", outcome="unmatched_response"), 0, "answers to nobody")
    t.equal(metrics.total(PARTIAL, service_name="bytes-server"), 0, "partial operations")
    t.nothing_lost(agent)


@test(needs=("redis-benchmark",))
def redis_agent_starts_in_the_middle(t):
    """What was under way counts as partial; what begins afterwards is exact."""
    redis = t.redis(service="middle-server")
    for depth in (1, 16):
        t.where = f"-P {depth}: "
        client = f"middle-client-{depth}"
        run = t.spawn(tool("redis-benchmark"), "-h", "127.0.0.1", "-p", redis.port, "-n", 3000000, "-c", 20, "-P", depth, "-r", 1000,
                      "-t", "set", service=client)
        time.sleep(1)
        agent = t.agent(*RINGS)
        time.sleep(1)
        run.stop()
        time.sleep(0.5)
        metrics = agent.scrape()
        for side, service in ((SERVER, "middle-server"), (CLIENT, client)):
            t.check(metrics.total(side, service_name=service) > 1000, f"{service}: nothing was understood")
            t.equal(set(by_operation(metrics, side, service)) - {"SET"}, set(), f"{service}: operations that were not")
            t.check(metrics.total(PARTIAL, service_name=service) <= 20 * depth * 2, f"{service}: too many partial operations")
        before, seen = redis.calls(), by_operation(agent.scrape(), SERVER, "middle-server")
        benchmark(t, redis, client + "-later", "-n", 10000, "-c", 20, "-P", depth, "-t", "get,incr")
        want = grown(redis, before)
        t.equal(want["GET"], 10000, "the witness")
        metrics = agent.settle(lambda m: by_operation(m, CLIENT, client + "-later"), want)
        t.equal(by_operation(metrics, CLIENT, client + "-later"), want, "client operations afterwards")
        got = by_operation(metrics, SERVER, "middle-server") - seen
        got.pop("INFO", None)
        t.equal(got, want, "server operations afterwards")
        agent.stop()
