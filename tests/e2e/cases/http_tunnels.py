# SPDX-License-Identifier: Apache-2.0
"""What follows an Upgrade or CONNECT: messages, bytes and durations, against what both ends say they did."""

import socket
import threading
import time
from collections import Counter

from sonde_test.runner import test

MESSAGES = "sonde_websocket_messages_total"
MESSAGE_BYTES = "sonde_websocket_message_bytes_total"
DURATION = "sonde_tunnel_duration_seconds"
TUNNEL_BYTES = "sonde_tunnel_bytes_total"
OUTCOMES = "sonde_parse_outcomes_total"
RINGS = ("--ring-bytes", 64 << 20)

WEBSOCKET_SERVER = """
import asyncio, sys, websockets
async def echo(connection):
    for i in range(300):
        await connection.send("greeting")
    async for message in connection:
        await connection.send(message)
async def main():
    compression = "deflate" if sys.argv[1] == "deflate" else None
    async with websockets.serve(echo, "127.0.0.1", 0, compression=compression, ping_interval=None, max_size=None) as server:
        print("ready", server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()
asyncio.run(main())
"""
# Prints what it sent and received: messages and bytes, by type.
WEBSOCKET_CLIENT = """
import asyncio, json, sys, websockets
from collections import Counter
port, compression, count, way = int(sys.argv[1]), sys.argv[2] == "deflate", int(sys.argv[3]), sys.argv[4]
messages, sizes = Counter(), Counter()
def note(direction, message):
    kind = "binary" if isinstance(message, bytes) else "text"
    messages[f"{kind} {direction}"] += 1
    sizes[f"{kind} {direction}"] += len(message)
def next_message(i):
    size = (0, 5, 125, 126, 200, 3000, 65535, 65536)[i % 8] if way != "fast" else 4
    return b"b" * size if i % 3 else "t" * size
async def run():
    connection = await websockets.connect(f"ws://127.0.0.1:{port}/chat", compression="deflate" if compression else None,
                                          ping_interval=None, max_size=None)
    async def receive(expected):
        for _ in range(expected):
            note("received", await connection.recv())
    await receive(300)
    async def send():
        for i in range(count):
            message = next_message(i)
            note("sent", message)
            if i % 10 == 9 and message:
                half = len(message) // 2
                await connection.send([message[:half], message[half:]])
            else:
                await connection.send(message)
            if way == "slow":
                await receive(1)
            if i % 100 == 0:
                await (await connection.ping(b"abc"))
                messages["ping sent"] += 1; messages["pong received"] += 1
                sizes["ping sent"] += 3; sizes["pong received"] += 3
    sending = asyncio.ensure_future(send())
    if way == "fast":
        await receive(count)
    await sending
    await connection.close(1001, "bye")
    for direction in ("sent", "received"):
        messages[f"close {direction}"] += 1; sizes[f"close {direction}"] += 5
asyncio.run(run())
print(json.dumps({"messages": messages, "bytes": sizes}))
"""


def turned(counts):
    """What one end sent the other received."""
    other = {"sent": "received", "received": "sent"}
    return Counter({(kind, other[direction]): count for (kind, direction), count in counts.items()})


def talk(t, agent, name, compression, count, way, of_bytes=True):
    _, port = t.serve("/usr/bin/python3", "-c", WEBSOCKET_SERVER, compression, service=name)
    done = t.spawn("/usr/bin/python3", "-c", WEBSOCKET_CLIENT, port, compression, count, way,
                   service=name + "-client").result(60 * t.patience)
    want = {metric: Counter({tuple(key.split()): value for key, value in done[what].items() if value})
            for metric, what in ((MESSAGES, "messages"), (MESSAGE_BYTES, "bytes"))}
    sides = ((name + "-client", "client", lambda counts: counts), (name, "server", turned))
    metrics = agent.settle(lambda m: [m.by(MESSAGES, "type", "direction", service_name=service) for service, _, _ in sides],
                           [view(want[MESSAGES]) for _, _, view in sides])
    for service, kind, view in sides:
        for metric in (MESSAGES, MESSAGE_BYTES) if of_bytes else (MESSAGES,):
            t.equal(metrics.by(metric, "type", "direction", service_name=service, kind=kind), view(want[metric]),
                    f"{metric} of {service}")
        t.equal(metrics.by(DURATION + "_count", "tunnel", "close_code", service_name=service), {("websocket", "1001"): 1},
                f"connections of {service}")
    return metrics


