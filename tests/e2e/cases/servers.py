# SPDX-License-Identifier: Apache-2.0
"""Servers that people run, each with curl."""

import os
import subprocess

from sonde_test.process import wait_until
from sonde_test.runner import test, tool

SERVER = "http_server_request_duration_seconds_count"
CLIENT = "http_client_request_duration_seconds_count"
NODE = """
const http = require('http');
const server = http.createServer((request, response) => {
  request.resume();
  request.on('end', () => setTimeout(() => {
    response.writeHead(request.url === '/missing' ? 404 : 200, {'Content-Type': 'text/plain'});
    response.end(request.method === 'HEAD' ? undefined : 'x'.repeat(50000));
  }, 5));
});
server.listen(0, '127.0.0.1', () => console.log('ready ' + server.address().port));
"""
PYTHON = """
import http.server, sys
class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = sys.argv[2]
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print("ready", server.server_address[1], flush=True)
server.serve_forever()
"""


def visit(t, agent, name, port, paths):
    """curl: every path by a connection of its own, then all over one."""
    client, want = f"{name}-curl", {}
    base = f"http://127.0.0.1:{port}"
    status = []
    for urls in [[path] for path in paths] + [list(paths)]:
        run = t.spawn(tool("curl"), "-s", "-S", "-w", "%{stderr}%{http_code}\n", *[base + url for url in urls], service=client)
        run.wait(60 * t.patience)
        status += run.error().split()
    for code in status:
        want["GET", code] = want.get(("GET", code), 0) + 1
    run = t.spawn(tool("curl"), "-s", "-S", "-I", base + paths[0], service=client)
    run.wait(60 * t.patience)
    want["HEAD", run.output().split()[1]] = 1

    def counts(m):
        return [m.by(metric, "http_request_method", "http_response_status_code", service_name=service)
                for metric, service in ((SERVER, name), (CLIENT, client))]
    metrics = agent.settle(counts, [want, want])
    got = counts(metrics)
    t.equal(got[0], want, f"{name}: server requests")
    t.equal(got[1], want, f"{name}: client requests")
    t.nothing_lost(agent)


@test(needs=("curl",))
def python_http_server(t):
    agent = t.agent()
    os.makedirs(t.path("www/dir"))
    with open(t.path("www/large"), "wb") as file:
        file.write(b"x" * 300000)
    os.chdir(t.path("www"))
    try:
        for version in ("HTTP/1.0", "HTTP/1.1"):
            name = "python-" + version[-3:].replace(".", "")
            server, port = t.serve("/usr/bin/python3", "-c", PYTHON, "x", version, service=name)
            visit(t, agent, name, port, ["/large", "/missing", "/dir/"])
    finally:
        os.chdir("/")


@test(needs=("curl", "node"))
def node_server(t):
    agent = t.agent()
    path = t.path("server.js")
    with open(path, "w") as file:
        file.write(NODE)
    _, port = t.serve(tool("node"), path, service="node-server")
    visit(t, agent, "node-server", port, ["/", "/missing", "/items/9"])


@test(needs=("curl", "nginx"))
def nginx_server(t):
    agent = t.agent()
    nginx = t.nginx(service="real-nginx")
    visit(t, agent, "real-nginx", nginx.port, ["/files/small", "/missing", "/items/9"])


@test(needs=("ab", "nginx"))
def nginx_under_ab(t):
    """HTTP/1.0 clients with and without keep-alive."""
    agent = t.agent()
    nginx = t.nginx(service="ab-nginx")
    for flags, count in ((["-k"], 1000), ([], 500)):
        run = subprocess.run([tool("ab"), *flags, "-q", "-c8", f"-n{count}", f"http://127.0.0.1:{nginx.port}/files/small"],
                             capture_output=True, text=True, env=dict(os.environ, OTEL_SERVICE_NAME="ab-client"))
        t.check(f"Complete requests:      {count}" in run.stdout, run.stdout + run.stderr)
    wait_until(lambda: sum(nginx.counts().values()) >= 1500, 10 * t.patience)
    log = nginx.counts()
    keys = ("http_request_method", "http_response_status_code")
    metrics = agent.settle(lambda m: m.by(SERVER, *keys, service_name="ab-nginx"), log)
    t.equal(metrics.by(SERVER, *keys, service_name="ab-nginx"), log, "server requests")
    # ab may begin a few requests more than it was asked for; those it does not wait for are no requests of its.
    t.equal(metrics.total(CLIENT, service_name="ab-client"), 1500, "client requests")
    t.nothing_lost(agent)
