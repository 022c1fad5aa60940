"""Whether a process answers yet: the pages by HTTP, the engine and the carrier by SIP OPTIONS. A door."""

import os
import socket
from http.client import HTTPConnection, HTTPException

from webcb.settings import Bind
from webcb.sip.grammar import ProtocolError, print_host_port
from webcb.sip.message import MAGIC_COOKIE, Request, Response, read_message

ANSWER_SECONDS_MAX = 0.5
DATAGRAM_BYTES_MAX = 65_535


def pages_answer(bind: Bind) -> bool:
    """Whether the pages say that they are well."""
    connection = HTTPConnection(bind.host, bind.port, timeout=ANSWER_SECONDS_MAX)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def sip_answers(bind: Bind) -> bool:
    """Whether somebody at the address answers OPTIONS with success (RFC 3261, 11)."""
    family = socket.AF_INET6 if ":" in bind.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as asker:
        asker.settimeout(ANSWER_SECONDS_MAX)
        try:
            asker.connect((bind.host, bind.port))
            own = print_host_port(*asker.getsockname()[:2])
            asker.send(_options(own, str(bind)))
            answer = read_message(asker.recv(DATAGRAM_BYTES_MAX))
        except (OSError, ProtocolError):
            return False
    return isinstance(answer, Response) and 200 <= answer.status < 300


def _options(own: str, target: str) -> bytes:
    mark = os.urandom(8).hex()
    fields = {
        "Via": [f"SIP/2.0/UDP {own};branch={MAGIC_COOKIE}{mark};rport"],
        "Max-Forwards": ["70"],
        "From": [f"<sip:demo@{own}>;tag={mark}"],
        "To": [f"<sip:{target}>"],
        "Call-ID": [mark],
        "CSeq": ["1 OPTIONS"],
        "Contact": [f"<sip:demo@{own}>"],
    }
    return Request("OPTIONS", f"sip:{target}", fields).encode()
