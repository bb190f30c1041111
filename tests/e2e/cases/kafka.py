# SPDX-License-Identifier: Apache-2.0
"""Every Kafka request is counted, once, under its name, on both sides, and every message: against the broker's own metrics and the
clients' statistics."""


import socket
import struct
import time
from collections import Counter


from sonde_test.runner import test

SERVER = "messaging_server_operation_duration_seconds_count"
CLIENT = "messaging_client_operation_duration_seconds_count"
SENT = "messaging_client_sent_messages_total"
CONSUMED = "messaging_client_consumed_messages_total"
PUBLISHED = "messaging_server_published_messages_total"
DELIVERED = "messaging_server_delivered_messages_total"
PARTIAL = "sonde_requests_partial_total"
OUTCOMES = "sonde_parse_outcomes_total"
RINGS = ("--ring-bytes", 64 << 20, "--series", 20000)  # so many that other processes of the machine crowd nobody out
BROKERS_OWN = {"BrokerHeartbeat", "BrokerRegistration", "ControllerRegistration", "AllocateProducerIds", "Envelope", "CreateTopics"}


def others(counts):
    """Without what the broker says to itself, some of it by the clock."""
    return Counter({name: count for name, count in counts.items() if name not in BROKERS_OWN})


def by_operation(metrics, name, *services):
    """An answer to Fetch that brings nothing has a name of its own."""
    found = Counter()
    for service in services:
        found.update(metrics.by(name, "messaging_operation_name", service_name=service))
    found["Fetch"] += found.pop("Fetch_empty", 0)
    return others(+found)


def errors(metrics, service):
    found = Counter()
    for sample in metrics.by_name.get(SERVER, ()):
        if sample.labels["service_name"] == service and sample.labels.get("error_type"):
            found[(sample.labels["messaging_operation_name"], sample.labels["error_type"])] += sample.value
    return found


def messages(metrics, name, service):
    return metrics.by(name, "messaging_destination_name", service_name=service)


RDKAFKA = """
import json, sys, time
from confluent_kafka import Consumer, Producer, TopicPartition
port, count = sys.argv[1], int(sys.argv[2])
common = {"bootstrap.servers": "127.0.0.1:" + port, "statistics.interval.ms": 200}
newest = {}
def statistics(name):
    def take(text):
        newest[name] = json.loads(text)
    return take
producer = Producer({**common, "batch.num.messages": 1, "linger.ms": 0, "max.in.flight": 1000, "stats_cb": statistics("producer")})
producer.produce("pipelined", b"first")
producer.flush()
time.sleep(0.2)
for i in range(count - 1):
    producer.produce("pipelined", b"message %d" % i)
    if i % 1000 == 0:
        producer.poll(0)
producer.flush()
time.sleep(0.3)
producer.poll(0.5)
consumer = Consumer({**common, "group.id": "readers", "auto.offset.reset": "earliest", "enable.auto.commit": False,
                     "fetch.wait.max.ms": 100, "socket.receive.buffer.bytes": 50000, "stats_cb": statistics("consumer")})
consumer.subscribe(["pipelined"])
consumed = 0
while consumed < count:
    message = consumer.poll(10)
    assert message and not message.error(), message and message.error()
    consumed += 1
consumer.commit(asynchronous=False)
end = consumer.get_watermark_offsets(TopicPartition("pipelined", 0))[1]
consumer.pause(consumer.assignment())
time.sleep(0.4)
consumer.poll(0.4)
consumer.close()
requests = {name: {} for name in newest}
for name, figures in newest.items():
    for broker in figures["brokers"].values():
        for request, number in broker["req"].items():
            requests[name][request] = requests[name].get(request, 0) + number
print(json.dumps({"requests": requests, "end": end, "consumed": consumed}))
"""

PYTHON = """
import sys
import time
from kafka import KafkaConsumer, KafkaProducer, TopicPartition, errors
servers = "127.0.0.1:" + sys.argv[1]
producer = KafkaProducer(bootstrap_servers=servers, acks=1, max_request_size=4000000)
for i in range(300):
    producer.send("python", b"message %d" % i, headers=[("key", b"value")]).get(10)
for i in range(3):
    try:
        producer.send("python", bytes(2000000)).get(10)
    except errors.MessageSizeTooLargeError:
        continue
    raise AssertionError("taken")
producer.close()
producer = KafkaProducer(bootstrap_servers=servers, acks=0)
for i in range(7):
    producer.send("python", b"message %d" % i).get(10)
producer.close()
consumer = KafkaConsumer(bootstrap_servers=servers, fetch_max_wait_ms=100, group_id=None)
partition = TopicPartition("python", 0)
consumer.assign([partition])
consumer.seek_to_beginning(partition)
consumer.position(partition)
time.sleep(0.2)  # the kernel side knows by then what this connection speaks
consumed = 0
while consumed < 307:
    consumed += sum(map(len, consumer.poll(10000).values()))
consumer.pause(*consumer.assignment())
consumer.poll(400)
consumer.close()
"""


