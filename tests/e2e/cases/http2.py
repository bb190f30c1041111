# SPDX-License-Identifier: Apache-2.0
"""Every request over HTTP/2 is counted, once, under its method, status and route: against nginx's access log and what
h2load says. gRPC calls by method and status: against what the client counted."""

import os
import re
import socket
import time
from collections import Counter

from sonde_test.agent import free_port
from sonde_test.process import wait_until
from sonde_test.runner import test, tool

SERVER = "http_server_request_duration_seconds_count"
CLIENT = "http_client_request_duration_seconds_count"
RPC_SERVER = "rpc_server_call_duration_seconds_count"
RPC_CLIENT = "rpc_client_call_duration_seconds_count"
PARTIAL = "sonde_requests_partial_total"
OUTCOMES = "sonde_parse_outcomes_total"
KEYS = ("http_request_method", "http_response_status_code")
RINGS = ("--ring-bytes", 32 << 20)  # a benchmark that has all CPUs keeps the agent waiting

GRPC_SERVER = """
import grpc, time
from concurrent import futures

def unary(request, context):
    if request.startswith(b"fail "):
        context.abort(grpc.StatusCode[request[5:].decode()], "as asked")
    if request == b"slow":
        time.sleep(1)
    return request

def up(requests, context):
    return b"%d" % sum(1 for _ in requests)

def down(request, context):
    for _ in range(int(request)):
        yield b"x" * 100

def both(requests, context):
    for request in requests:
        yield request

methods = {"Unary": grpc.unary_unary_rpc_method_handler(unary), "Up": grpc.stream_unary_rpc_method_handler(up),
           "Down": grpc.unary_stream_rpc_method_handler(down), "Both": grpc.stream_stream_rpc_method_handler(both)}
server = grpc.server(futures.ThreadPoolExecutor(16))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", methods),))
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print("ready", port, flush=True)
server.wait_for_termination()
"""

# Counts what it was answered, by method and status.
GRPC_CLIENT = """
import collections, concurrent.futures, grpc, json, sys

port, rounds, workers, wait = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), len(sys.argv) > 4
channel = grpc.insecure_channel("127.0.0.1:" + port)
said = collections.Counter()
unary, up = channel.unary_unary("/test.Echo/Unary"), channel.stream_unary("/test.Echo/Up")
down, both = channel.unary_stream("/test.Echo/Down"), channel.stream_stream("/test.Echo/Both")
nobody = channel.unary_unary("/test.Echo/Nobody")

def call(name, function):
    try:
        function()
        said["test.Echo/" + name + " OK"] += 1
    except grpc.RpcError as error:
        said["test.Echo/" + name + " " + error.code().name] += 1

def one_round(_):
    call("Unary", lambda: unary(b"hello"))
    call("Unary", lambda: unary(b"y" * 100000))
    call("Unary", lambda: unary(b"fail NOT_FOUND"))
    call("Unary", lambda: unary(b"fail INTERNAL"))
    call("Nobody", lambda: nobody(b""))
    call("Up", lambda: up(iter([b"a"] * 20)))
    call("Down", lambda: list(down(b"30")))
    call("Both", lambda: list(both(iter([b"b"] * 10))))

if wait:
    call("Unary", lambda: unary(b"before"))
    print("open", flush=True)
    sys.stdin.readline()
with concurrent.futures.ThreadPoolExecutor(workers) as pool:
    list(pool.map(one_round, range(rounds)))
channel.close()
print(json.dumps(said))
"""


def by_method(metrics, name, service):
    return metrics.by(name, *KEYS, service_name=service)


def by_call(metrics, name, service):
    got = metrics.by(name, "rpc_method", "rpc_response_status_code", service_name=service)
    return Counter({" ".join(key): count for key, count in got.items()})


