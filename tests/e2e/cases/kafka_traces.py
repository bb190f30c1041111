# SPDX-License-Identifier: Apache-2.0
"""Contexts in the headers of Kafka's records: what is produced with one is its child, what brings several has links to them. The
witness is OpenTelemetry's SDK, whose spans the producer puts into the records, and tells."""

import json
import os
from collections import Counter

from sonde_test import pypi
from sonde_test.otelcol import read_spans
from sonde_test.process import wait_until
from sonde_test.runner import test

SERVER, CLIENT, PRODUCER = 2, 3, 4
RINGS = ("--ring-bytes", 64 << 20)
OUTCOMES = "sonde_parse_outcomes_total"
IGNORED = "sonde_trace_headers_ignored_total"
DROPPED = "sonde_span_links_dropped_total"

PRODUCE = """
import json, sys
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
port, plan = sys.argv[1], json.loads(sys.argv[2])
tracer = TracerProvider().get_tracer("producer")
sent = {}
admin = AdminClient({"bootstrap.servers": "127.0.0.1:" + port})
made = admin.create_topics([NewTopic(topic, 1, 1) for topic, _, _ in plan])
for topic in made.values():
    topic.result(20)
def headers(how):
    with tracer.start_as_current_span("publish", kind=trace.SpanKind.PRODUCER) as span:
        ids = span.get_span_context()
        ids = f"{ids.trace_id:032x}", f"{ids.span_id:016x}"
        if how == "traceparent":
            carrier = {"key": "value"}
            TraceContextTextMapPropagator().inject(carrier)
            return list(carrier.items()), ids
    if how == "b3":
        return [("b3", "-".join(ids) + "-1")], ids
    if how == "uber-trace-id":
        return [("other", None), ("uber-trace-id", ":".join(ids) + ":0:1")], ids
    return ([("traceparent", "00-nonsense")] if how == "malformed" else []), None
for topic, settings, parts in plan:
    producer = Producer({"bootstrap.servers": "127.0.0.1:" + port, "linger.ms": 10000, **settings})
    sent[topic] = []
    for how, count, size in parts:
        for i in range(count):
            fields, ids = headers(how)
            producer.produce(topic, bytes(size), headers=fields)
            sent[topic].append(ids)
    producer.flush()
print(json.dumps(sent))
"""

CONSUME = """
import json, sys
from confluent_kafka import Consumer
consumer = Consumer({"bootstrap.servers": "127.0.0.1:" + sys.argv[1], "group.id": "readers", "auto.offset.reset": "earliest",
                     "enable.auto.commit": False, "fetch.wait.max.ms": 100, **json.loads(sys.argv[4])})
consumer.subscribe(sys.argv[2].split(","))
for _ in range(int(sys.argv[3])):
    message = consumer.poll(10)
    assert message and not message.error(), message and message.error()
consumer.pause(consumer.assignment())
consumer.poll(0.4)
consumer.close()
"""


ALONE = {"batch.num.messages": 1, "linger.ms": 0}
PLAN = [  # topic, the producer's settings, what its records carry, how many, their size
    ("alone", ALONE, [("traceparent", 2000, 20), ("b3", 50, 20), ("uber-trace-id", 50, 20), ("none", 50, 20), ("traceparent", 20, 50000)]),
    ("malformed", ALONE, [("malformed", 50, 20)]),
    ("many", {"batch.num.messages": 20}, [("traceparent", 1000, 20)]),
    ("too-many", {"batch.num.messages": 250}, [("traceparent", 500, 20)]),
]
LINKS_MAX = 32
COUNT = "messaging.batch.message_count"


def of(spans, service, name):
    return [span for span in spans if span["resource"]["service.name"] == f"trace-{service}" and span["name"] == name]


def links(span):
    return [(link["traceId"], link["spanId"]) for link in span.get("links", ())]


def all_links(spans):
    return Counter(link for span in spans for link in links(span))


def parents(spans):
    """Of those that are children of whom their records name."""
    return Counter((span["traceId"], span["parentSpanId"]) for span in spans if span["attributes"]["sonde.join"] == "header")


def dropped(spans):
    return sum(span.get("droppedLinksCount", 0) for span in spans)


def contexts(spans):
    return sum(len(links(span)) + (span["attributes"]["sonde.join"] == "header") for span in spans) + dropped(spans)


def carried(sent, topic):
    return len([ids for ids in sent[topic] if ids])


