"""Three hosts on one machine: network namespaces `host`, `a` and `b`, with a veth from `host` to each of the others.

A socket stays in the namespace it was made in, and a bridge's thread in that of who opened it, so that a test walks in and out.
"""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CLONE_NEWNET = 0x40000000
HOST = {4: "10.9.1.1", 6: "2001:db8:9:1::1"}
PHONE_A = {4: "10.9.1.2", 6: "2001:db8:9:1::2"}
PHONE_B = {4: "10.9.2.2", 6: "2001:db8:9:2::2"}
HOST_TO_B = {4: "10.9.2.1", 6: "2001:db8:9:2::1"}


class Network:
    """Made at once, gone with close(). Names are of this process, so that two runs do not meet."""

    def __init__(self) -> None:
        self.names = {name: f"webcb-{os.getpid()}-{name}" for name in ("host", "a", "b")}
        try:
            for name in self.names.values():
                ip("netns", "add", name)
                ip("-n", name, "link", "set", "lo", "up")
            for name in self.names:
                with self.inside(name):  # nor for the addresses of the links themselves
                    Path("/proc/sys/net/ipv6/conf/default/accept_dad").write_text("0")
            self._connect("a", HOST, PHONE_A)
            self._connect("b", HOST_TO_B, PHONE_B)
        except BaseException:
            self.close()
            raise

    def _connect(self, phone: str, near: dict[int, str], far: dict[int, str]) -> None:
        host, there = self.names["host"], self.names[phone]
        ip("-n", host, "link", "add", f"to-{phone}", "type", "veth", "peer", "name", "eth0", "netns", there)
        for version, bits in ((4, "24"), (6, "64")):
            ip("-n", host, "address", "add", f"{near[version]}/{bits}", "dev", f"to-{phone}", *_at_once(version))
            ip("-n", there, "address", "add", f"{far[version]}/{bits}", "dev", "eth0", *_at_once(version))
        ip("-n", host, "link", "set", f"to-{phone}", "up")
        ip("-n", there, "link", "set", "eth0", "up")
        for version in (4, 6):
            ip(f"-{version}", "-n", there, "route", "add", "default", "via", near[version])

    @contextmanager
    def inside(self, name: str) -> Iterator[None]:
        """This thread in that namespace."""
        with Path("/proc/thread-self/ns/net").open() as home, Path("/run/netns", self.names[name]).open() as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(home.fileno())

    def close(self) -> None:
        for name in self.names.values():
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


def _at_once(version: int) -> list[str]:
    return ["nodad"] if version == 6 else []  # no waiting for who else may have the address


def _enter(namespace: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