def h2load(t, nginx, service, *args, paths=("/ok", "/missing", "/broken", "/items/17")):
    """Returns its own counts of statuses by their first digit."""
    urls = [f"http://127.0.0.1:{nginx.port_http2}{path}" for path in paths]
    run = t.spawn(tool("h2load"), *args, *urls, service=service)
    run.wait(300 * t.patience)
    found = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", run.output())
    return Counter({digit: int(count) for digit, count in zip("2345", found.groups()) if int(count)})


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def by_digit(counts):
    digits = Counter()
    for (_, status), count in counts.items():
        digits[status[0]] += count
    return digits


def compare(t, agent, nginx, server, client, said):
    wait_until(lambda: sum(nginx.counts().values()) >= sum(said.values()), 10 * t.patience)
    log = nginx.counts()
    t.equal(by_digit(log), said, "nginx's log against the client (the witnesses)")
    metrics = agent.settle(lambda m: (by_method(m, SERVER, server), by_method(m, CLIENT, client)), (log, log))
    t.equal(by_method(metrics, SERVER, server), log, "server requests")
    t.equal(by_method(metrics, CLIENT, client), log, "client requests")
    for service in (server, client):
        t.equal(metrics.total(PARTIAL, service_name=service), 0, f"partial requests, {service}")
    t.equal(metrics.by(OUTCOMES, "outcome", protocol="http2"), Counter(ok=2 * sum(log.values())), "outcomes")
    t.nothing_lost(agent)
    return metrics


@test(needs=("nginx", "h2load"))
def http2_streams_exact(t):
    """100 streams at once on each of 10 connections; bodies that are sent by sendfile, too."""
    agent = t.agent(*RINGS)
    nginx = t.nginx(service="streams-server")
    said = h2load(t, nginx, "streams-client", "-n", 10000, "-c", 10, "-m", 100,
                  paths=("/ok", "/missing", "/broken", "/items/17", "/files/small"))
    t.equal(sum(said.values()), 10000, "h2load's own count")
    metrics = compare(t, agent, nginx, "streams-server", "streams-client", said)
    routes = metrics.by(SERVER, "http_route", service_name="streams-server")
    t.equal(routes, Counter({"/ok": 2000, "/missing": 2000, "/broken": 2000, "/items/{id}": 2000, "/files/small": 2000}), "routes")
    sent = 2000 * (len("ok") + len("no") + len("oh") + len("an item\n") + 5000)
    for name in ("http_server_response_body_size_bytes_sum", "http_client_response_body_size_bytes_sum"):
        t.equal(metrics.total(name, service_name=lambda value: value in ("streams-server", "streams-client")), sent, name)
    t.equal(metrics.by(SERVER, "server_port", service_name="streams-server"), Counter({str(nginx.port_http2): 10000}), "server_port")
    t.equal(metrics.total("sonde_process_request_duration_seconds_count", service_name="streams-client", protocol="http2"), 10000,
            "requests by process")


@test(needs=("nginx", "curl", "nghttp"), guest=True)
def http2_clients_exact(t):
    """Clients that use padding, priorities, CONTINUATION, and a table of another size."""
    agent = t.agent()
    nginx = t.nginx(service="clients-server")
    url = f"http://127.0.0.1:{nginx.port_http2}"
    wide = [word for number in range(12) for word in ("-H", f"x-wide-{number}: {'w' * 2000}")]
    for options in ([f"{url}/ok"], [f"{url}/missing"], ["-I", f"{url}/ok"]):
        t.spawn(tool("curl"), "-s", "-S", "--http2-prior-knowledge", *options, service="clients-client").wait(30 * t.patience)
    for options in (["-n", "-b", "255", "-m", "20"], ["-n", "-p", "200", "-m", "5"], ["-n", "--header-table-size=65536", "-m", "30"],
                    ["-n", "--header-table-size=0", "-m", "10"], ["-n", *wide, "-m", "3"]):
        t.spawn(tool("nghttp"), *options, f"{url}/items/5", service="clients-client").wait(30 * t.patience)
    wait_until(lambda: sum(nginx.counts().values()) >= 71, 10 * t.patience)
    log = nginx.counts()
    t.check(sum(log.values()) >= 71, f"the witness: {dict(log)}")
    metrics = agent.settle(lambda m: (by_method(m, SERVER, "clients-server"), by_method(m, CLIENT, "clients-client")), (log, log))
    t.equal(by_method(metrics, SERVER, "clients-server"), log, "server requests")
    t.equal(by_method(metrics, CLIENT, "clients-client"), log, "client requests")
    t.equal(metrics.total(PARTIAL, protocol="http2"), 0, "partial requests")
    t.nothing_lost(agent)


