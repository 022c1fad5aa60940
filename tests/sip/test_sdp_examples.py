"""Every offer and answer that RFC 4317 prints: read and printed alike, and answered as it says where we would answer."""

from itertools import pairwise
from pathlib import Path

import pytest

from webcb.sip.grammar import ProtocolError
from webcb.sip.offer_answer import Codec, make_answer, read_answer, read_offer
from webcb.sip.sdp import parse_sdp

BLOCKS = [block.split("\n") for block in (Path(__file__).parent / "rfc4317.txt").read_text().strip().split("\n\n")]
EXAMPLES = [(title.removeprefix("# "), ("\r\n".join(lines) + "\r\n").encode()) for title, *lines in BLOCKS]
PAIRS = [(*first, second[1]) for first, second in pairwise(EXAMPLES) if first[0].endswith("Offer")]
OURS = (
    Codec("PCMU", 0, 8000), Codec("PCMA", 8, 8000), Codec("iLBC", 97, 8000), Codec("telephone-event", 98, 8000, "0-16"),
)  # fmt: skip


def test_all_are_here():
    assert len(EXAMPLES) == 54
    assert len(PAIRS) == 27


@pytest.mark.parametrize(("title", "sdp"), EXAMPLES, ids=[title for title, _ in EXAMPLES])
def test_parse_print_parse(title, sdp):
    description = parse_sdp(sdp)
    assert parse_sdp(description.encode()) == description


@pytest.mark.parametrize(("title", "offer", "answer"), PAIRS, ids=[title for title, _, _ in PAIRS])
def test_exchange(title, offer, answer):
    """We answer the audio that the RFC's Bob answers, in codecs of the offer, and refuse the rest in its place."""
    if title == "5.1 Offer":
        with pytest.raises(ProtocolError):  # no media at all: not what a callback is for
            read_offer(offer)
        return
    ours = parse_sdp(make_answer(offer, "192.0.2.1", 20_000, OURS, 7, 1))
    sections = parse_sdp(offer).media
    assert [(media.kind, media.protocol) for media in ours.media] == [
        (media.kind, media.protocol) for media in sections
    ]
    assert [bool(media.port) for media in ours.media].count(True) == 1
    assert next(media.kind for media in ours.media if media.port) == "audio"
    if title in ("4.1 Second-Offer", "4.2 Second-Offer", "2.5 Offer"):
        assert len(ours.media) == 2
    if title == "2.6 Offer":  # Bob takes the second of two audio streams; we offer one
        with pytest.raises(ProtocolError):
            read_answer(offer, answer)
        return
    stream = read_answer(offer, answer)
    assert {codec.name for codec in stream.codecs} <= {codec.name for codec in read_offer(offer).codecs}
    assert stream.port == next(media.port for media in parse_sdp(answer).media if media.kind == "audio" and media.port)
