# SPDX-License-Identifier: Apache-2.0
"""What a call that begins a turn costs in each mode of the kernel side: four calls an exchange, both ends seen."""

import contextlib
import os
import signal
import subprocess

from .table import median, pairwise, show
from .traffic import Agent, pinned

RINGS = ("--ring-bytes", str(64 << 20))  # nobody reads them while the agent is stopped
# mode, how the agent runs, which exchange
MODES = (
    ("ignore", ("--skip", "exe=*/call_cost"), "tcp-exchange", "the process is not selected"),
    ("lengths", (), "tcp-exchange", "no protocol we know: 64 bytes a call"),
    ("sniff", RINGS, "tcp-exchange", "the same, before that is known"),
    ("messages", (), "http-exchange", "HTTP: 43 bytes, 161 bytes"),
    ("stream", (), "redis-exchange", "Redis: 56 bytes, 5 bytes"),
    ("frames", (), "postgresql-exchange", "PostgreSQL: 50 bytes, 61 bytes"),
)


@contextlib.contextmanager
def stopped(agent):
    """Its verdicts come later."""
    agent.popen.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        agent.popen.send_signal(signal.SIGCONT)


def measure(settings, case):
    command = [*pinned(0), os.path.join(settings.programs, "call_cost"), "-s", str(settings.call_seconds), case]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[1])


def with_agent(settings, mode, options, case):
    with Agent(settings, *options, cpu=1) as agent:
        with stopped(agent) if mode == "sniff" else contextlib.nullcontext():
            return measure(settings, case)


def run(settings):
    bare = {case: [] for _, _, case, _ in MODES}
    seen = {mode: [] for mode, *_ in MODES}
    for _ in range(settings.rounds):
        for case, values in bare.items():
            values.append(measure(settings, case))
        for mode, options, case, _ in MODES:
            seen[mode].append(with_agent(settings, mode, options, case))
    rows = [[f"{mode}: {text}", f"{median(bare[case]):.0f}", f"{median(seen[mode]):.0f}",
             f"{pairwise(bare[case], seen[mode], lambda a, b: b - a):+.0f}"] for mode, _, case, text in MODES]
    show(f"modes: nanoseconds of the caller's CPU time per call, medians of {settings.rounds} rounds",
         ["mode", "nothing", "sonde", "difference"], rows, ["every call begins a turn; the agent runs on the other processor"])
