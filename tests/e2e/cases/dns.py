# SPDX-License-Identifier: Apache-2.0
"""Every DNS lookup is counted, once, on both sides, under its name, type and outcome: against the servers' statistics."""

import os
import signal
import socket
from collections import Counter

from sonde_test.dns import query, unbound_config
from sonde_test.process import wait_until
from sonde_test.runner import test, tool

LOOKUPS = "dns_lookup_duration_seconds_count"
DATAGRAMS = "sonde_events_produced_total"
OUTCOMES = "sonde_parse_outcomes_total"
RETRIES = "sonde_dns_retries_total"
UNANSWERED = "sonde_dns_unanswered_total"
RINGS = ("--ring-bytes", 64 << 20)
PROBES = "ready.probe"


def lookups(metrics, service, kind, *keys):
    """Without the probes of the harness."""
    return metrics.by(LOOKUPS, *(keys or ("dns_question_name",)), service_name=service, kind=kind,
                      dns_question_name=lambda name: name != PROBES)


def outcome(metrics, name):
    return metrics.total(OUTCOMES, protocol="dns", outcome=name)


def settle_both(agent, server, client, want, *keys):
    def both(metrics):
        return [lookups(metrics, server, "server", *keys), lookups(metrics, client, "client", *keys)]
    return agent.settle(both, [want, want])


# dnsperf sends and reads on one connection in two threads: calls that return at once, on two processors, may be seen in the wrong order. What is
# lost by that is told.
DUPLEX_MISSES = 20
NOT_UNDERSTOOD = ("malformed", "not_recognised", "header_truncated", "unmatched_response", "lost", "partial")


def compare_duplex(t, metrics, client, want, made):
    made, told = Counter(made), sum(outcome(metrics, name) for name in NOT_UNDERSTOOD)
    missing = sum((Counter(want) - made).values())
    t.equal(made - Counter(want), Counter(), f"lookups made by {client}, beyond those that were")
    t.check(missing <= DUPLEX_MISSES and told <= 2 * DUPLEX_MISSES and (told or not missing), f"{missing} lookups made by {client} are missing, {told} told")


def compare_both(t, agent, server, client, want, *keys, is_duplex=False):
    metrics = settle_both(agent, server, client, want, *keys)
    t.equal(dict(lookups(metrics, server, "server", *keys)), dict(want), f"lookups served by {server}")
    if is_duplex:
        compare_duplex(t, metrics, client, want, lookups(metrics, client, "client", *keys))
    else:
        t.equal(dict(lookups(metrics, client, "client", *keys)), dict(want), f"lookups made by {client}")
        for name in NOT_UNDERSTOOD:
            t.equal(outcome(metrics, name), 0, f"outcome {name}")
    too_early = metrics.total(LOOKUPS, dns_question_name=PROBES, error_type="connection_refused")
    t.equal(outcome(metrics, "no_response"), too_early, "outcome no_response, and probes before the server listened")
    t.nothing_lost(agent)
    return metrics


def grown(unbound, before):
    now = unbound.stats()
    now.subtract(before)
    return Counter({name: count for name, count in now.items() if count})


def all_calls(t, agent, server, ipv6=False):
    """Returns how many lookups there are of each way to make them."""
    made = t.spawn("lookups", server.port, 25 if t.guest else 100, *(["6"] if ipv6 else []), service="calls").result()
    return Counter({f"{way}.test": count for way, count in made.items()})


@test(needs=("unbound", "ipv6"))
def dns_all_calls_exact(t):
    agent = t.agent(*RINGS)
    unbound = t.unbound(service="resolver")
    before = unbound.stats()
    want = all_calls(t, agent, unbound) + all_calls(t, agent, unbound, ipv6=True)
    done = grown(unbound, before)
    metrics = compare_both(t, agent, "resolver", "calls", want)
    t.equal(sum(want.values()), done["total.num.queries"], "the witness")
    types = {"A": done["num.query.type.A"], "AAAA": done["num.query.type.AAAA"]}
    t.equal(dict(lookups(metrics, "calls", "client", "dns_question_type")), types, "types")
    t.equal(metrics.total(RETRIES), 0, "retries")
    t.check(metrics.total("dns_lookup_duration_seconds_sum", service_name="calls") > 0, "no durations")


