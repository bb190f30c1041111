# SPDX-License-Identifier: Apache-2.0
"""Every statement is counted, once, by operation and table: against pg_stat_statements, pgbench and what the clients did."""

import os
import shutil
import socket
import struct
import time
from collections import Counter

from sonde_test.runner import test

SERVER = "db_server_operation_duration_seconds_count"
CLIENT = "db_client_operation_duration_seconds_count"
PARTIAL = "sonde_requests_partial_total"
OUTCOMES = "sonde_parse_outcomes_total"
RINGS = ("--ring-bytes", 64 << 20)  # pgbench and the server have all CPUs and keep the agent waiting


def counted(metrics, name, service):
    """By operation, table and error, of what did not go over the Unix-domain socket, as the witness is asked. service: a name, or a server: processes that run already hide their environment."""
    which = {"service_name": service} if isinstance(service, str) else {"server_port": str(service.port)}
    return metrics.by(name, "db_operation_name", "db_collection_name", "error_type", db_system_name="postgresql",
                      server_address="127.0.0.1", **which)


def compare(t, agent, want, server, client):
    metrics = agent.settle(lambda m: (counted(m, SERVER, server), counted(m, CLIENT, client)), (want, want))
    t.equal(counted(metrics, SERVER, server), want, "server operations")
    t.equal(counted(metrics, CLIENT, client), want, "client operations")
    t.equal(metrics.total(PARTIAL, protocol="postgresql"), 0, "partial operations")
    t.nothing_lost(agent)
    return metrics


def pgbench(t, server, service, *args):
    run = t.spawn(f"{server.bin}/pgbench", "-n", *args, service=service, env=server.environment)
    run.wait(300 * t.patience)
    return run


SETTING_UP = {("SELECT", "pgbench_branches", ""): 1, ("SELECT", "pg_catalog.pg_class", ""): 1}  # pgbench asks, to begin with


def tpcb(transactions):
    """What pgbench's own script does."""
    each = [("BEGIN", ""), ("UPDATE", "pgbench_accounts"), ("SELECT", "pgbench_accounts"), ("UPDATE", "pgbench_tellers"),
            ("UPDATE", "pgbench_branches"), ("INSERT", "pgbench_history"), ("END", "")]
    return Counter({(*row, ""): transactions for row in each})


def modes(t, name, clients, transactions, *args):
    agent = t.agent(*RINGS)
    server = t.postgresql(service=name)
    server._run(f"{server.bin}/pgbench", "-i", "-q", "-h", server.directory)
    want = Counter()
    for mode in ("simple", "extended", "prepared"):
        server.forget()
        run = pgbench(t, server, name + "-client", "-M", mode, "-c", clients, "-t", transactions, *args)
        t.check(f"processed: {clients * transactions}/" in run.output(), f"{mode}: {run.output()}")
        once = tpcb(clients * transactions) + Counter(SETTING_UP)
        calls = Counter({row: count for row, count in server.calls().items() if row[1].startswith("pgbench")})
        t.equal({row[:2]: count for row, count in once.items() if row[1].startswith("pgbench")}, dict(calls),
                f"{mode}: pg_stat_statements (the witness)")
        want += once
    compare(t, agent, want, name, name + "-client")


@test(needs=("postgresql",))
def postgresql_pgbench_modes_exact(t):
    modes(t, "pg-modes", 4, 100 if t.guest else 500)


@test(needs=("postgresql",))
def postgresql_pgbench_32_clients_exact(t):
    modes(t, "pg-many", 32, 60, "-j", 2)


