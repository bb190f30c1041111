# SPDX-License-Identifier: Apache-2.0
"""Requests that nginx hands to php-fpm are counted on both sides: against php-fpm's access log."""

import http.client
from collections import Counter

from sonde_test.runner import test

SERVER = "http_server_request_duration_seconds_count"
CLIENT = "http_client_request_duration_seconds_count"
BODIES = "http_server_response_body_size_bytes_sum"
LABELS = ("http_request_method", "http_response_status_code")
PLAN = [("GET", "/items/{}", 0, 200, 10), ("GET", "/items/{}", 0, 404, 0), ("POST", "/up", 3000, 200, None), ("HEAD", "/items/{}", 0, 200, 0),
        ("GET", "/broken", 0, 500, 20), ("PUT", "/up/{}", 200000, 201, 5), ("GET", "/big", 0, 200, 300000)]


def play(t, port, rounds):
    """Returns the bytes of bodies that were read."""
    connection, total = http.client.HTTPConnection("127.0.0.1", port, timeout=60 * t.patience), 0
    for number in range(rounds):
        plan = PLAN if number < 700 else PLAN[:5]  # without what is long
        method, path, sends, status, gets = plan[number % len(plan)]
        query = f"?status={status}" + ("" if gets is None else f"&bytes={gets}") + ("&noise=1" if number % 3 else "")
        connection.request(method, path.format(number) + query, body=b"b" * sends if sends else None)
        answer = connection.getresponse()
        total += len(answer.read())
        t.equal(answer.status, status, "the client's own status")
    connection.close()
    return total


def compare(t, rounds, **keywords):
    agent = t.agent("--ring-bytes", 16 << 20)
    php = t.php("php", **keywords)
    moved = play(t, php.port, rounds)
    want = php.counts()
    t.equal(sum(want.values()), rounds, "requests in php-fpm's log (the witness)")
    fast = {"network_protocol_name": "fastcgi"}
    metrics = agent.settle(lambda m: (m.by(SERVER, *LABELS, service_name="php", **fast),
                                      m.by(CLIENT, *LABELS, service_name="php-nginx", **fast)), (want, want))
    t.equal(metrics.by(SERVER, *LABELS, service_name="php", **fast), want, "requests that php-fpm served")
    t.equal(metrics.by(CLIENT, *LABELS, service_name="php-nginx", **fast), want, "requests that nginx made")
    t.equal(metrics.total(BODIES, service_name="php"), moved, "bytes of bodies")
    t.equal(metrics.total("sonde_requests_partial_total", protocol="fastcgi"), 0, "partial requests")
    outcomes = metrics.by("sonde_parse_outcomes_total", "outcome", protocol="fastcgi")
    t.equal(outcomes, Counter(ok=2 * rounds), "outcomes")
    t.nothing_lost(agent)
    return metrics, php


@test(needs=("nginx", "php-fpm"))
def fastcgi_unix_exact(t):
    metrics, php = compare(t, 5000)
    t.equal(set(metrics.by(SERVER, "server_address", "server_port", service_name="php")), {(php.socket, "")}, "address of the server")
    t.equal(set(metrics.by(CLIENT, "server_address", "server_port", service_name="php-nginx")), {(php.socket, "")}, "address of the client")
    t.equal(metrics.total("sonde_tcp_accepts_total", service_name="php"), 0, "TCP connections")


@test(needs=("nginx", "php-fpm"))
def fastcgi_tcp_keepalive_exact(t):
    compare(t, 5000, over_tcp=True, keeps=True)
