"""The challenge: a sum that a browser does while a form is filled in, and that makes robots slow. For kinds that ask for no password.

To find is an answer with which SHA-256 of `challenge:answer` begins with so many zero bits. A challenge is of one visitor, one form,
one page and one hour, and keyed: nobody works ahead. An answer that was used places the same call, not another.
"""

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Final

from flask import current_app

from webcb.web import visitor

ANSWER_LENGTH_MAX: Final = 20
HOURS_MAX: Final = 4  # how long an opened form may be sent


def of(path: str, nonce: str, at: datetime) -> str:
    """The challenge of this visitor's form with this nonce, on the page at `path`."""
    said = "\0".join((visitor.current(), nonce, path, f"{at:%Y-%m-%dT%H}"))
    key: str = current_app.config["SECRET_KEY"]
    return hmac.digest(key.encode(), b"webcb challenge\0" + said.encode(), "sha256").hex()[:32]


def is_solved(path: str, nonce: str, answer: str, bits: int, at: datetime) -> bool:
    """Whether the answer solves the challenge, of now or of the hours in which the form may have been opened."""
    if not answer.isascii() or not answer.isdigit() or len(answer) > ANSWER_LENGTH_MAX:
        return False
    hours = (at - timedelta(hours=back) for back in range(HOURS_MAX + 1))
    return any(zero_bits(of(path, nonce, hour), answer) >= bits for hour in hours)


def zero_bits(challenge: str, answer: str) -> int:
    """With how many zero bits the sum begins."""
    digest = hashlib.sha256(f"{challenge}:{answer}".encode()).digest()
    return 256 - int.from_bytes(digest, "big").bit_length()
