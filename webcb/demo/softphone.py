"""`NUMBER=sip:me@host:port` read and resolved, and which of our addresses such a softphone can reach. A door: it asks DNS."""

import socket
from ipaddress import ip_address

from webcb.demo.proxy import Softphone
from webcb.number import NumberError, parse_number
from webcb.sip.events import Address
from webcb.sip.grammar import ProtocolError
from webcb.sip.location import SIP_PORT
from webcb.sip.uri import parse_uri

DEFAULT_COUNTRY = "US"
EXAMPLE = "+12065550100=sip:me@192.0.2.10:5060"


class SoftphoneProblem(ValueError):
    """What was given names no softphone; the message says what would."""


def read_softphone(text: str) -> Softphone:
    """The softphone that `NUMBER=sip:user@host[:port]` names. Raises SoftphoneProblem."""
    number_text, equals, uri = text.partition("=")
    if not equals:
        raise SoftphoneProblem(f"{text!r} is no softphone; write number=URI, as in {EXAMPLE}")
    try:
        number = parse_number(number_text, DEFAULT_COUNTRY)
        target = parse_uri(uri).address
    except NumberError as wrong:
        raise SoftphoneProblem(f"{number_text!r}: {wrong}") from None
    except ProtocolError as wrong:
        raise SoftphoneProblem(f"{uri!r}: {wrong}; write it as in {EXAMPLE}") from None
    if target.transport != "udp":
        raise SoftphoneProblem(f"{uri!r}: the demo carrier speaks SIP over UDP only")
    return Softphone(number.digits, uri, _resolve(target))


def _resolve(target: Address) -> Address:
    port = target.port or SIP_PORT
    try:
        found = socket.getaddrinfo(target.host, port, type=socket.SOCK_DGRAM)
    except OSError as wrong:
        raise SoftphoneProblem(f"{target.host}: {wrong.strerror}") from None
    return Address(str(found[0][4][0]), port)


def reachable_host(softphones: list[Softphone]) -> str:
    """Our address that all softphones can reach: loopback where they all live there, else that of the way to the first that does not.

    Raises SoftphoneProblem where there is no way to one.
    """
    afar = [softphone.address for softphone in softphones if not ip_address(softphone.address.host).is_loopback]
    if not afar:
        return "127.0.0.1"
    family = socket.AF_INET6 if ":" in afar[0].host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((afar[0].host, afar[0].port))  # sends nothing: it only asks the routing table
        except OSError as wrong:
            raise SoftphoneProblem(f"{afar[0].host}: {wrong.strerror}") from None
        return str(probe.getsockname()[0])
