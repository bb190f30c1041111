# SPDX-License-Identifier: Apache-2.0
"""sdk.py UPSTREAM FILE: a thread for each connection, with OpenTelemetry's SDK: takes a trace from the request, puts it on the
call; its own spans go to FILE, a line each."""

import http.client
import http.server
import json
import socketserver
import sys
import threading

from opentelemetry import propagate, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

UPSTREAM = int(sys.argv[1])
local = threading.local()


class Lines(SpanExporter):
    def __init__(self):
        self.file, self.lock = open(sys.argv[2], "w"), threading.Lock()

    def export(self, spans):
        with self.lock:
            for span in spans:
                print(json.dumps({"traceId": f"{span.context.trace_id:032x}", "spanId": f"{span.context.span_id:016x}",
                                  "kind": 2 if span.kind == trace.SpanKind.SERVER else 3, "path": span.attributes["url.path"]}),
                      file=self.file, flush=True)
        return SpanExportResult.SUCCESS


provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(Lines()))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("chain")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        said = {"url.path": self.path}
        with tracer.start_as_current_span("serve", context=propagate.extract(dict(self.headers)), kind=trace.SpanKind.SERVER,
                                          attributes=said):
            with tracer.start_as_current_span("call", kind=trace.SpanKind.CLIENT, attributes=said):
                headers = {}
                propagate.inject(headers)
                if not hasattr(local, "upstream"):
                    local.upstream = http.client.HTTPConnection("127.0.0.1", UPSTREAM, timeout=60)
                local.upstream.request("GET", self.path, headers=headers)
                local.upstream.getresponse().read()
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

    def log_message(self, *words):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 256


server = Server(("127.0.0.1", 0), Handler)
print("ready", server.server_address[1], flush=True)
server.serve_forever()
