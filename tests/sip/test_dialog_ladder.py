"""What the peer may ask inside a dialog, what strangers may, and where our requests go (RFC 3261, 8.2, 12 and 14)."""

import pytest

from tests.sip.wire import OFFER, PEER, SDP, US, Wire, response_to, seeded
from webcb.sip.events import Address, Cause, Closed, HungUp, OfferAnswered, Offered
from webcb.sip.useragent import Credentials, Identity, UserAgent


def up(**headers: str) -> tuple[Wire, int]:
    wire = Wire()
    session = wire.invite()
    wire.answer(200, sdp=SDP, **headers)
    wire.forget()
    return wire, session


def test_peer_hangs_up():
    wire, session = up()
    wire.ask("BYE", wire.last("INVITE"), Reason='Q.850;cause=31;text="unspecified"')
    wire.expect("<- BYE", "200 ->")
    assert wire.events() == [HungUp(session, Cause(0, 31, "unspecified")), Closed(session)]


def test_plain_bye_is_normal_clearing():
    wire, session = up()
    wire.ask("BYE", wire.last("INVITE"))
    assert wire.events()[0] == HungUp(session, Cause(0, 16, ""))


def test_our_bye_says_why():
    wire, session = up()
    wire.hang_up(session, Cause(486, 17, 'bu"sy\r\nEvil: 1'))
    assert wire.last("BYE").fields["Reason"] == [
        'SIP;cause=486;text="bu\\"sy  Evil: 1"',
        'Q.850;cause=17;text="bu\\"sy  Evil: 1"',
    ]


@pytest.mark.parametrize(
    "changes", [{"tag": "forged"}, {"To": "<sip:x@y>;tag=forged"}, {"To": "<sip:x@y>"}, {"Call_ID": "other"}]
)
def test_spoofed_bye_ends_nothing(changes):
    wire, session = up()
    wire.ask("BYE", wire.last("INVITE"), **changes)
    wire.expect("<- BYE", "481 ->")
    assert wire.events() == []
    wire.hang_up(session)
    wire.expect("BYE ->")


def test_bye_of_an_early_dialog_is_refused():
    wire = Wire()
    wire.invite()
    wire.answer(180)
    wire.forget()
    wire.ask("BYE", wire.last("INVITE"))
    wire.expect("<- BYE", "481 ->")
    assert wire.events() == []


@pytest.mark.parametrize(
    ("method", "status"),
    [("INFO", 200), ("OPTIONS", 200), ("REFER", 603), ("MESSAGE", 405), ("NOTIFY", 405), ("PRACK", 481), ("JUMP", 501)],
)
def test_other_requests_leave_the_call_up(method, status):
    wire, _ = up()
    wire.ask(method, wire.last("INVITE"))
    wire.expect(f"<- {method}", f"{status} ->")
    assert wire.events() == []
    if status in (405, 501):
        assert wire.last(str(status)).first("Allow") == "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK"


def test_lower_cseq_is_refused_and_the_dialog_stays():
    wire, _ = up()
    wire.ask("INFO", wire.last("INVITE"), cseq=50)
    wire.ask("BYE", wire.last("INVITE"), cseq=49)
    wire.ask("INFO", wire.last("INVITE"), cseq=51)
    wire.expect("<- INFO", "200 ->", "<- BYE", "500 ->", "<- INFO", "200 ->")
    assert wire.events() == []


def test_cseq_goes_on_from_the_early_dialog():
    wire = Wire()
    wire.invite()
    invite = wire.last("INVITE")
    wire.answer(180)
    wire.ask("INFO", invite, cseq=50)
    wire.answer(200, to=invite, sdp=SDP)
    wire.forget()
    wire.ask("INFO", invite, cseq=49)
    wire.expect("<- INFO", "500 ->")


def test_answer_with_a_second_via_went_astray():
    wire = Wire()
    wire.invite()
    wire.answer(486, Via=wire.last("INVITE").first("Via") + ", SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKother")
    wire.expect("INVITE ->", "<- 486")
    assert wire.events() == []


