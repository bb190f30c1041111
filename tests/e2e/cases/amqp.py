# SPDX-License-Identifier: Apache-2.0
"""Every AMQP operation and message is counted once, under its name: against RabbitMQ's own totals and the client's count."""

import time
from collections import Counter

from sonde_test.process import wait_until
from sonde_test.runner import test

SERVER = "messaging_server_operation_duration_seconds_count"
CLIENT = "messaging_client_operation_duration_seconds_count"
PROCESS = "messaging_process_duration_seconds_count"
SENT = "messaging_client_sent_messages_total"
CONSUMED = "messaging_client_consumed_messages_total"
PUBLISHED = "messaging_server_published_messages_total"
DELIVERED = "messaging_server_delivered_messages_total"
PARTIAL = "sonde_requests_partial_total"
OUTCOMES = "sonde_parse_outcomes_total"
RINGS = ("--ring-bytes", 64 << 20)
LABELS = ("messaging_operation_name", "messaging_destination_name", "error_type")
PYTHON = "/usr/bin/python3"


def operations(metrics, service, *names):
    """{"publish q=404": count}; of several metrics together."""
    found = Counter()
    for name in names:
        for (operation, destination, error), count in metrics.by(name, *LABELS, service_name=service).items():
            found[operation + (f" {destination}" if destination else "") + (f"={error}" if error else "")] += count
    return found


def messages(metrics, service, name):
    return dict(metrics.by(name, "messaging_destination_name", service_name=service))


def compare(t, agent, server, client, want, sent, got):
    """Both sides had these operations and messages; returns the metrics."""
    read = lambda m: (operations(m, client, CLIENT, PROCESS), operations(m, server, SERVER))
    metrics = agent.settle(read, (want, want))
    t.equal(operations(metrics, client, CLIENT, PROCESS), want, f"operations of {client}")
    t.equal(operations(metrics, server, SERVER), want, f"operations of {server}")
    for name, service, count in ((SENT, client, sent), (PUBLISHED, server, sent), (CONSUMED, client, got), (DELIVERED, server, got)):
        t.equal(messages(metrics, service, name), count, f"{name} of {service}")
    for service in (server, client):
        t.equal(metrics.total(PARTIAL, service_name=service), 0, f"partial operations of {service}")
    for outcome in ("malformed", "unmatched_response", "lost", "push"):
        t.equal(metrics.total(OUTCOMES, protocol="amqp", outcome=outcome), 0, outcome)
    return metrics


