"""What the engine reads and writes in the tables: plain functions, each one job of the journal. No thread, no rule of a call.

Charges are billing.ledger's, authorization is billing.reception's; here their words and the engine's meet.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from webcb import db
from webcb.billing import hosted, ledger, query, reception, settlement
from webcb.billing.authorization import Refusal
from webcb.billing.hosted import BegunAlone
from webcb.billing.ledger import Held
from webcb.billing.pricing import Pricing
from webcb.billing.query import micros
from webcb.billing.reception import Begun
from webcb.billing.settlement import LegUsage, Settlement
from webcb.engine import resumption, sealing
from webcb.engine.callback import Plan
from webcb.engine.causes import REFUSED_PREFIX, Ending, LegName
from webcb.engine.commands import (
    Choose,
    EndAttempt,
    LogIn,
    Renew,
    Settle,
    Usage,
    Write,
    WriteAttempt,
    WriteCallback,
    WriteDialog,
    WriteInvite,
    WriteLeg,
    WriteQueue,
)
from webcb.engine.events import Chosen, LegPlan, LoggedIn, NotChosen, NotLoggedIn
from webcb.engine.figures import Figures
from webcb.engine.hearing import Heard
from webcb.engine.ivr import Setup
from webcb.engine.lease import TakenOver
from webcb.engine.spool import print_settlement, print_settlement_of_b
from webcb.engine.state import NOBODY, NOTHING_YET
from webcb.number import NumberError, parse_number

log = logging.getLogger(__name__)

CLAIMS_PER_LOOK_MAX: Final = 8  # they share a transaction and a turn of the loop; pages and deadlines wait for these
REQUEST_SECONDS_MAX: Final = 60  # a request nobody claimed is not called out of the blue later
REASON_LENGTH_MAX: Final = 120
NUMBERS_KNOWN_MAX: Final = 10_000  # whose country need not be looked for again

RELEASED_BY: Final = {"user": Ending.USER_RELEASED, "operator": Ending.OPERATOR_RELEASED}


# Claiming ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Claimed:
    """What one claim brought: callbacks to begin, and whether more requests wait."""

    plans: tuple[Plan, ...]
    more: bool


# Who is being told a code is not called meanwhile: his phone would be busy.
_REQUESTED: Final = """
    SELECT id FROM callback
     WHERE state = 'requested'
       AND NOT EXISTS (SELECT 1 FROM leg
                         JOIN phone_proof ON phone_proof.digits = leg.cld
                         JOIN callback AS told ON told.id = phone_proof.callback_id
                        WHERE leg.callback_id = callback.id AND leg.name = 'A' AND told.state <> 'ended' AND told.id <> callback.id)
     ORDER BY requested_at LIMIT ?
