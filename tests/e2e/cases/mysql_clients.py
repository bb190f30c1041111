# SPDX-License-Identifier: Apache-2.0
"""MySQL's own ways with other client libraries than those of MariaDB: Oracle's connector for Python, and mysql2 for Node."""

import os
from collections import Counter

from cases.mysql import CLIENT, LOCAL, OUTCOMES, PARTIAL, SERVER, want_of
from sonde_test import node, pypi
from sonde_test.runner import test, tool

NODE = """
const mysql = require('mysql2/promise');
(async () => {
  const c = await mysql.createConnection({ host: '127.0.0.1', port: +process.argv[2], user: 'root', database: 't', multipleStatements: true,
                                           compress: process.argv[3] === 'compress' });
  await c.query('CREATE TABLE IF NOT EXISTS n (a INT PRIMARY KEY, b VARCHAR(2000))');
  for (let i = 0; i < 50; i++) {
    await c.execute('REPLACE INTO n VALUES (?, ?)', [i, 'x'.repeat(i * 40)]);
    await c.execute('SELECT b FROM n WHERE a = ?', [i]);
    await c.query('SELECT a FROM n WHERE a = ' + i);
    try { await c.query('SELECT nothing FROM n'); } catch (e) { if (e.errno !== 1054) throw e; }
  }
  const [rows] = await c.query('SELECT 1; SELECT a FROM n; UPDATE n SET b = "" WHERE a = 1');
  if (rows.length !== 3 || rows[1].length !== 50) throw new Error('results');
  const all = await Promise.all([...Array(20).keys()].map(i => c.execute('SELECT a FROM n WHERE a > ?', [i])));
  if (all[3][0].length !== 46) throw new Error('rows');
  await c.ping();
  await c.end();
  const pool = mysql.createPool({ host: '127.0.0.1', port: +process.argv[2], user: 'root', database: 't', connectionLimit: 5 });
  await Promise.all([...Array(100).keys()].map(i => pool.execute('DELETE FROM n WHERE a = ?', [i])));
  await pool.end();
})();
"""
PYTHON = """
import sys, mysql.connector
kind = sys.argv[2]
c = mysql.connector.connect(host="127.0.0.1", port=int(sys.argv[1]), user="root", database="t", use_pure=kind != "c", ssl_disabled=True,
                                            autocommit=True)
q = c.cursor()
q.execute("CREATE TABLE IF NOT EXISTS p (a INT PRIMARY KEY, b LONGTEXT)")
if kind != "c":
    prepared = c.cursor(prepared=True)
    for i in range(50):
        prepared.execute("REPLACE INTO p VALUES (%s, %s)", (i, "x" * i * 100))
        prepared.execute("SELECT b FROM p WHERE a = %s", (i,))
        prepared.fetchall()
    prepared.close()
for i in range(50):
    q.execute("SELECT a FROM p WHERE a = %s", (i,))
    q.fetchall()
    try:
        q.execute("SELECT nothing FROM p")
    except mysql.connector.errors.ProgrammingError as e:
        assert e.errno == 1054
q.execute("REPLACE INTO p VALUES (1000, REPEAT('y', 300000))")
q.execute("SELECT b FROM p WHERE a = 1000")
assert len(q.fetchall()[0][0]) == 300000
for r in q.execute("SELECT 1; SELECT a FROM p; DELETE FROM p WHERE a < 10", multi=True):
    if r.with_rows: r.fetchall()
c.ping()
c.close()
"""


NO_COM = ("PING", "RESET STATEMENT")

# What the scripts do, as sonde names it: several statements in one request are one operation, named by the first.
NODE_DOES = {("CREATE", "n", ""): 1, ("DELETE", "n", ""): 100, ("PING", "", ""): 1, ("REPLACE", "n", ""): 50, ("SELECT", "", ""): 1,
             ("SELECT", "n", ""): 120, ("SELECT", "n", "1054"): 50}
PYTHON_DOES = {("CREATE", "p", ""): 1, ("REPLACE", "p", ""): 1, ("SELECT", "", ""): 1, ("SELECT", "p", ""): 51, ("SELECT", "p", "1054"): 50,
               ("SET", "", ""): 2, ("PING", "", ""): 2}
PREPARED = {("REPLACE", "p", ""): 50, ("SELECT", "p", ""): 50, ("RESET STATEMENT", "", ""): 100, ("SELECT", "", ""): 1, ("PING", "", ""): 2}
IN_ONE = Counter({"SELECT": 1, "UPDATE": 1}), Counter({"SELECT": 1, "DELETE": 1})  # with the first of several statements


def exact(t, agent, mariadb, client, command, env, want, in_one):
    """Against what the client does, and against the server's Com_ counters."""
    t.where = client + ": "
    sides = ((CLIENT, client), (SERVER, "clients-server"))
    got = lambda m: [m.by(name, "db_operation_name", "db_collection_name", "error_type", **LOCAL, service_name=service) for name, service in sides]
    before, seen = mariadb.status(), got(agent.scrape())
    t.spawn(*command, service=client, env=env).wait(60 * t.patience)
    want = Counter(want)
    said = Counter()
    for (name, _, _), count in want.items():
        said[name] += count if name not in NO_COM else 0
    t.equal(+said + in_one, want_of(mariadb.commands(before)), "the witness")
    grown = lambda m: [now - then for now, then in zip(got(m), seen)]
    metrics = agent.settle(grown, [want, want])
    t.equal(grown(metrics), [want, want], "operations, of the client and of the server")
    t.equal(metrics.total(PARTIAL, protocol="mysql"), 0, "partial operations")
    for outcome in ("malformed", "unmatched_response", "lost", "no_response"):
        t.equal(metrics.total(OUTCOMES, protocol="mysql", outcome=outcome), 0, outcome)


@test(needs=("mariadbd", "node", "node-packages", "pypi-packages"))
def mysql_clients_of_other_makers_exact(t):
    agent = t.agent("--ring-bytes", 64 << 20)
    mariadb = t.mariadb(service="clients-server")
    script, packages = t.path("client.js"), {"NODE_PATH": os.path.join(node.FOLDER, "node_modules")}
    with open(script, "w") as file:
        file.write(NODE)
    for kind, want in (("pure", Counter(PYTHON_DOES) + Counter(PREPARED)), ("c", PYTHON_DOES)):
        exact(t, agent, mariadb, "connector-" + kind, ("/usr/bin/python3", "-c", PYTHON, mariadb.port, kind), {"PYTHONPATH": pypi.FOLDER}, want, IN_ONE[1])
    exact(t, agent, mariadb, "mysql2", (tool("node"), script, mariadb.port, "plain"), packages, NODE_DOES, IN_ONE[0])
    t.where = "compressed: "
    t.spawn(tool("node"), script, mariadb.port, "compress", service="compressed", env=packages).wait(60 * t.patience)
    of_client = lambda m: m.by(CLIENT, "db_operation_name", service_name="compressed")
    metrics = agent.settle(of_client, {"DELETE": 100})
    t.equal(of_client(metrics), {"DELETE": 100}, "operations of the sessions that are not compressed")
    t.equal(metrics.total(OUTCOMES, protocol="mysql", outcome="compressed"), 2, "compressed sessions, of both sides")
    t.equal(metrics.total(PARTIAL, protocol="mysql"), 0, "partial operations")
    t.nothing_lost(agent)
