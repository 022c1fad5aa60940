"""Offer and answer for one audio stream (RFC 3264): which host, port, codecs, direction and keys a pair of descriptions agrees on.

Video and whatever else a peer offers is refused with port 0, and so are more audio streams than one. Of ICE, bundles and what
else is unknown nothing is answered, so that a peer goes on without (RFC 8839, RFC 9143). RTP is carried elsewhere.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from webcb.sip.grammar import ProtocolError, parse_number
from webcb.sip.sdes import Crypto, read_cryptos
from webcb.sip.sdp import Attributes, Description, Media, parse_sdp

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
Srtp = Literal["none", "optional", "required"]

PAYLOAD_TYPE_MAX: Final = 127
CLOCK_RATE_MAX: Final = 192_000
CHANNELS_MAX: Final = 255
PTIME_MS_MAX: Final = 1000
OFFERS_KNOWN_MAX: Final = 32
PLAIN: Final = ("RTP/AVP", "RTP/AVPF")
SECURE: Final = ("RTP/SAVP", "RTP/SAVPF")
TELEPHONE_EVENT: Final = "telephone-event"

# Payload numbers that need no rtpmap (RFC 3551, table 4). The clock of G.722 is 8000 there, whatever it samples at.
STATIC: Final = {
    0: ("PCMU", 8000), 3: ("GSM", 8000), 4: ("G723", 8000), 8: ("PCMA", 8000), 9: ("G722", 8000), 13: ("CN", 8000),
    15: ("G728", 8000), 18: ("G729", 8000),
}  # fmt: skip
NAMES: Final = {name.lower(): name for name, _ in STATIC.values()} | {name: name for name in ("opus", TELEPHONE_EVENT)}
NO_VOICE: Final = frozenset({TELEPHONE_EVENT, "CN"})
# What fmtp says of these is a wish of who wrote it for what it receives, not a choice of both (RFC 7587, 7.1).
DECLARED: Final = frozenset({"opus"})
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
    channels: int = 1

    @property
    def encoding(self) -> str:
        """As after a=rtpmap: "PCMU/8000", "opus/48000/2"."""
        return f"{self.name}/{self.clock_rate}" + (f"/{self.channels}" if self.channels > 1 else "")

    def is_same(self, other: "Codec") -> bool:
        """Whether both mean one codec, whatever its number."""
        return (
            self.clock_rate == other.clock_rate
            and self.channels == other.channels
            and (self.name == other.name or self.name.lower() == other.name.lower())
        )


@dataclass(frozen=True, slots=True)
class Stream:
    """Where one side wants its audio, in which codecs, best first. `direction` as that side sees it: its "sendonly" is a hold.

    `ptime_ms` and `maxptime_ms` are its wish for the length of packets and the longest it takes. `is_rtcp_mux`: it can have RTCP
    on the RTP port (RFC 5761). `cryptos` are its usable a=crypto lines; `is_secure`: its profile knows no plain RTP.
    """

    host: str
    port: int
    rtcp_port: int
    codecs: tuple[Codec, ...]
    direction: Direction
    ptime_ms: int | None
    maxptime_ms: int | None = None
    is_rtcp_mux: bool = False
    cryptos: tuple[Crypto, ...] = ()
    is_secure: bool = False

    @property
    def crypto(self) -> Crypto | None:
        """The line that its author likes best; None: plain RTP."""
        return self.cryptos[0] if self.cryptos else None


@dataclass(frozen=True, slots=True)
class Side:
    """What we say of ourselves. `version` is 1 more wherever the description is another than before (RFC 3264, 8).

    `codecs` best first, in our numbers. `ptime_ms`: the packets we like. `cryptos`: in an offer a line for each suite, best
    first; in an answer the one line that was chosen, with the tag of the offer's.
    """

    host: str
    port: int
    codecs: tuple[Codec, ...]
    session_id: int
    version: int
    direction: Direction = "sendrecv"
    ptime_ms: int | None = None
    cryptos: tuple[Crypto, ...] = ()
    srtp: Srtp = "none"


def write_offer(side: Side, before: bytes = b"") -> bytes:
    """An offer of one audio stream (RFC 3264, 5). With `srtp` "required" it is RTP/SAVP; "optional" has keys beside plain RTP/AVP.

    `before` is what we told last in the same dialog: each of its media sections keeps its place, refused but for our audio
    (RFC 3264, 8).
    """
    protocol = SECURE[0] if side.srtp == "required" else PLAIN[0]
    media = Media("audio", side.port, protocol, [str(codec.payload_type) for codec in side.codecs])
    media.attributes = [*_print_codecs(side.codecs), *_print_rest(side), (side.direction, "")]
    told = parse_sdp(before).media if before else []
    ours = next((each for each in told if each.port), None)
    sections = [media if each is ours else _refused(each) for each in told] if ours else [media]
    return Description("-", str(side.session_id), str(side.version), side.host, media=sections).encode()


def make_offer(
    host: str, port: int, codecs: tuple[Codec, ...], session_id: int, version: int, direction: Direction = "sendrecv"
) -> bytes:
    """An offer of plain RTP: `write_offer` in short."""
    return write_offer(Side(host, port, codecs, session_id, version, direction))


def read_offer(offer: bytes, srtp: Srtp = "optional") -> Stream:
    """The audio stream that a peer offers: the first of several that can be taken as we do with SRTP.

    ProtocolError: none, or malformed.
    """
    return _read_own(offer).stream if srtp == "optional" else _offered(parse_sdp(offer), srtp)[1]


class _Own(NamedTuple):
    """What an offer is compared with its answer by: the kinds of its sections, which is the audio, its protocol and stream."""

    kinds: tuple[str, ...]
    place: int
    protocol: str
    stream: Stream


@lru_cache(maxsize=OFFERS_KNOWN_MAX)
def _read_own(offer: bytes) -> _Own:
    """An offer is read as often as it is answered, provisionally and for good."""
    description = parse_sdp(offer)
    audio, stream = _offered(description, "optional")
    kinds = tuple(media.kind for media in description.media)
    return _Own(kinds, description.media.index(audio), audio.protocol, stream)


def write_answer(offer: bytes, side: Side) -> bytes:
    """Answer a peer's offer (RFC 3264, 6): the stream that `read_offer` finds, in the codecs both have, in its order and numbers.

    Everything else is refused, a hold is mirrored; `side.direction` has no say. ProtocolError: no audio, no codec in common,
    or keys are needed and `side` has none.
    """
    description = parse_sdp(offer)
    audio, stream = _offered(description, side.srtp)
    common = tuple(_answered(codec, side.codecs) for codec in stream.codecs if _is_among(codec, side.codecs))
    if all(codec.name in NO_VOICE for codec in common):
        raise ProtocolError("no codec in common", 488)
    if not side.cryptos and (stream.is_secure or side.srtp == "required"):
        raise ProtocolError("no key for an offer that wants one", 488)
    answer = Description("-", str(side.session_id), str(side.version), side.host, times=description.times)
    for media in description.media:
        if media is not audio:
            answer.media.append(_refused(media))
            continue
        accepted = Media("audio", side.port, media.protocol, [str(codec.payload_type) for codec in common])
        mux = [("rtcp-mux", "")] if stream.is_rtcp_mux else []
        direction = MIRRORED[stream.direction]
        accepted.attributes = [*_print_codecs(common), *_print_rest(side), *mux, (direction, "")]
        answer.media.append(accepted)
    return answer.encode()


def make_answer(offer: bytes, host: str, port: int, codecs: tuple[Codec, ...], session_id: int, version: int) -> bytes:
    """An answer of plain RTP: `write_answer` in short."""
    return write_answer(offer, Side(host, port, codecs, session_id, version))


def read_answer(offer: bytes, answer: bytes) -> Stream:
    """The audio stream that a peer answers to our offer: only codecs we offered, in the peer's numbers (RFC 3264, 7).

    Its one key is that of a line of ours, by tag and suite (RFC 4568, 5.1.3); it has none where the peer chose plain RTP from
    an offer that leaves the choice. ProtocolError: other media sections than offered, audio refused or of another
    protocol, no codec that we offered, keys that are not to our offer.
    """
    theirs = parse_sdp(answer)
    kinds, place, protocol, offered = _read_own(offer)
    if tuple(media.kind for media in theirs.media) != kinds:
        raise ProtocolError("an answer has other media sections than the offer", 488)
    answered = theirs.media[place]
    if not answered.port:
        raise ProtocolError("the audio was refused", 488)
    # Keys beside RTP/AVP are practice, not standard, and some answer them with the profile that they belong to.
    if answered.protocol != protocol and not (offered.cryptos and answered.protocol == SECURE[0]):
        raise ProtocolError("the audio was answered with another protocol", 488)
    stream = _read_stream(theirs, answered)
    codecs = tuple(codec for codec in stream.codecs if any(codec.is_same(own) for own in offered.codecs))
    if all(codec.name in NO_VOICE for codec in codecs):
        raise ProtocolError("no codec that was offered is in the answer", 488)
    stream = replace(stream, codecs=codecs, cryptos=_agreed_crypto(offered, answered, stream))
    if stream.is_rtcp_mux and not offered.is_rtcp_mux:  # an answer cannot begin it (RFC 5761, 5.1.1)
        stream = replace(stream, is_rtcp_mux=False, rtcp_port=_rtcp_port(answered, False))
    return stream


def _agreed_crypto(offered: Stream, answered: Media, stream: Stream) -> tuple[Crypto, ...]:
    if not offered.cryptos:
        return ()
    for theirs in stream.cryptos:
        if any((own.tag, own.suite) == (theirs.tag, theirs.suite) for own in offered.cryptos):
            return (theirs,)
    if stream.is_secure or answered.values("crypto"):
        raise ProtocolError("the answer has no key to what was offered", 488)
    return ()


def _offered(description: Description, srtp: Srtp) -> tuple[Media, Stream]:
    """The first audio section that we can take, and what it says; keys only where they would be used."""
    for media in description.media:
        if media.kind != "audio" or not media.port or media.protocol not in (*PLAIN, *SECURE):
            continue
        stream = _read_stream(description, media)
        if srtp == "none" and not stream.is_secure:
            return media, replace(stream, cryptos=())
        if srtp != "none" and (stream.cryptos or (srtp == "optional" and not stream.is_secure)):
            return media, stream
    raise ProtocolError(f"no audio that can be taken where SRTP is {srtp}", 488)


def _refused(media: Media) -> Media:
    return Media(media.kind, 0, media.protocol, media.formats)


def _is_among(codec: Codec, own: tuple[Codec, ...]) -> bool:
    """Whether a codec of the peer is one of ours; its events count at any clock, that of its voice or not (RFC 4733)."""
    if codec.name == TELEPHONE_EVENT:
        return any(each.name == TELEPHONE_EVENT for each in own)
    return any(codec.is_same(each) for each in own)


def _answered(codec: Codec, own: tuple[Codec, ...]) -> Codec:
    if codec.name not in DECLARED:
        return codec
    return replace(codec, fmtp=next(each.fmtp for each in own if each.is_same(codec)))


def _read_stream(description: Description, audio: Media) -> Stream:
    host = description.host_of(audio)
    direction = _read_direction(description, audio)
    if host in ("0.0.0.0", "::"):  # noqa: S104 - the hold of RFC 2543: it wants to hear nothing (RFC 3264, 8.4)
        direction = "sendonly" if direction == "sendrecv" else "inactive" if direction == "recvonly" else direction
    is_mux = audio.first("rtcp-mux") is not None
    return Stream(
        host,
        audio.port,
        _rtcp_port(audio, is_mux),
        tuple(_read_codecs(audio)),
        direction,
        _read_ms(description, audio, "ptime"),
        _read_ms(description, audio, "maxptime"),
        is_mux,
        read_cryptos(audio.values("crypto")),
        audio.protocol in SECURE,
    )


def _rtcp_port(audio: Media, is_mux: bool) -> int:
    """Where RTCP goes: the RTP port itself (RFC 5761), the one that a=rtcp names (RFC 3605), or the one above."""
    if is_mux:
        return audio.port
    rtcp = (audio.first("rtcp") or "").split(" ")[0]
    return (parse_number(rtcp, 65535, "an RTCP port") if rtcp else 0) or min(audio.port + 1, 65535)


def _read_ms(description: Description, audio: Media, name: str) -> int | None:
    """ptime or maxptime in whole milliseconds; it may have a fraction (RFC 8866, 6.4)."""
    text = (description.attribute(audio, name) or "").strip().partition(".")[0]
    return (parse_number(text, PTIME_MS_MAX, name) if text else 0) or None


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
    for text in dict.fromkeys(audio.formats):
        number = parse_number(text, PAYLOAD_TYPE_MAX, "a payload type")
        channels = 1
        if text in maps:
            name, _, rest = maps[text].strip().partition("/")
            rate, _, more = rest.partition("/")
            clock = parse_number(rate, CLOCK_RATE_MAX, "a clock rate")
            channels = parse_number(more, CHANNELS_MAX, "a number of channels") if more else 1
        elif number in STATIC:
            name, clock = STATIC[number]
        else:
            continue
        codecs.append(Codec(NAMES.get(name.lower(), name), number, clock, fmtps.get(text, ""), channels))
    return codecs


def _print_codecs(codecs: tuple[Codec, ...]) -> Attributes:
    maps = [("rtpmap", f"{codec.payload_type} {codec.encoding}") for codec in codecs]
    return maps + [("fmtp", f"{codec.payload_type} {codec.fmtp}") for codec in codecs if codec.fmtp]


def _print_rest(side: Side) -> Attributes:
    lines = [("crypto", crypto.print()) for crypto in side.cryptos]
    return lines + ([("ptime", str(side.ptime_ms))] if side.ptime_ms else [])
