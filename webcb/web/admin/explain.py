"""Explain this call: one page of all that is known of a callback, from who asked to what it cost; and what may be done to it."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from flask import Response, abort, current_app, flash, redirect, render_template, request, url_for

from webcb import capture, clock, db, doorbell
from webcb.billing import catalog, rating, reception
from webcb.billing.authorization import Reason
from webcb.billing.explanation import cost_in_words, in_words, terms_in_words
from webcb.billing.limit import joint_limit
from webcb.billing.pricing import Pricing
from webcb.billing.routing import COST_SECONDS
from webcb.billing.tariff import pricing, rate_in_force
from webcb.ladder import Message, label, ladder, printable
from webcb.models import Account, Attempt, Audit, Connection, Destination, Ledger, Leg, Lock, Xdr
from webcb.models import Message as MessageRow
from webcb.web.admin import scores, signing
from webcb.web.admin.permission import may
from webcb.web.admin.screen import blueprint, found_callback
from webcb.web.admin.signing import guarded
from webcb.web.forms import PressForm

REFUSED: Final = "refused: "  # how the ending of a callback begins whose second authorization said no

_CHECKS: Final = {
    Reason.WRONG_CREDENTIALS: "Account ID and password are right",
    Reason.ACCOUNT_BLOCKED: "The account is not blocked",
    Reason.ACCOUNT_CLOSED: "The account is not closed",
    Reason.ACCOUNT_INACTIVE: "The account is activated",
    Reason.ACCOUNT_EXPIRED: "The account has not expired",
    Reason.CUSTOMER_BLOCKED: "The customer is active",
    Reason.PRODUCT_BLOCKED: "The product is not blocked",
    Reason.NOT_PERMITTED: "The product has a usage charge for both legs",
    Reason.EMERGENCY: "Neither is an emergency number",
    Reason.PREMIUM: "Neither is a premium or satellite number that is barred",
    Reason.TARIFF_BLOCKED: "Neither tariff is blocked",
    Reason.NO_RATE: "Both numbers have a rate",
    Reason.FORBIDDEN: "Neither destination is forbidden",
    Reason.NO_ROUTE: "A connection carries each number",
    Reason.NO_FUNDS: "The funds pay the first interval of both legs",
    Reason.DAILY_SPEND: "The day's spending allows it",
    Reason.TOO_MANY: "The account has not too many callbacks at once",
    Reason.APPLICATION_CLOSED: "The voice application is open",
    Reason.SAME_NUMBER: "The two numbers differ",
}


@dataclass(frozen=True)
class Check:
    """A check of the authorization, and how it went: passed, failed, or not reached."""

    text: str
    result: str


def checks(ending: str | None, began: bool) -> list[Check]:
    """Every check in the order in which it was made. A callback that is there has passed all of them when it was asked for;
    they are made once more when it begins, and `ending` then names the one that failed."""
    failed = (ending or "").removeprefix(REFUSED) if (ending or "").startswith(REFUSED) else ""
    made, result = [], "passed" if began or failed else "passed when asked for"
    for reason, text in _CHECKS.items():
        if str(reason) == failed:
            made.append(Check(text, "failed"))
            result = "not reached"
        else:
            made.append(Check(text, result))
    return made


@dataclass(frozen=True)
class Arithmetic:
    """The longest talk with what was set aside, in seconds and micros: what both legs cost at it, and a second later."""

    ran_seconds: int
    funds_micros: int
    currency: str
    seconds: int
    talk_seconds_max: int
    costs: tuple[int, int]
    costs_after: tuple[int, int]


def arithmetic(leg_a: Any, leg_b: Any, funds_micros: int, talk_seconds_max: int) -> Arithmetic | None:
    """The joint limit of a callback whose two legs were answered (domain 1.3); None where it was never computed."""
    if not (leg_a.pricing and leg_b.pricing and leg_a.answered_at and leg_b.answered_at):
        return None
    of_a = Pricing.from_json(leg_a.pricing).answered(leg_a.answered_at)
    of_b = Pricing.from_json(leg_b.pricing).answered(leg_b.answered_at)
    ran_us = (leg_b.answered_at - leg_a.answered_at) // timedelta(microseconds=1)
    ran_seconds = -(-ran_us // 1_000_000)
    seconds = joint_limit(of_a, of_b, ran_us, funds_micros, talk_seconds_max)
    return Arithmetic(
        ran_seconds,
        funds_micros,
        of_a.currency,
        seconds,
        talk_seconds_max,
        (rating.amount(of_a, ran_seconds + seconds), rating.amount(of_b, seconds)),
        (rating.amount(of_a, ran_seconds + seconds + 1), rating.amount(of_b, seconds + 1)),
    )


@dataclass(frozen=True)
class Priced:
    """What a leg is charged by: where the rate was found, and its terms in words."""

    title: str
    pricing: Pricing
    place: str
    terms: tuple[str, ...]


def _priced(legs: list[Any]) -> list[Priced]:
    found = []
    for leg in legs:
        for title, text in (
            (f"Leg {leg.name}", leg.pricing),
            ("Leg A, if B cannot be reached", leg.pricing_if_b_fails),
        ):
            if text:
                pricing = Pricing.from_json(text).answered(leg.answered_at or clock.utc_now())
                about = Destination.get_or_none(Destination.prefix == pricing.destination)
                place = f"{about.description or about.country}" if about else ""
                found.append(Priced(title, pricing, place, tuple(terms_in_words(pricing))))
    return found


@blueprint.get("/callbacks/<callback_id>", endpoint="explain")
@guarded("monitoring.see")
def explain(callback_id: str) -> Any:
    """Everything about one callback."""
    callback = found_callback(callback_id)
    user: Any = signing.current()
    legs = list(Leg.select().where(Leg.callback == callback).order_by(Leg.name))
    attempts = Attempt.select(Attempt, Connection).join(Connection).where(Attempt.leg.in_([leg.id for leg in legs]))
    lock = Lock.get_or_none(Lock.callback == callback)
    messages = _messages(callback.id) if may(user.role, "numbers") else []
    bills = list(Xdr.select().where(Xdr.callback == callback).order_by(Xdr.id))
    money = may(user.role, "money")
    return render_template(
        "admin/callback.html",
        callback=callback,
        legs=legs,
        voices=[leg for leg in legs if leg.codec is not None],
        heard=scores.heard(callback.id, legs),
        moments=_moments(callback, legs),
        checks=checks(callback.ending, lock is not None),
        priced=_priced(legs) if money else [],
        arithmetic=_limit(callback, legs, lock) if money else None,
        attempts=list(attempts.order_by(Attempt.id)),
        minutes=_vendor_minutes(attempts, {leg.id: leg.cld for leg in legs}) if money else {},
        messages=messages,
        ladder=ladder(messages),
        label=label,
        printable=printable,
        bills=[(bill, *_bill_in_words(bill)) for bill in bills],
        margins=_margins(bills) if money else [],
        lock=lock if money else None,
        movements=_movements(bills) if money else [],
        press=PressForm(formdata=None),
        part=bool(request.args.get("part")),
    )


def _vendor_minutes(attempts: Any, numbers: dict[int, str]) -> dict[int, tuple[int, str]]:
    """What a minute over each attempt's connection cost at that moment, in micros of the vendor's currency, by the attempt's id."""
    tariffs, found = catalog.book().tariffs, {}
    for attempt in attempts:
        tariff, digits = tariffs[attempt.connection.__data__["tariff"]], numbers[attempt.__data__["leg"]]
        rates = catalog.rates([tariff.id], [digits], attempt.placed_at)
        rate = rate_in_force(rates, tariff.id, digits, attempt.placed_at)
        if rate is not None and not rate.forbidden:
            zone = attempt.connection.vendor.billing_time_zone
            price = pricing(tariff, rate, "", zone).answered(attempt.placed_at)
            found[attempt.id] = rating.amount(price, COST_SECONDS), tariff.currency
    return found


