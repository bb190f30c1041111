# SPDX-License-Identifier: Apache-2.0
"""Control groups that may use only so much of a CPU, of either version."""

import contextlib
import os

ROOT = "/sys/fs/cgroup"
FIRST = f"{ROOT}/cpu"  # version 1, where it is mounted


def _write(path, value):
    with open(path, "w") as file:
        file.write(str(value))


def _root():
    return FIRST if os.path.exists(f"{FIRST}/cgroup.procs") else ROOT


def _limit(folder, quota_us, period_us):
    if _root() == FIRST:
        _write(f"{folder}/cpu.cfs_period_us", period_us)
        _write(f"{folder}/cpu.cfs_quota_us", quota_us)
    else:
        _write(f"{folder}/cpu.max", f"{quota_us} {period_us}")


@contextlib.contextmanager
def _controller():
    """Groups of version 2 have the controllers that the group above gives them."""
    control = f"{_root()}/cgroup.subtree_control"
    is_missing = _root() == ROOT and "cpu" not in open(control).read().split()
    if is_missing:
        _write(control, "+cpu")
    try:
        yield
    finally:
        if is_missing:
            _write(control, "-cpu")


@contextlib.contextmanager
def quota(quota_us, period_us, *pids):
    """The processes may use quota_us of each period_us. Gives the group's cpu.stat; they are in the topmost group afterwards."""
    folder = path_of_quota()
    with _controller():
        os.mkdir(folder)
        try:
            _limit(folder, quota_us, period_us)
            for pid in pids:
                _write(f"{folder}/cgroup.procs", pid)
            yield f"{folder}/cpu.stat"
        finally:
            with open(f"{folder}/cgroup.procs") as file:
                left = file.read().split()
            for pid in left:
                _write(f"{_root()}/cgroup.procs", pid)
            os.rmdir(folder)


def path_of_quota():
    return f"{_root()}/sonde-quota-{os.getpid()}"


def has_quota():
    try:
        with quota(10000, 100000):
            return True
    except OSError:
        return False
