"""Carries the voice: a thread of C that receives, rewrites and sends RTP, and the Python face of it.

Here are `Bridge`, `Port` and the values they speak in. Not here: SDP, SIP, money, which call a port belongs to. Python
never sees a packet, C never calls Python; what happens is told by events behind a file descriptor.
"""

import enum
import errno
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from rtpbridge import kernel_path
from rtpbridge._bridge import ffi, lib
from rtpbridge.faults import PortsUsedUp, check
from rtpbridge.kernel_path import KernelFlow, try_kernel
from rtpbridge.keys import SrtpKey, SrtpSuite, describe_key
from rtpbridge.playing import Digit, Pause, Playable, Prompt, TimedTone, Tone, change_rate, describe_item

__all__ = [
    "Bridge",
    "Counters",
    "Digit",
    "Direction",
    "Event",
    "EventKind",
    "KernelFlow",
    "Pause",
    "Playable",
    "Port",
    "PortsUsedUp",
    "Prompt",
    "Scores",
    "SrtpKey",
    "SrtpSuite",
    "TimedTone",
    "Tone",
    "Way",
    "change_rate",
    "try_kernel",
]

CODECS_MAX: Final[int] = lib.CODECS_MAX
EVENTS_MAX: Final[int] = lib.EVENTS_MAX
PORT_MAX: Final = 65535
GATHER_US: Final = 1500
PAYLOAD_TYPE_MAX: Final = 127
OWNER_CHARACTERS_MAX: Final = 63


class Way(enum.Enum):
    """How datagrams come and go between the system and the bridge."""

    BEST = lib.WAY_BEST
    """io_uring where the host permits it, else epoll."""
    URING = lib.WAY_URING
    """io_uring: one standing request a socket; all that leaves goes with one call. Linux 6.1."""
    EPOLL = lib.WAY_EPOLL
    """epoll, recvmmsg, sendmmsg: everywhere."""


class EventKind(enum.Enum):
    """What is told of a port's far side."""

    MEDIA_BEGAN = lib.EVENT_MEDIA_BEGAN
    """Its first RTP came."""
    SILENT = lib.EVENT_SILENT
    """It has sent no RTP for `silence_ms`, since its last or since connect()."""
    RESUMED = lib.EVENT_RESUMED
    """It was silent and sends again."""
    DIGIT = lib.EVENT_DIGIT
    """A key was pressed and released: a telephone event, or a tone where that is sought."""
    PLAYED = lib.EVENT_PLAYED
    """All that play() was given has been played."""
    STOPPED = lib.EVENT_STOPPED
    """A digit cut off what was played."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: on the port of that id, at a moment of CLOCK_MONOTONIC in nanoseconds.

    Of a DIGIT: which one (0 to 9, *, #, A to D) and how long it was pressed.
    """

    port: int
    kind: EventKind
    at_ns: int
    digit: str = ""
    duration_ms: int = 0


class Direction(enum.Enum):
    """What a far side's own SDP says it does (RFC 8866, 6.7): value is (it sends, it receives)."""

    SENDRECV = (True, True)
    SENDONLY = (True, False)
    RECVONLY = (False, True)
    INACTIVE = (False, False)


@dataclass(frozen=True, slots=True)
class Counters:
    """What went through a port since it was opened; octets are of payload, as in a sender report (RFC 3550, 6.4.1).

    `kernel_packets` are those of `received_packets` that the kernel forwarded; what came after a join's deadline is in
    `dropped_deadline`.
    `last_received_ns` is of CLOCK_MONOTONIC, 0 before the first packet; `jitter_ms` is RFC 3550, A.8. Losses in bursts are those
    fewer than 16 packets apart (RFC 3611, 4.7.2); `silent_ms` are pauses over 200 ms that neither comfort noise nor a new
    talkspurt explains; `one_way`: for 5 s we have sent and heard nothing, `was_one_way`: so it was once
    while it was joined. `score` is the mean opinion score (1 to 4.5) of the
    last 5 s by the E-model (ITU-T G.107; G.722 is taken as G.711), 0 while it is not known or the codec has no figures;
    `far_...` is what the far side's reports say of our stream, `round_trip_ms` with it, 0 where it sends none.
    """

    received_packets: int
    received_octets: int
    kernel_packets: int
    sent_packets: int
    sent_octets: int
    dropped_strangers: int
    dropped_by_system: int
    dropped_unauthentic: int
    dropped_payload: int
    dropped_malformed: int
    dropped_late: int
    dropped_unsent: int
    dropped_deadline: int
    received_rtcp: int
    sent_rtcp: int
    lost_packets: int
    last_received_ns: int
    jitter_ms: float
    duplicate_packets: int
    reordered_packets: int
    burst_lost_packets: int
    comfort_noise_packets: int
    silent_ms: int
    one_way: bool
    was_one_way: bool
    score: float
    score_min: float
    score_mean: float
    far_lost_packets: int
    far_jitter_ms: float
    round_trip_ms: float


