# SPDX-License-Identifier: Apache-2.0
"""Start, scrape, stop: what an operator does."""

import gzip
import json
import os
import resource
import signal
import socket
import stat
import subprocess
import time

from sonde_test import bpf
from sonde_test.agent import free_port
from sonde_test.metrics import Metrics
from sonde_test.nginx import PLAN
from sonde_test.process import wait_until
from sonde_test.prometheus import Prometheus
from sonde_test.runner import test, tool

SERVER = "http_server_request_duration_seconds_count"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


@test(guest=True)
def stops_when_told(t):
    agent = t.agent()
    t.check(agent.objects, "the agent holds no BPF objects")
    status, seconds = agent.stop()
    t.equal(status, 0, "exit status after SIGTERM")
    t.check(seconds < 1 * (20 if t.guest else 1), f"it took {seconds:.1f} s to stop")
    t.check(not os.path.exists(agent.socket), "its control socket is still there")


@test()
def stops_on_interrupt_too(t):
    agent = t.agent()
    agent.process.popen.send_signal(signal.SIGINT)
    agent.process.wait(20 * t.patience)


@test(guest=True)
def killed_leaves_nothing(t):
    agent = t.agent()
    objects = agent.objects
    agent.process.kill()
    left = wait_until(lambda: not bpf.still_there(objects), 10 * t.patience)
    t.check(left, f"BPF objects left: {bpf.still_there(objects)}")
    # And the socket that it could not remove does not stand in the way of the next one.
    t.where = "next agent: "
    process = t.spawn(t.sonde, "agent", "--listen", f"127.0.0.1:{free_port()}", "--socket", agent.socket)
    t.check(wait_until(lambda: dump_works(t, agent.socket) or not process.is_alive(), 30 * t.patience) and process.is_alive(),
            f"does not start: {process.error()}")


def dump_works(t, path):
    return subprocess.run([t.sonde, "dump", "hooks", "--socket", path], capture_output=True).returncode == 0


@test()
def two_agents_at_once(t):
    """Both work; a second one on the same port or socket says why not."""
    first, second = t.agent(), t.agent()
    _, port = t.serve("timed_server", "127.0.0.1", "0", t.path("log"), service="twice")
    t.spawn("load", "127.0.0.1", port, 2, 100, "keep", "GET /status/200", service="twice-client").wait(30 * t.patience)
    for agent in (first, second):
        metrics = agent.settle(lambda m: m.total(SERVER, service_name="twice"), 100)
        t.equal(metrics.total(SERVER, service_name="twice"), 100, "requests")
    for listen, path, word in ((first.port, t.path("other.sock"), str(first.port)), (free_port(), first.socket, first.socket)):
        process = t.spawn(t.sonde, "agent", "--listen", f"127.0.0.1:{listen}", "--socket", path)
        process.wait(30 * t.patience, status=1)
        t.check(word in process.error() + process.output(), f"does not name {word}: {process.error()}")
    t.check(dump_works(t, first.socket), "the first agent's socket does not work any more")


@test(needs=("setpriv",))
def not_root_says_what_is_missing(t):
    os.chmod(t.directory, 0o777)
    run = t.spawn(tool("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", t.sonde, "agent",
                  "--listen", f"127.0.0.1:{free_port()}", "--socket", t.path("nobody.sock"))
    run.wait(30 * t.patience, status=1)
    text = run.error() + run.output()
    t.check("CAP_BPF" in text.upper() or "CAP_SYS_ADMIN" in text.upper(), f"no capability is named: {text}")
    check = t.spawn(tool("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", t.sonde, "check")
    check.wait(30 * t.patience, status=1)
    t.check("CAP_" in (check.error() + check.output()).upper(), f"sonde check names no capability: {check.output()}")


@test(guest=True)
def works_without_locked_memory(t):
    """RLIMIT_MEMLOCK 0: raised, or not needed on kernels that account BPF memory to the control group."""
    soft, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, hard))
    try:
        agent = t.agent()
    finally:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (soft, hard))
    t.equal(agent.get("/readyz")[0], 200, "/readyz")


@test(needs=("setpriv",))
def reader_comes_first(t):
    """The thread that reads the rings, no other; without the capability it says so and works all the same."""
    def nices(pid):
        found = {}
        for tid in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{tid}/stat") as file:
                found[int(tid)] = int(file.read().rsplit(")", 1)[1].split()[16])
        return found

    agent = t.agent()
    threads = nices(agent.pid)
    t.equal(threads.pop(agent.pid), -20, "nice of the reader")
    t.equal(set(threads.values()), {os.getpriority(os.PRIO_PROCESS, 0)}, "nice of the other threads")
    agent = t.agent(wrap=(tool("setpriv"), "--bounding-set=-sys_nice", "--inh-caps=-sys_nice"))
    t.equal(set(nices(agent.pid).values()), {os.getpriority(os.PRIO_PROCESS, 0)}, "nice of all threads without CAP_SYS_NICE")
    t.check("CAP_SYS_NICE" in agent.log(), "it does not say what it is missing")


