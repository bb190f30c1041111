# SPDX-License-Identifier: Apache-2.0
"""Whose child a fragment is, at 50 requests at once: by runtime, without any SDK, and along a chain of services of which two have one.
Every request has a number that all under it carry; that is the truth."""

import glob
import http.client
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import threading
from collections import Counter, defaultdict

from .table import show
from .traffic import HERE, Agent, BenchError, Program, free_port, wait_until

SOURCES = os.path.join(HERE, "chain")
INTERNAL, SERVER, CLIENT = 1, 2, 3
AT_ONCE = 50
RUNTIMES = (("Python, a thread a connection", ["python", "threads.py", "thread"]),
            ("Python, a pool, a connection each", ["python", "threads.py", "pool"]),
            ("Python, a pool, handed each request", ["python", "threads.py", "hand"]),
            ("Python, prefork", ["python", "threads.py", "prefork"]),
            ("Python, asyncio", ["python", "loop.py"]),
            ("Node.js, event loop", ["node", "loop.js"]),
            ("Go, goroutines", ["goroutines"]),
            ("nginx, event loop", None))
NGINX = """
daemon off; worker_processes 1; pid {dir}/pid; error_log {dir}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off; keepalive_requests 1000000;
    client_body_temp_path {dir}; proxy_temp_path {dir}; fastcgi_temp_path {dir}; uwsgi_temp_path {dir}; scgi_temp_path {dir};
    {more}
    server {{ listen 127.0.0.1:{port} backlog=256; location / {{ {what} }} }}
}}
"""
PROXY = "upstream localhost {{ server 127.0.0.1:{port}; keepalive 64; }}"
PASS = 'proxy_pass http://localhost; proxy_http_version 1.1; proxy_set_header Connection "";'


class Service(Program):
    """A program that prints `ready PORT`."""

    def __init__(self, name, *command):
        super().__init__(env={**os.environ, "OTEL_SERVICE_NAME": name, "PYTHONPATH": os.path.join(cache(), "python"),
                              "NODE_PATH": os.path.join(cache(), "node_modules")}, stdout=subprocess.PIPE, start_new_session=True)
        self.start([str(word) for word in command])
        words = self.popen.stdout.readline().split()
        if words[:1] != [b"ready"]:
            raise BenchError(f"{name}: {self.log()}")
        self.port = int(words[1])

    def __exit__(self, *reason):
        if self.is_alive():
            os.killpg(self.popen.pid, signal.SIGTERM)  # its workers, too
        super().__exit__(*reason)
        self.popen.stdout.close()


class Listening(Program):
    """A program that is told its port, and does not say when it listens."""

    def __init__(self, name, **popen):
        super().__init__(env={**os.environ, "OTEL_SERVICE_NAME": name}, **popen)
        os.chmod(self.directory, 0o777)
        self.port = free_port()

    def listen(self, *command):
        self.start([str(word) for word in command])
        with_port = ["curl", "-s", "-o", "/dev/null", f"telnet://127.0.0.1:{self.port}", "-m", "0.2"]
        wait_until(lambda: subprocess.run(with_port, stdin=subprocess.DEVNULL).returncode in (0, 28), f"{command[0]} does not listen",
                   every=0.1)
        return self


def nginx(name, upstream=None):
    server = Listening(name)
    path = os.path.join(server.directory, "nginx.conf")
    with open(path, "w") as file:
        file.write(NGINX.format(dir=server.directory, port=server.port, what=PASS if upstream else 'return 200 "ok";',
                                more=PROXY.format(port=upstream) if upstream else ""))
    return server.listen("/usr/sbin/nginx", "-c", path, "-p", server.directory)


def redis(name):
    server = Listening(name)
    return server.listen("/usr/bin/redis-server", "--port", server.port, "--save", "", "--dir", server.directory)


def postgresql(name):
    programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
    user = pwd.getpwnam("postgres")
    server = Listening(name, user=user.pw_uid, group=user.pw_gid, extra_groups=[])
    data = os.path.join(server.directory, "data")
    subprocess.run([f"{programs}/initdb", "-A", "trust", "-U", "postgres", "-D", data], user=user.pw_uid, group=user.pw_gid,
                   extra_groups=[], cwd="/", check=True, capture_output=True)
    return server.listen(f"{programs}/postgres", "-D", data, "-p", server.port, "-k", server.directory, "-c", "fsync=off")


