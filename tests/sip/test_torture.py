"""The torture messages of RFC 4475, each with the reaction that the RFC expects of it."""

import csv
from pathlib import Path

import pytest

from tests.sip.wire import Wire
from webcb.sip.events import Address
from webcb.sip.grammar import ProtocolError
from webcb.sip.message import Request, Response, read_message, split_message
from webcb.sip.uri import parse_name_address, parse_uri

FOLDER = Path(__file__).parent / "rfc4475"
ROWS = list(csv.DictReader((FOLDER / "expected.csv").read_text(encoding="utf-8").splitlines()))
SOURCE = Address("192.0.2.200", 5060)
# What an endpoint that only places calls answers to a well-formed request of this method.
DUE = {"INVITE": {403, 406, 415, 481}, "OPTIONS": {200}, "ACK": set()}


def read(name: str) -> Request | Response:
    return read_message((FOLDER / name).read_bytes())


def reaction(name: str) -> list[Response]:
    wire = Wire()
    wire.us.receive((FOLDER / name).read_bytes(), SOURCE, wire.now)
    sent = wire.us.to_send()
    assert all(address.host == SOURCE.host for _, address in sent)  # never to a host that only the message names
    assert wire.us.events() == []
    return [split_message(data) for data, _ in sent]  # what was asked without Call-ID is answered without


def test_all_are_here():
    assert {row["file"] for row in ROWS} == {path.name for path in FOLDER.glob("*.dat")}
    assert len(ROWS) == 50  # the 49 of the text and one more of its archive


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["file"])
def test_reaction(row):
    expected = f"{row['on_receive_by_our_engine_expected']};{row['accept_also']}"
    answers = reaction(row["file"])
    assert len(answers) <= 1
    if not answers:
        assert "drop" in expected or row["kind"].startswith("response")
        return
    status = str(answers[0].status)
    if "parse_ok" in expected and status != "400":
        message = read(row["file"])
        assert answers[0].status in DUE.get(message.method, {405})
    else:
        assert status in expected


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row["rfc_class"].startswith("valid")], ids=lambda row: row["file"]
)
def test_valid_ones_print_and_parse_equal(row):
    message = read(row["file"])
    again = read_message(message.encode())
    assert again.start_line == message.start_line
    assert again.body == message.body
    assert {name: values for name, values in again.fields.items() if name != "Content-Length"} == {
        name: values for name, values in message.fields.items() if name != "Content-Length"
    }


def test_wsinv():
    message = read("wsinv.dat")
    assert (message.cseq, message.to_tag, message.from_tag) == (9, "1918181833n", "98asjd8")
    assert message.from_.name == 'J Rosenberg \\"'
    assert len(message.values("Via")) == 3
    assert message.via.branch == "390skdjuw"
    assert message.first("Max-Forwards") == "0068"
    assert message.first("Subject") == ""
    assert message.first("newfangledheader") == "newfangled value continued newfangled value"
    assert message.first("unknownheaderwithunusualvalue") == ";;,,;;,;"
    assert len(message.body) == 150


def test_escapes_are_undone_once_and_only_in_uris():
    message = read("esc01.dat")
    assert parse_uri(message.uri).username == "sips:user@example.com"
    contact = parse_uri(parse_name_address(message.first("Contact")).uri)
    assert contact.username == "caller"
    assert contact.is_loose_router
    assert contact.parameters["name"] == "v%61lue%25%34%31"
    assert read("esc02.dat").method == "RE%47IST%45R"
    assert "c%6fntact" in read("esc02.dat").fields


def test_user_part_is_not_cut_at_nul():
    message = read("escnull.dat")
    users = [parse_uri(parse_name_address(value).uri).username for value in message.values("Contact")]
    assert users == ["\0", "\0\0"]
    assert parse_uri(read("semiuri.dat").uri).username == "user;par=u@example.net"


def test_odd_but_valid():
    assert read("intmeth.dat").method.startswith("!interesting-Method")
    assert "NUL:" in read("intmeth.dat").to.name
    assert read("lwsdisp.dat").from_.name == "caller"
    assert len(read("transports.dat").values("Via")) == 5
    assert read("dblreq.dat").body == b""
    assert read("mpart01.dat").body.count(b"\0") == 2
    assert read("noreason.dat").reason == ""
    assert read("unreason.dat").reason.startswith("= 2**3 * 5**2 но сто девяносто девять")


def test_request_uri_headers_never_become_headers():
    (answer,) = reaction("escruri.dat")
    assert answer.status == 400
    assert "Route" not in answer.fields


def test_unknown_extensions_are_named():
    (answer,) = reaction("bext01.dat")
    assert answer.first("Unsupported") == "nothingSupportsThis, nothingSupportsThisEither"


def test_parameters_of_contact_and_of_its_uri_are_kept_apart():
    outside = parse_name_address(read("cparam01.dat").first("Contact"))
    inside = parse_name_address(read("cparam02.dat").first("Contact"))
    assert "unknownparam" in outside.parameters
    assert "unknownparam" not in parse_uri(outside.uri).parameters
    assert "unknownparam" in parse_uri(inside.uri).parameters
    assert (
        parse_uri(parse_name_address(read("regescrt.dat").first("Contact")).uri).headers
        == "Route=%3Csip:sip.example.com%3E"
    )


def test_invalid_ones_raise_protocol_error_only():
    for row in ROWS:
        if row["rfc_class"] == "invalid" and "parse_ok" not in row["on_receive_by_our_engine_expected"]:
            try:
                message = read(row["file"])
            except ProtocolError:
                continue
            # Sound as messages, wrong in what only their method would read.
            assert row["file"] in {"escruri.dat", "regbadct.dat"}, message.start_line
