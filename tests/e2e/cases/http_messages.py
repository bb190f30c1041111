# SPDX-License-Identifier: Apache-2.0
"""Every form a message can have, to servers that people run: nginx's access log and Node's own counts are the witnesses."""

import json
import re
import socket
import struct
import time
from collections import Counter

from sonde_test.process import wait_until
from sonde_test.runner import test, tool

SERVER = "http_server_request_duration_seconds_count"
CLIENT = "http_client_request_duration_seconds_count"
OUTCOMES = "sonde_parse_outcomes_total"
PARTIAL = "sonde_requests_partial_total"
KEYS = ("http_request_method", "http_response_status_code")
RINGS = ("--ring-bytes", 64 << 20)

NODE = """
const http = require('http');
const counts = {};
const server = http.createServer((request, response) => {
  if (request.url === '/counts') { response.end(JSON.stringify(counts)); return; }
  response.on('finish', () => {
    const key = request.method + ' ' + response.statusCode;
    counts[key] = (counts[key] || 0) + 1;
  });
  if (request.url === '/early') { response.writeHead(413, {'Content-Length': 2}); response.end('no'); return; }
  if (request.url === '/hints') response.writeEarlyHints({link: '</x>; rel=preload'});
  if (request.url === '/none') { response.writeHead(204); response.end(); return; }
  if (request.url === '/same') { response.writeHead(304); response.end(); return; }
  if (request.url === '/trailers') {
    response.writeHead(200, {'Transfer-Encoding': 'chunked', 'Trailer': 'X-Sum'});
    response.write('first');
    setTimeout(() => { response.write('x'.repeat(5000)); response.addTrailers({'X-Sum': '1'}); response.end(); }, 5);
    return;
  }
  let bytes = 0;
  request.on('data', (chunk) => { bytes += chunk.length; });
  request.on('end', () => response.end('got ' + bytes));
});
server.listen(0, '127.0.0.1', () => console.log('ready ' + server.address().port));
"""

