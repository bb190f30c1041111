# SPDX-License-Identifier: Apache-2.0
"""The Prometheus text formats, read strictly: what a scraper would refuse is an error here."""

import re
from collections import Counter

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"')
_ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


class FormatError(Exception):
    pass


def _parse_labels(text, line):
    labels, at = {}, 0
    while at < len(text):
        match = _LABEL.match(text, at)
        if not match:
            raise FormatError(f"bad labels: {line}")
        if match[1] in labels:
            raise FormatError(f"label {match[1]} twice: {line}")
        labels[match[1]] = re.sub(r'\\[\\"n]', lambda found: _ESCAPES[found[0]], match[2])
        at = match.end()
        if at < len(text):
            if text[at] != ",":
                raise FormatError(f"bad labels: {line}")
            at += 1
    return labels


class Sample:
    __slots__ = ("name", "labels", "value")

    def __init__(self, name, labels, value):
        self.name, self.labels, self.value = name, labels, value

    def __repr__(self):
        inside = ",".join(f'{key}="{value}"' for key, value in self.labels.items())
        return f"{self.name}{{{inside}}} {self.value:g}"


class Metrics:
    """One scrape."""

    def __init__(self, text):
        self.text = text
        self.samples = []
        self.types = {}
        self.by_name = {}
        seen = set()
        if text and not text.endswith("\n"):
            raise FormatError("the last line does not end")
        for line in text.split("\n"):
            if line.startswith("#"):
                self._comment(line)
            elif line:
                sample = self._sample(line)
                key = (sample.name, tuple(sorted(sample.labels.items())))
                if key in seen:
                    raise FormatError(f"series twice: {line}")
                seen.add(key)
                self.samples.append(sample)
                self.by_name.setdefault(sample.name, []).append(sample)

    def _comment(self, line):
        words = line.split(" ", 3)
        if len(words) >= 4 and words[1] == "TYPE":
            if words[2] in self.types:
                raise FormatError(f"TYPE twice: {line}")
            self.types[words[2]] = words[3]

    @staticmethod
    def _sample(line):
        match = _NAME.match(line)
        if not match:
            raise FormatError(f"bad name: {line}")
        rest, labels = line[match.end():], {}
        if rest.startswith("{"):
            # The closing brace is the last one: values may hold braces, the number cannot.
            inside, brace, rest = rest[1:].rpartition("}")
            if not brace:
                raise FormatError(f"bad labels: {line}")
            labels = _parse_labels(inside, line)
        words = rest.split()
        if len(words) not in (1, 2):
            raise FormatError(f"bad value: {line}")
        return Sample(match[0], labels, float(words[0]))

    def find(self, name, **labels):
        """Samples whose labels are as said; a value may be a function, None means absent or empty."""
        return [sample for sample in self.by_name.get(name, ())
                if all(want(sample.labels.get(key)) if callable(want) else
                       (sample.labels.get(key) or None) == (None if want is None else str(want))
                       for key, want in labels.items())]

    def total(self, name, **labels):
        return sum(sample.value for sample in self.find(name, **labels))

    def by(self, name, *keys, **labels):
        """Sums by the values of the labels `keys` (a tuple of them, or the value when there is one)."""
        sums = Counter()
        for sample in self.find(name, **labels):
            key = tuple(sample.labels.get(key, "") for key in keys)
            sums[key[0] if len(keys) == 1 else key] += sample.value
        return Counter({key: int(value) if value == int(value) else value for key, value in sums.items() if value})

    def has(self, name):
        return name in self.by_name or name in self.types


def minus(after, before):
    """Counters grown between two scrapes; keys that did not grow are left out."""
    return Counter({key: value - before.get(key, 0) for key, value in after.items()
                    if value != before.get(key, 0)})
