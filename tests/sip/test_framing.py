"""Messages in a stream, split anywhere."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webcb.sip.framing import Framer
from webcb.sip.grammar import ProtocolError
from webcb.sip.message import MESSAGE_BYTES_MAX


def message(body: bytes, length: str = "Content-Length: {}") -> bytes:
    head = f"MESSAGE sip:a@b SIP/2.0\r\nSubject: l: 7\r\n{length.format(len(body))}\r\nTo: <sip:a@b>\r\n\r\n"
    return head.encode() + body


LENGTHS = ["Content-Length: {}", "l:{}", "CONTENT-length \t:  {} ", "L:\r\n  {}"]
BODIES = st.one_of(st.binary(max_size=60), st.just(message(b"v=0\r\n\r\n")), st.just(b"\r\n\r\n"))
MESSAGES = st.builds(message, BODIES, st.sampled_from(LENGTHS))


@given(st.lists(st.tuples(MESSAGES, st.integers(0, 3)), max_size=4), st.lists(st.integers(0, 1200), max_size=12))
def test_a_stream_gives_the_same_messages_however_it_is_split(said: list[tuple[bytes, int]], cuts: list[int]) -> None:
    stream = b"".join(text + b"\r\n\r\n" * pings for text, pings in said)
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    framer = Framer()
    heard = [each for start, end in itertools.pairwise(edges) for each in framer.feed(stream[start:end])]
    assert heard == [text for text, _ in said]
    assert framer.pings == sum(pings for _, pings in said)
    assert framer.is_between


def test_byte_by_byte() -> None:
    stream = b"\r\n\r\n" + message(b"one") + b"\r\n\r\n" + message(b"") + b"\r\n"
    framer = Framer()
    heard = [each for byte in stream for each in framer.feed(bytes([byte]))]
    assert heard == [message(b"one"), message(b"")]
    assert framer.pings == 2


def test_a_single_blank_line_is_an_answer_and_no_ping() -> None:
    framer = Framer()
    for _ in range(3):
        assert framer.feed(b"\r\n" + message(b"x")) == [message(b"x")]
    assert framer.pings == 0


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        (message(b"", "Subject: none{}"), "no Content-Length"),
        (message(b"abc", "l: {}\r\nContent-Length: 4"), "more than one"),
        (message(b"abc", "l: -{}"), "no Content-Length"),
        (message(b"abc", "l: {}x"), "no Content-Length"),
        (message(b"", "l: 99999999{}"), "too long"),
        (message(b"", f"l: {MESSAGE_BYTES_MAX}"), "too long"),
        (b"a" * (MESSAGE_BYTES_MAX + 1), "does not end"),
    ],
)
def test_a_stream_whose_messages_have_no_end_is_refused(stream: bytes, said: str) -> None:
    with pytest.raises(ProtocolError, match=said):
        Framer().feed(stream)


def test_equal_lengths_are_one_and_what_is_missing_is_waited_for() -> None:
    framer = Framer()
    whole = message(b"abc", "l: {}\r\nContent-Length: 3")
    assert framer.feed(whole[:-1]) == []
    assert not framer.is_between
    assert framer.feed(whole[-1:]) == [whole]


def test_a_head_that_comes_in_drops_costs_no_more_than_its_bytes() -> None:
    framer = Framer()
    for _ in range(MESSAGE_BYTES_MAX):
        assert framer.feed(b"a") == []
    with pytest.raises(ProtocolError):
        framer.feed(b"a")
