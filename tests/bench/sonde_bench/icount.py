# SPDX-License-Identifier: Apache-2.0
"""Instructions, counted: a guest with one processor runs one instruction a nanosecond of its own time, so that figures
repeat to half a percent whatever the machine does meanwhile. A short run is taken from a long one: starting costs cancel."""

import os
import subprocess

from .table import show
from .traffic import HERE, BenchError

# Mode: what to call it, and the mode that it is compared with.
MODES = {
    "nothing": ("nothing attached", "nothing"),
    "empty": ("empty sys_exit program", "nothing"),
    "sonde": ("sonde", "nothing"),
    "bystander": ("sonde, nginx and wrk not selected", "nothing"),
    "nothing-again": ("nothing attached, once more", "nothing"),
    "nothing-varied": ("nothing attached, each request with a trace ID", "nothing-varied"),
    "sonde-varied": ("sonde, each request with a trace ID", "nothing-varied"),
}
CALLS = ("nothing", "empty", "sonde", "bystander")
ROOMS = {
    "decode": "decode, per event",
    "feed": "decode and correlate, per event",
    "feed-series": "decode, correlate, aggregate, per event",
    "observe": "one observation (series_observe)",
    "snapshot": "snapshot, per series of 2000",
    "render": "Prometheus text, per series of 2000",
    "otlp": "OTLP with classic buckets, per series of 2000",
    "otlp-exponential": "OTLP with exponential buckets, per series of 2000",
}


def run_guest(settings):
    vm = os.path.join(HERE, "..", "vm")
    for script in (["fetch-kernels.sh", settings.kernel], ["fetch-qemu.sh"]):
        subprocess.run([os.path.join(vm, script[0]), *script[1:]], stdout=subprocess.DEVNULL, check=True)
    args = [os.path.join(vm, "run.sh"), settings.kernel, "--icount", "--timeout", "900", "--add", settings.sonde + ":/test/sonde"]
    for program in ("call_cost", "attach_empty", "room_cost"):
        args += ["--add", f"{os.path.join(settings.programs, program)}:/test/{program}"]
    for name in ("guest.sh", "nginx.conf", "done.lua", "varied.lua"):
        args += ["--add", os.path.join(HERE, name)]
    done = subprocess.run([*args, "--", "bash", "/test/guest.sh", "1", str(settings.guest_seconds)],
                          stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise BenchError(f"the guest ended with {done.returncode}:\n{done.stdout[-2000:]}")
    return [line.split() for line in done.stdout.splitlines() if line]


def wrk_rows(lines):
    runs = {}
    for line in lines:
        if line[0] == "wrk":
            runs.setdefault(line[1], []).append([int(number) for number in line[2:]])
    rows, totals = [], {}
    for mode, (text, base_mode) in MODES.items():
        short, long = runs[mode]
        requests = long[0] - short[0]
        total, agent, nginx = ((long[i] - short[i]) * scale / requests for i, scale in ((1, 1000), (2, 1), (3, 1)))
        totals[mode] = total
        base = totals[base_mode]
        rows.append([text, f"{total:,.0f}", f"{total - base:+,.0f}", f"{agent:,.0f}", f"{total - base - agent:+,.0f}", f"{nginx:,.0f}"])
    return rows


def call_rows(lines):
    found = {(line[1], line[2]): float(line[3]) for line in lines if line[0] == "call"}
    cases = dict.fromkeys(case for _, case in found)
    return [[case, *(f"{found[mode, case]:,.0f}" for mode in CALLS),
             f"{found['sonde', case] - found['empty', case]:+,.0f}"] for case in cases]


def run(settings):
    lines = run_guest(settings)
    notes = [" ".join(line[1:]) for line in lines if line[0] == "note"]
    for line in lines:
        if line[0] == "bpf":
            run_ns, runs, requests = map(int, line[1:])
            notes.append(f"of these in sonde's programs, measured by the kernel: {run_ns / requests:,.0f} a request, "
                         f"in {runs / requests:.1f} runs (its measuring included)")
    show(f"icount: instructions per nginx request, both ends, kernel {settings.kernel}",
         ["attached", "all", "over nothing", "agent", "elsewhere", "nginx"], wrk_rows(lines), notes)
    show("icount: instructions of the caller per system call", ["call", *CALLS, "sonde-empty"], call_rows(lines))
    show("icount: instructions in user space", ["room", "instructions"],
         [[ROOMS[line[1]], f"{float(line[2]):,.0f}"] for line in lines if line[0] == "room" and line[1] in ROOMS])
