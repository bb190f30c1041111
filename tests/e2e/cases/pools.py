# SPDX-License-Identifier: Apache-2.0
"""Whose child a call is that a pool's thread makes while the event loop, which has read the request, waits to answer it: Starlette's plain
functions, as FastAPI has them. The witness is the number that the request and all that is called for it carry."""

import http.client
import time
from concurrent.futures import ThreadPoolExecutor

from cases.handed import collect, judge, watch
from sonde_test import pypi
from sonde_test.runner import test

# MODE `later`: each request has one more call made when it was answered.
SERVICE = """
import http.client, socket, sys, threading, time
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import PlainTextResponse
from starlette.routing import Route
upstream, mode = int(sys.argv[1]), sys.argv[2]
local = threading.local()
def ask(path):
    if not hasattr(local, "upstream"):
        local.upstream = http.client.HTTPConnection("127.0.0.1", upstream, timeout=60)
    local.upstream.request("GET", path)
    local.upstream.getresponse().read()
def later(number):
    time.sleep(0.002)
    ask(f"/later/{number}")
def serve(request):
    number = request.path_params["number"]
    ask(f"/items/{number}?one")
    ask(f"/items/{number}?two")
    return PlainTextResponse("ok", background=BackgroundTask(later, number) if mode == "later" else None)
listener = socket.create_server(("127.0.0.1", 0), backlog=128)
print("ready", listener.getsockname()[1], flush=True)
app = Starlette(routes=[Route("/in/{number}", serve)])
uvicorn.Server(uvicorn.Config(app, log_level="error", loop="asyncio", http="h11", ws="none")).run(sockets=[listener])
"""
SHOWN = 32  # JOIN_LONE_SHOWN


def ask(port, numbers, pause):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for number in numbers:
        connection.request("GET", f"/in/{number}")
        connection.getresponse().read()
        time.sleep(pause)
    connection.close()


def serve(t, mode, clients, each, pause):
    """What became of the calls (handed.judge), when so many clients at a time have asked so often."""
    agent, up, port = watch(t, SERVICE, mode, {"PYTHONPATH": pypi.FOLDER})
    with ThreadPoolExecutor(clients) as threads:
        list(threads.map(lambda client: ask(port, range(client * each, (client + 1) * each), pause), range(clients)))
    said = judge(collect(t, up, clients * each, (3 if mode == "later" else 2) * clients * each))
    t.equal(said["wrong"], 0, f"wrong parents ({dict(said)})")
    t.equal(agent.scrape().total("sonde_table_entries", table="span_handed_calls"), 0, "calls kept of requests that are over")
    return said


@test(needs=("nginx", "pypi-packages"))
def pools_calls_are_the_lone_requests(t):
    """One request after the other, with pauses. The pool's thread was started for the first one, which is another matter."""
    said = serve(t, "now", 1, 3 * SHOWN, 0.05)
    t.equal(said["astray"], 0, f"links to wrong requests only: {dict(said)}")
    t.check(said["none"] <= 2, f"calls with neither parent nor links: {dict(said)}")
    t.check(said["right"] >= SHOWN, f"parents: {dict(said)}")


@test(needs=("nginx", "pypi-packages"))
def pools_calls_for_several_have_no_parent(t):
    """Several requests at once: nothing leads from a call to its request. At first it is not known that who works does not answer."""
    said = serve(t, "now", 6, 4 * SHOWN, 0)
    t.equal(said["astray"], 0, f"links to wrong requests only: {dict(said)}")
    t.check(said["linked"] >= 2 * said["none"], f"links: {dict(said)}")


@test(needs=("nginx", "pypi-packages"))
def pools_work_for_later_has_no_parent(t):
    """What is done after the answer falls into the next request."""
    serve(t, "later", 1, 3 * SHOWN, 0)


@test(needs=("nginx", "pypi-packages"))
def pools_work_between_requests_has_no_parent(t):
    serve(t, "later", 1, 2 * SHOWN, 0.05)
