# SPDX-License-Identifier: Apache-2.0
"""Aligned tables, and the few sums that all benchmarks need."""

import os
import platform
import statistics


def median(values):
    return statistics.median(values)


def pairwise(left, right, combine):
    """Median over the rounds of what combine makes of a round's two figures: what moves both cancels."""
    return median([combine(a, b) for a, b in zip(left, right)])


def show(title, header, rows, notes=()):
    rows = [[str(cell) for cell in row] for row in [header, *rows]]
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    print(f"\n{title}")
    for row in rows:
        print("  " + "  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]).rstrip())
    for note in notes:
        print(f"  {note}")
    print(end="", flush=True)


def machine():
    with open("/proc/cpuinfo") as file:
        models = [line.split(":", 1)[1].strip() for line in file if line.startswith(("model name", "CPU part"))]
    return f"{os.cpu_count()} x {models[0] if models else platform.machine()}, Linux {platform.release()}"