@test(needs=("nghttpd", "nghttp"))
def http2_uploads_pushes_and_trailers(t):
    """Bodies both ways, with padding and trailers; answers that nobody asked for are counted as such."""
    agent = t.agent()
    port, folder, upload = free_port(), t.path("www"), t.path("upload")
    os.makedirs(folder)
    for path, size in ((os.path.join(folder, "page"), 5000), (os.path.join(folder, "style"), 700), (upload, 300000)):
        with open(path, "wb") as file:
            file.write(b"u" * size)
    t.spawn(tool("nghttpd"), "--no-tls", "--echo-upload", "-b", "100", "-p/page=/style", "--trailer", "x-end: 1", "-d", folder, port,
            service="push-server")
    wait_until(lambda: listens(port), 20 * t.patience)
    t.spawn(tool("nghttp"), "-n", "-m", "4", "-b", "50", "--trailer", "x-end: 1", "-d", upload, f"http://127.0.0.1:{port}/page",
            service="push-client").wait(30 * t.patience)
    t.spawn(tool("nghttp"), "-n", "-m", "3", f"http://127.0.0.1:{port}/page", f"http://127.0.0.1:{port}/nothing",
            service="push-client").wait(30 * t.patience)
    want = Counter({("POST", "200"): 4, ("GET", "200"): 3, ("GET", "404"): 3})
    metrics = agent.settle(lambda m: (by_method(m, SERVER, "push-server"), by_method(m, CLIENT, "push-client")), (want, want))
    for name, kind, service in ((SERVER, "server", "push-server"), (CLIENT, "client", "push-client")):
        t.equal(by_method(metrics, name, service), want, f"{kind} requests")
        t.equal(metrics.total(f"http_{kind}_request_body_size_bytes_sum", service_name=service), 4 * 300000, f"bytes asked, {kind}")
        t.equal(metrics.total(f"http_{kind}_response_body_size_bytes_sum", service_name=service, http_request_method="POST"), 4 * 300000,
                f"bytes answered, {kind}")
    t.equal(metrics.total(OUTCOMES, protocol="http2", outcome="push"), 14, "promised answers, on both sides")
    t.equal(metrics.total(PARTIAL, protocol="http2"), 0, "partial requests")
    t.nothing_lost(agent)


