# SPDX-License-Identifier: Apache-2.0
"""User-space cost on recorded traffic: `sonde replay` as a whole, then its rooms one by one."""

import os
import resource
import subprocess
import time

from .icount import ROOMS
from .table import median, show
from .traffic import HERE, Agent, Nginx, wrk

TALKS = os.path.join(os.path.dirname(HERE), "e2e", "talks")
NO_TALKS = ("record", "http_close")  # a program; one request a connection


def is_stale(path):
    """Not there, or recorded when events looked otherwise."""
    abi = os.path.join(os.path.dirname(os.path.dirname(HERE)), "headers", "event_abi.h")
    return not os.path.exists(path) or os.path.getmtime(path) < os.path.getmtime(abi)


def record(settings, path):
    """Once: a recording is megabytes of the same few events."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with Nginx() as nginx, Agent(settings, "--only", "exe=*nginx*", "--only", "exe=*wrk*") as agent:
        recorder = subprocess.Popen([settings.sonde, "record", "--socket", agent.socket, path + ".new"],
                                    stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        made = 0
        while made < settings.recorded_requests:
            made += wrk(nginx.url, 1)[0]
        time.sleep(0.5)
        recorder.terminate()
        recorder.wait(30)
    os.rename(path + ".new", path)


def record_talk(settings, talk, path):
    """A conversation of a real server, on 16 connections at once, again and again."""
    player, count = os.path.join(settings.programs, "player"), settings.recorded_requests // 1000
    args = [os.path.join(TALKS, talk), "127.0.0.1"]
    with Agent(settings, "--only", "exe=*/player", "--ring-bytes", str(64 << 20)) as agent:
        server = subprocess.Popen([player, "serve", *args, "0", f"at-once/16/{count}"], stdout=subprocess.PIPE, text=True)
        port = server.stdout.readline().split()[1]
        client = subprocess.Popen([player, "talk", *args, port, f"at-once/16/{count}"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        recorder = subprocess.Popen([settings.sonde, "record", "--socket", agent.socket, path + ".new"], stderr=subprocess.DEVNULL)
        time.sleep(0.5)  # the agent is to know all three
        client.communicate(b"\n")
        server.communicate()
        time.sleep(0.5)
        recorder.terminate()
        recorder.wait(30)
    os.rename(path + ".new", path)


def room_cost(settings, path):
    """{room: [nanoseconds, count]}"""
    done = subprocess.run([os.path.join(settings.programs, "room_cost"), "-s", str(settings.call_seconds), path],
                          capture_output=True, text=True, check=True)
    return {line.split()[0]: [float(word) for word in line.split()[1:]] for line in done.stdout.splitlines()}


def by_protocol(settings):
    rows = []
    for talk in sorted(os.listdir(TALKS)):
        path = os.path.join(settings.cache, f"talk-{talk}-{settings.recorded_requests}.recording")
        if talk in NO_TALKS:
            continue
        if is_stale(path):
            record_talk(settings, talk, path)
        rooms = room_cost(settings, path)
        events, requests = rooms["decode"][1], rooms["requests"][1]
        each = rooms["decode"][0] + rooms["feed-series"][0]
        rows.append([talk, f"{requests:,.0f}", f"{events / requests:.2f}", f"{each:.0f}", f"{each * events / requests:,.0f}"])
    show("replay by protocol: decoding, pairing and adding to the series; medians",
         ["conversation", "requests", "events a request", "ns an event", "ns a request"], rows,
         ["each end counts as a request of its own; every conversation is a mix, with errors and pipelines (tests/e2e/talks)"])


def replay_seconds(settings, path):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([settings.sonde, "replay", path], capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    counted = sum(float(line.split()[-1]) for line in done.stdout.splitlines()
                  if line.startswith("http_server_request_duration_seconds_count"))
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, counted, done.stderr.strip()


def run(settings):
    path = os.path.join(settings.cache, f"nginx-{settings.recorded_requests}.recording")
    if is_stale(path):
        record(settings, path)
    seconds, counted, said = zip(*(replay_seconds(settings, path) for _ in range(settings.rounds)))
    rooms = room_cost(settings, path)
    events = int(rooms["decode"][1])
    show(f"replay: {os.path.getsize(path) / 2**20:.0f} MiB, {events:,} events, {counted[0]:,.0f} requests, seen from both ends",
         ["CPU time, medians", "ns"],
         [["sonde replay, per event", f"{median(seconds) / events * 1e9:.0f}"],
          ["sonde replay, per request", f"{median(seconds) / counted[0] * 1e9:,.0f}"],
          *([text, f"{rooms[name][0]:,.0f}"] for name, text in ROOMS.items())],
         ["replay also reads the file and checks a sum over each event", *filter(None, said[:1])])
    by_protocol(settings)
