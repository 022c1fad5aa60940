"""Offer and answer for one audio stream (RFC 3264): which host, port, codecs and direction a pair of descriptions agrees on.

Video and whatever else a peer offers is refused with port 0. RTP itself is carried elsewhere.
"""

from dataclasses import dataclass
from typing import Final, Literal

from webcb.sip.grammar import ProtocolError, parse_number
from webcb.sip.sdp import Attributes, Description, Media, parse_sdp

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]

PAYLOAD_TYPE_MAX: Final = 127
CLOCK_RATE_MAX: Final = 192_000
PTIME_MS_MAX: Final = 1000
PROTOCOL: Final = "RTP/AVP"
TELEPHONE_EVENT: Final = "telephone-event"

# Payload numbers that need no rtpmap (RFC 3551, table 4).
STATIC: Final = {
    0: ("PCMU", 8000), 3: ("GSM", 8000), 4: ("G723", 8000), 8: ("PCMA", 8000), 9: ("G722", 8000), 13: ("CN", 8000),
    15: ("G728", 8000), 18: ("G729", 8000),
}  # fmt: skip
NAMES: Final = {name.lower(): name for name, _ in STATIC.values()} | {TELEPHONE_EVENT: TELEPHONE_EVENT}
MIRRORED: Final[dict[Direction, Direction]] = {
    "sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Codec:
    """A codec by its registered name, with the payload number it has in this description; `clock_rate` in hertz."""

    name: str
    payload_type: int
    clock_rate: int
    fmtp: str = ""

    def is_same(self, other: "Codec") -> bool:
        """Whether both mean one codec, whatever its number."""
        return self.name.lower() == other.name.lower() and self.clock_rate == other.clock_rate


@dataclass(frozen=True, slots=True)
class Stream:
    """Where one side wants its audio, in which codecs, best first. `direction` as that side sees it: its "sendonly" is a hold."""

    host: str
    port: int
    rtcp_port: int
    codecs: tuple[Codec, ...]
    direction: Direction
    ptime_ms: int | None


def make_offer(
    host: str, port: int, codecs: tuple[Codec, ...], session_id: int, version: int, direction: Direction = "sendrecv"
) -> bytes:
    """An offer of one audio stream (RFC 3264, 5). A changed offer in the same dialog keeps `session_id`, and adds 1 to `version`."""
    media = Media("audio", port, PROTOCOL, [str(codec.payload_type) for codec in codecs])
    media.attributes = [*_print_codecs(codecs), (direction, "")]
    return Description("-", str(session_id), str(version), host, media=[media]).encode()


def read_offer(offer: bytes) -> Stream:
    """The audio stream that a peer offers; the first of several. ProtocolError: none, or malformed."""
    description = parse_sdp(offer)
    return _read_stream(description, _offered_audio(description))


def make_answer(offer: bytes, host: str, port: int, codecs: tuple[Codec, ...], session_id: int, version: int) -> bytes:
    """Answer a peer's offer (RFC 3264, 6): its first audio stream in the codecs both have, in its order and numbers.

    Everything else is refused, a hold is mirrored. ProtocolError: no audio, or no codec in common.
    """
    description = parse_sdp(offer)
    audio = _offered_audio(description)
    stream = _read_stream(description, audio)
    common = tuple(codec for codec in stream.codecs if any(codec.is_same(own) for own in codecs))
    if all(codec.name == TELEPHONE_EVENT for codec in common):
        raise ProtocolError("no codec in common", 488)
    answer = Description("-", str(session_id), str(version), host, times=description.times)
    for media in description.media:
        if media is audio:
            accepted = Media("audio", port, media.protocol, [str(codec.payload_type) for codec in common])
            accepted.attributes = [*_print_codecs(common), (MIRRORED[stream.direction], "")]
            answer.media.append(accepted)
        else:
            answer.media.append(Media(media.kind, 0, media.protocol, media.formats))
    return answer.encode()


def read_answer(offer: bytes, answer: bytes) -> Stream:
    """The audio stream that a peer answers to our offer: only codecs we offered, in the peer's numbers (RFC 3264, 7).

    ProtocolError: other media sections than offered, audio refused or of another protocol, no codec that we offered.
    """
    ours, theirs = parse_sdp(offer), parse_sdp(answer)
    kinds = [media.kind for media in ours.media]
    if [media.kind for media in theirs.media] != kinds:
        raise ProtocolError("an answer has other media sections than the offer", 488)
    audio = _offered_audio(ours)
    answered = theirs.media[ours.media.index(audio)]
    if not answered.port:
        raise ProtocolError("the audio was refused", 488)
    if answered.protocol != audio.protocol:
        raise ProtocolError("the audio was answered with another protocol", 488)
    offered = _read_codecs(audio)
    stream = _read_stream(theirs, answered)
    codecs = tuple(codec for codec in stream.codecs if any(codec.is_same(own) for own in offered))
    if all(codec.name == TELEPHONE_EVENT for codec in codecs):
        raise ProtocolError("no codec that was offered is in the answer", 488)
    return Stream(stream.host, stream.port, stream.rtcp_port, codecs, stream.direction, stream.ptime_ms)


def _offered_audio(description: Description) -> Media:
    for media in description.media:
        if media.kind == "audio" and media.port and media.protocol in (PROTOCOL, "RTP/AVPF"):
            return media
    raise ProtocolError("no audio over plain RTP is offered", 488)


def _read_stream(description: Description, audio: Media) -> Stream:
    host = description.host_of(audio)
    direction = _read_direction(description, audio)
    if host in ("0.0.0.0", "::"):  # noqa: S104 - the hold of RFC 2543: it wants to hear nothing (RFC 3264, 8.4)
        direction = "sendonly" if direction == "sendrecv" else "inactive" if direction == "recvonly" else direction
    rtcp = (audio.first("rtcp") or "").split(" ")[0]  # RFC 3605
    rtcp_port = parse_number(rtcp, 65535, "an RTCP port") if rtcp else min(audio.port + 1, 65535)
    ptime = (description.attribute(audio, "ptime") or "").strip().partition(".")[0]
    ptime_ms = parse_number(ptime, PTIME_MS_MAX, "ptime") if ptime else 0
    return Stream(host, audio.port, rtcp_port, tuple(_read_codecs(audio)), direction, ptime_ms or None)


def _read_direction(description: Description, audio: Media) -> Direction:
    for attributes in (audio.attributes, description.attributes):
        for name, _ in attributes:
            if name in MIRRORED:
                return name
    return "sendrecv"


def _read_codecs(audio: Media) -> list[Codec]:
    """The formats in the peer's order; a number without meaning is passed over."""
    maps = dict(value.split(" ", 1) for value in audio.values("rtpmap") if " " in value)
    fmtps = dict(value.split(" ", 1) for value in audio.values("fmtp") if " " in value)
    codecs = []
    for text in audio.formats:
        number = parse_number(text, PAYLOAD_TYPE_MAX, "a payload type")
        if text in maps:
            name, _, rest = maps[text].strip().partition("/")
            clock = parse_number(rest.partition("/")[0], CLOCK_RATE_MAX, "a clock rate")
        elif number in STATIC:
            name, clock = STATIC[number]
        else:
            continue
        codecs.append(Codec(NAMES.get(name.lower(), name), number, clock, fmtps.get(text, "")))
    return codecs


def _print_codecs(codecs: tuple[Codec, ...]) -> Attributes:
    maps = [("rtpmap", f"{codec.payload_type} {codec.name}/{codec.clock_rate}") for codec in codecs]
    return maps + [("fmtp", f"{codec.payload_type} {codec.fmtp}") for codec in codecs if codec.fmtp]
