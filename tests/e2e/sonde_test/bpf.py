# SPDX-License-Identifier: Apache-2.0
"""Which BPF objects exist, asked of the kernel itself: bpftool is not in the guests."""

import ctypes
import os
import platform
import re

_NR_BPF = {"x86_64": 321, "aarch64": 280}.get(platform.machine())
_GET_NEXT_ID = {"prog": 11, "map": 12, "link": 31}
_libc = ctypes.CDLL(None, use_errno=True)


def ids(kind):
    """The ids of all objects of a kind (prog, map, link)."""
    found, attr = set(), (ctypes.c_uint32 * 32)()
    while True:
        if _libc.syscall(_NR_BPF, _GET_NEXT_ID[kind], ctypes.byref(attr), ctypes.sizeof(attr)) != 0:
            return found
        found.add(attr[1])
        attr[0] = attr[1]


def held_by(pid):
    """The objects that a process has descriptors of: {(kind, id)}."""
    held = set()
    for name in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            with open(f"/proc/{pid}/fdinfo/{name}") as file:
                text = file.read()
        except OSError:
            continue
        for kind, number in re.findall(r"^(prog|map|link)_id:\s+(\d+)", text, re.M):
            held.add((kind, int(number)))
    return held


def still_there(objects):
    """Those of `objects` that exist. The kernel frees them a little after the last reference."""
    alive = {kind: ids(kind) for kind in {kind for kind, _ in objects}}
    return sorted((kind, number) for kind, number in objects if number in alive[kind])
