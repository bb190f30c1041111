# SPDX-License-Identifier: Apache-2.0
"""Figures of databases beyond counts and durations: statements by fingerprint, rows, hits, value sizes, connections in use."""

import re
from collections import Counter

from sonde_test.runner import test

# Room for all, as when a metric is crowded the series of clients that have ended go after seconds.
ROOMY = ("--ring-bytes", 64 << 20, "--series", 50000)
ONLY = ("--only", "exe=*/postgres", "--only", "exe=*/psql")
STATEMENTS = "sonde_db_statements_total"
ERRORS = "sonde_db_statement_errors_total"
ROWS = "sonde_db_statement_rows_total"
SECONDS = "sonde_db_statement_seconds_total"
WORST = "sonde_db_statement_worst_seconds"
PARTIAL = "sonde_requests_partial_total"
READS = "sonde_db_reads_total"
POOL = "db_client_connection_count"


def texts(metrics, **which):
    """Fingerprint to text."""
    return {sample.labels["db_query_fingerprint"]: sample.labels["db_query_text"]
            for sample in metrics.by_name.get("sonde_db_statement_info", ()) if which.items() <= sample.labels.items()}


def by_text(metrics, name, only=None, **which):
    """A figure of statements, by their text; what has no entry is "other". only: these texts; the server is also asked over its
    Unix-domain socket, by ourselves."""
    known, found = texts(metrics, **which), Counter()
    for fingerprint, value in metrics.by(name, "db_query_fingerprint", **which).items():
        found[known.get(fingerprint, "other")] += value
    return Counter({text: count for text, count in found.items() if only is None or text in only})


def sides(name):
    return ("server", name), ("client", name + "-client")


def masked(query):
    """pg_stat_statements' normal form, as we write it."""
    return re.sub(r"\$\d+", "?", re.sub(r"\s+", " ", query)).replace("+ -?", "+ ?").strip("; ")


def witness(server, column):
    """A column of pg_stat_statements by masked text: what was asked over the Unix-domain socket left out."""
    found = Counter()
    for line in server.ask(f"SELECT {column}, regexp_replace(query, '\\s+', ' ', 'g') FROM pg_stat_statements "
                           "WHERE query !~ 'pg_stat_statements'").splitlines():
        number, _, query = line.partition("|")
        found[masked(query)] += int(number)
    return found


@test(needs=("postgresql",))
def figures_pgbench_statements_exact(t):
    """Every statement of pgbench by its fingerprint, in each mode: calls and rows against pg_stat_statements."""
    agent = t.agent(*ROOMY)
    server = t.postgresql(service="pg-figures")
    server._run(f"{server.bin}/pgbench", "-i", "-q", "-h", server.directory)
    server.forget()
    for mode, transactions in (("prepared", 60), ("simple", 20), ("extended", 20)):
        run = t.spawn(f"{server.bin}/pgbench", "-n", "-c", 32, "-j", 2, "-t", transactions, "-M", mode,
                      service="pg-figures-client", env=server.environment)
        run.wait(300 * t.patience)
        t.check(f"processed: {32 * transactions}/" in run.output(), f"{mode}: {run.output()}")
    calls, rows = witness(server, "calls"), witness(server, "rows")
    ours = {text for text in calls if "pgbench" in text}
    t.equal(sum(calls[text] for text in ours if text.startswith("UPDATE")), 3 * 3200, "updates of pg_stat_statements (the witness)")
    metrics = agent.settle(lambda m: by_text(m, STATEMENTS, service_name="pg-figures-client")["END"], 3200)
    for kind, service in sides("pg-figures"):
        got = by_text(metrics, STATEMENTS, service_name=service)
        t.equal({text: got[text] for text in ours}, {text: calls[text] for text in ours}, f"{kind}: calls")
        got = by_text(metrics, ROWS, service_name=service)
        t.equal({text: got[text] for text in ours}, {text: rows[text] for text in ours}, f"{kind}: rows")
    t.equal({text for text in by_text(metrics, STATEMENTS, service_name="pg-figures-client") if "pg_catalog" not in text},
            ours | {"BEGIN", "END"}, "client: statements")
    t.equal(sum(metrics.total(PARTIAL, service_name=service) for _, service in sides("pg-figures")), 0, "partial operations")
    t.nothing_lost(agent)


