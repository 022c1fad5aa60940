"""The chain of ledger rows: each row's hash is over what it says, its xDR, and the hash of the row before it. Pure.

A wallet has a chain of its own: whoever moves its funds holds its row anyway, so the chain makes nobody wait (docs/billing.md).
"""

import hashlib
from collections.abc import Sequence

import orjson

FIRST = ""  # what comes before the first row of a chain

Content = Sequence[int | str | None]
Said = orjson.Fragment  # a content as its JSON: the rows of one xDR share it


def said(content: Content) -> Said:
    """What a content says, to be put into links."""
    return orjson.Fragment(orjson.dumps(content))


def link(previous: str, row: Content, xdr: Said | Content = ()) -> str:
    """The hash of a row as 64 hexadecimal digits: SHA-256 over the JSON list [previous, row, xDR].

    UTF-8 without spaces, nothing escaped that need not be.
    """
    return hashlib.sha256(orjson.dumps((previous, row, xdr))).hexdigest()


def digest(salt: str, content: Content) -> str:
    """What stands in a row's place for what can be forgotten: without the salt nobody finds it by trying."""
    return hashlib.sha256(orjson.dumps((salt, content))).hexdigest()
