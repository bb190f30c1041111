# SPDX-License-Identifier: Apache-2.0
"""Traces that comments in SQL name: real drivers, real servers, and the IDs that the client says it has sent."""

import os
from collections import Counter

from sonde_test.otelcol import read_spans
from sonde_test.process import wait_until
from sonde_test.runner import test

SERVER, CLIENT = 2, 3

COMMENT = r"""
def note(number):
    return f"/*route='%2Fitems',traceparent='00-{number:032x}-{number:016x}-01',tracestate='a%3Db'*/"
"""
POSTGRESQL = COMMENT + """
import psycopg
with psycopg.connect("", autocommit=True) as c:
    for i in range(1, 101): psycopg.ClientCursor(c).execute(f"SELECT {i} {note(i)}")
    for i in range(101, 201): c.execute(f"SELECT %s::int {note(i)}".replace("%2", "%%2").replace("%3", "%%3"), [i])
    for i in range(201, 301): c.execute(f"{note(i)} SELECT 1, 2")
    # Prepared in a trace, run again in others.
    for i in range(20): c.execute(f"SELECT %s::int, 3 {note(301)}".replace("%2", "%%2").replace("%3", "%%3"), [i], prepare=True)
"""
MYSQL = COMMENT + """
import pymysql, sys
c = pymysql.connect(host="127.0.0.1", port=int(sys.argv[1]), user="root", password="", autocommit=True, ssl_disabled=True)
for i in range(1, 101):
    with c.cursor() as cursor: cursor.execute(f"SELECT {i} {note(i)}")
for i in range(101, 201):
    with c.cursor() as cursor: cursor.execute(f"{note(i)} SELECT 1, 2")
c.close()
"""


def named(spans, service, kind):
    """Spans of statements, by the number that trace and parent are made of."""
    return Counter((int(span["traceId"], 16), int(span["parentSpanId"], 16), span["traceState"]) for span in spans
                   if (span["resource"]["service.name"], span["kind"]) == (service, kind) and span["attributes"]["sonde.join"] == "header")


def start(t):
    file = os.path.join(t.directory, "spans.ndjson")
    return t.agent("--spans-ndjson", file, "--only", "service=commented", "--only", "service=commenter"), file


def check(t, agent, file, want, statements):
    whole = lambda: all(named(read_spans(file), *side).total() >= want.total() for side in (("commented", SERVER), ("commenter", CLIENT)))
    wait_until(whole, 20 * t.patience, every=0.2)
    spans = read_spans(file)
    for side in (("commented", SERVER), ("commenter", CLIENT)):
        t.equal(named(spans, *side), want, f"traces named by comments: {side[0]}")
    texts = Counter(span["attributes"].get("db.query.text") for span in spans if span["resource"]["service.name"] == "commenter" and
                    span["attributes"].get("db.operation.name") == "SELECT")
    t.equal({text: texts[text] for text in statements}, statements, "statements, whatever their traces")
    t.check("traceparent" not in "".join(map(str, texts)), "a comment in a statement")
    t.nothing_lost(agent)


@test(needs=("postgresql", "psycopg"))
def postgresql_comments_name_traces(t):
    """Simple and extended queries; a statement that was prepared in a trace and is run again is not in it."""
    agent, file = start(t)
    server = t.postgresql(service="commented")
    t.spawn("/usr/bin/python3", "-c", POSTGRESQL, service="commenter", env=server.environment).wait(60 * t.patience)
    want = Counter({(number, number, "a=b"): 1 for number in range(1, 301)})
    check(t, agent, file, want, {"SELECT ?": 100, "SELECT ?::int": 100, "SELECT ?, ?": 100, "SELECT ?::int, ?": 20})


@test(needs=("mariadbd", "pymysql"))
def mysql_comments_name_traces(t):
    agent, file = start(t)
    server = t.mariadb(service="commented")
    t.spawn("/usr/bin/python3", "-c", MYSQL, server.port, service="commenter").wait(60 * t.patience)
    check(t, agent, file, Counter({(number, number, "a=b"): 1 for number in range(1, 201)}), {"SELECT ?": 100, "SELECT ?, ?": 100})
