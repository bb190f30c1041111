# SPDX-License-Identifier: Apache-2.0
"""service.py REDIS-PORT PUBLISHER-LIBRARY SPANS-FILE NAME: an HTTP server instrumented with OpenTelemetry's SDK, which publishes the
active span of each thread, and its own name; the SDK's finished spans go to the file."""

import ctypes
import http.server
import json
import mmap
import os
import socket
import socketserver
import struct
import sys
import threading
import time

import opentelemetry.context
from opentelemetry import trace
from opentelemetry.context.contextvars_context import ContextVarsRuntimeContext
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

REDIS, LIBRARY, FILE, NAME = sys.argv[1:]
local, publisher = threading.local(), ctypes.PyDLL(LIBRARY)
publisher.publish.argtypes = [ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_int]


class Published(ContextVarsRuntimeContext):
    """Tells what is active whenever that changes."""
    def attach(self, context):
        token = super().attach(context)
        self.publish()
        return token

    def detach(self, token):
        super().detach(token)
        self.publish()

    def publish(self):
        active = trace.get_current_span().get_span_context()
        publisher.publish(active.trace_id >> 64, active.trace_id & (1 << 64) - 1, active.span_id, 1)


class ToFile(SpanExporter):
    def __init__(self):
        self.file, self.lock = open(FILE, "w"), threading.Lock()

    def export(self, spans):
        with self.lock:
            for span in spans:
                self.file.write(json.dumps({"trace": f"{span.context.trace_id:032x}", "span": f"{span.context.span_id:016x}",
                                            "parent": f"{span.parent.span_id:016x}" if span.parent else None,
                                            "kind": span.kind.name, "path": span.attributes.get("url.path")}) + "\n")
            self.file.flush()
        return SpanExportResult.SUCCESS


def publish_name():
    """OpenTelemetry enhancement proposal 4719, with a resource of one attribute."""
    field = lambda number, data: bytes([number << 3 | 2, len(data)]) + data
    pair = field(1, b"service.name") + field(2, field(1, NAME.encode()))
    payload = ctypes.create_string_buffer(field(1, field(1, pair)))
    file = os.memfd_create("OTEL_CTX")
    os.ftruncate(file, 4096)
    memory = mmap.mmap(file, 4096)
    memory[:32] = struct.pack("8sIIQQ", b"OTEL_CTX", 2, len(payload.raw) - 1, time.clock_gettime_ns(time.CLOCK_BOOTTIME),
                              ctypes.addressof(payload))
    return memory, payload


def ask_redis():
    if not hasattr(local, "redis"):
        local.redis = socket.create_connection(("127.0.0.1", int(REDIS)))
    local.redis.sendall(b"*2\r\n$3\r\nGET\r\n$3\r\none\r\n")
    local.redis.recv(4096)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        caller = TraceContextTextMapPropagator().extract(dict(self.headers))
        with tracer.start_as_current_span("GET", context=caller, kind=trace.SpanKind.SERVER, attributes={"url.path": self.path}):
            with tracer.start_as_current_span("GET one", kind=trace.SpanKind.CLIENT, attributes={"url.path": self.path}):
                ask_redis()
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

    def log_message(self, *words):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128


opentelemetry.context._RUNTIME_CONTEXT = Published()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(ToFile()))
tracer = provider.get_tracer("service")
kept = publish_name()
server = Server(("127.0.0.1", 0), Handler)
print("ready", server.server_address[1], flush=True)
server.serve_forever()
