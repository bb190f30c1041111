# SPDX-License-Identifier: Apache-2.0
"""Conversations of real servers (tests/e2e/talks), played again, and what one of each counts as."""

import os
import re
from collections import Counter

from .process import wait_until

TALKS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "talks")
HTTP = ("http_%s_request_duration_seconds_count", ("http_request_method", "http_response_status_code"))
DB = ("db_%s_operation_duration_seconds_count", ("db_operation_name", "error_type"))
DNS = ("dns_lookup_duration_seconds_count%.0s", ("dns_question_type", "error_type"))  # over TCP
PROCESSING = "messaging_process_duration_seconds_count"  # what a client does with messages has a metric of its own
RPC = ("rpc_%s_call_duration_seconds_count", ("rpc_method", "rpc_response_status_code"))
MESSAGING = ("messaging_%s_operation_duration_seconds_count", ("messaging_operation_name", "error_type"))
PARTIAL = "sonde_requests_partial_total"
OUTCOMES = "sonde_parse_outcomes_total"
WRONG = ("malformed", "unmatched_response", "lost", "partial", "no_response", "response_cut", "early_response", "header_truncated")
ONLY = ("--only", "exe=*/player")  # others on the machine are not to be counted

# {protocol: [(file, metric and labels, count by labels)]}
COUNTS = {
    "http": [
        ("http_nginx", HTTP, {("GET", "200"): 2, ("HEAD", "200"): 1, ("GET", "301"): 1, ("POST", "204"): 1, ("GET", "404"): 1,
                              ("PUT", "200"): 1, ("GET", "500"): 1}),
        ("http_node", HTTP, {("GET", "200"): 2, ("GET", "404"): 1, ("HEAD", "200"): 1, ("POST", "200"): 1}),
        ("http_close", HTTP, {("GET", "200"): 1}),
        ("http_pipeline", HTTP, {("GET", "200"): 1, ("GET", "204"): 2, ("HEAD", "200"): 1, ("HEAD", "404"): 1, ("DELETE", "204"): 1,
                                 ("OPTIONS", "204"): 1}),
    ],
    "http2": [
        ("http2_h2load", HTTP, {("GET", "200"): 3, ("GET", "404"): 3}),
        ("http2_nghttp", HTTP, {("POST", "200"): 2}),  # padding, trailers, and an answer that nobody asked for
        ("http2_upgrade", HTTP, {("GET", "200"): 1, ("GET", "404"): 1, ("HEAD", "200"): 1}),
        ("grpc", RPC, {("test.Echo/Unary", "OK"): 5, ("test.Echo/Unary", "NOT_FOUND"): 2, ("test.Echo/Nobody", "UNIMPLEMENTED"): 2,
                       ("test.Echo/Up", "OK"): 2, ("test.Echo/Down", "OK"): 2, ("test.Echo/Both", "OK"): 2}),
    ],
    "redis": [
        ("redis", DB, {("SET", ""): 2, ("GET", ""): 4, ("INCR", "ERR"): 1, ("HELLO", ""): 1, ("HSET", ""): 1, ("HGETALL", ""): 1,
                       ("MULTI", ""): 1, ("INCR", ""): 1, ("LPUSH", ""): 1, ("EXEC", ""): 1, ("PING", ""): 1, ("other", "ERR"): 1,
                       ("SUBSCRIBE", ""): 1, ("PUBLISH", ""): 1, ("UNSUBSCRIBE", ""): 1}),
    ],
    "postgresql": [
        ("postgresql", DB, {("INSERT", ""): 4, ("SELECT", ""): 6, ("INSERT", "23505"): 1, ("UPDATE", ""): 1, ("SELECT", "22012"): 1,
                            ("UPDATE", "pipeline_aborted"): 1, ("COPY", ""): 2, ("LISTEN", ""): 1, ("NOTIFY", ""): 1,
                            ("BEGIN", ""): 1, ("DELETE", ""): 1, ("COMMIT", ""): 1}),
    ],
    "mysql": [
        ("mysql", DB, {("SET", ""): 1, ("CREATE", ""): 1, ("INSERT", ""): 1, ("SELECT", ""): 4, ("INSERT", "1062"): 1,
                       ("UPDATE", ""): 1, ("PING", ""): 1, ("DELETE", ""): 1, ("COMMIT", ""): 1}),
        ("mysql_prepared", DB, {("SELECT", ""): 3, ("DELETE", ""): 2, ("SELECT", "1054"): 1, ("PING", ""): 1}),
    ],
    "memcached": [
        ("memcached_text", DB, {("set", ""): 2, ("get", ""): 2, ("incr", "CLIENT_ERROR"): 1, ("other", "ERROR"): 3,
                                ("set", "CLIENT_ERROR"): 2, ("mg", ""): 2, ("ms", ""): 3, ("md", ""): 2, ("mn", ""): 2,
                                ("ma", "CLIENT_ERROR"): 2, ("me", ""): 1, ("gat", ""): 1, ("gats", ""): 1, ("touch", ""): 1,
                                ("version", ""): 1, ("verbosity", ""): 1}),
        ("memcached_binary", DB, {("set", ""): 2, ("add", ""): 1, ("get", ""): 4, ("noop", ""): 3, ("delete", ""): 2,
                                  ("version", ""): 1, ("touch", ""): 1, ("incr", "CLIENT_ERROR"): 1, ("other", "ERROR"): 1}),
    ],
    "dns": [("dns", DNS, {("A", ""): 1, ("AAAA", ""): 2, ("TXT", "NXDOMAIN"): 1})],
    "amqp": [
        ("amqp", MESSAGING, {("connection.start", ""): 1, ("connection.open", ""): 1, ("channel.open", ""): 2, ("exchange.declare", ""): 1,
                             ("queue.declare", ""): 1, ("queue.bind", ""): 1, ("confirm.select", ""): 1, ("publish", ""): 2,
                             ("publish", "312"): 1, ("get", ""): 2, ("consume", ""): 1, ("process", ""): 2, ("process", "reject"): 1,
                             ("cancel", ""): 1, ("queue.declare", "404"): 1, ("queue.delete", ""): 1, ("channel.close", ""): 1,
                             ("connection.close", ""): 1}),
    ],
    "mongodb": [
        ("mongodb", DB, {("isMaster", ""): 1, ("insert", ""): 1, ("insert", "11000"): 1, ("find", ""): 1, ("getMore", "43"): 1, ("ping", ""): 1,
                         ("count", ""): 1, ("other", "59"): 1, ("update", ""): 1, ("delete", ""): 1, ("aggregate", ""): 1, ("drop", ""): 1,
                         ("find", "14"): 1}),
    ],
    "fastcgi": [
        ("fastcgi", HTTP, {("GET", "200"): 1, ("POST", "200"): 1, ("GET", "404"): 1, ("GET", "500"): 1, ("PUT", "201"): 1,
                           ("HEAD", "200"): 1}),
    ],
    "kafka": [
        ("kafka_java_group", MESSAGING, {("JoinGroup", "MEMBER_ID_REQUIRED"): 1, ("JoinGroup", ""): 1, ("SyncGroup", ""): 1,
                                         ("OffsetFetch", ""): 1, ("Heartbeat", ""): 1, ("OffsetCommit", ""): 1, ("LeaveGroup", ""): 1}),
        ("kafka_rdkafka", MESSAGING, {("Metadata", "UNKNOWN_TOPIC_OR_PARTITION"): 1, ("Metadata", ""): 1, ("Produce", ""): 3}),
    ],
}


