"""Callbacks of this node that nobody runs: after a crash, and the rare one the engine had to abandon. Jobs of the journal.

Two that talk are handed back so that their call goes on, and who is in the menu of a hosted one so that the menu does. All others are
ended: what is up of their legs is handed back to be hung up or cancelled, and only then they are settled, charged up to the last proof
that their engine lived. A crash in between changes nothing: the next engine finds the same.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from webcb.billing import catalog, credentials, query, settlement
from webcb.billing.pricing import Pricing
from webcb.billing.query import instant, micros
from webcb.billing.settlement import LegUsage
from webcb.engine import doubt, resumption
from webcb.engine.causes import Q850, Ending, LegName
from webcb.engine.resumption import Resumable
from webcb.engine.revival import AWAY_SECONDS_MAX
from webcb.engine.rows import RELEASED_BY
from webcb.engine.trust import Trust
from webcb.sip.dialog import read_dialog
from webcb.sip.digest import Credentials

log = logging.getLogger(__name__)

_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class OpenLeg:
    """A leg nobody owns: its dialog or, "" where it was not answered, its INVITE, as JSON; with what a challenge is answered, and the
    trust of its TLS."""

    callback_id: str
    dialog: str
    invite: str
    credentials: Credentials | None
    trust: Trust | None


@dataclass(frozen=True, slots=True)
class Watched:
    """What a look at this node's open callbacks found: whom to release and why, whose funds have something free, who goes on, and
    the lost ones, their legs to be ended before they are settled. `left_up` are legs B, by callback, to be ended before who goes on
    does so alone."""

    releases: tuple[tuple[str, Ending], ...]
    funds_free: tuple[str, ...]
    resumables: tuple[Resumable, ...]
    lost: tuple[str, ...]
    open_legs: tuple[OpenLeg, ...]
    left_up: dict[str, OpenLeg]


def watch(
    node_id: int, known: frozenset[str], lived_until: datetime, at: datetime, at_us: int, may_resume: bool = False
) -> Watched:
    """Give a sign of life; find what was asked to be released among the `known` callbacks, and those nobody knows.

    `lived_until` is the last proof of life of whoever ran the unknown ones. `may_resume`: it was an engine before this one, whose
    calls go on where they can. `at` and `at_us` are one moment on both clocks.
    """
    query.change("UPDATE node SET heard_at = ? WHERE id = ?", micros(at), node_id)
    rows = query.rows(_OPEN, node_id)
    running = [row for row in rows if row["id"] in known]
    by_blocked = _by_blocked_tariffs(node_id) if running else frozenset()
    releases = [
        (row["id"], ending)
        for row in running
        if (ending := _release(row) or (Ending.TARIFF_BLOCKED if row["id"] in by_blocked else None)) is not None
    ]
    funds_free = [row["id"] for row in running if row["available_micros"] > 0 or row["is_capped"]]
    resumables: list[Resumable] = []
    lost: list[str] = []
    open_legs: list[OpenLeg] = []
    left_up: dict[str, OpenLeg] = {}
    for row in rows:
        if row["id"] in known:
            continue
        legs = query.rows(_LEGS, row["id"])
        went_on = _resumable(row, legs, lived_until, at, at_us) if may_resume else None
        if went_on is not None:
            resumable, dialogs = went_on
            resumables.append(resumable)
            doubt.write(row["id"], row["terms"], dialogs, lived_until)
            for name, moved in dialogs.items():  # who crashes while it takes over leaves numbers that nobody has used
                query.change("UPDATE leg SET dialog = ? WHERE callback_id = ? AND name = ?", moved, row["id"], name)
            for leg in legs:
                if leg["name"] not in dialogs and leg["invite"]:
                    left_up[row["id"]] = _open_leg(row, leg)
            continue
        query.change("UPDATE callback SET lost_at = COALESCE(lost_at, ?) WHERE id = ?", micros(lived_until), row["id"])
        lost.append(row["id"])
        open_legs += [
            _open_leg(row, leg) for leg in legs if leg["ended_at"] is None and (leg["dialog"] or leg["invite"])
        ]
    return Watched(tuple(releases), tuple(funds_free), tuple(resumables), tuple(lost), tuple(open_legs), left_up)


def asked_for(node_id: int, known: frozenset[str]) -> list[tuple[str, Ending]]:
    """Which of the `known` callbacks somebody wants to be released, on a page or by the API: all that is looked for at a ring."""
    found = query.tuples(_ASKED_FOR, node_id)
    return [(callback_id, RELEASED_BY[by]) for callback_id, by in found if callback_id in known]


_ASKED_FOR: Final = """
    SELECT id, release_asked_by FROM callback
     WHERE node_id = ? AND state <> 'requested' AND state <> 'ended' AND release_asked_at IS NOT NULL