@test(needs=("dnsmasq",), guest=True)
def dns_dnsmasq_exact(t):
    agent = t.agent(*RINGS)
    dnsmasq = t.dnsmasq(service="dnsmasq")
    want = all_calls(t, agent, dnsmasq)
    compare_both(t, agent, "dnsmasq", "calls", want)
    log = dnsmasq.log()
    seen = Counter({way: log["query", f"host.{way}"] for way in want})
    t.equal(dict(want), dict(seen), "the witness")


def dnsperf(t, port, domain, *args, count=10000, service="dnsperf"):
    names = t.path(f"names-{domain}")
    with open(names, "w") as file:
        file.writelines(f"h{i}.{domain} {'A' if i % 3 else 'AAAA'}\n" for i in range(count))
    return t.spawn(tool("dnsperf"), "-s", "127.0.0.1", "-p", port, "-d", names, "-n", 1, "-c", 20, "-T", 2, "-t", 30, *args,
                   service=service)


@test(needs=("unbound", "dnsperf"))
def dns_10000_lookups_exact(t):
    agent = t.agent(*RINGS)
    unbound = t.unbound(service="resolver")
    before = unbound.stats()
    dnsperf(t, unbound.port, "udp.test").wait(60 * t.patience)
    dnsperf(t, unbound.port, "tcp.test", "-m", "tcp").wait(60 * t.patience)
    done = grown(unbound, before)
    t.equal(done["total.num.queries"], 20000, "the witness")
    t.equal(done["num.query.tcp"], 10000, "the witness: over TCP")
    want = Counter({("udp.test", "udp"): 10000, ("tcp.test", "tcp"): done["num.query.tcp"]})
    compare_both(t, agent, "resolver", "dnsperf", want, "dns_question_name", "network_transport", is_duplex=True)


@test(needs=("named", "dnsperf"))
def dns_bind_exact(t):
    agent = t.agent(*RINGS)
    named = t.named(service="bind")
    dnsperf(t, named.port, "named.example", count=3000).wait(60 * t.patience)
    dnsperf(t, named.port, "named.example", "-m", "tcp", count=2000).wait(60 * t.patience)
    t.spawn(tool("dig"), "@127.0.0.1", "-p", named.port, "+noall", "x.broken.example", service="dnsperf").wait(60)
    want = Counter({("named.example", "udp", ""): 3000, ("named.example", "tcp", ""): 2000, ("broken.example", "udp", "SERVFAIL"): 1})
    compare_both(t, agent, "bind", "dnsperf", want, "dns_question_name", "network_transport", "error_type", is_duplex=True)
    wait_until(lambda: named.queries("named.example") >= 5000, 5)
    t.equal(5000, named.queries("named.example"), "the witness")
    t.equal(1, named.queries("broken.example"), "the witness")


