"""What is on the rows of two that talk, or of one in the menu, so that another process can carry the call on; written and read here.

Prices, lock, deadline and dialogs have columns of their own. Here are the terms of a callback, which nothing else reads, and the
way from rows back to the machine's state.
"""

import json
import logging
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Final

from webcb import clock
from webcb.billing import credentials, query, slices
from webcb.billing.pricing import Pricing
from webcb.billing.query import instant, micros
from webcb.engine import doubt, ivr, sealing
from webcb.engine.causes import LegName
from webcb.engine.events import LegPlan
from webcb.engine.leg import Leg, LegState
from webcb.engine.state import NOBODY, NOTHING_YET, Callback, Phase, Plan
from webcb.engine.trust import Trust
from webcb.opinion import before_another
from webcb.sip.digest import Credentials

log = logging.getLogger(__name__)

_PHASES: Final = {"A answered": Phase.MENU, "calling B": Phase.CALLING_B, "talking": Phase.TALKING}
_OF_MENU: Final = tuple(each.name for each in fields(ivr.Setup))


@dataclass(frozen=True, slots=True)
class OpenDialog:
    """A dialog nobody owns, as JSON: what a challenged request in it is answered with, and the trust of its TLS."""

    dialog: str
    credentials: Credentials | None
    trust: Trust | None


@dataclass(frozen=True, slots=True)
class Resumable:
    """A callback that can go on: the machine's state but for the voices, and of each leg the dialog and what its voice is.

    `b` is None, and its voice "", where A is alone.
    """

    callback: Callback
    a: OpenDialog
    b: OpenDialog | None
    voice_a: str
    voice_b: str
    heard: tuple[tuple[LegName, str | None], ...] = ()  # of each leg: the scores that are on its row


def print_terms(plan: Plan, place: str) -> str:
    """The terms of a callback as JSON, with the place of A in the menu; the two clocks are set against each other within one uptime
    of the machine.
    """
    terms = {
        "uptime": clock.uptime_id(),
        "origin_us": plan.origin_us,
        "origin_at": micros(plan.origin_at),
        "talk_seconds_max": plan.talk_seconds_max,
        "slice_seconds": plan.slice_seconds,
        "beyond_balance": plan.beyond_balance,
        "is_unlimited": plan.funds_micros == slices.UNLIMITED_MICROS,
        "menu": None if plan.menu is None else {name: getattr(plan.menu, name) for name in _OF_MENU},
        "place": place,
    }
    return json.dumps(terms, separators=(",", ":"))


def move_terms(callback_id: str, funds_micros: int, slice_seconds: int | None, beyond_balance: bool) -> None:
    """A has logged in: the funds of its terms are another account's, in the transaction that moves the lock."""
    written = query.row("SELECT terms FROM callback WHERE id = ?", callback_id)
    if written is None or not written["terms"]:
        return
    moved = json.loads(written["terms"]) | {
        "slice_seconds": slice_seconds,
        "beyond_balance": beyond_balance,
        "is_unlimited": funds_micros == slices.UNLIMITED_MICROS,
    }
    query.change("UPDATE callback SET terms = ? WHERE id = ?", json.dumps(moved, separators=(",", ":")), callback_id)


