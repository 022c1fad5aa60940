"""Session descriptions and offer/answer: RFC 8866, RFC 3264, and what peers make of them."""

import pytest

from webcb.sip.grammar import ProtocolError
from webcb.sip.offer_answer import Codec, Side, Stream, make_answer, make_offer, read_answer, read_offer, write_offer
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
                "a=ptime:20.5",
                "a=maxptime:40",
            ),
            Stream("198.51.100.7", 30000, 30001, (PCMU,), "sendrecv", 20, 40),
        ),
        (  # RTCP on one port cannot begin with an answer (RFC 5761, 5.1.1)
            sdp("m=audio 30000 RTP/AVP 0", "a=rtcp-mux", "a=rtcp:0"),
            Stream("198.51.100.7", 30000, 30001, (PCMU,), "sendrecv", None),
        ),
        (
            sdp("m=audio 30000 RTP/AVP 0 0", "b=AS:64", "k=clear:x", "a=ptime:30", session="c=IN IP6 ::\r\na=ptime:10"),
            Stream("::", 30000, 30001, (PCMU,), "sendonly", 30),
        ),
        (
            sdp(
                "m=audio 65535 RTP/AVP 0",
                "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x",
                session="c=IN IP4 192.0.2.9/127",
            ),
            Stream("192.0.2.9", 65535, 65535, (PCMU,), "sendrecv", None),
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


WIDE = (Codec("G722", 9, 8000), Codec("opus", 111, 48_000, "useinbandfec=1", channels=2))
EVENTS = (Codec("telephone-event", 101, 8000, "0-16"), Codec("telephone-event", 110, 48_000, "0-16"))


def test_offer_of_every_codec():
    side = Side("2001:db8::1", 20_000, (*WIDE, PCMU, *EVENTS), 7, 1, ptime_ms=20)
    offer = write_offer(side)
    assert offer.decode().splitlines()[1:] == [
        "o=- 7 1 IN IP6 2001:db8::1",
        "s=-",
        "c=IN IP6 2001:db8::1",
        "t=0 0",
        "m=audio 20000 RTP/AVP 9 111 0 101 110",
        "a=rtpmap:9 G722/8000",
        "a=rtpmap:111 opus/48000/2",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=rtpmap:110 telephone-event/48000",
        "a=fmtp:111 useinbandfec=1",
        "a=fmtp:101 0-16",
        "a=fmtp:110 0-16",
        "a=ptime:20",
        "a=sendrecv",
    ]
    assert read_offer(offer) == Stream("2001:db8::1", 20_000, 20_001, (*WIDE, PCMU, *EVENTS), "sendrecv", 20)


@pytest.mark.parametrize(
    ("media", "codecs"),
    [
        (("m=audio 3 RTP/AVP 9",), (Codec("G722", 9, 8000),)),
        (
            (
                "m=audio 3 RTP/AVP 96 97",
                "a=rtpmap:96 OPUS/48000/2",
                "a=fmtp:96 stereo=1",
                "a=rtpmap:97 telephone-event/48000",
            ),
            (Codec("opus", 96, 48_000, "useinbandfec=1", 2), Codec("telephone-event", 97, 48_000)),
        ),
        (
            ("m=audio 3 RTP/AVP 100 0", "a=rtpmap:100 telephone-event/16000", "a=fmtp:100 0-15"),
            (Codec("telephone-event", 100, 16_000, "0-15"), PCMU),
        ),
        (("m=audio 3 RTP/AVP 96 0", "a=rtpmap:96 opus/48000"), (PCMU,)),  # one channel is not Opus (RFC 7587, 7)
        (("m=audio 3 RTP/AVP 0 96", "a=rtpmap:0 PCMU/8000/1", "a=rtpmap:96 PCMA/8000/2"), (PCMU,)),
    ],
)
def test_codecs_of_an_answer(media, codecs):
    answer = make_answer(sdp(*media), "192.0.2.1", 20_002, (*WIDE, PCMU, EVENTS[0]), 7, 1)
    assert read_offer(answer).codecs == codecs


def test_comfort_noise_and_keys_alone_are_no_voice():
    for formats in ("13", "101", "13 101"):
        with pytest.raises(ProtocolError):
            make_answer(
                sdp(f"m=audio 3 RTP/AVP {formats}", "a=rtpmap:101 telephone-event/8000"), "192.0.2.1", 2, OURS, 1, 1
            )


def test_answer_to_a_browser():
    """ICE, a bundle and the like are not answered, so the peer goes on without; RTCP on one port is."""
    offer = sdp(
        "m=audio 30000 RTP/AVPF 0",
        "c=IN IP6 2001:db8::7",
        "a=mid:0",
        "a=ice-ufrag:F7gI",
        "a=ice-pwd:x9cml/YzichV2+XlhiMu8g",
        "a=candidate:1 1 UDP 2130706431 203.0.113.141 8998 typ host",
        "a=end-of-candidates",
        "a=rtcp-mux",
        "a=rtcp:9 IN IP4 0.0.0.0",
        "a=ssrc:1 cname:x",
        "a=x-unknown:;;;",
        "m=video 30000 RTP/AVPF 96",
        "a=mid:1",
        session="a=group:BUNDLE 0 1\r\na=ice-lite\r\na=ice-options:trickle",
    )
    offer = offer.replace(b"m=video 30000 RTP/AVPF 96\r\n", b"m=video 30000 RTP/AVPF 96\r\nc=IN IP4 198.51.100.7\r\n")
    stream = read_offer(offer)
    assert (stream.host, stream.port, stream.rtcp_port, stream.is_rtcp_mux) == ("2001:db8::7", 30000, 30000, True)
    assert make_answer(offer, "2001:db8::1", 20_002, OURS, 7, 1).decode().splitlines()[3:] == [
        "c=IN IP6 2001:db8::1",
        "t=0 0",
        "m=audio 20002 RTP/AVPF 0",
        "a=rtpmap:0 PCMU/8000",
        "a=rtcp-mux",
        "a=sendrecv",
        "m=video 0 RTP/AVPF 96",
    ]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("sendrecv", "sendrecv"), ("sendonly", "recvonly"), ("recvonly", "sendonly"), ("inactive", "inactive")],
)
def test_hold_is_mirrored_at_either_level(theirs, ours):
    for offer in (
        sdp("m=audio 3 RTP/AVP 0", f"a={theirs}"),
        sdp("m=audio 3 RTP/AVP 0", session=f"c=IN IP4 198.51.100.7\r\na={theirs}"),
    ):
        assert make_answer(offer, "192.0.2.1", 2, OURS, 1, 1).endswith(f"a={ours}\r\n".encode())


def test_a_later_offer_keeps_the_sections_of_before():
    told = make_answer(
        sdp("m=image 30008 udptl t38", "m=audio 30000 RTP/AVP 0", "m=video 30002 RTP/AVP 31"),
        "192.0.2.1",
        20_002,
        OURS,
        7,
        1,
    )
    again = parse_sdp(write_offer(Side("192.0.2.1", 20_002, (PCMA,), 7, 2), told))
    assert [(media.kind, media.port, media.formats) for media in again.media] == [
        ("image", 0, ["t38"]),
        ("audio", 20_002, ["8"]),
        ("video", 0, ["31"]),
    ]


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
