"""A network of a test's own: a namespace with a bridge for the control plane, and one a host, joined by veth pairs."""
import contextlib
import itertools
import os
import subprocess
import uuid

import harness

numbers = itertools.count(11)


class Network:
    """Use it in a `with`; root only. run and prefix put a command into a namespace."""

    PLANE = "10.77.0.1"

    def __init__(self):
        self.id, self.names = f"slw{uuid.uuid4().hex[:6]}", []

    def __enter__(self):
        try:
            self.plane = self.add("plane")
            self.ip("link", "add", "br0", "type", "bridge", ns="plane")
            self.ip("addr", "add", f"{self.PLANE}/24", "dev", "br0", ns="plane")
            self.ip("link", "set", "br0", "up", ns="plane")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for name in self.names:
            subprocess.run(["ip", "netns", "del", self.ns(name)], stderr=subprocess.DEVNULL)

    def ns(self, name):
        return f"{self.id}-{name}"

    def ip(self, *argv, ns=None):
        harness.call(["ip", *(["-n", self.ns(ns)] if ns else []), *argv])

    def add(self, name):
        self.ip("netns", "add", self.ns(name))
        self.names.append(name)
        self.ip("link", "set", "lo", "up", ns=name)
        return name

    def host(self, name):
        """A namespace on the bridge; its address."""
        n = next(numbers)
        self.add(name)
        self.ip("link", "add", f"v{n}", "netns", self.ns("plane"), "type", "veth", "peer", "name", "eth0", "netns",
                self.ns(name))
        self.ip("link", "set", f"v{n}", "master", "br0", "up", ns="plane")
        self.ip("addr", "add", f"10.77.0.{n}/24", "dev", "eth0", ns=name)
        self.ip("link", "set", "eth0", "up", ns=name)
        return f"10.77.0.{n}"

    def cut(self, name, is_cut=True):
        self.ip("link", "set", "eth0", "down" if is_cut else "up", ns=name)

    def prefix(self, name):
        return ["ip", "netns", "exec", self.ns(name)]


@contextlib.contextmanager
def network():
    with Network() as n:
        yield n


def can():
    """Root, and a kernel that lets us: what these tests need."""
    return os.geteuid() == 0 and subprocess.run(["ip", "netns", "add", "slw-can"], capture_output=True).returncode == 0 and \
        subprocess.run(["ip", "netns", "del", "slw-can"]).returncode == 0
