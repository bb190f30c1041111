# SPDX-License-Identifier: Apache-2.0
"""nginx under wrk, 16 keep-alive connections, with and without sonde; how soon the first request is counted."""

import subprocess
import time

from .table import median, pairwise, show
from .traffic import Agent, BenchError, Nginx, wait_until, wrk


def run(settings):
    with Nginx() as nginx:
        wrk(nginx.url, 1)
        load(settings, nginx)
        start(settings, nginx)


def load(settings, nginx):
    without, with_sonde, micros, counted, rss, lost = [], [], [], [], [], []
    for _ in range(settings.rounds):
        requests, seconds, _ = wrk(nginx.url, settings.seconds)
        without.append(requests / seconds)
        with Agent(settings) as agent:
            time.sleep(0.5)
            before = agent.cpu_seconds()
            requests, seconds, _ = wrk(nginx.url, settings.seconds)
            with_sonde.append(requests / seconds)
            time.sleep(0.3)  # the last drain belongs to the load
            micros.append((agent.cpu_seconds() - before) / requests * 1e6)
            counted.append(agent.requests() - requests)
            lost.append(agent.lost())
            rss.append(agent.rss() / 2**20)
    show(f"nginx: `return 200 \"ok\"`, wrk -t1 -c16 -d{settings.seconds}s, {settings.rounds} rounds",
         ["", "median", "least", "most"],
         [line("requests/s without sonde", without, ".0f"), line("requests/s with sonde", with_sonde, ".0f"),
          ["with/without, pair by pair", f"{pairwise(without, with_sonde, lambda a, b: b / a):.3f}",
           *(f"{pick(b / a for a, b in zip(without, with_sonde)):.3f}" for pick in (min, max))],
          line("agent CPU, us per request", micros, ".2f"), line("agent RSS at the end, MiB", rss, ".1f"),
          line("requests counted minus requests made", counted, ".0f"), line("events lost", lost, ".0f")],
         ["wrk does not report the up to 16 requests under way when it ends; nginx served some of them"])


def line(name, values, form):
    return [name, *(format(value, form) for value in (median(values), min(values), max(values)))]


def start(settings, nginx):
    ready, first = [], []
    curls = subprocess.Popen(["sh", "-c", 'while :; do curl -s -o /dev/null "$0"; done', nginx.url])
    try:
        for _ in range(settings.rounds):
            with Agent(settings, wait=False) as agent:
                ready.append(agent.wait_ready())
                wait_until(lambda: first_counted(agent), "no request was counted", every=0.005)
                first.append(time.monotonic() - agent.started)
    finally:
        curls.kill()
        curls.wait()
    show("start, while curl asks again and again", ["seconds from exec to", "median", "least", "most"],
         [line("/readyz says 200", ready, ".3f"), line("a scrape shows a counted request", first, ".3f")])


def first_counted(agent):
    if not agent.is_alive():
        raise BenchError(f"the agent ended: {agent.log()}")
    return agent.requests() > 0