def _limit(callback: Any, legs: list[Any], lock: Any) -> Arithmetic | None:
    if len(legs) != 2 or lock is None or not lock.amount_micros:
        return None
    return arithmetic(legs[0], legs[1], lock.amount_micros, callback.voice_application.talk_seconds_max)


def _moments(callback: Any, legs: list[Any]) -> list[tuple[datetime, str]]:
    """What happened when, in order."""
    moments = [
        (callback.requested_at, "requested"),
        (callback.claimed_at, f"claimed by {callback.node.name}" if callback.node else "claimed"),
        (callback.talking_at, "the two are joined"),
        (callback.release_asked_at, f"{callback.release_asked_by} asked to end it"),
        (callback.ended_at, f"ended: {callback.ending}"),
    ]
    for leg in legs:
        moments += [
            (leg.placed_at, f"leg {leg.name} is called"),
            (leg.ringing_at, f"leg {leg.name} rings"),
            (leg.answered_at, f"leg {leg.name} answers"),
            (leg.ended_at, f"leg {leg.name} is released"),
        ]
    return sorted(((at, what) for at, what in moments if at is not None), key=lambda each: each[0])


def _messages(callback_id: str) -> list[Message]:
    fields = [getattr(MessageRow, name) for name in Message.__slots__]
    rows: Any = MessageRow.select(*fields).where(MessageRow.callback == callback_id).order_by(MessageRow.position)
    return [Message(*row) for row in rows.tuples()]


