"""The RTP bridge in the engine's words: a voice a leg, offers and answers, ringback, and who has fallen silent.

What SDP means is webcb.sip; packets are rtpbridge. Which codecs this engine carries stands here.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from rtpbridge import Bridge, Direction, EventKind, Port, Tone
from webcb.engine.tones import ringback
from webcb.sip.grammar import ProtocolError
from webcb.sip.offer_answer import Codec, Stream, make_answer, make_offer, read_answer, read_offer

SILENCE_MS: Final = 10_000  # until the bridge tells that a leg is silent; how long that is borne stands in leg.py
TELEPHONE_EVENT: Final = "telephone-event"
VOICE_CODECS: Final = {
    "PCMU": Codec("PCMU", 0, 8000),
    "PCMA": Codec("PCMA", 8, 8000),
}
_DIGITS: Final = Codec(TELEPHONE_EVENT, 101, 8000, "0-16")


@dataclass(slots=True)
class Voice:
    """One leg's voice: its port, and the description last told to its peer."""

    port: Port
    host: str
    session_id: int
    version: int = 1
    offer: bytes = b""

    def make_offer(self, names: Iterable[str]) -> bytes:
        """The offer of an INVITE, with these codecs."""
        codecs = tuple(_codec(name) for name in names)
        self.offer = make_offer(self.host, self.port.rtp_port, codecs, self.session_id, self.version)
        return self.offer

    def take_answer(self, sdp: bytes, offer: bytes = b"") -> tuple[str, ...]:
        """Connect the port to the peer that answered; the codecs it chose. ProtocolError: no voice comes of this answer.

        `offer` is what it answers where that is not the offer of the INVITE.
        """
        stream = read_answer(offer or self.offer, sdp)
        self._connect(stream, _payloads(read_offer(offer or self.offer)))
        return tuple(codec.name for codec in stream.codecs)

    def answer_offer(self, sdp: bytes, names: Sequence[str]) -> tuple[bytes, bool]:
        """The answer to an offer of the peer, and whether it will send no voice. ProtocolError: refused, nothing changes.

        `names` are the codecs the other leg has. Where the peer has none of them left but the other law of G.711, the bridge
        recodes.
        """
        if not sdp:  # a re-INVITE without an offer wants ours (RFC 3261, 14.2); what its ACK answers is taken then
            return self._offer_again(), False
        stream = read_offer(sdp)
        offered = {codec.name for codec in stream.codecs}
        if not any(name in VOICE_CODECS and name in offered for name in names):
            names = (*VOICE_CODECS, *names)
        codecs = tuple(_codec(name) for name in dict.fromkeys(names))
        answer = make_answer(sdp, self.host, self.port.rtp_port, codecs, self.session_id, self.version + 1)
        self._connect(stream, _payloads(stream))  # an answer keeps the numbers of the offer
        self.version += 1
        return answer, stream.direction in ("recvonly", "inactive")

    def _offer_again(self) -> bytes:
        """The offer of the INVITE; where something else was told in between, under a new version (RFC 3264, 8)."""
        if self.version > 1:
            self.version += 1
            codecs = read_offer(self.offer).codecs
            return make_offer(self.host, self.port.rtp_port, codecs, self.session_id, self.version)
        return self.offer

    def _connect(self, stream: Stream, ours: dict[str, int]) -> None:
        try:
            if not ip_address(stream.host).is_unspecified:  # the hold of RFC 2543: the address stays as it was
                self.port.connect(stream.host, stream.port, _payloads(stream), stream.rtcp_port, ours=ours)
            self.port.hold(Direction[stream.direction.upper()])
        except ValueError as wrong:
            raise ProtocolError(f"voice cannot be sent to {stream.host}: {wrong}", 488) from wrong


def _payloads(stream: Stream) -> dict[str, int]:
    """The payload numbers of a description, by encoding name and clock."""
    return {f"{codec.name}/{codec.clock_rate}": codec.payload_type for codec in stream.codecs}


def _codec(name: str) -> Codec:
    return _DIGITS if name == TELEPHONE_EVENT else VOICE_CODECS[name]


def offered_codecs(route_codecs: Sequence[str], wanted: Sequence[str]) -> tuple[str, ...]:
    """What a leg is offered over a connection: those of the `wanted` codecs that it carries and we do.

    Digits (telephone-event) go along where wanted. Empty where no voice is in common.
    """
    carried = [name.upper() for name in route_codecs]
    asked = [name.upper() for name in wanted]
    voices = tuple(name for name in asked if name in VOICE_CODECS and name in carried)
    return (*voices, TELEPHONE_EVENT) if voices and TELEPHONE_EVENT in wanted else voices


class Media:
    """The bridge with its ports. `advertised` is the address written into SDP; `entropy(n)` gives n random bytes."""

    def __init__(self, bridge: Bridge, advertised: str, entropy: Callable[[int], bytes]) -> None:
        self._bridge = bridge
        self._advertised = str(ip_address(advertised))
        self._entropy = entropy
        self._watchers: dict[int, Callable[[bool], None]] = {}

    def open_voice(self, heard: Callable[[bool], None]) -> Voice:
        """A voice for a leg; `heard(False)` is called when it falls silent, `heard(True)` when it is heard (again).

        PortsUsedUp: none is left.
        """
        port = self._bridge.open_port()
        self._watchers[port.id] = heard
        return Voice(port, self._advertised, int.from_bytes(self._entropy(4)))

    def play_ringback(self, voice: Voice, country: str) -> None:
        """Let the leg hear a country's ringback until it is joined."""
        tone = ringback(country)
        voice.port.play(Tone(tone.frequencies_hz, tone.cadence_ms))

    def join(self, a: Voice, b: Voice) -> None:
        """Let two legs hear each other."""
        self._bridge.join(a.port, b.port)

    def split(self, a: Voice, b: Voice) -> None:
        """Let them not hear each other any more."""
        self._bridge.split(a.port, b.port)

    def close_voice(self, voice: Voice) -> None:
        """Free the leg's port."""
        self._watchers.pop(voice.port.id, None)
        voice.port.close()

    def fileno(self) -> int:
        """Readable when `take_events` has something to do."""
        return self._bridge.fileno()

    def take_events(self) -> None:
        """Tell the watchers what the bridge has seen."""
        for event in self._bridge.events():
            watcher = self._watchers.get(event.port)
            if watcher is not None:
                watcher(event.kind is not EventKind.SILENT)

    def close(self) -> None:
        """Close every port and end the bridge's thread."""
        self._bridge.close()
