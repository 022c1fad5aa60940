"""Addresses of this host as they are told to others, and of which family a literal is."""

import socket
from ipaddress import ip_address
from typing import Final

from webcb.sip import location

_FAMILIES: Final = {4: int(socket.AF_INET), 6: int(socket.AF_INET6), None: 0}


def family_of(host: str) -> int:
    """AF_INET or AF_INET6 of a literal; 0 where `host` is a name."""
    return _FAMILIES[location.family_of(host)]


def own_address(host: str) -> str:
    """`host`, or for 0.0.0.0 and :: the address this host reaches the world from: what can be told to others."""
    if not ip_address(host).is_unspecified:
        return host
    family = family_of(host)
    with socket.socket(family, socket.SOCK_DGRAM) as probe:  # connecting a datagram socket sends nothing
        try:
            probe.connect(("192.0.2.1", 9) if family == socket.AF_INET else ("2001:db8::1", 9))
        except OSError:
            return "127.0.0.1" if family == socket.AF_INET else "::1"
        return str(probe.getsockname()[0])
