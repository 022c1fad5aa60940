"""What a payment provider is to us, and the one that moves no money, by which the way through it is tried.

An operator names a class of his own, `module:class`, in the setting `payment_provider`; it is made once a process, without arguments.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol
from urllib.parse import parse_qs

from webcb.billing import credentials
from webcb.money import Micros

TEST = "test"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A payment to be made: `reference` names it, `return_url` is where the payer comes back to, `notice_url` where we are told."""

    reference: str
    amount_micros: Micros
    currency: str
    return_url: str
    notice_url: str


@dataclass(frozen=True, slots=True)
class Notice:
    """What became of a payment, said by the provider and proved to be his."""

    reference: str
    amount_micros: Micros
    currency: str
    is_paid: bool


class Provider(Protocol):
    """Who takes the money. `name` stands in the ledger."""

    name: str

    def begin(self, wanted: Wanted) -> str:
        """The address the payer is sent to. Raises OSError where the provider cannot be reached."""

    def read_notice(self, body: bytes, headers: Mapping[str, str]) -> Notice | None:
        """What a message to `notice_url` says; None where it does not prove to be the provider's."""


class TestProvider:
    """A provider without money: its page is one of ours, with a button for yes and one for no."""

    __test__ = False  # no test, whatever its name
    name = TEST

    def begin(self, wanted: Wanted) -> str:
        """Our own page."""
        return f"{wanted.notice_url.rsplit('/', 1)[0]}/{wanted.reference}/test"

    def read_notice(self, body: bytes, headers: Mapping[str, str]) -> Notice | None:
        """A form with a mark that only this installation makes."""
        try:
            said = {name: values[0] for name, values in parse_qs(body.decode("ascii")).items()}
            text = f"{said['reference']} {int(said['micros'])} {said['currency']} {said['paid']}"
        except (KeyError, ValueError):
            return None
        if not hmac.compare_digest(credentials.sign("test payment", text), headers.get("X-Mark", "")):
            return None
        return Notice(said["reference"], int(said["micros"]), said["currency"], said["paid"] == "yes")


def load(chosen: str) -> Provider | None:
    """The provider of the setting; None where there is none. Raises ImportError or AttributeError with what is not there."""
    if not chosen:
        return None
    if chosen == TEST:
        return TestProvider()
    module, _, name = chosen.partition(":")
    made: Any = getattr(import_module(module), name)()
    provider: Provider = made
    return provider
