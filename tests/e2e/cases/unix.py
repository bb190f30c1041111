# SPDX-License-Identifier: Apache-2.0
"""The protocols over Unix-domain sockets: counted once, on both sides, under the socket's path, and never as TCP."""

import json
import os
import socket
from collections import Counter

from sonde_test.agent import free_port
from sonde_test.nginx import temp_paths
from sonde_test.process import wait_until
from sonde_test.runner import test, tool

DB_SERVER = "db_server_operation_duration_seconds_count"
DB_CLIENT = "db_client_operation_duration_seconds_count"
HTTP_SERVER = "http_server_request_duration_seconds_count"
HTTP_CLIENT = "http_client_request_duration_seconds_count"
PARTIAL = "sonde_requests_partial_total"
OPEN = "sonde_unix_connections"

APPLICATION = """daemon off;
worker_processes 1;
user root root;
pid {dir}/nginx.pid;
error_log {dir}/error.log warn;
events {{ worker_connections 256; }}
http {{
    log_format json '{{"method":"$request_method","status":"$status","port":"$server_port"}}';
    access_log {dir}/access.log json;
    """ + temp_paths() + """
    keepalive_requests 1000000;
    upstream localhost {{ server unix:{dir}/app.sock; }}
    server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://localhost; }} }}
    server {{
        listen unix:{dir}/app.sock;
        location /missing {{ return 404 "no"; }}
        location / {{ return 200 "an answer"; }}
    }}
}}
"""


def addresses(metrics, name, service):
    return metrics.by(name, "server_address", "server_port", service_name=service)


def opened(metrics, service):
    """Pairs, by which nginx's processes speak with each other, have no role."""
    return sum(metrics.total(OPEN, service_name=service, role=role) for role in ("client", "server"))


def nothing_left_open(t, agent, *services):
    """Clients that close without a word, and servers that they leave behind, are noticed after some seconds."""
    metrics = agent.settle(lambda m: [opened(m, service) for service in services], [0] * len(services),
                           seconds=20)
    for service in services:
        t.equal(opened(metrics, service), 0, f"open connections of {service}")


@test(needs=("redis-benchmark",), guest=True)
def unix_redis_exact(t):
    agent = t.agent("--ring-bytes", 64 << 20)
    path = t.path("redis.sock")
    redis = t.redis(service="redis", options=("--unixsocket", path))
    before = redis.calls()
    count = 2000 if t.guest else 10000
    t.spawn(tool("redis-benchmark"), "-s", path, "-n", count, "-c", 20, "-P", 4, "-r", 100, "-t", "set,get,lpush",
            service="client").wait(300 * t.patience)
    want = redis.calls()
    want.subtract(before)
    del want["INFO"]
    want = Counter({name: calls for name, calls in want.items() if calls})
    t.check(want["SET"] == count, f"the witness: {dict(want)}")

    def by_operation(metrics, name, service):
        return metrics.by(name, "db_operation_name", service_name=service, server_address=path)
    metrics = agent.settle(lambda m: (by_operation(m, DB_SERVER, "redis"), by_operation(m, DB_CLIENT, "client")), (want, want))
    t.equal(by_operation(metrics, DB_SERVER, "redis"), want, "operations that redis served")
    t.equal(by_operation(metrics, DB_CLIENT, "client"), want, "operations of the client")
    t.equal(addresses(metrics, DB_CLIENT, "client"), {(path, ""): sum(want.values())}, "addresses")
    for name in ("sonde_tcp_connects_total", "sonde_tcp_bytes_total", PARTIAL):
        t.equal(metrics.total(name, service_name="client"), 0, name)
    t.nothing_lost(agent)


@test(needs=("postgresql",))
def unix_postgresql_exact(t):
    agent = t.agent("--ring-bytes", 64 << 20)
    server = t.postgresql(service="pg")
    path = f"{server.directory}/.s.PGSQL.{server.port}"
    server._run(f"{server.bin}/pgbench", "-i", "-q", "-h", "127.0.0.1")
    run = t.spawn(f"{server.bin}/pgbench", "-n", "-M", "prepared", "-c", 8, "-j", 2, "-t", 250, service="client",
                  env={**server.environment, "PGHOST": server.directory})
    run.wait(300 * t.patience)
    t.check("processed: 2000/2000" in run.output(), run.output())
    want = Counter({(operation, "pgbench_" + table): 2000 for operation, table in (
        ("UPDATE", "accounts"), ("UPDATE", "tellers"), ("UPDATE", "branches"), ("INSERT", "history"), ("SELECT", "accounts"))})

    def counted(metrics, name, service):
        got = metrics.by(name, "db_operation_name", "db_collection_name", service_name=service, server_address=path)
        return Counter({row: number for row, number in got.items() if row in want})
    metrics = agent.settle(lambda m: (counted(m, DB_SERVER, "pg"), counted(m, DB_CLIENT, "client")), (want, want))
    t.equal(counted(metrics, DB_SERVER, "pg"), want, "operations that postgres served")
    t.equal(counted(metrics, DB_CLIENT, "client"), want, "operations of the client")
    for service in ("pg", "client"):
        t.equal(metrics.total(PARTIAL, service_name=service), 0, f"partial operations of {service}")
    t.nothing_lost(agent)


@test(needs=("nginx",))
def unix_http_exact(t):
    agent = t.agent("--ring-bytes", 16 << 20)
    port = free_port()
    directory = t.path("app")
    os.makedirs(directory)
    with open(t.path("app/nginx.conf"), "w") as file:
        file.write(APPLICATION.format(dir=directory, port=port))
    nginx = t.spawn("/usr/sbin/nginx", "-c", t.path("app/nginx.conf"), "-p", directory, service="app")

    def listens():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0
    t.check(wait_until(listens, 20 * t.patience), "nginx did not start")
    t.spawn(tool("curl"), "-s", "-o", "/dev/null", f"http://127.0.0.1:{port}/item/[1-9000]", service="curl").wait()
    t.spawn(tool("curl"), "-s", "-o", "/dev/null", f"http://127.0.0.1:{port}/missing/[1-1000]", service="curl").wait()
    nginx.popen.send_signal(10)  # SIGUSR1: the log is written out
    with open(t.path("app/access.log")) as file:
        lines = [json.loads(line) for line in file]
    want = Counter((line["method"], line["status"]) for line in lines if line["port"] == "")
    t.equal(want, {("GET", "200"): 9000, ("GET", "404"): 1000}, "the access log (the witness)")

    def counted(metrics, name):
        return metrics.by(name, "http_request_method", "http_response_status_code", service_name="app",
                          server_address=f"{directory}/app.sock")
    metrics = agent.settle(lambda m: (counted(m, HTTP_SERVER), counted(m, HTTP_CLIENT)), (want, want))
    t.equal(counted(metrics, HTTP_SERVER), want, "requests served over the socket")
    t.equal(counted(metrics, HTTP_CLIENT), want, "requests made over the socket")
    t.equal(metrics.total(PARTIAL, service_name="app"), 0, "partial requests")
    nothing_left_open(t, agent, "app")
    t.nothing_lost(agent)
    opens = agent.scrape().total("sonde_events_produced_total", kind="unix_open")
    t.check(opens >= 20000, f"connections opened: {opens}")
