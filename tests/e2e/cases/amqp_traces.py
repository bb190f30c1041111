# SPDX-License-Identifier: Apache-2.0
"""Whose child a call of a broker is: what a thread asks of RabbitMQ while it answers a request."""

import http.client
import os
import threading
from collections import Counter

from sonde_test.otelcol import read_spans
from sonde_test.process import wait_until
from sonde_test.runner import test

SERVER, CLIENT, PRODUCER = 2, 3, 4
PYTHON = "/usr/bin/python3"

# A thread a connection. Every second request opens a connection to the broker of its own; queues have the request's number for a name.
SERVICE = """
import http.server, pika, socketserver, sys, threading
local = threading.local()
def connect():
    connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", int(sys.argv[1])))
    channel = connection.channel()
    channel.confirm_delivery()
    return connection, channel
def publish(channel, number):
    channel.queue_declare(f"n{number}")
    channel.basic_publish("", f"n{number}", b"x" * 100)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        number = int(self.path.rpartition("/")[2])
        if number % 2:
            connection, channel = connect()
            publish(channel, number)
            connection.close()
        else:
            if not hasattr(local, "channel"):
                local.channel = connect()[1]
            publish(local.channel, number)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *words):
        pass
class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128
server = Server(("127.0.0.1", 0), Handler)
print("ready", server.server_address[1], flush=True)
server.serve_forever()
"""
CLIENTS, EACH = 4, 25
OPENING = ("connection.start", "connection.open", "channel.open", "confirm.select")


def ask(port, numbers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for number in numbers:
        connection.request("GET", f"/in/{number}")
        connection.getresponse().read()
    connection.close()


def expected():
    """{operation: how many of it}"""
    requests = CLIENTS * EACH
    opened = requests // 2 + CLIENTS
    return Counter({"publish": requests, "queue.declare": requests, "channel.close": requests // 2,
                    "connection.close": requests // 2} | dict.fromkeys(OPENING, opened))


def is_in(span, above):
    return all(int(above[f"{end}TimeUnixNano"]) * sign <= int(span[f"{end}TimeUnixNano"]) * sign for end, sign in (("start", 1), ("end", -1)))


def judge(t, spans):
    """Counter of how many calls have the right parent, a wrong one, links, or nothing."""
    requests = {span["spanId"]: span for span in spans if span["kind"] == SERVER}
    said = Counter()
    for span in spans:
        if span["kind"] == SERVER:
            continue
        above = requests.get(span.get("parentSpanId"))
        name = span["attributes"].get("messaging.destination.name")
        if not span.get("parentSpanId"):
            said["linked" if span.get("links") else "none"] += 1
        elif above and above["traceId"] == span["traceId"] and is_in(span, above) and \
                name in (None, "n" + above["attributes"]["url.path"].rpartition("/")[2]):
            said["right"] += 1
        else:
            said["wrong"] += 1
    return said


@test(needs=("rabbitmq-server", "pika"))
def amqp_calls_are_their_requests(t):
    """All that a handler asks of the broker: also while others do, and on a connection that it opens for that."""
    file = os.path.join(t.directory, "spans.ndjson")
    agent = t.agent("--spans-ndjson", file, "--only", "service=amqp-app")
    rabbit = t.rabbitmq()
    app, port = t.serve(PYTHON, "-c", SERVICE, rabbit.port, service="amqp-app")
    if not wait_until(lambda: app.pid in {process["pid"] for process in agent.dump("procs") if not process["ignored"]}, 10 * t.patience):
        raise AssertionError(f"the service is not looked at: {agent.dump('procs')}")
    threads = [threading.Thread(target=ask, args=(port, range(client * EACH, (client + 1) * EACH))) for client in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    t.equal(rabbit.totals()["confirmed"], CLIENTS * EACH, "the witness: confirmed")
    calls = sum(expected().values())
    wait_until(lambda: len(read_spans(file)) >= calls + CLIENTS * EACH, 20 * t.patience, every=0.2)
    spans = read_spans(file)
    found = Counter(span["attributes"]["messaging.operation.name"] for span in spans if span["kind"] != SERVER)
    t.equal(found, expected(), "calls")
    said = judge(t, spans)
    t.equal(said["wrong"] + said["none"], 0, f"calls with a wrong parent, or without any ({dict(said)})")
    t.check(said["right"] >= calls // 2, f"parents: {dict(said)}")
    t.nothing_lost(agent)
