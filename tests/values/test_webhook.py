"""Webhooks as values: whom they may reach, how they are signed, when they are tried again."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

import pytest

from webcb import webhook

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


NOT_PUBLIC = """
    127.0.0.1 127.8.8.8 10.0.0.1 172.16.3.4 192.168.1.1 100.64.0.1 169.254.169.254 0.0.0.0 255.255.255.255 224.0.0.1 240.0.0.1
    192.0.2.1 198.18.0.1 ::1 :: fe80::1 fd00::1 ff02::1 2001:db8::1 ::ffff:10.0.0.1 ::ffff:127.0.0.1 64:ff9b::a00:1 2002:a00:1::
    2001:0:4136:e378:8000:63bf:f5ff:fffe
"""


@pytest.mark.parametrize("address", NOT_PUBLIC.split())
def test_what_is_not_public_is_not_reached(address: str) -> None:
    assert not webhook.may_reach(ip_address(address), ())


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2001:4860:4860::8888", "64:ff9b::808:808", "::ffff:8.8.8.8"]
)
def test_what_is_public_is(address: str) -> None:
    assert webhook.may_reach(ip_address(address), ())


def test_a_network_that_the_operator_named_is_reached_and_its_neighbour_is_not() -> None:
    named = (ip_network("10.1.0.0/16"),)
    assert webhook.may_reach(ip_address("10.1.2.3"), named)
    assert webhook.may_reach(ip_address("::ffff:10.1.2.3"), named)
    assert not webhook.may_reach(ip_address("10.2.0.1"), named)


@pytest.mark.parametrize(
    "url",
    [
        "", "x", "//example.com", "ftp://example.com/", "file:///etc/passwd", "http://example.com/", "https://", "https:///x",
        "https://user:pass@example.com/", "https://user@example.com/", "https://127.0.0.1/", "https://[::1]/", "https://[::1",
        "https://169.254.169.254/latest", "https://example.com:25/", "https://example.com:0x50/", "https://example.com:99999/",
        "https://exa mple.com/", "https://example.com/\r\nX: y", "https://ex\u00e4mple.com/", "https://example.com\\@evil/",
        "https://example.com/" + "x" * 1000, "gopher://127.0.0.1/", "https://[fe80::1%25eth0]/",
    ],
)  # fmt: skip
def test_what_is_no_url_to_send_to(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        webhook.read_url(url, ())


def test_a_url_to_send_to() -> None:
    target = webhook.read_url("https://Example.com/calls?of=me", ())
    assert (target.host, target.port, target.path, target.authority) == (
        "example.com",
        443,
        "/calls?of=me",
        "example.com",
    )
    assert webhook.read_url("https://example.com:8443", ()).authority == "example.com:8443"
    assert webhook.read_url("http://10.1.2.3:8080/x", (ip_network("10.0.0.0/8"),)).authority == "10.1.2.3:8080"


def test_it_is_signed_as_standard_webhooks_has_it() -> None:
    """A message that the reference libraries (standard-webhooks) are held against."""
    at = datetime.fromtimestamp(1614265330, UTC)
    said = webhook.signature(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, b'{"test": 2432232314}')
    assert said == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_who_was_told_can_tell_what_is_ours() -> None:
    body = b"{}"
    said = webhook.signature(SECRET, "id", NOON, body)
    headers = {
        "webhook-id": "id",
        "webhook-timestamp": str(int(NOON.timestamp())),
        "webhook-signature": f"v1,x {said}",
    }
    assert webhook.is_signed_by(SECRET, headers, body, NOON)
    assert not webhook.is_signed_by(SECRET, headers, b"{ }", NOON)
    assert not webhook.is_signed_by(SECRET, headers | {"webhook-id": "other"}, body, NOON)
    assert not webhook.is_signed_by(SECRET, headers, body, NOON + timedelta(minutes=6)), "replayed"
    assert not webhook.is_signed_by("whsec_AAAA", headers, body, NOON)
    assert not webhook.is_signed_by(SECRET, {}, body, NOON)


def test_it_is_tried_again_ever_more_rarely_and_then_no_more() -> None:
    waits = [webhook.next_try(tries, NOON) for tries in range(1, 10)]
    gaps = [each - NOON for each in waits if each is not None]
    assert gaps == sorted(gaps)
    assert timedelta(hours=20) < sum(gaps, timedelta()) < timedelta(hours=24)
    assert waits[-1] is None
