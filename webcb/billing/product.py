"""Products: which usage charge lets a leg use the service, and at which tariff (domain 4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

CALLBACK_FAIL = "CALLBACK_FAIL"  # the access code leg A is charged by when B was not answered

LegName = Literal["A", "B"]


@dataclass(frozen=True, slots=True)
class UsageCharge:
    """A line of a product's rating list; node_id None is any node, access code "" is the catch-all."""

    node_id: int | None
    access_code: str
    tariff_id: int


def usage_charge(
    charges: Sequence[UsageCharge], node_id: int | None, access_code: str, leg: LegName
) -> UsageCharge | None:
    """The first that fits: the leg's own code before the common one, this node before any; then the empty code."""
    own = f"{access_code}-{leg}"
    places = [(node_id, own), (node_id, access_code), (None, own), (None, access_code), (node_id, ""), (None, "")]
    return _first(charges, places)


def usage_charge_if_b_fails(charges: Sequence[UsageCharge], node_id: int | None) -> UsageCharge | None:
    """The entry for leg A when B was not answered; the empty code does not stand in for it (domain 4)."""
    return _first(charges, [(node_id, CALLBACK_FAIL), (None, CALLBACK_FAIL)])


def _first(charges: Sequence[UsageCharge], places: Sequence[tuple[int | None, str]]) -> UsageCharge | None:
    by_place = {(charge.node_id, charge.access_code): charge for charge in charges}
    return next((by_place[place] for place in places if place in by_place), None)