MIXED = [  # statement, its text, times, rows each, errors each
    ("SELECT a FROM t WHERE b = '{}sEcReT' OR a IN (1, 2, {}99, 99 + {})", "SELECT a FROM t WHERE b = ? OR a IN (? + ?)", 30, 2, 0),
    ("INSERT INTO t VALUES ({} + 1000, 'sEcReT')", "INSERT INTO t VALUES (? + ?, ?)", 20, 1, 0),
    ("INSERT INTO t VALUES (1, E'sEc\\'ReT{}')", "INSERT INTO t VALUES (?, ?)", 10, 0, 1),
    ("SELECT $q$sEcReT$q$ -- sEcReT {}", "SELECT ?", 10, 1, 0),
    ("SELECT * FROM nowhere WHERE secret = {}", "SELECT * FROM nowhere WHERE secret = ?", 5, 0, 1),
    ("UPDATE t SET b = '{}' WHERE a <= 10", "UPDATE t SET b = ? WHERE a <= ?", 10, 10, 0),
    ("SELECT pg_sleep(0.0{})", "SELECT pg_sleep(?)", 4, 1, 0),
]


@test(needs=("postgresql",))
def figures_postgresql_mixed_statements(t):
    """Errors, rows and the worst time by fingerprint; no literal leaves the machine; the same in `sonde dump`; a limit holds."""
    agent, limited, off = t.agent(*ROOMY, *ONLY), t.agent(*ROOMY, *ONLY, "--statements", 3), t.agent(*ONLY, "--statements", 0)
    server = t.postgresql(service="pg-mixed-figures")
    server.ask("CREATE TABLE t AS SELECT a, 'x' AS b FROM generate_series(1, 10) a", "CREATE UNIQUE INDEX ON t (a)")
    server.forget()
    said = [part for statement, _, times, _, _ in MIXED for i in range(times) for part in ("-c", statement.replace("{}", str(i + 1)))]
    t.spawn(f"{server.bin}/psql", "-X", *said, service="pg-mixed-figures-client", env=server.environment).wait(120 * t.patience,
                                                                                                         status=None)
    calls, rows = witness(server, "calls"), witness(server, "rows")
    want = Counter({text: times for _, text, times, _, _ in MIXED})
    metrics = agent.settle(lambda m: by_text(m, STATEMENTS, service_name="pg-mixed-figures-client"), want)
    for kind, service in sides("pg-mixed-figures"):
        t.equal(by_text(metrics, STATEMENTS, want, service_name=service), want, f"{kind}: statements")
        errors = by_text(metrics, ERRORS, want, service_name=service)
        t.equal(errors, Counter({text: times * fails for _, text, times, _, fails in MIXED if fails}), f"{kind}: failed")
        got = by_text(metrics, ROWS, want, service_name=service)
        t.equal(got, Counter({text: times * each for _, text, times, each, _ in MIXED if each}), f"{kind}: rows")
        for _, text, times, each, fails in MIXED:
            if not fails and text in calls:
                t.equal((want[text], got[text]), (calls[text], rows[text]), f"{text}: pg_stat_statements (the witness)")
        t.check(by_text(metrics, WORST, service_name=service)["SELECT pg_sleep(?)"] >= 0.04, f"{kind}: the worst of pg_sleep")
        t.check(by_text(metrics, SECONDS, service_name=service)["SELECT pg_sleep(?)"] >= 0.1, f"{kind}: the time of pg_sleep")
    name = "db_client_response_returned_rows"
    t.equal(metrics.by(name + "_sum", "db_operation_name", service_name="pg-mixed-figures-client"), Counter(SELECT=30 * 2 + 10 + 4), name)
    t.equal(metrics.by(name + "_count", "db_operation_name", service_name="pg-mixed-figures-client"), Counter(SELECT=44), name)
    shown = {row["text"]: row["count"] for row in agent.dump("statements") if row["service"] == "pg-mixed-figures-client"}
    t.equal(shown, want, "sonde dump statements")
    mixed = dict(sides("pg-mixed-figures"))
    told = {(row["kind"], row["system"]): (row["requests"], row["errors"]) for row in agent.dump("services")
            if row["service"] == mixed[row["kind"]]}
    metrics = agent.scrape()
    counts = {}
    for kind, service in mixed.items():
        name = f"db_{kind}_operation_duration_seconds_count"
        counts[kind, "postgresql"] = (metrics.total(name, service_name=service),
                                      metrics.total(name, service_name=service, error_type=bool))
    t.equal(told, counts, "sonde dump services")
    client = "pg-mixed-figures-client"
    whole = lambda m: m.total(STATEMENTS, service_name=client) + m.total("sonde_db_statements_forgotten_total", service_name=client)
    few = limited.settle(whole, sum(want.values()))
    t.equal(whole(few), sum(want.values()), "--statements 3: all are in one of them")
    got = by_text(few, STATEMENTS, service_name=client)
    t.equal((len(texts(few, service_name=client)), got["other"] > 0), (3, True), "--statements 3: told apart")
    t.check("INSERT INTO t VALUES (?, ?)" in got, f"--statements 3: the one that failed most is inside: {got}")
    t.check(not off.scrape().has(STATEMENTS), "--statements 0")
    for name, text in (("metrics", metrics.text), ("dump", str(shown)), ("limited", few.text)):
        t.check("sEcReT" not in text and "ReT" not in text, f"{name}: a literal left the machine")
    t.nothing_lost(agent)


