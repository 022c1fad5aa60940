"""The small grammar, URIs and name-addr (RFC 3261, 19.1, 20.10, 25.1)."""

import pytest

from webcb.sip.events import Address
from webcb.sip.grammar import (
    ProtocolError,
    parse_host_port,
    parse_number,
    parse_parameters,
    print_host_port,
    print_parameters,
    split_outside_quotes,
)
from webcb.sip.message import parse_via, read_message, split_message
from webcb.sip.uri import NameAddress, Uri, parse_name_address, parse_uri


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("sip:alice@example.com", Uri("sip", "alice", "example.com")),
        ("SIPS:alice:pw@example.com:5061;transport=tls;lr?Subject=x",
         Uri("sips", "alice:pw", "example.com", 5061, {"transport": "tls", "lr": ""}, "Subject=x")),
        ("sip:[2001:db8::1]:5070", Uri("sip", "", "2001:db8::1", 5070)),
        ("sip:+1;phone-context=x@gw", Uri("sip", "+1;phone-context=x", "gw")),
        ("sip:192.0.2.1;maddr=239.1.1.1", Uri("sip", "", "192.0.2.1", None, {"maddr": "239.1.1.1"})),
    ],
)  # fmt: skip
def test_uri(text, uri):
    assert parse_uri(text) == uri
    assert parse_uri(str(uri)) == uri


@pytest.mark.parametrize(
    "text",
    ["", "sip", "sip:", ":x", "1sip:x", "sip:@x", "sip:a@", "sip:a@b@c", "sip:a@b:0", "sip:a@b:99999", "sip:a@b:x", "sip:a@b c",
     "sip:a@[::1", "sip:a@[x]", "sip:a@b;;", "sip:a@b;x=1;x=2", "sip:<a>@b", "sip:a@b\r\nc", "sip:a@\u00e9"],
)  # fmt: skip
def test_no_uri(text):
    with pytest.raises(ProtocolError):
        parse_uri(text)


def test_other_schemes_are_416():
    with pytest.raises(ProtocolError) as wrong:
        parse_uri("tel:+15551234567")
    assert wrong.value.status == 416


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("sip:a@b", Address("b", 0, "udp")),
        ("sips:a@b", Address("b", 0, "tls")),
        ("sip:a@b;transport=TCP", Address("b", 0, "tcp")),
        ("sip:a@192.0.2.1", Address("192.0.2.1", 5060, "udp")),
        ("sips:a@[2001:db8::1]", Address("2001:db8::1", 5061, "tls")),
        ("sip:a@b:7;maddr=c", Address("c", 7, "udp")),
    ],
)
def test_address_of_uri(text, address):
    assert parse_uri(text).address == address


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("<sip:a@b>", NameAddress("", "sip:a@b", {})),
        ("sip:a@b;tag=1", NameAddress("", "sip:a@b", {"tag": "1"})),
        (
            '"B, \\"x\\" <y>" <sip:a@b;lr>;tag=1;q=0.3',
            NameAddress('B, "x" <y>', "sip:a@b;lr", {"tag": "1", "q": "0.3"}),
        ),
        ("Bob B. <tel:+1>", NameAddress("Bob B.", "tel:+1", {})),
        ("<sip:a@b> ; tag = 1", NameAddress("", "sip:a@b", {"tag": "1"})),
    ],
)
def test_name_address(text, parsed):
    assert parse_name_address(text) == parsed


@pytest.mark.parametrize(
    "text",
    ["", "<>", "<sip:a@b", '"a <sip:a@b>', "a, b <sip:a@b>", "sip:a@b?x=y", "sip:a@b,sip:c@d", "< sip:a@b >", "<sip:a@b> x",
     '"a" b <sip:a@b>', '"a"', "<nope>", "<sip:a@b>;", "<sip:a@b>;=1"],
)  # fmt: skip
def test_no_name_address(text):
    with pytest.raises(ProtocolError):
        parse_name_address(text)


def test_lists():
    assert split_outside_quotes('"a,b" <sip:c,d>, e ,,f', ",") == ['"a,b" <sip:c,d>', "e", "", "f"]
    assert split_outside_quotes('"\\",", x', ",") == ['"\\","', "x"]


def test_parameters():
    text = 'Tag=x;lr;quoted="a;b=\\"c\\""'
    parameters = parse_parameters(text)
    assert parameters == {"tag": "x", "lr": "", "quoted": '"a;b=\\"c\\""'}
    assert parse_parameters(print_parameters(parameters)[1:]) == parameters
    with pytest.raises(ProtocolError):
        parse_parameters(";".join(f"p{number}" for number in range(65)))


def test_numbers_are_plain_digits():
    assert parse_number("0068", 255, "x") == 68
    for text in ("", "-1", "+1", "1.0", "256", "٣", "1" * 5000, " 1"):
        with pytest.raises(ProtocolError):
            parse_number(text, 255, "x")


def test_hosts():
    for text in ("a.b:5060", "[::1]:5060", "[::1]", "a_b"):
        assert print_host_port(*parse_host_port(text)) == text


def test_via():
    via = parse_via("SIP / 2.0 / udp  [2001:db8::1]:5070 ;branch=z9hG4bKx;rport")
    assert (via.transport, via.host, via.port, via.branch) == ("UDP", "2001:db8::1", 5070, "z9hG4bKx")
    assert str(via) == "SIP/2.0/UDP [2001:db8::1]:5070;branch=z9hG4bKx;rport"
    for text in ("SIP/2.0/UDP", "SIP/3.0/UDP x", "HTTP/2.0/UDP x", "SIP/2.0/UDP x;;", "SIP/2.0/UDP x:0", ""):
        with pytest.raises(ProtocolError):
            parse_via(text)


HEAD = (
    "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP c;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\n"
    "Call-ID: x\r\nCSeq: 1 OPTIONS\r\n"
)


def test_compact_forms_and_case():
    message = read_message(
        HEAD.replace("Via", "v").replace("From", "F").replace("Call-ID", "I").replace("To:", "tO :").encode()
    )
    assert set(message.fields) == {"Via", "From", "To", "Call-ID", "CSeq"}


@pytest.mark.parametrize(
    "wrong",
    [
        HEAD.replace("\r\nTo", "\nTo"),
        HEAD.replace("a@b>\r", "a@b>\r\r"),
        HEAD + "no colon\r\n",
        HEAD + "bad name: x\r\n",
        HEAD + "X: y\r\n" * 300,
        HEAD.replace("OPTIONS sip", "OPT/ONS sip"),
        "SIP/2.0 099 Low\r\n",
        "SIP/2.0 700 High\r\n",
        "SIP/2.0 20 Short\r\n",
        "",
        "\r\n\r\n",
        "x" * 70_000,
    ],
)
def test_no_message(wrong):
    with pytest.raises(ProtocolError):
        split_message(wrong.encode())


def test_content_length_cuts():
    assert read_message((HEAD + "l: 3\r\n\r\nabcdef").encode()).body == b"abc"
    assert read_message((HEAD + "\r\nabcdef").encode()).body == b"abcdef"
    assert read_message(("\r\n\r\n" + HEAD + "\r\n").encode()).body == b""