"""


def claim(node_id: int, room: int, at: datetime, at_us: int) -> Claimed:
    """End the requests that came to nothing, claim up to `room` of the others, authorize them and lock their funds.

    `at` and `at_us` are one moment on both clocks. A refusal ends its callback here. A node that drains claims none.
    """
    _end_stale(at)
    (node,) = query.rows("SELECT draining FROM node WHERE id = ?", node_id)
    wanted = 0 if node["draining"] else min(room, CLAIMS_PER_LOOK_MAX)
    # Who another engine is claiming just now is left to it: no engine waits for another.
    others_left_out = "" if db.dialect() == "sqlite" else " FOR UPDATE SKIP LOCKED"
    found = query.rows(_REQUESTED + others_left_out, wanted + 1)
    plans = [plan for row in found[:wanted] if (plan := _claim(row["id"], node_id, at, at_us)) is not None]
    return Claimed(tuple(plans), more=len(found) > wanted > 0)


def _end_stale(at: datetime) -> None:
    stale = query.rows(
        "SELECT id, release_asked_by FROM callback"
        " WHERE state = 'requested' AND (requested_at < ? OR release_asked_at IS NOT NULL)",
        micros(at - timedelta(seconds=REQUEST_SECONDS_MAX)),
    )
    for row in stale:
        settlement.settle(
            row["id"], (), RELEASED_BY.get(row["release_asked_by"], Ending.EXPIRED), b_answered=False, at=at
        )


def _claim(callback_id: str, node_id: int, at: datetime, at_us: int) -> Plan | None:
    claimed = query.change(
        "UPDATE callback SET state = 'calling A', node_id = ?, claimed_at = ? WHERE id = ? AND state = 'requested'",
        node_id,
        micros(at),
        callback_id,
    )
    if claimed != 1:  # another engine was quicker
        return None
    try:
        with db.writing():
            begun = _begin(callback_id, at, at_us)
            if isinstance(begun, Plan):
                return begun
            ending = f"{REFUSED_PREFIX}{begun.reason}"
    except db.UNAVAILABLE:
        raise
    except Exception:  # our fault; the callback must not come back at every look
        log.exception("callback %s: cannot be begun", callback_id)
        ending = Ending.ENGINE_FAULT
    log.info("callback %s: %s", callback_id, ending)
    settlement.settle(callback_id, (), ending, b_answered=False, at=at)
    return None


def _begin(callback_id: str, at: datetime, at_us: int) -> Plan | Refusal:
    trigger = hosted.trigger(callback_id)
    menu = Setup(
        trigger.languages,
        trigger.kind == "hosted",
        trigger.confirm_by_key,
        trigger.ani,
        trigger.prompts_folder,
        trigger.code,
    )
    if menu.is_alone:
        alone = hosted.begin(callback_id, at)
        return alone if isinstance(alone, Refusal) else _plan_alone(callback_id, alone, menu, at, at_us)
    begun = reception.begin(callback_id, at)
    return begun if isinstance(begun, Refusal) else _plan(callback_id, begun, menu, at, at_us)


def _plan_alone(callback_id: str, begun: BegunAlone, menu: Setup, at: datetime, at_us: int) -> Plan:
    terms, a = begun.terms, begun.leg_a
    return Plan(
        callback_id,
        terms.pricing_a,
        terms.pricing_a_if_b_fails,
        NOTHING_YET,
        terms.funds_micros,
        begun.talk_seconds_max,
        LegPlan(a.cld, a.cli, begun.routes_a, begun.ring_seconds_a, _country(a.cld)),
        NOBODY,
        at_us,
        at,
        terms.slice_seconds,
        terms.beyond_balance,
        menu,
    )


def _plan(callback_id: str, begun: Begun, menu: Setup, at: datetime, at_us: int) -> Plan:
    authorization = begun.authorization
    a, b = begun.leg_a, begun.leg_b
    return Plan(
        callback_id,
        authorization.pricing_a,
        authorization.pricing_a_if_b_fails,
        authorization.pricing_b,
        begun.funds_micros,
        begun.talk_seconds_max,
        LegPlan(a.cld, a.cli, begun.routes_a, begun.ring_seconds_a, _country(a.cld)),
        LegPlan(b.cld, b.cli, begun.routes_b, begun.ring_seconds_b, _country(b.cld)),
        at_us,
        at,
        begun.slice_seconds,
        begun.beyond_balance,
        menu,
        None if begun.beyond_balance else max(0, authorization.available_micros - begun.funds_micros),
    )


@lru_cache(maxsize=NUMBERS_KNOWN_MAX)
def _country(digits: str) -> str:
    try:
        return parse_number(f"+{digits}", "US").country
    except NumberError:
        return ""


# Progress ------------------------------------------------------------------------------------------------------------


def write(plan: Plan, writes: Sequence[Write]) -> None:
    """Write what has happened to one callback, in order."""
    for each in writes:
        match each:
            case WriteCallback():
                _write_callback(plan, each)
            case WriteLeg():
                _write_leg(plan, each)
            case WriteInvite():
                _write_invite(plan, each)
            case WriteDialog():
                query.change(
                    "UPDATE leg SET dialog = ?, voice = COALESCE(?, voice) WHERE callback_id = ? AND name = ?",
                    each.dialog,
                    sealing.sealed(each.voice),
                    plan.callback_id,
                    each.leg,
                )
            case WriteQueue():
                query.change(
                    "UPDATE leg SET queue_position = ? WHERE callback_id = ? AND name = ?",
                    each.position,
                    plan.callback_id,
                    each.leg,
                )
            case WriteAttempt():
                query.change(
                    "INSERT INTO attempt (leg_id, position, connection_id, address, placed_at)"
                    " SELECT id, ?, ?, ?, ? FROM leg WHERE callback_id = ? AND name = ?",
                    each.position,
                    each.connection_id,
                    each.address,
                    micros(plan.instant(each.placed_us)),
                    plan.callback_id,
                    each.leg,
                )
            case EndAttempt():
                query.change(
                    "UPDATE attempt SET ended_at = ?, status = ?, reason = ?, setup_ms = ? WHERE position = ?"
                    " AND leg_id = (SELECT id FROM leg WHERE callback_id = ? AND name = ?)",
                    micros(plan.instant(each.at_us)),
                    each.status,
                    each.reason[:REASON_LENGTH_MAX],
                    each.setup_ms,
                    each.position,
                    plan.callback_id,
                    each.leg,
                )


_INVITE: Final = """
    UPDATE leg SET invite = ?
     WHERE callback_id = (SELECT id FROM callback WHERE id = ? AND state <> 'ended' AND lost_at IS NULL{}) AND name = ?
