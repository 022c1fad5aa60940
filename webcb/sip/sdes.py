"""Keys of SRTP in session descriptions: a=crypto read, chosen, made and printed (RFC 4568, SDES; RFC 7714, 14.2).

What the octets are good for is not known here: packets are protected elsewhere. Randomness is handed in.
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from webcb.sip.grammar import ProtocolError

CRYPTO_MAX: Final = 16  # lines that are looked at in one media section
CRYPTO_LENGTH_MAX: Final = 1024  # of one line's value
MKI_BYTES_MAX: Final = 128  # RFC 4568, 6.1
MKI_USED_MAX: Final = 16  # the bridge takes no longer ones; 1 to 4 are usual
LIFETIME_MAX: Final = 2**48  # SRTP packets under one master key (RFC 3711, 9.2)
LIFETIME_MIN: Final = 2**20  # at 50 packets a second nearly six hours; there is no rekeying here
WINDOW_MIN: Final = 64  # RFC 4568, 6.3


@dataclass(frozen=True, slots=True)
class Suite:
    """A crypto suite: octets of its master key and of its master salt."""

    name: str
    key_bytes: int
    salt_bytes: int


# Best first: the order in which we offer them.
SUITES: Final = {
    suite.name: suite
    for suite in (
        Suite("AEAD_AES_256_GCM", 32, 12),
        Suite("AEAD_AES_128_GCM", 16, 12),
        Suite("AES_CM_128_HMAC_SHA1_80", 16, 14),
        Suite("AES_CM_128_HMAC_SHA1_32", 16, 14),
    )
}


@dataclass(frozen=True, slots=True)
class Crypto:
    """One a=crypto line with one key: what its author sends is protected by it. `mki` goes along with each packet, b"": none.

    `lifetime` is how many packets the key is good for; 0: not said. The key is left out of repr, so that no log has it.
    """

    tag: int
    suite: str
    key: bytes = field(repr=False)
    salt: bytes = field(repr=False)
    mki: bytes = b""
    lifetime: int = 0

    def print(self) -> str:
        """The value of a=crypto (RFC 4568, 9.1)."""
        text = f"{self.tag} {self.suite} inline:{b64encode(self.key + self.salt).decode()}"
        if self.lifetime:
            text += f"|{self.lifetime}"
        return f"{text}|{int.from_bytes(self.mki)}:{len(self.mki)}" if self.mki else text


def make_crypto(tag: int, suite: str, entropy: Callable[[int], bytes]) -> Crypto:
    """A line of ours with a fresh key; `entropy(n)` gives n random bytes."""
    lengths = SUITES[suite]
    return Crypto(tag, suite, entropy(lengths.key_bytes), entropy(lengths.salt_bytes))


def read_cryptos(values: Iterable[str]) -> tuple[Crypto, ...]:
    """The lines that can be used, in the peer's order; those with a tag again, malformed or not understood are passed over.

    Not used: unknown suites; session parameters that would weaken or change the protection (KDR, UNENCRYPTED_..., FEC_...),
    or are unknown and not marked as harmless by a dash (RFC 4568, 6.3); several keys in one line; keys that live too short.
    """
    read: dict[int, Crypto] = {}
    for value in list(values)[:CRYPTO_MAX]:
        try:
            crypto = parse_crypto(value)
        except ProtocolError:
            continue
        if len(crypto.mki) <= MKI_USED_MAX:
            read.setdefault(crypto.tag, crypto)
    return tuple(read.values())


def parse_crypto(value: str) -> Crypto:
    """Read the value of one a=crypto. ProtocolError (488) with the reason: it cannot be used."""
    parts = value.split()
    if len(value) > CRYPTO_LENGTH_MAX or len(parts) < 3:
        raise ProtocolError("a=crypto is malformed", 488)
    tag, name, keys, *parameters = parts
    if not (tag.isascii() and tag.isdecimal() and len(tag) <= 9) or (tag[0] == "0" and tag != "0"):
        raise ProtocolError("the tag of a=crypto is malformed", 488)
    suite = SUITES.get(name)
    if suite is None:
        raise ProtocolError("the suite of a=crypto is unknown", 488)
    for parameter in parameters:
        _judge_parameter(parameter)
    method, _, inline = keys.partition(":")
    if method.lower() != "inline" or ";" in keys:
        raise ProtocolError("a=crypto has no inline key, or more than one", 488)
    octets, *more = inline.split("|")
    try:
        material = b64decode(octets + "=" * (-len(octets) % 4), validate=True)  # some leave the padding out
    except (binascii.Error, ValueError):
        raise ProtocolError("the key of a=crypto is not base64", 488) from None
    if len(material) != suite.key_bytes + suite.salt_bytes:
        raise ProtocolError("the key of a=crypto has a wrong length", 488)
    mki = _parse_mki(more.pop()) if more and ":" in more[-1] else b""
    lifetime = _parse_lifetime(more.pop()) if more else 0
    if more:
        raise ProtocolError("a=crypto says too much after its key", 488)
    return Crypto(int(tag), name, material[: suite.key_bytes], material[suite.key_bytes :], mki, lifetime)


def _judge_parameter(parameter: str) -> None:
    """Session parameters: the size of the replay window is a hint, a dash marks what may be ignored (RFC 4568, 6.3)."""
    name, _, value = parameter.partition("=")
    is_window = name == "WSH" and value.isascii() and value.isdecimal() and len(value) <= 9 and int(value) >= WINDOW_MIN
    if not is_window and not (name.startswith("-") and len(name) > 1):
        raise ProtocolError("a=crypto asks for what is not done here", 488)


def _parse_lifetime(text: str) -> int:
    """`2^20` or a decimal number of packets."""
    power = text.removeprefix("2^")
    if not (power.isascii() and power.isdecimal() and len(power) <= 15):
        raise ProtocolError("the lifetime of a key is malformed", 488)
    lifetime = int(power) if power == text else 2 ** min(int(power), 64)
    if not LIFETIME_MIN <= lifetime <= LIFETIME_MAX:
        raise ProtocolError("the lifetime of a key is too short, or longer than SRTP has", 488)
    return lifetime


def _parse_mki(text: str) -> bytes:
    """`value:length` as the octets that packets carry."""
    value, _, length = text.partition(":")
    if not all(part.isascii() and part.isdecimal() for part in (value, length)) or len(length) > 3 or len(value) > 310:
        raise ProtocolError("the MKI of a=crypto is malformed", 488)
    if not 1 <= int(length) <= MKI_BYTES_MAX or int(value) >= 256 ** int(length):
        raise ProtocolError("the MKI of a=crypto does not fit its length", 488)
    return int(value).to_bytes(int(length))
