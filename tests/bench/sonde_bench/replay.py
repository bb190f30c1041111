# SPDX-License-Identifier: Apache-2.0
"""User-space cost on recorded traffic: `sonde replay` as a whole, then its rooms one by one."""

import os
import resource
import subprocess
import time

from .icount import ROOMS
from .table import median, show
from .traffic import Agent, Nginx, wrk


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


def replay_seconds(settings, path):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([settings.sonde, "replay", path], capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    counted = sum(float(line.split()[-1]) for line in done.stdout.splitlines()
                  if line.startswith("http_server_request_duration_seconds_count"))
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, counted, done.stderr.strip()


def run(settings):
    path = os.path.join(settings.cache, f"nginx-{settings.recorded_requests}.recording")
    if not os.path.exists(path):
        record(settings, path)
    seconds, counted, said = zip(*(replay_seconds(settings, path) for _ in range(settings.rounds)))
    rooms = subprocess.run([os.path.join(settings.programs, "room_cost"), "-s", str(settings.call_seconds), path],
                           capture_output=True, text=True, check=True).stdout
    rooms = {line.split()[0]: line.split()[1:] for line in rooms.splitlines()}
    events = int(rooms["decode"][1])
    show(f"replay: {os.path.getsize(path) / 2**20:.0f} MiB, {events:,} events, {counted[0]:,.0f} requests, seen from both ends",
         ["CPU time, medians", "ns"],
         [["sonde replay, per event", f"{median(seconds) / events * 1e9:.0f}"],
          ["sonde replay, per request", f"{median(seconds) / counted[0] * 1e9:,.0f}"],
          *([text, f"{float(rooms[name][0]):,.0f}"] for name, text in ROOMS.items())],
         ["replay also reads the file and checks a sum over each event", *filter(None, said[:1])])
