# SPDX-License-Identifier: Apache-2.0
"""Spans that wait on disk: the Collector and the agent are killed, and what was spooled arrives, once."""

import json
import os
import time

from cases.spans import DROPPED, EXPORTED, PRODUCED, QUEUED, RECOVERED, SPOOLED, balance, load
from sonde_test.process import wait_until
from sonde_test.runner import test

BATCH_MOST = 2048
# Spans a second, and seconds that the Collector is away: SONDE_OUTAGE=120 makes it the long test.
RATE = 1000
SHORT = 2
OUTAGE = int(os.environ.get("SONDE_OUTAGE", SHORT))


def ids(collector):
    """Of the spans in its file, a line at a time: of the long test they are many."""
    found = []
    with open(collector.path) as file:
        for line in file:
            found += [(span["traceId"], span["spanId"]) for of_resource in json.loads(line)["resourceSpans"]
                      for of_scope in of_resource["scopeSpans"] for span in of_scope["spans"]]
    return found


def spooling(t, collector, nginx, *options):
    """An agent that looks at nginx, which may have begun before it, and at nothing else but what the options add."""
    agent = t.agent("--otlp-endpoint", collector.endpoint, "--span-spool", os.path.join(t.directory, "spool"),
                    "--only", f"port={nginx.port}", *options)
    pids = {nginx.pid, *nginx.workers()}
    if not wait_until(lambda: pids <= {process["pid"] for process in agent.dump("procs") if not process["ignored"]}, 10 * t.patience):
        raise AssertionError(f"nginx is not looked at: {agent.dump('procs')}")
    return agent


def state(metrics):
    return tuple(metrics.total(name) for name in (PRODUCED, RECOVERED, EXPORTED, DROPPED, QUEUED, SPOOLED))


def drained(t, agent):
    """Waits until nothing waits; returns the figures."""
    wait_until(lambda: state(agent.scrape())[4:] == (0, 0), 40 * t.patience, every=0.3)
    return state(balance(t, agent, "otlp"))


@test(needs=("nginx", "otelcol"))
def spooled_spans_outlive_the_agent(t):
    """Nothing is on its way when the agent is killed: every span arrives, and none twice."""
    collector = t.collector(at_once=True)
    nginx = t.nginx(service="spool-server")
    agent = spooling(t, collector, nginx)
    load(t, nginx, 4, 500, "spool-client")
    t.equal(state(agent.settle(state, (500, 0, 500, 0, 0, 0))), (500, 0, 500, 0, 0, 0), "the receiver is there")
    collector.kill()
    load(t, nginx, 4, 2000, "spool-client")
    t.equal(state(agent.settle(state, (2500, 0, 500, 0, 0, 2000))), (2500, 0, 500, 0, 0, 2000), "the receiver is away")
    agent.process.kill()
    agent = spooling(t, collector, nginx)
    t.equal(state(agent.settle(state, (0, 2000, 0, 0, 0, 2000))), (0, 2000, 0, 0, 0, 2000), "after the agent was killed")
    status, _ = agent.stop()
    t.equal(status, 0, "exit status")
    t.check("2000 spans wait in the spool for the next start" in agent.log(), agent.log())
    collector.start()
    agent = spooling(t, collector, nginx)
    t.equal(drained(t, agent), (0, 2000, 2000, 0, 0, 0), "the receiver is back")
    spans = ids(collector)
    t.equal((len(spans), len(set(spans))), (2500, 2500), "spans at the Collector, and different ones")
    agent.stop()
    t.equal(os.listdir(os.path.join(t.directory, "spool")), [], "files in the spool")


@test(needs=("nginx", "otelcol"))
def spans_under_load_outlive_both(t):
    """Collector and agent are killed under load: what had left the agent's memory arrives, at most one batch of it twice. Connections
    are fresh, so that the second agent sees whole ones."""
    collector = t.collector(at_once=True)
    nginx = t.nginx(service="spool-server")
    both = ("--only", f"exe={t.program('load')}")  # the client's spans too
    agent = spooling(t, collector, nginx, *both)
    client = t.spawn("load", "127.0.0.1", nginx.port, 20, RATE // 2 * (5 + OUTAGE), "fresh", "--slow-ms", 16, "GET /ok", "GET /items/17",
                     service="spool-client")
    began = time.monotonic()
    wait_until(lambda: agent.scrape().total(EXPORTED) >= 500, 20 * t.patience, every=0.1)
    collector.kill()
    killed = time.monotonic()
    wait_until(lambda: agent.scrape().total(SPOOLED) >= RATE * OUTAGE / 2, OUTAGE * t.patience, every=0.1)
    before = state(balance(t, agent, "otlp"))
    agent.process.kill()
    agent = spooling(t, collector, nginx, *both)
    time.sleep(max(0, killed + OUTAGE - time.monotonic()))
    collector.start()
    away = time.monotonic() - killed
    client.result((60 + 2 * OUTAGE) * t.patience)
    rate = 2 * len(nginx.log()) / (time.monotonic() - began)
    wait_until(lambda: agent.scrape().total(QUEUED) == 0, 10 * t.patience)
    after = drained(t, agent)
    spans = ids(collector)
    twice = len(spans) - len(set(spans))
    t.check(after[0] > 0 and after[1] > 0, f"no load before or after: {before}, {after}")
    t.check(after[1] >= before[5], f"{after[1]} spans recovered of {before[5]} that were spooled")
    t.equal(after[2], after[0] + after[1], "exported by the second agent")
    t.equal(len(set(spans)), before[2] + after[2], "spans at the Collector, and what both agents exported")
    t.check(twice <= BATCH_MOST, f"{twice} spans twice")
    missing = before[0] - before[2] - after[1]
    t.check(missing <= before[4], f"{missing} spans lost, {before[4]} were in memory a moment before")
    if OUTAGE > SHORT:
        print(f"# {rate:.0f} spans a second, Collector away for {away:.0f} s; produced, recovered, exported, dropped, queued, spooled: {before} when the agent was "
              f"killed, {after} at the end; {len(nginx.log())} requests, {len(set(spans))} spans arrived, {twice} of them twice")