"""


def _write_invite(plan: Plan, write: WriteInvite) -> None:
    """Raises TakenOver where others end the callback: whoever takes it over finds the INVITE, or it never leaves."""
    stays_ours = "" if db.dialect() == "sqlite" else " FOR SHARE"
    if query.change(_INVITE.format(stays_ours), write.invite, plan.callback_id, write.leg) == 0:
        raise TakenOver(plan.callback_id)


def _write_callback(plan: Plan, write: WriteCallback) -> None:
    # A alone goes by what is set aside, which is renewed all the time: its deadline is on no row.
    deadline = "NULL" if write.state == "A answered" else "COALESCE(?, deadline_at)"
    query.change(
        f"UPDATE callback SET state = ?, talking_at = COALESCE(?, talking_at), deadline_at = {deadline},"  # noqa: S608
        " terms = COALESCE(?, terms) WHERE id = ? AND state <> 'ended'",
        write.state,
        _stored(plan, write.talking_us),
        *(() if write.state == "A answered" else (_stored(plan, write.deadline_us),)),
        None if write.menu is None else resumption.print_terms(plan, write.menu),
        plan.callback_id,
    )


_LEG_MOMENTS: Final = {"calling": "placed_at", "ringing": "ringing_at", "answered": "answered_at"}


def _write_leg(plan: Plan, write: WriteLeg) -> None:
    moment = _LEG_MOMENTS[write.state]
    query.change(
        f"UPDATE leg SET state = ?, {moment} = COALESCE({moment}, ?), connection_id = COALESCE(?, connection_id),"  # noqa: S608
        " dialog = COALESCE(?, dialog), rtp_port = COALESCE(?, rtp_port), voice = COALESCE(?, voice), queue_position = NULL"
        " WHERE callback_id = ? AND name = ? AND state <> 'ended'",  # others may have ended it, while we were cut off
        write.state,
        _stored(plan, write.at_us),
        write.connection_id,
        write.dialog,
        write.rtp_port,
        sealing.sealed(write.voice),
        plan.callback_id,
        write.leg,
    )


def _stored(plan: Plan, at_us: int | None) -> int | None:
    return None if at_us is None else micros(plan.instant(at_us))


# Funds ---------------------------------------------------------------------------------------------------------------


def renew(plan: Plan, renew: Renew, at: datetime) -> Held:
    """Set aside what the callback needs to go on, or what is left of it."""
    return ledger.hold(plan.callback_id, renew.need, at, beyond_balance=plan.beyond_balance)


# The menu ------------------------------------------------------------------------------------------------------------


def log_in(plan: Plan, log_in: LogIn, ran_us: int, at: datetime) -> LoggedIn | NotLoggedIn:
    """Put leg A on the account of a PIN, or of the ID that its number names."""
    found = hosted.log_in(plan.callback_id, log_in.typed, ran_us, at, by_ani=log_in.by_ani)
    if isinstance(found, Refusal):
        log.info("callback %s: not logged in: %s", plan.callback_id, found.reason)
        return NotLoggedIn(found.reason, log_in.by_ani)
    terms = found.terms
    fails = terms.pricing_a_if_b_fails
    resumption.move_terms(plan.callback_id, terms.funds_micros, terms.slice_seconds, terms.beyond_balance)
    return LoggedIn(
        found.balance_micros,
        found.currency,
        found.language,
        terms.pricing_a.with_login(),
        fails and fails.with_login(),
        terms.funds_micros,
        terms.slice_seconds,
        terms.beyond_balance,
    )


def choose(
    plan: Plan, choose: Choose, pricings_of_a: tuple[Pricing, ...], ran_us: int, at: datetime
) -> Chosen | NotChosen:
    """Authorize a destination for leg A, which has run so long."""
    found = hosted.choose(plan.callback_id, choose.number, pricings_of_a, ran_us, at)
    if isinstance(found, Refusal):
        log.info("callback %s: destination refused: %s", plan.callback_id, found.reason)
        return NotChosen(found.reason)
    b = LegPlan(found.leg_b.cld, found.leg_b.cli, found.routes_b, found.ring_seconds_b, _country(found.leg_b.cld))
    return Chosen(found.talk_seconds, b, found.pricing_b, found.funds_micros, found.spare_micros)


def never_call(plan: Plan, at: datetime) -> None:
    """Remember that A is never to be called again."""
    hosted.never_call(plan.callback_id, at)


def settle_b(
    plan: Plan, usage: Usage | None, at: datetime, figures: Figures | None = None, writes: Sequence[Write] = ()
) -> int:
    """Charge leg B while A stays on the line; what it cost, in micros. `writes`: what happened before and is not on the rows yet."""
    write(plan, writes)
    if figures is not None:
        _write_figures(plan, "B", figures)
    used = None if usage is None else _used(plan, usage, figures)
    return settlement.settle_b(plan.callback_id, used, at)


def settlement_line_of_b(plan: Plan, usage: Usage, at: datetime, figures: Figures | None) -> str:
    """The same as a line of the spool."""
    return print_settlement_of_b(plan.callback_id, _used(plan, usage, figures), at)


# The end -------------------------------------------------------------------------------------------------------------


def settle(
    plan: Plan,
    settle: Settle,
    at: datetime,
    figures: Mapping[LegName, Figures] | None = None,
    writes: Sequence[Write] = (),
) -> Settlement:
    """Charge the callback and end its rows; once, however often it is called.

    `figures` are those of the legs that were answered, `writes` what happened before and is not on the rows yet.
    """
    write(plan, writes)
    figures = figures or {}
    for leg, each in figures.items():
        _write_figures(plan, leg, each)
    usages = _usages(plan, settle, figures)
    return settlement.settle(plan.callback_id, usages, settle.ending, settle.b_answered, at)


def settlement_line(plan: Plan, settle: Settle, at: datetime, figures: Mapping[LegName, Figures]) -> str:
    """The same as a line of the spool; the figures of voice are on the xDR alone then."""
    return print_settlement(plan.callback_id, _usages(plan, settle, figures), settle.ending, settle.b_answered, at)


def _usages(plan: Plan, settle: Settle, figures: Mapping[LegName, Figures]) -> list[LegUsage]:
    return [
        replace(_used(plan, usage, figures.get(usage.leg)), logged_in=settle.logged_in and usage.leg == "A")
        for usage in settle.usages
    ]


def _write_figures(plan: Plan, leg: LegName, figures: Figures) -> None:
    query.change(
        "UPDATE leg SET codec = ?, received_packets = ?, sent_packets = ?, lost_packets = ?, jitter_us = ?, score_milli = ?,"
        " one_way = ?, scores = COALESCE(?, scores) WHERE callback_id = ? AND name = ?",
        figures.codec,
        figures.received_packets,
        figures.sent_packets,
        figures.lost_packets,
        figures.jitter_us,
        figures.score_milli,
        figures.one_way,
        figures.scores,
        plan.callback_id,
        leg,
    )


def write_scores(heard: Sequence[Heard]) -> None:
    """Note how well legs were heard up to now: of the scores, the callback and the leg of each."""
    query.change_each("UPDATE leg SET scores = ? WHERE callback_id = ? AND name = ? AND state <> 'ended'", heard)


def _used(plan: Plan, usage: Usage, figures: Figures | None) -> LegUsage:
    return LegUsage(
        usage.leg,
        None if usage.answered_us is None else plan.instant(usage.answered_us),
        plan.instant(usage.ended_us),
        usage.used_us,
        usage.setup_ms,
        usage.q850,
        usage.connection_id,
        one_way=figures is not None and figures.one_way,
    )
