# SPDX-License-Identifier: Apache-2.0
"""Every call that moves bytes: each end of the connection counts and times the same as its own process does."""

from sonde_test.runner import test

SERVER = "http_server_request_duration_seconds"
CLIENT = "http_client_request_duration_seconds"
READS = ("read", "readv", "recvfrom", "recvmsg", "recvmmsg", "splice", "byte", "peek", "waitall")
WRITES = ("write", "writev", "sendto", "sendmsg", "sendmmsg", "sendfile", "splice", "byte", "split", "more")
COUNT = 12


def exchange(t, agent, name, reads, writes, host="127.0.0.1", server_mode="self", client_mode="plain"):
    """`reads`, `writes`: (server's, client's). Compares counts, and sums of durations."""
    t.where = f"{name}: "
    server, port = t.serve("calls", "serve", reads[0], writes[0], host, "0", server_mode, service=name)
    client = t.spawn("calls", "request", reads[1], writes[1], host, port, COUNT, client_mode, service=name + "-client")
    said = client.result(60 * t.patience)
    server.wait_line('{"pid"')
    served = server.objects()[0]
    t.equal(served["requests"], COUNT, "the server's own count")

    def counts(m):
        return m.total(SERVER + "_count", service_name=name), m.total(CLIENT + "_count", service_name=name + "-client")
    metrics = agent.settle(counts, (COUNT, COUNT))
    if t.equal(counts(metrics), (COUNT, COUNT), "requests, server and client"):
        for metric, service, witness in ((SERVER, name, served), (CLIENT, name + "-client", said)):
            # The process's own clock readings are some system calls away from the hook's.
            t.near(metrics.total(metric + "_sum", service_name=service), witness["sum_ns"] / 1e9,
                   f"{metric}_sum", COUNT * 0.001 * (t.patience if t.guest else 1), 0.02)
    pids = metrics.by("sonde_process_request_duration_seconds_count", "process_pid", service_name=name, kind="server")
    t.equal(pids, {str(served["pid"]): COUNT}, "requests by the process that served them")
    t.equal(metrics.total("sonde_requests_partial_total", service_name=name), 0, "partial requests")
    server.stop()
    t.where = ""
    return metrics


@test(guest=True)
def calls_each_read(t):
    agent = t.agent()
    for read in READS:
        metrics = exchange(t, agent, f"reads-{read}", (read, read), ("write", "write"))
    t.nothing_lost(agent)


@test(guest=True)
def calls_each_write(t):
    agent = t.agent()
    for write in WRITES:
        metrics = exchange(t, agent, f"writes-{write}", ("read", "read"), (write, write))
    t.nothing_lost(agent)


@test(needs=("ipv6",))
def calls_mixed_over_ipv6(t):
    agent = t.agent()
    for index, read in enumerate(READS):
        write = WRITES[(index * 3 + 1) % len(WRITES)]
        exchange(t, agent, f"mixed-{read}-{write}", (read, "peek"), ("writev", write), host="::1")


@test(guest=True)
def calls_of_inherited_connection(t):
    """accept in one process, the requests in its child."""
    exchange(t, t.agent(), "inherited", ("read", "read"), ("write", "write"), server_mode="fork")


@test(guest=True)
def calls_of_passed_connection(t):
    """accept in one process, the requests in another that got the descriptor over a Unix socket."""
    exchange(t, t.agent(), "passed", ("read", "read"), ("write", "write"), server_mode="pass")


# Not in guests: an emulated writer may be held up for longer than an overtaking answer is kept waiting for it.
@test()
def calls_reader_blocked_before_the_write(t):
    """One thread is in read() while another writes the request."""
    agent = t.agent()
    exchange(t, agent, "blocked", ("read", "read"), ("write", "write"), client_mode="threads")
    exchange(t, agent, "blocked-recvmsg", ("recvmsg", "recvmsg"), ("sendmsg", "sendmsg"), client_mode="threads")