ALL = """
import pika, sys
connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", int(sys.argv[1])))
a, b, c = (connection.channel() for _ in range(3))
a.exchange_declare("ex", "topic"); a.exchange_declare("other", "fanout"); a.exchange_bind("ex", "other")
a.queue_declare("q"); a.queue_bind("q", "ex", "a.#"); a.basic_qos(prefetch_count=10)
anonymous = a.queue_declare("", exclusive=True).method.queue
for i in range(30):
    a.basic_publish("ex", "a.sEcReT", b"x" * 2000)
b.confirm_delivery()
for i in range(20):
    b.basic_publish("", "q", b"y" * (i * 100))
    b.basic_publish("", anonymous, b"")
try:
    b.basic_publish("ex", "nowhere", b"z", mandatory=True)
except pika.exceptions.UnroutableError:
    pass
a.basic_publish("", "nowhere", b"z", mandatory=True)
taken = 0
for method, _, _ in a.consume("q"):
    taken += 1
    if taken % 5 == 1:
        a.basic_nack(method.delivery_tag, requeue=False)
    elif taken % 5 == 2:
        a.basic_reject(method.delivery_tag, requeue=False)
    elif taken % 5 == 0:
        a.basic_ack(method.delivery_tag, multiple=True)
    if taken == 50:
        break
a.cancel()
a.basic_publish("", "q", b"1"); a.basic_publish("", "q", b"2")
c.basic_get("q", auto_ack=True); c.basic_ack(c.basic_get("q")[0].delivery_tag); c.basic_get("q")
c.tx_select(); c.basic_publish("", "q", b"3"); c.tx_commit(); c.tx_rollback()
for channel, publishes in ((b, True), (c, False)):
    try:
        if publishes:
            channel.basic_publish("none", "x", b"lost")
        else:
            channel.queue_declare("none", passive=True)
    except pika.exceptions.ChannelClosedByBroker:
        pass
a.queue_purge("q"); a.queue_unbind("q", "ex", "a.#"); a.exchange_unbind("ex", "other"); a.queue_delete("q")
a.exchange_delete("ex"); a.exchange_delete("other")
connection.close()
"""
ALL_WANT = Counter({
    "connection.start": 1, "connection.open": 1, "channel.open": 3, "exchange.declare ex": 1, "exchange.declare other": 1,
    "exchange.bind ex": 1, "queue.declare q": 1, "queue.declare": 1, "queue.bind q": 1, "qos": 1, "confirm.select": 1,
    "publish q": 20, "publish (anonymous)": 20, "publish ex=312": 1, "consume q": 1, "process q=nack": 10, "process q=reject": 10,
    "process q": 30 + 1, "cancel": 1, "get q": 3, "tx.select": 1, "tx.commit": 1, "tx.rollback": 1, "publish none=404": 1,
    "queue.declare none=404": 1, "queue.purge q": 1, "queue.unbind q": 1, "exchange.unbind ex": 1, "queue.delete q": 1,
    "exchange.delete ex": 1, "exchange.delete other": 1, "channel.close": 1, "connection.close": 1})
ALL_SENT = {"ex": 31, "q": 20 + 3, "(anonymous)": 20, "nowhere": 1, "none": 1}
ALL_GOT = {"q": 52}

# Frames as we like: several channels, publishers that wait for many confirmations at once, writes of single bytes.
RAW = """
import pika, socket, sys, time
from pika import frame, spec
class Raw:
    def __init__(self, port, pause=0):
        self.socket, self.pause, self.buffer, self.frames = socket.create_connection(("127.0.0.1", port)), pause, b"", []
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.send(frame.ProtocolHeader().marshal())
        self.wait(spec.Connection.Start)
        self.say(0, spec.Connection.StartOk(client_properties={}, mechanism="PLAIN", response="\\0guest\\0guest", locale="en_US"))
        self.wait(spec.Connection.Tune)
        self.send(self.method(0, spec.Connection.TuneOk(64, 131072, 60)) + self.method(0, spec.Connection.Open("/")))
        self.wait(spec.Connection.OpenOk)
    def send(self, data):
        for piece in [data[i:i + 1] for i in range(len(data))] if self.pause else [data]:
            self.socket.sendall(piece)
            time.sleep(self.pause)
    def method(self, channel, method):
        return frame.Method(channel, method).marshal()
    def say(self, channel, *methods):
        self.send(b"".join(self.method(channel, method) for method in methods))
    def message(self, channel, exchange, key, body):
        return (self.method(channel, spec.Basic.Publish(exchange=exchange, routing_key=key)) +
                frame.Header(channel, len(body), pika.BasicProperties()).marshal() +
                b"".join(frame.Body(channel, body[i:i + 131000]).marshal() for i in range(0, len(body), 131000)))
    def read(self):
        while True:
            used, found = frame.decode_frame(self.buffer)
            if found:
                self.buffer = self.buffer[used:]
                return found
            more = self.socket.recv(1 if self.pause else 65536)
            if not more:
                raise SystemExit("closed")
            self.buffer += more
    def wait(self, kind, channel=None):
        while True:
            found = self.read()
            if isinstance(found, frame.Method) and isinstance(found.method, kind) and channel in (None, found.channel_number):
                return found.method
    def call(self, channel, method, answer):
        self.say(channel, method)
        return self.wait(answer, channel)
    def open(self, channel):
        self.call(channel, spec.Channel.Open(), spec.Channel.OpenOk)
    def close(self):
        self.call(0, spec.Connection.Close(200, "", 0, 0), spec.Connection.CloseOk)
"""

