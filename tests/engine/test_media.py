"""The engine's voices on the real bridge: RTP of two peers through offer, answer, ringback, join, a new offer and silence."""

import re
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from rtpbridge import Bridge, EventKind
from tests.ports import MEDIA_MAX, MEDIA_MIN
from webcb import clock
from webcb.engine.media import Media
from webcb.sip.grammar import ProtocolError
from webcb.sip.offer_answer import Codec, make_answer, make_offer, read_offer
from webcb.sip.sdp import parse_sdp

PATIENCE_SECONDS = 5
PCMU = Codec("PCMU", 0, 8000)
PCMA = Codec("PCMA", 8, 8000)
DIGITS = Codec("telephone-event", 96, 8000)


class Peer:
    """A phone's RTP socket."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(PATIENCE_SECONDS)
        self.port = self.socket.getsockname()[1]
        self.sequence = 0

    def answer(self, offer: bytes, *codecs: Codec) -> bytes:
        return make_answer(offer, "127.0.0.1", self.port, codecs, 9, 1)

    def send(self, to_port: int, payload: bytes, payload_type: int = 0) -> None:
        self.sequence += 1
        header = bytes([0x80, payload_type]) + self.sequence.to_bytes(2) + (self.sequence * 160).to_bytes(4) + b"SSRC"
        self.socket.sendto(header + payload, ("127.0.0.1", to_port))

    def hear(self) -> tuple[int, bytes]:
        """Payload number and payload of the next packet."""
        packet = self.socket.recv(2000)
        return packet[1] & 0x7F, packet[12:]


@pytest.fixture
def media() -> Iterator[Media]:
    with ExitStack() as opened:
        bridge = opened.enter_context(Bridge("127.0.0.1", MEDIA_MIN, MEDIA_MAX, silence_ms=150, report_ms=50))
        yield Media(bridge, {"127.0.0.1": "127.0.0.1"}, lambda count: b"\x11" * count)


@pytest.fixture
def peers() -> Iterator[tuple[Peer, Peer]]:
    a, b = Peer(), Peer()
    yield a, b
    a.socket.close()
    b.socket.close()


def nothing(_: bool) -> None:
    return


def test_two_legs_hear_each_other_in_their_own_numbers(media: Media, peers: tuple[Peer, Peer]) -> None:
    a, b = media.open_voice(nothing), media.open_voice(nothing)
    a.take_answer(peers[0].answer(a.make_offer(["PCMU", "telephone-event"]), PCMU, DIGITS))
    b.take_answer(peers[1].answer(b.make_offer(["PCMU", "telephone-event"]), PCMU))
    assert (a.codecs, b.codecs) == (("PCMU", "telephone-event"), ("PCMU",))
    media.join(a, b)
    peers[0].send(a.port.rtp_port, b"from A" * 20)
    assert peers[1].hear() == (0, b"from A" * 20)
    peers[1].send(b.port.rtp_port, b"from B" * 20)
    assert peers[0].hear() == (0, b"from B" * 20)


def test_a_deadline_holds_for_the_kernel_too(peers: tuple[Peer, Peer]) -> None:
    """In nanoseconds of the clock that the kernel reads; it may be moved, and ends with the join."""
    with Bridge("127.0.0.1", MEDIA_MIN, MEDIA_MAX, kernel=True) as bridge:
        media = Media(bridge, {"127.0.0.1": "127.0.0.1"}, lambda count: b"\x11" * count)
        a, b = media.open_voice(nothing), media.open_voice(nothing)
        for voice, peer in zip((a, b), peers, strict=True):
            voice.take_answer(peer.answer(voice.make_offer(["PCMU"]), PCMU))
        media.set_deadline(a, 1)  # not joined: there is nothing to end
        media.join(a, b)
        at_us = int(clock.monotonic() * 1_000_000) + 60_000_000
        media.set_deadline(a, at_us)
        for _ in range(2):
            for voice, peer, other in ((a, peers[0], peers[1]), (b, peers[1], peers[0])):
                peer.send(voice.port.rtp_port, b"talk")
                other.hear()
        while len(bridge.kernel_flows()) < 2:
            pass  # the thread ends its turn
        assert {flow.deadline_ns for flow in bridge.kernel_flows()} == {at_us * 1000}
        media.set_deadline(b, at_us + 1)
        assert {flow.deadline_ns for flow in bridge.kernel_flows()} == {at_us * 1000 + 1000}
        media.split(a, b)
        media.set_deadline(a, 1)
        assert bridge.kernel_flows() == []


def test_a_leg_of_either_family() -> None:
    """The voice is of the family that the signalling goes to, and the two hear each other."""
    with Bridge(["127.0.0.1", "::1"], MEDIA_MIN, MEDIA_MAX) as bridge:
        media = Media(bridge, {"127.0.0.1": "192.0.2.1", "::1": "2001:db8::1"}, lambda count: b"\x11" * count)
        a, b = media.open_voice(nothing, "198.51.100.7"), media.open_voice(nothing, "2001:db8::7")
        assert [read_offer(voice.make_offer(["PCMU"])).host for voice in (a, b)] == ["192.0.2.1", "2001:db8::1"]
        assert media.suits(a, "198.51.100.9")
        assert not media.suits(a, "2001:db8::9")
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as old,
            socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as new,
        ):
            for phone, host, voice in ((old, "127.0.0.1", a), (new, "::1", b)):
                phone.bind((host, 0))
                phone.settimeout(PATIENCE_SECONDS)
                voice.take_answer(make_answer(voice.offer, host, phone.getsockname()[1], (PCMU,), 9, 1))
            media.join(a, b)
            old.sendto(bytes([0x80, 0, 0, 1]) + bytes(8) + b"four to six", ("127.0.0.1", a.port.rtp_port))
            assert new.recv(2000)[12:] == b"four to six"
            new.sendto(bytes([0x80, 0, 0, 1]) + bytes(8) + b"six to four", ("::1", b.port.rtp_port))
            assert old.recv(2000)[12:] == b"six to four"
        with pytest.raises(ProtocolError):
            a.take_answer(make_answer(a.offer, "::1", 31_000, (PCMU,), 9, 1))


def test_one_address_serves_both_families_of_signalling() -> None:
    with Bridge("127.0.0.1", MEDIA_MIN, MEDIA_MAX) as bridge:
        media = Media(bridge, {"127.0.0.1": "127.0.0.1"}, lambda count: b"\x11" * count)
        voice = media.open_voice(nothing, "2001:db8::7")
        assert media.suits(voice, "2001:db8::7")
        assert read_offer(voice.make_offer(["PCMU"])).host == "127.0.0.1"


def test_ringback_until_the_legs_are_joined(media: Media, peers: tuple[Peer, Peer]) -> None:
    a, b = media.open_voice(nothing), media.open_voice(nothing)
    a.take_answer(peers[0].answer(a.make_offer(["PCMA"]), PCMA))
    b.take_answer(peers[1].answer(b.make_offer(["PCMA"]), PCMA))
    media.play_ringback(a, "BR")
    payload_type, payload = peers[0].hear()
    assert payload_type == 8
    assert len(payload) == 160
    assert len(set(payload)) > 10  # a tone, not silence
    media.join(a, b)
    peers[1].send(b.port.rtp_port, b"v" * 160, 8)
    while (heard := peers[0].hear()[1]) != b"v" * 160:
        assert len(heard) == 160


def test_a_new_offer_moves_the_voice_and_a_hold_is_mirrored(media: Media, peers: tuple[Peer, Peer]) -> None:
    a, b = media.open_voice(nothing), media.open_voice(nothing)
    a.take_answer(peers[0].answer(a.make_offer(["PCMU"]), PCMU))
    b.take_answer(peers[1].answer(b.make_offer(["PCMU"]), PCMU))
    media.join(a, b)
    moved = Peer()
    answer = a.answer_offer(make_offer("127.0.0.1", moved.port, (PCMU,), 9, 2), ["PCMU"])
    assert not a.is_held
    assert read_offer(answer).port == a.port.rtp_port
    peers[1].send(b.port.rtp_port, b"m" * 160)
    assert moved.hear() == (0, b"m" * 160)
    answer = a.answer_offer(make_offer("127.0.0.1", moved.port, (PCMU,), 9, 3, "inactive"), ["PCMU"])
    assert a.is_held
    assert b"a=inactive" in answer
    answer = a.answer_offer(make_offer("0.0.0.0", moved.port, (PCMU,), 9, 4), ["PCMU"])  # RFC 2543's way
    assert b"a=recvonly" in answer
    assert not a.is_held
    moved.socket.close()


def test_an_offer_of_the_other_law_is_recoded(media: Media, peers: tuple[Peer, Peer]) -> None:
    a, b = media.open_voice(nothing), media.open_voice(nothing)
    a.take_answer(peers[0].answer(a.make_offer(["PCMU"]), PCMU))
    b.take_answer(peers[1].answer(b.make_offer(["PCMU"]), PCMU))
    media.join(a, b)
    answer = a.answer_offer(make_offer("127.0.0.1", peers[0].port, (PCMA,), 9, 2), ["PCMU"])
    assert [codec.name for codec in read_offer(answer).codecs] == ["PCMA"]
    peers[1].send(b.port.rtp_port, b"\xff" * 160)  # silence in PCMU
    assert peers[0].hear() == (8, b"\xd5" * 160)  # and in PCMA
    answer = a.answer_offer(make_offer("127.0.0.1", peers[0].port, (PCMA, PCMU), 9, 3), ["PCMU"])
    assert [codec.name for codec in read_offer(answer).codecs] == ["PCMU"]  # which needs no recoding


def test_a_voice_that_we_offer_another_codec_is_understood_in_either_until_it_has_decided(
    media: Media, peers: tuple[Peer, Peer]
) -> None:
    """It may speak as offered before its answer is here, and as before for a moment after; it gets what it has agreed to."""
    a, b = media.open_voice(nothing), media.open_voice(nothing)
    a.take_answer(peers[0].answer(a.make_offer(["PCMU", "PCMA"]), PCMU))
    b.take_answer(peers[1].answer(b.make_offer(["PCMA"]), PCMA))
    media.join(a, b)
    told = a.told
    offer = a.propose(["PCMA"])
    assert (a.told, a.codecs) == (told, ("PCMU",))
    assert parse_sdp(offer).version == "2"
    assert [codec.name for codec in read_offer(offer).codecs] == ["PCMA"]
    peers[0].send(a.port.rtp_port, b"a" * 160, 8)
    assert peers[1].hear() == (8, b"a" * 160)
    peers[1].send(b.port.rtp_port, b"\xd5" * 160, 8)
    assert peers[0].hear() == (0, b"\xfe" * 160)  # not agreed yet
    a.take_answer(peers[0].answer(offer, PCMA), offer)
    assert (a.told, a.codecs, a.proposed) == (offer, ("PCMA",), b"")
    peers[1].send(b.port.rtp_port, b"b" * 160, 8)
    assert peers[0].hear() == (8, b"b" * 160)
    peers[0].send(a.port.rtp_port, b"\xff" * 160, 0)  # a latecomer
    assert peers[1].hear() == (8, b"\xd5" * 160)


def test_an_offer_of_ours_that_was_refused_has_used_up_its_version(media: Media, peers: tuple[Peer, Peer]) -> None:
    a = media.open_voice(nothing)
    a.take_answer(peers[0].answer(a.make_offer(["PCMU"]), PCMU))
    a.propose(["PCMA"])
    a.withdraw()
    assert a.answer_offer(b"", ["PCMU"]) == a.offer  # what is in force is told under the version that it had
    assert parse_sdp(a.propose(["PCMA"])).version == "3"
    a.withdraw()
    answer = a.answer_offer(make_offer("127.0.0.1", peers[0].port, (PCMU,), 9, 2, "sendonly"), ["PCMU"])
    assert parse_sdp(answer).version == "4"


def test_a_voice_whose_offer_was_open_is_resumed_with_it(media: Media, peers: tuple[Peer, Peer]) -> None:
    a = media.open_voice(nothing)
    a.take_answer(peers[0].answer(a.make_offer(["PCMU"]), PCMU))
    offer = a.propose(["PCMA"])
    written = a.print()
    media.close_voice(a)
    again = media.resume_voice(written, nothing, 10.0, is_joined=False)
    assert (again.proposed, again.codecs, again.version) == (offer, ("PCMU",), 2)
    again.take_answer(peers[0].answer(offer, PCMA), offer)
    assert (again.codecs, parse_sdp(again.propose(["PCMU"])).version) == (("PCMA",), "3")


def test_an_offer_without_a_codec_of_ours_changes_nothing(media: Media, peers: tuple[Peer, Peer]) -> None:
    a = media.open_voice(nothing)
    a.take_answer(peers[0].answer(a.make_offer(["PCMU"]), PCMU))
    with pytest.raises(ProtocolError):
        a.answer_offer(make_offer("127.0.0.1", 31000, (Codec("G729", 18, 8000),), 9, 2), ["PCMU"])
    assert a.version == 1


def test_what_we_offer_again_has_a_version_of_its_own_where_something_else_was_told(
    media: Media, peers: tuple[Peer, Peer]
) -> None:
    a = media.open_voice(nothing)
    offer = a.make_offer(["PCMU", "PCMA"])
    a.take_answer(peers[0].answer(offer, PCMU))
    assert a.answer_offer(b"", ["PCMU"]) == offer
    a.answer_offer(make_offer("127.0.0.1", peers[0].port, (PCMU,), 9, 2), ["PCMU"])
    again = a.answer_offer(b"", ["PCMU"])
    assert [parse_sdp(sdp).version for sdp in (offer, again)] == ["1", "3"]
    assert read_offer(again).codecs == read_offer(offer).codecs


def test_opus_and_its_digits_are_passed_on_in_the_numbers_of_each(media: Media, peers: tuple[Peer, Peer]) -> None:
    a, b = media.open_voice(nothing), media.open_voice(nothing)
    names = ["opus", "telephone-event"]
    opus, digits = Codec("opus", 96, 48_000, channels=2), Codec("telephone-event", 97, 48_000)
    offers = [voice.make_offer(names) for voice in (a, b)]
    assert [codec.encoding for codec in read_offer(offers[0]).codecs] == [
        "opus/48000/2", "telephone-event/8000", "telephone-event/48000",
    ]  # fmt: skip
    # A answers in numbers of its own, B in those of the offer.
    told = offers[0].replace(f"audio {a.port.rtp_port}".encode(), f"audio {peers[0].port}".encode())
    for number, its in ((rb"\b111\b", b"96"), (rb"\b110\b", b"97"), (rb" 101\b", b"")):
        told = re.sub(number, its, told)
    a.take_answer(told)
    b.take_answer(peers[1].answer(offers[1], opus, digits))
    assert a.codecs == b.codecs == ("opus", "telephone-event")
    media.join(a, b)
    peers[0].send(a.port.rtp_port, b"opus from A", 111)
    assert peers[1].hear() == (111, b"opus from A")
    peers[1].send(b.port.rtp_port, b"opus from B", 111)
    assert peers[0].hear() == (96, b"opus from B")
    peers[1].send(b.port.rtp_port, b"\1\x0a\0\xa0", 110)
    assert peers[0].hear() == (97, b"\1\x0a\0\xa0")


def test_g722_is_passed_on(media: Media, peers: tuple[Peer, Peer]) -> None:
    a, b = media.open_voice(nothing), media.open_voice(nothing)
    g722 = Codec("G722", 9, 8000)
    for voice, peer in zip((a, b), peers, strict=True):
        voice.take_answer(peer.answer(voice.make_offer(["G722", "PCMU"]), g722))
        assert voice.codecs == ("G722",)
    media.join(a, b)
    peers[0].send(a.port.rtp_port, b"7 kHz" * 32, 9)
    assert peers[1].hear() == (9, b"7 kHz" * 32)


def test_g722_is_recoded_for_a_leg_that_has_it_not(media: Media, peers: tuple[Peer, Peer]) -> None:
    a, b = media.open_voice(nothing), media.open_voice(nothing)
    a.take_answer(peers[0].answer(a.make_offer(["G722"]), Codec("G722", 9, 8000)))
    b.take_answer(peers[1].answer(b.make_offer(["PCMU"]), PCMU))
    media.join(a, b)
    peers[0].send(a.port.rtp_port, b"7kHz" * 40, 9)
    payload_type, payload = peers[1].hear()
    assert (payload_type, len(payload)) == (0, 160)
    peers[1].send(b.port.rtp_port, b"\x80\x00" * 80)
    payload_type, payload = peers[0].hear()
    assert (payload_type, len(payload)) == (9, 160)


@pytest.mark.parametrize(
    ("lines", "octets"),
    [(b"", 160), (b"a=ptime:40\r\n", 320), (b"a=ptime:20\r\na=maxptime:10\r\n", 80), (b"a=maxptime:10\r\n", 80)],
)
def test_frames_as_long_as_the_peer_asks_for(media: Media, peers: tuple[Peer, Peer], lines: bytes, octets: int) -> None:
    a, b = media.open_voice(nothing), media.open_voice(nothing)
    a.take_answer(peers[0].answer(a.make_offer(["PCMU"]), PCMU))
    b.take_answer(peers[1].answer(b.make_offer(["PCMU"]), PCMU) + lines)
    media.join(a, b)
    for _ in range(3):
        peers[0].send(a.port.rtp_port, b"frame of A" * 16)
    assert len(peers[1].hear()[1]) == octets


def test_an_offer_of_what_cannot_be_recoded_is_refused(media: Media, peers: tuple[Peer, Peer]) -> None:
    a = media.open_voice(nothing)
    a.take_answer(peers[0].answer(a.make_offer(["opus"]), Codec("opus", 111, 48_000, channels=2)))
    with pytest.raises(ProtocolError):
        a.answer_offer(make_offer("127.0.0.1", peers[0].port, (PCMU,), 9, 2), ["opus", "PCMU"])


def test_rtcp_on_the_port_of_the_voice(media: Media, peers: tuple[Peer, Peer]) -> None:
    """Offered by the peer in a re-INVITE: our reports go there (RFC 5761)."""
    a = media.open_voice(nothing)
    a.take_answer(peers[0].answer(a.make_offer(["PCMU"]), PCMU))
    offer = make_offer("127.0.0.1", peers[0].port, (PCMU,), 9, 2) + b"a=rtcp-mux\r\n"
    answer = a.answer_offer(offer, ["PCMU"])
    assert b"a=rtcp-mux\r\n" in answer
    while peers[0].socket.recv(2000)[1] not in (200, 201):  # a report of a sender or a receiver
        continue


def test_the_same_description_keeps_its_version(media: Media, peers: tuple[Peer, Peer]) -> None:
    """A peer that refreshes the session by what it had offered is not told that something has changed (RFC 3264, 8)."""
    a = media.open_voice(nothing)
    a.take_answer(peers[0].answer(a.make_offer(["PCMU"]), PCMU))
    offer = make_offer("127.0.0.1", peers[0].port, (PCMU,), 9, 2)
    answers = [a.answer_offer(sdp, ["PCMU"]) for sdp in (offer, offer, offer.replace(b"sendrecv", b"sendonly"), offer)]
    assert [parse_sdp(answer).version for answer in answers] == ["1", "1", "2", "3"]
    assert b"a=recvonly" in answers[2]


def test_our_offer_in_a_call_keeps_the_places_of_what_the_peer_had_offered(
    media: Media, peers: tuple[Peer, Peer]
) -> None:
    a = media.open_voice(nothing)
    a.take_answer(peers[0].answer(a.make_offer(["PCMU"]), PCMU))
    offer = make_offer("127.0.0.1", peers[0].port, (PCMU,), 9, 2) + b"m=video 40000 RTP/AVP 31\r\n"
    a.answer_offer(offer, ["PCMU"])
    ours = a.answer_offer(b"", ["PCMU"])
    assert [(section.kind, section.port) for section in parse_sdp(ours).media] == [
        ("audio", a.port.rtp_port),
        ("video", 0),
    ]


@pytest.mark.parametrize("host", ["224.2.1.1", "255.255.255.255", "ff15::101", "phone.example"])
def test_an_answer_that_is_no_one_phone_is_refused(media: Media, host: str) -> None:
    a = media.open_voice(nothing)
    with pytest.raises(ProtocolError):
        a.take_answer(make_answer(a.make_offer(["PCMU"]), host, 31000, (PCMU,), 9, 1))


def test_an_answer_to_a_host_name_is_refused(media: Media) -> None:
    a = media.open_voice(nothing)
    with pytest.raises(ProtocolError, match=r"phone\.example"):
        a.take_answer(make_answer(a.make_offer(["PCMU"]), "phone.example", 31000, (PCMU,), 9, 1))


def test_silence_and_its_end_are_told(media: Media, peers: tuple[Peer, Peer]) -> None:
    told: list[EventKind] = []
    a = media.open_voice(lambda event: told.append(event.kind))
    a.take_answer(peers[0].answer(a.make_offer(["PCMU"]), PCMU))
    while told[-1:] != [EventKind.SILENT]:
        assert select.select([media.fileno()], [], [], PATIENCE_SECONDS)[0]
        media.take_events()
    peers[0].send(a.port.rtp_port, b"." * 160)
    while told[-1:] not in ([EventKind.RESUMED], [EventKind.MEDIA_BEGAN]):
        assert select.select([media.fileno()], [], [], PATIENCE_SECONDS)[0]
        media.take_events()
    media.close_voice(a)
