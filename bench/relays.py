"""The relays that bench/media.py compares, each behind the same three calls, and the ng protocol of rtpengine.

A relay is told the ports of the phones, joins each pair of neighbours, and answers where every phone is to send. A further
one is added to RELAYS and nowhere else.
"""

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from bench.loopback import Attachment, links
from rtpbridge import Bridge

HOST: Final = "127.0.0.1"
PORT_MIN, PORT_MAX = 10_000, 21_999
NG_PORT_MIN, NG_PORT_MAX = 22_300, 32_700  # of rtpengine, which stands beside ours
PAYLOADS = {"PCMU/8000": 0, "telephone-event/8000": 101}
NG_PORT: Final = 22_222
NG_PATIENCE_S: Final = 5.0


class Missing(Exception):
    """What this comparison needs and is not here; the text says how to get it."""


class Relay(Protocol):
    def join(self, phones: Sequence[int]) -> list[int]:
        """Where each phone is to send; phones 2n and 2n+1 talk to each other."""

    def cpu_s(self) -> float:
        """CPU seconds that the relay has used so far."""

    def take_turn(self, is_on: bool) -> None:
        """Its turn begins, or is over: what it would cost the others to have it at rest beside them is done away with."""

    def close(self) -> None:
        """Stop it."""


class NoRelay:
    """The phones send to each other directly: what everything else is measured against."""

    def join(self, phones: Sequence[int]) -> list[int]:
        return [phones[index ^ 1] for index in range(len(phones))]

    def cpu_s(self) -> float:
        return 0.0

    def take_turn(self, is_on: bool) -> None:
        pass

    def close(self) -> None:
        pass


class UserSpace:
    """Our bridge, in this process: its threads are those besides the one that measures."""

    def __init__(self, *, kernel: bool = False) -> None:
        self._bridge = Bridge(HOST, PORT_MIN, PORT_MAX, kernel=kernel)
        # Our reports come to somebody: at a port where nobody is, each costs the host an ICMP message that no real phone makes us pay.
        self._reports = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._reports.bind((HOST, 0))

    def join(self, phones: Sequence[int]) -> list[int]:
        ports = [self._bridge.open_port() for _ in phones]
        for port, phone in zip(ports, phones, strict=True):
            port.connect(HOST, phone, PAYLOADS, rtcp_port=self._reports.getsockname()[1])
        for a, b in zip(ports[::2], ports[1::2], strict=True):
            self._bridge.join(a, b)
        return [port.rtp_port for port in ports]

    def cpu_s(self) -> float:
        return _ran_s(Path("/proc/self/task"), besides=threading.get_native_id())

    def take_turn(self, is_on: bool) -> None:
        pass

    def close(self) -> None:
        self._reports.close()
        self._bridge.close()


class Kernel(UserSpace):
    """Our bridge with the kernel path; what passes there is work of whoever sends, on loopback: of the phones."""

    def __init__(self) -> None:
        device = socket.if_nametoindex("lo")
        try:
            before = links(device)
        except OSError as error:
            raise Missing(f"the kernel path is not to be had here: {error}") from error
        super().__init__(kernel=True)
        is_used, why = self._bridge.kernel_state()
        if not is_used:
            super().close()
            raise Missing(f"the kernel path is not to be had here: {why}")
        ((link, program),) = (found for found in links(device).items() if found[0] not in before)
        self._attachment = Attachment(link, program)

    def take_turn(self, is_on: bool) -> None:
        if is_on:
            self._attachment.put_back()
        else:
            self._attachment.take_off()

    def close(self) -> None:
        self._attachment.close()
        super().close()


