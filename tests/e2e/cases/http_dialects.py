# SPDX-License-Identifier: Apache-2.0
"""What is said inside HTTP/1, of services for which that is switched on: against what clients did and servers counted."""

import os
from collections import Counter

from sonde_test import node
from sonde_test.runner import test, tool

RPC_SERVER = "rpc_server_call_duration_seconds_count"
RPC_CLIENT = "rpc_client_call_duration_seconds_count"
GRAPHQL = "sonde_graphql_operation_duration_seconds_count"
HTTP_SERVER = "http_server_request_duration_seconds_count"
OUTCOMES = "sonde_parse_outcomes_total"

RPC_KEYS = ("rpc_method", "rpc_response_status_code")
JSONRPC_SERVER = """
import json, sys
from collections import Counter
from jsonrpclib.SimpleJSONRPCServer import SimpleJSONRPCServer
server = SimpleJSONRPCServer(("127.0.0.1", 0), logRequests=False)
counts = Counter()
def counted(function):
    def call(*args):
        counts[function.__name__] += 1
        return function(*args)
    call.__name__ = function.__name__
    return call
def add(a, b): return a + b
def echo(text): return text
def fail(): raise ValueError("no")
def report(): return dict(counts)
for function in (add, echo, fail):
    server.register_function(counted(function))
server.register_function(report)
print("ready", server.server_address[1], flush=True)
server.serve_forever()
"""
JSONRPC_CLIENT = """
import json, sys, jsonrpclib
server = jsonrpclib.ServerProxy("http://127.0.0.1:%s/" % sys.argv[1])
for i in range(int(sys.argv[2])):
    assert server.add(i, 1) == i + 1
    assert server.echo("\\u00e9 \\"quoted\\" sEcReT")
    for wrong in (lambda: server.fail(), lambda: server.nothing(), lambda: server.add(1)):
        try:
            wrong()
            raise SystemExit("no error")
        except jsonrpclib.ProtocolError:
            pass
    batch = jsonrpclib.MultiCall(server)
    batch.echo("x"); batch.add(1, 2)
    assert list(batch()) == ["x", 3]
    server._notify.echo("nobody waits")
print(json.dumps(server.report()))
"""


def settled(t, agent, name, want, *keys, **labels):
    metrics = agent.settle(lambda m: m.by(name, *keys, **labels), want)
    t.equal(metrics.by(name, *keys, **labels), want, f"{name} {labels}")
    return metrics


@test(needs=("jsonrpclib",))
def http_jsonrpc_exact(t):
    agent = t.agent("--http-dialect", "jsonrpc:rpc-*")
    _, port = t.serve("/usr/bin/python3", "-c", JSONRPC_SERVER, service="rpc-server")
    told = t.spawn("/usr/bin/python3", "-c", JSONRPC_CLIENT, port, 50, service="rpc-client").result(60 * t.patience)
    t.spawn("/usr/bin/python3", "-c", JSONRPC_CLIENT, port, 10, service="silent-client").wait(60 * t.patience)
    t.equal(told, {"add": 150, "echo": 150, "fail": 50}, "the server's own counts (the witness)")
    # A batch is named by its first call.
    def calls(rounds):
        return Counter({("add", ""): rounds, ("echo", ""): 3 * rounds, ("fail", "-32603"): rounds, ("nothing", "-32601"): rounds,
                        ("add", "-32602"): rounds, ("report", ""): 1})
    settled(t, agent, RPC_CLIENT, calls(50), *RPC_KEYS, service_name="rpc-client", rpc_system_name="jsonrpc")
    both = calls(50) + calls(10)
    metrics = settled(t, agent, RPC_SERVER, both, *RPC_KEYS, service_name="rpc-server", rpc_system_name="jsonrpc")
    t.equal(metrics.total(HTTP_SERVER, service_name="rpc-server"), sum(both.values()), "requests, as HTTP sees them")
    t.equal(metrics.by(RPC_CLIENT, "rpc_method", service_name="silent-client"), {}, "calls of a service that is not read")
    t.equal(metrics.by(OUTCOMES, "outcome", protocol="http")["several_statements"], 50 + 60, "batches, client and server")
    t.check("sEcReT" not in metrics.text, "an argument left the machine")
    t.nothing_lost(agent)


