"""The RTP bridge in the engine's words: a voice a leg, offers and answers, ringback, and who has fallen silent.

What SDP means is webcb.sip; packets are rtpbridge. Which codecs this engine carries stands here.
"""

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Final

from rtpbridge import (
    Bridge,
    Direction,
    Event,
    Pause,
    Playable,
    Port,
    Prompt,
    SrtpKey,
    SrtpSuite,
    TimedTone,
    Tone,
)
from webcb.engine.codecs import DIGITS, RECODED, heard_codecs, offered_codecs
from webcb.engine.tones import WARNING, ringback
from webcb.sip.grammar import ProtocolError
from webcb.sip.offer_answer import Codec, Side, Srtp, Stream, read_answer, read_offer, write_answer, write_offer
from webcb.sip.sdes import SUITES, Crypto, make_crypto

if TYPE_CHECKING:  # who goes on with calls reads in no more than their voice needs
    from rtpbridge import Counters
    from webcb.prompts.library import Recording

log = logging.getLogger(__name__)
_print_json: Final = json.JSONEncoder(separators=(",", ":")).encode

NS_OF_US: Final = 1000
ADDRESSES_KNOWN_MAX: Final = 4096  # that need not be taken apart again
WARNING_MS: Final = 200  # of the tone, twice, before what is said
SAID_AT_ONCE_MAX: Final = 60  # prompts in a row, of what the bridge takes
SILENCE_MS: Final = 10_000  # until the bridge tells that a leg is silent; how long that is borne stands in leg.py
PACKETS_PER_SECOND_MAX: Final = 100  # of frames of 10 ms
SEQUENCE_NUMBERS: Final = 65_536
FRAME_MS: Final = 20  # of our tones, and what we ask of the peers
FRAME_MS_MIN: Final = 10  # that the bridge cuts, for a peer that asks for another length
FRAME_MS_MAX: Final = 120
# The dynamic numbers are those that most have; each peer answers with its own.
VOICE_CODECS: Final = {
    "PCMU": Codec("PCMU", 0, 8000),
    "PCMA": Codec("PCMA", 8, 8000),
    "G722": Codec("G722", 9, 8000),
    "opus": Codec("opus", 111, 48_000, "useinbandfec=1", channels=2),
}
# Numbers that mean the same to everybody (RFC 3551): a peer that speaks so is understood, whatever it has agreed to.
UNDERSTOOD: Final = {codec.encoding: codec.payload_type for codec in VOICE_CODECS.values() if codec.name in RECODED}
DESCRIPTIONS: Final = ("offer", "told", "asked", "theirs", "proposed")  # that are written down
# Events have the clock of the voice that they are among (RFC 4733, 2.1); many send 8000 with whatever voice.
_DIGITS: Final = Codec(DIGITS, 101, 8000, "0-16")
_DIGITS_48000: Final = Codec(DIGITS, 110, 48_000, "0-16")


