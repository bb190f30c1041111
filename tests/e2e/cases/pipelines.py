# SPDX-License-Identifier: Apache-2.0
"""HTTP/1 pipelines from the first turn of a connection on, before anybody told the kernel side that there are any.

cases/shapes.py has one without bodies, which is exact wherever it is cut."""

from collections import Counter

from sonde_test import talks
from sonde_test.runner import test

BODIES = "http_pipeline_bodies", {("GET", "200"): 2, ("GET", "204"): 1, ("GET", "404"): 1, ("HEAD", "200"): 1, ("POST", "204"): 1,
                                  ("PUT", "204"): 1}
LONG = "http_pipeline_long", {("GET", "200"): 21, ("GET", "404"): 2}  # requests and answers beyond --prefix-bytes
SIDES = (("server", ""), ("client", "-client"))


def play(t, talk, once, shapes):
    """Returns what was done and, for both sides, what sonde timed and how many are partial."""
    agent = t.agent("--ring-bytes", 64 << 20, *talks.ONLY)
    times = talks.play(t, agent, talk, "pipeline", shapes)
    want = Counter({key + ("",): count * times for key, count in once.items()})
    timed = lambda m: [m.by(talks.HTTP[0] % side, *talks.HTTP[1], "error_type", service_name="pipeline" + end) for side, end in SIDES]
    strip = lambda counts: Counter({(method, status, "" if error == status else error): count for (method, status, error), count in counts.items()})
    metrics = agent.settle(lambda m: [strip(got) for got in timed(m)], [want, want], seconds=2)
    t.nothing_lost(agent)
    for outcome in ("no_response", "response_cut", "malformed", "early_response"):
        t.equal(metrics.total(talks.OUTCOMES, protocol="http", outcome=outcome), 0, outcome)
    return want, [(strip(got), metrics.total(talks.PARTIAL, service_name="pipeline" + end)) for got, (_, end) in zip(timed(metrics), SIDES)]


@test()
def pipelines_longer_than_the_prefix(t):
    want, got = play(t, *LONG, ["whole/whole/1/100"])
    t.equal(got, [(want, 0), (want, 0)], "requests and partial ones, server and client")


@test()
def pipelines_cut_at_the_end_of_a_header(t):
    """What follows in the turn may not have been sent. It is partial: no request fails, none is taken for another."""
    want, got = play(t, *BODIES, [f"{cuts}/1/480" for cuts in ("split/split", "split/whole", "whole/split")])
    for timed, partial in got:
        t.equal(timed - want, {}, "requests that were not made")
        missing = sum((want - timed).values())
        t.check((missing == 0) == (partial == 0), f"{missing} are missing, {partial} partial")
        t.check(missing <= 60, f"{missing} are missing, which is more than those cuts")