# 32 confirmations awaited at a time on each of two channels; what is consumed is settled 10 at a time.
LOAD = RAW + """
port, count, queue = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
raw = Raw(port)
for channel in (1, 2, 3):
    raw.open(channel)
raw.call(3, spec.Queue.Declare(queue=queue), spec.Queue.DeclareOk)
for channel in (1, 2):
    raw.call(channel, spec.Confirm.Select(), spec.Confirm.SelectOk)
for first in range(0, count // 2, 32):
    many = min(32, count // 2 - first)
    raw.send(b"".join(raw.message(channel, "", queue, b"m" * (i % 50 * 20)) for i in range(many) for channel in (1, 2)))
    waiting = {1: set(range(first + 1, first + many + 1)), 2: set(range(first + 1, first + many + 1))}
    while waiting[1] or waiting[2]:
        got = raw.read()
        if isinstance(got, frame.Method) and isinstance(got.method, spec.Basic.Ack):
            left = waiting[got.channel_number]
            tag = got.method.delivery_tag
            waiting[got.channel_number] = {x for x in left if x > tag} if got.method.multiple else left - {tag}
raw.call(3, spec.Basic.Qos(0, 100, False), spec.Basic.QosOk)
raw.call(3, spec.Basic.Consume(queue=queue, consumer_tag="c"), spec.Basic.ConsumeOk)
for taken in range(1, count + 1):
    tag = raw.wait(spec.Basic.Deliver, 3).delivery_tag
    if taken % 10 == 0 or taken == count:
        raw.say(3, spec.Basic.Ack(tag, multiple=True))
raw.call(3, spec.Channel.Close(200, "", 0, 0), spec.Channel.CloseOk)
raw.close()
"""


def load_want(count, queue):
    return Counter({"connection.start": 1, "connection.open": 1, "channel.open": 3, f"queue.declare {queue}": 1, "confirm.select": 2,
                    f"publish {queue}": count, "qos": 1, f"consume {queue}": 1, f"process {queue}": count, "channel.close": 1,
                    "connection.close": 1})


SPLIT = RAW + """
port, pause = int(sys.argv[1]), float(sys.argv[2])
raw = Raw(port, pause)
raw.open(1)
raw.call(1, spec.Queue.Declare(queue="split"), spec.Queue.DeclareOk)
raw.call(1, spec.Confirm.Select(), spec.Confirm.SelectOk)
raw.send(raw.message(1, "", "split", b"hello") + raw.message(1, "", "split", b"") + frame.Heartbeat().marshal())
got = 0
while got < 2:
    ack = raw.wait(spec.Basic.Ack)
    got = ack.delivery_tag if ack.multiple else got + 1
raw.call(1, spec.Basic.Consume(queue="split"), spec.Basic.ConsumeOk)
for _ in range(2):
    raw.say(1, spec.Basic.Ack(raw.wait(spec.Basic.Deliver).delivery_tag))
raw.close()
"""
SPLIT_WANT = Counter({"connection.start": 1, "connection.open": 1, "channel.open": 1, "queue.declare split": 1, "confirm.select": 1,
                      "publish split": 2, "consume split": 1, "process split": 2, "connection.close": 1})