def _bill_in_words(bill: Any) -> tuple[list[str], list[str]]:
    """How the charge came about; what the vendor charges, and how that came about."""
    explanation = json.loads(bill.explanation)
    if bill.kind == "refund":
        return [explanation.get("why") or "given back"], []
    vendor = [cost_in_words(bill), *in_words(explanation["vendor"])] if "vendor" in explanation else []
    return in_words(explanation), vendor


def _margins(bills: list[Any]) -> list[tuple[str, int, int | None]]:
    """For each currency: what was charged, refunds taken off, and what is left of it; None where a cost is not known."""
    found = []
    for currency in sorted({bill.currency for bill in bills}):
        mine = [bill for bill in bills if bill.currency == currency]
        charged = sum(bill.charged_micros for bill in mine)
        costs = [bill.cost_micros for bill in mine if bill.kind == "charge" and bill.used_quantity]
        known = all(cost is not None for cost in costs)
        found.append((currency, charged, charged - sum(costs) if known else None))
    return found


def _movements(bills: list[Any]) -> list[Any]:
    rows = Ledger.select().where(Ledger.xdr.in_([bill.id for bill in bills])).order_by(Ledger.id)
    return list(rows) if bills else []


@blueprint.get("/callbacks/<callback_id>/messages.pcap", endpoint="packets")
@guarded("numbers")
def packets(callback_id: str) -> Any:
    """The messages of a callback as a capture file."""
    user: Any = signing.current()
    if not may(user.role, "monitoring.see"):
        abort(403)
    messages = _messages(found_callback(callback_id).id)
    if not messages:
        abort(404)
    name = f'attachment; filename="{callback_id}.pcap"'
    return Response(
        capture.pcap(messages), mimetype="application/vnd.tcpdump.pcap", headers={"Content-Disposition": name}
    )


@blueprint.post("/callbacks/<callback_id>/disconnect", endpoint="disconnect")
@guarded("monitoring.change")
def disconnect(callback_id: str) -> Any:
    """End a callback; asks first where the script of the page has not."""
    callback = found_callback(callback_id)
    if request.form.get("sure") != "y":
        return render_template("admin/disconnect.html", callback=callback, press=PressForm(formdata=None))
    with db.writing():
        _end(callback)
    _ring()
    flash("The call is being disconnected.")
    return redirect(url_for("admin.explain", callback_id=callback.id), 303)


@blueprint.route("/callbacks/<callback_id>/block", methods=["GET", "POST"], endpoint="block_and_disconnect")
@guarded("monitoring.change")
def block_and_disconnect(callback_id: str) -> Any:
    """Block the account of a callback, whose calls then end; asks first."""
    callback = found_callback(callback_id)
    if request.method == "GET":
        return render_template("admin/block.html", callback=callback, press=PressForm())
    at = clock.utc_now()
    with db.writing():
        changed = Account.update(blocked=True).where((Account.id == callback.account.id) & ~Account.blocked).execute()
        if changed:
            subject = f"account {callback.account.login}"
            Audit.create(at=at, made_by=_who(), action="block", subject=subject, detail="blocked: false -> true")
        _end(callback)
    _ring()
    flash(f"Account {callback.account.login} is blocked; its calls end.")
    return redirect(url_for("admin.explain", callback_id=callback.id), 303)


def _end(callback: Any) -> None:
    at = clock.utc_now()
    if reception.ask_release(callback.id, "operator", at):
        Audit.create(at=at, made_by=_who(), action="disconnect", subject=f"callback {callback.id}")


def _who() -> str:
    user: Any = signing.current()
    return f"user:{user.login}"[:64]


def _ring() -> None:
    doorbell.ring(current_app.extensions["webcb_doorbell"])