def test_reinvite_is_offered_and_accepted():
    wire, session = up()
    wire.ask("INVITE", wire.last("INVITE"), sdp=SDP, cseq=7, Contact="<sip:new@203.0.113.9:5071>")
    wire.expect("<- INVITE", "100 ->")
    assert wire.events() == [Offered(session, SDP)]
    wire.accept_offer(session)
    ok = wire.last("200")
    assert (ok.body, ok.first("Content-Type"), ok.first("Contact")) == (
        OFFER,
        "application/sdp",
        "<sip:5511999887766@192.0.2.1:5060>",
    )
    wire.ask("ACK", wire.last("INVITE"), cseq=7)
    wire.hang_up(session)
    assert wire.last("BYE").uri == "sip:new@203.0.113.9:5071"
    assert wire.addresses[-1] == Address("203.0.113.9", 5071)


def test_refused_offer_changes_nothing():
    wire, session = up()
    wire.ask("INVITE", wire.last("INVITE"), sdp=SDP, Contact="<sip:new@203.0.113.9>")
    wire.reject_offer(session, 488)
    wire.expect("<- INVITE", "100 ->", "488 ->")
    wire.hang_up(session)
    assert wire.addresses[-1] == PEER


def test_reinvite_without_offer_gets_ours_and_its_answer_is_told():
    wire, session = up()
    wire.ask("INVITE", wire.last("INVITE"), cseq=7)
    assert wire.events() == [Offered(session, b"")]
    wire.accept_offer(session)
    wire.ask("ACK", wire.last("INVITE"), cseq=7, sdp=SDP)
    assert wire.events() == [OfferAnswered(session, OFFER, SDP)]


def test_update_is_offered():
    wire, session = up()
    wire.ask("UPDATE", wire.last("INVITE"), sdp=SDP)
    assert wire.events() == [Offered(session, SDP)]
    wire.accept_offer(session)
    wire.pass_seconds(3)
    wire.expect("<- UPDATE", "200 ->")


def test_update_without_offer_refreshes_the_target():
    wire, session = up()
    wire.ask("UPDATE", wire.last("INVITE"), Contact="<sip:new@203.0.113.9>")
    wire.expect("<- UPDATE", "200 ->")
    assert wire.events() == []
    wire.hang_up(session)
    assert wire.addresses[-1] == Address("203.0.113.9", 5060)


def test_second_offer_waits_its_turn():
    wire, session = up()
    wire.ask("INVITE", wire.last("INVITE"), sdp=SDP)
    wire.ask("UPDATE", wire.last("INVITE"), sdp=SDP)
    wire.expect("<- INVITE", "100 ->", "<- UPDATE", "500 ->")
    assert 0 <= int(wire.last("500").first("Retry-After")) <= 10
    assert wire.events() == [Offered(session, SDP)]


def test_peer_cancels_its_reinvite():
    wire, session = up()
    wire.ask("INVITE", wire.last("INVITE"), sdp=SDP, cseq=7, branch="z9hG4bKre")
    wire.ask("CANCEL", wire.last("INVITE"), cseq=7, branch="z9hG4bKre")
    wire.expect("<- INVITE", "100 ->", "<- CANCEL", "200 ->", "487 ->")
    wire.accept_offer(session)  # the owner's answer crossed
    wire.expect()


def test_offer_that_waits_when_the_call_ends_is_told_so():
    for end in ("peer", "us"):
        wire, session = up()
        wire.ask("INVITE", wire.last("INVITE"), sdp=SDP)
        wire.forget()
        if end == "us":
            wire.hang_up(session)
            wire.expect("487 ->", "BYE ->")
        else:
            wire.ask("BYE", wire.last("INVITE"))
            wire.expect("<- BYE", "200 ->", "487 ->")
        wire.accept_offer(session)
        wire.expect()


