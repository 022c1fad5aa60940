"""The keys of SRTP as SDP tells them (SDES, RFC 4568)."""

import enum
from dataclasses import dataclass, field
from typing import Any, Final

from rtpbridge._bridge import ffi, lib

SRTP_MKI_BYTES_MAX: Final[int] = lib.SRTP_MKI_BYTES_MAX


class SrtpSuite(enum.Enum):
    """The crypto suites of SDES by their names in a=crypto (RFC 4568, 6.2; RFC 7714, 14.2); octets of key and salt."""

    AES_CM_128_HMAC_SHA1_80 = (lib.SRTP_AES_CM_128_HMAC_SHA1_80, 16, 14)
    AES_CM_128_HMAC_SHA1_32 = (lib.SRTP_AES_CM_128_HMAC_SHA1_32, 16, 14)
    AEAD_AES_128_GCM = (lib.SRTP_AEAD_AES_128_GCM, 16, 12)
    AEAD_AES_256_GCM = (lib.SRTP_AEAD_AES_256_GCM, 32, 12)

    @property
    def key_bytes(self) -> int:
        """How long the master key is."""
        return int(self.value[1])

    @property
    def master_bytes(self) -> int:
        """How long key and salt are together: what "inline:" holds in base64."""
        return int(self.value[1] + self.value[2])


@dataclass(frozen=True, slots=True)
class SrtpKey:
    """What a=crypto says of one direction: master key and salt in a row as "inline:" has them, and the MKI, if any.

    The MKI is in octets, in the length that a=crypto gives, up to SRTP_MKI_BYTES_MAX. Not shown in a repr.
    """

    suite: SrtpSuite
    master: bytes = field(repr=False)
    mki: bytes = b""

    def __post_init__(self) -> None:
        if len(self.master) != self.suite.master_bytes:
            raise ValueError(f"{self.suite.name}: key and salt of {len(self.master)} octets")
        if len(self.mki) > SRTP_MKI_BYTES_MAX:
            raise ValueError(f"an MKI of {len(self.mki)} octets: more than {SRTP_MKI_BYTES_MAX}")


def describe_key(key: SrtpKey | None) -> Any:
    """A `struct srtp_key`, or NULL."""
    if key is None:
        return ffi.NULL
    suite, key_bytes, _salt_bytes = key.suite.value
    return ffi.new(
        "struct srtp_key *",
        {
            "suite": suite,
            "master_key": key.master[:key_bytes],
            "master_salt": key.master[key_bytes:],
            "mki": key.mki,
            "mki_bytes": len(key.mki),
        },
    )