def read(
    callback: dict[str, Any], legs: list[dict[str, Any]], at: datetime, at_us: int, lived_until: datetime
) -> Resumable:
    """A callback of which both talked, or A was in the menu, from its rows; `at` and `at_us` are one moment on both clocks.

    `lived_until`: the last proof of life of its engine, and so of its peers. ValueError, KeyError, TypeError, SealProblem: what
    is written is not enough to go on.
    """
    terms = json.loads(callback["terms"])
    is_same_uptime = terms["uptime"] and terms["uptime"] == clock.uptime_id()
    origin_us, origin_at = (terms["origin_us"], instant(terms["origin_at"])) if is_same_uptime else (at_us, at)
    assert origin_at is not None  # noqa: S101  print_terms wrote it
    logged_in = bool(callback["logged_in"])

    def of_a(frozen: str) -> Pricing:
        pricing = Pricing.from_json(frozen)
        return pricing.with_login() if logged_in else pricing

    a, b = legs[0], legs[1] if len(legs) > 1 else None
    is_talking = callback["state"] == "talking"
    fails = a["pricing_if_b_fails"]
    funds_micros = slices.UNLIMITED_MICROS if terms["is_unlimited"] else int(callback["held_micros"])
    plan = Plan(
        callback["id"],
        of_a(a["pricing"]),
        None if fails is None else of_a(fails),
        NOTHING_YET if b is None else Pricing.from_json(b["pricing"]),
        funds_micros,
        terms["talk_seconds_max"],
        LegPlan(a["cld"], a["cli"], (), 0, ""),
        NOBODY if b is None else LegPlan(b["cld"], b["cli"], (), 0, ""),
        origin_us,
        origin_at,
        terms["slice_seconds"],
        terms["beyond_balance"],
        _menu(terms["menu"]),
    )
    setup = plan.menu or ivr.Setup()
    menu = ivr.read_place(setup, terms["place"]) if terms["place"] else ivr.begin(setup)
    if logged_in:
        spendable_micros = int(callback["available_micros"]) + int(callback["held_micros"])
        menu = replace(menu, balance_micros=spendable_micros, currency=callback["currency"])
    state = Callback(
        plan,
        _leg(plan, a, doubt.lived_until(callback["terms"], "A", lived_until)),
        Leg("B", NOBODY) if b is None else _leg(plan, b, doubt.lived_until(callback["terms"], "B", lived_until)),
        funds_micros,
        _PHASES[callback["state"]],
        menu=menu,
        spare_micros=None if callback["is_capped"] else max(0, int(callback["available_micros"])),
        b_answered=is_talking or callback["b_answered"],
        logged_in=logged_in,
    )
    heard = tuple((leg["name"], before_another(leg["scores"])) for leg in legs)
    if not is_talking or b is None:
        return Resumable(state, dialog_of(a), None, sealing.opened(a["voice"]), "", heard[:1])
    return Resumable(state, dialog_of(a), dialog_of(b), sealing.opened(a["voice"]), sealing.opened(b["voice"]), heard)


def _menu(stored: dict[str, Any] | None) -> ivr.Setup | None:
    return None if stored is None else ivr.Setup(**stored | {"languages": tuple(stored["languages"])})


def _leg(plan: Plan, row: dict[str, Any], lived_until: datetime) -> Leg:
    def moment_us(stored: int) -> int:
        return plan.origin_us + stored - micros(plan.origin_at)

    if row["placed_at"] is None:
        return Leg(row["name"], plan.a if row["name"] == "A" else plan.b)
    placed_us = moment_us(row["attempt_placed_at"] or row["placed_at"])
    if row["answered_at"] is None:  # it is found to have come to nothing
        return Leg(
            row["name"],
            plan.b,
            LegState.CALLING,
            attempts=row["attempts"] or 1,
            on_wire=bool(row["attempts"]),
            placed_us=placed_us,
            connection_id=row["connection_id"],
        )
    answered_us = moment_us(row["answered_at"])
    return Leg(
        row["name"],
        plan.a if row["name"] == "A" else plan.b,
        LegState.ANSWERED,
        attempts=row["attempts"] or 1,
        placed_us=placed_us,
        progress_us=None if row["setup_ms"] is None else placed_us + row["setup_ms"] * 1000,
        rang=row["ringing_at"] is not None,
        answered_us=answered_us,
        status=200,
        connection_id=row["connection_id"],
        # Its answer proves a moment of talk at least, which costs a second (DOMAIN 2).
        proven_us=max(answered_us + 1, moment_us(micros(lived_until))),
    )


def dialog_of(leg: dict[str, Any]) -> OpenDialog:
    """The dialog of a leg's row, joined with its connection."""
    return OpenDialog(leg["dialog"], credentials_of(leg), trust_of(leg))


def trust_of(leg: dict[str, Any]) -> Trust | None:
    """By what a TLS connection of a leg's row is checked."""
    if leg["transport"] not in ("auto", "tls"):
        return None
    return Trust(leg["host"], leg["tls_ca_file"], leg["tls_certificate_file"], leg["tls_key_file"])


def credentials_of(leg: dict[str, Any]) -> Credentials | None:
    """What a challenge of a leg's connection is answered with."""
    if not leg["username"]:
        return None
    try:
        return Credentials(leg["username"], credentials.unseal(leg["sealed_password"]))
    except credentials.SealProblem as wrong:
        log.warning("a leg of an engine before this one: %s", wrong)
        return None
