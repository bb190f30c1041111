# SPDX-License-Identifier: Apache-2.0
"""Every request is counted, once, under its method and status: against nginx's access log and what the
clients say."""

import http.client
import json
import os
import re
import subprocess
import time
from collections import Counter

from sonde_test.metrics import Metrics
from sonde_test.nginx import PLAN
from sonde_test.process import wait_until
from sonde_test.runner import test, tool

SERVER = "http_server_request_duration_seconds_count"
CLIENT = "http_client_request_duration_seconds_count"
KEYS = ("http_request_method", "http_response_status_code")


def by_method(metrics, name, service):
    return metrics.by(name, *KEYS, service_name=service)


def said(result):
    """What `load` says it did, by (method, status)."""
    counts = Counter()
    for step in result["steps"]:
        counts[(step["method"], str(step["status"]))] += step["count"]
    return counts


def log_of(t, nginx, want):
    """The log's counts; lines are written after the answers, so they may be a moment late."""
    wait_until(lambda: sum(nginx.counts().values()) >= want, 10 * t.patience)
    return nginx.counts()


def compare(t, agent, nginx, server, client, result):
    """Server side against the log, client side against the client, and the balance."""
    log = log_of(t, nginx, result["requests"])
    want = said(result)
    t.equal(log, want, "nginx's log against the client (the witnesses)")
    metrics = agent.settle(lambda m: (by_method(m, SERVER, server), by_method(m, CLIENT, client)), (log, want))
    t.equal(by_method(metrics, SERVER, server), log, "server requests")
    t.equal(by_method(metrics, CLIENT, client), want, "client requests")
    t.equal(metrics.total("sonde_requests_partial_total", service_name=server), 0, "partial server requests")
    t.equal(metrics.total("sonde_requests_partial_total", service_name=client), 0, "partial client requests")
    t.equal(metrics.total("sonde_exchanges_total", service_name=server, role="server"), result["requests"],
            "server exchanges")
    t.equal(metrics.total("sonde_exchanges_total", service_name=client, role="client"), result["requests"],
            "client exchanges")
    t.nothing_lost(agent)
    return metrics


def load(t, host, port, connections, requests, mode, service, plan=PLAN):
    return t.spawn("load", host, port, connections, requests, mode, *plan, service=service).result(300 * t.patience)


@test(needs=("nginx",), guest=True)
def http_keepalive_exact(t):
    agent = t.agent()
    nginx = t.nginx(service="keepalive-server")
    result = load(t, "127.0.0.1", nginx.port, 16, 10000, "keep", "keepalive-client")
    t.equal(result["connections"], 16, "connections of the client")
    metrics = compare(t, agent, nginx, "keepalive-server", "keepalive-client", result)
    t.equal(metrics.total("http_client_response_body_size_bytes_sum", service_name="keepalive-client"),
            result["body_received"], "response body bytes, client")
    t.equal(metrics.total("http_client_request_body_size_bytes_sum", service_name="keepalive-client"),
            result["body_sent"], "request body bytes, client")
    t.equal(metrics.total("http_server_response_body_size_bytes_sum", service_name="keepalive-server"),
            result["body_received"], "response body bytes, server")
    t.equal(metrics.total("http_server_request_body_size_bytes_sum", service_name="keepalive-server"),
            result["body_sent"], "request body bytes, server")
    t.equal(metrics.total("sonde_process_request_duration_seconds_count", service_name="keepalive-server",
                          kind="server", protocol="http"), 10000, "requests by process")
    workers = set(metrics.by("sonde_process_request_duration_seconds_count", "process_pid",
                             service_name="keepalive-server"))
    t.check(workers <= {str(pid) for pid in nginx.workers()}, f"pids {workers} are not nginx's workers")
    routes = set(metrics.by(SERVER, "http_route", service_name="keepalive-server"))
    t.check(not any("17" in route for route in routes), f"a number is part of a route: {routes}")
    t.check(len(routes) >= 5, f"routes: {routes}")
    t.equal(set(metrics.by(SERVER, "server_port", service_name="keepalive-server")), {str(nginx.port)}, "server_port")


@test(needs=("nginx",), guest=True)
def http_fresh_exact(t):
    agent = t.agent()
    nginx = t.nginx(service="fresh-server")
    result = load(t, "127.0.0.1", nginx.port, 4, 2000, "fresh", "fresh-client")
    metrics = compare(t, agent, nginx, "fresh-server", "fresh-client", result)
    t.equal(metrics.total("sonde_tcp_accepts_total", service_name="fresh-server"), 2001,
            "accepts (one is the probe of this test)")
    t.equal(metrics.total("sonde_tcp_connects_total", service_name="fresh-client", outcome="established"), 2000,
            "connects")


