"""Session descriptions and offer/answer: RFC 8866, RFC 3264, and what peers make of them."""

import pytest

from webcb.sip.grammar import ProtocolError
from webcb.sip.offer_answer import Codec, Stream, make_answer, make_offer, read_answer, read_offer
from webcb.sip.sdp import parse_sdp

PCMU = Codec("PCMU", 0, 8000)
PCMA = Codec("PCMA", 8, 8000)
EVENT = Codec("telephone-event", 101, 8000, "0-16")
OURS = (PCMU, PCMA, EVENT)
OFFER = make_offer("192.0.2.1", 20_000, OURS, 7, 1)


def sdp(*media: str, session: str = "c=IN IP4 198.51.100.7") -> bytes:
    lines = ["v=0", "o=- 1 1 IN IP4 198.51.100.7", "s=-", session, "t=0 0", *media]
    return ("\r\n".join(line for line in lines if line) + "\r\n").encode()


def test_offer_as_printed():
    assert OFFER.decode().splitlines() == [
        "v=0",
        "o=- 7 1 IN IP4 192.0.2.1",
        "s=-",
        "c=IN IP4 192.0.2.1",
        "t=0 0",
        "m=audio 20000 RTP/AVP 0 8 101",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-16",
        "a=sendrecv",
    ]
    assert b"c=IN IP6 2001:db8::1" in make_offer("2001:db8::1", 1, OURS, 1, 1)


@pytest.mark.parametrize(
    ("answer", "stream"),
    [
        (sdp("m=audio 30000 RTP/AVP 8"), Stream("198.51.100.7", 30000, 30001, (PCMA,), "sendrecv", None)),
        (
            sdp("m=audio 30000 RTP/AVP 0 96", "a=rtpmap:96 TELEPHONE-EVENT/8000", "a=fmtp:96 0-15", "a=ptime:20"),
            Stream("198.51.100.7", 30000, 30001, (PCMU, Codec("telephone-event", 96, 8000, "0-15")), "sendrecv", 20),
        ),
        (
            sdp("m=audio 30000 RTP/AVP 97 0", "a=rtpmap:97 opus/48000/2", "a=rtcp:40001 IN IP4 1.2.3.4", "a=recvonly"),
            Stream("198.51.100.7", 30000, 40001, (PCMU,), "recvonly", None),
        ),
        (
            sdp("m=audio 30000/2 RTP/AVP 0", "c=IN IP6 2001:db8::7", session=""),
            Stream("2001:db8::7", 30000, 30001, (PCMU,), "sendrecv", None),
        ),
        (
            sdp("m=audio 30000 RTP/AVP 0", session="c=IN IP4 0.0.0.0"),
            Stream("0.0.0.0", 30000, 30001, (PCMU,), "sendonly", None),
        ),
        (
            sdp("m=audio 30000 RTP/AVP 0", session="c=IN IP4 media.example\r\na=inactive"),
            Stream("media.example", 30000, 30001, (PCMU,), "inactive", None),
        ),
        (
            sdp(
                "m=audio 30000 RTP/AVP 0",
                "a=rtpmap:0 pcmu/8000/1",
                "a=candidate:1 1 UDP 1 1.2.3.4 5 typ host",
                "a=maxptime:40",
            ),
            Stream("198.51.100.7", 30000, 30001, (PCMU,), "sendrecv", None),
        ),
    ],
)
def test_read_answer(answer, stream):
    assert read_answer(OFFER, answer) == stream


@pytest.mark.parametrize(
    "answer",
    [
        sdp("m=audio 0 RTP/AVP 0"),
        sdp("m=audio 30000 RTP/AVP 18"),
        sdp("m=audio 30000 RTP/AVP 101", "a=rtpmap:101 telephone-event/8000"),
        sdp("m=audio 30000 RTP/AVP 0", "a=rtpmap:0 PCMU/16000"),
        sdp("m=audio 30000 RTP/SAVP 0"),
        sdp("m=video 30000 RTP/AVP 31"),
        sdp("m=audio 30000 RTP/AVP 0", "m=video 30002 RTP/AVP 31"),
        sdp(),
        sdp("m=audio 30000 RTP/AVP 0", session=""),
        sdp("m=audio 99999 RTP/AVP 0"),
        sdp("m=audio -1 RTP/AVP 0"),
        sdp("m=audio 30000 RTP/AVP 128"),
        sdp("m=audio 30000 RTP/AVP"),
        sdp("m=audio 30000 RTP/AVP 0", "a=ptime:100000"),
        sdp("m=audio 30000 RTP/AVP 0", session="c=IN IP4"),
        sdp("m=audio 30000 RTP/AVP 0", "no line"),
        sdp("m=audio 30000 RTP/AVP 0").replace(b"v=0", b"v=1"),
        sdp("m=audio 30000 RTP/AVP 0").replace(b"o=", b"x="),
        sdp("m=audio 30000 RTP/AVP 0", *["a=x"] * 600),
        sdp("m=audio 30000 RTP/AVP 0", "a=" + "x" * 20_000),
        b"",
        b"\0",
    ],
)
def test_answers_that_are_none(answer):
    with pytest.raises(ProtocolError):
        read_answer(OFFER, answer)


def test_answer_to_a_rich_offer():
    offer = sdp(
        "m=video 40000 RTP/AVP 31",
        "m=audio 30000 RTP/AVP 96 8 0 100",
        "a=rtpmap:96 opus/48000/2",
        "a=rtpmap:100 telephone-event/8000",
        "a=fmtp:100 0-15",
        "a=sendonly",
        "m=audio 30004 RTP/AVP 0",
        "m=image 0 udptl t38",
    )
    answer = make_answer(offer, "192.0.2.1", 20_002, OURS, 7, 2)
    assert answer.decode().splitlines()[3:] == [
        "c=IN IP4 192.0.2.1",
        "t=0 0",
        "m=video 0 RTP/AVP 31",
        "m=audio 20002 RTP/AVP 8 0 100",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:100 telephone-event/8000",
        "a=fmtp:100 0-15",
        "a=recvonly",
        "m=audio 0 RTP/AVP 0",
        "m=image 0 udptl t38",
    ]
    assert read_offer(offer).direction == "sendonly"


@pytest.mark.parametrize(
    "media", ["m=audio 30000 RTP/AVP 18", "m=audio 0 RTP/AVP 0", "m=audio 3 RTP/SAVP 0", "m=text 3 RTP/AVP 0"]
)
def test_offers_that_cannot_be_answered(media):
    with pytest.raises(ProtocolError):
        make_answer(sdp(media), "192.0.2.1", 20_002, OURS, 7, 2)


def test_what_is_read_is_printed_again():
    text = sdp(
        "a=group:BUNDLE 1",
        "m=audio 30000 RTP/AVP 0 101",
        "c=IN IP4 203.0.113.1",
        "a=rtpmap:101 telephone-event/8000",
        "a=sendrecv",
        "m=video 0 RTP/AVP 31",
    )
    assert parse_sdp(text).encode() == text
    assert parse_sdp(text.replace(b"\r\n", b"\n")).encode() == text
