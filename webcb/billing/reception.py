"""Reception: the way in for the pages, the command line and the engine. Facts are read here, authorization.py decides.

Passwords are verified before a transaction begins: nobody waits for the database because of somebody's argon2.
"""

import logging
import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, NamedTuple

from webcb import db, translation
from webcb.billing import asks, catalog, credentials, guard, ledger, never, proof, query, slices
from webcb.billing.authorization import (
    Application,
    Authorization,
    Facts,
    Reason,
    Refusal,
    authorize,
    authorize_alone,
    lock_micros,
)
from webcb.billing.facts import OWNER_COLUMNS, OWNER_JOINS, facts_from, facts_of
from webcb.billing.product import LegName
from webcb.billing.query import Row, micros
from webcb.billing.route_choices import choices
from webcb.billing.routing import RouteChoice
from webcb.billing.terms import Terms
from webcb.number import DIGITS_MAX, Kind, Number

log = logging.getLogger(__name__)

ID_SLOT_SECONDS = 225  # 2**24 of them are 119 years
_ID_BYTES_BY_CHANCE = 7


CallbackKind = Literal["simple", "extended", "hosted", "code"]


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody asks for. `voice_application` is its path; password None: the caller has authenticated the account.

    Simple needs no password and its B is the trigger's second number; Hosted has neither account nor B, as A says both by keys.
    `holder` is the visitor who asks for a Hosted one, whose proofs are his alone. A `code` is asked for by code_call.py.
    """

    voice_application: str
    login: str
    password: str | None
    number_a: Number
    number_b: Number | None
    idempotency_key: str
    requested_from: str
    kind: CallbackKind = "extended"
    holder: str = ""

    @property
    def digits_b(self) -> str:
        """E.164 digits of B, "" where it is not known yet."""
        return "" if self.number_b is None else self.number_b.digits


@dataclass(frozen=True, slots=True)
class Placed:
    """The callback of an order; `is_new` is False where an earlier post of the same order made it."""

    callback_id: str
    is_new: bool


class LegNumbers(NamedTuple):
    """Calling and called number of a leg, E.164 digits; cli may be ""."""

    cli: str
    cld: str


class Begun(NamedTuple):
    """Everything the engine needs of a callback that may begin; seconds whole.

    `funds_micros` is what it may cost as yet: `locked_micros`, or no limit. Where `slice_seconds` is a number, more is asked for
    slice by slice (`ledger.hold`), with `beyond_balance` whatever the balance.
    """

    authorization: Authorization
    locked_micros: int
    funds_micros: int
    slice_seconds: int | None
    beyond_balance: bool
    routes_a: tuple[RouteChoice, ...]
    routes_b: tuple[RouteChoice, ...]
    ring_seconds_a: int
    ring_seconds_b: int
    talk_seconds_max: int
    leg_a: LegNumbers
    leg_b: LegNumbers


# Asked by pages and the command line -----------------------------------------------------------------------------------


def quote(order: Order, at: datetime) -> Authorization | Refusal:
    """The prices at `at` and the longest talk, or why not; the checks are those of `place`, but for how often is asked."""
    found = survey(order, at)
    if isinstance(found, Survey):
        return found.authorization
    asks.note_refusal(order.voice_application, found, order.requested_from, at)
    return found


@dataclass(frozen=True, slots=True)
class Survey:
    """A quote with what stands behind it: the funds that would be locked, and the node it is for (None: of no name)."""

    authorization: Authorization
    locked_micros: int
    node_id: int | None


def survey(order: Order, at: datetime) -> Survey | Refusal:
    """A quote for who wants to know why."""
    application = _application(order)
    if application is None or not application.is_open(at):
        return Refusal(Reason.APPLICATION_CLOSED)
    if order.kind == "hosted" or order.kind not in application.kinds.split(","):
        return Refusal(Reason.KIND_CLOSED)  # what a hosted callback costs is said on the phone
    if asks.is_barred_source(order.kind, application.guards, order.requested_from):
        return Refusal(Reason.SOURCE_BARRED)
    order = _with_second_number(order, application)
    authenticated = _authenticate(order, application, at)
    if isinstance(authenticated, Refusal):
        return authenticated
    account_id, _ = authenticated
    if order.number_b is None:
        return Refusal(Reason.APPLICATION_CLOSED)
    with db.reading():
        facts = _facts_of_order(account_id, order, at)
    verdict = authorize(facts)
    if isinstance(verdict, Refusal):
        return verdict
    return Survey(verdict.answered(), lock_micros(verdict), facts.node_id)


def place(order: Order, at: datetime) -> Placed | Refusal:
    """Write the callback for the engine to find. The same account and idempotency key make one callback, however often."""
    placed = _placed(order, at)
    if isinstance(placed, Refusal):
        asks.note_refusal(order.voice_application, placed, order.requested_from, at)
        log.info("refused: %s, asked from %s", placed.reason, order.requested_from or "nowhere")
    return placed


def _placed(order: Order, at: datetime) -> Placed | Refusal:
    application = _application(order)
    if application is None or not application.is_open(at):
        return Refusal(Reason.APPLICATION_CLOSED)
    if order.kind not in application.kinds.split(","):
        return Refusal(Reason.KIND_CLOSED)
    if asks.is_barred_source(order.kind, application.guards, order.requested_from):
        return Refusal(Reason.SOURCE_BARRED)
    order = _with_second_number(order, application)
    authenticated = _authenticate(order, application, at)
    if isinstance(authenticated, Refusal):
        return authenticated
    if order.number_b is None and order.kind != "hosted":
        return Refusal(Reason.APPLICATION_CLOSED)
    return _place(*authenticated, application, order, at)


def placed_before(order: Order) -> str | None:
    """The callback that an earlier post of this order made; authenticates nobody, the idempotency key is the asker's secret."""
    application = _application(order)
    if application is None:
        return None
    if order.kind == "hosted":
        return _made(None, order)
    found = account_named(order.login, application)
    return None if found is None else _made(int(found["id"]), order)