@test(needs=("nginx", "ipv6"))
def http_ipv6_exact(t):
    agent = t.agent()
    nginx = t.nginx(service="six-server")
    result = load(t, "::1", nginx.port6, 4, 400, "keep", "six-client")
    compare(t, agent, nginx, "six-server", "six-client", result)


@test(needs=("nginx", "wrk"), guest=True)
def http_wrk_exact(t):
    agent = t.agent()
    nginx = t.nginx(service="wrk-server")
    wrk = t.spawn(tool("wrk"), "-t2", "-c16", "-d2", f"http://127.0.0.1:{nginx.port}/ok", service="wrk-client")
    wrk.wait(120 * t.patience)
    count = int(re.search(r"(\d+) requests in", wrk.output())[1])
    last = [-1]

    def is_quiet():
        previous, last[0] = last[0], sum(nginx.counts().values())
        return previous == last[0]
    wait_until(is_quiet, 10 * t.patience, every=0.3)
    log = nginx.counts()
    t.check(sum(log.values()) >= count > 0, f"wrk counts {count}, nginx {log}")
    metrics = agent.settle(lambda m: by_method(m, SERVER, "wrk-server"), log)
    t.equal(by_method(metrics, SERVER, "wrk-server"), log, "server requests")
    # What was under way when wrk ended has no status, and says so.
    t.equal(metrics.by(CLIENT, *KEYS, service_name="wrk-client", error_type=None), {("GET", "200"): count},
            "client requests")
    t.check(metrics.total(CLIENT, service_name="wrk-client") <= count + 16, "more requests without an answer than connections")
    t.nothing_lost(agent)


@test(needs=("nginx", "curl"))
def http_curl_exact(t):
    """curl: one connection a call, and several requests over one connection."""
    agent = t.agent()
    nginx = t.nginx(service="curl-server")
    base = f"http://127.0.0.1:{nginx.port}"
    for args in (["/ok"], ["-I", "/ok"], ["-X", "POST", "-d", "a=b", "/none"], ["--http1.0", "/missing"],
                 ["/ok", "/moved", "/items/3"]):
        urls = [base + arg if arg.startswith("/") else arg for arg in args]
        t.spawn(tool("curl"), "-s", "-S", *urls, service="curl-client").wait(30 * t.patience)
    want = Counter({("GET", "200"): 3, ("HEAD", "200"): 1, ("POST", "204"): 1, ("GET", "404"): 1, ("GET", "301"): 1})
    log = log_of(t, nginx, 7)
    t.equal(log, want, "nginx's log")
    metrics = agent.settle(lambda m: (by_method(m, SERVER, "curl-server"), by_method(m, CLIENT, "curl-client")),
                           (want, want))
    t.equal(by_method(metrics, SERVER, "curl-server"), want, "server requests")
    t.equal(by_method(metrics, CLIENT, "curl-client"), want, "client requests")


@test(needs=("nginx",))
def http_many_services_at_once(t):
    """Two servers and four clients at the same time: nothing is counted for somebody else."""
    agent = t.agent()
    servers = {name: t.nginx(service=name) for name in ("many-a", "many-b")}
    runs = {}
    for index, (name, nginx) in enumerate([*servers.items()] * 2):
        service = f"many-client-{index}"
        runs[service] = (name, t.spawn("load", "127.0.0.1", nginx.port, 4, 1000 + index, "keep", *PLAN, service=service))
    totals = {name: Counter() for name in servers}
    for service, (name, process) in runs.items():
        want = said(process.result(100 * t.patience))
        totals[name].update(want)
        metrics = agent.settle(lambda m: by_method(m, CLIENT, service), want)
        t.equal(by_method(metrics, CLIENT, service), want, service)
    for name in servers:
        metrics = agent.settle(lambda m: by_method(m, SERVER, name), totals[name])
        t.equal(by_method(metrics, SERVER, name), totals[name], name)


def _check_report(t):
    run = subprocess.run([t.sonde, "check", "--json"], capture_output=True, text=True, timeout=60 * t.patience)
    t.check(run.returncode in (0, 3), f"sonde check: exit {run.returncode}: {run.stderr}")
    return json.loads(run.stdout)


def _same_numbers(t, agent, nginx, service, result):
    metrics = compare(t, agent, nginx, service, service + "-client", result)
    t.equal(metrics.total("sonde_tcp_connects_total", service_name=service + "-client", outcome="established"), 200,
            "connects")
    failing = t.spawn("failing", "table", service=service + "-failing").result(30 * t.patience)
    want = {(kind["syscall"], kind["errno"]): kind["count"] for kind in failing["kinds"] if kind["errno"] != "EAGAIN"}
    metrics = agent.settle(lambda m: m.by("sonde_syscall_errors_total", "syscall", "errno", service_name=service + "-failing"), want)
    t.equal(metrics.by("sonde_syscall_errors_total", "syscall", "errno", service_name=service + "-failing"), want, "errors")