@test(needs=("websockets",))
def http_websocket_exact(t):
    """Messages of all lengths, fragments, control frames; one after the other and both ways at once."""
    agent = t.agent(*RINGS)
    talk(t, agent, "ws-slow", "plain", 1000, "slow")
    metrics = talk(t, agent, "ws-fast", "plain", 10000 if not t.guest else 1000, "fast")
    t.equal(metrics.total(OUTCOMES, protocol="http", outcome="upgrade"), 4, "upgrades, both sides")
    t.equal(metrics.by(OUTCOMES, "outcome", protocol="websocket"), {}, "oddities")
    t.nothing_lost(agent)


@test(needs=("websockets",))
def http_websocket_compressed(t):
    agent = t.agent(*RINGS)
    metrics = talk(t, agent, "ws-deflate", "deflate", 200, "slow", of_bytes=False)
    t.equal(metrics.by(OUTCOMES, "outcome", protocol="websocket"), {"compressed": 2}, "oddities, both sides")
    t.nothing_lost(agent)


PROXY = """
import select, socket, threading
def carry(client, server):
    while True:
        for ready in select.select([client, server], [], [])[0]:
            data = ready.recv(65536)
            if not data:
                return
            (server if ready is client else client).sendall(data)
def serve(client):
    head = b""
    with client:
        while not head.endswith(b"\\r\\n\\r\\n"):
            head += client.recv(4096)
        if not head.startswith(b"CONNECT") or b"x-denied" in head:
            client.sendall(b"HTTP/1.1 407 Who\\r\\nContent-Length: 3\\r\\n\\r\\nwho")
            return serve(client)
        port = int(head.split(b":")[1].split()[0])
        with socket.create_connection(("127.0.0.1", port)) as server:
            client.sendall(b"HTTP/1.1 200 OK\\r\\n\\r\\n")
            carry(client, server)
listener = socket.create_server(("127.0.0.1", 0))
print("ready", listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""
# Asks twice, then says so many bytes that are no HTTP, and reads as many.
TUNNELLER = """
import socket, sys
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
target = b"CONNECT 127.0.0.1:" + sys.argv[2].encode() + b" HTTP/1.1\\r\\n"
connection.sendall(target + b"x-denied: yes\\r\\n\\r\\n")
while not connection.recv(4096).endswith(b"who"): pass
connection.sendall(target + b"\\r\\n")
while not connection.recv(4096).endswith(b"\\r\\n\\r\\n"): pass
for size in (1, 1000, 300000):
    connection.sendall(b"\\x16" * size)
    left = size
    while left: left -= len(connection.recv(left))
connection.close()
"""


def echo_server():
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection):
        with connection:
            while data := connection.recv(65536):
                connection.sendall(data)

    def accept():
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    return listener


@test()
def http_connect_tunnels(t):
    agent = t.agent()
    echo = echo_server()
    try:
        _, port = t.serve("/usr/bin/python3", "-c", PROXY, service="proxy")
        for _ in range(3):
            began = time.monotonic()
            t.spawn("/usr/bin/python3", "-c", TUNNELLER, port, echo.getsockname()[1], service="tunneller").wait(30 * t.patience)
            seconds = time.monotonic() - began
    finally:
        echo.close()
    want = Counter({"sent": 3 * 301001, "received": 3 * 301001})
    metrics = agent.settle(lambda m: [m.by(TUNNEL_BYTES, "direction", service_name=service) for service in ("proxy", "tunneller")],
                           [want, want])
    keys = ("http_request_method", "http_response_status_code")
    for service, kind in (("proxy", "server"), ("tunneller", "client")):
        t.equal(metrics.by(TUNNEL_BYTES, "direction", service_name=service, kind=kind, tunnel="connect"), want, f"bytes of {service}")
        t.equal(metrics.by(DURATION + "_count", "tunnel", service_name=service), {"connect": 3}, f"tunnels of {service}")
        t.equal(metrics.by(f"http_{kind}_request_duration_seconds_count", *keys, service_name=service),
                {("CONNECT", "407"): 3, ("CONNECT", "200"): 3}, f"requests of {service}")
    t.check(metrics.total(DURATION + "_sum", service_name="tunneller") <= 3 * seconds + 5, "longer than the programs ran")
    t.equal(metrics.by(OUTCOMES, "outcome", protocol="http")["connect"], 6, "tunnels, both sides")
    t.nothing_lost(agent)