@test(needs=("dnsmasq", "unbound", "dig", "node"))
def dns_forwarder_is_both(t):
    """And c-ares, in node, asks the resolver itself."""
    agent = t.agent(*RINGS)
    unbound = t.unbound(service="resolver")
    dnsmasq = t.dnsmasq(service="forwarder", upstream=unbound.port)
    before = unbound.stats()
    names = [argument for i in range(100) for argument in (f"n{i}.fixed.example", "A")]
    t.spawn(tool("dig"), "@127.0.0.1", "-p", dnsmasq.port, "+noall", *names, service="asker").wait(60)
    t.equal(grown(unbound, before)["num.query.type.A"], 100, "the witness")
    want = Counter({("fixed.example", "NXDOMAIN"): 100})
    keys = ("dns_question_name", "error_type")
    compare_both(t, agent, "forwarder", "asker", want, *keys)
    compare_both(t, agent, "resolver", "forwarder", want, *keys)
    forwarded = sum(count for (what, name), count in dnsmasq.log().items() if what == "forwarded" and name != PROBES)
    t.equal(forwarded, 100, "the witness: forwarded")
    node = ("const dns=require('dns'); const r=new dns.Resolver(); r.setServers(['127.0.0.1:'+process.argv[1]]);"
            "let n=50; const go=()=>n--?r.resolve4('n'+n+'.node.test',(e)=>{if(e)throw e;r.resolve6('m'+n+'.node.test',()=>go())}):0;go()")
    before = unbound.stats()
    t.spawn(tool("node"), "-e", node, unbound.port, service="node").wait(60 * t.patience)
    t.equal(grown(unbound, before)["total.num.queries"], 100, "the witness")
    metrics = agent.settle(lambda m: lookups(m, "node", "client")["node.test"], 100)
    for service, kind in (("node", "client"), ("resolver", "server")):
        t.equal(lookups(metrics, service, kind)["node.test"], 100, f"lookups of {service}")


INSIDE = """
ip link set lo up && mount --bind {resolv} /etc/resolv.conf && mount --bind {nsswitch} /etc/nsswitch.conf || exit 1
OTEL_SERVICE_NAME=resolver unbound -c {config} & server=$!
until unbound-control -c {config} status >{directory}/status; do sleep .1; done
OTEL_SERVICE_NAME=glibc python3 -c 'import socket
for i in range(25): socket.getaddrinfo("g%d.glibc.test" % i, 80, type=socket.SOCK_STREAM)'
unbound-control -c {config} stats_noreset >{directory}/stats
kill $server
"""


@test(needs=("unbound", "netns"))
def dns_of_glibc(t):
    """A and AAAA with one sendmmsg, and the search list of a pod: a namespace with files and a port 53 of its own."""
    agent = t.agent(*RINGS)
    config = unbound_config(t.path("unbound53"), 53)
    files = {"resolv": "nameserver 127.0.0.1\nsearch shop.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n",
             "nsswitch": "hosts: dns\n"}
    for name, text in files.items():
        with open(t.path(name), "w") as file:
            file.write(text)
    script = INSIDE.format(config=config, directory=t.directory, **{name: t.path(name) for name in files})
    t.spawn(tool("unshare"), "--net", "--mount", "/bin/bash", "-c", script).wait(60 * t.patience)
    with open(t.path("stats")) as file:
        stats = dict(line.split("=") for line in file.read().split())
    missing = [("shop.svc.cluster.local", "NXDOMAIN"), ("test.svc.cluster.local", "NXDOMAIN"), ("cluster.local", "NXDOMAIN")]
    want = Counter({key: 50 for key in [*missing, ("glibc.test", "")]})
    compare_both(t, agent, "resolver", "glibc", want, "dns_question_name", "error_type")
    t.equal(200, int(stats["total.num.queries"]), "the witness")
    t.equal(150, int(stats["num.answer.rcode.NXDOMAIN"]), "the witness: names that are not there")


