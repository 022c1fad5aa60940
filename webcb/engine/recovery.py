"""Callbacks of this node that nobody runs: after a crash, and the rare one the engine had to abandon. Jobs of the journal.

Their legs are charged up to the last proof that the engine lived, and their dialogs handed back so that they can be hung up: no
lock stays, no leg stays up.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from webcb.billing import credentials, query, settlement
from webcb.billing.query import instant, micros
from webcb.billing.settlement import LegUsage
from webcb.engine.causes import Q850, Ending
from webcb.engine.rows import RELEASED_BY
from webcb.engine.trust import Trust
from webcb.sip.digest import Credentials

log = logging.getLogger(__name__)

_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Node:
    """This node's row, and when an engine of this name last gave a sign of life (None: never)."""

    id: int
    heard_at: datetime | None


@dataclass(frozen=True, slots=True)
class OpenLeg:
    """An answered leg nobody owns: its dialog as JSON, what a challenged BYE is answered with, and the trust of its TLS."""

    callback_id: str
    dialog: str
    credentials: Credentials | None
    trust: Trust | None


@dataclass(frozen=True, slots=True)
class Watched:
    """What a look at this node's open callbacks found: whom to release and why, whose funds have something free, legs to hang up."""

    releases: tuple[tuple[str, Ending], ...]
    funds_free: tuple[str, ...]
    open_legs: tuple[OpenLeg, ...]


def take_node(name: str, at: datetime) -> Node:
    """Find or make the node's row and write the start of this engine on it."""
    found = query.row("SELECT id, heard_at FROM node WHERE name = ?", name)
    if found is None:
        (made,) = query.rows("INSERT INTO node (name, started_at) VALUES (?, ?) RETURNING id", name, micros(at))
        return Node(made["id"], None)
    query.change("UPDATE node SET started_at = ? WHERE id = ?", micros(at), found["id"])
    return Node(found["id"], instant(found["heard_at"]))


def watch(node_id: int, known: frozenset[str], lived_until: datetime, at: datetime) -> Watched:
    """Give a sign of life; find what was asked to be released among the `known` callbacks; settle those nobody knows.

    `lived_until` is the last proof of life of whoever ran the unknown ones: they are charged up to it.
    """
    query.change("UPDATE node SET heard_at = ? WHERE id = ?", micros(at), node_id)
    rows = query.rows(_OPEN, node_id)
    running = [row for row in rows if row["id"] in known]
    releases = [(row["id"], ending) for row in running if (ending := _release(row)) is not None]
    funds_free = [row["id"] for row in running if row["available_micros"] > 0 or row["is_capped"]]
    open_legs = [leg for row in rows if row["id"] not in known for leg in _settle(row, lived_until, at)]
    return Watched(tuple(releases), tuple(funds_free), tuple(open_legs))


_OPEN: Final = """
    SELECT callback.id, callback.logged_in, release_asked_at, release_asked_by, deadline_at,
           account.blocked, account.closed, customer.status,
           balance_micros + credit_limit_micros - locked_micros AS available_micros,
           daily_spend_max_micros IS NOT NULL AS is_capped
      FROM callback
      JOIN account ON account.id = callback.account_id
      JOIN customer ON customer.id = account.customer_id
      JOIN wallet ON wallet.id = account.wallet_id
     WHERE node_id = ? AND state NOT IN ('requested', 'ended')
"""


def _release(callback: dict[str, Any]) -> Ending | None:
    """Why a callback that goes on must end now, if it must."""
    if callback["release_asked_at"] is not None:
        return RELEASED_BY[callback["release_asked_by"]]
    if callback["blocked"] or callback["closed"]:
        return Ending.ACCOUNT_BLOCKED
    return None if callback["status"] == "active" else Ending.CUSTOMER_BLOCKED


_LEGS: Final = """
    SELECT leg.name, leg.placed_at, leg.ringing_at, leg.answered_at, leg.ended_at, leg.dialog,
           COALESCE(leg.connection_id, attempt.connection_id) AS connection_id, attempt.setup_ms,
           connection.username, connection.sealed_password, connection.host, connection.transport,
           connection.tls_ca_file, connection.tls_certificate_file, connection.tls_key_file
      FROM leg
      LEFT JOIN attempt ON attempt.leg_id = leg.id
       AND attempt.position = (SELECT MAX(position) FROM attempt AS later WHERE later.leg_id = leg.id)
      LEFT JOIN connection ON connection.id = leg.connection_id
     WHERE leg.callback_id = ? AND leg.name IN ('A', 'B')
     ORDER BY leg.name
"""

_B_BEFORE: Final = "SELECT COUNT(answered_at) AS answered FROM leg WHERE callback_id = ? AND name LIKE 'B_%'"


def _settle(callback: dict[str, Any], lived_until: datetime, at: datetime) -> list[OpenLeg]:
    legs = query.rows(_LEGS, callback["id"])
    # What is on the rows happened while the engine lived, even where it is younger than the last sign of life.
    written = [leg[moment] for leg in legs for moment in ("placed_at", "ringing_at", "answered_at") if leg[moment]]
    end_micros = max([micros(lived_until), *written])
    if callback["deadline_at"] is not None:
        end_micros = min(end_micros, callback["deadline_at"])
    ended_at = instant(end_micros) or at
    usages = [_usage(leg, ended_at, bool(callback["logged_in"])) for leg in legs if leg["placed_at"] is not None]
    b_answered = any(leg["name"] == "B" and leg["answered_at"] is not None for leg in legs)
    b_answered = b_answered or query.rows(_B_BEFORE, callback["id"])[0]["answered"] > 0
    settlement.settle(callback["id"], usages, Ending.ENGINE_STOPPED, b_answered, at)
    log.warning("callback %s: found without an engine, settled", callback["id"])
    return [
        OpenLeg(callback["id"], leg["dialog"], _credentials(leg), _trust(leg))
        for leg in legs
        if leg["dialog"] is not None and leg["ended_at"] is None
    ]


def _usage(leg: dict[str, Any], ended_at: datetime, logged_in: bool) -> LegUsage:
    answered_at = instant(leg["answered_at"])
    used_us = 0 if answered_at is None else max(0, (ended_at - answered_at) // _MICROSECOND)
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


def _trust(leg: dict[str, Any]) -> Trust | None:
    if leg["transport"] not in ("auto", "tls"):
        return None
    return Trust(leg["host"], leg["tls_ca_file"], leg["tls_certificate_file"], leg["tls_key_file"])


def _credentials(leg: dict[str, Any]) -> Credentials | None:
    if not leg["username"]:
        return None
    try:
        return Credentials(leg["username"], credentials.unseal(leg["sealed_password"]))
    except credentials.SealProblem as wrong:
        log.warning("a leg to hang up: %s", wrong)
        return None