@test()
def endpoints_answer(t):
    agent = t.agent()
    t.equal(agent.get("/healthz")[0], 200, "/healthz")
    t.equal(agent.get("/readyz")[0], 200, "/readyz")
    t.equal(agent.get("/nothing")[0], 404, "/nothing")
    t.equal(agent.get("/metrics", method="POST")[0], 405, "POST /metrics")
    status, headers, body = agent.get("/metrics", method="HEAD")
    t.equal((status, body), (200, b""), "HEAD /metrics")
    status, headers, body = agent.get("/metrics")
    t.check(headers["Content-Type"].startswith("text/plain; version=0.0.4"), f"content type {headers['Content-Type']}")
    mode = os.stat(agent.socket).st_mode
    t.check(stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600, f"control socket has mode {mode:o}")


@test()
def formats_agree(t):
    agent = t.agent()
    status, headers, plain = agent.get("/metrics", {"Accept": "text/plain"})
    status, headers, zipped = agent.get("/metrics", {"Accept": "text/plain", "Accept-Encoding": "gzip"})
    t.equal(headers["Content-Encoding"], "gzip", "content encoding")
    Metrics(gzip.decompress(zipped).decode())
    status, headers, body = agent.get("/metrics", {"Accept": OPENMETRICS + ",text/plain;q=0.5"})
    t.check(headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0"),
            f"content type {headers['Content-Type']}")
    text = body.decode()
    t.check(text.endswith("# EOF\n"), "no # EOF")
    for name, kind in Metrics(text[:-len("# EOF\n")]).types.items():
        t.check(not (kind == "counter" and name.endswith("_total")), f"TYPE {name} counter: the family has no suffix")
    want = {(s.name, *sorted(s.labels.items())) for s in Metrics(plain.decode()).samples if s.name.startswith("sonde_events")}
    got = {(s.name, *sorted(s.labels.items())) for s in Metrics(text[:-len("# EOF\n")]).samples if s.name.startswith("sonde_events")}
    t.check(want <= got, f"series missing in OpenMetrics: {sorted(want - got)[:5]}")


@test()
def agent_speaks_of_itself(t):
    agent = t.agent()
    _, port = t.serve("timed_server", "127.0.0.1", "0", t.path("log"), service="itself")
    t.spawn("load", "127.0.0.1", port, 1, 50, "keep", "GET /status/200", service="itself-client").wait(30 * t.patience)
    metrics = agent.settle(lambda m: m.total(SERVER, service_name="itself"), 50)
    for name in ("sonde_build_info", "sonde_hook_info", "sonde_signal_up", "sonde_events_produced_total",
                 "sonde_events_consumed_total", "sonde_map_entries", "sonde_map_max_entries", "sonde_ring_size_bytes",
                 "sonde_series", "sonde_parse_outcomes_total", "sonde_scrapes_total", "process_cpu_seconds_total",
                 "process_resident_memory_bytes"):
        t.check(metrics.find(name), f"no {name}")
    with open(f"/proc/{agent.pid}/status") as file:
        rss = next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS"))
    t.near(metrics.total("process_resident_memory_bytes"), rss, "resident memory", 2 << 20, 0.1)
    t.check(rss < 24 << 20, f"resident memory is {rss >> 20} MiB, more than 24")
    t.equal(metrics.total("sonde_process_request_duration_seconds_count", process_pid=agent.pid), 0,
            "requests of the agent itself")
    t.check(not metrics.by("sonde_tcp_accepts_total", "process_pid", process_pid=agent.pid), "the agent watches itself")
    # It measures its programs in windows: wait for one.
    metrics = agent.settle(lambda m: m.total("sonde_bpf_runs_total") > 0, True, seconds=20)
    t.check(metrics.total("sonde_bpf_runs_total") > 0, "no runs of BPF programs are counted")
    t.check(metrics.total("sonde_bpf_run_seconds_total") > 0, "no BPF run time")


@test()
def dump_shows_what_it_holds(t):
    agent = t.agent()
    _, port = t.serve("acceptor", "127.0.0.1", "0", "16", "drain", service="dumped")
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        wait_until(lambda: str(port) in json.dumps(agent.dump("conns")), 5 * t.patience)
        t.check(str(port) in json.dumps(agent.dump("conns")), "the connection is not in dump conns")
    t.check("dumped" in json.dumps(agent.dump("procs")), "the process is not in dump procs")
    for topic in ("hooks", "series", "maps", "rings", "config"):
        t.check(agent.dump(topic), f"dump {topic} is empty")
    run = subprocess.run([t.sonde, "dump", "--socket", agent.socket], capture_output=True, text=True)
    t.check(run.returncode == 0 and run.stdout.strip(), f"dump without a topic: exit {run.returncode}: {run.stderr}")
    run = subprocess.run([t.sonde, "dump", "--socket", t.path("nobody-here.sock")], capture_output=True, text=True)
    t.check(run.returncode != 0 and "nobody-here.sock" in run.stderr, f"dump without an agent: {run.stderr}")


