"""Passing calls on: what changes on the way there and back, and what is not brought back (RFC 3261, 16)."""

import pytest

from webcb.demo.proxy import Proxy, Softphone
from webcb.sip.events import Address
from webcb.sip.message import Request, Response, read_message

PROXY = Proxy(Address("192.0.2.9", 5080), b"secret")
SOFTPHONE = Softphone("12065550100", "sip:me@192.0.2.50:5062", Address("192.0.2.50", 5062))


def request(method: str = "INVITE", hops: str = "Max-Forwards: 70\r\n", branch: str = "z9hG4bKabc") -> Request:
    text = (
        f"{method} sip:12065550100@192.0.2.9:5080 SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 192.0.2.1:5070;branch={branch};rport=40000;received=192.0.2.77\r\n{hops}"
        "From: <sip:551155550100@192.0.2.1>;tag=a\r\nTo: <sip:12065550100@192.0.2.9>\r\nCall-ID: 1\r\n"
        f"CSeq: 1 {method}\r\nContact: <sip:192.0.2.1:5070>\r\nContent-Length: 4\r\n\r\nv=0\n"
    )
    message = read_message(text.encode())
    assert isinstance(message, Request)
    return message


def forwarded(method: str = "INVITE", branch: str = "z9hG4bKabc") -> Request:
    sent = PROXY.forward(request(method, branch=branch), SOFTPHONE)
    assert sent is not None
    message = read_message(sent.encode())
    assert isinstance(message, Request)
    return message


def answer_to(sent: Request) -> Response:
    fields = {name: sent.fields[name] for name in ("Via", "From", "To", "Call-ID", "CSeq")}
    message = read_message(Response(180, "Ringing", fields).encode())
    assert isinstance(message, Response)
    return message


def test_on_the_way_there_the_uri_is_the_softphones_and_the_rest_stays() -> None:
    sent = forwarded()
    assert sent.uri == SOFTPHONE.uri
    assert sent.first("Max-Forwards") == "69"
    assert len(sent.values("Via")) == 2
    assert sent.body == b"v=0\n"
    assert sent.first("Contact") == "<sip:192.0.2.1:5070>"


def test_on_the_way_back_our_via_is_gone_and_it_goes_where_the_request_came_from() -> None:
    back = PROXY.send_back(answer_to(forwarded()))
    assert back is not None
    response, address = back
    assert address == Address("192.0.2.77", 40000)
    assert response.fields["Via"] == request().fields["Via"]


@pytest.mark.parametrize("method", ["ACK", "CANCEL"])
def test_an_ack_or_cancel_has_the_branch_of_its_invite(method: str) -> None:
    assert forwarded(method).via.branch == forwarded().via.branch
    assert forwarded(method, branch="z9hG4bKother").via.branch != forwarded().via.branch


@pytest.mark.parametrize("hops", ["Max-Forwards: 0\r\n", "Max-Forwards: many\r\n"])
def test_what_went_through_too_many_hands_goes_no_further(hops: str) -> None:
    assert PROXY.forward(request(hops=hops), SOFTPHONE) is None


def test_an_answer_to_nothing_we_sent_goes_nowhere() -> None:
    forged = answer_to(forwarded())
    forged.via = forged.via._replace(parameters={"branch": "z9hG4bKforged"})
    assert PROXY.send_back(forged) is None
    other = Proxy(PROXY.own, b"another secret")
    assert other.send_back(answer_to(forwarded())) is None


def test_an_answer_with_one_via_is_not_for_us() -> None:
    answer = answer_to(forwarded())
    answer.fields["Via"] = answer.fields["Via"][:1]
    assert PROXY.send_back(answer) is None
