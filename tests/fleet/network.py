"""Hosts on one wire: network namespaces with an address each, on a switch of their own. Needs root.

Nothing of it is seen from outside: many tests may have the same addresses at once.
"""

import itertools
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

SWITCH = "switch"
NETWORK = "10.77.0"
_numbers = itertools.count(1)


class Network:
    """The hosts by name, each with its address."""

    def __init__(self, prefix: str, names: Sequence[str]) -> None:
        self._prefix = prefix
        self.addresses = {name: f"{NETWORK}.{10 + number}" for number, name in enumerate(names)}

    def inside(self, host: str) -> list[str]:
        """What a command begins with that is to run on a host."""
        return ["ip", "netns", "exec", f"{self._prefix}-{host}"]

    def make(self) -> None:
        """Lay the wires."""
        for host in (SWITCH, *self.addresses):
            _ip("netns", "add", f"{self._prefix}-{host}")
            _ip("-n", f"{self._prefix}-{host}", "link", "set", "lo", "up")
        switch = f"{self._prefix}-{SWITCH}"
        _ip("-n", switch, "link", "add", "wire", "type", "bridge")
        _ip("-n", switch, "link", "set", "wire", "up")
        for host, address in self.addresses.items():
            there = f"{self._prefix}-{host}"
            _ip("-n", switch, "link", "add", host, "type", "veth", "peer", "name", "eth0", "netns", there)
            _ip("-n", switch, "link", "set", host, "master", "wire", "up")
            _ip("-n", there, "address", "add", f"{address}/24", "dev", "eth0")
            _ip("-n", there, "link", "set", "eth0", "up")

    def cut(self, host: str, other: str) -> None:
        """From now on nothing passes between the two, and neither is told."""
        self._filter("-A", host, other)

    def mend(self, host: str, other: str) -> None:
        """Everything passes again."""
        self._filter("-D", host, other)

    def _filter(self, how: str, host: str, other: str) -> None:
        for chain, side in (("INPUT", "-s"), ("OUTPUT", "-d")):
            rule = ["iptables", "-w", how, chain, side, self.addresses[other], "-j", "DROP"]
            subprocess.run([*self.inside(host), *rule], check=True)

    def remove(self) -> None:
        """Take everything away; who still runs there is left without a wire."""
        for host in (SWITCH, *self.addresses):
            subprocess.run(["ip", "netns", "delete", f"{self._prefix}-{host}"], check=False, stderr=subprocess.DEVNULL)


@contextmanager
def network(*names: str) -> Iterator[Network]:
    """Hosts of these names; gone at the end."""
    made = Network(f"webcb-{os.getpid()}-{next(_numbers)}", names)
    try:
        made.make()
        yield made
    finally:
        made.remove()


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)