@test(needs=("nginx",), guest=True)
def http_with_each_hook(t):
    """Every hook alternative that this kernel has gives the same numbers."""
    signals = _check_report(t)["signals"]
    # Kernels of two kinds: on some, perf tracepoints skip runs, on the others all but those do (README, Kernels).
    is_preempting = any(signal["signal"] == "system_calls" and signal["hook"] == "tp" for signal in signals)
    hooks = sorted({way["hook"] for signal in signals if len(signal["alternatives"]) > 1
                    for way in signal["alternatives"]})
    t.check(hooks, "sonde check lists no alternatives")
    for hook in hooks:
        # What was tried in vain by itself cannot be forced.
        forced = {signal["signal"] for signal in signals for way in signal["alternatives"]
                  if way["hook"] == hook and (way["ok"] or not way["tried"]) and len(signal["alternatives"]) > 1}
        t.where = f"{hook}: "
        service = "hook-" + hook.replace("_", "-")
        agent = t.agent("--blocked-causes", *[option for signal in sorted(forced) for option in ("--hook", f"{signal}={hook}")])
        in_use = agent.scrape().by("sonde_hook_info", "signal", "hook")
        without = {signal for signal in forced if in_use[signal, hook] != 1}
        if hook == "tp" and without:
            # Perf tracepoints are not everywhere (no tracefs events; 5.10 cannot find the registers from one).
            t.equal(agent.stop()[0], 0, "exit status")
            continue
        t.equal(without, set(), "signals with another hook")
        nginx = t.nginx(service=service)
        result = load(t, "127.0.0.1", nginx.port, 2, 200, "fresh", service + "-client")
        if (hook == "tp") == is_preempting:
            _same_numbers(t, agent, nginx, service, result)
        else:
            seen = agent.settle(lambda m: m.total(SERVER, service_name=service) > 0, True).total(SERVER, service_name=service)
            t.check(0 < seen <= 200, f"{seen} of 200 requests were seen")
        nginx.stop()
        t.equal(agent.stop()[0], 0, "exit status")
        os.rename(t.path("nginx"), t.path(f"nginx-{service}"))


@test(needs=("nginx",))
def http_servers_before_the_agent(t):
    """A server that ran before the agent: its new connections are complete."""
    nginx = t.nginx()
    agent = t.agent()
    result = load(t, "127.0.0.1", nginx.port, 4, 400, "keep", "late-client")
    want = said(result)
    log = log_of(t, nginx, 400)
    metrics = agent.settle(lambda m: m.by(SERVER, *KEYS, server_port=nginx.port), log)
    t.equal(metrics.by(SERVER, *KEYS, server_port=nginx.port), log, "server requests")
    t.equal(by_method(metrics, CLIENT, "late-client"), want, "client requests")
    t.equal(metrics.total("sonde_requests_partial_total", service_name="late-client"), 0, "partial requests")


@test(needs=("nginx",), guest=True)
def http_connections_before_the_agent(t):
    """A connection that was open before the agent: its requests are counted or counted as partial."""
    server, port = t.serve("calls", "serve", "read", "write", "127.0.0.1", "0", service="open-server")
    client = t.spawn("calls", "request", "read", "write", "127.0.0.1", port, "50", "held", service="open-client",
                     stdin=True)
    client.wait_line("held")
    agent = t.agent()
    client.say()
    client.wait(60 * t.patience)

    def counts(m):
        return tuple(m.total(name, service_name=service) + m.total("sonde_requests_partial_total", service_name=service)
                     for name, service in ((SERVER, "open-server"), (CLIENT, "open-client")))
    metrics = agent.settle(counts, (50, 50))
    t.equal(counts(metrics), (50, 50), "requests and partial requests, server and client")
    t.check(metrics.total("sonde_requests_partial_total", service_name="open-server") <= 1, "more than one is partial")
    t.check(metrics.total("sonde_requests_partial_total", service_name="open-client") <= 1, "more than one is partial")
    t.nothing_lost(agent)


@test(needs=("nginx",))
def http_idle_keepalive_is_reported(t):
    """The last answer of a connection that stays open is reported within about a second."""
    agent = t.agent()
    nginx = t.nginx(service="idle-server")
    connection = http.client.HTTPConnection("127.0.0.1", nginx.port)
    connection.request("GET", "/files/small")
    connection.getresponse().read()
    time.sleep(1.2 if not t.guest else 5)
    metrics = agent.scrape()
    t.equal(by_method(metrics, SERVER, "idle-server"), {("GET", "200"): 1}, "requests while the connection is idle")
    connection.close()