GRAPHQL_SERVER = """
const http = require('http');
const { buildSchema } = require('graphql');
const { createHandler } = require('graphql-http/lib/use/http');
const schema = buildSchema(`type Query { hello(name: String): String, many(count: Int): [String], fails: String }
                            type Mutation { set(value: String): Int }`);
const counts = {};
const count = (name) => { counts[name] = (counts[name] || 0) + 1; };
const rootValue = {
  hello: ({name}) => { count('hello'); return 'hello ' + name; },
  many: ({count: n}) => { count('many'); return Array(n).fill('x'.repeat(1000)); },
  fails: () => { count('fails'); throw new Error('no'); },
  set: () => { count('set'); return 1; },
};
const handler = createHandler({ schema, rootValue });
const server = http.createServer((request, response) =>
  request.url === '/counts' ? response.end(JSON.stringify(counts)) : handler(request, response));
server.listen(0, '127.0.0.1', () => console.log('ready ' + server.address().port));
"""
GRAPHQL_CLIENT = """
import http.client, json, sys
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
def post(query, **more):
    connection.request("POST", "/graphql", json.dumps({"query": query, **more}), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())
post("{ hello }")  # what comes first may not be read whole
import time; time.sleep(0.5)
for i in range(50):
    assert post('query Greet($name: String) { hello(name: $name) }', variables={"name": "sEcReT"})[1]["data"]["hello"]
    assert post('{ hello(name: "} mutation Wrong { {") }')[1]["data"]["hello"]
    assert post("mutation SetIt { set(value: \\"x\\") } # query Wrong {")[1]["data"]["set"]
    assert post("query A { hello } query B { many(count: 100) }", operationName="B")[1]["data"]["many"]
    assert post("query Big { " + " ".join("a%d: hello" % i for i in range(500)) + " }")[1]["data"]["a499"]
    assert post("query Fails { fails }")[1]["errors"]
    status, body = post("query Invalid { nothing }")
    assert status == 400 or body["errors"], (status, body)
assert post("query TooLong { many(count: 3000) }")[1]["data"]["many"]
connection.request("GET", "/counts")
print(connection.getresponse().read().decode())
"""


@test(needs=("node-packages",))
def http_graphql_exact(t):
    agent = t.agent("--ring-bytes", 64 << 20, "--http-dialect", "graphql:graph*")
    path = t.path("server.js")
    with open(path, "w") as file:
        file.write(GRAPHQL_SERVER)
    server = t.spawn(tool("node"), path, service="graph-server", env={"NODE_PATH": os.path.join(node.FOLDER, "node_modules")})
    port = server.wait_port()
    told = t.spawn("/usr/bin/python3", "-c", GRAPHQL_CLIENT, port, service="graph-client").result(60 * t.patience)
    t.equal(told, {"hello": 1 + 50 * (2 + 500), "many": 51, "fails": 50, "set": 50}, "the server's own counts (the witness)")
    want = Counter({("query", "Greet", ""): 50, ("query", "", ""): 51, ("mutation", "SetIt", ""): 50, ("query", "B", ""): 50,
                    ("query", "Big", ""): 50, ("query", "Fails", "errors"): 50, ("query", "Invalid", "errors"): 50,
                    ("query", "TooLong", ""): 1})
    keys = ("graphql_operation_type", "graphql_operation_name", "error_type")
    for service, kind in (("graph-server", "server"), ("graph-client", "client")):
        metrics = settled(t, agent, GRAPHQL, want, *keys, service_name=service, kind=kind)
    t.equal(metrics.total(HTTP_SERVER, service_name="graph-server"), 353, "requests, as HTTP sees them")
    unread = metrics.total(OUTCOMES, protocol="http", outcome="body_unread")
    t.check(1 <= unread <= 2, f"{unread} bodies were not read whole; one is too long for a call")
    t.check("sEcReT" not in metrics.text, "an argument left the machine")
    t.nothing_lost(agent)


