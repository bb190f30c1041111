# SPDX-License-Identifier: Apache-2.0
"""Every statement is counted, once, under its command and its table: against the server's Com_ counters."""

import os
import socket
import subprocess
import time
from collections import Counter

from sonde_test.process import wait_until
from sonde_test.runner import test, tool

SERVER = "db_server_operation_duration_seconds_count"
CLIENT = "db_client_operation_duration_seconds_count"
PARTIAL = "sonde_requests_partial_total"
OUTCOMES = "sonde_parse_outcomes_total"
COM = {"select": "SELECT", "insert": "INSERT", "update": "UPDATE", "delete": "DELETE", "begin": "BEGIN", "commit": "COMMIT",
       "rollback": "ROLLBACK", "replace": "REPLACE", "load": "LOAD", "create_table": "CREATE", "create_index": "CREATE",
       "create_procedure": "CREATE", "drop_table": "DROP", "drop_procedure": "DROP", "set_option": "SET", "change_db": "USE",
       "show_warnings": "SHOW", "call_procedure": "CALL", "truncate": "TRUNCATE", "alter_table": "ALTER"}
NO_STATEMENTS = ("stmt_prepare", "stmt_execute", "stmt_close", "stmt_fetch", "stmt_reset", "stmt_send_long_data")


LOCAL = {"server_address": "127.0.0.1"}  # what the witness is asked goes over a Unix-domain socket


def by_operation(metrics, name, service):
    return metrics.by(name, "db_operation_name", **LOCAL, service_name=service)


def want_of(commands):
    """Com_ counters as sonde names what they count."""
    want = Counter()
    for name, count in commands.items():
        if name not in NO_STATEMENTS:
            want[COM.get(name, name)] += count
    return want


def compare(t, agent, server, clients, want):
    sides = [(SERVER, [server]), (CLIENT, clients)]
    found = lambda m: [sum((by_operation(m, name, service) for service in services), Counter()) for name, services in sides]
    metrics = agent.settle(found, [want, want])
    for (name, services), got in zip(sides, found(metrics)):
        t.equal(got, want, f"statements of {services}")
        for service in services:
            t.equal(metrics.total(PARTIAL, service_name=service), 0, f"partial statements of {service}")
            t.equal(set(metrics.by(name, "db_system_name", **LOCAL, service_name=service)), {"mariadb"}, f"db_system_name of {service}")
    for outcome in ("malformed", "unmatched_response", "lost"):
        t.equal(metrics.total(OUTCOMES, protocol="mysql", outcome=outcome), 0, outcome)
    t.nothing_lost(agent)
    return metrics


def sysbench(t, mariadb, service, *args, script="oltp_read_write"):
    run = t.spawn(tool("sysbench"), "--db-driver=mysql", "--mysql-host=127.0.0.1", f"--mysql-port={mariadb.port}",
                  "--mysql-user=root", "--mysql-db=t", "--tables=2", "--table-size=1000", *args[:-1], script, args[-1], service=service)
    run.wait(300 * t.patience)
    return run


def sysbench_exact(t, name, *args):
    agent = t.agent("--ring-bytes", 64 << 20)
    mariadb = t.mariadb(service=name)
    before = mariadb.status()
    sysbench(t, mariadb, name + "-client", "prepare")
    sysbench(t, mariadb, name + "-client", "--threads=8", "--events=600", "--time=0", *args, "run")
    commands = mariadb.commands(before)
    want = want_of(commands)
    t.check(sum(want.values()) > 10000, f"the witness: {dict(commands)}")
    metrics = compare(t, agent, name, [name + "-client"], want)
    tables = metrics.by(SERVER, "db_collection_name", **LOCAL, service_name=name)
    t.equal(set(tables), {"", "sbtest1", "sbtest2"}, "tables")
    t.equal(tables[""], want["BEGIN"] + want["COMMIT"] + want["ROLLBACK"], "statements without a table")
    return commands


