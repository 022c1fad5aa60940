"""A leg's SRTP from its SDP to its packets: the phone behind it is libsrtp2."""

import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from rtpbridge import Bridge
from tests.ports import MEDIA_MAX, MEDIA_MIN
from tests.rtpbridge import libsrtp
from webcb.engine.media import Media, Voice
from webcb.sip.grammar import ProtocolError
from webcb.sip.offer_answer import Codec, Side, Srtp, Stream, read_answer, read_offer, write_answer, write_offer
from webcb.sip.sdes import SUITES, Crypto, make_crypto

PCMU = Codec("PCMU", 0, 8000)
DRAWN = iter(range(10_000))


def entropy(count: int) -> bytes:
    """No two draws are alike."""
    return next(DRAWN).to_bytes(2) * (count // 2) + b"\x55" * (count % 2)


class Phone:
    """A phone with one socket, sealed from the moment that keys are agreed."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(5)
        self.port = self.socket.getsockname()[1]
        self.sequence = 0

    def side(self, srtp: Srtp, *cryptos: Crypto, version: int = 1) -> Side:
        return Side("127.0.0.1", self.port, (PCMU,), 9, version, cryptos=cryptos, srtp=srtp)

    def answer(self, offer: bytes, srtp: Srtp, suite: str = "", mki: bytes = b"") -> bytes:
        """Take the first line of that suite."""
        heard = read_offer(offer, srtp)
        if not heard.cryptos:
            return write_answer(offer, self.side(srtp))
        chosen = next(each for each in heard.cryptos if each.suite == (suite or each.suite))
        own = replace(make_crypto(chosen.tag, chosen.suite, entropy), mki=mki)
        self.agree(own, chosen)
        return write_answer(offer, self.side(srtp, own))

    def agree(self, ours: Crypto | None, theirs: Crypto | None) -> None:
        self.mouth = ours and libsrtp.Session(ours.suite, ours.key + ours.salt, sends=True, mki=ours.mki)
        self.ear = theirs and libsrtp.Session(theirs.suite, theirs.key + theirs.salt, sends=False, mki=theirs.mki)

    def send(self, voice: Voice, payload: bytes) -> None:
        self.sequence += 1
        packet = bytes([0x80, 0]) + self.sequence.to_bytes(2) + (self.sequence * 160).to_bytes(4) + b"SSRC" + payload
        sealed = self.mouth.protect(packet) if self.mouth else packet
        self.socket.sendto(sealed, ("127.0.0.1", voice.port.rtp_port))

    def hear(self) -> bytes:
        packet = self.socket.recv(2000)
        opened = self.ear.unprotect(packet) if self.ear else packet
        assert opened is not None, "what came cannot be opened"
        return opened[12:]


@pytest.fixture
def media() -> Iterator[Media]:
    with Bridge("127.0.0.1", MEDIA_MIN, MEDIA_MAX) as bridge:
        yield Media(bridge, {"127.0.0.1": "127.0.0.1"}, entropy)


@pytest.fixture
def phones() -> Iterator[tuple[Phone, Phone]]:
    a, b = Phone(), Phone()
    a.agree(None, None)
    b.agree(None, None)
    yield a, b
    a.socket.close()
    b.socket.close()


def opened(media: Media) -> Voice:
    return media.open_voice(lambda heard: None)


def assert_talk(media: Media, a: Voice, b: Voice, phones: tuple[Phone, Phone], words: bytes = b"words") -> None:
    media.join(a, b)
    phones[0].send(a, b"A " + words * 20)
    assert phones[1].hear() == b"A " + words * 20
    phones[1].send(b, b"B " + words * 20)
    assert phones[0].hear() == b"B " + words * 20


@pytest.mark.parametrize("suite", SUITES)
def test_a_secure_leg_and_a_plain_one(media: Media, phones: tuple[Phone, Phone], suite: str) -> None:
    a, b = opened(media), opened(media)
    offer = a.make_offer(["PCMU"], "required")
    assert b"RTP/SAVP" in offer
    a.take_answer(phones[0].answer(offer, "required", suite, mki=b"\0\7"))
    b.take_answer(phones[1].answer(b.make_offer(["PCMU"]), "none"))
    assert_talk(media, a, b, phones)


@pytest.mark.parametrize(("theirs", "is_secure"), [("none", False), ("optional", True)])
def test_a_choice_left_to_the_switch(media: Media, phones: tuple[Phone, Phone], theirs: Srtp, is_secure: bool) -> None:
    a, b = opened(media), opened(media)
    a.take_answer(phones[0].answer(a.make_offer(["PCMU"], "optional"), theirs))
    b.take_answer(phones[1].answer(b.make_offer(["PCMU"], "optional"), theirs))
    assert bool(phones[0].mouth) == is_secure
    assert_talk(media, a, b, phones)


def test_an_answer_without_keys_is_refused_where_they_are_required(media: Media, phones: tuple[Phone, Phone]) -> None:
    a = opened(media)
    offer = a.make_offer(["PCMU"], "required")
    plain = write_answer(write_offer(phones[0].side("none")), phones[0].side("none"))
    for answer in (plain, plain.replace(b"RTP/AVP", b"RTP/SAVP")):
        with pytest.raises(ProtocolError):
            a.take_answer(answer)
    assert offer


def test_offers_in_mid_call(media: Media, phones: tuple[Phone, Phone]) -> None:
    """The same suite again keeps our key, another one brings a new one; a switch that may goes back to plain RTP."""
    a, b = opened(media), opened(media)
    a.take_answer(phones[0].answer(a.make_offer(["PCMU"], "optional"), "optional"))
    b.take_answer(phones[1].answer(b.make_offer(["PCMU"]), "none"))
    assert_talk(media, a, b, phones)
    first = a.keys[0]

    def offer(version: int, *cryptos: Crypto) -> Stream:
        sdp = write_offer(phones[0].side("required" if cryptos else "none", *cryptos, version=version))
        answer = a.answer_offer(sdp, ["PCMU"])
        told = read_answer(sdp, answer)
        phones[0].agree(cryptos[0] if cryptos else None, told.crypto)
        return told

    again = make_crypto(5, next(iter(SUITES)), entropy)
    assert offer(2, again).crypto
    assert a.keys[0] == first
    phones[0].sequence += 1000
    assert_talk(media, a, b, phones, b"rekeyed by them")
    other = make_crypto(1, "AES_CM_128_HMAC_SHA1_32", entropy)
    assert offer(3, other).crypto
    assert a.keys[0] != first
    assert_talk(media, a, b, phones, b"another suite")
    assert offer(4).crypto is None
    assert_talk(media, a, b, phones, b"plain")


def test_a_refused_offer_leaves_the_keys_as_they_were(media: Media, phones: tuple[Phone, Phone]) -> None:
    a, b = opened(media), opened(media)
    a.take_answer(phones[0].answer(a.make_offer(["PCMU"], "required"), "required"))
    b.take_answer(phones[1].answer(b.make_offer(["PCMU"]), "none"))
    loop = replace(phones[0].side("required", make_crypto(1, next(iter(SUITES)), entropy)), port=b.port.rtp_port)
    with pytest.raises(ProtocolError, match="itself"):
        a.answer_offer(write_offer(loop), ["PCMU"])
    with pytest.raises(ProtocolError):
        a.answer_offer(write_offer(phones[0].side("none", version=2)), ["PCMU"])
    assert_talk(media, a, b, phones)


def test_every_invite_has_keys_of_its_own(media: Media) -> None:
    """The next route's carrier must not be able to open what the one before could have kept."""
    a = opened(media)
    lines = [crypto for _ in range(2) for crypto in read_offer(a.make_offer(["PCMU"], "required")).cryptos]
    assert len(lines) == 2 * len(SUITES)
    assert len({crypto.key for crypto in lines}) == len(lines)