PYMYSQL = r"""
import pymysql, sys
connection = pymysql.connect(host="127.0.0.1", port=int(sys.argv[1]), user="root", database="t", autocommit=True)
cursor = connection.cursor()
def run(statement, *args):
    try:
        cursor.execute(statement, *args)
        cursor.fetchall()
    except pymysql.Error as error:
        print(error.args[0])
run("CREATE TABLE a (i INT PRIMARY KEY, s VARCHAR(99))")
for i in range(1000):
    run("INSERT INTO a VALUES (%s, %s)", (i, "it's \\ \" sEcReT"))
    run("INSERT INTO `a` (i, s) VALUES (%d, 'x'), (%d, \"sEcReT\")" % (10000 + 2 * i, 10001 + 2 * i))
    run("SELECT i FROM a WHERE i < 3 AND s <> 'sEcReT%d' # sEcReT" % i)
    run("SELECT `s` FROM a WHERE i IN (%s)" % ", ".join(map(str, range(i % 7 + 1))))
    run("UPDATE a SET s = CONCAT(s, '!') WHERE i = %s LIMIT 1" % i)
    if i % 10 == 0:
        run("INSERT INTO a VALUES (0, 'again')")
        run("SELECT nosuch, 5 FROM a")
        run("DELETE FROM a WHERE i BETWEEN 10000 AND 10001")
print("done")
"""


def digest(text):
    """performance_schema's form and ours, made alike."""
    text = re.sub(r"[\s`]", "", text).upper().replace("<>", "!=")
    text = re.sub(r"\(\.\.\.\)(,\.\.\.|/\*,\.\.\.\*/)?", "(?)", text)
    return re.sub(r"\(\?(,\?)*\)(,\.\.\.)?", "(?)", text)


@test(needs=("mariadbd", "pymysql"))
def figures_mariadb_statements_exact(t):
    """Count, errors and rows by fingerprint against performance_schema's digests."""
    agent = t.agent(*ROOMY)
    mariadb = t.mariadb(service="maria-figures", options=["--performance-schema=ON"])
    mariadb.say("TRUNCATE performance_schema.events_statements_summary_by_digest")
    run = t.spawn("/usr/bin/python3", "-c", PYMYSQL, mariadb.port, service="maria-figures-client")
    run.wait(120 * t.patience)
    t.check(run.output().endswith("done\n"), run.output())
    want = {}
    for line in mariadb.say("SELECT COUNT_STAR, SUM_ERRORS, SUM_ROWS_SENT + SUM_ROWS_AFFECTED, DIGEST_TEXT FROM "
                            "performance_schema.events_statements_summary_by_digest WHERE SCHEMA_NAME = 't'").splitlines():
        count, errors, rows, text = line.split("\t")
        if re.match("INSERT|SELECT|UPDATE|DELETE", text):
            old = want.get(digest(text), (0, 0, 0))
            want[digest(text)] = (old[0] + int(count), old[1] + int(errors), old[2] + int(rows))
    t.check(sum(count for count, _, _ in want.values()) > 5000, f"the witness: {want}")

    def figures(metrics, service):
        found = {}
        for name in (STATEMENTS, ERRORS, ROWS):
            for text, value in by_text(metrics, name, service_name=service).items():
                if re.match("INSERT|SELECT|UPDATE|DELETE", text) and "performance_schema" not in text:
                    found.setdefault(digest(text), Counter())[name] += value
        return {text: tuple(figure[name] for name in (STATEMENTS, ERRORS, ROWS)) for text, figure in found.items()}

    metrics = agent.settle(lambda m: (figures(m, "maria-figures"), figures(m, "maria-figures-client")), (want, want))
    for kind, service in sides("maria-figures"):
        t.equal(figures(metrics, service), want, f"{kind}: count, errors, rows")
    t.check("sEcReT" not in metrics.text, "a literal left the machine")
    t.equal(sum(metrics.total(PARTIAL, service_name=service) for _, service in sides("maria-figures")), 0, "partial operations")
    t.nothing_lost(agent)