@test(needs=("unbound", "dig"))
def dns_outcomes_exact(t):
    """Names that are not there, refusals, and an answer too long for UDP, which is asked for again over TCP."""
    agent = t.agent(*RINGS)
    unbound = t.unbound(service="resolver")
    before = unbound.stats()

    def dig(*args):
        t.spawn(tool("dig"), "@127.0.0.1", "-p", unbound.port, "+noall", *args, service="dig").wait(60)
    dig("host.fixed.example", "host.fixed.example", "AAAA", "nope.fixed.example", "MX", "x.refused.example", "+noedns", "+bufsize=0",
        "big.fixed.example", "TXT", ".", "NS", "a.b.c.example.co.uk", "SRV", "web.shop.svc.cluster.local", "HTTPS", "1.2.0.192.in-addr.arpa", "PTR")
    done = grown(unbound, before)
    keys = ("dns_question_name", "dns_question_type", "network_transport", "error_type")
    metrics = agent.settle(lambda m: sum(lookups(m, "resolver", "server").values()), done["total.num.queries"])
    client, server = lookups(metrics, "dig", "client", *keys), lookups(metrics, "resolver", "server", *keys)
    t.equal(dict(client), dict(server), "both sides")
    t.equal(sum(server.values()), done["total.num.queries"], "lookups")
    errors = lookups(metrics, "resolver", "server", "error_type")
    codes = {code: done[f"num.answer.rcode.{code}"] for code in ("NXDOMAIN", "REFUSED")}
    t.equal({code: errors[code] for code in codes}, codes, "errors")
    t.check(all(codes.values()), f"the witness: {codes}")
    for name in (("fixed.example", "TXT", "udp", ""), ("fixed.example", "TXT", "tcp", ""), ("fixed.example", "MX", "udp", "NXDOMAIN"),
                 ("refused.example", "A", "udp", "REFUSED"), ("fixed.example", "AAAA", "udp", "")):
        t.equal(client[name], 1, f"{name}")
    t.equal({name for name, *_ in client}, {"fixed.example", "refused.example", ".", "example.co.uk", "shop.svc.cluster.local",
                                            "in-addr.arpa"}, "names")
    t.equal(outcome(metrics, "truncated"), 2, "truncated answers, of both sides")
    t.nothing_lost(agent)


@test(needs=("unbound", "dig"))
def dns_unanswered_and_retried(t):
    """A server that stands still: queries without answers, one sent three times, and one that is answered late."""
    agent = t.agent(*RINGS)
    unbound = t.unbound(service="resolver")
    before = unbound.stats()
    os.kill(unbound.pid, signal.SIGSTOP)
    try:
        t.spawn(tool("dig"), "@127.0.0.1", "-p", unbound.port, "+time=1", "+tries=2", "silent.test", service="dig").wait(60, None)
        script = ("import socket,sys,time\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\ns.connect(('127.0.0.1',int(sys.argv[1])))\n"
                  "for i in range(3):\n s.send(bytes.fromhex(sys.argv[2])); time.sleep(.1)\n"
                  "print('sent', flush=True); sys.stdin.read(1)\nfor i in range(3): s.recv(512)\n")
        again = t.spawn("/usr/bin/python3", "-c", script, unbound.port, query("again.test", 77).hex(), service="again", stdin=True)
        again.wait_line("sent")
    finally:
        os.kill(unbound.pid, signal.SIGCONT)
    again.say()
    again.wait(30)

    def left_over(metrics):  # so soon after the start they may answer what was asked before
        return outcome(metrics, "unmatched_response") + outcome(metrics, "partial")
    metrics = agent.settle(lambda m: [m.total(UNANSWERED, service_name="dig"), left_over(m)], [2, 2])
    t.equal(metrics.by(UNANSWERED, "server_port", service_name="dig"), {str(unbound.port): 2}, "unanswered")
    t.equal(dict(lookups(metrics, "dig", "client", "dns_question_name", "error_type")), {("silent.test", "timeout"): 2}, "of dig")
    t.equal(dict(lookups(metrics, "again", "client", "dns_question_name", "error_type")), {("again.test", ""): 1}, "sent again")
    t.equal(metrics.by(RETRIES, "service_name"), {"again": 2}, "retries")
    t.equal(left_over(metrics), 2, "the second and the third answer")
    served = grown(unbound, before)["total.num.queries"]
    t.equal(lookups(metrics, "resolver", "server").total(), served, "served: each copy is one")
    t.equal(served, 5, "the witness")
    t.nothing_lost(agent)


@test(needs=("dig",))
def dns_refused(t):
    """Nobody listens: the lookup has failed when the socket says so, not six seconds later."""
    agent = t.agent(*RINGS)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
    dig = t.spawn(tool("dig"), "@127.0.0.1", "-p", port, "+time=2", "+tries=3", "refused.test", service="dig")
    dig.wait(60, None)
    said = dig.output().count("connection refused")
    t.check(said > 0, f"the witness: {dig.output()}")
    found = lambda m: dict(lookups(m, "dig", "client", "dns_question_name", "error_type"))
    metrics = agent.settle(found, {("refused.test", "connection_refused"): said}, seconds=3)
    t.equal(found(metrics), {("refused.test", "connection_refused"): said}, "lookups")
    t.equal(metrics.total("sonde_table_entries", table="dns_lookups"), 0, "lookups under way")


