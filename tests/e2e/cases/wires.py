# SPDX-License-Identifier: Apache-2.0
"""Wires that lose packets, and long ones: what each call says of its connection. The witnesses are the client's kernel (TCP_INFO and the host's
count of segments that were sent again) and the wire's length."""

from cases.tcp_parts import CLIENT, TICK_NS, WORDS, spans_of, watch
from sonde_test.runner import test

SERVER = WORDS + """
connection = listen("10.99.0.2").accept()[0]
connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
while connection.recv(4096):
    connection.sendall(head(0))
"""
ASKER = WORDS + """
def sent_again():
    names, numbers = (line.split() for line in open("/proc/net/snmp") if line.startswith("Tcp:"))
    return int(numbers[names.index("RetransSegs")])
connection = socket.create_connection(("10.99.0.2", int(sys.argv[1])))
for _ in range(int(sys.argv[3])):
    ask(connection, "/usual")
    take(connection, HEAD)
print("usual", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[2])):
    before = tcp_info(connection)
    ask(connection, f"/{number}")
    take(connection, HEAD)
    after = tcp_info(connection)
    say(retransmits=after["retransmits"] - before["retransmits"], rtt_us=after["rtt_us"], of_connection=after["retransmits"], of_host=sent_again())
"""
DELAY_MS = 40


def talk(t, spaces, count, usual=0, spoil=lambda: None):
    """So many requests over the wire, after some before it is spoilt: the agent, and of each what the client says of it and its span."""
    agent, file = watch(t, "wire-asker")
    _, port = t.serve("/usr/bin/python3", "-c", SERVER, service="wire-server", netns=spaces.far)
    asker = t.spawn("/usr/bin/python3", "-c", ASKER, port, count, usual, service="wire-asker", netns=spaces.near, stdin=True)
    asker.wait_line("usual")
    spoil()
    asker.say()
    asker.wait(60 * t.patience)
    spans, said = spans_of(t, file, usual + count, CLIENT)[usual:], asker.objects()
    t.equal((len(spans), len(said)), (count, count), "requests")
    t.nothing_lost(agent)
    return agent, list(zip(said, spans))


def check_cause(t, agent, talked):
    """Whoever had to send again waited for that: 200 ms at least, what is lost once again twice as long."""
    hit = [(said["retransmits"], span["attributes"]) for said, span in talked if said["retransmits"]]
    right = [told for _, told in hit if told.get("sonde.cause") == "retransmits" and told["sonde.cause_percent"] >= 80]
    t.check(len(right) >= len(hit) - len(hit) // 100, f"{len(right)} of {len(hit)} are told rightly: {[told for told in hit if told[1] not in right][:3]}")
    t.equal(agent.scrape().total("sonde_slow_calls_total", service_name="wire-asker", cause="retransmits"), len(right), "slow calls")


def check_loss(t, spaces, count, spoil):
    agent, talked = talk(t, spaces, count, 1300 if t.guest else 6000, spoil)  # the slow ones are to be less than a hundredth
    told = [span["attributes"].get("sonde.tcp.retransmits", 0) for _, span in talked]
    t.equal(told, [said["retransmits"] for said, _ in talked], "segments sent again")
    last, before_the_first = talked[-1][0], talked[0][0]["of_connection"] - talked[0][0]["retransmits"]
    t.equal((sum(told) + before_the_first, last["of_connection"]), (last["of_host"], last["of_host"]), "segments sent again, all together")
    t.check(sum(map(bool, told)) * 20 >= count, f"the wire hardly lost anything: {told}")
    check_cause(t, agent, talked)


@test(needs=("netns", "veth", "netem"), guest=True)
def wire_that_loses(t):
    spaces = t.namespaces()
    check_loss(t, spaces, 20 if t.guest else 100, lambda: spaces.at(spaces.near, "tc", "qdisc", "add", "dev", "wire", "root", "netem", "loss", "25%"))


@test(needs=("netns", "veth", "numgen"))
def wire_that_loses_each_fourth(t):
    """The same where the kernel has no netem: the other host throws segments away."""
    spaces = t.namespaces()
    rule = "add table inet lossy; add chain inet lossy in { type filter hook input priority 0; }; add rule inet lossy in meta l4proto tcp numgen inc mod 4 0 drop"
    check_loss(t, spaces, 100, lambda: spaces.at(spaces.far, "nft", rule))


def check_round_trip(t, talked):
    slack = TICK_NS / 1e9 * (3 if t.guest else 1)
    for said, span in talked:
        told = span["attributes"]["sonde.tcp.rtt_ns"] / 1e9
        t.near(told, said["rtt_us"] / 1e6, "round trip, as the kernel says", 0.0001, 0.05)
    # The kernel smooths it, and what else the machine does makes it longer at times.
    ordered = sorted(span["attributes"]["sonde.tcp.rtt_ns"] / 1e9 for _, span in talked)
    t.near(ordered[len(ordered) // 2], DELAY_MS / 1e3, "round trip, as the wire is", slack, 0.05)
    t.check(ordered[0] >= DELAY_MS / 1e3 * 0.95, f"shorter than the wire: {ordered}")


@test(needs=("netns", "veth", "netem"), guest=True)
def wire_that_is_long(t):
    spaces = t.namespaces()
    spaces.at(spaces.near, "tc", "qdisc", "add", "dev", "wire", "root", "netem", "delay", f"{DELAY_MS}ms")
    check_round_trip(t, talk(t, spaces, 30 if t.guest else 100)[1])


@test(needs=("netns", "tun"))
def wire_that_is_long_in_user_space(t):
    """The same where the kernel has no netem; each way takes half of it."""
    spaces = t.namespaces("tun")
    spaces.delay(t.program("delay"), t.directory, DELAY_MS // 2)
    check_round_trip(t, talk(t, spaces, 100)[1])