@test(needs=("sysbench", "mariadbd"))
def mysql_prepared_exact(t):
    commands = sysbench_exact(t, "prepared")
    t.check(commands["stmt_execute"] > 10000, f"the witness: {dict(commands)}")


@test(needs=("sysbench", "mariadbd"))
def mysql_text_exact(t):
    commands = sysbench_exact(t, "text", "--db-ps-mode=disable")
    t.equal(commands["stmt_execute"], 0, "the witness: nothing is prepared")


PYMYSQL = r'''
import os, pymysql, sys
from pymysql.constants import CLIENT
connection = pymysql.connect(host="127.0.0.1", port=int(sys.argv[1]), user="root", database="t", autocommit=None,
                             client_flag=CLIENT.MULTI_STATEMENTS, local_infile=True)
cursor = connection.cursor()
def run(statement):
    try:
        cursor.execute(statement)
    except pymysql.Error as error:
        print(error.args[0])
    while cursor.nextset():
        pass
run("CREATE TABLE a (i INT PRIMARY KEY, s LONGTEXT)")
run("CREATE PROCEDURE p() BEGIN DO 1; END")
for i in range(20):
    run("REPLACE INTO a VALUES (1, 'x'), (2, 'sEcReT')")
    run("SELECT * FROM `a` WHERE s = 'sEcReT'")
    run("/* from t.nowhere */ SELECT i FROM t.a -- a comment")
    run("SELECT seq, REPEAT('x', 200) FROM seq_1_to_3000")
    run("INSERT INTO a VALUES (1, 'again')")
    run("SELECT nosuch FROM a")
    run("INSERT INTO a VALUES (3, '" + "y" * 300000 + "')")
    run("SELECT s FROM a WHERE i = 3")
    run("SELECT 1 FROM a; UPDATE a SET s = ''; SELECT seq, REPEAT('x', 200) FROM seq_1_to_300; DELETE FROM a WHERE i = 3")
    run("SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 30001")
    connection.ping()
    connection.select_db("t")
    run("CALL p()")
    run("LOAD DATA LOCAL INFILE '%s' REPLACE INTO TABLE a" % sys.argv[2])
    run("DELETE FROM a")
connection.close()
'''


@test(needs=("mariadbd", "pymysql"))
def mysql_all_kinds_exact(t):
    """Errors, several statements, big statements, big results, files; literals stay where they are."""
    agent = t.agent()
    mariadb = t.mariadb(service="kinds")
    with open(t.path("rows"), "w") as file:
        file.writelines(f"{i}\trow number {i}\n" for i in range(20000))
    os.chmod(t.path("rows"), 0o644)
    client = t.spawn("/usr/bin/python3", "-c", PYMYSQL, mariadb.port, t.path("rows"), service="kinds-client")
    client.wait(120 * t.patience)
    t.equal(Counter(client.output().split()), Counter({"1062": 20, "1054": 20, "30001": 20}), "the witness: errors")
    per_round = Counter({"REPLACE": 1, "SELECT": 6, "INSERT": 2, "SIGNAL": 1, "PING": 1, "USE": 1, "CALL": 1, "LOAD": 1, "DELETE": 1})
    want = Counter({name: 20 * count for name, count in per_round.items()}) + Counter({"CREATE": 2})
    want += Counter({"SET": by_operation(agent.scrape(), SERVER, "kinds")["SET"]})
    metrics = compare(t, agent, "kinds", ["kinds-client"], want)
    for name, service in ((SERVER, "kinds"), (CLIENT, "kinds-client")):
        errors = metrics.by(name, "error_type", **LOCAL, service_name=service)
        errors.pop("", None)
        t.equal(errors, Counter({"1062": 20, "1054": 20, "_OTHER": 20}), f"errors of {service}")
        t.equal(set(metrics.by(name, "db_collection_name", **LOCAL, service_name=service)), {"", "a", "t.a", "seq_1_to_3000"}, f"tables of {service}")
    t.equal(metrics.total(OUTCOMES, protocol="mysql", outcome="several_statements"), 2 * 20, "several statements, both sides")
    t.check("sEcReT" not in metrics.text and "nowhere" not in metrics.text, "a literal left the machine")