# Bodies of a mebibyte among short ones, several in one call of the broker; published with and without confirmations.
LONG = RAW + """
raw, count = Raw(int(sys.argv[1])), int(sys.argv[2])
for channel in (1, 2, 3):
    raw.open(channel)
raw.call(3, spec.Queue.Declare(queue="long"), spec.Queue.DeclareOk)
raw.call(1, spec.Confirm.Select(), spec.Confirm.SelectOk)
raw.call(3, spec.Basic.Consume(queue="long", consumer_tag="c"), spec.Basic.ConsumeOk)
for i in range(count):
    raw.send(raw.message(1, "", "long", b"\\xce" * (1 << 20)) + raw.message(2, "", "long", b"s" * 300) +
             raw.message(2, "", "long", b"\\1" * 150000) + raw.message(1, "", "long", b""))
    acked, taken = 0, 0
    while acked < 2 * i + 2 or taken < 4:
        method = getattr(raw.read(), "method", None)
        if isinstance(method, spec.Basic.Ack):
            acked = max(acked, method.delivery_tag)
        elif isinstance(method, spec.Basic.Deliver):
            taken += 1
            raw.say(3, spec.Basic.Ack(method.delivery_tag))
raw.close()
"""


def long_want(count):
    return Counter({"connection.start": 1, "connection.open": 1, "channel.open": 3, "queue.declare long": 1, "confirm.select": 1,
                    "publish long": 2 * count, "consume long": 1, "process long": 4 * count, "connection.close": 1})


@test(needs=("rabbitmq-server", "pika"))
def amqp_exact(t):
    """All operations, errors among them; then many messages; then single bytes; then long messages. One broker, as it starts slowly."""
    agent = t.agent(*RINGS)
    rabbit = t.rabbitmq(service="broker")
    run = lambda service, script, *args: t.spawn(PYTHON, "-c", script, rabbit.port, *args, service=service).wait(60 * t.patience)
    before = rabbit.totals()
    run("all", ALL)
    metrics = compare(t, agent, "broker", "all", ALL_WANT, ALL_SENT, ALL_GOT)
    grown = rabbit.totals() - before
    t.equal(grown["received"], sum(ALL_SENT.values()), "the witness: messages published")
    t.equal(grown["confirmed"], 41, "the witness: confirmed")
    t.equal(grown["unroutable_returned"], 2, "the witness: returned")
    t.equal(grown["delivered"], ALL_GOT["q"], "the witness: delivered")
    t.equal(metrics.total(OUTCOMES, protocol="amqp", outcome="returned"), 2 * 2, "returned, on both sides")
    t.check("sEcReT" not in metrics.text, "a routing key left the machine")

    t.where, done, seen = "load: ", rabbit.totals(), operations(metrics, "broker", SERVER)
    run("load", LOAD, 10000, "many")
    grown = rabbit.totals() - done
    for name in ("received", "confirmed", "delivered", "acknowledged"):
        t.equal(grown[name], 10000, f"the witness: {name}")
    want = seen + load_want(10000, "many")
    metrics = agent.settle(lambda m: operations(m, "broker", SERVER), want)
    t.equal(operations(metrics, "load", CLIENT, PROCESS), load_want(10000, "many"), "operations of the client")
    t.equal(operations(metrics, "broker", SERVER), want, "operations of the broker")
    for name, service in ((SENT, "load"), (CONSUMED, "load")):
        t.equal(messages(metrics, service, name), {"many": 10000}, name)
    for name in (PUBLISHED, DELIVERED):
        t.equal(messages(metrics, "broker", name)["many"], 10000, name)

    t.where = "split: "
    for service, pause in (("whole", 0), ("bytes", 0.0002)):
        run(service, SPLIT, pause)
    want += SPLIT_WANT + SPLIT_WANT
    metrics = agent.settle(lambda m: operations(m, "broker", SERVER), want)
    for service in ("whole", "bytes"):
        t.equal(operations(metrics, service, CLIENT, PROCESS), SPLIT_WANT, f"operations of {service}")
    t.equal(operations(metrics, "broker", SERVER), want, "operations of the broker")

    t.where, done = "long: ", rabbit.totals()
    run("long", LONG, 8)
    grown = rabbit.totals() - done
    t.equal((grown["received"], grown["confirmed"], grown["delivered"]), (32, 16, 32), "the witness")
    want += long_want(8)
    metrics = agent.settle(lambda m: operations(m, "broker", SERVER), want)
    t.equal(operations(metrics, "long", CLIENT, PROCESS), long_want(8), "operations of the client")
    t.equal(operations(metrics, "broker", SERVER), want, "operations of the broker")
    for name, service in ((SENT, "long"), (CONSUMED, "long"), (PUBLISHED, "broker"), (DELIVERED, "broker")):
        t.equal(messages(metrics, service, name)["long"], 32, name)

    t.where = ""
    t.equal(metrics.total(PARTIAL, protocol="amqp"), 0, "partial operations")
    t.equal(metrics.total(OUTCOMES, protocol="amqp", outcome="malformed"), 0, "malformed")
    t.nothing_lost(agent)


