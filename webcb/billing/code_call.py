"""The door of the calls that say a code: A is called, told it twice, and proves by typing it to be at that phone (domain 9).

It rings whoever has the number that was typed, so it is limited for the number over all pages and accounts, for the source and the
account; who presses 9 in it is never called again. Everything else is judged as if the callback were placed: what would be refused
anyway rings nowhere.
"""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from webcb import db
from webcb.billing import asks, catalog, guard, never, proof, query, reception, tally
from webcb.billing.authorization import Application, Reason, Refusal, authorize_alone
from webcb.billing.facts import facts_of
from webcb.billing.proof import Answer, Claim
from webcb.billing.query import micros
from webcb.billing.reception import Order, Placed

WINDOW: Final = timedelta(hours=1)
OF_NUMBER, OF_SOURCE, OF_ACCOUNT = 3, 10, 10  # codes in the window


@dataclass(frozen=True, slots=True)
class Asked:
    """A code is being said, or was, by this callback; `is_new` False: by one that was asked for before."""

    callback_id: str
    is_new: bool


def place(order: Order, code: str, language: str, at: datetime, *, again: bool = False) -> Placed | Asked | Refusal:
    """What `reception.place` does; where A has to be proven, `code` proves it, and without one A is called and told one.

    `again`: A has not heard the last one. `language` is that of the page, in which it is said where the voice has it.
    """
    verdict = reception.place(order, at)
    if not isinstance(verdict, Refusal) or verdict.reason is not Reason.CODE_NEEDED:
        return verdict
    claim = _claim(order)
    if claim is None:
        return verdict
    if code and not again:
        answer = proof.enter(claim, "".join(code.split()), at)
        if answer is Answer.RIGHT:
            return reception.place(order, at)
        if answer is not Answer.NONE_ASKED:
            return Refusal(Reason.CODE_WRONG if answer is Answer.WRONG else Reason.CODE_OVER, "A")
    return _ask(claim, order, language, at, again=again)


def ask(order: Order, language: str, at: datetime, *, again: bool = False) -> Asked | Refusal | None:
    """Have A told a code, for who types it later (`enter`); nothing is placed. None: this order needs none, or none any more."""
    if payer(order, at) is None:
        return None
    claim = _claim(order)
    if claim is None or order.number_b is None:
        return Refusal(Reason.APPLICATION_CLOSED)
    verdict = reception.quote(order, at)
    if isinstance(verdict, Refusal):
        return verdict
    if never.is_never_called(order.number_a.digits):
        return _noted(Refusal(Reason.NEVER_CALL, "A"), order, at)
    asked = _ask(claim, order, language, at, again=again)
    return _noted(asked, order, at) if isinstance(asked, Refusal) else asked


def _noted(refusal: Refusal, order: Order, at: datetime) -> Refusal:
    asks.note_refusal(order.voice_application, refusal, order.requested_from, at)
    return refusal


def enter(order: Order, code: str, at: datetime) -> datetime | Answer:
    """Type the code that A was told; returns until when it proves A, or why it does not."""
    claim = _claim(order)
    if claim is None:
        return Answer.NONE_ASKED
    answer = proof.enter(claim, "".join(code.split()), at)
    if answer is not Answer.RIGHT:
        return answer
    days = catalog.book().applications[order.voice_application].guards.proof_days
    return at + max(timedelta(days=days), proof.GOOD_FOR)


def payer(order: Order, at: datetime) -> str | None:
    """Who pays for the call that says a code, "account" or "internal account"; None where this order needs none."""
    with db.reading():
        application = catalog.book().applications.get(order.voice_application)
    if application is None or not guard.needs_proof(application.guards, order.kind):
        return None
    claim = _claim(order)
    if claim is None or proof.is_proven(claim, application.guards.proof_days, at):
        return None
    return "internal account" if order.kind == "hosted" else application.guards.code_paid_by


def _claim(order: Order) -> Claim | None:
    application = catalog.book().applications.get(order.voice_application)
    if application is None:
        return None
    if order.kind == "hosted":
        internal = application.internal_account_id
        return None if internal is None else Claim(internal, order.number_a.digits, order.holder)
    found = reception.account_named(order.login, application)
    return None if found is None else Claim(int(found["id"]), order.number_a.digits)


@db.transaction
def _ask(claim: Claim, order: Order, language: str, at: datetime, *, again: bool) -> Asked | Refusal:
    """Have A called; a call that goes on, or a code that can still be typed, is not asked for twice by one who presses twice."""
    query.hold("SELECT id FROM account WHERE id = ?", claim.account_id)
    known = proof.asked(claim, at)
    if known is not None and (not again or _goes_on(known)):
        return Asked(known, is_new=False)
    source = guard.source_network(order.requested_from)
    of_account = [] if order.kind == "hosted" else [tally.Ask(f"code of account {claim.account_id}", OF_ACCOUNT)]
    limits = [tally.Ask(f"code to {claim.digits}", OF_NUMBER), tally.Ask(f"code from {source}", OF_SOURCE), *of_account]
    if tally.take(limits, WINDOW, at):
        return Refusal(Reason.CODES_TOO_OFTEN, "A")
    application = catalog.book().applications[order.voice_application]
    account_id = _payer_id(claim, application)
    numbers = (order.number_a, None)
    path, source = order.voice_application, order.requested_from
    facts = facts_of(account_id, path, catalog.likely_node_id(), numbers, 0, at, source)
    verdict = authorize_alone(facts)
    if isinstance(verdict, Refusal):
        return verdict
    wanted = replace(order, kind="code", number_b=None, idempotency_key=f"code.{secrets.token_hex(16)}")
    callback_id = reception.write_callback(account_id, wanted, at)
    query.change(
        "INSERT INTO phone_proof (callback_id, account_id, digits, holder, language, asked_at) VALUES (?, ?, ?, ?, ?, ?)",
        callback_id,
        claim.account_id,
        claim.digits,
        claim.holder,
        language,
        micros(at),
    )
    return Asked(callback_id, is_new=True)


def _payer_id(claim: Claim, application: Application) -> int:
    """Whose call it is: the internal account's where the operator pays, the account's where it does."""
    is_operators = application.guards.code_paid_by == "internal account"
    internal = application.internal_account_id if is_operators else None
    return claim.account_id if internal is None else int(internal)


def _goes_on(callback_id: str) -> bool:
    return query.row("SELECT id FROM callback WHERE id = ? AND state <> 'ended'", callback_id) is not None
