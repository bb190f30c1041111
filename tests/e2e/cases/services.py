# SPDX-License-Identifier: Apache-2.0
"""Processes carry the name that a person would call them by, however short they live."""

import os
import shutil
import socket

from sonde_test.runner import missing, test, tool

CONNECTS = "sonde_tcp_connects_total"
PYTHON_CONNECT = "import socket, sys\nsocket.create_connection(('127.0.0.1', int(sys.argv[1]))).close()\n"
NODE_CONNECT = "require('net').connect(Number(process.argv[2]), '127.0.0.1', function () { this.end(); });\n"


def in_systemd_unit():
    """A unit's name comes before what the command line says."""
    with open("/proc/self/cgroup") as file:
        return any(part.endswith(".service") for line in file for part in line.strip().split("/"))


def named(t, agent, pid, name):
    """The process's connect is counted under `name`."""
    metrics = agent.settle(lambda m: list(m.by(CONNECTS, "service_name", process_pid=pid)), [name])
    t.equal(list(metrics.by(CONNECTS, "service_name", process_pid=pid)), [name], f"service of pid {pid}")


def script(t, name, text):
    path = t.path(name)
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, 0o755)
    return path


@test()
def service_named_by_environment(t):
    agent = t.agent()
    _, port = t.serve("acceptor", "127.0.0.1", "0", "128", "close")
    for name, environment in (
            ("shop front", {"OTEL_SERVICE_NAME": "shop front"}),
            ("from-attributes", {"OTEL_RESOURCE_ATTRIBUTES": "a=b,service.name=from-attributes,c=d"}),
            ("per cent", {"OTEL_RESOURCE_ATTRIBUTES": "service.name=per%20cent"}),
            ("first", {"OTEL_SERVICE_NAME": "first", "OTEL_RESOURCE_ATTRIBUTES": "service.name=second"}),
            ('quote"back\\slash', {"OTEL_SERVICE_NAME": 'quote"back\\slash'})):
        process = t.spawn("connects", "127.0.0.1", port, "1", "blocking", env=environment)
        process.wait(20 * t.patience)
        named(t, agent, process.pid, name)


@test()
def service_named_behind_a_long_environment(t):
    agent = t.agent()
    _, port = t.serve("acceptor", "127.0.0.1", "0", "128", "close")
    environment = {f"A_VARIABLE_{n}": "x" * 60 for n in range(20)}
    process = t.spawn("connects", "127.0.0.1", port, "1", "blocking", env=dict(environment, OTEL_SERVICE_NAME="long-env"))
    process.wait(20 * t.patience)
    named(t, agent, process.pid, "long-env")


@test()
def service_named_by_command(t):
    if in_systemd_unit():
        t.need("a shell outside of systemd units")
    agent = t.agent()
    _, port = t.serve("acceptor", "127.0.0.1", "0", "128", "close")
    own = t.path("orders")
    shutil.copy(t.program("connects"), own)
    commands = [("app", ["/usr/bin/python3", script(t, "app.py", PYTHON_CONNECT), port]),
                ("orders", [own, "127.0.0.1", port, "1", "blocking"])]
    shell = script(t, "nightly.sh", f"{t.program('connects')} 127.0.0.1 $1 1 blocking\n")
    if not missing("node"):
        commands.append(("server", [tool("node"), script(t, "server.js", NODE_CONNECT), port]))
    for name, command in commands:
        process = t.spawn(*command)
        process.wait(30 * t.patience)
        named(t, agent, process.pid, name)
    # The script's child is another program; the script itself is known too.
    process = t.spawn("/bin/sh", shell, port)
    said = process.result(20 * t.patience)
    named(t, agent, said["pid"], "connects")


@test(guest=True)
def service_of_short_lived_processes(t):
    """Each is gone a few milliseconds after it began, and none is nameless."""
    agent = t.agent()
    _, port = t.serve("acceptor", "127.0.0.1", "0", "512", "close")
    count = 100
    for _ in range(count):
        t.spawn("connects", "127.0.0.1", port, "1", "blocking", service="short-lived").wait(20 * t.patience)
    metrics = agent.settle(lambda m: m.total(CONNECTS, service_name="short-lived"), count)
    t.equal(metrics.total(CONNECTS, service_name="short-lived"), count, "connects of short-lived processes")


@test()
def service_of_forked_children(t):
    """A child that never calls exec is its parent's service; process_pid is its own."""
    agent = t.agent()
    _, port = t.serve("acceptor", "127.0.0.1", "0", "128", "close")
    program = """
import os, socket, sys
for _ in range(5):
    if os.fork() == 0:
        socket.create_connection(("127.0.0.1", int(sys.argv[1]))).close()
        os._exit(0)
for _ in range(5):
    os.wait()
"""
    t.spawn("/usr/bin/python3", "-c", program, port, service="parent").wait(30 * t.patience)
    metrics = agent.settle(lambda m: m.total(CONNECTS, service_name="parent"), 5)
    t.equal(metrics.total(CONNECTS, service_name="parent"), 5, "connects")
    t.equal(len(metrics.by(CONNECTS, "process_pid", service_name="parent")), 5, "processes")


@test(guest=True)
def service_after_exec(t):
    """The same pid, another program: nothing is lost or counted twice, and what is new has the new name."""
    agent = t.agent()
    _, port = t.serve("acceptor", "127.0.0.1", "0", "128", "close")
    program = f"""
import os, socket, sys
for _ in range(3):
    socket.create_connection(("127.0.0.1", {port})).close()
os.environ["OTEL_SERVICE_NAME"] = "exec-after"
os.execv({t.program("connects")!r}, ["connects", "127.0.0.1", "{port}", "4", "blocking"])
"""
    t.spawn("/usr/bin/python3", "-c", program, service="exec-before").wait(30 * t.patience)

    def counts(m):
        return {name: m.total(CONNECTS, service_name=name) for name in ("exec-before", "exec-after")}
    metrics = agent.settle(lambda m: sum(counts(m).values()), 7)
    t.equal(sum(counts(metrics).values()), 7, f"connects of both ({counts(metrics)})")
    t.check(metrics.total(CONNECTS, service_name="exec-after") >= 4, f"{counts(metrics)}")