@test(needs=("nghttpx", "nghttpd", "nghttp", "curl"))
def http2_upgrades_exact(t):
    """Connections that begin as HTTP/1: their first request is answered in HTTP/2, and counts once. Against the proxy's log."""
    agent = t.agent()
    port, behind, folder, log = free_port(), free_port(), t.path("www"), t.path("access.log")
    os.makedirs(folder)
    with open(os.path.join(folder, "page"), "wb") as file:
        file.write(b"u" * 5000)  # curl 7.88 fails when more than its buffer comes with the 101
    t.spawn(tool("nghttpd"), "--no-tls", "-d", folder, behind, service="upgrade-behind")
    t.spawn(tool("nghttpx"), "--single-process", f"--frontend=127.0.0.1,{port};no-tls", f"--backend=127.0.0.1,{behind};;proto=h2",
            f"--accesslog-file={log}", "--accesslog-format=$method $status", service="upgrade-proxy")
    wait_until(lambda: listens(port) and listens(behind), 20 * t.patience)
    url = f"http://127.0.0.1:{port}"
    for _ in range(20):
        for options in ([f"{url}/page", f"{url}/nothing", f"{url}/page"], ["-I", f"{url}/page"], ["-d", "x" * 700, f"{url}/nothing"]):
            t.spawn(tool("curl"), "-s", "-S", "--http2", *options, service="upgrade-client").wait(30 * t.patience)
        t.spawn(tool("nghttp"), "-n", "-u", "-m", "20", f"{url}/page", service="upgrade-client").wait(30 * t.patience)

    def logged():
        with open(log) as file:
            return Counter(tuple(line.split()) for line in file)
    want = Counter({("GET", "200"): 440, ("GET", "404"): 20, ("HEAD", "200"): 20, ("POST", "404"): 20})
    wait_until(lambda: logged() == want, 10 * t.patience)
    t.equal(logged(), want, "the proxy's log against what was asked (the witnesses)")
    sides = ((SERVER, "upgrade-proxy"), (CLIENT, "upgrade-client"), (CLIENT, "upgrade-proxy"), (SERVER, "upgrade-behind"))
    metrics = agent.settle(lambda m: [by_method(m, *side) for side in sides], [want] * 4)
    for name, service in sides:
        got = by_method(metrics, name, service)
        if service == "upgrade-client":  # it may read the 101 before it sends the body: such a connection is left alone
            t.check(got["POST", "404"] <= 20, f"{got['POST', '404']} uploads of the client")
            got["POST", "404"] = 20
        t.equal(got, want, f"{name} of {service}")
    for kind, service in (("client", "upgrade-client"), ("server", "upgrade-proxy")):
        t.equal(metrics.total(f"http_{kind}_response_body_size_bytes_sum", service_name=service, http_response_status_code="200"),
                440 * 5000, f"bytes answered, {kind}")
    t.equal(metrics.total("http_server_request_body_size_bytes_sum", service_name="upgrade-proxy"), 20 * 700, "bytes asked, server")
    t.equal(metrics.total(OUTCOMES, protocol="http2", outcome="upgrade"), 2 * 80, "upgrades, on both sides")
    t.equal(metrics.total(PARTIAL, service_name=lambda name: name.startswith("upgrade-")), 0, "partial requests")
    t.equal(metrics.total("sonde_tunnel_duration_seconds_count"), 0, "tunnels")
    t.nothing_lost(agent)


@test(needs=("nginx", "h2load"))
def http2_agent_starts_in_the_middle(t):
    """What was under way counts as partial, names are right, and new connections are exact."""
    nginx = t.nginx()  # its workers' titles lie over their environment: who looks later sees no service name there
    run = t.spawn(tool("h2load"), "-D", "60", "-c", "10", "-m", "50", f"http://127.0.0.1:{nginx.port_http2}/ok",
                  f"http://127.0.0.1:{nginx.port_http2}/missing", service="middle-client")
    time.sleep(0.5)
    agent = t.agent(*RINGS)
    here = {"server_port": nginx.port_http2}
    wait_until(lambda: agent.scrape().total(SERVER, **here) > 1000 and agent.scrape().total(CLIENT, **here) > 1000, 20 * t.patience, 0.5)
    run.stop()
    last = [None]

    def is_quiet():
        before, last[0] = last[0], (agent.scrape().by(SERVER, *KEYS, **here), nginx.counts())
        return before == last[0]
    wait_until(is_quiet, 20 * t.patience, 0.5)
    metrics, log = agent.scrape(), nginx.counts()
    for side in (SERVER, CLIENT):
        got = metrics.by(side, *KEYS, **here, error_type=lambda value: value not in ("reset", "no_response"))
        t.equal(set(got), {("GET", "200"), ("GET", "404")}, f"{side}: what was requested")
        t.check(all(0 < count <= log[key] for key, count in got.items()), f"{side}: {dict(got)} of {dict(log)}")
    for kind in ("server", "client"):
        # What is in flight is lost with each turn that is longer than its prefix, until the kernel sends every call.
        partial = metrics.total(PARTIAL, kind=kind, protocol="http2")
        total = metrics.total("sonde_process_request_duration_seconds_count", kind=kind, protocol="http2")
        t.check(partial > 0, f"{kind}: {partial} partial requests")
        t.check(partial + total <= sum(log.values()) + 500, f"{kind}: {partial} partial and {total} other requests of {sum(log.values())}")
    t.equal(set(metrics.by(SERVER, "http_route", **here)) - {"/ok", "/missing"}, set(), "routes")
    before, seen = nginx.counts(), metrics.by(SERVER, *KEYS, **here)
    said = h2load(t, nginx, "middle-later", "-n", 5000, "-c", 10, "-m", 100)
    t.equal(sum(said.values()), 5000, "h2load's own count")
    wait_until(lambda: sum((nginx.counts() - before).values()) >= 5000, 10 * t.patience)
    want = nginx.counts() - before
    metrics = agent.settle(lambda m: by_method(m, CLIENT, "middle-later"), want)
    t.equal(by_method(metrics, CLIENT, "middle-later"), want, "client requests afterwards")
    t.equal(metrics.by(SERVER, *KEYS, **here) - seen, want, "server requests afterwards")
    t.equal(metrics.total(PARTIAL, service_name="middle-later"), 0, "partial requests afterwards")
    t.nothing_lost(agent)