def _made(account_id: int | None, order: Order) -> str | None:
    """The callback of this order. That of a hosted one is the same whoever has logged in by voice since."""
    if order.kind == "hosted":
        sql = "SELECT id FROM callback WHERE idempotency_key = ? AND kind = 'hosted'"
        made = query.row(sql, order.idempotency_key)
    else:
        sql = "SELECT id FROM callback WHERE account_id = ? AND idempotency_key = ?"
        made = query.row(sql, account_id, order.idempotency_key)
    return None if made is None else str(made["id"])


def _application(order: Order) -> Application | None:
    with db.reading():
        return catalog.book().applications.get(order.voice_application)


def _with_second_number(order: Order, application: Application) -> Order:
    """Simple connects with the trigger's second number, whatever was handed in (domain 1)."""
    if order.kind != "simple":
        return order
    second = application.second_number
    # What sort of number this is was judged when the operator wrote it.
    return replace(order, number_b=Number(second, "", Kind.ORDINARY) if second else None)


@db.transaction
def _place(
    account_id: int, stored_password: str, application: Application, order: Order, at: datetime
) -> Placed | Refusal:
    # Holding the account's row, two posts of one order stand in line on PostgreSQL as they do on SQLite.
    unchanged = query.held_row(
        "account", "SELECT id FROM account WHERE id = ? AND service_password = ?", account_id, stored_password
    )
    if unchanged is None:
        return Refusal(Reason.WRONG_CREDENTIALS)
    known = _made(account_id, order)
    if known is not None:
        return Placed(known, is_new=False)
    if never.is_never_called(order.number_a.digits):
        return Refusal(Reason.NEVER_CALL, "A")
    path, guards, source = order.voice_application, application.guards, order.requested_from
    # The number of the trigger's own that Simple connects with is nobody to be guarded.
    digits = (order.number_a.digits, "" if order.kind == "simple" else order.digits_b)
    is_proven = _is_proven(account_id, guards, order, at)
    payer = None if order.kind == "hosted" else account_id  # who pays for hosted ones is not who asks
    # The ask that brings the code is not counted: of the call that says it there are fewer (code_call.py).
    refusal = asks.refusal_of_asks(path, guards, payer, digits, source, at) if is_proven else None
    if refusal is not None:
        return refusal
    facts = _facts_of_order(account_id, order, at)
    verdict = authorize_alone(facts) if order.kind == "hosted" else authorize(facts)
    if isinstance(verdict, Refusal):
        return verdict
    if not is_proven:
        return Refusal(Reason.CODE_NEEDED, "A")
    refusal = asks.refusal_of_open(path, guards, digits, source)
    if refusal is not None:
        return refusal
    return Placed(write_callback(account_id, order, at), is_new=True)


def _is_proven(account_id: int, guards: guard.Guards, order: Order, at: datetime) -> bool:
    """Whether who asks needs no code, or has typed one that was said to A."""
    if order.requested_from == guard.OPERATOR or not guard.needs_proof(guards, order.kind):
        return True
    holder = order.holder if order.kind == "hosted" else ""
    return proof.is_proven(proof.Claim(account_id, order.number_a.digits, holder), guards.proof_days, at)


