# SPDX-License-Identifier: Apache-2.0
"""Runs tests one after the other and prints TAP; whatever a test leaves behind is its failure."""

import ctypes
import functools
import importlib.util
import json
import subprocess
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback

from . import namespaces, node, opensearch, pypi
from .agent import LOST, Agent, balance
from .cgroups import has_quota
from .dns import Dnsmasq, Named, Unbound
from .ferretdb import FerretDB, ferretdb
from .go_program import BUILT_GO, go_program
from .jaeger import Jaeger
from .kafka import Kafka
from .mariadb import MariaDB
from .memcached import Memcached
from .namespaces import Namespaces, works
from .nginx import Nginx
from .otelcol import Collector
from .php import Php, program as php_program
from .postgresql import Postgres, programs as postgresql_programs
from .process import Process, children, command_of, wait_until
from .rabbitmq import RabbitMQ
from .redis import Redis

_PR_SET_CHILD_SUBREAPER = 36
TESTS = []
DIFFERENCES_SHOWN = 12
SLOW_DISK = "/dev/slow-disk"  # tests/vm/run.sh --slow-disk


class Skip(Exception):
    pass


def test(needs=(), guest=False, attempts=1):
    """A test; needs: names of checks below; guest: also part of the short run in a guest; attempts: how often it is run where the agent
    itself tells, with a balance that is right, that a ring ran over: a machine that gives the reader no processor is no defect of it."""
    def add(function):
        function.needs, function.in_guest, function.attempts = needs, guest, attempts
        TESTS.append(function)
        return function
    return add


def tool(name):
    return shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")


def _has_module(name):
    return importlib.util.find_spec(name) is not None


def _has_netns():
    name = f"sonde-probe-{os.getpid()}"
    if not works("ip", "netns", "add", name):
        return False
    return works("ip", "netns", "del", name)


def _has_device(*args):
    name = f"sonde-probe-{os.getpid()}"
    if not works("ip", "netns", "add", name):
        return False
    try:
        return all(works("ip", "netns", "exec", name, *arg) for arg in args)
    finally:
        works("ip", "netns", "del", name)