def longest(talk):
    """Bytes of the longest thing said."""
    with open(os.path.join(TALKS, talk)) as file:
        return max(len(re.sub(r"\\x..|\\.", ".", line[2:].rstrip("\n"))) for line in file)


def is_followed(agent, *processes):
    """Whether the agent has read which program they run, and decided that it is to be looked at (ONLY)."""
    known = {row["pid"]: row for row in agent.dump("procs")}
    return all(process.pid in known and known[process.pid]["service"] == process.service and not known[process.pid]["ignored"]
               for process in processes)


def play(t, agent, talk, service, shapes):
    """Plays a talk in these shapes (programs/player.c) between two programs; returns on how many connections."""
    path = os.path.join(TALKS, talk)
    server, port = t.serve("player", "serve", path, "127.0.0.1", "0", *shapes, service=service)
    client = t.spawn("player", "talk", path, "127.0.0.1", port, *shapes, service=service + "-client", stdin=True)
    t.check(wait_until(lambda: is_followed(agent, server, client), 20 * t.patience), "the agent does not know the players")
    client.say()
    times = client.result(60 * t.patience)["played"]
    t.equal(server.result(10 * t.patience)["played"], times, "connections, server and client (the witnesses)")
    return times


def exact(t, agent, protocol, shapes_of):
    """Every talk of the protocol, in the shapes that shapes_of(talk) gives, is counted as it should, at both ends."""
    for talk, (metric, keys), once in COUNTS[protocol]:
        t.where = f"{talk}: "
        service = talk.replace("_", "-")
        times = play(t, agent, talk, service, shapes_of(talk))
        want = Counter({key: count * times for key, count in once.items()})
        sides = [(metric % "server", service), (metric % "client", service + "-client")]
        counts = lambda m, sides=sides, keys=keys: [m.by(name, *keys, service_name=owner) + m.by(PROCESSING, *keys, service_name=owner)
                                                    for name, owner in sides]
        metrics = agent.settle(counts, [want, want])
        for (name, owner), got in zip(sides, counts(metrics)):
            t.equal(got, want, owner)
            t.equal(metrics.total(PARTIAL, service_name=owner), 0, f"partial requests of {owner}")
    t.where = ""
    for outcome in WRONG:
        t.equal(metrics.total(OUTCOMES, protocol=protocol, outcome=outcome), 0, outcome)
    t.nothing_lost(agent)
    return metrics