def test_update_while_our_own_offer_is_open():
    wire = Wire()
    wire.invite()
    wire.answer(183, sdp=SDP)
    wire.forget()
    wire.ask("UPDATE", wire.last("INVITE"), sdp=SDP)
    wire.expect("<- UPDATE", "491 ->")


def test_body_of_another_kind_is_refused():
    wire, _ = up()
    wire.ask("INVITE", wire.last("INVITE"), sdp=b"<xml/>", Content_Type="application/xml")
    wire.expect("<- INVITE", "415 ->")


def test_extension_required_inside_a_dialog():
    wire, _ = up()
    wire.ask("INFO", wire.last("INVITE"), Require="timer, foo")
    assert wire.last("420").first("Unsupported") == "foo"


# Strangers

OUTSIDE = {"To": "<sip:us@192.0.2.1>", "Call_ID": "stranger@example.com"}


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("OPTIONS", {}, 200),
        ("INVITE", {}, 403),
        ("BYE", {}, 481),
        ("UPDATE", {}, 481),
        ("PRACK", {}, 481),
        ("INFO", {}, 481),
        ("CANCEL", {}, 481),
        ("REGISTER", {}, 405),
        ("REFER", {}, 405),
        ("HOP", {}, 501),
        ("OPTIONS", {"Require": "foo, 100rel"}, 420),
        ("INVITE", {"Content_Type": "text/plain"}, 415),
        ("INVITE", {"Accept": "text/plain"}, 406),
        ("INVITE", {"To": "<sip:us@192.0.2.1>;tag=gone"}, 481),
    ],
)
def test_stranger(method, headers, status):
    wire, _ = up()
    request = wire.build(method, wire.last("INVITE"), **{**OUTSIDE, **headers}, sdp=SDP if method == "INVITE" else b"")
    if "Content_Type" in headers:
        request.fields["Content-Type"] = [headers["Content_Type"]]
    wire.deliver(request.encode())
    wire.expect(f"<- {method}", f"{status} ->")
    assert wire.sent[-1].to_tag
    assert wire.events() == []


def test_silence_for_strangers():
    wire = Wire(strangers="silent")
    wire.invite()
    wire.forget()
    for method, answer in (("INVITE", []), ("OPTIONS", ["200 ->"])):
        wire.deliver(wire.build(method, wire.last("INVITE"), **OUTSIDE).encode())
        wire.expect(f"<- {method}", *answer)


def test_flood_of_strangers_does_not_keep_the_peer_from_hanging_up(monkeypatch):
    monkeypatch.setattr("webcb.sip.useragent.STRANGERS_MAX", 100)
    wire, session = up()
    flood = wire.build("OPTIONS", wire.last("INVITE"), **OUTSIDE, branch="z9hG4bK0").encode()
    for number in range(150):
        wire.us.receive(flood.replace(b"bK0", b"bK%d" % number).replace(b"stranger@", b"%d@" % number), PEER, wire.now)
    assert len(wire.us.to_send()) == 100
    wire.ask("BYE", wire.last("INVITE"))
    wire.expect("<- BYE", "200 ->")
    assert [type(event) for event in wire.events()] == [HungUp, Closed]
    wire.pass_seconds(33)
    wire.deliver(flood)
    wire.expect("<- OPTIONS", "200 ->")
    assert session


def test_one_request_by_two_ways():
    wire = Wire()
    wire.invite()
    wire.forget()
    for branch in ("z9hG4bKone", "z9hG4bKtwo"):
        wire.deliver(wire.build("OPTIONS", wire.last("INVITE"), **OUTSIDE, cseq=3, branch=branch).encode())
    wire.expect("<- OPTIONS", "200 ->", "<- OPTIONS", "482 ->")


