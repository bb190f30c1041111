# SPDX-License-Identifier: Apache-2.0
"""What a span costs the agent, from the kernel's events through join and sampling to a receiver of OTLP/HTTP: nginx under wrk, each request a span
of the server and one of the client, once without spans, once with all kept, once with a tenth. The receiver is an nginx that reads and forgets."""

import time

from .table import median, show
from .traffic import Agent, Nginx, wait_until, wrk

WAYS = (("no spans", ()),
        ("all kept", ()),
        ("sampling: errors,slow=p99,ratio=0.1", ("--span-sampling", "errors,slow=p99,ratio=0.1")))


def run(settings):
    with Nginx() as nginx, Nginx() as receiver:
        wrk(nginx.url, 1)
        found = {name: [] for name, _ in WAYS}
        for _ in range(settings.rounds):
            for name, options in WAYS:
                found[name].append(measure(settings, nginx, receiver, name != "no spans", options))
    plain = median([cpu / requests for requests, cpu, _, _ in found["no spans"]])
    rows = []
    for name, _ in WAYS:
        requests = median([figures[0] for figures in found[name]])
        micros = median([cpu / requests for requests, cpu, _, _ in found[name]])
        rows.append([name, f"{requests / settings.seconds:.0f}", f"{micros * 1e6:.2f}",
                     *([""] * 4 if name == "no spans" else after(settings, found[name], micros - plain, micros))])
    show(f"spans: nginx, wrk -t1 -c16 -d{settings.seconds}s, {settings.rounds} rounds, two spans a request",
         ["", "requests/s", "agent CPU, us/request", "of it spans, us/span", "spans/s on one core", "exported", "dropped"], rows,
         ["spans/s on one core: what the whole agent could do, its share of the requests' own cost included"])


def after(settings, rounds, extra, micros):
    exported, dropped = (median([figures[index] for figures in rounds]) for index in (2, 3))
    return [f"{extra / 2 * 1e6:.2f}", f"{2 / micros:.0f}", f"{exported:.0f}", f"{dropped:.0f}"]


def measure(settings, nginx, receiver, with_spans, options):
    """(requests, seconds of CPU, spans exported, spans dropped)"""
    spans = ("--otlp-endpoint", receiver.url.rstrip("/"), "--only", f"port={nginx.port}", "--only", "service=wrk") if with_spans else \
        ("--only", f"port={nginx.port}", "--only", "service=wrk")
    with Agent(settings, "--ring-bytes", "33554432", *spans, *options) as agent:
        time.sleep(1.5)  # processes are chosen
        before = agent.cpu_seconds()
        requests, _, _ = wrk(nginx.url, settings.seconds)
        if with_spans:
            wait_until(lambda: agent.total("sonde_spans_queued") == 0, "spans still wait", every=0.2)
        time.sleep(0.3)
        cpu = agent.cpu_seconds() - before
        return requests, cpu, agent.total("sonde_spans_exported_total"), agent.total("sonde_spans_dropped_total")