def crc32c(data):
    value = 0xffffffff
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82f63b78 if value & 1 else 0)
    return value ^ 0xffffffff


def text(name):
    return struct.pack(">h", len(name)) + name


def batch(values):
    records = b""
    for i, value in enumerate(values):
        record = bytes([0, 0, 2 * i, 1, 2 * len(value)]) + value + b"\0"
        records += bytes([2 * len(record)]) + record
    rest = struct.pack(">hiqqqhii", 0, len(values) - 1, 0, 0, -1, -1, -1, len(values)) + records
    return struct.pack(">qiibI", 0, len(rest) + 9, 0, 2, crc32c(rest)) + rest


def topic(name, partition):
    return struct.pack(">i", 1) + text(name) + struct.pack(">ii", 1, 0) + partition


PRODUCED = [b"one", b"two", b"three"]
TALK = [  # API, version, body
    (18, 0, b""),
    (3, 1, struct.pack(">i", 1) + text(b"bytes")),
    (0, 3, struct.pack(">hhi", -1, -1, 9000) + topic(b"bytes", struct.pack(">i", len(batch(PRODUCED))) + batch(PRODUCED))),
    (2, 1, struct.pack(">i", -1) + topic(b"bytes", struct.pack(">q", -1))),
    (1, 4, struct.pack(">iiiib", -1, 100, 1, 1 << 20, 0) + topic(b"bytes", struct.pack(">qi", 0, 1 << 20))),
    (1, 4, struct.pack(">iiiib", -1, 100, 1, 1 << 20, 0) + topic(b"bytes", struct.pack(">qi", 3, 1 << 20))),
    (12, 0, text(b"nobodys") + struct.pack(">i", 1) + text(b"member")),
]


def receive(connection, length, piece):
    received = b""
    while len(received) < length:
        more = connection.recv(min(piece, length - len(received)))
        if not more:
            raise AssertionError("closed")
        received += more
    return received


def talk(port, requests, piece):
    """One after the other, in writes and reads of so many bytes."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(20)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number, (api, version, body) in enumerate(requests):
            message = struct.pack(">hhi", api, version, number) + text(b"tests") + body
            message = struct.pack(">i", len(message)) + message
            for at in range(0, len(message), piece):
                connection.sendall(message[at:at + piece])
            size, = struct.unpack(">i", receive(connection, 4, piece))
            receive(connection, size, piece)


@test(needs=("java", "confluent_kafka", "kafka-python"))
def kafka_counts_exact(t):
    """Pipelines, old and new clients, requests in single bytes, errors, what nothing answers."""
    agent = t.agent(*RINGS)
    kafka = t.kafka(service="broker")
    rdkafka = t.spawn("/usr/bin/python3", "-c", RDKAFKA, kafka.port, 12000, service="rdkafka").result(120 * t.patience)
    t.spawn("/usr/bin/python3", "-c", PYTHON, kafka.port, service="python").wait(60 * t.patience)
    before = by_operation(agent.scrape(), SERVER, "broker")
    talk(kafka.port, TALK[:2], 1 << 20)  # makes the topic
    time.sleep(0.5)
    for piece in (1 << 20, 1):
        talk(kafka.port, TALK, piece)
    want, wrong = kafka.counts()
    want = others(want)
    want["Produce"] -= 7  # which nothing answers
    metrics = agent.settle(lambda m: by_operation(m, SERVER, "broker"), want)
    t.equal(by_operation(metrics, SERVER, "broker"), want, "requests that the broker served")
    t.equal(errors(metrics, "broker"), Counter({error: count for error, count in wrong.items() if error[0] not in BROKERS_OWN}),
            "errors that it answered")
    t.check(errors(metrics, "broker")[("Produce", "MESSAGE_TOO_LARGE")] == 3, "the messages that were too large")
    t.equal(want - before, Counter({"ApiVersions": 3, "Metadata": 3, "Produce": 2, "ListOffsets": 2, "Fetch": 4, "Heartbeat": 2}),
            "whole, and in single bytes")
    for name in ("Produce", "Fetch", "ListOffsets", "OffsetCommit", "JoinGroup"):
        told = sum(requests.get(name, 0) for requests in rdkafka["requests"].values())
        t.equal(by_operation(metrics, CLIENT, "rdkafka")[name], told, f"{name} by librdkafka's statistics")
    t.equal(rdkafka["end"], 12000, "the witness: offset at the end of the topic")
    t.equal(messages(metrics, SENT, "rdkafka"), {"pipelined": 12000}, "messages sent by librdkafka")
    t.equal(messages(metrics, CONSUMED, "rdkafka"), {"pipelined": 12000}, "messages consumed by librdkafka")
    t.equal(messages(metrics, SENT, "python"), {"python": 303}, "messages sent by kafka-python")
    t.equal(messages(metrics, CONSUMED, "python"), {"python": 307}, "messages consumed by kafka-python")
    t.equal(messages(metrics, PUBLISHED, "broker"), {"pipelined": 12000, "python": 303, "bytes": 2 * len(PRODUCED)},
            "messages published at the broker")
    t.equal(messages(metrics, DELIVERED, "broker"), {}, "what the broker sends unread")
    t.equal(metrics.total(OUTCOMES, protocol="kafka", outcome="one_way"), 2 * 7, "requests that nothing answers, of both sides")
    for service in ("broker", "rdkafka", "python"):
        t.equal(metrics.total(PARTIAL, service_name=service), 0, f"partial requests of {service}")
    for outcome in ("malformed", "unmatched_response", "lost", "version_unknown", "destination_unknown"):
        t.equal(metrics.total(OUTCOMES, protocol="kafka", outcome=outcome), 0, outcome)
    java_exact(t, agent, kafka, metrics)
    t.nothing_lost(agent)


def java_exact(t, agent, kafka, before):
    """Its newest clients name topics by ids. A Fetch is under way when the consumer closes: those are not compared."""
    server = f"127.0.0.1:{kafka.port}"
    t.spawn(*kafka.java("org.apache.kafka.tools.ProducerPerformance", "--topic", "java", "--num-records", 3000, "--record-size", 100,
                        "--throughput", -1, "--producer-props", f"bootstrap.servers={server}", "batch.size=400"),
            service="java-producer").wait(60 * t.patience)
    t.spawn(*kafka.java("org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", server, "--topic", "java",
                        "--from-beginning", "--max-messages", 3000, "--group", "java-readers"),
            service="java-consumer").wait(60 * t.patience)
    want = others(kafka.counts()[0])
    want["Produce"] -= 7
    del want["Fetch"]
    seen = lambda m: Counter({name: count for name, count in by_operation(m, SERVER, "broker").items() if name != "Fetch"})
    metrics = agent.settle(seen, want)
    t.equal(seen(metrics), want, "requests that the broker served, with those of Java's clients")
    produced = want["Produce"] - by_operation(before, SERVER, "broker")["Produce"]
    t.equal(by_operation(metrics, CLIENT, "java-producer")["Produce"], produced, "Produce of Java's producer")
    t.equal(messages(metrics, SENT, "java-producer"), {"java": 3000}, "messages sent by Java's producer")
    t.equal(messages(metrics, CONSUMED, "java-consumer"), {"java": 3000}, "messages consumed by Java's consumer")
    groups = metrics.by(CLIENT, "messaging_consumer_group_name", service_name="java-consumer", messaging_operation_name="JoinGroup")
    t.equal(set(groups), {"java-readers"}, "the consumer's group")


LOAD = """
import socket, struct, sys, threading
def run():
    connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    answers = connection.makefile("rb")
    group = b"\\0\\5group" + bytes(4) + b"\\0\\6member"
    ask = lambda number: connection.sendall(struct.pack(">ihhih", 15 + len(group), 12, 0, number, 5) + b"tests" + group)
    count = int(sys.argv[2])
    for number in range(5):
        ask(number)
    for number in range(count):
        size, correlation = struct.unpack(">ii", answers.read(8))
        assert correlation == number
        answers.read(size - 4)
        if number + 5 < count:
            ask(number + 5)
