# SPDX-License-Identifier: Apache-2.0
"""What a system call costs with nothing on sys_exit, with an empty program, and with sonde."""

import contextlib
import os
import subprocess

from .table import median, pairwise, show
from .traffic import Agent, Empty, pinned

CASES = {
    "getppid": "getppid: not a call we follow",
    "close-fails": "close(-1): fails, is counted",
    "null-write": "write to /dev/null: followed, but no socket",
    "tcp-write": "write to a TCP socket, one long turn",
    "tcp-exchange": "TCP, new turn each call, no known protocol",
    "http-exchange": "HTTP, new turn and event each call",
}
MODES = ("nothing", "empty", "sonde")


def attached(mode, settings):
    if mode == "sonde":
        return Agent(settings, cpu=1)
    return Empty(settings) if mode == "empty" else contextlib.nullcontext()


def measure(settings):
    """{case: ns per call}"""
    command = [*pinned(0), os.path.join(settings.programs, "call_cost"), "-s", str(settings.call_seconds)]
    if (os.cpu_count() or 1) > 1:
        command += ["-d", "1"]
    done = subprocess.run([*command, *CASES], capture_output=True, text=True, check=True)
    return {line.split()[0]: float(line.split()[1]) for line in done.stdout.splitlines()}


def run(settings):
    found = {mode: {case: [] for case in CASES} for mode in MODES}
    for _ in range(settings.rounds):
        for mode in MODES:
            with attached(mode, settings):
                for case, ns in measure(settings).items():
                    found[mode][case].append(ns)
    rows = []
    for case, text in CASES.items():
        nothing, empty, sonde = (found[mode][case] for mode in MODES)
        rows.append([text, *(f"{median(values):.0f}" for values in (nothing, empty, sonde)),
                     *(f"{pairwise(left, right, lambda a, b: b - a):+.0f}"
                       for left, right in ((nothing, empty), (nothing, sonde), (empty, sonde)))])
    show(f"sys_exit: nanoseconds of the caller's CPU time per system call, medians of {settings.rounds} rounds",
         ["call", "nothing", "empty", "sonde", "empty-nothing", "sonde-nothing", "sonde-empty"], rows,
         ["differences are taken round by round; the agent and the draining thread run on the other processor"])