@test(needs=("postgresql",))
def postgresql_pipelines_exact(t):
    agent = t.agent(*RINGS)
    server = t.postgresql(service="pg-pipelines")
    server.ask("CREATE TABLE t AS SELECT generate_series(1, 100) AS a")
    script = t.path("script.sql")
    with open(script, "w", encoding="utf-8") as file:
        file.write("\\startpipeline\n" + "SELECT a FROM t WHERE a = 5;\nUPDATE t SET a = a WHERE a = 6;\n" * 8 + "\\endpipeline\n")
    for mode in ("extended", "prepared"):
        pgbench(t, server, "pg-pipelines-client", "-M", mode, "-c", 8, "-t", 100, "-f", script)
    want = Counter({("SELECT", "t", ""): 2 * 8 * 8 * 100, ("UPDATE", "t", ""): 2 * 8 * 8 * 100}) + Counter(
        {row: 2 for row in SETTING_UP if row[1] != "pgbench_branches"})
    calls = server.calls()
    t.equal(calls[("SELECT", "t")] + calls[("UPDATE", "t")], 4 * 8 * 8 * 100, "pg_stat_statements (the witness)")
    metrics = agent.settle(lambda m: counted(m, CLIENT, "pg-pipelines-client")[("SELECT", "t", "")], want[("SELECT", "t", "")])
    for name, service in ((SERVER, "pg-pipelines"), (CLIENT, "pg-pipelines-client")):
        got = counted(metrics, name, service)
        t.equal({row: got[row] for row in (("SELECT", "t", ""), ("UPDATE", "t", ""))},
                {row: want[row] for row in (("SELECT", "t", ""), ("UPDATE", "t", ""))}, name)
    t.equal(metrics.total(PARTIAL, protocol="postgresql"), 0, "partial operations")
    t.nothing_lost(agent)


MIXED = [  # statement, what it counts as
    ("CREATE TEMP TABLE t (a int UNIQUE, b text)", ("CREATE", "t", "")),
    ("INSERT INTO t VALUES (1, 'secret-literal')", ("INSERT", "t", "")),
    ("INSERT INTO t VALUES (1, 'secret-literal')", ("INSERT", "t", "23505")),
    ("SELECT * FROM t", ("SELECT", "t", "")),
    ("UPDATE t SET b = 'x'; DELETE FROM t", ("UPDATE", "t", "")),
    ("SELECT 1/0", ("SELECT", "", "22012")),
    ("SELECT * FROM nowhere", ("SELECT", "nowhere", "42P01")),
    ("", ("other", "", "")),
    ("FROBNICATE", ("other", "", "42601")),
    ("DO $$ BEGIN RAISE NOTICE 'from x'; END $$", ("DO", "", "")),
    ("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = 'XX9ZZ'; END $$", ("DO", "", "_OTHER")),
    ("/* why */ WITH x AS (SELECT 2 AS a) INSERT INTO t SELECT a, '' FROM x", ("INSERT", "t", "")),
    ("COPY t TO STDOUT", ("COPY", "t", "")),
    ("BEGIN", ("BEGIN", "", "")),
    ("ROLLBACK", ("ROLLBACK", "", "")),
    ("LISTEN c", ("LISTEN", "", "")),
    ("NOTIFY c", ("NOTIFY", "", "")),
]


@test(needs=("postgresql",))
def postgresql_psql_mixed_exact(t):
    """Statements of all kinds and their errors, each over a connection that asks for encryption first; a refused connection."""
    agent = t.agent()
    server = t.postgresql(service="pg-mixed")
    environment = dict(server.environment, PGSSLMODE="prefer")
    times = 5
    for _ in range(times):
        arguments = [part for statement, _ in MIXED for part in ("-c", statement)]
        t.spawn(f"{server.bin}/psql", "-X", *arguments, service="pg-mixed-client", env=environment).wait(60 * t.patience, status=None)
        t.spawn(f"{server.bin}/psql", "-X", "-d", "nowhere", "-c", "SELECT 1", service="pg-mixed-client",
                env=environment).wait(60 * t.patience, status=2)
    want = Counter()
    for row in [row for _, row in MIXED] + [("CONNECT", "", "3D000")]:
        want[row] += times
    metrics = compare(t, agent, want, "pg-mixed", "pg-mixed-client")
    t.equal(metrics.total(OUTCOMES, protocol="postgresql", outcome="several_statements"), 2 * times, "requests of several statements")
    t.check(metrics.total(OUTCOMES, protocol="postgresql", outcome="push") >= times, "notifications")
    t.check("secret-literal" not in metrics.text, "a literal left the machine")


