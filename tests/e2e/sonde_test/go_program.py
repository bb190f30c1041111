# SPDX-License-Identifier: Apache-2.0
"""Programs that are built from Go modules."""

import functools
import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
FETCH = os.path.join(HERE, "..", "fetch-go.sh")
CACHE = os.environ.get("SONDE_CACHE") or os.path.join(HERE, "..", "..", "..", ".cache", "vm")

BUILT_GO = os.path.join(HERE, "..", "..", "..", "build", "tests", "goroutines")  # by make, for guests too


@functools.cache
def go_program(name):
    """Where it is, built if need be; None: it could not be built."""
    done = subprocess.run([FETCH, name], capture_output=True)
    return os.path.join(os.path.realpath(CACHE), name, name) if done.returncode == 0 else None
