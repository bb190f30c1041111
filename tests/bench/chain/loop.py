# SPDX-License-Identifier: Apache-2.0
"""loop.py UPSTREAM: asyncio, one thread for all connections; calls over kept connections."""

import asyncio
import sys

UPSTREAM = int(sys.argv[1])
idle = []


async def ask(path):
    reader, writer = idle.pop() if idle else await asyncio.open_connection("127.0.0.1", UPSTREAM)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: upstream\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    await reader.readexactly(length)
    idle.append((reader, writer))


async def serve(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            await ask(head.split(b" ")[1].decode())
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    except asyncio.IncompleteReadError:
        writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=256)
    print("ready", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
