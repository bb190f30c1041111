# SPDX-License-Identifier: Apache-2.0
"""Every MongoDB operation is counted, once, under its name: against the server's own metrics and the driver's events."""

import json
import socket
import struct
import time
from collections import Counter

from sonde_test.process import wait_until
from sonde_test.runner import test

SERVER = "db_server_operation_duration_seconds_count"
CLIENT = "db_client_operation_duration_seconds_count"
PARTIAL = "sonde_requests_partial_total"
OUTCOMES = "sonde_parse_outcomes_total"
RINGS = ("--ring-bytes", 64 << 20)
PYTHON = "/usr/bin/python3"
HELLO = ("hello", "isMaster")  # the driver's own, in no event of its


def operations(metrics, name, service):
    """{"insert items=11000": count}, without the driver's greetings."""
    found = Counter()
    for (operation, collection, error), count in metrics.by(name, "db_operation_name", "db_collection_name", "error_type",
                                                            service_name=service).items():
        if operation not in HELLO:
            found[operation + (f" {collection}" if collection else "") + (f"={error}" if error else "")] += count
    return found


def by_command(found):
    """The same by command only."""
    commands = Counter()
    for operation, count in found.items():
        commands[operation.split("=")[0].split(" ")[0]] += count
    return commands


def compare(t, agent, want, *sides):
    metrics = agent.settle(lambda m: [operations(m, *side) for side in sides], [want for _ in sides])
    for name, service in sides:
        t.equal(operations(metrics, name, service), want, f"operations of {service}")
        t.equal(metrics.total(PARTIAL, service_name=service), 0, f"partial operations of {service}")
    for outcome in ("malformed", "unmatched_response", "lost"):
        t.equal(metrics.total(OUTCOMES, protocol="mongodb", outcome=outcome), 0, outcome)
    t.nothing_lost(agent)
    return metrics


# The driver tells what it does: its events are a witness, too.
DRIVER = """
import json, sys, threading
from collections import Counter
from pymongo import MongoClient, monitoring, errors
events = Counter()
lock = threading.Lock()
class Listener(monitoring.CommandListener):
    def started(self, event):
        with lock:
            events[event.command_name] += 1
    def succeeded(self, event): pass
    def failed(self, event): pass
client = MongoClient("127.0.0.1", int(sys.argv[1]), event_listeners=[Listener()])
shop = client.shop
"""
ALL = DRIVER + """
def fails(call, *args, **keywords):
    try:
        call(*args, **keywords)
    except errors.PyMongoError:
        return
    raise SystemExit("it did not fail")
for i in range(40):
    shop.items.insert_one({"_id": i, "a": "sEcReT", "b": i / 3})
shop.items.insert_many([{"_id": 1000 + i, "pad": "x" * 5000} for i in range(200)])
fails(shop.items.insert_one, {"_id": 1})
fails(shop.items.insert_many, [{"_id": 1}, {"_id": 2}], ordered=False)
assert len(list(shop.items.find({"_id": {"$lt": 40}}, batch_size=10))) == 40
assert len(list(shop.items.find())) == 240
shop.items.update_one({"_id": 3}, {"$set": {"c": 1}}); shop.items.update_many({}, {"$set": {"d": 2}})
shop.items.delete_one({"_id": 4}); shop.items.count_documents({}); shop.items.estimated_document_count()
list(shop.items.aggregate([{"$match": {"_id": 5}}])); shop.items.distinct("b"); shop.items.find_one_and_update({"_id": 5}, {"$set": {"e": 1}})
shop.items.create_index("b"); list(shop.items.list_indexes()); shop.list_collection_names(); client.list_database_names()
client.admin.command("ping"); shop.command("buildInfo"); fails(shop.command, "noSuchCommand"); fails(shop.command, "find", "items", limit="x")
fails(shop.command, "getMore", 77, collection="items")
shop.create_collection("other"); shop.other.rename("renamed"); shop.renamed.drop(); client.drop_database("shop")
print(json.dumps(events))
"""
# What tables and errors these had; commands alone are compared with the driver's events and the server's count.
ALL_KNOWN = {"insert items": 40 + 1, "insert items=11000": 2, "find items=14": 1, "other=59": 1, "update items": 2, "delete items": 1,
             "drop renamed": 1, "createIndexes items": 1, "ping": 1, "create other": 1}
