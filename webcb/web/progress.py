"""The progress page of a callback: shown once, followed live by server-sent events, and the button that hangs up.

Reads the rows the engine writes; the words for them are `sight`'s. Only who placed a callback sees it.
"""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import Any

from flask import Blueprint, Response, current_app, redirect, render_template, stream_with_context, url_for

from webcb import clock, doorbell
from webcb.billing import ledger, query, rating, reception
from webcb.billing.limit import joint_limit
from webcb.billing.pricing import Pricing
from webcb.billing.query import Row, instant
from webcb.models import Callback, Xdr
from webcb.money import Micros
from webcb.watching.going_on import running_seconds
from webcb.web import branding, follow, printing
from webcb.web.access import placed_here
from webcb.web.forms import PressForm
from webcb.web.sight import LegSight, Sight

RELOAD_SECONDS = 2  # without script
FULL_RETRY_SECONDS = 3
_PRICINGS_MAX = 1024

blueprint = Blueprint("progress", __name__, url_prefix="/callbacks")
LED_BY_VOICE = frozenset({"hosted", "code"})  # A is called alone, by whoever asks; what that costs is not for the page
_stopping = threading.Event()  # its wait() is the pause between two looks


@dataclass(frozen=True, slots=True)
class Bill:
    """The two charges of an ended callback; `balance_micros` is None where the funds are not the user's to see."""

    charges: tuple[Xdr, ...]
    total_micros: Micros
    currency: str
    balance_micros: Micros | None

    @property
    def decimals(self) -> int:
        """The decimals every amount of the bill is written with, so that they stand one below the other."""
        amounts = [charge.charged_micros for charge in self.charges]
        return printing.decimals_of([*amounts, self.total_micros, self.balance_micros or 0])


@blueprint.get("/<callback_id>")
@placed_here
def page(callback: Callback) -> str:
    """The page: where the callback stands now. With script it follows; without, it loads itself again and again."""
    return render_template(
        "progress/page.html",
        callback=callback,
        application=callback.voice_application,
        brand=branding.of(callback.voice_application),
        form=PressForm(formdata=None),
        reload_seconds=RELOAD_SECONDS,
        **_view(callback.id, look(callback.id)),
    )


@blueprint.get("/<callback_id>/events")
@placed_here
def events(callback: Callback) -> Response:
    """The page's stream of events; 503 when too many follow already, and the script asks again later."""
    viewers: follow.Viewers = current_app.extensions["webcb_viewers"]
    if not viewers.enter():
        return Response("too many follow calls\n", 503, {"Retry-After": str(FULL_RETRY_SECONDS)}, mimetype="text/plain")
    stream = follow.stream(partial(look, callback.id), partial(_event, callback.id), _stopping.wait)
    answer = Response(stream_with_context(stream), mimetype="text/event-stream", headers={"X-Accel-Buffering": "no"})
    answer.call_on_close(viewers.leave)
    return answer


@blueprint.get("/<callback_id>/now")
@placed_here
def now(callback: Callback) -> dict[str, Any]:
    """The same view once, for a script that found no place among those who follow."""
    return _event(callback.id, look(callback.id))


@blueprint.post("/<callback_id>/release")
@placed_here
def release(callback: Callback) -> Any:
    """Hang up: ask the engine to release both phones."""
    if reception.ask_release(callback.id, "user", clock.utc_now()):
        doorbell.ring(current_app.extensions["webcb_doorbell"])
    return redirect(url_for("progress.page", callback_id=callback.id), 303)


# Looking -------------------------------------------------------------------------------------------------------------


# Everybody who follows a call asks this several times a second: plain SQL, fifty times as quick as two objects.
_LOOK = """
    SELECT callback.id, path, callback.state, callback.kind, callback.logged_in,
           callback.ending, callback.release_asked_at, callback.talking_at, callback.deadline_at,
           callback.ended_at, leg.name, leg.cld, leg.state AS leg_state, leg.placed_at, leg.answered_at,
           leg.queue_position, leg.ended_at AS leg_ended_at, leg.pricing, callback.account_id, talk_seconds_max,
           account.daily_spend_max_micros IS NOT NULL AS is_capped, lock.amount_micros AS held_micros,
           balance_micros + credit_limit_micros - locked_micros AS available_micros
      FROM callback
      JOIN leg ON leg.callback_id = callback.id
      JOIN voice_application ON voice_application.id = callback.voice_application_id
      JOIN account ON account.id = callback.account_id
      JOIN wallet ON wallet.id = account.wallet_id
      LEFT JOIN lock ON lock.callback_id = callback.id AND lock.state = 'held'
     WHERE callback.id = ?
     ORDER BY leg.name
"""


