"""Who calls, header by header (RFC 3323, 3325, 5806)."""

import pytest

from tests.sip.wire import PEER, Wire
from webcb.sip.caller import IDENTITY_HEADERS, Caller, caller_headers, user_part

CLI = "5511999887766"
ALL = IDENTITY_HEADERS


def headers(**changes: object) -> dict[str, str]:
    return dict(caller_headers(Caller(**{"user": CLI, "domain": "carrier.example", **changes})))


def test_from_alone_needs_no_further_header() -> None:
    caller = Caller(CLI, "carrier.example", name="Web callback")
    assert (caller.from_uri, caller.from_name) == (f"sip:{CLI}@carrier.example", "Web callback")
    assert caller_headers(caller) == ()


def test_each_carrier_is_told_in_the_header_it_reads() -> None:
    address = f"<sip:{CLI}@carrier.example>"
    assert headers(headers=ALL) == {
        "P-Asserted-Identity": address,
        "P-Preferred-Identity": address,
        "Remote-Party-ID": f"{address};party=calling;screen=no;privacy=off",
    }


def test_another_identity_than_that_of_from() -> None:
    own = headers(user="pilot", identity="+12065550100", headers=ALL, is_verified=True, name='A "B"')
    assert own["P-Asserted-Identity"] == '"A \\"B\\"" <sip:+12065550100@carrier.example>'
    assert ";screen=yes;" in own["Remote-Party-ID"]


def test_who_is_withheld_is_told_to_the_carrier_alone() -> None:
    caller = Caller(CLI, "192.0.2.1", name="Web callback", headers=ALL, withheld=True, diverting="100")
    assert (caller.from_uri, caller.from_name) == ("sip:anonymous@anonymous.invalid", "Anonymous")
    told = dict(caller_headers(caller))
    assert told["Privacy"] == "id"
    assert told["P-Asserted-Identity"] == f'"Web callback" <sip:{CLI}@192.0.2.1>'
    assert told["Remote-Party-ID"].endswith(";privacy=full")
    assert told["Diversion"].endswith(";privacy=full")


def test_nobody_is_anonymous_without_a_claim_to_privacy() -> None:
    caller = Caller("", "carrier.example", headers=ALL, anonymous_domain="carrier.example")
    assert (caller.from_uri, caller.from_name) == ("sip:anonymous@carrier.example", "Anonymous")
    assert caller_headers(caller) == ()


def test_diversion() -> None:
    assert headers(diverting="+12065550100") == {
        "Diversion": "<sip:+12065550100@carrier.example>;reason=unconditional;counter=1;privacy=off"
    }


@pytest.mark.parametrize("user", ["", "a b", "1\r\nX: y", 'a"b', "<1>", "1@x", "1;phone=2", "1%0d%0a", "é", "1" * 65])
def test_what_is_no_user_part_stands_in_no_header(user: str) -> None:
    with pytest.raises(ValueError, match="cannot stand"):
        user_part(user)
    if user:
        with pytest.raises(ValueError, match="cannot stand"):
            headers(identity=user, headers=ALL)
        with pytest.raises(ValueError, match="cannot stand"):
            headers(diverting=user)


@pytest.mark.parametrize("name", ['x"; tag=1', "x\r\nX-Evil: 1", "x\\", "x\0", "<sip:1@x>"])
def test_a_name_stays_a_name(name: str) -> None:
    """What a name contains is quoted in From and in the identity; it never becomes a header, a parameter or a URI."""
    wire = Wire()
    caller = Caller(CLI, "carrier.example", name=name, headers=("P-Asserted-Identity",))
    wire.invite(from_uri=caller.from_uri, from_name=caller.from_name, headers=caller_headers(caller), next_hop=PEER)
    invite = wire.last("INVITE")  # read back: what the wire of the tests keeps is parsed from the bytes that were sent
    assert invite.from_.uri == f"sip:{CLI}@carrier.example"
    assert set(invite.from_.parameters) == {"tag"}
    assert invite.first("P-Asserted-Identity").endswith(f"<sip:{CLI}@carrier.example>")
    assert not [header for header in invite.fields if header.lower() == "x-evil"]


@pytest.mark.parametrize("domain", ["a b", "a\r\nX: y", "a>", "a;b=c d"])
def test_what_is_no_domain_is_refused(domain: str) -> None:
    with pytest.raises(ValueError, match=r"host|character|parameter|blank"):
        headers(domain=domain, headers=ALL)


def test_no_other_header_comes_in_this_way() -> None:
    with pytest.raises(ValueError, match="no header of a caller"):
        headers(headers=("Route",))