def cache():
    return os.path.join(os.path.dirname(os.path.dirname(HERE)), ".cache", "bench", "chain")


def install():
    """SDKs and drivers, pinned; once."""
    done = os.path.join(cache(), "installed")
    wanted = "".join(open(os.path.join(SOURCES, name)).read() for name in ("package.json", "requirements.txt"))
    if os.path.exists(done) and open(done).read() == wanted:
        return
    shutil.rmtree(cache(), ignore_errors=True)
    os.makedirs(cache())
    shutil.copy(os.path.join(SOURCES, "package.json"), cache())
    quiet = {"check": True, "capture_output": True}
    subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=cache(), **quiet)
    subprocess.run(["/usr/bin/python3", "-m", "pip", "install", "--quiet", "--target", os.path.join(cache(), "python"), "-r",
                    os.path.join(SOURCES, "requirements.txt")], **quiet)
    with open(done, "w") as file:
        file.write(wanted)


def command(settings, words):
    programs = {"python": "/usr/bin/python3", "node": shutil.which("node"), "goroutines": os.path.join(settings.programs, "goroutines")}
    return [programs[words[0]], *(os.path.join(SOURCES, word) if "." in word else word for word in words[1:])]


def load(port, requests):
    """AT_ONCE clients, each with a connection of its own."""
    def client(first):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for number in range(first, requests, AT_ONCE):
            connection.request("GET", f"/r/{number}")
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                wrong.append(answer.status)
    wrong = []
    threads = [threading.Thread(target=client, args=(first,)) for first in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise BenchError(f"{len(wrong)} requests failed, the first with {wrong[0]}")


def plain(attributes):
    return {pair["key"]: next(iter(pair["value"].values())) for pair in attributes}


class Fragment:
    def __init__(self, of_resource):
        span = of_resource["scopeSpans"][0]["spans"][0]
        attributes = plain(span["attributes"])
        self.service = plain(of_resource["resource"]["attributes"])["service.name"]
        self.kind, self.trace, self.id, self.parent = span["kind"], span["traceId"], span["spanId"], span.get("parentSpanId")
        self.links = {link["spanId"] for link in span.get("links", [])}
        found = re.fullmatch(r"/r/(\d+)", attributes.get("url.path", "")) or \
            re.search(r"\br(\d+)\b", attributes.get("db.query.text", ""))
        self.number = int(found[1]) if found else None


def own_spans(service, path):
    """What an SDK exported, as fragments are kept."""
    spans = []
    with open(path) as file:
        for line in file:
            said = json.loads(line)
            span = Fragment.__new__(Fragment)
            span.service, span.kind, span.trace, span.id = service, said["kind"], said["traceId"], said["spanId"]
            span.number = int(said["path"].rpartition("/")[2])
            spans.append(span)
    return spans


class Watched:
    """An agent that looks at these services only, and what it wrote when it has ended."""

    def __init__(self, settings, services):
        self.agent = Agent(settings, "--ring-bytes", "33554432", "--span-queue", "1048576", "--spans-of-instrumented", "on",
                           "--spans-ndjson", os.path.join(settings.scratch, "spans.ndjson"), *(f"--only=service={name}" for name in services))
        self.path = os.path.join(settings.scratch, "spans.ndjson")

    def end(self, expected):
        """Once so many spans are written."""
        try:
            wait_until(lambda: self.agent.total("sonde_spans_exported_total") - self.agent.total("sonde_span_parts_total") >= expected,
                       f"{expected} spans", seconds=60, every=0.3)
        finally:
            lost = self.agent.lost()
            self.agent.__exit__()
        with open(self.path) as file:
            fragments = [Fragment(json.loads(line)["resourceSpans"][0]) for line in file]
        fragments = [fragment for fragment in fragments if fragment.kind != INTERNAL]
        os.unlink(self.path)
        if lost:
            raise BenchError(f"{lost:.0f} events lost")
        return fragments


def judge(fragments, above, others=()):
    """{(service, kind): Counter of right, wrong, linked, astray (links without the right one), none}; above: the service that calls
    a service. Of what has no number only that no parent has two of them can be told."""
    known = {span.id: span for span in [*others, *fragments]}
    by_place = defaultdict(set)
    for span in known.values():
        by_place[span.service, span.kind, span.number].add(span.id)
    said, taken = defaultdict(Counter), Counter()
    for span in fragments:
        place = (span.service, SERVER) if span.kind == CLIENT else (above.get(span.service), CLIENT)
        right = by_place[(*place, span.number)]
        if span.kind == CLIENT:  # the SDK's own span of the call is on the wire
            right = right | (by_place[span.service, CLIENT, span.number] & {other.id for other in others})
        count = said[span.service, span.kind]
        if span.number is None:
            parent = known.get(span.parent)
            taken[span.service, span.kind, span.parent] += 1
            is_right = parent and (parent.service, parent.kind) == place and taken[span.service, span.kind, span.parent] == 1
        else:
            is_right = span.parent in right
        if span.parent:
            count["right" if is_right else "wrong"] += 1
        elif span.links:
            count["linked" if span.number is None or span.links & right else "astray"] += 1
        else:
            count["none"] += 1
    return said


COLUMNS = ["fragments", "right parent", "wrong parent", "right one linked", "wrong ones linked", "none"]


def line(count):
    return [sum(count.values()), *(count[name] for name in ("right", "wrong", "linked", "astray", "none"))]


def of_runtime(settings, words):
    watched = Watched(settings, ("app", "up"))
    with watched.agent, nginx("up") as up:
        with Service("app", *command(settings, words), up.port) if words else nginx("app", up.port) as app:
            load(app.port, settings.chain_requests)
        return judge(watched.end(3 * settings.chain_requests), {"up": "app"})


def of_chain(settings):
    services = ("front", "python", "go", "node", "postgresql", "redis")
    spans = {name: os.path.join(settings.scratch, name) for name in ("python", "node")}
    watched = Watched(settings, services)
    with watched.agent, postgresql("postgresql") as database, redis("redis") as store:
        with Service("node", *command(settings, ["node", "sdk.js"]), database.port, store.port, spans["node"]) as node, \
                Service("go", *command(settings, ["goroutines"]), node.port) as go, \
                Service("python", *command(settings, ["python", "sdk.py"]), go.port, spans["python"]) as python, \
                nginx("front", python.port) as front:
            load(front.port, settings.chain_requests)
        fragments = watched.end(11 * settings.chain_requests)
    others = [span for name, path in spans.items() for span in own_spans(name, path)]
    fragments = [span for span in fragments if span.number is not None or span.service in ("node", "redis")]
    above = {"python": "front", "go": "python", "node": "go", "postgresql": "node", "redis": "node"}
    traces = {span.number: span.trace for span in others if span.service == "python"}
    inside = Counter((span.service, span.kind) for span in fragments if span.trace == traces.get(span.number))
    return judge(fragments, above, others), inside, services


def run(settings):
    settings.chain_requests = 1000 if settings.quick else 10_000
    install()
    scratch = Program()
    with_links = ["links: the call is known to belong to one of several requests"]
    try:
        scratch.popen = subprocess.Popen(["sleep", "infinity"])
        settings.scratch = scratch.directory
        rows = []
        for name, words in RUNTIMES:
            said = of_runtime(settings, words)
            rows.append([name, *line(said["app", CLIENT])])
            if said["up", SERVER]["wrong"] or said["app", SERVER]["wrong"]:
                raise BenchError(f"{name}: a wrong parent of a server's fragment")
        show(f"calls made to answer {settings.chain_requests} requests, {AT_ONCE} at once, no SDK", ["runtime", *COLUMNS], rows, with_links)
        said, inside, services = of_chain(settings)
        rows = [[f"{service} {'server' if kind == SERVER else 'client'}", *line(said[service, kind]), inside[service, kind]]
                for service in services for kind in (SERVER, CLIENT) if said[service, kind]]
        show(f"nginx, Python with SDK, Go, Node.js with SDK, PostgreSQL and Redis: {settings.chain_requests} requests, {AT_ONCE} at once",
             ["fragments of", *COLUMNS, "in the SDK's trace"], rows, with_links)
    finally:
        scratch.__exit__()