@db.transaction
def ask_release(callback_id: str, by: Literal["user", "operator"], at: datetime) -> bool:
    """Ask the engine to end a callback; False where it is unknown or has ended. The first who asks is remembered."""
    asked = query.change(
        "UPDATE callback SET release_asked_at = COALESCE(release_asked_at, ?),"
        " release_asked_by = COALESCE(release_asked_by, ?) WHERE id = ? AND state <> 'ended'",
        micros(at),
        by,
        callback_id,
    )
    return asked == 1


def _authenticate(order: Order, application: Application, at: datetime) -> tuple[int, str] | Refusal:
    """The id of the account the order may act for, and the password it was checked against.

    What is wrong is counted by who typed it and for which ID, whether there is such an account or not.
    """
    if order.kind == "hosted":
        found = query.row("SELECT id, service_password FROM account WHERE id = ?", application.internal_account_id)
        if found is None:
            return Refusal(Reason.APPLICATION_CLOSED)
        if not asks.may_try_pin(order.number_a.digits, order.requested_from, at):
            return Refusal(Reason.TOO_MANY_TRIES, "A")  # no PIN would be looked at
        return int(found["id"]), str(found["service_password"])
    is_typed = order.kind == "simple" or order.password is not None
    if is_typed and not asks.may_try(order.login, order.requested_from, at):
        return Refusal(Reason.TOO_MANY_TRIES)
    found = account_named(order.login, application)
    account_id, stored = (None, "") if found is None else (int(found["id"]), str(found["service_password"]))
    is_known = order.kind == "simple" or order.password is None or credentials.is_known(stored, order.password)
    if account_id is not None and is_known:
        return account_id, stored
    with credentials.one_try(order.login):
        if is_typed and not asks.may_try(order.login, order.requested_from, at):
            return Refusal(Reason.TOO_MANY_TRIES)
        is_right = order.password is not None and credentials.verify_password(stored, order.password)
        if account_id is not None and is_right:
            return account_id, stored
        if is_typed:
            asks.note_wrong_try(order.login, order.requested_from, at)
    return Refusal(Reason.WRONG_CREDENTIALS)


def account_named(typed: str, application: Application) -> Row | None:
    """The account of this ID, or else of what the trigger's rule makes of it where it uses the account ID as ANI (domain 6)."""
    sql = "SELECT id, login, service_password FROM account WHERE login = ?"
    found = query.row(sql, typed)
    if found is None and application.use_account_id_as_ani and application.account_id_rule:
        found = query.row(sql, translated_id(typed, application))
    return found


def translated_id(typed: str, application: Application) -> str:
    """What the trigger's account ID translation rule makes of a number or an ID."""
    return translation.translate(translation.parse_rule(application.account_id_rule), typed)


def new_id(at: datetime) -> str:
    """An id for a callback: six hexadecimal digits of the moment, fourteen by chance.

    Those made together stand together in the seven indexes that begin with it: however many there were before, a new one finds its
    pages in memory. Nobody is let in because he knows it.
    """
    return f"{micros(at) // 1_000_000 // ID_SLOT_SECONDS & 0xFFFFFF:06x}{secrets.token_hex(_ID_BYTES_BY_CHANCE)}"


def write_callback(account_id: int, order: Order, at: datetime) -> str:
    """The row of a callback, with those of the legs that are known; everything was judged before. Returns its id."""
    application = query.row(
        "SELECT id, cli, use_account_id_as_ani FROM voice_application WHERE path = ?", order.voice_application
    )
    assert application is not None  # noqa: S101  authorize has refused where there is none
    callback_id = new_id(at)
    query.change(
        "INSERT INTO callback (id, kind, voice_application_id, account_id, idempotency_key, requested_at, requested_from)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        callback_id,
        order.kind,
        application["id"],
        account_id,
        order.idempotency_key,
        micros(at),
        order.requested_from,
    )
    for name, cli, cld in _leg_numbers(application, order):
        query.change("INSERT INTO leg (callback_id, name, cli, cld) VALUES (?, ?, ?, ?)", callback_id, name, cli, cld)
    return callback_id


def _leg_numbers(application: Row, order: Order) -> list[tuple[LegName, str, str]]:
    """Name, calling and called number of the legs (domain 6); of Hosted only A is known."""
    shown = shown_ani(order.login) if application["use_account_id_as_ani"] else ""
    number_a = order.number_a.digits
    if order.number_b is None:
        return [("A", shown or application["cli"], number_a)]
    number_b = order.number_b.digits
    return [("A", shown or application["cli"] or number_b, number_a), ("B", shown or number_a, number_b)]


def shown_ani(login: str) -> str:
    """The account's ID as calling number: its letters dropped."""
    return "".join(each for each in login if each in "0123456789")[:DIGITS_MAX]