LOAD = DRIVER + """
threads, count = int(sys.argv[2]), int(sys.argv[3])
def run(number):
    for i in range(count):
        if i % 20 == 0:
            shop.load.insert_one({"_id": number * count + i, "text": "t" * (i % 300)})
        elif i % 20 < 3:
            shop.empty.find_one({"_id": i})
        else:
            client.admin.command("ping")
started = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
for thread in started: thread.start()
for thread in started: thread.join()
print(json.dumps(events))
"""


def drive(t, server, script, service, *args):
    """Returns the driver's events by command, and the server's requests since; both without what ends its sessions."""
    before = server.requests()
    run = t.spawn(PYTHON, "-c", script, server.port, *args, service=service)
    run.wait(120 * t.patience)
    return Counter(json.loads(run.output())), server.requests() - before


@test(needs=("ferretdb", "pymongo"))
def mongodb_exact(t):
    """All that the driver can do and the server understands, errors among it; then ten thousand operations of four threads."""
    agent = t.agent(*RINGS)
    server = t.ferretdb(service="documents")
    events, requests = drive(t, server, ALL, "all")
    metrics = agent.settle(lambda m: by_command(operations(m, SERVER, "documents")), events)
    for name, service in ((CLIENT, "all"), (SERVER, "documents")):
        found = operations(metrics, name, service)
        commands = by_command(found)
        t.equal(commands, renamed(events), f"the driver's events and operations of {service}")
        t.equal(commands, renamed(requests), f"the server's requests and operations of {service}")
        t.equal({key: found[key] for key in ALL_KNOWN}, ALL_KNOWN, f"some operations of {service}")
    t.check("sEcReT" not in metrics.text, "a value left the machine")
    t.where, seen = "load: ", operations(metrics, SERVER, "documents")
    events, requests = drive(t, server, LOAD, "load", 4, 2500)
    want = Counter({"insert load": 500, "find empty": 1000, "ping": 8500})
    t.equal(events - Counter(endSessions=1), by_command(want), "the driver's events")
    t.equal(renamed(requests) - Counter(endSessions=1), by_command(want), "the server's requests")
    read = lambda m: operations(m, CLIENT, "load") - Counter(endSessions=1)
    metrics = agent.settle(read, want)
    t.equal(read(metrics), want, "operations of the client")
    t.equal(operations(metrics, SERVER, "documents") - seen - Counter({"endSessions": 1, "endSessions=59": 1}), want, "operations of the server")
    for service in ("all", "load", "documents"):
        t.equal(metrics.total(PARTIAL, service_name=service), 0, f"partial operations of {service}")
    for outcome in ("malformed", "unmatched_response", "lost"):
        t.equal(metrics.total(OUTCOMES, protocol="mongodb", outcome=outcome), 0, outcome)
    t.nothing_lost(agent)


def renamed(commands):
    """What neither side's tables name is "other" with us."""
    commands = Counter(commands)
    commands["other"] += commands.pop("noSuchCommand", 0) + commands.pop("unknown", 0)
    return +Counter({name: count for name, count in commands.items() if name.lower() not in ("hello", "ismaster")})


def document(*fields):
    """BSON of (key, text or whole number)."""
    body = b""
    for key, value in fields:
        name = key.encode() + b"\0"
        if isinstance(value, int):
            body += b"\x10" + name + struct.pack("<i", value)
        else:
            body += b"\x02" + name + struct.pack("<i", len(value) + 1) + value.encode() + b"\0"
    return struct.pack("<i", len(body) + 5) + body + b"\0"


def message(number, *fields, documents=()):
    body = bytes(4) + b"\0" + document(*fields, ("$db", "shop"))
    if documents:
        sequence = b"documents\0" + b"".join(documents)
        body += b"\1" + struct.pack("<i", len(sequence) + 4) + sequence
    return struct.pack("<iiii", len(body) + 16, number, 0, 2013) + body


