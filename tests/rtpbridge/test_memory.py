"""Memory used up: a clear error where something is opened, and who talks already goes on talking."""

import errno
import resource
import subprocess
import sys

import pytest

# In a process of its own, for the limit is one of the whole process.
BEGIN = """
import resource
from rtpbridge import Bridge, PortsUsedUp
from tests.rtpbridge.phone import Phone, voice

def leave(octets):
    with open("/proc/self/statm") as pages:
        used = int(pages.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + octets, resource.RLIM_INFINITY))

def refused(open):
    try:
        open()
    except OSError as wrong:
        assert not isinstance(wrong, PortsUsedUp)
        return wrong
    raise SystemExit("it was not refused")
"""
A_BRIDGE = """
leave(3 << 19)
wrong = refused(lambda: Bridge("127.0.0.1", 20_000, 29_999))
print(wrong.errno, wrong)
"""
A_PORT = """
a, b = Phone("127.0.0.1"), Phone("127.0.0.1")
bridge = Bridge("127.0.0.1", 20_000, 29_999)
port_a, port_b = a.connected(bridge), b.connected(bridge)
bridge.join(port_a, port_b)
leave(2 << 20)

def fill():
    while True:
        bridge.open_port()

wrong = refused(fill)
a.say(port_a, voice(7))
assert b.hear()[0].payload == voice(7).payload
bridge.close()
print(wrong.errno, wrong)
"""


def said(script: str) -> str:
    """What a script says that may have as many descriptors as the system lets it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    command = ["prlimit", f"--nofile={hard}", sys.executable, "-c", BEGIN + script]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize(
    ("script", "number", "text"),
    [
        (
            A_BRIDGE,
            errno.EAGAIN,
            "RTP on 127.0.0.1, ports 20000 to 29999: no thread can be started, or there is no memory for it",
        ),
        (A_PORT, errno.ENOMEM, "RTP port: Cannot allocate memory"),
    ],
    ids=["a bridge", "a port"],
)
def test_what_there_is_no_memory_for_is_refused(script: str, number: int, text: str) -> None:
    assert said(script) == f"{number} [Errno {number}] {text}"
