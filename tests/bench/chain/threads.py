# SPDX-License-Identifier: Apache-2.0
"""threads.py MODE UPSTREAM: how Python serves without an event loop.

thread   a thread for each connection
pool     a pool of threads, each takes a connection and keeps it
hand     one thread reads all requests, a pool of threads works on them and answers
prefork  processes, each serves one connection after the other
"""

import http.client
import http.server
import os
import selectors
import socket
import socketserver
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

MODE, UPSTREAM = sys.argv[1], int(sys.argv[2])
WORKERS = 16
local = threading.local()


def ask(path):
    if not hasattr(local, "upstream"):
        local.upstream = http.client.HTTPConnection("127.0.0.1", UPSTREAM, timeout=60)
    local.upstream.request("GET", path)
    local.upstream.getresponse().read()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1" if MODE == "thread" else "HTTP/1.0"

    def do_GET(self):
        ask(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *words):
        pass


class Server(http.server.HTTPServer):
    request_queue_size = 256
    pool = ThreadPoolExecutor(WORKERS)

    def process_request(self, request, client_address):
        def work():
            self.finish_request(request, client_address)
            self.shutdown_request(request)
        if MODE == "prefork":
            work()
        else:
            self.pool.submit(work)


class Threads(socketserver.ThreadingMixIn, Server):
    daemon_threads = True
    process_request = socketserver.ThreadingMixIn.process_request


def hand_over(listener):
    selector, pool = selectors.DefaultSelector(), ThreadPoolExecutor(WORKERS)
    selector.register(listener, selectors.EVENT_READ)

    def work(connection, head):
        ask(head.split(b" ")[1].decode())
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                selector.register(listener.accept()[0], selectors.EVENT_READ)
                continue
            head = key.fileobj.recv(65536)
            if head:
                pool.submit(work, key.fileobj, head)
            else:
                selector.unregister(key.fileobj)
                key.fileobj.close()


def main():
    if MODE == "hand":
        listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        print("ready", listener.getsockname()[1], flush=True)
        hand_over(listener)
    server = (Threads if MODE == "thread" else Server)(("127.0.0.1", 0), Handler)
    print("ready", server.server_address[1], flush=True)
    if MODE == "prefork":
        for _ in range(WORKERS - 1):
            if os.fork() == 0:
                break
    server.serve_forever()


main()
