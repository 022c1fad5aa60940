"""The carrier of the cycle benchmark, a process of its own: PORT [TALK_MS [LOAD PHONES SECONDS REPORT]].

Its phones hum, a frame now and then, or they would be taken for dead after a minute; unless LOAD is there, the phones of
bench/media_load.c: then each leg that is answered gets one of these as its voice, and once all PHONES are on the line they talk for
SECONDS, A with B, and what came of it is written to REPORT.
"""

import asyncio
import json
import os
import resource
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from threading import Thread

from webcb.demo.carrier import serve
from webcb.demo.phones import CALLER, ECHOES, SPEAKS, Phone, Voice
from webcb.settings import Bind
from webcb.sip.offer_answer import Stream

TALK_MS = 500
HUM_SECONDS = 5.0
FRAME = b"\xff" * 160  # of PCMU: silence
BEGINNING_SECONDS = 2  # in which all begin at once, and the kernel path takes over
STAYS = replace(ECHOES, decides_ms=0, voice=Voice.SILENCE)


def phones(talk_ms: int) -> tuple[Phone, ...]:
    """One that is called, one that hangs up after so long, and one that never does."""
    return (
        replace(CALLER, decides_ms=0, voice=Voice.SILENCE),
        replace(SPEAKS, decides_ms=0, voice=Voice.SILENCE, hangs_up_ms=talk_ms),
        STAYS,
    )


class Hum:
    """Lines that each send a frame every HUM_SECONDS."""

    def __init__(self) -> None:
        self.lines: set[HumLine] = set()
        self._is_on = False

    def open_line(self, _: Phone) -> "HumLine":
        """A line of its own."""
        if not self._is_on:
            self._is_on = True
            self._sound()
        return HumLine(self)

    def _sound(self) -> None:
        for line in self.lines:
            line.sound()
        asyncio.get_running_loop().call_later(HUM_SECONDS, self._sound)


class HumLine:
    """The voice of one call: see demo.phone.Line."""

    def __init__(self, hum: Hum) -> None:
        self._hum = hum
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(("127.0.0.1", 0))
        self.rtp_port = int(self._socket.getsockname()[1])
        self._to: tuple[str, int] | None = None
        self._frames = 0

    def talk(self, stream: Stream) -> None:
        """Where it sends to."""
        self._to = stream.host, stream.port
        self._hum.lines.add(self)

    def sound(self) -> None:
        """Send a frame; nobody looks at what comes."""
        self._frames += 1
        head = struct.pack(
            ">BBHII", 0x80, 0, self._frames & 0xFFFF, int(self._frames * HUM_SECONDS * 8000), self.rtp_port
        )
        if self._to is not None:
            self._socket.sendto(head + FRAME, self._to)

    def close(self) -> None:
        """It is over."""
        self._hum.lines.discard(self)
        self._socket.close()


def told_of(load: subprocess.Popen[str], destinations: Sequence[int], seconds: int) -> dict[str, float]:
    """Let all phones of a load talk, each to its destination, and tell by name what came of it after the beginning."""
    assert load.stdin is not None and load.stdout is not None
    order = f"0 0 {BEGINNING_SECONDS * 1000} {seconds * 1000}"
    load.stdin.write("\n".join((*map(str, destinations), order)) + "\n")
    load.stdin.close()
    names = ("sent", "received", "cpu_us", "per_second", "p50_ns", "p99_ns", "p999_ns", "late_p99_ns")
    return dict(zip(names, map(float, list(load.stdout)[-1].split()), strict=True))


def start_load(load: str, phones: int, seconds: int) -> tuple[subprocess.Popen[str], list[int]]:
    """The program of a load with so many phones, that may use every core, and the ports of its phones."""
    command = [load, str(phones), "1", "1", str(seconds)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    os.sched_setaffinity(process.pid, range(os.cpu_count() or 1))  # not only those that are left beside an engine
    assert process.stdout is not None
    return process, [int(process.stdout.readline()) for _ in range(phones)]


class Crowd:
    """The phones of the load: handed out in the order in which legs are answered."""

    def __init__(self, load: str, count: int, seconds: int, report: Path) -> None:
        self._seconds = seconds
        self._process, self.ports = start_load(load, count, seconds)
        self._report = report
        self._free = iter(range(count))
        self._destinations: dict[int, int] = {}

    def open_line(self, _: Phone) -> "CrowdLine":
        """The next phone of the load."""
        return CrowdLine(self, next(self._free))

    def talks(self, place: int, port: int) -> None:
        """A phone knows where to send; when all do, they begin."""
        self._destinations[place] = port
        if len(self._destinations) == len(self.ports):
            Thread(target=self._let_talk).start()

    def _let_talk(self) -> None:
        destinations = [self._destinations[place] for place in range(len(self.ports))]
        part = self._report.with_suffix(".part")
        part.write_text(json.dumps(told_of(self._process, destinations, self._seconds)))
        part.rename(self._report)


class CrowdLine:
    """The voice of one call: see demo.phone.Line."""

    def __init__(self, crowd: Crowd, place: int) -> None:
        self._crowd = crowd
        self._place = place
        self.rtp_port = crowd.ports[place]

    def talk(self, stream: Stream) -> None:
        """It sends to the far side when all others do."""
        self._crowd.talks(self._place, stream.port)

    def close(self) -> None:
        """The load ends by itself."""


def main(port: str, talk_ms: str = str(TALK_MS), *crowd: str) -> None:
    """Be the carrier until a signal."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    open_line = Crowd(crowd[0], int(crowd[1]), int(crowd[2]), Path(crowd[3])).open_line if crowd else Hum().open_line
    asyncio.run(serve(Bind("127.0.0.1", int(port)), phones(int(talk_ms)), (), open_line))


if __name__ == "__main__":
    main(*sys.argv[1:])
