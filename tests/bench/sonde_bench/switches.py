# SPDX-License-Identifier: Apache-2.0
"""What a switch of the scheduler costs with --blocked-causes: two threads on one processor that wait for each other by futex."""

import contextlib
import os
import subprocess

from .table import median, pairwise, show
from .traffic import Agent, pinned

CASES = {"switch": "threads that handle no requests", "switch-served": "threads that do: each switch ends a wait and begins one"}
MODES = {"nothing": None, "sonde": (), "with causes": ("--blocked-causes",)}


def measure(settings):
    """{case: ns per switch}"""
    command = [*pinned(0), os.path.join(settings.programs, "call_cost"), "-s", str(settings.call_seconds), *CASES]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {line.split()[0]: float(line.split()[1]) for line in done.stdout.splitlines()}


def run(settings):
    found = {mode: {case: [] for case in CASES} for mode in MODES}
    for _ in range(settings.rounds):
        for mode, options in MODES.items():
            with contextlib.nullcontext() if options is None else Agent(settings, *options, cpu=1):
                for case, ns in measure(settings).items():
                    found[mode][case].append(ns)
    rows = []
    for case, text in CASES.items():
        values = [found[mode][case] for mode in MODES]
        rows.append([text, *(f"{median(of):.0f}" for of in values), f"{pairwise(values[1], values[2], lambda a, b: b - a):+.0f}"])
    show(f"switches: nanoseconds of a thread's CPU time for each time it leaves its processor, medians of {settings.rounds} rounds",
         ["threads", *MODES, "causes-sonde"], rows,
         ["two futex calls each time, which sys_exit sees as well; the agent runs on the other processor"])
