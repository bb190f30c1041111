# SPDX-License-Identifier: Apache-2.0
"""Figures of databases beyond counts and durations: statements by fingerprint, rows, hits, value sizes, connections in use."""

import re
from collections import Counter

from sonde_test.runner import test

RINGS = ("--ring-bytes", 64 << 20)
STATEMENTS = "sonde_db_statements_total"
ERRORS = "sonde_db_statement_errors_total"
ROWS = "sonde_db_statement_rows_total"


def texts(metrics, **which):
    """Fingerprint to text."""
    return {sample.labels["db_query_fingerprint"]: sample.labels["db_query_text"]
            for sample in metrics.by_name.get("sonde_db_statement_info", ()) if which.items() <= sample.labels.items()}


def by_text(metrics, name, **which):
    """A figure of statements, by their text; what has no entry is "other"."""
    known, found = texts(metrics, **which), Counter()
    for fingerprint, value in metrics.by(name, "db_query_fingerprint", **which).items():
        found[known.get(fingerprint, "other")] += value
    return found


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
    agent = t.agent(*RINGS)
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
    metrics = agent.settle(lambda m: by_text(m, STATEMENTS, kind="client")["END"], 3200)
    for kind in ("server", "client"):
        got = by_text(metrics, STATEMENTS, kind=kind)
        t.equal({text: got[text] for text in ours}, {text: calls[text] for text in ours}, f"{kind}: calls")
        got = by_text(metrics, ROWS, kind=kind)
        t.equal({text: got[text] for text in ours}, {text: rows[text] for text in ours}, f"{kind}: rows")
        t.equal({text for text in by_text(metrics, STATEMENTS, kind=kind) if "pg_catalog" not in text}, ours | {"BEGIN", "END"},
                f"{kind}: statements")
    t.nothing_lost(agent)
