# SPDX-License-Identifier: Apache-2.0
"""Child processes: started with a service name of their own, never left behind."""

import json
import os
import signal
import subprocess
import time


def wait_until(claim, seconds, every=0.05):
    """Returns the first true value of claim(), or its last value when the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        value = claim()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(every)


def children():
    """Every process below this one; orphans of ours are handed to us (see runner)."""
    parents = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(name)] = (int(fields[1]), fields[0])
    below, grown = {os.getpid()}, True
    while grown:
        grown = {pid for pid, (parent, _) in parents.items() if parent in below} - below
        below |= grown
    return {pid for pid in below - {os.getpid()} if parents.get(pid, (0, "Z"))[1] != "Z"}


def command_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return "gone"


class Process:
    """A program that runs; its output goes to files, so that no pipe can fill up."""

    def __init__(self, args, directory, env=None, service=None, netns=None, stdin=False):
        if netns:
            args = ["ip", "netns", "exec", netns] + args
        environment = dict(os.environ, **(env or {}))
        for name in ("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"):
            if not env or name not in env:
                environment.pop(name, None)
        if service:
            environment["OTEL_SERVICE_NAME"] = service
        self.args = [str(arg) for arg in args]
        self.service = service
        number = len(os.listdir(directory))
        self.output_path = os.path.join(directory, f"{number:03}-{os.path.basename(self.args[0])}.out")
        self.error_path = self.output_path[:-4] + ".err"
        with open(self.output_path, "wb") as output, open(self.error_path, "wb") as error:
            self.popen = subprocess.Popen(self.args, env=environment, stdout=output, stderr=error,
                                          stdin=subprocess.PIPE if stdin else subprocess.DEVNULL)
        self.pid = self.popen.pid

    def output(self):
        with open(self.output_path, errors="replace") as file:
            return file.read()

    def error(self):
        with open(self.error_path, errors="replace") as file:
            return file.read()

    def objects(self):
        """The JSON objects it has printed, one a line."""
        return [json.loads(line) for line in self.output().splitlines() if line.startswith("{")]

    def is_alive(self):
        return self.popen.poll() is None

    def wait_line(self, start, seconds=30):
        """Waits for a whole line of output that starts so, and returns it."""
        def line():
            for text in self.output().splitlines(keepends=True):
                if text.startswith(start) and text.endswith("\n"):
                    return text.strip()
            return not self.is_alive() and "ended"
        found = wait_until(line, seconds, every=0.02)
        if not found or found == "ended":
            raise AssertionError(f"{' '.join(self.args)}: no line {start!r}: {self.output()}{self.error()}")
        return found

    def wait_port(self):
        """The port of a program that says "ready PORT"."""
        return int(self.wait_line("ready ").split()[1])

    def say(self, text="\n"):
        self.popen.stdin.write(text.encode())
        self.popen.stdin.flush()

    def wait(self, seconds=120, status=0):
        """Waits for the end; the exit status must be as said (None: any)."""
        try:
            got = self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{' '.join(self.args)}: still running after {seconds} s: {self.error()}")
        if status is not None and got != status:
            raise AssertionError(f"{' '.join(self.args)}: exit {got}: {self.output()[-2000:]}{self.error()[-2000:]}")
        return got

    def result(self, seconds=120):
        """Waits for the end and returns the one JSON object it printed."""
        self.wait(seconds)
        objects = self.objects()
        if len(objects) != 1:
            raise AssertionError(f"{' '.join(self.args)}: {len(objects)} results: {self.output()}{self.error()}")
        return objects[0]

    def stop(self, seconds=20):
        if self.is_alive():
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self):
        if self.is_alive():
            self.popen.kill()
        self.popen.wait()
