# SPDX-License-Identifier: Apache-2.0
"""Conversations of real servers, cut at every byte: however the calls fall, the counts are those of whole messages."""

from sonde_test import talks
from sonde_test.runner import test

# Two programs that do nothing but talk keep the agent waiting.
OPTIONS = ("--ring-bytes", 64 << 20, *talks.ONLY)


def shapes(talk):
    """Whole; cut in two at every place, by the writer, the reader and both; in small pieces."""
    most = talks.longest(talk) - 1
    return ["whole/whole/1/50", *(f"{cuts}/1/{most}" for cuts in ("split/split", "split/whole", "whole/split")),
            "size/size/1/20", "size/whole/1/3", "whole/size/1/3"]


def add(protocol):
    def run(t):
        talks.exact(t, t.agent(*OPTIONS), protocol, shapes)
    run.__name__ = f"shapes_of_{protocol}"
    test()(run)


for name in talks.COUNTS:
    add(name)
