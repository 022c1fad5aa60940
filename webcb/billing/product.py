"""Products: which usage charge lets a leg use the service, and at which tariff (domain 4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from webcb.billing.slices import USUAL, Protection

CALLBACK_FAIL = "CALLBACK_FAIL"  # the access code leg A is charged by when B was not answered

LegName = Literal["A", "B"]
Place = tuple[int | None, str]  # node, None any; access code, "" the catch-all


@dataclass(frozen=True, slots=True)
class UsageCharge:
    """A line of a product's rating list; node_id None is any node, access code "" is the catch-all.

    `protection` is how a call by it is kept from overdrawing.
    """

    node_id: int | None
    access_code: str
    tariff_id: int
    protection: Protection = USUAL


def usage_charge(
    charges: Sequence[UsageCharge], node_id: int | None, access_code: str, leg: LegName
) -> UsageCharge | None:
    """The first that fits, of the places a leg is looked for in."""
    return _first(charges, places(node_id, access_code, leg))


def places(node_id: int | None, access_code: str, leg: LegName) -> list[Place]:
    """Where a leg is looked for, in order: its own code before the common one, this node before any; then the empty code."""
    own = f"{access_code}-{leg}"
    return [(node_id, own), (node_id, access_code), (None, own), (None, access_code), (node_id, ""), (None, "")]


def usage_charge_if_b_fails(charges: Sequence[UsageCharge], node_id: int | None) -> UsageCharge | None:
    """The entry for leg A when B was not answered; the empty code does not stand in for it (domain 4)."""
    return _first(charges, [(node_id, CALLBACK_FAIL), (None, CALLBACK_FAIL)])


def _first(charges: Sequence[UsageCharge], wanted: Sequence[Place]) -> UsageCharge | None:
    by_place = {(charge.node_id, charge.access_code): charge for charge in charges}
    return next((by_place[place] for place in wanted if place in by_place), None)
