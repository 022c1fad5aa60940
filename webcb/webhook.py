"""Webhooks as values: which addresses may be sent to, how a message is signed, when it is tried again. Pure.

Signed as Standard Webhooks has it (standardwebhooks.com): HMAC-SHA256 over id, moment and body. Who sends is webcb/clerk/courier.py.
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final
from urllib.parse import urlsplit

URL_LENGTH_MAX: Final = 1000
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - how such secrets begin
SECRET_BYTES: Final = 32

# After 5 s, 30 s, 2 min, 10 min, 1 h, 3 h, 6 h, 12 h: a day and a half of a week-end's outage is bridged as far as 22 hours.
BACK_OFF: Final = tuple(timedelta(seconds=each) for each in (5, 30, 120, 600, 3600, 10_800, 21_600, 43_200))

_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}")
_NAT64 = IPv6Network("64:ff9b::/96")
# Below 1024 only these: a sink is no way to talk to a mail server.
_LOW_PORTS: Final = frozenset({80, 443})

Network = Any  # of the ipaddress module
Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Target:
    """Where a message goes. `host` is a name or an address without brackets."""

    host: str
    port: int
    is_tls: bool
    path: str

    @property
    def authority(self) -> str:
        """Host and port as the Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_tls else 80) else f"{host}:{self.port}"


def read_url(url: str, networks: tuple[Network, ...]) -> Target:
    """The target of a URL; raises ValueError with what would be right. Without TLS only into `networks`, by address."""
    if len(url) > URL_LENGTH_MAX or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("write a URL of at most 1000 ASCII characters, as in https://example.com/calls")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("write a URL, as in https://example.com/calls") from None
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("write a URL, as in https://example.com/calls")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL carries no password; webhooks are signed")
    is_tls = parts.scheme == "https"
    port = port or (443 if is_tls else 80)
    if port < 1024 and port not in _LOW_PORTS:
        raise ValueError("the port is 80, 443 or above 1023")
    literal = _literal(host)
    if literal is None and not _HOST.fullmatch(host):
        raise ValueError("the host is a name in ASCII letters, or an address")
    if literal is not None and not may_reach(literal, networks):
        raise ValueError("this address is not a public one")
    if not is_tls and (literal is None or not _within(literal, networks)):
        raise ValueError("write https://")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(host, port, is_tls, path)


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def may_reach(address: Address, networks: tuple[Network, ...]) -> bool:
    """Whether a message may go to this address: a public one, or one of the networks that the operator has named.

    An IPv4 address inside an IPv6 one (mapped, 6to4, Teredo, NAT64) is judged as well.
    """
    if isinstance(address, IPv6Address):
        inside = address.ipv4_mapped or address.sixtofour
        if address.teredo is not None:
            inside = address.teredo[1]
        if address in _NAT64:
            inside = IPv4Address(int(address) & 0xFFFF_FFFF)
        if inside is not None:
            return may_reach(inside, networks)
    if _within(address, networks):
        return True
    return address.is_global and not address.is_multicast and not address.is_reserved


def _within(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks)


def read_networks(text: str) -> tuple[Network, ...]:
    """Networks, comma between; raises ValueError."""
    return tuple(ip_network(each.strip()) for each in text.split(",") if each.strip())


def signature(secret: str, message_id: str, at: datetime, body: bytes) -> str:
    """The webhook-signature of a message sent at `at`; `secret` is whsec_ and base64."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = b".".join((message_id.encode(), str(int(at.timestamp())).encode(), body))
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"


def is_signed_by(secret: str, headers: Any, body: bytes, at: datetime, *, seconds_max: int = 300) -> bool:
    """Whether a message that came at `at` was signed with the secret, and not longer ago than `seconds_max`."""
    sent = headers.get("webhook-timestamp", "")
    if not re.fullmatch(r"[0-9]{1,12}", sent) or abs(at.timestamp() - int(sent)) > seconds_max:
        return False
    right = signature(secret, headers.get("webhook-id", ""), datetime.fromtimestamp(int(sent), at.tzinfo), body)
    return any(hmac.compare_digest(each, right) for each in headers.get("webhook-signature", "").split())


def next_try(tries: int, at: datetime) -> datetime | None:
    """When a message that failed `tries` times is tried again; None: no more."""
    return at + BACK_OFF[tries - 1] if tries <= len(BACK_OFF) else None