DB_SERVER = "db_server_operation_duration_seconds_count"
DB_CLIENT = "db_client_operation_duration_seconds_count"
ITEMS = "sonde_db_items_total"
TOOK = "sonde_db_took_seconds"
DB_KEYS = ("db_operation_name", "db_collection_name")
# Says what it asked for, and what the answers said.
SEARCH_CLIENT = """
import http.client, json, sys
from collections import Counter
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
items, took = Counter(), Counter()
def ask(method, path, body=None):
    connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
    answer = connection.getresponse()
    data = answer.read()
    return answer.status, json.loads(data) if data else None
assert ask("PUT", "/shop", json.dumps({"settings": {"number_of_replicas": 0}}))[0] == 200
for i in range(40):
    # The second one of each pair is there already.
    lines = [json.dumps({"create": {"_id": "%d" % (10 * (i // 2) + n)}}) + "\\n" + json.dumps({"name": "sEcReT", "text": "t" * 500}) + "\\n"
             for n in range(10)]
    status, answer = ask("POST", "/shop/_bulk", "".join(lines))
    for item in answer["items"]:
        items["succeeded" if item["create"]["status"] < 300 else "failed"] += 1
    took["bulk"] += answer["took"]
    took["bulks"] += 1
ask("POST", "/shop/_refresh")
for i in range(50):
    status, answer = ask("GET", "/shop/_search", json.dumps({"size": 100, "query": {"match_all": {}}}))
    assert answer["hits"]["total"]["value"] >= 200
    took["search"] += answer["took"]
    assert ask("PUT", "/shop/_doc/x%d" % i, json.dumps({"name": "x"}))[0] == 201
    assert ask("GET", "/shop/_doc/x%d" % i)[0] == 200
    assert ask("GET", "/shop/_doc/none")[0] == 404
    assert ask("HEAD", "/none")[0] == 404
    ask("GET", "/none/_search", "{}")
stats = ask("GET", "/shop/_stats/indexing,search")[1]["_all"]["total"]
print(json.dumps({"items": items, "took": took, "indexed": stats["indexing"]["index_total"],
                  "queries": stats["search"]["query_total"], "shards": 1}))
"""


@test(needs=("opensearch",))
def http_opensearch_exact(t):
    agent = t.agent("--ring-bytes", 64 << 20, "--http-dialect", "opensearch:search-*")
    server = t.opensearch(service="search-server")
    told = t.spawn("/usr/bin/python3", "-c", SEARCH_CLIENT, server.port, service="search-client").result(60 * t.patience)
    t.equal(told["items"], {"succeeded": 200, "failed": 200}, "items, as the answers say")
    t.equal((told["indexed"], told["queries"]), (200 + 50, 50), "the server's own counts (the witness)")
    want = Counter({("bulk", "shop"): 40, ("search", "shop"): 50, ("search", "none"): 50, ("index", "shop"): 50, ("get", "shop"): 100,
                    ("indices.exists", "none"): 50, ("indices.create", "shop"): 1, ("indices.refresh", "shop"): 1,
                    ("indices.stats", "shop"): 1})
    for name, service, kind in ((DB_SERVER, "search-server", "server"), (DB_CLIENT, "search-client", "client")):
        metrics = settled(t, agent, name, want, *DB_KEYS, service_name=service, db_system_name="opensearch",
                          db_operation_name=lambda operation: operation != "cluster.health")
        t.equal(metrics.by(ITEMS, "result", service_name=service, kind=kind, db_operation_name="bulk"), told["items"],
                f"items of {service}")
        for operation, count in (("bulk", 40), ("search", 50)):
            t.equal(metrics.total(TOOK + "_count", service_name=service, db_operation_name=operation, db_collection_name="shop"), count,
                    f"{operation}: answers with a duration, {service}")
            t.near(metrics.total(TOOK + "_sum", service_name=service, db_operation_name=operation) * 1000, told["took"][operation],
                   f"{operation}: milliseconds that the server says it took, {service}", 0.01, 0)
    t.equal(metrics.total(OUTCOMES, protocol="http", outcome="body_unread"), 0, "bodies not read")
    t.check("sEcReT" not in metrics.text, "a document left the machine")
    t.nothing_lost(agent)
