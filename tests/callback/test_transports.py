"""The ways between us and a carrier with real peers, in one callback: A over TCP and IPv6, B over TLS; and what strangers get there."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.callback.configuration import charge_a, charge_b, media_port, sip_port
from tests.callback.installation import Installation
from tests.callback.outcome import NORMAL, assert_books_balance
from tests.callback.peers import TONE_HZ, baresip, decoded, share_of_tone
from tests.engine.certificates import Authority
from tests.ports import free_ports
from webcb import db
from webcb.models import Connection, Message, Xdr

SECOND = 50  # packets


@pytest.fixture
def webcb(tmp_path: Path) -> Iterator[Installation]:
    """An engine on both families that has no word for strangers."""
    with free_ports() as ports:
        binds = f"127.0.0.1:{ports[0]},[::1]:{ports[0]}"
        installation = Installation.make(tmp_path, ports, WEBCB_SIP_BINDS=binds, WEBCB_SIP_STRANGERS="silent")
        try:
            installation.start_engine()
            yield installation
            installation.stop_engine()
            assert "Traceback" not in installation.log()
        finally:
            installation.close()


def ask(port: int, method: str) -> bytes:
    """What a stranger is answered, b"" where nothing comes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.settimeout(0.3)
        own = f"127.0.0.1:{stranger.getsockname()[1]}"
        lines = [
            f"{method} sip:1@127.0.0.1:{port} SIP/2.0",
            f"Via: SIP/2.0/UDP {own};branch=z9hG4bK{method}",
            f"From: <sip:stranger@{own}>;tag=1",
            f"To: <sip:1@127.0.0.1:{port}>",
            f"Call-ID: {method}@{own}",
            f"CSeq: 1 {method}",
            f"Contact: <sip:{own}>",
            "Max-Forwards: 70",
            "Content-Length: 0",
        ]
        stranger.sendto("\r\n".join([*lines, "", ""]).encode(), ("127.0.0.1", port))
        try:
            return stranger.recv(65_535)
        except TimeoutError:
            return b""


def test_tcp_over_ipv6_tls_and_strangers(webcb: Installation, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "carrier")
    webcb.phone("A", "hangs_up", host="[::1]", transport="tcp", ring_ms=0, talk_ms=1500)
    baresip(webcb, pem(tmp_path, authority))
    with db.writing():
        Connection.update(host="::1", transport="tcp").where(Connection.name == "Carrier A").execute()
        Connection.update(port=sip_port(webcb.ports, "B") + 1, transport="tls", tls_ca_file=str(authority.file)).where(
            Connection.name == "Carrier B"
        ).execute()
    callback = webcb.place()
    assert webcb.wait_for_state(callback, "ended", 15).ending == "A hung up"
    webcb.phones["A"].finish(5)
    xdrs = {xdr.leg: xdr for xdr in Xdr.select().where(Xdr.callback == callback)}
    assert {leg: xdr.disconnect_cause for leg, xdr in xdrs.items()} == {"A": NORMAL, "B": NORMAL}
    assert xdrs["A"].charged_micros == charge_a(xdrs["A"].used_quantity) > 0
    assert xdrs["B"].charged_micros == charge_b(xdrs["B"].used_quantity) > 0
    assert_books_balance(webcb)

    webcb.wire.wait(lambda: Message.select().where(Message.callback == callback).count(), 5, "the trace is written")
    said = {leg: [each.text for each in Message.select().where(Message.leg == leg, Message.sent)] for leg in "AB"}
    for leg, via, contact in (
        ("A", f"Via: SIP/2.0/TCP [::1]:{webcb.ports[0]};", f"@[::1]:{webcb.ports[0]};transport=tcp>"),
        ("B", f"Via: SIP/2.0/TLS 127.0.0.1:{webcb.ports[0]};", f"@127.0.0.1:{webcb.ports[0]};transport=tls>"),
    ):
        assert said[leg][0].startswith("INVITE ")
        assert contact in said[leg][0]
        assert all(via in text for text in said[leg] if not text.startswith("SIP/2.0"))

    assert ask(webcb.ports[0], "OPTIONS").startswith(b"SIP/2.0 200 OK")
    assert ask(webcb.ports[0], "INVITE") == b""


def pem(folder: Path, authority: Authority) -> Path:
    """A certificate of this host's with its key in one file, as baresip wants it."""
    signed = authority.sign("127.0.0.1")
    file = folder / "baresip.pem"
    file.write_bytes(signed.certificate.read_bytes() + signed.key.read_bytes())
    return file


def test_a_hears_in_the_clear_what_b_says_encrypted(webcb: Installation, tmp_path: Path) -> None:
    """B takes no call without SRTP (SDES over TLS) and is libsrtp; A has never heard of it."""
    authority = Authority(tmp_path, "carrier")
    webcb.phone("A", "hangs_up", ring_ms=0, talk_ms=4500)
    baresip(webcb, pem(tmp_path, authority), encrypts=True)
    with db.writing():
        Connection.update(
            port=sip_port(webcb.ports, "B") + 1, transport="tls", tls_ca_file=str(authority.file), srtp="required"
        ).where(Connection.name == "Carrier B").execute()
    callback = webcb.place()
    assert webcb.wait_for_state(callback, "ended", 15).ending == "A hung up"
    webcb.phones["A"].finish(5)
    spoken = webcb.wire.rtp_from(media_port(webcb.ports, "B"))[-SECOND:]
    heard = webcb.wire.rtp_to(media_port(webcb.ports, "A"))[-SECOND:]
    assert len(spoken) == len(heard) == SECOND
    assert share_of_tone(decoded(spoken), TONE_HZ) < 0.1
    assert share_of_tone(decoded(heard), TONE_HZ) > 0.95


def test_a_with_pcmu_hears_a_b_that_only_has_g722(webcb: Installation) -> None:
    webcb.phone("A", "hangs_up", ring_ms=0, talk_ms=4500)
    baresip(webcb, wideband=True)
    with db.writing():
        Connection.update(codecs="G722").where(Connection.name == "Carrier B").execute()
    callback = webcb.place()
    assert webcb.wait_for_state(callback, "ended", 15).ending == "A hung up"
    webcb.phones["A"].finish(5)
    spoken = webcb.wire.rtp_from(media_port(webcb.ports, "B"))[-SECOND:]
    heard = webcb.wire.rtp_to(media_port(webcb.ports, "A"))[-SECOND:]
    assert {packet.payload_type for packet in spoken} == {9}
    assert {packet.payload_type for packet in heard} == {0}
    assert share_of_tone(decoded(heard), TONE_HZ) > 0.95