@test(needs=("dnsmasq",))
def dns_names_are_bounded(t):
    agent = t.agent("--routes", 10, *RINGS)
    dnsmasq = t.dnsmasq(service="dnsmasq")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.connect(("127.0.0.1", dnsmasq.port))
        for i in range(100):
            udp.send(query(f"a{i}.b{i}.test", i))
            udp.recv(512)
    metrics = agent.settle(lambda m: lookups(m, "dnsmasq", "server").total(), 100)
    found = lookups(metrics, "dnsmasq", "server")
    t.equal(found.total(), 100, "lookups")
    t.check(len(found) <= 11, f"names: {found}")
    t.check(found["other"] >= 90, f"names: {found}")
    t.check(metrics.total("sonde_dns_names_refused_total") >= 90, "refusals")


@test()
def dns_leaves_other_datagrams_alone(t):
    """Nothing but DNS makes events: not statsd, not NTP, not random bytes, not a name service of the local network."""
    agent = t.agent(*RINGS)
    ntp = bytes([0x23, 0, 6, 0xec]) + bytes(44)
    mdns = query("_http._tcp.local", 0, 12)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as theirs:
        theirs.bind(("127.0.0.1", 0))
        for payload in (b"shop.requests:1|c", ntp, os.urandom(1200)[:4] + b"\xff" * 1196, b"", b"x", bytes(100), query("x.test", 1)[:16]):
            for _ in range(50):
                ours.sendto(payload, theirs.getsockname())
                theirs.recv(2048)
        for port in (5355, 137):
            ours.sendto(mdns, ("127.0.0.1", port))
        metrics = agent.scrape()
        t.equal(metrics.total(DATAGRAMS, kind="datagram"), 2, "events: of LLMNR and NetBIOS, which user space lets go")
        t.equal(metrics.total(LOOKUPS), 0, "lookups")
        t.equal(metrics.total("sonde_table_entries", table="dns_lookups"), 0, "lookups under way")


@test(needs=("unbound", "dnsperf"))
def dns_joined_in_the_middle(t):
    """Nothing wrong is told of lookups that began before, and all after them are there."""
    unbound = t.unbound(service="resolver")
    early = [dnsperf(t, unbound.port, f"early{i}.test", *mode, "-Q", 1500, service=f"early{i}")
             for i, mode in enumerate(([], ["-m", "tcp"]))]
    # Others on the machine ask too.
    agent = t.agent(*RINGS, "--only", "exe=*/unbound", "--only", "exe=*/dnsperf")
    t.check(all(run.is_alive() for run in early), "the early ones were over too soon")
    for run in early:
        run.wait(60 * t.patience)
    before = unbound.stats()
    dnsperf(t, unbound.port, "udp.test", count=2000).wait(60)
    dnsperf(t, unbound.port, "tcp.test", "-m", "tcp", count=2000).wait(60)
    t.equal(grown(unbound, before)["total.num.queries"], 4000, "the witness")
    want = {"udp.test": 2000, "tcp.test": 2000}

    def late(metrics, service, kind):
        return {name: count for name, count in lookups(metrics, service, kind).items() if not name.startswith("early")}
    sides = (("resolver", "server"), ("dnsperf", "client"))
    metrics = agent.settle(lambda m: [late(m, *side) for side in sides], [want, want])
    t.equal(late(metrics, *sides[0]), want, "lookups of resolver")
    compare_duplex(t, metrics, "dnsperf", want, late(metrics, *sides[1]))
    failed = metrics.by(LOOKUPS, "service_name", "network_transport", "error_type", error_type=lambda error: bool(error))
    t.equal(failed, {}, "lookups that failed")
    t.nothing_lost(agent)