"""

_OPEN: Final = """
    SELECT callback.id, callback.state, callback.logged_in, release_asked_at, release_asked_by, deadline_at, terms, lost_at,
           account.blocked, account.closed, customer.status, product.blocked AS product_blocked,
           balance_micros + credit_limit_micros - locked_micros AS available_micros,
           account.daily_spend_max_micros IS NOT NULL AS is_capped, COALESCE(lock.amount_micros, 0) AS held_micros, wallet.currency
      FROM callback
      JOIN account ON account.id = callback.account_id
      JOIN customer ON customer.id = account.customer_id
      JOIN product ON product.id = account.product_id
      JOIN wallet ON wallet.id = account.wallet_id
      LEFT JOIN lock ON lock.callback_id = callback.id AND lock.state = 'held'
     WHERE node_id = ? AND callback.state <> 'requested' AND callback.state <> 'ended'
"""


def _release(callback: dict[str, Any]) -> Ending | None:
    """Why a callback that goes on must end now, if it must."""
    if callback["release_asked_at"] is not None:
        return RELEASED_BY[callback["release_asked_by"]]
    if callback["blocked"] or callback["closed"]:
        return Ending.ACCOUNT_BLOCKED
    if callback["status"] != "active":
        return Ending.CUSTOMER_BLOCKED
    return Ending.PRODUCT_BLOCKED if callback["product_blocked"] else None


_PRICED: Final = """
    SELECT leg.callback_id, leg.pricing, leg.connection_id
      FROM leg JOIN callback ON callback.id = leg.callback_id
     WHERE node_id = ? AND callback.state <> 'requested' AND callback.state <> 'ended'
       AND leg.ended_at IS NULL AND leg.pricing IS NOT NULL
"""


def _by_blocked_tariffs(node_id: int) -> frozenset[str]:
    """The callbacks of which a leg is charged by a blocked tariff, or costs us by one."""
    book = catalog.book()
    blocked = {each.id for each in book.tariffs.values() if each.blocked}
    if not blocked:
        return frozenset()
    vendors = {each.id for each in book.every_connection.values() if each.tariff_id in blocked}
    return frozenset(
        callback_id
        for callback_id, pricing, connection_id in query.tuples(_PRICED, node_id)
        if Pricing.from_json(pricing).tariff_id in blocked or connection_id in vendors
    )


_LEGS: Final = """
    SELECT leg.name, leg.cld, leg.cli, leg.pricing, leg.pricing_if_b_fails, leg.placed_at, leg.ringing_at, leg.answered_at,
           leg.ended_at, leg.invite, leg.dialog, leg.voice, leg.scores,
           COALESCE(leg.connection_id, attempt.connection_id) AS connection_id, attempt.setup_ms,
           attempt.position AS attempts, attempt.placed_at AS attempt_placed_at,
           connection.username, connection.sealed_password, connection.host, connection.transport,
           connection.tls_ca_file, connection.tls_certificate_file, connection.tls_key_file
      FROM leg
      LEFT JOIN attempt ON attempt.leg_id = leg.id
       AND attempt.position = (SELECT MAX(position) FROM attempt AS later WHERE later.leg_id = leg.id)
      LEFT JOIN connection ON connection.id = leg.connection_id
     WHERE leg.callback_id = ? AND leg.name IN ('A', 'B')
     ORDER BY leg.name
