"""How the voice of a leg is stored: sealed with the installation's key where it has keys of its own (SRTP).

Read first of all by an engine that goes on with calls: what sealing needs is read in where something is sealed.
"""

import logging
from typing import Final

log = logging.getLogger(__name__)

_SEALED: Final = "sealed:"
_KEYS: Final = "inline:"  # how SDP writes the keys of SRTP (RFC 4568, 9.1)


def sealed(voice: str | None) -> str | None:
    """A voice as it is stored: sealed where it has keys. Without a secret key such a one is not stored, and its call ends with us."""
    if not voice or _KEYS not in voice:
        return voice or None
    from webcb.billing import credentials

    try:
        return _SEALED + credentials.seal(voice)
    except credentials.SealProblem as wrong:
        log.warning("a voice with keys is not stored: %s", wrong)
        return None


def is_sealed(stored: str) -> bool:
    """Whether the key is needed to open it."""
    return stored.startswith(_SEALED)


def opened(stored: str) -> str:
    """The voice that was stored. SealProblem: it was sealed with another key."""
    if not is_sealed(stored):
        return stored
    from webcb.billing import credentials

    return credentials.unseal(stored.removeprefix(_SEALED))