NEEDS = {
    "root": (lambda: os.geteuid() == 0, "not root"),
    "ipv6": (lambda: os.path.exists("/proc/net/if_inet6") and
             "00000000000000000000000000000001" in open("/proc/net/if_inet6").read(), "no IPv6 loopback"),
    "netns": (_has_netns, "no network namespaces"),
    "veth": (lambda: _has_device(["ip", "link", "add", "va", "type", "veth", "peer", "name", "vb"]), "no veth"),
    "tun": (lambda: os.path.exists("/dev/net/tun") and
            _has_device(["ip", "tuntap", "add", "dev", "ta", "mode", "tun"]), "no tun device"),
    "netem": (lambda: _has_device(["tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "20ms"]),
              "this kernel has no netem"),
    "numgen": (lambda: tool("nft") and _has_device(["nft", "add table inet t; add chain inet t c; add rule inet t c numgen inc mod 4 0 drop"]),
               "no nft, or its kernel cannot count packets"),
    "disk": (lambda: os.path.exists(SLOW_DISK) or os.major(os.stat(tempfile.gettempdir()).st_dev) != 0, "temporary files are on no disk"),
    "cpu-quota": (has_quota, "no control groups with CPU quotas"),
    "grpc": (lambda: works("/usr/bin/python3", "-c", "import grpc"), "python3-grpcio is not installed"),
    "php-fpm": (php_program, "php-fpm is not installed"),
    "javac": (lambda: tool("javac") and tool("java"), "openjdk-17-jdk-headless is not installed"),
    "java": (lambda: tool("java") and tool("mvn"), "openjdk-17-jre-headless or maven is not installed"),
    "confluent_kafka": (lambda: works("/usr/bin/python3", "-c", "import confluent_kafka"), "python3-confluent-kafka is not installed"),
    "kafka-python": (lambda: works("/usr/bin/python3", "-c", "import kafka"), "python3-kafka is not installed"),
    "pymemcache": (lambda: _has_module("pymemcache"), "python3-pymemcache is not installed"),
    "ferretdb": (ferretdb, "tests/e2e/fetch-ferretdb.sh could not build it"),
    "goroutines": (lambda: os.path.exists(BUILT_GO), "tests/e2e/fetch-go.sh could not build it"),
    "jaeger": (lambda: go_program("jaeger"), "tests/e2e/fetch-go.sh could not build it"),
    "otelcol": (lambda: go_program("otelcol"), "tests/e2e/fetch-go.sh could not build it"),
    "promparse": (lambda: go_program("promparse"), "tests/e2e/fetch-go.sh could not build it"),
    "pymongo": (lambda: _has_module("pymongo"), "python3-pymongo is not installed"),
    "pika": (lambda: _has_module("pika"), "python3-pika is not installed"),
    "pymysql": (lambda: _has_module("pymysql"), "python3-pymysql is not installed"),
    "pypi-packages": (pypi.install, "pip cannot install the packages of tests/e2e/python"),
    "opentelemetry-sdk": (pypi.install_opentelemetry, "pip cannot install the packages of tests/e2e/python"),
    "node-packages": (node.install, "npm cannot install the packages of tests/e2e/node"),
    "opensearch": (opensearch.install, "mvn cannot install the libraries of tests/e2e/java"),
    "jsonrpclib": (lambda: works("/usr/bin/python3", "-c", "import jsonrpclib"), "python3-jsonrpclib-pelix is not installed"),
    "websockets": (lambda: works("/usr/bin/python3", "-c", "import websockets"), "python3-websockets is not installed"),
    "postgresql": (lambda: postgresql_programs() and tool("setpriv"), "postgresql is not installed"),
    "psycopg": (lambda: works("/usr/bin/python3", "-c", "import psycopg"), "python3-psycopg is not installed"),
    "psycopg2": (lambda: works("/usr/bin/python3", "-c", "import psycopg2"), "python3-psycopg2 is not installed"),
}


def missing(need):
    """Why a need is not met, or None."""
    if need in NEEDS:
        check, reason = NEEDS[need]
        return None if check() else reason
    return None if tool(need) else f"{need} is not installed"


class Context:
    """What a test works with. Failed claims are collected, so that one run says all that is wrong."""

    def __init__(self, settings, name):
        self.settings, self.name = settings, name
        self.guest = settings.guest
        self.patience = 10 if settings.guest else 2
        self.directory = tempfile.mkdtemp(prefix="sonde-e2e-")
        self.sonde = settings.sonde
        self.failures, self.closers, self.agents = [], [], []
        self.where = ""
        self.a_ring_ran_over = False

    # Starting things.

    def agent(self, *options, **keywords):
        agent = Agent(self.sonde, self.directory, options, self.patience, **keywords)
        self.closers.append(agent.stop)
        self.agents.append(agent)
        return agent

    def program(self, name):
        return os.path.join(self.settings.programs, name)

    def spawn(self, program, *args, **keywords):
        """Starts one of tests/e2e/programs, or any program by its path."""
        path = program if program.startswith("/") else self.program(program)
        process = Process([path, *args], self.directory, **keywords)
        self.closers.append(process.stop)
        return process

    def serve(self, program, *args, **keywords):
        """Starts a program that says "ready PORT"; returns (process, port)."""
        process = self.spawn(program, *args, **keywords)
        return process, process.wait_port()

    def nginx(self, **keywords):
        server = Nginx(self.directory, patience=self.patience, has_ipv6=not missing("ipv6"), **keywords)
        self.closers.append(server.stop)
        return server

    def redis(self, **keywords):
        server = Redis(self.directory, patience=self.patience, **keywords)
        self.closers.append(server.stop)
        return server

    def kafka(self, **keywords):
        server = Kafka(self.directory, patience=self.patience, **keywords)
        self.closers.append(server.stop)
        return server

    def memcached(self, **keywords):
        server = Memcached(self.directory, patience=self.patience, **keywords)
        self.closers.append(server.stop)
        return server

    def opensearch(self, **keywords):
        server = opensearch.OpenSearch(self.directory, patience=self.patience, **keywords)
        self.closers.append(server.stop)
        return server

    def unbound(self, **keywords):
        server = Unbound(self.directory, patience=self.patience, has_ipv6=not missing("ipv6"), **keywords)
        self.closers.append(server.stop)
        return server

    def dnsmasq(self, **keywords):
        server = Dnsmasq(self.directory, patience=self.patience, **keywords)
        self.closers.append(server.stop)
        return server

    def named(self, **keywords):
        server = Named(self.directory, patience=self.patience, **keywords)
        self.closers.append(server.stop)
        return server

    def rabbitmq(self, **keywords):
        server = RabbitMQ(self.directory, patience=self.patience, **keywords)
        self.closers.append(server.stop)
        return server

    def ferretdb(self, **keywords):
        server = FerretDB(self.directory, patience=self.patience, **keywords)
        self.closers.append(server.stop)
        return server

    def collector(self, **keywords):
        server = Collector(self.directory, patience=self.patience, **keywords)
        self.closers.append(server.stop)
        return server

    def jaeger(self, **keywords):
        server = Jaeger(self.directory, patience=self.patience, **keywords)
        self.closers.append(server.stop)
        return server

    def mariadb(self, **keywords):
        server = MariaDB(self.directory, patience=self.patience, **keywords)
        self.closers.append(server.stop)
        return server

    def php(self, service, **keywords):
        server = Php(self.directory, service, patience=self.patience, **keywords)
        self.closers.append(server.stop)
        return server

    def postgresql(self, **keywords):
        server = Postgres(self.directory, patience=self.patience, **keywords)
        self.closers.append(server.stop)
        return server

    def namespaces(self, wire="veth"):
        made = Namespaces(os.getpid(), wire)
        self.closers.append(made.close)
        return made

    def path(self, name):
        return os.path.join(self.directory, name)

    def need(self, *needs):
        for need in needs:
            reason = missing(need)
            if reason:
                raise Skip(reason)

    # Claims.

    def fail(self, text):
        self.failures.append(f"{self.where}{text}")

    def check(self, claim, text):
        if not claim:
            self.fail(text)
        return bool(claim)

    def equal(self, got, want, what):
        if got == want:
            return True
        if isinstance(got, dict) and isinstance(want, dict):
            lines = [f"{what}:"]
            for key in sorted({*got, *want}, key=str):
                if got.get(key, 0) != want.get(key, 0):
                    lines.append(f"  {key}: sonde {got.get(key, 0)}, witness {want.get(key, 0)}")
            if len(lines) == 1:  # only zeros differ
                return True
            lines[DIFFERENCES_SHOWN:] = lines[DIFFERENCES_SHOWN:] and [f"  … {len(lines) - DIFFERENCES_SHOWN} more"]
            self.fail("\n".join(lines))
        else:
            self.fail(f"{what}: sonde {got}, witness {want}")
        return False

    def near(self, got, want, what, absolute, relative):
        """Within `absolute` or `relative`, whichever is wider."""
        allowed = max(absolute, relative * abs(want))
        if abs(got - want) <= allowed:
            return True
        self.fail(f"{what}: sonde {got:.6f}, witness {want:.6f}, allowed difference {allowed:.6f}")
        return False

    def nothing_lost(self, agent):
        self.equal(agent.scrape().by(LOST, "kind", "reason"), {}, "lost events")
        self.balanced(agent)

    def balanced(self, agent):
        """Events are produced while a scrape reads the counters: only a lasting difference is one."""
        last = [{}]

        def is_even():
            last[0] = balance(agent.scrape())
            return not last[0]
        wait_until(is_even, 5 * self.patience)
        for kind, (produced, consumed, lost) in last[0].items():
            self.fail(f"{kind}: produced {produced:g}, consumed {consumed:g} + lost {lost:g}")
        return not last[0]

    # The end.

    def explain(self):
        """What the agents themselves say of things missed, to a failed test."""
        for agent in self.agents:
            if agent.process.is_alive():
                metrics = agent.scrape()
                if metrics.total(LOST, reason="ring_full") and self.balanced(agent):
                    self.a_ring_ran_over = True
                for name, label in ((LOST, "reason"), ("sonde_bpf_recursion_misses_total", "program")):
                    self.failures.extend(f"{name} {key}: {value}" for key, value in metrics.by(name, label).items())

    def close(self):
        if self.failures:
            self.closers.append(self.explain)
        for closer in reversed(self.closers):
            try:
                closer()
            except Exception as error:  # the next closers must run
                self.fail(f"cleaning up: {error}")

    def look_for_leftovers(self):
        for agent in self.agents:
            left = agent.left_behind()
            if left:
                self.fail(f"BPF objects left behind: {left}")
        left = wait_until(lambda: not children(), 3) or children()
        if left is not True:
            for pid in left:
                self.fail(f"process left behind: {pid} {command_of(pid)}")
                os.kill(pid, signal.SIGKILL)
        for name in namespaces.existing():
            if name.startswith(f"sonde-{os.getpid()}-"):
                self.fail(f"network namespace left behind: {name}")
                works("ip", "netns", "del", name)
        reap()


def reap():
    """Orphans of our tests come to us."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0] > 0:
            pass
    except ChildProcessError:
        pass


def _run_one(function, settings):
    """Returns (failures, skip reason)."""
    for need in function.needs:
        reason = missing(need)
        if reason:
            return [], reason
    # A guest's processors are emulated by a thread, which its host lets wait when it likes to: twice in a row is no accident.
    attempts = max(function.attempts, 2) if settings.guest else function.attempts
    for attempt in range(1, attempts + 1):
        failures, skip, a_ring_ran_over = _attempt(function, settings)
        if not failures or attempt == attempts or not (a_ring_ran_over or settings.guest):
            return failures, skip
        print(f"# {function.__name__}: attempt {attempt} of {attempts}{', a ring ran over' * a_ring_ran_over}: {failures[0][:200]}")


def _attempt(function, settings):
    """Returns (failures, skip reason, a ring ran over)."""
    context = Context(settings, function.__name__)
    skip = None
    try:
        function(context)
    except Skip as reason:
        skip = str(reason)
    except AssertionError as error:
        context.fail(str(error) if str(error) else traceback.format_exc())
    except Exception:
        context.fail(traceback.format_exc())
    context.close()
    context.look_for_leftovers()
    if context.failures:
        for agent in context.agents:
            context.failures.append(f"agent's log: {agent.log().strip()}")
    if context.failures and settings.keep:
        context.failures.append(f"files: {context.directory}")
    else:
        shutil.rmtree(context.directory, ignore_errors=True)
    return context.failures, skip, context.a_ring_ran_over


def _cannot_run(settings):
    if not os.path.exists(settings.sonde):
        return f"{settings.sonde} is not built"
    return missing("root")


def run(settings):
    """Returns the exit status."""
    selected = [function for function in TESTS
                if settings.filter in function.__name__ and (function.in_guest or not settings.guest)]
    if settings.list:
        for function in selected:
            print(function.__name__)
        return 0
    # A test's orphans become our children instead of init's, and can be found.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    os.environ["LC_ALL"] = "C.UTF-8"
    print(f"1..{len(selected)}", flush=True)
    reason = _cannot_run(settings)
    failed = 0
    for number, function in enumerate(selected, 1):
        began = time.monotonic()
        failures, skip = ([], reason) if reason else _run_one(function, settings)
        name = f"{number} {function.__name__}"
        if failures:
            failed += 1
            print(f"not ok {name}")
            for failure in failures:
                print("  # " + failure.rstrip().replace("\n", "\n  # "))
        elif skip:
            print(f"ok {name} # SKIP {skip}")
        else:
            print(f"ok {name}")
        if settings.times:
            print(f"# {time.monotonic() - began:.1f} s")
        sys.stdout.flush()
    return 1 if failed else 0