class RtpEngine:
    """rtpengine of Debian in user space, driven as a SIP proxy would: an offer and an answer a call."""

    def __init__(self) -> None:
        program = shutil.which("rtpengine") or shutil.which("rtpengine", path="/usr/sbin:/usr/bin")
        if program is None:
            raise Missing(
                "rtpengine is not here. On Debian: sudo apt-get install --no-install-recommends rtpengine-daemon"
            )
        self._process = subprocess.Popen(
            [
                *(program, "--foreground", "--table=-1", "--log-level=0", "--log-stderr"),
                *(
                    f"--interface={HOST}",
                    f"--listen-ng={HOST}:{NG_PORT}",
                    f"--port-min={NG_PORT_MIN}",
                    f"--port-max={NG_PORT_MAX}",
                ),
            ],
            stderr=subprocess.DEVNULL,
        )
        self._ng = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._ng.connect((HOST, NG_PORT))
        self._ng.settimeout(0.1)
        self._asked = 0
        give_up = time.monotonic() + NG_PATIENCE_S
        while True:
            try:
                self._ask({"command": "ping"})
                break
            except OSError:
                if time.monotonic() > give_up or self._process.poll() is not None:
                    self.close()
                    raise Missing("rtpengine does not start or does not answer") from None
                time.sleep(0.05)
        self._ng.settimeout(NG_PATIENCE_S)

    def join(self, phones: Sequence[int]) -> list[int]:
        destinations = []
        for number, (a, b) in enumerate(zip(phones[::2], phones[1::2], strict=True)):
            call = {"call-id": f"call-{number}", "from-tag": "a"}
            facing_b = self._ask({"command": "offer", **call, "sdp": _sdp(a)})
            facing_a = self._ask({"command": "answer", **call, "to-tag": "b", "sdp": _sdp(b)})
            destinations += [_port_of(facing_a["sdp"]), _port_of(facing_b["sdp"])]
        return destinations

    def cpu_s(self) -> float:
        return _ran_s(Path(f"/proc/{self._process.pid}/task"))

    def take_turn(self, is_on: bool) -> None:
        pass

    def close(self) -> None:
        self._ng.close()
        self._process.terminate()
        self._process.wait(timeout=10)

    def _ask(self, request: dict[str, str]) -> dict[str, Any]:
        self._asked += 1
        cookie = f"{self._asked} ".encode()
        self._ng.send(cookie + bencode(request))
        while not (reply := self._ng.recv(65_535)).startswith(cookie):
            pass
        answer: dict[str, Any] = bdecode(reply[len(cookie) :])
        if answer["result"] not in ("ok", "pong"):
            raise OSError(f"rtpengine refused {request['command']}: {answer}")
        return answer


def _ran_s(tasks: Path, besides: int = 0) -> float:
    """CPU seconds of a process's threads, to the nanosecond, but of one."""
    ran = (task for task in tasks.iterdir() if task.name != str(besides))
    return sum(int((task / "schedstat").read_text().split()[0]) for task in ran) / 1e9


def _sdp(port: int) -> str:
    lines = ("v=0", f"o=- 1 1 IN IP4 {HOST}", "s=-", f"c=IN IP4 {HOST}", "t=0 0", f"m=audio {port} RTP/AVP 0 101")
    return "\r\n".join((*lines, "a=rtpmap:101 telephone-event/8000", ""))


def _port_of(sdp: str) -> int:
    return int(next(line for line in sdp.splitlines() if line.startswith("m=audio")).split()[1])


def bencode(value: object) -> bytes:
    """The bencoding (BEP 3) of text, whole numbers, lists and dictionaries with text as keys."""
    match value:
        case str():
            octets = value.encode()
            return b"%d:%s" % (len(octets), octets)
        case int():
            return b"i%de" % value
        case list():
            return b"l" + b"".join(map(bencode, value)) + b"e"
        case dict():
            return b"d" + b"".join(bencode(key) + bencode(value[key]) for key in sorted(value)) + b"e"
    raise TypeError(f"no bencoding of {value!r}")


def bdecode(octets: bytes) -> Any:
    """The value of a bencoding; ValueError when it is none."""
    value, end = _bdecode_at(octets, 0)
    if end != len(octets):
        raise ValueError(f"{len(octets) - end} octets too many")
    return value


def _bdecode_at(octets: bytes, at: int) -> tuple[Any, int]:
    kind = octets[at : at + 1]
    if kind == b"i":
        end = octets.index(b"e", at)
        return int(octets[at + 1 : end]), end + 1
    if kind in (b"l", b"d"):
        values, at = [], at + 1
        while octets[at : at + 1] != b"e":
            value, at = _bdecode_at(octets, at)
            values.append(value)
        return (values if kind == b"l" else dict(zip(values[::2], values[1::2], strict=True))), at + 1
    colon = octets.index(b":", at)
    end = colon + 1 + int(octets[at:colon])
    return octets[colon + 1 : end].decode(), end


RELAYS: Final[dict[str, Callable[[], Relay]]] = {
    "no relay": NoRelay,
    "kernel": Kernel,
    "user space": UserSpace,
    "rtpengine": RtpEngine,
}