@pytest.mark.parametrize(
    ("via", "goes_to", "noted"),
    [
        (
            "198.51.100.7:5060;rport;branch=z9hG4bKa",
            Address("198.51.100.7", 1024),
            ";rport=1024;branch=z9hG4bKa;received=198.51.100.7",
        ),
        (
            "10.0.0.1:5070;branch=z9hG4bKb",
            Address("198.51.100.7", 5070),
            "10.0.0.1:5070;branch=z9hG4bKb;received=198.51.100.7",
        ),
        ("198.51.100.7;branch=z9hG4bKc", Address("198.51.100.7", 5060), "198.51.100.7;branch=z9hG4bKc"),
        ("10.0.0.1;maddr=203.0.113.1;branch=z9hG4bKd", Address("198.51.100.7", 5060), ";received=198.51.100.7"),
    ],
)
def test_answers_go_to_the_source(via, goes_to, noted):
    wire = Wire()
    wire.invite()
    request = wire.build(
        "OPTIONS", wire.last("INVITE"), **OUTSIDE, Via=f"SIP/2.0/UDP {via}, SIP/2.0/UDP 10.9.9.9;branch=z9hG4bKz"
    )
    wire.deliver(request.encode(), Address("198.51.100.7", 1024))
    assert wire.addresses[-1] == goes_to
    first, second = wire.sent[-1].values("Via")
    assert first.endswith(noted)
    assert second == "SIP/2.0/UDP 10.9.9.9;branch=z9hG4bKz"


# Where our requests go

LOOSE = "<sip:p1.example.com;lr>, <sip:p2.example.com:5080;lr>"


def test_loose_routes_in_reverse():
    wire, session = up(Record_Route=LOOSE, Contact="<sip:bob@10.0.0.9:5062>")
    wire.hang_up(session)
    for request, address in list(zip(wire.sent, wire.addresses, strict=True))[-2:]:
        assert request.uri == "sip:bob@10.0.0.9:5062"
        assert request.fields["Route"] == ["<sip:p2.example.com:5080;lr>", "<sip:p1.example.com;lr>"]
        assert address == Address("p2.example.com", 5080)


def test_strict_route():
    wire, session = up(Record_Route="<sip:p1.example.com;lr>, <sip:p2.example.com>", Contact="<sip:bob@10.0.0.9>")
    wire.hang_up(session)
    bye = wire.last("BYE")
    assert bye.uri == "sip:p2.example.com"
    assert bye.fields["Route"] == ["<sip:p1.example.com;lr>", "<sip:bob@10.0.0.9>"]
    assert wire.addresses[-1] == Address("p2.example.com", 0)


@pytest.mark.parametrize(
    ("contact", "goes_to"),
    [
        ("<sip:bob@carrier.example>", Address("carrier.example", 0)),
        ("<sip:bob@[2001:db8::1]:5070>", Address("2001:db8::1", 5070)),
        ("sip:bob@10.0.0.9:5062;expires=60", Address("10.0.0.9", 5062)),
        ("<sip:bob@10.0.0.9;transport=tcp>", Address("10.0.0.9", 5060, "tcp")),
        ("<sips:bob@10.0.0.9>", Address("10.0.0.9", 5061, "tls")),
        ("<sip:bob@10.0.0.9;maddr=10.0.0.10>", Address("10.0.0.10", 5060)),
        ("", Address("carrier.example", 0)),
        ("garbage", Address("carrier.example", 0)),
        ("<tel:+15551234567>", Address("carrier.example", 0)),
    ],
)
def test_target_is_the_contact_as_written(contact, goes_to):
    wire, session = up(Contact=contact)
    wire.hang_up(session)
    assert wire.addresses[-1] == goes_to


def test_garbled_routes_are_done_without():
    wire, session = up(Record_Route="<sip:p1.example.com;lr>, <nonsense", Contact="<sip:bob@10.0.0.9>")
    wire.hang_up(session)
    assert wire.last("BYE").values("Route") == []
    assert wire.addresses[-1] == Address("10.0.0.9", 5060)


def test_routes_of_the_200_replace_those_of_the_180():
    wire = Wire()
    session = wire.invite()
    wire.answer(180, Record_Route="<sip:old.example.com;lr>")
    wire.answer(200, to=wire.last("INVITE"), sdp=SDP, Record_Route="<sip:new.example.com;lr>")
    wire.hang_up(session)
    assert wire.last("BYE").fields["Route"] == ["<sip:new.example.com;lr>"]