@dataclass(slots=True)
class Voice:
    """One leg's voice: its port, and the description last told to its peer. `srtp` is the connection's way with SRTP.

    `version` is the highest that any description of ours had, `proposed` one that the peer has not answered yet, `codecs` what is
    agreed on, in the peer's order; `is_held` while it does not want to send.
    """

    port: Port
    host: str
    session_id: int
    entropy: Callable[[int], bytes]
    srtp: Srtp = "none"
    version: int = 1
    offer: bytes = b""
    told: bytes = b""
    joined_to: Port | None = None
    asked: bytes = b""  # the offer in force, ours or theirs, and the peer's description
    theirs: bytes = b""
    proposed: bytes = b""
    codecs: tuple[str, ...] = ()
    is_held: bool = False
    rollovers_max: int = 0
    keys: tuple[SrtpKey | None, SrtpKey | None] = (None, None)  # ours, theirs

    def make_offer(self, names: Iterable[str], srtp: Srtp = "none") -> bytes:
        """The offer of an INVITE, with these codecs; under keys of its own, which nobody has who was called before."""
        self.srtp = srtp
        cryptos: tuple[Crypto, ...] = ()
        if srtp != "none":
            cryptos = tuple(make_crypto(tag, suite, self.entropy) for tag, suite in enumerate(SUITES, 1))
        self.offer = self.told = write_offer(self._side(_numbered(names), cryptos))
        return self.offer

    def take_answer(self, sdp: bytes, offer: bytes = b"") -> None:
        """Connect the port to the peer that answered, in the codecs it chose. ProtocolError: no voice comes of this answer.

        `offer` is what it answers where that is not the offer of the INVITE.
        """
        offer = offer or self.offer
        stream, ours = read_answer(offer, sdp), read_offer(offer)
        agreed = [own for own in ours.cryptos if stream.crypto and own.tag == stream.crypto.tag]
        self._connect(stream, replace(ours, cryptos=tuple(agreed)))
        self.asked, self.theirs = offer, sdp
        if offer == self.proposed:
            self.told, self.proposed = offer, b""

    def propose(self, names: Sequence[str]) -> bytes:
        """An offer of these codecs in mid-call, under the keys in force; until it is answered nothing else changes.

        The peer may speak as offered before its answer is here, and as before for a moment after it: both is understood.
        """
        ours = [own for own in read_offer(self.told).cryptos if _srtp_key(own) == self.keys[0]]
        self.version += 1
        self.proposed = write_offer(self._side(_numbered(names), tuple(ours)), self.told)
        return self.proposed

    def withdraw(self) -> None:
        """What was proposed came to nothing. Its version is used up all the same."""
        self.proposed = b""

    def answer_offer(self, sdp: bytes, names: Sequence[str]) -> bytes:
        """The answer to an offer of the peer. ProtocolError: refused, nothing changes.

        `names` are the codecs the other leg has. Where the peer has none of them left, the bridge recodes what it can.
        """
        if not sdp:  # a re-INVITE without an offer wants ours (RFC 3261, 14.2); what its ACK answers is taken then
            return self._offer_again()
        stream = read_offer(sdp, self.srtp)
        offered = {codec.name for codec in stream.codecs}
        names = heard_codecs(names)
        if not any(name in VOICE_CODECS and name in offered for name in names):
            names = offered_codecs(VOICE_CODECS, names)
        side = self._side(_numbered(names), self._keys_for(stream))
        version, answer = self._versioned(side, lambda each: write_answer(sdp, each))
        # An answer keeps the numbers of the offer, and has the one key that goes with the peer's.
        self._connect(_answered(stream, answer), replace(stream, cryptos=side.cryptos))
        self.version, self.told = version, answer
        self.asked = self.theirs = sdp
        return answer

    def print(self) -> str:
        """What another process needs to go on with this voice, as JSON; it has the keys of SRTP where there are some."""
        written = {
            "bound": self.port.host,
            "port": self.port.rtp_port,
            "host": self.host,
            "session_id": self.session_id,
            "srtp": self.srtp,
            "version": self.version,
            **{name: getattr(self, name).decode("latin-1") for name in DESCRIPTIONS},
        }
        return _print_json(written)

    def resume(self, rollovers_max: int) -> None:
        """Connect the port again as it was connected. ProtocolError: it cannot be.

        `rollovers_max`: how often the peer's sequence numbers may have wrapped meanwhile, for SRTP.
        """
        self.rollovers_max = rollovers_max
        if self.asked == self.theirs:  # the peer's offer, which our last words answered
            stream = read_offer(self.theirs, self.srtp)
            ours = replace(stream, cryptos=read_offer(self.told).cryptos if stream.crypto else ())
            self._connect(_answered(stream, self.told), ours)
        else:
            self.take_answer(self.theirs, self.asked)

    def _offer_again(self) -> bytes:
        """The offer of the INVITE, its keys too; where something else was told in between, under a new version (RFC 3264, 8)."""
        ours = read_offer(self.offer)
        side = self._side(ours.codecs, ours.cryptos)
        self.version, self.told = self._versioned(side, lambda each: write_offer(each, self.told))
        return self.told

    def _side(self, offered: tuple[Codec, ...], cryptos: tuple[Crypto, ...]) -> Side:
        port = self.port.rtp_port
        return Side(self.host, port, offered, self.session_id, self.version, "sendrecv", FRAME_MS, cryptos, self.srtp)

    def _versioned(self, side: Side, write: Callable[[Side], bytes]) -> tuple[int, bytes]:
        """What is told, and the highest version: the next one where it is another than before, else the same (RFC 3264, 8)."""
        if write(replace(side, version=_version_of(self.told))) == self.told:
            return self.version, self.told
        return self.version + 1, write(replace(side, version=self.version + 1))

    def _keys_for(self, stream: Stream) -> tuple[Crypto, ...]:
        """Our line that answers the peer's: the key that we send under already, where its suite is the same."""
        theirs = stream.crypto
        if theirs is None:
            return ()
        known = next((own for own in read_offer(self.told).cryptos if own.suite == theirs.suite), None)
        return (replace(known, tag=theirs.tag) if known else make_crypto(theirs.tag, theirs.suite, self.entropy),)

    def _connect(self, stream: Stream, ours: Stream) -> None:
        host = _address(stream.host)
        if host.is_multicast or (isinstance(host, IPv4Address) and host.is_reserved):
            raise ProtocolError(f"voice cannot be sent to {stream.host}: many would hear it", 488)
        keys = _srtp_key(ours.crypto), _srtp_key(stream.crypto)
        try:
            self.port.secure(
                *keys, rollovers_max=self.rollovers_max
            )  # before connect(): nothing plain goes to where keys were agreed
            if not host.is_unspecified:  # the hold of RFC 2543: the address stays as it was
                self.port.connect(
                    stream.host,
                    stream.port,
                    _payloads(stream),
                    stream.rtcp_port,
                    ours=_payloads(ours),
                    frame_ms=_frame_ms(stream),
                    heard=UNDERSTOOD,
                )
            self.port.hold(Direction[stream.direction.upper()])
        except ValueError as wrong:
            self.port.secure(*self.keys, rollovers_max=self.rollovers_max)
            raise ProtocolError(f"voice cannot be sent to {stream.host}: {wrong}", 488) from wrong
        self.keys = keys
        self.is_held = stream.direction in ("recvonly", "inactive")
        self.codecs = tuple(dict.fromkeys(codec.name for codec in stream.codecs))


