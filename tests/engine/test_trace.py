"""What is kept of a callback's messages: the first and the last, masked, cut, and in characters every database takes."""

import pytest

from webcb.engine import trace
from webcb.engine.trace import Trace, call_id, readable
from webcb.sip.events import Address

US, THEM = Address("192.0.2.1", 5060), Address("192.0.2.2", 5060)


def test_the_first_and_the_last_are_kept_and_the_positions_show_the_gap() -> None:
    kept = Trace()
    for number in range(1000):
        kept.note("A", number, True, US, THEM, b"%d" % number)
    taken = kept.take()
    assert [each.position for each in taken] == [*range(1, trace.FIRST_MAX + 1), *range(1001 - trace.LAST_MAX, 1001)]
    assert kept.take() == []


@pytest.mark.parametrize(
    ("said", "stored"),
    [
        ('Authorization: Digest username="a"', "Authorization: Digest ************"),
        ("proxy-authorization:Digest response=abc, nc=1", "proxy-authorization:Digest ************* ****"),
        ("AUTHORIZATION : Basic YTpi", "AUTHORIZATION : Basic ****"),
        ("Authorization:\r\n Digest a=b,\r\n\tresponse=c", "Authorization:\r\n ****** ****\r\n\t**********"),
        ("Authorization: Digest a=b\rresponse=c", "Authorization: Digest ***\r**********"),
        ("Authorization: token", "Authorization: *****"),
        ('WWW-Authenticate: Digest realm="x"', 'WWW-Authenticate: Digest realm="x"'),
    ],
)
def test_credentials_are_masked(said: str, stored: str) -> None:
    message = f"BYE sip:a@b SIP/2.0\r\n{said}\r\nCSeq: 1 BYE\r\n\r\n"
    assert readable(message.encode()) == f"BYE sip:a@b SIP/2.0\r\n{stored}\r\nCSeq: 1 BYE\r\n\r\n"


def test_keys_of_srtp_are_masked() -> None:
    line = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"
    kept = readable(f"INVITE\r\n\r\n{line}PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR|2^20|1:4\r\n".encode())
    assert kept == f"INVITE\r\n\r\n{line}{'*' * 40}|2^20|1:4\r\n"


def test_what_no_database_takes_is_replaced_and_what_is_long_is_cut() -> None:
    assert readable(b"a\0b\xffc") == "a\ufffdb\ufffdc"
    assert len(readable(b"x" * 60_000)) == trace.MESSAGE_BYTES_MAX
    assert "secret" not in readable(b"X\r\nAuthorization: Digest secret" + b"x" * 60_000)


@pytest.mark.parametrize(
    ("message", "found"),
    [
        (b"BYE sip:a SIP/2.0\r\nCall-ID: abc@d\r\n\r\n", b"abc@d"),
        (b"BYE sip:a SIP/2.0\r\ni:abc\r\n\r\n", b"abc"),
        (b"BYE sip:a SIP/2.0\r\ncall-id :\r\n abc\r\n\r\n", b"abc"),
        (b"\x00\x01\x02", b""),
        (b"", b""),
    ],
)
def test_a_message_is_known_by_its_call_id(message: bytes, found: bytes) -> None:
    assert call_id(message) == found
