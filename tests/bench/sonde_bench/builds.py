# SPDX-License-Identifier: Apache-2.0
"""What a call that begins a turn costs with this build, and with another one: what was added in between."""

import os
import subprocess

from .table import median, pairwise, show
from .traffic import Agent, BenchError, pinned

CASES = {
    "getppid": "getppid: not a call we follow",
    "http-exchange": "HTTP, a new turn and an event each call",
    "redis-exchange": "Redis, the same",
    "postgresql-exchange": "PostgreSQL, the same",
}


def measure(settings, sonde):
    """{case: ns per call}"""
    command = [*pinned(0), os.path.join(settings.programs, "call_cost"), "-s", str(settings.call_seconds), *CASES]
    with Agent(settings, sonde=sonde, cpu=1):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {line.split()[0]: float(line.split()[1]) for line in done.stdout.splitlines()}


def run(settings):
    if not settings.other:
        raise BenchError("needs the other build: --other PATH")
    found = {sonde: {case: [] for case in CASES} for sonde in (settings.other, settings.sonde)}
    for _ in range(4 * settings.rounds):
        for sonde, cases in found.items():
            for case, ns in measure(settings, sonde).items():
                cases[case].append(ns)
    rows = []
    for case, text in CASES.items():
        other, this = (found[sonde][case] for sonde in (settings.other, settings.sonde))
        rows.append([text, f"{median(other):.0f}", f"{median(this):.0f}", f"{min(other):.0f}", f"{min(this):.0f}",
                     f"{pairwise(other, this, lambda a, b: b - a):+.0f}"])
    show(f"builds: nanoseconds of the caller's CPU time per call, {4 * settings.rounds} rounds",
         ["call", "other", "this", "least other", "least this", "this-other"], rows, ["of a request the serving side makes two calls"])