@test(needs=("mariadbd",))
def mysql_client_exact(t):
    """The command-line client, which wants no EOF packets; a login that is refused."""
    agent = t.agent()
    mariadb = t.mariadb(service="cli")
    before = mariadb.status()
    statements = ["CREATE TABLE b (i INT)", "INSERT INTO b VALUES (1), (2)"] + ["SELECT * FROM b", "SELECT * FROM b WHERE i > 5",
                  "UPDATE b SET i = i + 1", "SET @x = 1"] * 50 + ["DROP TABLE b"]
    t.spawn(tool("mariadb"), *mariadb.client("t", "-e", "; ".join(statements))[1:], service="cli-client").wait(60 * t.patience)
    want = want_of(mariadb.commands(before))
    t.equal(want["SELECT"], 100, "the witness")
    refused = t.spawn(tool("mariadb"), *mariadb.client("-pwrong")[1:], service="cli-refused")
    refused.popen.wait(60)
    metrics = agent.settle(lambda m: m.total(CLIENT, service_name="cli-refused"), 1)
    t.equal(dict(metrics.by(CLIENT, "db_operation_name", **LOCAL, service_name="cli-refused")), {"CONNECT": 1}, "the login")
    t.equal(dict(metrics.by(CLIENT, "error_type", **LOCAL, service_name="cli-refused")), {"1045": 1}, "why it was refused")
    want["CONNECT"] = 1
    t.equal(by_operation(metrics, SERVER, "cli"), want, "statements of the server")
    t.equal(by_operation(metrics, CLIENT, "cli-client"), want - Counter(CONNECT=1), "statements of the client")
    t.nothing_lost(agent)


@test(needs=("mariadbd",))
def mysql_unreadable_sessions_are_marked(t):
    agent = t.agent()
    mariadb = t.mariadb(service="closed")
    compressed = t.spawn(tool("mariadb"), *mariadb.client("--compress", "-e", "SELECT 1")[1:], service="closed-client")
    compressed.wait(60 * t.patience)
    metrics = agent.settle(lambda m: m.total(OUTCOMES, protocol="mysql", outcome="compressed"), 2)
    t.equal(metrics.total(OUTCOMES, protocol="mysql", outcome="compressed"), 2, "compressed sessions, both sides")
    t.equal(metrics.total(SERVER, **LOCAL, service_name="closed"), 0, "statements")
    t.equal(metrics.total(OUTCOMES, protocol="mysql", outcome="malformed"), 0, "malformed")


def packet(number, body):
    return len(body).to_bytes(3, "little") + bytes([number]) + body


LOGIN = (0x0000a285).to_bytes(4, "little") + (1 << 24).to_bytes(4, "little") + b"\x21" + bytes(23) + b"root\0\0mysql_native_password\0"


def answered(connection, claim, pause=0):
    received = b""
    while not claim(received):
        more = connection.recv(3 if pause else 65536)
        if not more:
            raise AssertionError(f"closed after {received}")
        received += more
    return received


def is_ok(received):
    return len(received) >= 11 and received[4] == 0


def is_result(received):
    return received[-9:-6] == b"\5\0\0" and received[-5] == 0xfe and received.count(b"\xfe\0\0") >= 2