DRIVER = """
import psycopg, sys
with psycopg.connect("", autocommit=True) as c:
    c.execute("CREATE TEMP TABLE t (a int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    with c.pipeline():
        for i in range(500): c.execute("INSERT INTO t VALUES (%s)", [i])
    for i in range(20):
        try:
            with c.pipeline():
                c.execute("INSERT INTO t VALUES (%s)", [100000])
                c.execute("SELECT 1/%s", [0])
                c.execute("UPDATE t SET a = %s", [1])
        except psycopg.Error: pass
    for i in range(10):
        with c.cursor().copy("COPY t FROM STDIN") as copy:
            for j in range(100): copy.write(b"%d\\n" % (1000 + i * 100 + j))
        with c.cursor().copy("COPY t TO STDOUT") as copy:
            for row in copy: pass
    for i in range(50): c.execute("SELECT a FROM t WHERE a = %s", [i], prepare=True).fetchall()
    for i in range(7):
        try: c.execute("INSERT INTO t VALUES (%s)", [7])
        except psycopg.errors.UniqueViolation: print("refused at the commit")
"""


@test(needs=("postgresql", "psycopg"))
def postgresql_driver_pipelines_and_errors_exact(t):
    """What follows an error in a pipeline is not run; COPY by Execute; an error that only the commit brings."""
    agent = t.agent(*RINGS)
    server = t.postgresql(service="pg-driver")
    run = t.spawn("/usr/bin/python3", "-c", DRIVER, service="pg-driver-client", env=server.environment)
    run.wait(60 * t.patience)
    t.equal(run.output().count("refused"), 7, "the driver")
    compare(t, agent, Counter({("CREATE", "t", ""): 1, ("INSERT", "t", ""): 520, ("SELECT", "", "22012"): 20,
                               ("UPDATE", "t", "pipeline_aborted"): 20, ("COPY", "t", ""): 20, ("SELECT", "t", ""): 50,
                               ("INSERT", "t", "23505"): 7}), "pg-driver", "pg-driver-client")


def _message(kind, body):
    return kind + struct.pack(">i", len(body) + 4) + body


@test(needs=("postgresql",))
def postgresql_split_at_every_byte(t):
    """Writes and reads of one byte each give the same as whole ones."""
    agent = t.agent()
    server = t.postgresql(service="pg-bytes")
    startup = b"\0\3\0\0user\0postgres\0database\0postgres\0\0"
    said = [struct.pack(">i", len(startup) + 4) + startup, _message(b"Q", b"SELECT 1 AS a FROM pg_class LIMIT 3\0"),
            _message(b"P", b"s\0SELECT oid FROM pg_type LIMIT $1\0\0\0") + _message(b"D", b"Ss\0") + _message(b"S", b""),
            (_message(b"B", b"\0s\0\0\0\0\1\0\0\0\0013\0\0") + _message(b"E", b"\0\0\0\0\0")) * 2 + _message(b"S", b""),
            _message(b"B", b"\0nosuch\0\0\0\0\0\0\0") + _message(b"E", b"\0\0\0\0\0") + _message(b"S", b""), _message(b"X", b"")]
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.settimeout(20)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for text in said:
            for byte in text:
                connection.sendall(bytes([byte]))
                time.sleep(0.0005)
            received = b""
            while text[:1] != b"X" and not received[-6:-1] == b"Z\0\0\0\5":
                received += connection.recv(1)
    want = Counter({("SELECT", "pg_class", ""): 1, ("SELECT", "pg_type", ""): 2, ("", "", "26000"): 1})
    metrics = agent.settle(lambda m: counted(m, SERVER, "pg-bytes"), want)
    t.equal(counted(metrics, SERVER, "pg-bytes"), want, "server operations")
    t.equal(metrics.total(PARTIAL, service_name="pg-bytes"), 0, "partial operations")
    t.nothing_lost(agent)