"""

_PLACED: Final = "UPDATE leg SET placed_at = ? WHERE callback_id = ? AND placed_at IS NULL AND invite IS NOT NULL"
_B_BEFORE: Final = "SELECT COUNT(answered_at) AS answered FROM leg WHERE callback_id = ? AND name LIKE 'B_%'"


def _resumable(
    callback: dict[str, Any], legs: list[dict[str, Any]], lived_until: datetime, at: datetime, at_us: int
) -> tuple[Resumable, dict[LegName, str]] | None:
    """A callback whose legs talked a moment ago, or whose A was in the menu, and have everything on their rows; with the dialogs that
    stand there from now on. None: it cannot go on.
    """
    if callback["state"] not in ("A answered", "calling B", "talking") or callback["lost_at"] is not None:
        return None
    up = legs if callback["state"] == "talking" else legs[:1]
    has_all = all(leg["dialog"] and leg["voice"] and leg["answered_at"] and leg["ended_at"] is None for leg in up)
    if not callback["terms"] or not has_all:
        return None
    written = max(leg["answered_at"] for leg in up)
    lived_until = max(lived_until, instant(written) or lived_until)
    if at - lived_until > timedelta(seconds=AWAY_SECONDS_MAX):
        return None
    try:
        moved = {leg["name"]: read_dialog(leg["dialog"]).print() for leg in up}
        b_answered = query.rows(_B_BEFORE, callback["id"])[0]["answered"] > 0
        return resumption.read({**callback, "b_answered": b_answered}, legs, at, at_us, lived_until), moved
    except (ValueError, KeyError, TypeError, credentials.SealProblem) as wrong:
        log.error("callback %s cannot go on: %s", callback["id"], wrong)
        return None


def _open_leg(callback: dict[str, Any], leg: dict[str, Any]) -> OpenLeg:
    there = resumption.dialog_of(leg)
    return OpenLeg(callback["id"], there.dialog or "", leg["invite"] or "", there.credentials, there.trust)


def settle(callback_id: str, at: datetime) -> None:
    """Charge a lost callback up to the last proof that its engine lived, and end its rows; once, however often it is called."""
    callback = query.row("SELECT state, lost_at, deadline_at, logged_in FROM callback WHERE id = ?", callback_id)
    if callback is None or callback["state"] == "ended":
        return
    legs = query.rows(_LEGS, callback_id)
    # What is on the rows happened while the engine lived, even where it is younger than the last sign of life.
    written = [leg[moment] for leg in legs for moment in ("placed_at", "ringing_at", "answered_at") if leg[moment]]
    end_micros = max([callback["lost_at"], *written])
    if callback["deadline_at"] is not None:
        end_micros = min(end_micros, callback["deadline_at"])
    ended_at = instant(end_micros) or at
    # Where the database went away in that moment, the INVITE is all that is known of a leg that was placed.
    query.change(_PLACED, micros(ended_at), callback_id)
    placed = [leg for leg in legs if leg["placed_at"] is not None or leg["invite"] is not None]
    usages = [_usage(leg, ended_at, bool(callback["logged_in"])) for leg in placed]
    b_answered = any(leg["name"] == "B" and leg["answered_at"] is not None for leg in legs)
    b_answered = b_answered or query.rows(_B_BEFORE, callback_id)[0]["answered"] > 0
    settlement.settle(callback_id, usages, Ending.ENGINE_STOPPED, b_answered, at)
    log.warning("callback %s: found without an engine, settled", callback_id)


def _usage(leg: dict[str, Any], ended_at: datetime, logged_in: bool) -> LegUsage:
    answered_at = instant(leg["answered_at"])
    used_us = (
        0 if answered_at is None else max(1, (ended_at - answered_at) // _MICROSECOND)
    )  # a second at least (DOMAIN 2)
    return LegUsage(
        leg["name"],
        answered_at,
        ended_at,
        used_us,
        leg["setup_ms"],
        Q850.TEMPORARY_FAILURE,
        leg["connection_id"],
        logged_in and leg["name"] == "A",
    )
