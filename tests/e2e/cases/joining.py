# SPDX-License-Identifier: Apache-2.0
"""Sonde started in the middle of crowds: nothing that it reports is wrong, and what begins afterwards is exact."""

import time
from collections import Counter

from cases.postgresql import SETTING_UP
from sonde_test import talks
from sonde_test.runner import test, tool

HTTP_KEYS = ("http_request_method", "http_response_status_code", "error_type")
DB_KEYS = ("db_operation_name", "error_type")
DB = "db_{}_operation_duration_seconds_count"
HTTP = "http_{}_request_duration_seconds_count"
RINGS = ("--ring-bytes", 64 << 20)
GONE = ("no_response", "reset", "request_cut")  # the client was stopped


def said(metrics, name, keys, which):
    """which: a service, or a server's port, as servers that ran before hide their environment."""
    return metrics.by(name, *keys, **({"service_name": which} if isinstance(which, str) else {"server_port": str(which)}))


def join(t, server, load, later, protocol, name, keys, true, in_flight):
    """load and later start a client; true is all that any of them does, by `keys`; later returns what it has done, by the same.
    in_flight: how many requests may be under way when the client is stopped."""
    run = load("joined-client")
    time.sleep(1.5)
    agent = t.agent(*RINGS)
    time.sleep(1)
    t.check(run.is_alive(), "the load was over too soon")
    run.stop()
    time.sleep(0.5)
    metrics = agent.scrape()
    sides = ((name.format("server"), server), (name.format("client"), "joined-client"))
    for side, service in sides:
        got = said(metrics, side, keys, service)
        t.check(sum(got.values()) > 1000, f"{service}: nothing was understood: {got}")
        gone = Counter({key: count for key, count in got.items() if key not in true and key[-1] in GONE})
        t.equal(set(got) - true - set(gone), set(), f"{service}: what never was")
        t.check(sum(gone.values()) <= in_flight, f"{service}: more were cut than were under way: {got}")
    for outcome in ("malformed", "response_cut", "early_response"):
        t.equal(metrics.total(talks.OUTCOMES, protocol=protocol, outcome=outcome), 0, outcome)
    before = [said(metrics, sides[0][0], keys, server), Counter()]
    want = later("joined-later")
    sides = (sides[0], (name.format("client"), "joined-later"))
    got = lambda m: [said(m, side, keys, service) - seen for (side, service), seen in zip(sides, before)]
    metrics = agent.settle(got, [want, want])
    t.equal(got(metrics), [want, want], "what began afterwards, server and client")
    t.equal(metrics.total(talks.PARTIAL, service_name="joined-later"), 0, "partial ones of it")
    agent.stop()


@test(needs=("nginx", "wrk"))
def joining_wrk_with_1000_connections(t):
    nginx = t.nginx(service="joined")
    url = f"http://127.0.0.1:{nginx.port}/ok"
    load = lambda service: t.spawn(tool("wrk"), "-t2", "-c1000", "-d60", url, service=service)

    def later(service):
        t.spawn("load", "127.0.0.1", nginx.port, 100, 10000, "keep", "GET /ok", service=service).result(100 * t.patience)
        return Counter({key: 10000})
    key = ("GET", "200", "")
    join(t, nginx.port, load, later, "http", HTTP, HTTP_KEYS, {key}, 1000)


@test(needs=("redis-benchmark",))
def joining_redis_pipelines_of_1000_connections(t):
    redis = t.redis(service="joined")
    run = lambda service, count: t.spawn(tool("redis-benchmark"), "-h", "127.0.0.1", "-p", redis.port, "-n", count, "-c", 1000, "-P", 16, "-r", 1000,
                                         "-t", "get,set", service=service)

    def later(service):
        run(service, 50000).wait(100 * t.patience)
        return Counter({("GET", ""): 50000, ("SET", ""): 50000, ("CONFIG GET", ""): 2})
    true = {(name, "") for name in ("GET", "SET", "CONFIG GET")}
    join(t, redis.port, lambda service: run(service, 9000000), later, "redis", DB, DB_KEYS, true, 16000)


@test(needs=("postgresql",))
def joining_pgbench_32_prepared(t):
    server = t.postgresql(service="joined")
    server._run(f"{server.bin}/pgbench", "-i", "-q", "-h", server.directory)
    run = lambda service, *args: t.spawn(f"{server.bin}/pgbench", "-n", "-c", 32, "-j", 2, "-M", "prepared", *args, service=service,
                                         env=server.environment)
    names = {"BEGIN": 1600, "UPDATE": 4800, "SELECT": 1600, "INSERT": 1600, "END": 1600}

    def later(service):
        out = run(service, "-t", 50)
        out.wait(100 * t.patience)
        t.check("processed: 1600/1600" in out.output(), out.output())
        return Counter({(name, ""): count for name, count in names.items()}) + Counter({("SELECT", ""): len(SETTING_UP)})
    # Of what was prepared before sonde began the command tag tells: END's is COMMIT.
    true = {(name, "") for name in (*names, "COMMIT")}
    join(t, server.port, lambda service: run(service, "-T", 60), later, "postgresql", DB, DB_KEYS, true, 32)