@test(needs=("nginx",))
def http_exchanges_of_open_connections(t):
    """Exchanges that the kernel side keeps in a connection are counted while it is open, and once."""
    agent = t.agent()
    nginx = t.nginx(service="open-server")
    connection = http.client.HTTPConnection("127.0.0.1", nginx.port)

    def exchanges(metrics):
        return metrics.total("sonde_exchanges_total", service_name="open-server", role="server")

    for done in (1, 50):
        for _ in range(done if done == 1 else done - 1):
            connection.request("GET", "/files/small")
            connection.getresponse().read()
        t.equal(exchanges(agent.settle(exchanges, done)), done, "exchanges while the connection is open")
    connection.close()
    t.equal(exchanges(agent.settle(lambda m: None, 0, 1)), 50, "exchanges after the close")
    nginx.stop()
    t.equal(exchanges(agent.settle(lambda m: None, 0, 1)), 50, "exchanges after the end of the server")


@test(needs=("nginx",))
def recorded_run_replays_the_same(t):
    agent = t.agent()
    nginx = t.nginx(service="record-server")
    path = t.path("ring.rec")
    record = t.spawn(t.sonde, "record", path, "--socket", agent.socket)
    wait_until(lambda: os.path.exists(path) and os.path.getsize(path) > 0, 10 * t.patience)
    result = load(t, "127.0.0.1", nginx.port, 4, 1000, "keep", "record-client")
    want = said(result)
    live = agent.settle(lambda m: by_method(m, CLIENT, "record-client"), want)
    record.stop()
    t.check(record.popen.returncode == 0, f"record: exit {record.popen.returncode}: {record.error()}")
    os.chmod(t.directory, 0o755)
    os.chmod(path, 0o644)
    command = [t.sonde, "replay", path]
    if tool("setpriv"):
        command = [tool("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups", *command]
    replay = t.spawn(*command)
    replay.wait(60 * t.patience)
    again = Metrics(replay.output())
    # Nanoseconds are added in another order into a double: the text may differ in its last digit.
    for name in ("http_server_request_duration_seconds", "http_client_request_duration_seconds",
                 "http_server_response_body_size_bytes"):
        for suffix in ("_count", "_bucket", "_sum"):
            for service in ("record-server", "record-client"):
                labels = ("http_request_method", "http_response_status_code", "http_route", "le")
                t.equal({key: round(value, 7) for key, value in again.by(name + suffix, *labels, service_name=service).items()},
                        {key: round(value, 7) for key, value in live.by(name + suffix, *labels, service_name=service).items()},
                        f"{name}{suffix} of {service}, replayed against live")
    t.equal(by_method(again, CLIENT, "record-client"), want, "replayed client requests")


@test(needs=("nginx",), guest=True)
def tiny_ring_loses_and_says_so(t):
    agent = t.agent("--ring-bytes", str(os.sysconf("SC_PAGE_SIZE")))
    nginx = t.nginx(service="tiny-server")
    result = load(t, "127.0.0.1", nginx.port, 16, 5000, "keep", "tiny-client")
    fresh = load(t, "127.0.0.1", nginx.port, 8, 500, "fresh", "tiny-fresh")
    failing = t.spawn("failing", "table", service="tiny-failing").result()
    requests = result["requests"] + fresh["requests"]
    log_of(t, nginx, requests)
    metrics = agent.settle(lambda m: m.total("sonde_exchanges_total", service_name="tiny-server", role="server"), requests)
    t.check(metrics.total("sonde_events_lost_total", kind="turn") > 0, "a ring of one page lost nothing")
    t.balanced(agent)
    t.equal(metrics.total("sonde_exchanges_total", service_name="tiny-server", role="server"), requests,
            "exchanges of the server")
    t.equal(metrics.total("sonde_exchanges_total", service_name="tiny-client", role="client"), 5000,
            "exchanges of the client")
    t.equal(metrics.total("sonde_tcp_connects_total", service_name="tiny-fresh", outcome="established"), 500, "connects")
    t.equal(metrics.total("sonde_tcp_accepts_total", service_name="tiny-server"), 516 + 1, "accepts")
    want = {(kind["syscall"], kind["errno"]): kind["count"] for kind in failing["kinds"] if kind["errno"] != "EAGAIN"}
    t.equal(metrics.by("sonde_syscall_errors_total", "syscall", "errno", service_name="tiny-failing"), want,
            "system-call errors")
    seen = metrics.total(SERVER, service_name="tiny-server") + metrics.total("sonde_requests_partial_total", service_name="tiny-server")
    t.check(seen <= requests, f"{seen} requests reported of {requests}: some twice")