def _answered(stream: Stream, answer: bytes) -> Stream:
    """What a peer offered, as far as we took it."""
    taken = read_offer(answer).codecs
    return replace(stream, codecs=tuple(each for each in stream.codecs if any(each.is_same(own) for own in taken)))


def _version_of(told: bytes) -> int:
    """The version of a description of ours (o=, its third field), which may be less than that of one that was refused."""
    return int(told.split(b" ", 3)[2])


@lru_cache(maxsize=ADDRESSES_KNOWN_MAX)
def _address(host: str) -> IPv4Address | IPv6Address:
    try:
        return ip_address(host)
    except ValueError:
        raise ProtocolError(f"voice cannot be sent to {host}: it is no address", 488) from None


def _srtp_key(crypto: Crypto | None) -> SrtpKey | None:
    return SrtpKey(SrtpSuite[crypto.suite], crypto.key + crypto.salt, crypto.mki) if crypto else None


def _frame_ms(stream: Stream) -> int | None:
    """The frames that the peer asks for, in the lengths that the bridge cuts; None: as they come."""
    wished, longest = stream.ptime_ms, stream.maxptime_ms
    frame_ms = min(wished or FRAME_MS, longest or FRAME_MS_MAX) if wished or longest else 0
    return frame_ms if FRAME_MS_MIN <= frame_ms <= FRAME_MS_MAX else None


def _payloads(stream: Stream) -> dict[str, int]:
    """The payload numbers of a description, by encoding name, clock and channels."""
    return {codec.encoding: codec.payload_type for codec in stream.codecs}


def _numbered(names: Iterable[str]) -> tuple[Codec, ...]:
    """The codecs of these names with our numbers, digits at the clock of each voice."""
    known = tuple(names)
    numbered = tuple(VOICE_CODECS[name] for name in known if name in VOICE_CODECS)
    if DIGITS not in known:
        return numbered
    return (*numbered, _DIGITS, _DIGITS_48000) if "opus" in known else (*numbered, _DIGITS)


def _no_prompt(_folder: str, _language: str, _name: str) -> "Recording | None":
    return None


def _not_counted(_counters: "Counters") -> None:
    return


def _nothing_is_told(_event: Event) -> None:
    return