@test(needs=("postgresql",))
def postgresql_encrypted_left_alone(t):
    agent = t.agent()
    key, certificate = t.path("server.key"), t.path("server.crt")
    t.need("openssl")
    t.spawn("/usr/bin/openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", 1, "-subj", "/CN=test",
            "-keyout", key, "-out", certificate).wait(60)
    shutil.chown(key, "postgres", "postgres")
    os.chmod(key, 0o600)
    server = t.postgresql(service="pg-tls", options={"ssl": "on", "ssl_cert_file": certificate, "ssl_key_file": key})
    run = t.spawn(f"{server.bin}/psql", "-X", "-c", "SELECT 1", service="pg-tls-client",
                  env=dict(server.environment, PGSSLMODE="require"))
    run.wait(30)
    metrics = agent.settle(lambda m: m.total(OUTCOMES, protocol="postgresql", outcome="encrypted"), 2)
    t.equal(metrics.total(OUTCOMES, protocol="postgresql", outcome="encrypted"), 2, "encrypted connections, both sides")
    t.equal(counted(metrics, SERVER, "pg-tls"), Counter(), "server operations")
    t.equal(metrics.total(PARTIAL, protocol="postgresql"), 0, "partial operations")


@test(needs=("postgresql",))
def postgresql_big_results_exact(t):
    """Rows and COPY of some megabytes: they need not be sent to be understood."""
    agent = t.agent()
    server = t.postgresql(service="pg-big")
    server.ask("CREATE TABLE big AS SELECT a, repeat('x', 40) AS b FROM generate_series(1, 50000) a",
               "CREATE TABLE wide AS SELECT a, repeat('x', 5000) AS b FROM generate_series(1, 500) a")
    times = 10
    statements = ["SELECT * FROM big", "SELECT * FROM wide", "COPY big TO STDOUT", "UPDATE wide SET b = '" + "y" * 100000 + "' WHERE a = 1"]
    arguments = [part for statement in statements for part in ("-c", statement)] * times
    t.spawn(f"{server.bin}/psql", "-X", "-o", "/dev/null", *arguments, service="pg-big-client",
            env=server.environment).wait(120 * t.patience)
    compare(t, agent, Counter({("SELECT", "big", ""): times, ("SELECT", "wide", ""): times, ("COPY", "big", ""): times,
                               ("UPDATE", "wide", ""): times}), "pg-big", "pg-big-client")


@test(needs=("postgresql",))
def postgresql_agent_starts_in_the_middle(t):
    """What was under way counts as partial; operations of statements prepared before are known by their answers."""
    server = t.postgresql(service="pg-middle")
    server._run(f"{server.bin}/pgbench", "-i", "-q", "-h", server.directory)
    for mode in ("simple", "prepared"):
        t.where = f"{mode}: "
        client = f"pg-middle-{mode}"
        run = t.spawn(f"{server.bin}/pgbench", "-n", "-S", "-c", 10, "-T", 60, "-M", mode, service=client, env=server.environment)
        time.sleep(1)
        agent = t.agent(*RINGS)
        time.sleep(1)
        run.stop()
        time.sleep(0.5)
        metrics = agent.scrape()
        table = "pgbench_accounts" if mode == "simple" else ""
        for name, service in ((SERVER, server), (CLIENT, client)):
            got = counted(metrics, name, service)
            got.pop(("SELECT", table, "no_response"), None)  # the client was stopped
            got.pop(("", "", "no_response"), None)
            t.check(got[("SELECT", table, "")] > 100, f"{service}: nothing was understood")
            t.equal(set(got), {("SELECT", table, "")}, f"{service}: operations")
        t.check(metrics.total(PARTIAL, protocol="postgresql") <= 40, "too many partial operations")
        if mode == "prepared":
            t.check(metrics.total(OUTCOMES, protocol="postgresql", outcome="statement_unknown") > 100, "statements unknown")
        before = counted(metrics, SERVER, server)
        later = pgbench(t, server, client + "-later", "-S", "-c", 10, "-t", 200, "-M", mode)
        t.check("processed: 2000/" in later.output(), later.output())
        want = Counter({("SELECT", "pgbench_accounts", ""): 2000}) + Counter(SETTING_UP)
        metrics = agent.settle(lambda m: counted(m, CLIENT, client + "-later"), want)
        t.equal(counted(metrics, CLIENT, client + "-later"), want, "client operations afterwards")
        t.equal(counted(metrics, SERVER, server) - before, want, "server operations afterwards")
        agent.stop()