def read_answers(connection, count, size):
    """Returns what they answer."""
    received, answers = b"", []
    while len(answers) < count:
        more = connection.recv(size)
        if not more:
            raise AssertionError("closed")
        received += more
        while len(received) >= 16 and len(received) >= struct.unpack("<i", received[:4])[0]:
            answers.append(struct.unpack("<i", received[8:12])[0])
            received = received[struct.unpack("<i", received[:4])[0]:]
    return answers


@test(needs=("ferretdb",))
def mongodb_split_at_every_byte(t):
    """Whole, pipelined, and in writes and reads of one byte each; long messages."""
    agent = t.agent(*RINGS)
    server = t.ferretdb(service="bytes")
    before = server.requests()
    for pause in (0, 0.0002):
        messages = [message(1, ("insert", "c"), documents=[document(("_id", i + (1000 if pause else 0))) for i in range(3)]),
                    message(2, ("insert", "c"), documents=[document(("_id", 1000 if pause else 0))]),
                    message(3, ("find", "c")), message(4, ("noSuch", 1)), message(5, ("ping", 1))]
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.settimeout(20)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            data = b"".join(messages)
            for piece in [data[i:i + 1] for i in range(len(data))] if pause else [data]:
                connection.sendall(piece)
                time.sleep(pause)
            t.equal(read_answers(connection, 5, 1 if pause else 65536), [1, 2, 3, 4, 5], "answers")
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.settimeout(20)
        for i in range(10):
            connection.sendall(message(10 + i, ("insert", "long"), documents=[document(("_id", i), ("text", "x" * 400000))]))
            read_answers(connection, 1, 65536)
            connection.sendall(message(10 + i, ("find", "long")))
            read_answers(connection, 1, 65536)
        # Answers of all lengths modulo 256: none may look like another protocol's that has values to leave out.
        for number in range(1, 257):
            connection.sendall(message(number, ("n" * (200 + number), 1)))
            read_answers(connection, 1, 65536)
    want = Counter({"insert c": 2, "insert c=11000": 2, "find c": 2, "other=59": 2 + 256, "ping": 2, "insert long": 10, "find long": 10})
    requests = server.requests() - before
    none = sum(requests.pop(name) for name in list(requests) if name == "noSuch" or name.startswith("nnn"))
    t.equal(renamed(requests + Counter(unknown=none)), by_command(want), "the witness")
    compare(t, agent, want, (SERVER, "bytes"))


@test(needs=("ferretdb", "pymongo"))
def mongodb_agent_starts_in_the_middle(t):
    """What was under way counts as partial; what begins afterwards is exact."""
    server = t.ferretdb(service="middle")
    run = t.spawn(PYTHON, "-c", LOAD, server.port, 4, 1000000, service="endless")
    wait_until(lambda: server.requests()["ping"] > 200, 60 * t.patience)
    agent = t.agent(*RINGS)
    wait_until(lambda: operations(agent.scrape(), SERVER, "middle")["ping"] > 200, 20 * t.patience)
    run.stop()
    time.sleep(0.5)
    metrics = agent.scrape()
    for name, service in ((SERVER, "middle"), (CLIENT, "endless")):
        found = operations(metrics, name, service)
        t.check(found["ping"] > 200, f"{service}: nothing was understood")
        known = {"insert load", "find empty", "ping"}
        t.equal({name.split("=")[0] for name in found} - known, set(), f"{service}: operations that were not")
        t.check(metrics.total(PARTIAL, service_name=service) <= 8, f"{service}: too many partial operations")
    seen = operations(metrics, SERVER, "middle")
    _, requests = drive(t, server, LOAD.replace("shop.load", "shop.later"), "later", 4, 500)
    want = Counter({"insert later": 100, "find empty": 200, "ping": 1700})
    t.equal(requests["ping"], 1700, "the witness")
    rest = Counter({"endSessions": 1, "endSessions=59": 1})
    metrics = agent.settle(lambda m: operations(m, CLIENT, "later") - rest, want)
    t.equal(operations(metrics, CLIENT, "later") - rest, want, "client operations afterwards")
    t.equal(operations(metrics, SERVER, "middle") - seen - rest, want, "server operations afterwards")
