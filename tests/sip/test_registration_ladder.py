"""REGISTER of ours: challenged, granted, refreshed, refused, moved to another target, taken back (RFC 3261, 10.2)."""

import pytest

from tests.sip.wire import ALICE, PEER, Wire, response_to
from webcb.sip.events import Address, Cause, Closed, Registered, Unregistered
from webcb.sip.message import read_message
from webcb.sip.registration import Registrar, granted_seconds, refresh_after
from webcb.sip.uri import parse_name_address

SECOND_PEER = Address("198.51.100.8", 5060)
MD5 = 'Digest realm="carrier.example", nonce="n1", qop="auth", algorithm=MD5'


def registered(wire: Wire, *targets: Address, seconds: int = 600, domain: str = "carrier.example") -> int:
    registrar = Registrar(domain, "alice", "t0ken", seconds, ALICE)
    session = wire.us.register(registrar, targets or (PEER,), wire.now)
    wire.pass_seconds(0)
    return session


def grant(wire: Wire, seconds: int = 600, **headers: str) -> None:
    wire.answer(200, **{"Contact": f"<sip:t0ken@192.0.2.1:5060>;expires={seconds}", **headers})


def test_it_names_the_record_and_our_contact() -> None:
    wire = Wire()
    session = registered(wire)
    register = wire.last("REGISTER")
    assert (register.uri, register.first("To")) == ("sip:carrier.example", "<sip:alice@carrier.example>")
    assert register.from_.uri == "sip:alice@carrier.example"
    assert register.first("Contact") == "<sip:t0ken@192.0.2.1:5060>;expires=600"
    assert register.first("Expires") == "600"
    grant(wire)
    assert wire.events() == [Registered(session, 600)]