def collect(t, file, sent):
    """All spans, once they have that many contexts; the reader reads one topic."""
    named = sum(carried(sent, topic) for topic in sent)

    def all_of():
        spans = read_spans(file)
        told = [contexts(taken([span for topic in sent for span in of(spans, service, f"Produce {topic}")]))
                for service in ("producer", "broker")]
        told.append(contexts(of(spans, "reader", "Fetch alone")) + named - carried(sent, "alone"))
        return spans if min(told) >= named else None
    return wait_until(all_of, 20 * t.patience, every=0.3) or read_spans(file)


def taken(spans):
    """Without those that the broker refuses as the topic is new: what they carry is sent again."""
    return [span for span in spans if "error.type" not in span["attributes"]]


def check_produced(t, spans, sent):
    for service, kind in (("producer", PRODUCER), ("broker", SERVER)):
        for topic, settings, _ in PLAN:
            about, count, want = f"{service}: {topic}", len(sent[topic]), Counter(ids for ids in sent[topic] if ids)
            told = taken(of(spans, service, f"Produce {topic}"))
            several = [span for span in told if COUNT in span["attributes"]]  # the first record may be sent alone
            t.equal(({span["kind"] for span in told}, {span["flags"] & 1 for span in told}), ({kind}, {1}), f"{about}: kind, sampled")
            if settings == ALONE:
                t.equal((len(told), parents(told), contexts(told)), (count, want, len(want)), f"{about}: spans and their parents")
            else:
                t.equal(parents(several), Counter(), f"{about}: no one of several records is the parent")
            if topic == "many":
                t.equal((all_links(told) + parents(told), dropped(told)), (want, 0), f"{about}: links")
            if topic == "too-many":
                t.equal(contexts(told), count, f"{about}: links and what has no room")
                room = Counter(min(span["attributes"][COUNT], LINKS_MAX) for span in several)
                t.equal((all_links(told) - want, Counter(len(links(span)) for span in several)), (Counter(), room), f"{about}: links")


@test(needs=("java", "confluent_kafka", "opentelemetry-sdk"))
def kafka_records_name_their_traces(t):
    """Each span's parent, or links, are those that the records carry; what cannot be read or has no room is counted."""
    file = os.path.join(t.directory, "spans.ndjson")
    agent = t.agent("--spans-ndjson", file, "--only", "service=trace-*", *RINGS)
    kafka = t.kafka(service="trace-broker")
    sent = t.spawn("/usr/bin/python3", "-c", PRODUCE, kafka.port, json.dumps(PLAN), service="trace-producer",
                   env={"PYTHONPATH": pypi.OPENTELEMETRY}).result(120 * t.patience)
    sent = {topic: [ids and tuple(ids) for ids in of_topic] for topic, of_topic in sent.items()}
    # So little at a time that a span has room for all links.
    t.spawn("/usr/bin/python3", "-c", CONSUME, kafka.port, "alone", len(sent["alone"]), json.dumps({"max.partition.fetch.bytes": 4000}),
            service="trace-reader").wait(60 * t.patience)
    spans = collect(t, file, sent)
    check_produced(t, spans, sent)
    read = of(spans, "reader", "Fetch alone")
    t.equal((all_links(read), dropped(read)), (Counter(ids for ids in sent["alone"] if ids), 0), "links of what fetched the records")
    t.equal(({span["kind"] for span in read}, parents(read)), ({CLIENT}, Counter()), "which are no parents of it")
    metrics = agent.scrape()
    t.equal(metrics.total(DROPPED), dropped(spans), "links without room")
    both = lambda topic: len(of(spans, "producer", f"Produce {topic}") + of(spans, "broker", f"Produce {topic}"))
    t.equal(metrics.total(IGNORED, format="traceparent"), both("malformed"), "malformed values, seen by both sides")
    t.equal(metrics.total(OUTCOMES, protocol="kafka", outcome="record_headers_unseen"), 0, "records not seen whole")
    t.nothing_lost(agent)


CODECS = ("gzip", "snappy", "lz4", "zstd")
COMPRESSED = [(f"rdkafka-{codec}", {"compression.type": codec, "batch.num.messages": 10}, [("traceparent", 200, 20)]) for codec in CODECS]
# More than sonde unpacks of so few bytes; their values come first, their headers then.
TOO_LARGE = ("too-large", {"compression.type": "gzip", **ALONE}, [("traceparent", 3, 900000)])
LITTLE = {"max.partition.fetch.bytes": 1000, "fetch.max.bytes": 1000}  # at a time, so that a span has room for all links
JAVA_COUNT = 100
READERS = ("reader", "java-reader")


