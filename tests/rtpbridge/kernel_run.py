"""Runs the kernel program over packets that no device has seen: bpf(2) with BPF_PROG_TEST_RUN, the map laid out by slot.h."""

import ctypes
import errno
import mmap
import os
import re
import struct
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from cffi import FFI

from rtpbridge.build import FOLDER
from rtpbridge.build_program import Program

SYS_BPF = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
MAP_CREATE, PROG_LOAD, PROG_TEST_RUN = 0, 5, 10
ARRAY, MMAPABLE, SCHED_CLS = 2, 1 << 10, 3
PSEUDO_MAP_FD = 1
LOAD_TRIES = 16
PORT_FIRST, PAIRS = 20_000, 50
ETHERNET = bytes(12)  # to and from the loopback
NEXT, REDIRECT = 2**32 - 1, 7


def layout() -> FFI:
    """struct kernel_flow and its union as the compiler lays them out."""
    text = (FOLDER / "slot.h").read_text(encoding="utf-8")
    known = re.sub(r"^#(?!define \w+ \d+u?\b).*$", "", text, flags=re.MULTILINE)
    known = known.replace("2 * KERNEL_PAYLOADS", "16").replace("__attribute__((aligned(KERNEL_SLOT_BYTES)))", "")
    ffi = FFI()
    ffi.cdef(re.sub(r"^(#define \w+ \d+)u?\b.*$", r"\1", known, flags=re.MULTILINE))
    return ffi


FFI_OF_SLOT = layout()
SLOT_BYTES = FFI_OF_SLOT.sizeof("union kernel_slot")
SLOTS = 1 + 2 * PAIRS


def bpf(command: int, attributes: bytes) -> tuple[int, bytes]:
    libc = ctypes.CDLL(None, use_errno=True)
    room = ctypes.create_string_buffer(attributes, max(len(attributes), 128))
    answer = libc.syscall(SYS_BPF, command, room, len(room))
    for _ in range(LOAD_TRIES):  # a program whose check is broken off by a signal is offered again, as kernel.c does
        if answer >= 0 or command != PROG_LOAD or ctypes.get_errno() != errno.EAGAIN:
            break
        answer = libc.syscall(SYS_BPF, command, room, len(room))
    if answer < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return answer, room.raw


@dataclass(frozen=True)
class Datagram:
    """An RTP packet in UDP, IP and Ethernet; addresses and ports as a person writes them."""

    source: str
    source_port: int
    destination: str
    destination_port: int
    rtp: bytes
    traffic: int = 0
    ttl: int = 17
    fragment: int = 0
    summed: bool = True

    def pack(self) -> bytes:
        source, destination = ip_address(self.source).packed, ip_address(self.destination).packed
        udp_bytes = 8 + len(self.rtp)
        pseudo = source + destination + struct.pack("!II", udp_bytes, 17)
        udp = struct.pack("!HHHH", self.source_port, self.destination_port, udp_bytes, 0) + self.rtp
        if self.summed:
            udp = udp[:6] + struct.pack("!H", sum_of(pseudo + udp) or 0xFFFF) + udp[8:]
        if len(source) == 16:
            head = struct.pack("!IHBB", 6 << 28 | self.traffic << 20, udp_bytes, 17, self.ttl) + source + destination
            return ETHERNET + b"\x86\xdd" + head + udp
        sizes = (20 + udp_bytes, 7 * (self.traffic == 0), self.fragment)
        head = struct.pack("!BBHHHBBH", 0x45, self.traffic, *sizes, self.ttl, 17, 0) + source + destination
        return ETHERNET + b"\x08\x00" + head[:10] + struct.pack("!H", sum_of(head)) + head[12:] + udp


def sum_of(octets: bytes) -> int:
    """The checksum of the Internet (RFC 1071)."""
    padded = octets + bytes(len(octets) % 2)
    total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


class LoadedProgram:
    """A program with a map of its own; `flow` and `more` are the slots of PORT_FIRST, which a test fills in."""

    def __init__(self, program: Program) -> None:
        attributes = struct.pack("<5I", ARRAY, 4, SLOT_BYTES, SLOTS, MMAPABLE)
        self._map, _ = bpf(MAP_CREATE, attributes)
        words = list(program.words)
        for place in program.maps:
            words[place] = words[place] & 0xFFFFFFFF | PSEUDO_MAP_FD << 12 | self._map << 32
        code = struct.pack(f"<{len(words)}Q", *words)
        kept, terms = ctypes.create_string_buffer(code), ctypes.create_string_buffer(b"Dual MIT/GPL")
        attributes = struct.pack("<IIQQ", SCHED_CLS, len(words), ctypes.addressof(kept), ctypes.addressof(terms))
        self._program, _ = bpf(PROG_LOAD, attributes)
        pages = -(-SLOT_BYTES * SLOTS // mmap.PAGESIZE) * mmap.PAGESIZE
        self._memory = mmap.mmap(self._map, pages)
        start = FFI_OF_SLOT.cast("char *", FFI_OF_SLOT.from_buffer(self._memory))
        head = FFI_OF_SLOT.cast("struct kernel_head *", start)
        head.port_first, head.pairs = PORT_FIRST, PAIRS
        self.flow: Any = FFI_OF_SLOT.cast("struct kernel_flow *", start + SLOT_BYTES)
        self.more: Any = FFI_OF_SLOT.cast("struct kernel_more *", start + SLOT_BYTES * (1 + PAIRS))

    def run(self, packet: bytes) -> tuple[int, bytes]:
        """What the program returns, and the packet as it leaves it."""
        given, room = ctypes.create_string_buffer(packet, len(packet)), ctypes.create_string_buffer(2048)
        places = (ctypes.addressof(given), ctypes.addressof(room))
        asked = struct.pack("<4I2Q", self._program, 0, len(packet), len(room), *places)
        _, answer = bpf(PROG_TEST_RUN, asked)
        _, verdict, _, size = struct.unpack_from("<4I", answer)
        return verdict, room.raw[:size]

    def close(self) -> None:
        os.close(self._program)
        os.close(self._map)