@test(needs=("redis-benchmark",))
def figures_redis_hits_and_values_exact(t):
    """Hits and misses of 10,000 reads against the server's own counters; sizes of values."""
    agent = t.agent(*ROOMY)
    redis = t.redis(service="redis-figures")

    def benchmark(*args):
        t.spawn("/usr/bin/redis-benchmark", "-h", "127.0.0.1", "-p", redis.port, *args, service="redis-figures-client").wait(
            120 * t.patience)

    benchmark("-n", 400, "-r", 1000, "-d", 300, "-c", 5, "-t", "set")
    benchmark("-n", 10000, "-r", 1000, "-c", 50, "-P", 16, "-t", "get")
    benchmark("-n", 1000, "-r", 2000, "-c", 5, "mget", "key:__rand_int__", "key:__rand_int__", "key:__rand_int__")
    benchmark("-n", 100, "-c", 5, "hset", "hash", "f", "v" * 5000, "g", "w")
    info = dict(re.findall(r"keyspace_(hits|misses):(\d+)", redis.ask("INFO", "stats")))
    want = Counter(hit=int(info["hits"]), miss=int(info["misses"]))
    t.equal(sum(want.values()), 13000, f"the witness: {info}")
    for kind, service in (("server", "redis-figures"), ("client", "redis-figures-client")):
        metrics = agent.settle(lambda m: m.by(READS, "result", kind=kind, service_name=service), want)
        t.equal(metrics.by(READS, "result", kind=kind, service_name=service), want, f"{kind}: reads")
        labels = {"kind": kind, "service_name": service}
        counts = metrics.by("sonde_db_value_bytes_count", "db_operation_name", **labels)
        sums = metrics.by("sonde_db_value_bytes_sum", "db_operation_name", **labels)
        t.equal((counts["SET"], sums["SET"]), (400, 400 * 300), f"{kind}: values set")
        t.equal((counts["HSET"], sums["HSET"]), (100, 100 * 5000), f"{kind}: values of a hash")
        gets = metrics.by("sonde_db_value_bytes_count", "db_operation_name", **labels)["GET"]
        t.equal(sums["GET"], gets * 300, f"{kind}: values got")
    t.nothing_lost(agent)


def pool_of(metrics, service):
    return metrics.by(POOL, "db_client_connection_state", service_name=service)


WAITERS = r"""
import socket, sys
def said(connection, *words):
    connection.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
connections = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(20)]
for connection in connections:
    said(connection, b"PING")
    connection.recv(100)
for connection in connections[:7]:
    said(connection, b"BLPOP", b"nobody", b"0")
print("waiting", flush=True)
sys.stdin.readline()
for connection in connections[:15]:
    connection.close()
print("closed", flush=True)
sys.stdin.readline()
"""


@test()
def figures_connections_in_use(t):
    """Twenty connections, seven wait for an answer; then fifteen close."""
    agent = t.agent(*ROOMY)
    redis = t.redis(service="redis-pool")
    run = t.spawn("/usr/bin/python3", "-c", WAITERS, redis.port, service="redis-pool-client", stdin=True)
    want = Counter(used=7, idle=13)
    metrics = agent.settle(lambda m: pool_of(m, "redis-pool-client"), want)
    t.equal(pool_of(metrics, "redis-pool-client"), want, "connections")
    t.equal(set(metrics.by(POOL, "db_system_name", "server_address", "server_port", service_name="redis-pool-client")),
            {("redis", "127.0.0.1", str(redis.port))}, "the pool")
    run.popen.stdin.write(b"\n")
    run.popen.stdin.flush()
    want = Counter(idle=5)
    metrics = agent.settle(lambda m: pool_of(m, "redis-pool-client"), want)
    t.equal(pool_of(metrics, "redis-pool-client"), want, "connections that are left")
    t.equal(metrics.total("sonde_db_client_connections_used_max", service_name="redis-pool-client"), 7, "the most in use")
    t.equal(pool_of(metrics, "redis-pool"), Counter(), "the server has no pool")
    run.popen.stdin.write(b"\n")
    run.popen.stdin.close()
    run.wait(20 * t.patience)
    metrics = agent.settle(lambda m: pool_of(m, "redis-pool-client"), Counter())
    t.equal(pool_of(metrics, "redis-pool-client"), Counter(), "connections at the end")