END = b"Host: x\r\nConnection: close\r\n\r\n"
GO_ON = b"Host: x\r\n\r\n"
FIELDS = b"Host: x\r\nConnection: close\r\n"
COOKIE = b"Cookie: " + b"c" * 3000 + b"\r\n"
# Pieces that are sent one by one, what Node answers, and the outcomes that sonde counts beside ok.
FORMS = {
    "plain": ([b"GET / HTTP/1.1\r\n" + END], ["GET 200"], {}),
    "split head": ([b"GE", b"T / HT", b"TP/1.1\r\nHos", b"t: x\r", b"\nConnection: close\r\n", b"\r", b"\n"], ["GET 200"], {}),
    "trailers": ([b"GET /trailers HTTP/1.1\r\nTE: trailers\r\n" + END], ["GET 200"], {}),
    "upload with trailers": ([b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + END, b"5;x=y\r\nhello\r\n", b"0\r\na: b\r\n\r\n"],
                             ["POST 200"], {}),
    "expect": ([b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n" + END, b"hello"], ["POST 200"], {"interim": 1}),
    "hints": ([b"GET /hints HTTP/1.1\r\n" + END], ["GET 200"], {"interim": 1}),
    "no content": ([b"GET /none HTTP/1.1\r\n" + END], ["GET 204"], {}),
    "not modified": ([b"GET /same HTTP/1.1\r\n" + END], ["GET 304"], {}),
    "head": ([b"HEAD / HTTP/1.1\r\n" + END], ["HEAD 200"], {"head": 1}),
    "early answer": ([b"POST /early HTTP/1.1\r\nContent-Length: 100000\r\n" + GO_ON, b"x" * 50000, b"x" * 50000], ["POST 413"], None),
    "asterisk": ([b"OPTIONS * HTTP/1.1\r\n" + END], ["OPTIONS 200"], {}),
    "absolute": ([b"GET http://example.com/a/b?c HTTP/1.1\r\n" + END], ["GET 200"], {}),
    "old keep-alive": ([b"GET / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n"], ["GET 200"], {}),
    "long head": ([b"GET /long HTTP/1.1\r\n" + COOKIE + END], ["GET 200"], {"header_truncated": 1}),
    "long head and body": ([b"POST /long HTTP/1.1\r\n" + COOKIE + b"Content-Length: 2000\r\n" + END + b"x" * 2000], ["POST 200"],
                           {"header_truncated": 1}),
    "long head in pieces": ([b"GET /long HTTP/1.1\r\n" + FIELDS + COOKIE[:1500], COOKIE[1500:] + b"\r\n"], ["GET 200"],
                            {"header_truncated": 1}),
}


def send(port, pieces):
    """Returns all that is answered until the server closes, or nothing comes for a moment."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(0.5)
        received = b""
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.02)
        try:
            while more := connection.recv(65536):
                received += more
        except OSError:  # kept open, or reset after an early answer
            pass
    return received


def by_method(metrics, name, **labels):
    return metrics.by(name, *KEYS, **labels)


def outcomes(metrics):
    return metrics.by(OUTCOMES, "outcome", protocol="http") - Counter({"ok": 1 << 30})


@test(needs=("node",), guest=False)
def http_forms_of_messages(t):
    agent = t.agent()
    path = t.path("server.js")
    with open(path, "w") as file:
        file.write(NODE)
    _, port = t.serve(tool("node"), path, service="forms-server")
    want, odd = Counter(), outcomes(agent.scrape())
    for name, (pieces, answers, expected) in FORMS.items():
        t.where = f"{name}: "
        send(port, pieces)
        want += Counter(tuple(answer.split()) for answer in answers)
        metrics = agent.settle(lambda m: by_method(m, SERVER, service_name="forms-server"), want)
        t.equal(by_method(metrics, SERVER, service_name="forms-server"), want, "requests of the server")
        if expected is not None:  # ours is seen too: both sides
            t.equal(outcomes(metrics) - odd, {outcome: 2 * count for outcome, count in expected.items()}, "outcomes")
        odd = outcomes(metrics)
    t.where = ""
    body = send(port, [b"GET /counts HTTP/1.0\r\n\r\n"]).partition(b"\r\n\r\n")[2]
    told = Counter({tuple(key.split()): count for key, count in json.loads(body).items()})
    t.equal(told, want, "Node's own counts (the witness)")
    t.equal(metrics.total(PARTIAL, service_name="forms-server"), 0, "partial requests")


UPLOADS = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        try:
            whole = len(self.rfile.read(100000)) == 100000
        except OSError:
            whole = False
        print("whole" if whole else "cut", flush=True)
        if not whole:
            self.close_connection = True
            return
        self.send_response(200)
        self.end_headers()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print("ready", server.server_address[1], flush=True)
server.serve_forever()
"""


@test()
def http_uploads_given_up(t):
    """The client goes away in the middle of its body: no answer, and both sides say why."""
    agent = t.agent()
    server, port = t.serve("/usr/bin/python3", "-c", UPLOADS, service="upload-server")
    for is_reset in (False, True) * 5:
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(b"POST /items/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + b"x" * 500)
        time.sleep(0.05)
        if is_reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    metrics = agent.settle(lambda m: m.total(SERVER, service_name="upload-server"), 10)
    t.equal(server.output().count("cut\n"), 10, "what the server says (the witness)")
    t.equal(metrics.by(SERVER, *KEYS, "error_type", service_name="upload-server"),
            {("POST", "", "request_cut"): 5, ("POST", "", "reset"): 5}, "requests of the server")
    t.equal(metrics.total(OUTCOMES, protocol="http", outcome="request_cut"), 20, "both sides")


# Batches of 50; the first one, of 2, is for sonde to know of.
PIPELINER = """
import socket, sys, time
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
def batch(depth):
    request = b"GET /none HTTP/1.1\\r\\nHost: x\\r\\n\\r\\nGET /items/17 HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n"
    connection.sendall(request * (depth // 2))
    received = b""
    while received.count(b"HTTP/1.1 ") < depth or not received.endswith(b"an item\\n"):
        received += connection.recv(1 << 20)
batch(2)
time.sleep(0.5)
for _ in range(60):
    batch(50)
"""


@test(needs=("nginx",))
def http_pipelines_exact(t):
    agent = t.agent(*RINGS)
    nginx = t.nginx(service="pipe-server")
    clients = [t.spawn("/usr/bin/python3", "-c", PIPELINER, nginx.port, service="pipe-client") for _ in range(4)]
    for client in clients:
        client.wait(60 * t.patience)
    half = 4 * (1 + 25 * 60)
    want = {("GET", "200"): half, ("GET", "204"): half}
    wait_until(lambda: nginx.counts() == want, 10 * t.patience)
    t.equal(nginx.counts(), want, "nginx's log (the witness)")
    sides = ((SERVER, "pipe-server"), (CLIENT, "pipe-client"))
    metrics = agent.settle(lambda m: [by_method(m, name, service_name=service) for name, service in sides], [want, want], seconds=2)
    for name, service in sides:
        got = by_method(metrics, name, service_name=service)
        partial = metrics.total(PARTIAL, service_name=service)
        t.check(partial <= 4, f"{service}: {partial} are partial, not only of the first batches")
        t.equal(sum(got.values()) + partial, 2 * half, f"requests and partial ones of {service}")
        t.equal(got[("GET", "204")], half, f"requests without content of {service}")
    t.nothing_lost(agent)


WRK = """
local batch = {}
init = function() for i = 1, 16 do batch[i] = wrk.format("GET", "/items/" .. i) end pipeline = table.concat(batch) end
request = function() return pipeline end
"""


@test(needs=("nginx", "wrk"))
def http_pipelines_of_wrk(t):
    """From the first request on: what was not sent before sonde knew of the pipeline is partial, and none is missing."""
    agent = t.agent(*RINGS)
    nginx = t.nginx(service="wrk-pipe")
    path = t.path("pipeline.lua")
    with open(path, "w") as file:
        file.write(WRK)
    wrk = t.spawn(tool("wrk"), "-t1", "-c4", "-d1", "-s", path, f"http://127.0.0.1:{nginx.port}/", service="wrk-pipe-client")
    wrk.wait(60 * t.patience)
    t.check(int(re.search(r"(\d+) requests in", wrk.output())[1]) >= 10000, wrk.output())
    last = [-1]

    def is_quiet():
        previous, last[0] = last[0], sum(nginx.counts().values())
        return previous == last[0]
    wait_until(is_quiet, 10 * t.patience, every=0.3)
    log = sum(nginx.counts().values())

    def seen(m):
        return sum(m.total(name, service_name="wrk-pipe") for name in (SERVER, PARTIAL))
    metrics = agent.settle(seen, log)
    t.near(seen(metrics), log, "requests and partial requests against nginx's log", 4 * 16, 0)
    t.check(metrics.total(PARTIAL, service_name="wrk-pipe") <= log / 20, "too many are partial")
    t.nothing_lost(agent)