# Asked by the engine ---------------------------------------------------------------------------------------------------

_CALLBACK = f"""
    SELECT callback.node_id, requested_from, account.wallet_id, ring_seconds_a, ring_seconds_b, talk_seconds_max,
           voice_application.path, callback.state = 'ended' OR lock.id IS NOT NULL AS begun_before,
           a.cli AS cli_a, a.cld AS cld_a, b.cli AS cli_b, b.cld AS cld_b, {OWNER_COLUMNS}
      FROM callback
      JOIN leg AS a ON a.callback_id = callback.id AND a.name = 'A'
      JOIN leg AS b ON b.callback_id = callback.id AND b.name = 'B'
      JOIN voice_application ON voice_application.id = callback.voice_application_id
      JOIN account ON account.id = callback.account_id
      {OWNER_JOINS}
      LEFT JOIN lock ON lock.callback_id = callback.id
     WHERE callback.id = ?
"""  # noqa: S608


@db.transaction
def begin(callback_id: str, at: datetime) -> Begun | Refusal:
    """Authorize a claimed callback as of now, lock its funds and freeze its prices on its legs; once a callback.

    What is locked is a slice, all that is available, or nothing, as the usage charge says (domain 4). Raises LookupError where
    there is no such callback with both its legs, ValueError where it was begun before or has ended.
    """
    query.hold(ledger.WALLET_OF_CALLBACK, callback_id)
    callback = query.row(_CALLBACK, callback_id)
    if callback is None:
        raise LookupError(f"there is no callback {callback_id} of two legs")
    if callback["begun_before"]:
        raise ValueError(f"callback {callback_id} was begun before")
    leg_a = LegNumbers(callback["cli_a"], callback["cld_a"])
    leg_b = LegNumbers(callback["cli_b"], callback["cld_b"])
    # What sort of numbers these are was judged when they were typed, and they were counted then.
    numbers = Number(leg_a.cld, "", Kind.ORDINARY), Number(leg_b.cld, "", Kind.ORDINARY)
    source = callback["requested_from"]
    verdict = authorize(facts_from(callback, callback["path"], callback["node_id"], numbers, 0, at, source, held=True))
    if isinstance(verdict, Refusal):
        return verdict
    kind, beyond_balance = verdict.protection.kind, verdict.beyond_balance
    locked_micros = lock_micros(verdict)
    wallet_id = callback["wallet_id"]
    if not ledger.lock_funds(callback_id, wallet_id, locked_micros, at, beyond_balance=beyond_balance):
        return Refusal(Reason.NO_FUNDS)
    _freeze(callback_id, verdict.terms)
    return Begun(
        authorization=verdict,
        locked_micros=locked_micros,
        funds_micros=slices.UNLIMITED_MICROS if kind == "none" and not beyond_balance else locked_micros,
        slice_seconds=verdict.protection.slice_seconds if kind == "slices" or beyond_balance else None,
        beyond_balance=beyond_balance,
        routes_a=choices(route.connection for route in verdict.routes_a),
        routes_b=choices(route.connection for route in verdict.routes_b),
        ring_seconds_a=callback["ring_seconds_a"],
        ring_seconds_b=callback["ring_seconds_b"],
        talk_seconds_max=callback["talk_seconds_max"],
        leg_a=leg_a,
        leg_b=leg_b,
    )


_FREEZE = """
    UPDATE leg
       SET pricing = CASE name WHEN 'A' THEN ? ELSE ? END, pricing_if_b_fails = CASE name WHEN 'A' THEN ? END,
           vendor_pricings = CASE name WHEN 'A' THEN ? ELSE ? END
     WHERE callback_id = ? AND name IN ('A', 'B')
"""


def _freeze(callback_id: str, terms: Terms) -> None:
    pricing_a, if_b_fails, vendor_pricings_a = terms.frozen_a
    pricing_b, vendor_pricings_b = terms.frozen_b
    query.change(_FREEZE, pricing_a, pricing_b, if_b_fails, vendor_pricings_a, vendor_pricings_b, callback_id)


# Facts -----------------------------------------------------------------------------------------------------------------

_OPEN_CALLBACKS = "SELECT COUNT(*) FROM callback WHERE account_id = ? AND state <> 'ended' AND kind <> 'code'"


def _facts_of_order(account_id: int, order: Order, at: datetime) -> Facts:
    (open_callbacks,) = query.values(_OPEN_CALLBACKS, account_id)
    numbers = (order.number_a, None if order.kind == "hosted" else order.number_b)
    path, source = order.voice_application, order.requested_from
    return facts_of(account_id, path, catalog.likely_node_id(), numbers, open_callbacks, at, source)
