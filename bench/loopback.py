"""A loopback on which nobody else's packets or programs are, and the kernel path's program taken off it and put back.

Every bridge of the host with a kernel path has its program on the loopback; and in turns without a relay no packet is to pay for ours.
bpf(2) and namespaces by ctypes: the link that was added while a bridge was opened is the bridge's.
"""

import ctypes
import os
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

SYS_BPF: Final = {"x86_64": 321, "aarch64": 280}
PROG_GET_FD_BY_ID, OBJ_GET_INFO_BY_FD, PROG_QUERY, LINK_CREATE, LINK_GET_FD_BY_ID, LINK_DETACH = 13, 15, 16, 28, 30, 34
TCX_INGRESS = 46
PROGRAMS_MAX = 64
ATTRIBUTES_BYTES = 128
CLONE_NEWNET = 0x40000000


def _bpf(command: int, attributes: bytes) -> tuple[int, bytes]:
    libc = ctypes.CDLL(None, use_errno=True)
    room = ctypes.create_string_buffer(attributes, ATTRIBUTES_BYTES)
    answer = libc.syscall(SYS_BPF[os.uname().machine], command, room, ATTRIBUTES_BYTES)
    if answer < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return answer, room.raw


@contextmanager
def network_apart() -> Iterator[bool]:
    """This thread, the threads and the processes it starts, in a network namespace of their own; False: not permitted, so in ours."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/proc/thread-self/ns/net").open() as home:
        if libc.unshare(CLONE_NEWNET) != 0:
            yield False
            return
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            yield True
        finally:
            assert libc.setns(home.fileno(), CLONE_NEWNET) == 0


def links(device: int) -> dict[int, int]:
    """The links of TCX programs on a device, and the program of each. OSError: not permitted here."""
    programs, ids = ((ctypes.c_uint32 * PROGRAMS_MAX)() for _ in range(2))
    addresses = ctypes.addressof(programs), ctypes.addressof(ids)
    asked = struct.pack("=4I Q 2I 4Q", device, TCX_INGRESS, 0, 0, addresses[0], PROGRAMS_MAX, 0, 0, addresses[1], 0, 0)
    _, answered = _bpf(PROG_QUERY, asked)
    (count,) = struct.unpack_from("=I", answered, 24)
    return dict(zip(ids[:count], programs[:count], strict=True))


class Attachment:
    """A link and its program, on the loopback. Whoever opened it may close it meanwhile."""

    def __init__(self, link: int, program: int) -> None:
        self._device = socket.if_nametoindex("lo")
        self._program, _ = _bpf(PROG_GET_FD_BY_ID, struct.pack("=I", program))
        self._link, _ = _bpf(LINK_GET_FD_BY_ID, struct.pack("=I", link))
        self._is_on = True

    def take_off(self) -> None:
        """No packet of the loopback comes by the program."""
        if self._is_on:
            _bpf(LINK_DETACH, struct.pack("=I", self._link))
        self._is_on = False

    def put_back(self) -> None:
        """By a link of its own, for one that was detached stays so."""
        if not self._is_on:
            os.close(self._link)
            self._link, _ = _bpf(LINK_CREATE, struct.pack("=4I", self._program, self._device, TCX_INGRESS, 0))
        self._is_on = True

    def close(self) -> None:
        """The link and the program go, unless others hold them."""
        os.close(self._link)
        os.close(self._program)