def grpc_server(t, service):
    server = t.spawn("/usr/bin/python3", "-c", GRPC_SERVER, service=service)
    return server.wait_port()


@test(needs=("grpc",))
def grpc_calls_exact(t):
    """Unary and streaming calls, errors, and a method that is not there."""
    agent = t.agent(*RINGS)
    port = grpc_server(t, "calls-server")
    said = Counter(t.spawn("/usr/bin/python3", "-c", GRPC_CLIENT, port, 250, 1, service="calls-client").result(100 * t.patience))
    t.equal(sum(said.values()), 2000, "the client's own count")
    metrics = agent.settle(lambda m: (by_call(m, RPC_SERVER, "calls-server"), by_call(m, RPC_CLIENT, "calls-client")), (said, said))
    t.equal(by_call(metrics, RPC_SERVER, "calls-server"), said, "calls served")
    t.equal(by_call(metrics, RPC_CLIENT, "calls-client"), said, "calls made")
    t.equal(metrics.by(RPC_CLIENT, "error_type", service_name="calls-client"),
            Counter({"": 1250, "NOT_FOUND": 250, "INTERNAL": 250, "UNIMPLEMENTED": 250}), "errors made")
    t.equal(metrics.by(RPC_SERVER, "error_type", service_name="calls-server"), Counter({"": 1500, "INTERNAL": 250, "UNIMPLEMENTED": 250}),
            "errors served: NOT_FOUND is the caller's")
    t.equal(metrics.by(RPC_SERVER, "rpc_system_name", "server_port", service_name="calls-server"), Counter({("grpc", str(port)): 2000}),
            "system and port")
    for service in ("calls-server", "calls-client"):
        t.equal(metrics.total(SERVER, service_name=service) + metrics.total(CLIENT, service_name=service), 0, "calls counted as HTTP")
        t.equal(metrics.total(PARTIAL, service_name=service), 0, f"partial calls, {service}")
    t.equal(metrics.by(OUTCOMES, "outcome", protocol="http2"), Counter(ok=4000), "outcomes")
    t.nothing_lost(agent)


@test(needs=("grpc",))
def grpc_given_up_calls(t):
    """A call whose time is over is reset by the client; its connection goes on."""
    agent = t.agent()
    port = grpc_server(t, "slow-server")
    program = """
import grpc, sys
channel = grpc.insecure_channel("127.0.0.1:" + sys.argv[1])
unary = channel.unary_unary("/test.Echo/Unary")
for _ in range(5):
    call = unary.future(b"slow")
    unary(b"hello")
    call.cancel()
    unary(b"hello")
channel.close()
"""
    t.spawn("/usr/bin/python3", "-c", program, port, service="slow-client").wait(60 * t.patience)
    want = Counter({("OK", ""): 10, ("", "CANCEL"): 5})
    errors = lambda m, name, service: m.by(name, "rpc_response_status_code", "error_type", service_name=service)
    metrics = agent.settle(lambda m: (errors(m, RPC_CLIENT, "slow-client"), errors(m, RPC_SERVER, "slow-server")), (want, want))
    t.equal(errors(metrics, RPC_CLIENT, "slow-client"), want, "calls made")
    t.equal(errors(metrics, RPC_SERVER, "slow-server"), want, "calls served")
    t.equal(metrics.total(OUTCOMES, protocol="http2", outcome="stream_reset"), 10, "streams reset, of both sides")
    t.nothing_lost(agent)