class Media:
    """The bridge with its ports.

    `advertised` is the address written into SDP for each host of the bridge; `entropy(n)` gives n random bytes; `find_prompt` a
    prompt of a folder and a language by its name; `count` notes what passed through a voice that ends.
    """

    def __init__(
        self,
        bridge: Bridge,
        advertised: Mapping[str, str],
        entropy: Callable[[int], bytes],
        find_prompt: "Callable[[str, str, str], Recording | None]" = _no_prompt,
        count: "Callable[[Counters], None]" = _not_counted,
    ) -> None:
        self._bridge = bridge
        self._advertised = {host: str(ip_address(told)) for host, told in advertised.items()}
        self._hosts = {ip_address(host).version: host for host in advertised}
        self._entropy = entropy
        self._watchers: dict[int, Callable[[Event], None]] = {}
        self.find_prompt, self.count = find_prompt, count
        self._revived: dict[int, tuple[str, Voice]] = {}  # by port, until the callback they are of is known
        self._prompts: dict[tuple[str, str, str], Prompt] = {}

    def open_voice(self, tell: Callable[[Event], None], near: str = "") -> Voice:
        """A voice for a leg; `tell` hears of its life, its keys, and the end of what was said to it.

        `near` is the literal that its signalling goes to: the voice is of that family where we have one. PortsUsedUp: none is left.
        """
        host = self._host(near)
        port = self._bridge.open_port(host=host)
        self._watchers[port.id] = tell
        return Voice(port, self._advertised[host], int.from_bytes(self._entropy(4)), self._entropy)

    def resume_voice(self, text: str, tell: Callable[[Event], None], age_seconds: float, *, is_joined: bool) -> Voice:
        """A voice that another process had, on the same port.

        Not `is_joined`: the kernel forwards nothing of it any more.

        OSError: its port is taken. ValueError: the text is no voice, its host is ours no longer. ProtocolError: as `Voice.resume`.
        """
        written = json.loads(text)
        known, revived = self._revived.pop(written["port"], ("", None))
        if revived is not None:
            if known == text:
                self._watchers[revived.port.id] = tell
                return revived
            self.close_voice(revived)  # something else was agreed on meanwhile
        if not is_joined:
            self._bridge.remove_kernel_flow(written["port"])
        port = self._bridge.open_port(written["port"], host=written["bound"])
        self._watchers[port.id] = tell
        texts = {name: written[name].encode("latin-1") for name in DESCRIPTIONS}
        voice = Voice(
            port, written["host"], written["session_id"], self._entropy, written["srtp"], written["version"], **texts
        )
        try:
            voice.resume(int(age_seconds * PACKETS_PER_SECOND_MAX) // SEQUENCE_NUMBERS + 1)
            return voice
        except BaseException:
            self.close_voice(voice)
            raise

    def revive(self, texts: Sequence[str], age_seconds: float, deadline_us: int | None) -> None:
        """Let two legs of an engine before this one hear each other until the deadline, whoever they are.

        `resume_voice` finds them by their texts then. Raises what that raises, and leaves nothing open.
        """
        voices: list[Voice] = []
        try:
            for text in texts:
                voice = self.resume_voice(text, _nothing_is_told, age_seconds, is_joined=True)
                voices.append(voice)
            self.resume_join(*voices)
            if deadline_us is not None:
                self.set_deadline(voices[0], deadline_us)
        except BaseException:
            for voice in voices:
                self.close_voice(voice)
            raise
        for text, voice in zip(texts, voices, strict=True):
            self._revived[voice.port.rtp_port] = text, voice

    def resume_join(self, a: Voice, b: Voice) -> None:
        """Let two legs hear each other that heard each other before this process: in the kernel they may still do."""
        if a.joined_to is b.port and b.joined_to is a.port:
            return
        if not self._bridge.adopt(a.port, b.port):
            self._bridge.join(a.port, b.port)
        a.joined_to, b.joined_to = b.port, a.port

    def end_leftovers(self) -> None:
        """End what flows for an engine before this one and nobody here has taken over."""
        while self._revived:
            self.close_voice(self._revived.popitem()[1][1])
        for flow in self._bridge.kernel_flows():
            with suppress(ValueError):  # a port of ours holds it
                self._bridge.remove_kernel_flow(flow.rtp_port)

    def suits(self, voice: Voice, near: str) -> bool:
        """Whether a voice that was opened before is of the family that signalling to `near` wants."""
        return voice.port.host == self._host(near)

    def _host(self, near: str) -> str:
        first = next(iter(self._advertised))
        return self._hosts.get(_address(near).version, first) if near else first

    def play_ringback(self, voice: Voice, country: str) -> None:
        """Let the leg hear a country's ringback until it is joined."""
        tone = ringback(country)
        try:
            voice.port.play(Tone(tone.frequencies_hz, tone.cadence_ms))
        except ValueError as wrong:  # it has no codec that we speak; its call goes on without
            log.warning("no ringback to RTP port %d: %s", voice.port.rtp_port, wrong)

    def say(self, voice: Voice, folder: str, language: str, names: Sequence[str], *, barge_in: bool) -> bool:
        """Let a leg hear prompts in a row instead of whatever plays; False where there is nothing to hear of them.

        With `barge_in` a key ends it, and keys are sought among the tones too.
        """
        found = self._found(folder, language, names)
        try:
            if barge_in:
                voice.port.detect_inband(True)
            if found:
                voice.port.play_prompts(found[:SAID_AT_ONCE_MAX], barge_in=barge_in)
            else:
                voice.port.stop()
        except ValueError as wrong:  # it has no codec that we speak
            log.warning("nothing can be said to RTP port %d: %s", voice.port.rtp_port, wrong)
            return False
        return bool(found)

    def hush(self, voice: Voice) -> None:
        """End what is being said."""
        voice.port.stop()

    def warn(self, a: Voice, b: Voice, folder: str, language: str, names: Sequence[str]) -> None:
        """Let both hear the warning tone, and A what is said after it; meanwhile they do not hear each other."""
        beep = TimedTone(Tone(WARNING.frequencies_hz, WARNING.cadence_ms), 3 * WARNING_MS)
        for voice, items in ((a, [beep, Pause(WARNING_MS), *self._found(folder, language, names)]), (b, [beep])):
            try:
                voice.port.play_prompts(items, barge_in=False)
            except ValueError as wrong:
                log.warning("no warning to RTP port %d: %s", voice.port.rtp_port, wrong)

    def _found(self, folder: str, language: str, names: Sequence[str]) -> list[Playable]:
        return [prompt for name in names if (prompt := self._prompt(folder, language, name)) is not None]

    def _prompt(self, folder: str, language: str, name: str) -> Prompt | None:
        """Read once, at its first use, and shared by all who hear it."""
        known = self._prompts.get((folder, language, name))
        if known is not None:
            return known
        recording = self.find_prompt(folder, language, name)
        if recording is None:
            log.warning("there is no prompt %s in %s; `webcb prompts` makes those of the voice", name, language)
            return None
        made = self._prompts[folder, language, name] = Prompt(recording.samples, recording.clock_hz)
        return made

    def join(self, a: Voice, b: Voice) -> None:
        """Let two legs hear each other."""
        self._bridge.join(a.port, b.port)
        a.joined_to, b.joined_to = b.port, a.port

    def set_deadline(self, voice: Voice, at_us: int) -> None:
        """From that monotonic moment on a leg and the one it is joined to hear nothing of each other, though the engine be dead.

        It ends with the join. A leg that is not joined has none.
        """
        if voice.joined_to is not None:
            self._bridge.set_deadline(voice.port, voice.joined_to, at_us * NS_OF_US)

    def split(self, a: Voice, b: Voice) -> None:
        """Let them not hear each other any more."""
        self._bridge.split(a.port, b.port)
        a.joined_to = b.joined_to = None

    def close_voice(self, voice: Voice) -> None:
        """Free the leg's port."""
        self._watchers.pop(voice.port.id, None)
        self.count(voice.port.counters())
        voice.port.close()

    def fileno(self) -> int:
        """Readable when `take_events` has something to do."""
        return self._bridge.fileno()

    def take_events(self) -> None:
        """Tell the watchers what the bridge has seen."""
        for event in self._bridge.events():
            watcher = self._watchers.get(event.port)
            if watcher is not None:
                watcher(event)

    def close(self) -> None:
        """Close every port and end the bridge's thread."""
        self._bridge.close()