_COUNTERS: Final = tuple(Counters.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Scores:
    """The mean opinion scores of a port one after the other, a byte each: fiftieths of a point, 0 where there was nothing to judge.

    Each is of `window_ms` (5 s; of more than an hour 10 s, of more than two 20 s ...), the first from `begun_ns` of CLOCK_MONOTONIC
    on: when its far side was known first. That is 0, and there are none, before.
    """

    begun_ns: int
    window_ms: int
    fiftieths: bytes


class Bridge:
    """The RTP ports of one host, with the thread that serves them.

    `hosts` is an IPv4 or IPv6 literal of this host or several; a port binds one of them, and ports of either family are
    joined as they come. RTP ports are the even ones from `port_min` to `port_max`, each with RTCP above it. A far side that
    sends nothing for `silence_ms` is told as SILENT. The address its SDP named must be silent for `latch_ms` before another
    is believed, and whoever was believed for `relearn_ms` before a neighbour of his is, or for twice that before anybody,
    unless the SDP's address itself was heard. RTCP reports go every `report_ms` or so (RFC 3550, 6.2).
    After packets came the next are let gather until there are 64, for `gather_us` at most: less CPU, that much more latency.
    `way` is for comparisons; the attribute says which one it became.
    With `kernel`, voice of joined ports passes through the kernel where the host permits it: `kernel_state` says whether.
    Under an `owner` (letters, digits, dots, dashes, underscores) it goes on when this process is killed, until the
    deadline of its join: the next bridge of that owner finds it in `kernel_flows`, and takes it over with `adopt`. `pins` is the
    folder of bpffs for it, by default the host's. Raises ValueError for a wrong range or host, OSError when a host is not ours.
    """

    def __init__(
        self,
        hosts: str | Sequence[str],
        port_min: int,
        port_max: int,
        *,
        silence_ms: int = 10_000,
        latch_ms: int = 3_000,
        relearn_ms: int = 10_000,
        report_ms: int = 5_000,
        gather_us: int = GATHER_US,
        way: Way = Way.BEST,
        kernel: bool = False,
        owner: str = "",
        pins: str = "",
    ) -> None:
        self._bridge: Any = ffi.NULL
        if not 0 < port_min <= port_max <= PORT_MAX:
            raise ValueError(f"RTP ports {port_min} to {port_max}: not a range of ports")
        if not re.fullmatch(rf"[A-Za-z0-9._-]{{0,{OWNER_CHARACTERS_MAX}}}", owner):
            raise ValueError(
                f"owner {owner!r}: up to {OWNER_CHARACTERS_MAX} letters, digits, dots, dashes, underscores"
            )
        self.hosts = (hosts,) if isinstance(hosts, str) else tuple(hosts)
        names = [ffi.new("char[]", host.encode()) for host in self.hosts]
        listed = ffi.new("const char *[]", names)
        owned, pinned = ffi.new("char[]", owner.encode()), ffi.new("char[]", pins.encode())
        plan = ffi.new(
            "struct bridge_plan *",
            {
                "hosts": listed,
                "hosts_count": len(names),
                "port_min": port_min,
                "port_max": port_max,
                "silence_ms": silence_ms,
                "latch_ms": latch_ms,
                "relearn_ms": relearn_ms,
                "report_ms": report_ms,
                "gather_us": gather_us,
                "way": way.value,
                "kernel": kernel,
                "kernel_owner": owned,
                "kernel_pins": pinned,
            },
        )
        opened = ffi.new("struct bridge **")
        check(lib.bridge_open(opened, plan), f"RTP on {', '.join(self.hosts)}, ports {port_min} to {port_max}")
        self._bridge = opened[0]
        self._events = ffi.new("struct event[]", EVENTS_MAX)
        self.way = Way(lib.bridge_way(self._bridge))

    def open_port(self, rtp_port: int | None = None, *, host: str | None = None) -> "Port":
        """Opens an RTP port drawn at random, or the named one (a call taken over from an earlier process).

        It binds the first of the bridge's `hosts`, or the named one of them. Raises PortsUsedUp when none is left,
        ValueError for a port that is odd or out of the range or a host that is not the bridge's, OSError when the named
        port is taken or descriptors are used up.
        """
        if host is not None and host not in self.hosts:
            raise ValueError(f"RTP host {host}: not one of {', '.join(self.hosts)}")
        place = 0 if host is None else self.hosts.index(host)
        if rtp_port is not None and not 0 < rtp_port <= PORT_MAX:
            raise ValueError(f"RTP port {rtp_port}: not a port")
        port_id = ffi.new("uint64_t *")
        opened = ffi.new("uint16_t *")
        error = lib.bridge_port_open(self._handle(), place, rtp_port or 0, port_id, opened)
        if error == errno.EADDRINUSE and rtp_port is None:
            raise PortsUsedUp(error, "every RTP port of the range is taken")
        check(error, "RTP port" if rtp_port is None else f"RTP port {rtp_port}")
        return Port(self, port_id[0], opened[0], self.hosts[place])

    def join(self, a: "Port", b: "Port") -> None:
        """What comes to either goes to the other's far side from now on; a tone that plays at either ends.

        Joining what is joined already changes nothing. Raises ValueError when one of them is joined to a third.
        """
        check(lib.bridge_join(self._handle(), a.id, b.id), f"join of RTP ports {a.rtp_port} and {b.rtp_port}")

    def split(self, a: "Port", b: "Port") -> None:
        """Ends a join. Raises ValueError when the two are not joined."""
        check(lib.bridge_split(self._handle(), a.id, b.id), f"split of RTP ports {a.rtp_port} and {b.rtp_port}")

    def set_deadline(self, a: "Port", b: "Port", deadline_ns: int) -> None:
        """From that moment of CLOCK_MONOTONIC on two joined ports get nothing of each other, though this process be dead.

        A join begins without a deadline; it may be moved either way. Raises ValueError when the two are not joined.
        """
        error = lib.bridge_set_deadline(self._handle(), a.id, b.id, deadline_ns)
        check(error, f"deadline of RTP ports {a.rtp_port} and {b.rtp_port}")

    def adopt(self, a: "Port", b: "Port") -> bool:
        """Joins two connected ports as an earlier process of this owner had them joined; False: it left no flow between them.

        The streams go on under the numbers they had. Raises ValueError when one of them is joined or not connected.
        """
        error = lib.bridge_adopt(self._handle(), a.id, b.id)
        if error == errno.ENOENT:
            return False
        check(error, f"adoption of RTP ports {a.rtp_port} and {b.rtp_port}")
        return True

    def kernel_state(self) -> tuple[bool, str]:
        """Whether the kernel may forward, and in words why not, or with what limit; empty: with none."""
        return kernel_path.state_of(self._handle())

    def kernel_flows(self) -> list[KernelFlow]:
        """What the kernel forwards now, this bridge's flows and those an earlier process of its owner left, by RTP port."""
        return kernel_path.flows_of(self._handle())

    def remove_kernel_flow(self, rtp_port: int) -> None:
        """Ends what an earlier process left for that RTP port; nothing left is no fault. ValueError: an open port holds it."""
        error = lib.bridge_kernel_remove(self._handle(), rtp_port)
        check(error if error != errno.ENOENT else 0, f"flow of RTP port {rtp_port}")

    def fileno(self) -> int:
        """An eventfd, readable while events() has something; it belongs to the bridge."""
        fd: int = lib.bridge_event_fd(self._handle())
        return fd

    def events(self) -> list[Event]:
        """Takes what has happened, oldest first; at most EVENTS_MAX wait for the reader."""
        count = lib.bridge_events(self._handle(), self._events, EVENTS_MAX)
        return [
            Event(
                port=told.port_id,
                kind=EventKind(told.kind),
                at_ns=told.at_ns,
                digit=told.digit.decode().rstrip("\0"),
                duration_ms=told.duration_ms,
            )
            for told in self._events[0:count]
        ]

    def events_lost(self) -> int:
        """How many events were lost because nobody read them in time."""
        lost: int = lib.bridge_events_lost(self._handle())
        return lost

    def close(self) -> None:
        """Closes every port and ends the thread; closing twice is no fault."""
        bridge, self._bridge = self._bridge, ffi.NULL
        lib.bridge_close(bridge)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _handle(self) -> Any:
        if self._bridge == ffi.NULL:
            raise ValueError("the bridge is closed")
        return self._bridge


class Port:
    """One leg's RTP port: made by Bridge.open_port(). Every call raises ValueError once the port is closed."""

    def __init__(self, bridge: Bridge, port_id: int, rtp_port: int, host: str) -> None:
        self._bridge = bridge
        self.id = port_id
        self.rtp_port = rtp_port
        self.host = host

    def connect(
        self,
        host: str,
        port: int,
        payloads: Mapping[str, int],
        rtcp_port: int | None = None,
        *,
        ours: Mapping[str, int] | None = None,
        frame_ms: int | None = None,
        heard: Mapping[str, int] | None = None,
    ) -> None:
        """Takes the far side's address and payload numbers from its SDP; again after each offer and answer.

        `payloads` gives its number by encoding name and clock ("PCMU/8000": 0), in its order of preference. What goes
        to this far side carries its numbers; a codec it does not have is dropped. `ours` are the numbers of our own SDP
        where they differ: what comes from it carries those (RFC 3264, 5.1). `rtcp_port` is a=rtcp (RFC 3605),
        the RTP port itself when multiplexed (RFC 5761), by default the one above. The watch for silence begins anew.
        `heard` are codecs that it may send besides, under these numbers of ours, and never gets: those of an offer that it has not
        answered yet, and what it spoke before its last answer.
        `frame_ms` is its a=ptime: frames of PCMU, PCMA and G.722 from a peer that has another length are cut anew, 10 to 120 ms.
        PCMU, PCMA and G.722 are recoded into one another where the two sides of a join have no codec of one name.
        Raises ValueError for a host that is no literal or of another family, for payloads out of their limits, and for a
        port of this bridge itself: packets would go round for ever.
        """
        if not 0 < port <= PORT_MAX or not 0 <= (rtcp_port or 0) <= PORT_MAX:
            raise ValueError(f"far side {host}, ports {port} and {rtcp_port}: not ports")
        own = ours or {}
        described = [_codec(name, number, own.get(name, number)) for name, number in payloads.items()]
        only_heard = [_codec(name, number, number) for name, number in (heard or {}).items() if name not in payloads]
        room = max(0, lib.CODECS_MAX - len(described))
        described += [each | {"payload_type": lib.NO_PAYLOAD} for each in only_heard[:room]]
        codecs = ffi.new("struct codec[]", described)
        name = ffi.new("char[]", host.encode())
        far_side = ffi.new(
            "struct far_side *",
            {
                "host": name,
                "rtp_port": port,
                "rtcp_port": rtcp_port or 0,
                "codecs": codecs,
                "codecs_count": len(codecs),
                "frame_ms": frame_ms or 0,
            },
        )
        self._ask(lib.bridge_port_connect, f"far side {host}:{port} with {dict(payloads)}", far_side)

    def secure(self, ours: SrtpKey | None, theirs: SrtpKey | None, *, rollovers_max: int = 0) -> None:
        """SRTP and SRTCP from now on (RFC 3711, RFC 7714): we send under `ours`, and take only what is under `theirs`.

        `ours` is the key of our own a=crypto, `theirs` that of the far side's. None and None is plain RTP again. Call it after
        each offer and answer, before connect(): the same keys change nothing, others rekey without a gap. A packet whose tag is
        wrong, or that came before, is counted as `dropped_unauthentic`. For a call taken over from an earlier process
        `rollovers_max` says how often the far side's sequence may have wrapped: its packets / 65,536 + 1; our own stream
        has another SSRC then, so that no keystream is used twice. Raises ValueError for one key without the other.
        """
        self._ask(lib.bridge_port_secure, "SRTP", describe_key(ours), describe_key(theirs), rollovers_max)

    def hold(self, direction: Direction) -> None:
        """Says what the far side does; one that does not send is not watched, one that does not receive gets nothing."""
        sends, receives = direction.value
        self._ask(lib.bridge_port_hold, "hold", sends, receives)

    def play(self, tone: Tone) -> None:
        """Plays a tone to the far side, a frame every 20 ms, until stop(), join() or close().

        It is heard in the first of the far side's codecs that is PCMU, PCMA or G.722. Raises ValueError before connect(), while
        joined, where there is no such codec, and for a tone out of its limits or louder than full scale.
        """
        self.play_prompts([tone], barge_in=False)

    def play_prompts(self, items: Sequence[Playable], *, barge_in: bool = True) -> None:
        """Plays these in a row, a frame every 20 ms, instead of what is played; then PLAYED is told.

        With `barge_in` the first digit of the far side ends it as soon as it begins, and STOPPED is told. To a port that is
        joined it is played instead of what its peer says (a warning before the money is out, digits). A Tone has no end:
        it can only be the last, and not while joined. Raises ValueError as play(), for no or more than PLAY_ITEMS_MAX items
        and for one out of its limits.
        """
        described = [describe_item(item) for item in items]
        self._ask(lib.bridge_port_play, f"play {list(items)}", described, len(described), barge_in)

    def send_digits(self, digits: str, *, on_ms: int = 100, off_ms: int = 100) -> None:
        """Sends digits in a row, then PLAYED is told; see play_prompts()."""
        items = [part for digit in digits for part in (Digit(digit, on_ms), Pause(off_ms))]
        self.play_prompts(items, barge_in=False)

    def detect_inband(self, on: bool) -> None:
        """Whether digits are sought among the tones of PCMU, PCMA and G.722 too, until the first telephone event comes."""
        self._ask(lib.bridge_port_detect_inband, "tones of digits", on)

    def stop(self) -> None:
        """Ends what is played, if anything is; nothing is told."""
        self._ask(lib.bridge_port_stop, "stop")

    def counters(self) -> Counters:
        """Reads what went through so far."""
        read = ffi.new("struct counters *")
        self._ask(lib.bridge_port_counters, "counters", read)
        return Counters(**{name: getattr(read, name) for name in _COUNTERS})

    def scores(self) -> Scores:
        """How well the far side was heard, over the time since it was known."""
        read = ffi.new("struct scores *")
        self._ask(lib.bridge_port_scores, "scores", read)
        return Scores(read.begun_ns, read.window_ms, bytes(ffi.buffer(read.fiftieths, read.count)))

    def close(self) -> None:
        """Sends RTCP BYE, ends a join and frees both ports; closing twice is no fault, nor after the bridge's close."""
        if self._bridge._bridge != ffi.NULL:
            error = lib.bridge_port_close(self._bridge._bridge, self.id)
            check(error if error != errno.EBADF else 0, f"close of RTP port {self.rtp_port}")

    def _ask(self, call: Any, what: str, *arguments: Any) -> None:
        check(call(self._bridge._handle(), self.id, *arguments), f"RTP port {self.rtp_port}, {what}")

    def __repr__(self) -> str:
        return f"<Port {self.rtp_port} id {self.id}>"


def _codec(name: str, theirs: int, ours: int) -> dict[str, object]:
    """One entry of a=rtpmap with its number in either SDP; channels may follow the clock ("opus/48000/2")."""
    for number in (theirs, ours):
        if not 0 <= number <= PAYLOAD_TYPE_MAX:
            raise ValueError(f"payload number {number} of {name}: not 0 to {PAYLOAD_TYPE_MAX}")
    _encoding, *rest = name.split("/")
    if not rest or not rest[0].isdecimal() or not 0 < int(rest[0]) < 2**32:
        raise ValueError(f"codec {name!r}: an encoding name and a clock, as in 'PCMU/8000'")
    encoded = name.encode()
    if len(encoded) >= lib.CODEC_NAME_BYTES:
        raise ValueError(f"codec {name!r}: longer than {lib.CODEC_NAME_BYTES - 1} octets")
    return {"name": encoded, "clock_hz": int(rest[0]), "payload_type": theirs, "our_payload_type": ours}