@test(needs=("grpc",))
def grpc_agent_starts_in_the_middle(t):
    """On a connection whose header table was filled before, calls are counted as partial, not guessed at."""
    port = grpc_server(t, "old-server")
    client = t.spawn("/usr/bin/python3", "-c", GRPC_CLIENT, port, 20, 4, "wait", service="old-client", stdin=True)
    client.wait_line("open")
    agent = t.agent()
    client.say()
    said = Counter(client.result(60 * t.patience))
    total = sum(said.values()) - 1
    seen = lambda m, name, service: int(m.total(name, service_name=service) + m.total(PARTIAL, service_name=service))
    metrics = agent.settle(lambda m: (seen(m, RPC_SERVER, "old-server"), seen(m, RPC_CLIENT, "old-client")), (total, total))
    for name, service in ((RPC_SERVER, "old-server"), (RPC_CLIENT, "old-client")):
        # The kernel sends the rest of the first turn's calls when it is told to: what they hold is lost.
        t.check(total - 60 <= seen(metrics, name, service) <= total + 10, f"{service}: {seen(metrics, name, service)} of {total} calls")
        got = by_call(metrics, name, service)
        t.check(not set(key for key in got if not key.startswith(" ")) - set(said), f"{service}: calls that were not: {dict(got)}")
        labels = ("http_request_method", "http_response_status_code", "error_type")
        t.equal(metrics.by(CLIENT, *labels, service_name=service) + metrics.by(SERVER, *labels, service_name=service), Counter(), "calls counted as HTTP")
    t.check(metrics.total(OUTCOMES, protocol="http2", outcome="header_unknown") > 0, "no outcome says so")
    fresh = Counter(t.spawn("/usr/bin/python3", "-c", GRPC_CLIENT, port, 20, 4, service="new-client").result(60 * t.patience))
    metrics = agent.settle(lambda m: by_call(m, RPC_CLIENT, "new-client"), fresh)
    t.equal(by_call(metrics, RPC_CLIENT, "new-client"), fresh, "calls of a new connection")


@test(needs=("nginx",))
def http2_split_at_every_byte(t):
    """Writes of one byte each give the same as whole ones."""
    agent = t.agent()
    nginx = t.nginx(service="bytes-server")
    frame = lambda kind, flags, stream, payload=b"": len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
    block = b"\x82\x86\x41\x01x"  # GET, http, :authority x
    path = lambda text: b"\x44" + bytes([len(text)]) + text
    talk = (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0) + frame(1, 5, 1, block + path(b"/ok"))
            + frame(1, 1, 3, b"\x82\x86\xbf") + frame(9, 4, 3, path(b"/missing"))  # :authority from the table
            + frame(2, 0, 5, b"\0\0\0\0\x10") + frame(1, 4, 5, b"\x83\x86\xc0" + path(b"/items/9")) + frame(0, 9, 5, b"\x03hello\0\0\0"))
    with socket.create_connection(("127.0.0.1", nginx.port_http2)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in talk:
            connection.sendall(bytes([byte]))
            time.sleep(0.0005)
        wait_until(lambda: sum(nginx.counts().values()) >= 3, 10 * t.patience)
    log = nginx.counts()
    t.equal(sum(log.values()), 3, "the witness")
    metrics = agent.settle(lambda m: by_method(m, SERVER, "bytes-server"), log)
    t.equal(by_method(metrics, SERVER, "bytes-server"), log, "server requests")
    t.equal(metrics.by(SERVER, "http_route", service_name="bytes-server"), Counter({"/ok": 1, "/missing": 1, "/items/{id}": 1}), "routes")
    t.nothing_lost(agent)
