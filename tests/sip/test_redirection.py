"""3xx: where it points to, best first, and which of that is the same number elsewhere (RFC 3261, 8.1.3.4 and 21.3)."""

import pytest

from tests.sip.wire import Wire
from webcb.sip.events import Closed
from webcb.sip.grammar import ProtocolError
from webcb.sip.redirection import is_same_number_elsewhere


@pytest.mark.parametrize("status", [300, 301, 302, 305, 380])
def test_targets_are_told_with_the_failure(status):
    wire = Wire()
    session = wire.invite()
    wire.answer(
        status, Contact='"B" <sip:b@10.0.0.2>;q=0.3, <sip:a@10.0.0.1:5070;transport=tcp>;q=0.9, sip:c@10.0.0.3;q=0.9'
    )
    wire.expect("INVITE ->", f"<- {status}", "ACK ->")
    failed, closed = wire.events()
    assert failed.targets == ("sip:a@10.0.0.1:5070;transport=tcp", "sip:c@10.0.0.3", "sip:b@10.0.0.2")
    assert closed == Closed(session)


@pytest.mark.parametrize("status", [404, 485, 503, 600])
def test_contacts_of_other_refusals_are_no_targets(status):
    wire = Wire()
    wire.invite()
    wire.answer(status, Contact="<sip:a@10.0.0.1>")
    assert wire.events()[0].targets == ()


@pytest.mark.parametrize(
    ("contact", "targets"),
    [
        ("", ()),
        ("*", ()),
        ("<tel:+15551234567>, <mailto:a@b>, <sip:a@10.0.0.1>", ("sip:a@10.0.0.1",)),
        ("<sip:a@10.0.0.1?Route=%3Csip:evil%3E>", ()),
        ("<sip:a@10.0.0.1", ()),
        ("<sip:a@10.0.0.1>;q=high, <sip:b@10.0.0.1>;q=0.5, <sip:c@10.0.0.1>;q=1..0", None),
        (", ".join(f"<sip:{n}@10.0.0.1>" for n in range(20)), tuple(f"sip:{n}@10.0.0.1" for n in range(8))),
    ],
)
def test_what_cannot_be_gone_to_is_left_out(contact, targets):
    wire = Wire()
    wire.invite()
    wire.answer(302, Contact=contact)
    expected = ("sip:a@10.0.0.1", "sip:c@10.0.0.1", "sip:b@10.0.0.1") if targets is None else targets
    assert wire.events()[0].targets == expected


@pytest.mark.parametrize(
    ("target", "followed"),
    [
        ("sip:15551234567@10.0.0.1", True),
        ("sip:+15551234567@10.0.0.1;user=phone", True),
        ("sip:15551234567@carrier.example:5070", True),
        ("sip:15551234567@carrier.example", False),  # whence it came
        ("sip:15551234567@CARRIER.example", False),
        ("sip:15551234567@CARRIER.example:5060", True),  # its own addresses, whatever SRV says (RFC 3263, 4.2)
        ("sip:19005551234@10.0.0.1", False),  # another number may cost more
        ("sip:15551234567;rn=1900@10.0.0.1", False),
        ("sip:10.0.0.1", False),
        ("sip:15551234567@10.0.0.1;transport=tcp", False),
        ("sips:15551234567@10.0.0.1", False),
    ],
)
def test_same_number_elsewhere(target, followed):
    assert is_same_number_elsewhere(target, "sip:15551234567@carrier.example") is followed


def test_what_is_no_uri_is_not_compared():
    with pytest.raises(ProtocolError):
        is_same_number_elsewhere("tel:1", "sip:1@x")