@pytest.mark.parametrize("algorithm", ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess"])
@pytest.mark.parametrize(("status", "asks", "answers"), [
    (401, "WWW_Authenticate", "Authorization"), (407, "Proxy_Authenticate", "Proxy-Authorization")
])  # fmt: skip
def test_a_challenge_is_answered_by_every_algorithm(status: int, asks: str, answers: str, algorithm: str) -> None:
    wire = Wire()
    session = registered(wire)
    wire.answer(status, **{asks: MD5.replace("MD5", algorithm)})
    wire.expect("REGISTER ->", f"<- {status}", "REGISTER ->")
    first, second = wire.all("REGISTER")
    assert (second.cseq, second.call_id, second.from_tag) == (2, first.call_id, first.from_tag)
    assert f"algorithm={algorithm}," in second.first(answers)
    assert 'username="alice"' in second.first(answers)
    grant(wire)
    assert wire.events() == [Registered(session, 600)]


def test_a_wrong_password_is_not_tried_twice_and_again_only_after_a_minute() -> None:
    wire = Wire()
    session = registered(wire)
    wire.answer(401, WWW_Authenticate=MD5)
    wire.answer(401, WWW_Authenticate=MD5.replace("n1", "n2"))
    wire.expect("REGISTER ->", "<- 401", "REGISTER ->", "<- 401")
    (told,) = wire.events()
    assert (told.session, told.cause.status) == (session, 401)
    assert 30 <= told.retry_seconds <= 60
    wire.pass_seconds(told.retry_seconds - 1)
    wire.expect()
    wire.pass_seconds(2)
    assert wire.counts()["REGISTER ->"] >= 1
    assert wire.last("REGISTER").first("Authorization")  # answered from what was learned: one round less


def test_a_stale_nonce_on_a_refresh_is_answered_with_the_new_one() -> None:
    wire = Wire()
    session = registered(wire)
    wire.answer(401, WWW_Authenticate=MD5)
    grant(wire)
    wire.pass_seconds(540)
    assert 'nonce="n1"' in wire.last("REGISTER").first("Authorization")
    assert "nc=00000002" in wire.last("REGISTER").first("Authorization")
    wire.answer(401, WWW_Authenticate=MD5.replace("n1", "n2") + ", stale=true")
    assert 'nonce="n2"' in wire.last("REGISTER").first("Authorization")
    grant(wire)
    assert wire.events() == [Registered(session, 600), Registered(session, 600)]


def test_423_asks_for_longer() -> None:
    wire = Wire()
    session = registered(wire)
    wire.answer(423, Min_Expires="1800")
    assert wire.last("REGISTER").first("Contact").endswith(";expires=1800")
    grant(wire, 1800)
    assert wire.events() == [Registered(session, 1800)]
    wire.pass_seconds(1700)
    assert wire.last("REGISTER").first("Expires") == "1800"  # remembered


@pytest.mark.parametrize("min_expires", ["", "600", "60", "x", "99999999999"])
def test_a_423_that_asks_for_nothing_longer_is_a_refusal(min_expires: str) -> None:
    wire = Wire()
    registered(wire)
    wire.answer(423, Min_Expires=min_expires)
    wire.expect("REGISTER ->", "<- 423")
    assert [type(told) for told in wire.events()] == [Unregistered]


@pytest.mark.parametrize(
    ("granted", "refreshed"), [(3600, 3240), (600, 540), (120, 80), (60, 30), (30, 15), (4, 2), (3, 2)]
)
def test_it_is_refreshed_before_it_expires(granted: int, refreshed: int) -> None:
    wire = Wire()
    registered(wire)
    grant(wire, granted)
    wire.forget()
    wire.pass_seconds(refreshed - 0.01)
    wire.expect()
    wire.pass_seconds(0.02)
    wire.expect("REGISTER ->")
    assert wire.all("REGISTER")[-1].cseq == 2
    assert refresh_after(granted) < granted


def test_it_is_refreshed_before_its_time_where_that_is_asked_for() -> None:
    wire = Wire()
    session = registered(wire)
    wire.us.refresh(session, wire.now)  # the first answer is not there yet: nothing more is asked
    wire.pass_seconds(0)
    grant(wire)
    wire.expect("REGISTER ->", "<- 200")
    wire.pass_seconds(10)
    wire.us.refresh(session, wire.now)
    wire.pass_seconds(0)
    grant(wire)
    wire.expect("REGISTER ->", "<- 200")
    wire.pass_seconds(539)
    wire.expect()
    wire.pass_seconds(2)
    assert wire.counts()["REGISTER ->"] >= 1


def test_who_does_not_answer_a_refresh_keeps_us_until_it_expires() -> None:
    wire = Wire()
    session = registered(wire)
    grant(wire)
    wire.events()
    wire.pass_seconds(599.9)
    assert wire.events() == []
    assert len({message.cseq for message in wire.all("REGISTER")}) > 2  # it was tried again before the end
    wire.pass_seconds(0.2)
    assert wire.events() == [Unregistered(session, Cause(408, 102, "the registration was not refreshed"), 0)]
    while not [told for told in wire.events() if isinstance(told, Unregistered)]:
        wire.pass_seconds(5)
    wire.sent.clear()
    while not wire.sent:
        wire.pass_seconds(1)
    grant(wire)
    assert wire.events() == [Registered(session, 600)]


def test_who_refuses_a_refresh_has_ended_the_binding() -> None:
    wire = Wire()
    session = registered(wire)
    grant(wire)
    wire.pass_seconds(540)
    wire.events()
    wire.answer(403)
    (told,) = wire.events()
    assert (told.session, told.cause.status) == (session, 403)
    wire.pass_seconds(61)
    assert wire.events() == []  # it is not told a second time that the binding has run out


def test_pauses_double_up_to_their_limit() -> None:
    wire = Wire()
    registered(wire)
    pauses = []
    for _ in range(9):
        wire.answer(503)
        (told,) = wire.events()
        pauses.append(told.retry_seconds)
        wire.pass_seconds(told.retry_seconds + 1)
    most = [min(10 * 2**turn, 300) for turn in range(9)]
    assert all(limit / 2 <= pause <= limit for pause, limit in zip(pauses, most, strict=True))
    grant(wire)
    wire.pass_seconds(540)
    wire.answer(403)
    assert wire.events()[-1].retry_seconds <= 60  # after a success it begins anew


def test_retry_after_is_honoured() -> None:
    wire = Wire()
    registered(wire)
    wire.answer(503, Retry_After="120")
    assert wire.events()[0].retry_seconds == 120


@pytest.mark.parametrize("trouble", ["503", "silence", "undeliverable"])
def test_the_next_target_is_tried_at_once_where_one_does_not_serve(trouble: str) -> None:
    wire = Wire()
    session = registered(wire, PEER, SECOND_PEER)
    if trouble == "503":
        wire.answer(503)
    elif trouble == "silence":
        wire.pass_seconds(32.01)
    else:
        wire.us.undeliverable(PEER, wire.now, "no route to host")
        wire.pass_seconds(0)
    assert wire.addresses[-1] == SECOND_PEER
    assert wire.events() == []
    grant(wire)
    assert wire.events() == [Registered(session, 600)]
    wire.pass_seconds(540)
    assert wire.addresses[-1] == PEER  # a new round begins with the best


def test_after_the_last_target_comes_a_pause() -> None:
    wire = Wire()
    registered(wire, PEER, SECOND_PEER)
    wire.answer(503)
    wire.answer(500)
    wire.expect("REGISTER ->", "<- 503", "REGISTER ->", "<- 500")
    (told,) = wire.events()
    assert told.cause.status == 500


def test_who_refuses_is_not_gone_past() -> None:
    wire = Wire()
    registered(wire, PEER, SECOND_PEER)
    wire.answer(403)
    wire.expect("REGISTER ->", "<- 403")
    assert [type(told) for told in wire.events()] == [Unregistered]


def test_new_targets_count_from_the_next_register_on() -> None:
    wire = Wire()
    session = registered(wire)
    grant(wire)
    wire.us.aim(session, (SECOND_PEER,))
    wire.us.aim(session, ())
    wire.pass_seconds(540)
    assert wire.addresses[-1] == SECOND_PEER


def test_it_is_taken_back_at_the_end() -> None:
    wire = Wire()
    session = registered(wire)
    wire.answer(401, WWW_Authenticate=MD5)
    grant(wire)
    wire.forget()
    wire.us.unregister(session, wire.now)
    wire.us.unregister(session, wire.now)
    wire.pass_seconds(0)
    last = wire.last("REGISTER")
    assert (last.first("Contact"), last.first("Expires")) == ("<sip:t0ken@192.0.2.1:5060>;expires=0", "0")
    wire.answer(401, WWW_Authenticate=MD5.replace("n1", "n2") + ", stale=TRUE")
    assert wire.last("REGISTER").first("Expires") == "0"
    wire.answer(200, Contact="")
    assert wire.events() == [Closed(session)]
    wire.pass_seconds(3600)
    wire.expect("REGISTER ->", "<- 401", "REGISTER ->", "<- 200")
    assert wire.us.next_deadline() is None


def test_what_was_only_asked_for_is_taken_back_too_and_what_was_refused_is_not() -> None:
    wire = Wire()
    session = registered(wire)
    wire.us.unregister(session, wire.now)
    wire.pass_seconds(0)
    wire.expect("REGISTER ->", "REGISTER ->")
    wire.pass_seconds(33)
    assert wire.events() == [Closed(session)]  # nobody answered
    refused = registered(wire)
    wire.answer(403)
    wire.pass_seconds(6)  # timer K
    wire.forget()
    wire.us.unregister(refused, wire.now)
    wire.pass_seconds(0)
    wire.expect()
    assert wire.events() == [Closed(refused)]
    assert wire.us.next_deadline() is None


@pytest.mark.parametrize(
    ("headers", "granted"),
    [
        ({"Contact": "<sip:t0ken@192.0.2.1>;expires=120"}, 120),
        ({"Contact": "<sip:other@192.0.2.9>;expires=9, <sip:t0ken@192.0.2.1>;expires=130"}, 130),
        ({"Contact": "<sip:rewritten@10.0.0.1>;expires=140"}, 140),
        ({"Contact": "<sip:a@10.0.0.1>;expires=9, <sip:b@10.0.0.1>;expires=9", "Expires": "150"}, 150),
        ({"Contact": "<sip:t0ken@192.0.2.1>", "Expires": "160"}, 160),
        ({"Contact": "", "Expires": "170"}, 170),
        ({"Contact": "<sip:t0ken@192.0.2.1>;expires=soon"}, 600),
        ({"Contact": '"unclosed'}, 600),
        ({"Contact": "<sip:t0ken@192.0.2.1>;expires=4294967295"}, 604_800),
    ],
)
def test_how_long_it_holds_is_read_from_our_contact_first(headers: dict[str, str], granted: int) -> None:
    wire = Wire()
    registered(wire)
    response = read_message(response_to(wire.last("REGISTER"), 200, **headers))
    assert granted_seconds(response, "t0ken", 600) == granted


def test_a_grant_of_nothing_is_a_refusal() -> None:
    wire = Wire()
    registered(wire)
    grant(wire, 0)
    (told,) = wire.events()
    assert told.cause.text == "no binding was granted"


@pytest.mark.parametrize(
    ("value", "routes"),
    [
        ("<sip:core.example;lr>, <sip:edge.example;lr>", ("<sip:core.example;lr>", "<sip:edge.example;lr>")),
        ("<sip:strict.example>", ()),
        ("<tel:1>", ()),
        (", ".join(["<sip:core.example;lr>"] * 9), ()),
    ],
)
def test_service_routes_are_told_where_they_are_loose(value: str, routes: tuple[str, ...]) -> None:
    wire = Wire()
    session = registered(wire)
    grant(wire, Service_Route=value)
    assert wire.events() == [Registered(session, 600, routes)]


def test_over_tls_the_contact_says_so() -> None:
    wire = Wire()
    registered(wire, Address(PEER.host, 5061, "tls"))
    contact = parse_name_address(wire.last("REGISTER").first("Contact")).uri
    assert contact == "sip:t0ken@192.0.2.1:5060;transport=tls"


@pytest.mark.parametrize("domain", ["a b", "carrier.example\r\nX: y", "carrier.example>"])
def test_what_fits_no_uri_is_not_registered(domain: str) -> None:
    wire = Wire()
    with pytest.raises(ValueError, match="U"):
        registered(wire, domain=domain)
    wire.expect()