# Until the word to stop: publishes with confirmations, consumes, and calls.
ENDLESS = RAW + """
raw = Raw(int(sys.argv[1]))
for channel in (1, 2):
    raw.open(channel)
raw.call(2, spec.Queue.Declare(queue="endless"), spec.Queue.DeclareOk)
raw.call(1, spec.Confirm.Select(), spec.Confirm.SelectOk)
raw.call(2, spec.Basic.Consume(queue="endless", consumer_tag="c"), spec.Basic.ConsumeOk)
print("ready 0", flush=True)
while True:
    raw.send(raw.message(1, "", "endless", b"x" * 3000))
    raw.say(2, spec.Basic.Ack(raw.wait(spec.Basic.Deliver).delivery_tag))
    raw.call(2, spec.Queue.Declare(queue="endless"), spec.Queue.DeclareOk)
"""


@test(needs=("rabbitmq-server", "pika"))
def amqp_agent_starts_in_the_middle(t):
    """Of older channels messages, calls and settlements are known, confirmations are partial; of new ones everything is."""
    rabbit = t.rabbitmq(service="middle")
    run = t.spawn(PYTHON, "-c", ENDLESS, rabbit.port, service="endless")
    run.wait_line("ready ")
    wait_until(lambda: rabbit.totals()["received"] > 200, 30 * t.patience)
    agent = t.agent(*RINGS)
    wait_until(lambda: sum(messages(agent.scrape(), "endless", SENT).values()) > 500, 20 * t.patience)
    run.stop()
    time.sleep(0.5)
    metrics = agent.scrape()
    t.check(sum(messages(metrics, "endless", SENT).values()) > 500, "messages of the client")
    for service, names in (("endless", (CLIENT, PROCESS)), ("middle", (SERVER,))):
        found = operations(metrics, service, *names)
        # Its consumer is older than sonde: what is delivered is named by where it was published.
        known = {"queue.declare endless", "process endless", "queue.declare endless=no_response"}
        t.equal(set(found) - known, set(), f"operations of {service} that were not")
        t.check(found["queue.declare endless"] > 100 and found["process endless"] > 100, f"operations of {service}: {found}")
        confirmed = metrics.total(PARTIAL, service_name=service)
        t.check(confirmed > 100, f"confirmations of {service}: {confirmed}")
    t.equal(metrics.total(OUTCOMES, protocol="amqp", outcome="malformed"), 0, "malformed")
    before, seen = rabbit.totals(), operations(metrics, "middle", SERVER)
    partial = metrics.total(PARTIAL, service_name="middle")
    t.spawn(PYTHON, "-c", LOAD, rabbit.port, 2000, "later", service="later").wait(60 * t.patience)
    want = load_want(2000, "later")
    t.equal((rabbit.totals() - before)["acknowledged"], 2000, "the witness")
    metrics = agent.settle(lambda m: operations(m, "middle", SERVER) - seen, want)
    t.equal(operations(metrics, "later", CLIENT, PROCESS), want, "operations afterwards, of the client")
    t.equal(operations(metrics, "middle", SERVER) - seen, want, "operations afterwards, of the broker")
    t.equal(metrics.total(PARTIAL, service_name="later"), 0, "partial operations of the client")
    t.equal(metrics.total(PARTIAL, service_name="middle"), partial, "partial operations of the broker afterwards")
