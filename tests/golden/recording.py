# SPDX-License-Identifier: Apache-2.0
"""The form of a recording (user/ring/recording.h), as far as the tools of this folder need it."""
import struct
import zlib

HEADER_BYTES = 64
RECORD = struct.Struct("<II")  # length, CRC-32
EVENT = struct.Struct("<QIHH")  # ktime_ns, tgid, kind, size
GAP, EXEC, FORK = 0, 1, 2
EXEC_LENGTHS = struct.Struct("<HHHHH")  # path, arguments, service name, attributes, control group
EXEC_LENGTHS_AT, EXEC_BYTES = 32, 64
FORK_CHILD = struct.Struct("<I")
FORK_CHILD_AT = 24


class Event:
    """`record` is what the file holds, byte for byte."""

    def __init__(self, record, body):
        self.record, self.body = record, body
        self.ktime_ns, self.tgid, self.kind, self.size = EVENT.unpack_from(body)

    @property
    def forked(self):
        return FORK_CHILD.unpack_from(self.body, FORK_CHILD_AT)[0]

    def exec_strings(self):
        """path, arguments, service name, attributes, control group"""
        at = EXEC_BYTES
        for length in EXEC_LENGTHS.unpack_from(self.body, EXEC_LENGTHS_AT):
            yield self.body[at:at + length]
            at += length


def read(data):
    """Returns the header's bytes and the events."""
    if data[:8] != b"SONDERNG":
        raise ValueError("no recording")
    events, at = [], HEADER_BYTES
    while at < len(data):
        length, crc = RECORD.unpack_from(data, at)
        end = at + RECORD.size + (length + 7) // 8 * 8
        body = data[at + RECORD.size:at + RECORD.size + length]
        if zlib.crc32(body, zlib.crc32(struct.pack("<I", length))) != crc:
            raise ValueError(f"damaged record at byte {at}")
        events.append(Event(data[at:end], body))
        at = end
    return data[:HEADER_BYTES], events


def family(events, roots):
    """The processes that descend from the roots."""
    members = set(roots)
    for event in events:
        if event.kind == FORK and event.tgid in members:
            members.add(event.forked)
    return members