# Adoption


def test_another_process_goes_on_with_the_dialog():
    wire, session = up(Record_Route=LOOSE)
    wire.ask("INFO", wire.last("INVITE"), cseq=40)
    written = wire.us.dialog(session)
    invite = wire.last("INVITE")
    other = Wire(seed=2)
    adopted = other.us.adopt(written, other.now)
    other.hang_up(adopted, Cause(0, 41))
    bye = other.last("BYE")
    assert (bye.call_id, bye.from_tag, bye.to_tag) == (invite.call_id, invite.from_tag, "peer")
    assert bye.cseq > invite.cseq + 1  # what the first process sent after it wrote the dialog down is not sent again
    assert other.addresses[-1] == Address("p2.example.com", 5080)
    other.answer(200)
    assert other.events() == [Closed(adopted)]


def test_adopted_dialog_hears_the_peer():
    wire, session = up()
    invite = wire.last("INVITE")
    wire.ask("INFO", invite, cseq=40)
    other = Wire(seed=2)
    adopted = other.us.adopt(wire.us.dialog(session), other.now)
    other.deliver(response_to(invite, 200, sdp=SDP))  # its ACK was lost with the first process
    other.ask("BYE", invite, cseq=39)
    other.ask("BYE", invite, cseq=41)
    other.expect("<- 200", "ACK ->", "<- BYE", "500 ->", "<- BYE", "200 ->")
    assert [type(event) for event in other.events()] == [HungUp, Closed]
    assert adopted


def test_adopted_dialog_answers_a_challenge():
    wire, session = up()
    us = UserAgent(Identity("test", US), seeded(3))
    adopted = us.adopt(wire.us.dialog(session), 5.0, Credentials("alice", "secret"))
    us.hang_up(adopted, 5.0)
    other = Wire()
    other.us = us
    other.pass_seconds(0)
    other._collect()
    other.answer(407, Proxy_Authenticate='Digest realm="x", nonce="y"')
    assert other.counts() == {"BYE ->": 2, "<- 407": 1}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format":1}', '{"format":2,"call_id":"x"}'])
def test_what_is_no_dialog_is_refused(text):
    wire = Wire()
    with pytest.raises(ValueError):
        wire.us.adopt(text, 0.0)


def test_dialog_text_has_no_password():
    wire = Wire()
    session = wire.answered_call(credentials=Credentials("alice", "hunter2"))
    assert "hunter2" not in wire.us.dialog(session)
    with pytest.raises(KeyError):
        wire.us.dialog(wire.invite())


@pytest.mark.parametrize(
    "changes",
    [
        {"uri": "tel:123"},
        {"uri": "sip:a b@x"},
        {"uri": "sip:a@x\r\nEvil: 1"},
        {"from_uri": "sip:<x>@y"},
        {"headers": (("X-A", "1\r\nEvil: 1"),)},
        {"headers": (("X A", "1"),)},
        {"headers": (("call-id", "1"),)},
        {"headers": (("t", "<sip:other@x>"),)},
    ],
)
def test_call_that_cannot_stand_in_a_message(changes):
    wire = Wire()
    with pytest.raises(ValueError):
        wire.invite(**changes)
    assert wire.ladder == []
    assert wire.us.next_deadline() is None


def test_ipv6_and_tcp_in_our_own_headers():
    wire = Wire(contact=Address("2001:db8::5", 5062, "tcp"))
    wire.invite(next_hop=Address("2001:db8::9", 5060, "tcp"))
    invite = wire.last("INVITE")
    assert invite.first("Via").startswith("SIP/2.0/TCP [2001:db8::5]:5062;branch=z9hG4bK")
    assert invite.first("Contact") == "<sip:5511999887766@[2001:db8::5]:5062;transport=tcp>"
    wire.pass_seconds(20)
    wire.expect("INVITE ->")  # a stream does not lose what it was given