def look(callback_id: str) -> Sight:
    """One cheap query: the two legs with their callback."""
    found = query.rows(_LOOK, callback_id)
    row_a, row_b = found[0], _current_b(found)
    deadline_at = instant(row_a["deadline_at"])
    at = clock.utc_now()
    # What a hosted callback costs the operator before somebody has logged in is not for the page.
    charged = (
        [] if row_a["kind"] in LED_BY_VOICE and not row_a["logged_in"] else [row for row in found if row["pricing"]]
    )
    costs = [cost for row in charged if (cost := _running_cost(row, deadline_at, at)) is not None]
    return Sight(
        state=row_a["state"],
        leg_a=_leg_sight(row_a),
        leg_b=_leg_sight(row_b) if row_b else LegSight("B", "", "waiting"),
        is_release_asked=row_a["release_asked_at"] is not None,
        talking_at=instant(row_a["talking_at"]),
        deadline_at=deadline_at,
        reachable_seconds=_reachable_seconds(row_a, row_b, at) if row_b else None,
        ended_at=instant(row_a["ended_at"]),
        ending=row_a["ending"],
        currency=_pricing(row_a["pricing"]).currency if row_a["pricing"] else "",
        cost_micros=sum(costs) if costs else None,
        cost_decimals=max((_step_decimals(row["pricing"]) for row in charged), default=2),
        is_led_by_voice=row_a["kind"] in LED_BY_VOICE,
    )


def _current_b(found: list[Row]) -> Row | None:
    """Leg B: the one that is, else the last that was (B2 after B1), else none, as in a hosted callback before the first."""
    legs_b = {row["name"]: row for row in found if row["name"] != "A"}
    return legs_b.get("B") or (max(legs_b.items(), key=lambda each: int(each[0][1:]))[1] if legs_b else None)


def _leg_sight(row: Row) -> LegSight:
    return LegSight(
        row["name"],
        row["cld"],
        row["leg_state"],
        row["placed_at"] is not None,
        instant(row["answered_at"]),
        row["queue_position"],
    )


def _running_cost(row: Row, deadline_at: datetime | None, at: datetime) -> Micros | None:
    """What a leg would cost if it ended now; None for one that was not answered."""
    answered_at = instant(row["answered_at"])
    if answered_at is None or row["pricing"] is None:
        return None
    used_seconds = running_seconds(answered_at, deadline_at, instant(row["leg_ended_at"]) or at)
    return rating.amount(_pricing(row["pricing"]).answered(answered_at), used_seconds)


def _reachable_seconds(row_a: Row, row_b: Row, at: datetime) -> int | None:
    """How long they may talk in all if nobody else uses what is left of the funds: a call sets them aside slice by slice."""
    answered_a, answered_b = instant(row_a["answered_at"]), instant(row_b["answered_at"])
    if row_a["talking_at"] is None or not row_a["held_micros"] or answered_a is None or answered_b is None:
        return None
    left = row_a["available_micros"]
    of_account = ledger.spend_left_micros(row_a["account_id"], at) if row_a["is_capped"] else None
    of_day = ledger.left_of_the_day(row_a["id"], row_a["path"], at, held=False)
    limited = ledger.least(left, of_account, of_day) or 0
    return joint_limit(
        _pricing(row_a["pricing"]).answered(answered_a),
        _pricing(row_b["pricing"]).answered(answered_b),
        (answered_b - answered_a) // timedelta(microseconds=1),
        row_a["held_micros"] + max(0, limited),
        row_a["talk_seconds_max"],
    )


@lru_cache(_PRICINGS_MAX)
def _pricing(text: str) -> Pricing:
    return Pricing.from_json(text)


@lru_cache(_PRICINGS_MAX)
def _step_decimals(text: str) -> int:
    """The decimals the first steps of a running cost need."""
    pricing = _pricing(text)
    first_seconds = pricing.free_seconds + pricing.intervals.first_seconds
    return printing.decimals_of(rating.amount(pricing, first_seconds + more) for more in (0, 1))


def _bill(callback_id: str) -> Bill:
    charges = tuple(Xdr.select().where(Xdr.callback == callback_id, Xdr.kind == "charge").order_by(Xdr.leg))
    callback = Callback.get_by_id(callback_id)
    account = callback.account
    # Only who has proved on this page that the account is his sees its balance.
    is_own = callback.kind == "extended" and account.balance_control == "individual" and account.type == "debit"
    if callback.kind in LED_BY_VOICE and not callback.logged_in:
        charges = ()
    return Bill(
        charges=charges,
        total_micros=sum(charge.charged_micros for charge in charges),
        currency=account.wallet.currency,
        balance_micros=account.wallet.balance_micros if is_own else None,
    )


# Showing -------------------------------------------------------------------------------------------------------------


def _view(callback_id: str, sight: Sight) -> dict[str, Any]:
    return {"sight": sight, "at": clock.utc_now(), "bill": _bill(callback_id) if sight.is_ended else None}


def _event(callback_id: str, sight: Sight) -> dict[str, Any]:
    return {
        "headline": sight.headline,
        "is_ended": sight.is_ended,
        "is_releasing": sight.is_releasing,
        "html": render_template("progress/_now.html", **_view(callback_id, sight)),
    }
