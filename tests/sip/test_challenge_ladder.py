"""401 and 407: answered once, with the strongest algorithm, never in a circle, and inside dialogs too (RFC 3261, 22)."""

import re

import pytest

from tests.sip.wire import ALICE, SDP, Wire, response_to
from webcb.sip.digest import Challenge, Credentials, digest_response
from webcb.sip.events import Answered, Closed, Failed
from webcb.sip.message import Request

MD5 = 'Digest realm="carrier.example", nonce="n1", qop="auth", algorithm=MD5'
SHA256 = 'Digest realm="carrier.example", nonce="n2", qop="auth,auth-int", algorithm=SHA-256, opaque="o\\"q"'
ASKED = {401: ("WWW_Authenticate", "Authorization"), 407: ("Proxy_Authenticate", "Proxy-Authorization")}


def parameter(request: Request, header: str, name: str) -> str:
    found = re.search(rf'\b{name}="?([^",]*)', request.first(header))
    return found.group(1) if found else ""


@pytest.mark.parametrize("status", [401, 407])
def test_invite_is_sent_again_with_credentials(status):
    asks, answers = ASKED[status]
    wire = Wire()
    wire.invite(credentials=ALICE, headers=(("P-Asserted-Identity", "<sip:1@x.example>"),))
    first = wire.last("INVITE")
    wire.answer(status, **{asks: MD5})
    wire.expect("INVITE ->", f"<- {status}", "ACK ->", "INVITE ->")
    second = wire.last("INVITE")
    assert (second.cseq, second.call_id, second.from_tag, second.to_tag) == (2, first.call_id, first.from_tag, "")
    assert second.via.branch != first.via.branch
    assert second.first("P-Asserted-Identity") == "<sip:1@x.example>"
    cnonce = parameter(second, answers, "cnonce")
    challenge = Challenge("carrier.example", "n1", "MD5", "auth")
    expected = digest_response(ALICE, challenge, "INVITE", second.uri, "00000001", cnonce)
    assert parameter(second, answers, "response") == expected
    assert wire.events() == []
    wire.answer(200, sdp=SDP)
    assert isinstance(wire.events()[0], Answered)
    ack = wire.last("ACK")
    assert (ack.cseq, ack.fields[answers]) == (2, second.fields[answers])


def test_second_challenge_fails_the_call():
    wire = Wire()
    session = wire.invite(credentials=ALICE)
    wire.answer(401, WWW_Authenticate=MD5)
    wire.answer(401, WWW_Authenticate=MD5.replace("n1", "n3"))
    wire.expect("INVITE ->", "<- 401", "ACK ->", "INVITE ->", "<- 401", "ACK ->")
    failed, closed = wire.events()
    assert (failed.cause.status, failed.local, closed) == (401, False, Closed(session))


def test_stale_nonce_is_tried_again_but_not_for_ever():
    wire = Wire()
    wire.invite(credentials=ALICE)
    wire.answer(401, WWW_Authenticate=MD5)
    for number in range(20):
        if not wire.events():
            wire.answer(401, WWW_Authenticate=MD5.replace("n1", f"s{number}") + ", stale=TRUE")
    assert wire.counts()["INVITE ->"] == 5


def test_proxy_and_server_both_ask():
    wire = Wire()
    wire.invite(credentials=ALICE)
    wire.answer(407, Proxy_Authenticate=MD5)
    wire.answer(401, WWW_Authenticate='Digest realm="home", nonce="h1"')
    third = wire.last("INVITE")
    assert third.cseq == 3
    assert parameter(third, "Proxy-Authorization", "nc") == "00000002"
    assert parameter(third, "Authorization", "realm") == "home"
    assert "qop" not in third.first("Authorization")


@pytest.mark.parametrize(
    "asked",
    [
        None,
        "Basic realm=x",
        'Digest nonce="n"',
        'Digest realm="x", nonce="n", algorithm=SHA-3',
        'Digest realm="x", nonce="n", qop="new"',
        'Digest realm="unclosed',
        ";;;",
    ],
)
def test_challenge_that_cannot_be_answered_fails_the_call(asked):
    wire = Wire()
    wire.invite(credentials=ALICE)
    wire.answer(401, **({"WWW_Authenticate": asked} if asked else {}))
    wire.expect("INVITE ->", "<- 401", "ACK ->")
    assert isinstance(wire.events()[0], Failed)


def test_without_credentials_a_challenge_is_a_refusal():
    wire = Wire()
    wire.invite()
    wire.answer(407, Proxy_Authenticate=MD5)
    assert wire.events()[0].cause.status == 407


def test_credentials_are_for_their_realm_only():
    wire = Wire()
    wire.invite(credentials=Credentials("alice", "secret", realm="carrier.example"))
    wire.answer(407, Proxy_Authenticate=MD5.replace("carrier.example", "phishing.example"))
    wire.expect("INVITE ->", "<- 407", "ACK ->")


@pytest.mark.parametrize(("first", "second"), [(MD5, SHA256), (SHA256, MD5)])
def test_strongest_of_a_realm_is_chosen(first, second):
    wire = Wire()
    wire.invite(credentials=ALICE)
    # As two lines of one header, which the test's dict of headers cannot say.
    answer = response_to(wire.last("INVITE"), 401, WWW_Authenticate=f"{first}\r\nWWW-Authenticate: {second}")
    wire.deliver(answer)
    sent = wire.last("INVITE")
    assert len(sent.fields["Authorization"]) == 1
    assert parameter(sent, "Authorization", "algorithm") == "SHA-256"
    assert len(parameter(sent, "Authorization", "response")) == 64
    assert 'opaque="o\\"q"' in sent.first("Authorization")


def test_bye_goes_with_credentials_and_is_challenged_anew():
    wire = Wire()
    session = wire.invite(credentials=ALICE)
    wire.answer(407, Proxy_Authenticate=MD5)
    wire.answer(200, sdp=SDP)
    wire.forget()
    wire.hang_up(session)
    bye = wire.last("BYE")
    assert parameter(bye, "Proxy-Authorization", "nc") == "00000002"
    wire.answer(407, Proxy_Authenticate=MD5.replace("n1", "n9"))
    again = wire.last("BYE")
    assert parameter(again, "Proxy-Authorization", "nonce") == "n9"
    assert again.cseq == bye.cseq + 1
    assert wire.events() == []
    wire.answer(407, Proxy_Authenticate=MD5.replace("n1", "n10"))
    wire.expect("BYE ->", "<- 407", "BYE ->", "<- 407")
    assert wire.events() == [Closed(session)]


def test_auth_int_covers_the_body():
    wire = Wire()
    wire.invite(credentials=ALICE)
    wire.answer(401, WWW_Authenticate=MD5.replace('"auth"', '"auth-int"'))
    second = wire.last("INVITE")
    challenge = Challenge("carrier.example", "n1", "MD5", "auth-int")
    cnonce = parameter(second, "Authorization", "cnonce")
    expected = digest_response(ALICE, challenge, "INVITE", second.uri, "00000001", cnonce, second.body)
    assert parameter(second, "Authorization", "response") == expected
    assert expected != digest_response(ALICE, challenge, "INVITE", second.uri, "00000001", cnonce, b"")
