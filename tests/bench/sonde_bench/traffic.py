# SPDX-License-Identifier: Apache-2.0
"""The programs that a benchmark starts, each ended with its `with` block."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class BenchError(Exception):
    pass


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(claim, what, seconds=30, every=0.01):
    deadline = time.monotonic() + seconds
    while not claim():
        if time.monotonic() > deadline:
            raise BenchError(f"waited {seconds} s: {what}")
        time.sleep(every)


def pinned(cpu):
    """The start of a command line that keeps a program on one processor; nothing when there is only one."""
    return ["taskset", "-c", str(cpu)] if (os.cpu_count() or 1) > 1 else []


class Program:
    """A child in a directory of its own."""

    def __init__(self, **popen):
        self.directory = tempfile.mkdtemp(prefix="sonde-bench-")
        self.popen = None
        self.arguments = popen

    def start(self, args):
        with open(os.path.join(self.directory, "log"), "wb") as log:
            self.popen = subprocess.Popen(args, stderr=log, **{"stdout": subprocess.DEVNULL, **self.arguments})

    def log(self):
        with open(os.path.join(self.directory, "log"), errors="replace") as file:
            return file.read()[-2000:]

    def is_alive(self):
        return self.popen.poll() is None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.is_alive():
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(20)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


class Agent(Program):
    def __init__(self, settings, *options, cpu=None, wait=True, sonde=None):
        super().__init__()
        self.url = f"http://127.0.0.1:{free_port()}"
        self.socket = os.path.join(self.directory, "sock")
        self.started = time.monotonic()
        self.start([*(pinned(cpu) if cpu is not None else []), sonde or settings.sonde, "agent", "--listen", self.url[7:],
                    "--socket", self.socket, *options])
        if wait:
            self.wait_ready()

    def wait_ready(self):
        try:
            wait_until(lambda: self.get("/readyz") is not None or not self.is_alive(), "the agent is not ready", every=0.005)
            if not self.is_alive():
                raise BenchError(f"the agent ended: {self.log()}")
        except BenchError:
            self.__exit__()
            raise
        return time.monotonic() - self.started

    def get(self, path):
        """The body, or None when there is no good answer."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as response:
                return response.read().decode()
        except (urllib.error.URLError, OSError):
            return None

    def metrics(self):
        """{series as written: value}"""
        body = self.get("/metrics") or ""
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in body.splitlines() if line[:1] != "#"}

    def total(self, start, *parts, metrics=None):
        """The sum of the series whose text starts with `start` and holds all parts."""
        return sum(value for series, value in (metrics or self.metrics()).items()
                   if series.startswith(start) and all(part in series for part in parts))

    def requests(self, metrics=None):
        return self.total("http_server_request_duration_seconds_count", 'service_name="nginx"', metrics=metrics)

    def lost(self):
        return self.total("sonde_events_lost_total")

    def cpu_seconds(self):
        with open(f"/proc/{self.popen.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss(self):
        with open(f"/proc/{self.popen.pid}/status") as file:
            return int(re.search(r"VmRSS:\s+(\d+) kB", file.read())[1]) * 1024

    def map_bytes(self):
        """{map name or type: bytes that the kernel holds for it}, of the maps that the agent has open."""
        found = {}
        for number in os.listdir(f"/proc/{self.popen.pid}/fdinfo"):
            try:
                with open(f"/proc/{self.popen.pid}/fdinfo/{number}") as file:
                    fields = dict(line.split(":", 1) for line in file if ":" in line)
            except OSError:
                continue
            if "map_type" in fields:  # links of iterators name their map, too
                found[int(fields["map_id"])] = (int(fields["map_type"]), int(fields["memlock"]))
        return found


class Empty(Program):
    """An empty program on sys_exit."""

    def __init__(self, settings):
        super().__init__(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.start([os.path.join(settings.programs, "attach_empty")])
        if self.popen.stdout.readline() != b"ready\n":
            raise BenchError(f"attach_empty: {self.log()}")

    def __exit__(self, *reason):
        self.popen.stdin.close()
        self.popen.wait(20)
        self.popen.stdout.close()
        super().__exit__(*reason)


class Nginx(Program):
    def __init__(self):
        super().__init__()
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/"
        with open(os.path.join(HERE, "nginx.conf")) as file:
            text = file.read().replace("@DIR@", self.directory).replace("@PORT@", str(port))
        path = os.path.join(self.directory, "nginx.conf")
        with open(path, "w") as file:
            file.write(text)
        os.chmod(self.directory, 0o755)
        self.start(["/usr/sbin/nginx", "-c", path, "-p", self.directory])
        self.port = port
        wait_until(self.answers, "nginx does not answer")

    def answers(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def wrk(url, seconds):
    """Returns (requests, seconds, errors)."""
    done = subprocess.run(["wrk", "-t1", "-c16", f"-d{seconds}s", "-s", os.path.join(HERE, "done.lua"), url],
                          capture_output=True, text=True, check=True)
    requests, microseconds, errors = map(int, done.stdout.splitlines()[-1].split())
    return requests, microseconds / 1e6, errors