@test(needs=("mariadbd",))
def mysql_split_at_every_byte(t):
    """Calls of one byte each give the same as whole ones."""
    agent = t.agent()
    mariadb = t.mariadb(service="bytes")
    mariadb.say("CREATE TABLE t.a (i INT); INSERT INTO t.a VALUES (1), (2)")

    def send(connection, message, pause):
        for piece in [message[i:i + 1] for i in range(len(message))] if pause else [message]:
            connection.sendall(piece)
            if pause:
                time.sleep(pause)

    for pause in (0, 0.0005):
        with socket.create_connection(("127.0.0.1", mariadb.port)) as connection:
            connection.settimeout(20)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            answered(connection, lambda received: len(received) >= 4 and len(received) == 4 + received[0])
            send(connection, packet(1, LOGIN), pause)
            answered(connection, is_ok)
            for _ in range(10):
                send(connection, packet(0, b"\x03SELECT i FROM t.a"), pause)
                answered(connection, is_result, pause)
                send(connection, packet(0, b"\x0e"), pause)
                answered(connection, is_ok, pause)
            send(connection, packet(0, b"\x16DELETE FROM t.a WHERE i = 7"), pause)
            number = answered(connection, lambda received: len(received) >= 16, pause)[5:9]
            for _ in range(10):
                send(connection, packet(0, b"\x17" + number + b"\0\1\0\0\0"), pause)
                answered(connection, is_ok, pause)
            send(connection, packet(0, b"\x19" + number) + packet(0, b"\x0e"), pause)
            answered(connection, is_ok, pause)
    want = Counter({"SELECT": 20, "PING": 22, "DELETE": 20})
    metrics = agent.settle(lambda m: by_operation(m, SERVER, "bytes"), want)
    t.equal(by_operation(metrics, SERVER, "bytes"), want, "statements")
    t.equal(dict(metrics.by(SERVER, "db_collection_name", **LOCAL, service_name="bytes")), {"t.a": 40, "": 22}, "tables")
    t.equal(metrics.total(PARTIAL, service_name="bytes"), 0, "partial statements")
    t.nothing_lost(agent)


@test(needs=("sysbench", "mariadbd"))
def mysql_agent_starts_in_the_middle(t):
    """What was under way counts as partial; what begins afterwards is exact."""
    mariadb = t.mariadb(service="middle")
    sysbench(t, mariadb, "middle-load", "prepare")
    run = t.spawn(tool("sysbench"), "--db-driver=mysql", "--mysql-host=127.0.0.1", f"--mysql-port={mariadb.port}", "--mysql-user=root",
                  "--mysql-db=t", "--tables=2", "--table-size=1000", "--threads=8", "--events=1000000", "--time=100", "oltp_read_write", "run",
                  service="middle-client")
    wait_until(lambda: mariadb.status()["Com_select"] > 1000, 60 * t.patience)
    agent = t.agent("--ring-bytes", 64 << 20)
    time.sleep(2)
    run.stop()
    time.sleep(0.5)
    metrics = agent.scrape()
    for side, service in ((SERVER, "middle"), (CLIENT, "middle-client")):
        t.check(metrics.total(side, **LOCAL, service_name=service) > 100, f"{service}: nothing was understood")
        t.check(metrics.total(PARTIAL, service_name=service) <= 16, f"{service}: too many partial statements")
        t.check(set(by_operation(metrics, side, service)) <= {"", "BEGIN", "COMMIT", "SELECT", "UPDATE", "DELETE", "INSERT", "ROLLBACK"},
                f"{service}: statements that were not")
    before, seen = mariadb.status(), by_operation(agent.scrape(), SERVER, "middle")
    sysbench(t, mariadb, "middle-later", "--threads=4", "--events=100", "--time=0", "run")
    want = want_of(mariadb.commands(before))
    t.check(sum(want.values()) >= 2000, f"the witness: {dict(want)}")
    metrics = agent.settle(lambda m: by_operation(m, CLIENT, "middle-later"), want)
    t.equal(by_operation(metrics, CLIENT, "middle-later"), want, "client statements afterwards")
    t.equal(by_operation(metrics, SERVER, "middle") - seen, want, "server statements afterwards")