@test(guest=True)
def check_reports_signals(t):
    run = subprocess.run([t.sonde, "check"], capture_output=True, text=True, timeout=60 * t.patience)
    report = subprocess.run([t.sonde, "check", "--json"], capture_output=True, text=True, timeout=60 * t.patience)
    t.equal(run.returncode, report.returncode, "exit status of both forms")
    signals = json.loads(report.stdout)["signals"]
    t.check(len(signals) >= 5, f"{len(signals)} signals")
    degraded = [signal["signal"] for signal in signals if not signal["hook"]]
    t.equal(report.returncode, 3 if degraded else 0, f"exit status, with {degraded} missing")
    for signal in signals:
        t.check(signal["signal"] in run.stdout, f"{signal['signal']} is not in the table")
        for tried in signal["alternatives"]:
            t.check(tried["ok"] or not tried["tried"] or tried["reason"], f"{signal['signal']}: no reason why {tried['hook']} does not work")
            t.check("failed to load" not in tried["reason"], f"{signal['signal']}: {tried['hook']}: the verifier refuses what we wrote: {tried['reason']}")


@test(needs=("nginx",))
def hundred_scrapers_at_once(t):
    """All are answered, and the counts under way stay exact."""
    agent = t.agent()
    nginx = t.nginx(service="scraped")
    client = t.spawn("load", "127.0.0.1", nginx.port, 4, 3000, "keep", *PLAN, service="scraped-client")
    scrapers = t.spawn("load", "127.0.0.1", agent.port, 100, 300, "fresh", "GET /metrics", service="scrapers")
    answers = scrapers.result(120 * t.patience)["steps"]
    t.equal([(step["status"], step["count"]) for step in answers], [(200, 300)], "answers by status")
    client.wait(120 * t.patience)
    wait_until(lambda: sum(nginx.counts().values()) == 3000, 10 * t.patience)
    log = {key: value for key, value in nginx.counts().items()}

    def counts(m):
        return m.by(SERVER, "http_request_method", "http_response_status_code", service_name="scraped")
    metrics = agent.settle(counts, log)
    t.equal(counts(metrics), log, "server requests")
    t.nothing_lost(agent)


@test(needs=("promtool",))
def promtool_finds_no_fault(t):
    agent = t.agent()
    _, port = t.serve("timed_server", "127.0.0.1", "0", t.path("log"), service="linted")
    t.spawn("load", "127.0.0.1", port, 1, 50, "keep", "GET /status/200", service="linted-client").wait(30)
    agent.settle(lambda m: m.total(SERVER, service_name="linted"), 50)
    run = subprocess.run([tool("promtool"), "check", "metrics"], input=agent.get()[2], capture_output=True)
    t.check(run.returncode == 0 and not run.stdout + run.stderr, f"exit {run.returncode}: {(run.stdout + run.stderr).decode()}")


@test(needs=("prometheus",))
def prometheus_scrapes_and_answers_the_same(t):
    agent = t.agent()
    _, port = t.serve("timed_server", "127.0.0.1", "0", t.path("log"), service="queried")
    query = Prometheus(t, tool("prometheus"), agent).query
    t.spawn("load", "127.0.0.1", port, 2, 300, "keep", "GET /status/200", "POST /status/404 5", service="queried-client").wait(30)
    text = f'sum by (http_response_status_code) ({SERVER}{{service_name="queried"}})'
    want = [("200", 150.0), ("404", 150.0)]

    def answer():
        return sorted((labels["http_response_status_code"], value) for labels, value in query(text))
    wait_until(lambda: answer() == want, 40, every=0.5)
    t.equal(answer(), want, "Prometheus's answer")
    t.equal([value for _, value in query('up{job="sonde"}')], [1.0], "up")
    metrics = agent.scrape()
    name = "http_server_request_duration_seconds_sum"
    t.equal([f"{value:.9g}" for _, value in query(f'sum({name}{{service_name="queried"}})')],
            [f"{metrics.total(name, service_name='queried'):.9g}"], "sum of durations")
    quantile = query(f'histogram_quantile(0.5, sum by (le) (http_server_request_duration_seconds_bucket{{service_name="queried"}}))')
    t.check(quantile and 0 < quantile[0][1] < 10, f"histogram_quantile: {quantile}")


@test()
def final_scrape_is_complete(t):
    """A scrape drains the rings: what was over before it is in it, without waiting."""
    agent = t.agent()
    _, port = t.serve("timed_server", "127.0.0.1", "0", t.path("log"), service="drained")
    for number in range(1, 21):
        t.spawn("load", "127.0.0.1", port, 1, 10, "fresh", "GET /status/200", service="drained-client").wait(30 * t.patience)
        time.sleep(0.06)  # a snapshot is shared for 50 ms
        got = agent.scrape().total("http_client_request_duration_seconds_count", service_name="drained-client")
        if not t.equal(got, number * 10, "requests in the scrape right after"):
            break