def produce_with_java(t, kafka, codec):
    """Returns what its records name. They are lines: headers, a tab, a value."""
    named = [(os.urandom(16).hex(), os.urandom(8).hex()) for _ in range(JAVA_COUNT)]
    java = t.spawn(*kafka.java("org.apache.kafka.tools.ConsoleProducer", "--bootstrap-server", f"127.0.0.1:{kafka.port}",
                               "--topic", f"java-{codec}", "--compression-codec", codec, "--timeout", 10000,
                               "--producer-property", "batch.size=500", "--property", "parse.headers=true"),
                   service="trace-java-producer", stdin=True)
    java.popen.stdin.write("".join(f"traceparent:00-{trace}-{span}-01\tvalue\n" for trace, span in named).encode())
    java.popen.stdin.close()
    java.wait(60 * t.patience)
    return named


def consume(t, kafka, sent):
    """Each client reads what the other one wrote, too."""
    def of_topics(start):
        return sorted(topic for topic in sent if topic.startswith(start))
    topics, count = of_topics("rdkafka-") + of_topics("java-"), sum(map(len, sent.values()))
    t.spawn("/usr/bin/python3", "-c", CONSUME, kafka.port, ",".join(topics), count, json.dumps({**LITTLE, "message.max.bytes": 1000}),
            service="trace-reader").wait(60 * t.patience)
    t.spawn(*kafka.java("org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", f"127.0.0.1:{kafka.port}",
                        "--include", "(rdkafka|java)-.*", "--from-beginning", "--max-messages", count,
                        *(f"--consumer-property={name}={value}" for name, value in LITTLE.items())),
            service="trace-java-reader").wait(60 * t.patience)


def fetches(spans, reader, topics):
    return [span for topic in topics for span in of(spans, reader, f"Fetch {topic}")]


@test(needs=("java", "confluent_kafka", "opentelemetry-sdk"))
def kafka_compressed_records_name_their_traces(t):
    """By both families of clients, whose framings of snappy differ, and of each codec; and of the broker, who sees both."""
    file = os.path.join(t.directory, "spans.ndjson")
    agent = t.agent("--spans-ndjson", file, "--only", "service=trace-*", *RINGS)
    kafka = t.kafka(service="trace-broker")
    plan = [*COMPRESSED, TOO_LARGE, *((f"java-{codec}", {}, []) for codec in CODECS)]
    sent = t.spawn("/usr/bin/python3", "-c", PRODUCE, kafka.port, json.dumps(plan), service="trace-producer",
                   env={"PYTHONPATH": pypi.OPENTELEMETRY}).result(120 * t.patience)
    large = len(sent.pop("too-large"))
    sent = {topic: [tuple(ids) for ids in of_topic] for topic, of_topic in sent.items()}
    for codec in CODECS:
        sent[f"java-{codec}"] = produce_with_java(t, kafka, codec)
    consume(t, kafka, sent)
    # A client leaves a batch as it is that does not shrink, as one of a single record.
    kept = {topic: codecs - {"none"} for topic, codecs in kafka.compressions(sent).items()}
    t.equal(kept, {topic: {topic.split("-")[1]} for topic in sent}, "how the broker keeps them")
    wait_until(lambda: min(contexts(fetches(read_spans(file), reader, sent)) for reader in READERS) >= sum(map(len, sent.values())),
               20 * t.patience, every=0.3)
    spans = read_spans(file)
    for topic, named in sent.items():
        for service in ("producer" if topic.startswith("rdkafka") else "java-producer", "broker"):
            told = taken(of(spans, service, f"Produce {topic}"))
            t.equal((all_links(told) + parents(told), dropped(told)), (Counter(named), 0), f"{service}: {topic}")
    for reader in READERS:
        told = fetches(spans, reader, sent)
        t.equal((all_links(told), dropped(told)), (Counter(sum(sent.values(), [])), 0), f"{reader}: links")
    metrics = agent.scrape()
    t.equal(metrics.total(OUTCOMES, protocol="kafka", outcome="records_compressed"), 2 * large, "too large ones, seen by both sides")
    t.equal(metrics.total(OUTCOMES, protocol="kafka", outcome="record_headers_unseen"), 0, "records not seen whole")
    t.nothing_lost(agent)
