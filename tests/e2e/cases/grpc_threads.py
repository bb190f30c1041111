# SPDX-License-Identifier: Apache-2.0
"""gRPC as programs use it: many threads ask on one connection, which is read and written on several CPUs at once. Every call is
counted, once, by method and status: against what the server counted and what the client was answered."""

from collections import Counter

from sonde_test.process import wait_until
from sonde_test.runner import test

SERVER = "rpc_server_call_duration_seconds_count"
CLIENT = "rpc_client_call_duration_seconds_count"
PARTIAL = "sonde_requests_partial_total"
RINGS = ("--ring-bytes", 32 << 20)  # a benchmark that has all CPUs keeps the agent waiting

# Prints what it did when it is told to end.
SERVE = """
import collections, grpc, json, sys, threading
from concurrent import futures

done, lock = collections.Counter(), threading.Lock()

def count(what):
    with lock:
        done["test.Load/" + what] += 1

def unary(request, context):
    status = request.decode().strip("x") or "OK"
    count("Unary " + status)
    if status != "OK":
        context.abort(grpc.StatusCode[status], "as asked")
    return request

def both(requests, context):
    for request in requests:
        yield request
    count("Both OK")

methods = {"Unary": grpc.unary_unary_rpc_method_handler(unary), "Both": grpc.stream_stream_rpc_method_handler(both)}
server = grpc.server(futures.ThreadPoolExecutor(16))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Load", methods),))
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print("ready", port, flush=True)
sys.stdin.readline()
server.stop(None)
print(json.dumps(done), flush=True)
"""

# PORT THREADS CALLS: so many calls by each thread; 0: until it is told to end. Prints what it was answered.
ASK = """
import collections, grpc, json, sys, threading

port, threads, calls = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
channel = grpc.insecure_channel("127.0.0.1:" + port)
unary, both = channel.unary_unary("/test.Load/Unary"), channel.stream_stream("/test.Load/Both")
asked = [b"x" * 10, b"NOT_FOUND", b"x" * 20000, b"INTERNAL", b"x", b"", b"x" * 300]
said, ended = [collections.Counter() for _ in range(threads)], threading.Event()

def run(mine):
    i = 0
    while not ended.is_set() and not (calls and i == calls):
        what = i % 8
        i += 1
        try:
            if what == 7:
                list(both(iter([b"b"] * 3)))
                mine["test.Load/Both OK"] += 1
            else:
                unary(asked[what])
                mine["test.Load/Unary OK"] += 1
        except grpc.RpcError as error:
            mine["test.Load/Unary " + error.code().name] += 1

running = [threading.Thread(target=run, args=(mine,)) for mine in said]
for thread in running:
    thread.start()
if not calls:
    sys.stdin.readline()
    ended.set()
for thread in running:
    thread.join()
channel.close()
print(json.dumps(sum(said, collections.Counter())), flush=True)
"""


def by_call(metrics, name, service):
    got = metrics.by(name, "rpc_method", "rpc_response_status_code", service_name=service)
    return Counter({" ".join(key): count for key, count in got.items()})


def serve(t, service):
    server = t.spawn("/usr/bin/python3", "-c", SERVE, service=service, stdin=True)
    return server, server.wait_port()


def done(t, server):
    server.say()
    return Counter(server.result(20 * t.patience))


@test(needs=("grpc",))
def grpc_threads_exact(t):
    agent = t.agent(*RINGS)
    server, port = serve(t, "threads-server")
    said = Counter(t.spawn("/usr/bin/python3", "-c", ASK, port, 8, 1500, service="threads-client").result(100 * t.patience))
    want = done(t, server)
    t.equal(said, want, "the client's count against the server's (the witnesses)")
    t.equal(sum(want.values()), 12000, "calls")
    sides = ((SERVER, "threads-server"), (CLIENT, "threads-client"))
    metrics = agent.settle(lambda m: [by_call(m, *side) for side in sides], [want, want])
    for name, service in sides:
        t.equal(by_call(metrics, name, service), want, service)
        t.equal(metrics.total(PARTIAL, service_name=service), 0, f"partial calls of {service}")
    t.nothing_lost(agent)


@test(needs=("grpc",))
def grpc_agent_starts_among_threads(t):
    """What is reported of connections under way was asked; those of afterwards are exact."""
    server, port = serve(t, "among-server")
    client = t.spawn("/usr/bin/python3", "-c", ASK, port, 8, 0, service="among-client", stdin=True)
    agent = t.agent(*RINGS)
    seen = lambda m, name, service: m.total(name, service_name=service) + m.total(PARTIAL, service_name=service)
    sides = ((SERVER, "among-server"), (CLIENT, "among-client"))
    wait_until(lambda: all(seen(agent.scrape(), *side) > 1000 for side in sides), 20 * t.patience, 0.3)
    client.say()
    old = Counter(client.result(20 * t.patience))
    metrics = agent.scrape()
    for name, service in sides:
        t.check(1000 < seen(metrics, name, service) <= sum(old.values()) + 16, f"{service}: {seen(metrics, name, service)} of {old}")
        got = by_call(metrics, name, service)
        t.check(all(count <= old[key] for key, count in got.items() if key[0] != " " and key[-1] != " "),
                f"{service}: calls that were not: {got} of {old}")
    before = by_call(metrics, *sides[0])
    said = Counter(t.spawn("/usr/bin/python3", "-c", ASK, port, 8, 300, service="after-client").result(60 * t.patience))
    after = lambda m: (by_call(m, *sides[0]) - before, by_call(m, CLIENT, "after-client"))
    metrics = agent.settle(after, (said, said))
    t.equal(after(metrics), (said, said), "calls of a new connection, both sides")
    t.equal(metrics.total(PARTIAL, service_name="after-client"), 0, "partial calls of a new connection")
    t.equal(done(t, server), old + said, "the server's count against the clients' (the witnesses)")
    t.nothing_lost(agent)