for thread in [threading.Thread(target=run) for _ in range(8)]:
    thread.start()
"""


@test(needs=("java",))
def kafka_agent_starts_in_the_middle(t):
    """Five requests are always under way. Those from before count as partial; what begins afterwards is exact."""
    kafka = t.kafka(service="middle")
    run = t.spawn("/usr/bin/python3", "-c", LOAD, kafka.port, 1000000, service="middle-client")
    time.sleep(2)
    agent = t.agent(*RINGS)
    time.sleep(1)
    run.stop()
    time.sleep(0.5)
    metrics = agent.scrape()
    for side, service in ((SERVER, "middle"), (CLIENT, "middle-client")):
        t.check(by_operation(metrics, side, service)["Heartbeat"] > 100, f"{service}: nothing was understood")
        t.equal(set(by_operation(metrics, side, service)), {"Heartbeat"}, f"{service}: operations")
        t.check(metrics.total(PARTIAL, service_name=service) <= 8 * 6, f"{service}: too many partial operations: "
                f"{metrics.total(PARTIAL, service_name=service)}")
    t.equal(metrics.total(OUTCOMES, protocol="kafka", outcome="malformed"), 0, "malformed")
    before, seen = kafka.counts()[0]["Heartbeat"], by_operation(metrics, SERVER, "middle")["Heartbeat"]
    t.spawn("/usr/bin/python3", "-c", LOAD, kafka.port, 500, service="later").wait(60 * t.patience)
    want = kafka.counts()[0]["Heartbeat"] - before
    t.equal(want, 8 * 500, "the witness")
    metrics = agent.settle(lambda m: by_operation(m, CLIENT, "later")["Heartbeat"], want)
    t.equal(by_operation(metrics, CLIENT, "later"), Counter({"Heartbeat": want}), "client operations afterwards")
    t.equal(by_operation(metrics, SERVER, "middle")["Heartbeat"] - seen, want, "server operations afterwards")
