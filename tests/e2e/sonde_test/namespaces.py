# SPDX-License-Identifier: Apache-2.0
"""Network namespaces: two hosts, with a wire between them that can be slow or cut."""

import os
import subprocess

from .process import Process


def run(*args):
    done = subprocess.run([str(arg) for arg in args], capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, args))}: {done.stderr.strip()}")
    return done.stdout


def works(*args):
    return subprocess.run([str(arg) for arg in args], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0


def existing():
    try:
        return set(os.listdir("/run/netns"))
    except OSError:
        return set()


class Namespaces:
    """Two namespaces, `near` (10.99.0.1, fd99::1) and `far` (10.99.0.2, fd99::2)."""

    def __init__(self, tag, wire="veth"):
        self.near, self.far = f"sonde-{tag}-near", f"sonde-{tag}-far"
        self.processes = []
        run("ip", "netns", "add", self.near)
        try:
            run("ip", "netns", "add", self.far)
            if wire == "veth":
                run("ip", "link", "add", "wire", "netns", self.near, "type", "veth", "peer", "name", "wire",
                    "netns", self.far)
            else:
                for space in (self.near, self.far):
                    self.at(space, "ip", "tuntap", "add", "dev", "wire", "mode", "tun")
            for number, space in ((1, self.near), (2, self.far)):
                self.at(space, "ip", "link", "set", "lo", "up")
                # No duplicate detection: an address would be unusable for a second.
                self.at(space, "ip", "addr", "add", f"fd99::{number}/64", "dev", "wire", "nodad")
                self.at(space, "ip", "addr", "add", f"10.99.0.{number}/24", "dev", "wire")
                self.at(space, "ip", "link", "set", "wire", "up")
        except BaseException:
            self.close()
            raise

    @staticmethod
    def at(space, *args):
        return run("ip", "netns", "exec", space, *args)

    def delay(self, program, directory, ms):
        """A user-space wire (wire="tun") that holds each packet for `ms`."""
        process = Process([program, f"/run/netns/{self.near}", "wire", f"/run/netns/{self.far}", "wire", ms], directory)
        process.wait_port()
        self.processes.append(process)

    def black_hole(self):
        """Addresses of hosts that do not exist, but that the kernel would send packets to."""
        mac = "02:00:00:00:00:09"
        self.at(self.near, "ip", "neigh", "add", "10.99.0.9", "lladdr", mac, "dev", "wire")
        self.at(self.near, "ip", "-6", "neigh", "add", "fd99::9", "lladdr", mac, "dev", "wire")
        return "10.99.0.9", "fd99::9"

    def cut(self):
        """From now on nothing arrives at `far`: packets carry an address that nobody has."""
        self.at(self.near, "ip", "neigh", "replace", "10.99.0.2", "lladdr", "02:00:00:00:00:09", "dev", "wire")

    def mend(self):
        link = self.at(self.far, "ip", "-o", "link", "show", "wire")
        self.at(self.near, "ip", "neigh", "replace", "10.99.0.2", "lladdr", link.split("link/ether ")[1].split()[0],
                "dev", "wire")

    def close(self):
        for process in self.processes:
            process.stop()
        for space in (self.near, self.far):
            if space in existing():
                run("ip", "netns", "del", space)
