"""The door of hosted callbacks: leg A alone on the internal account, its log-in, and each destination (domain 7).

A hosted callback begins with leg A on the internal account. At the log-in its account becomes the user's: lock, prices and limits go
over in one transaction. Every destination is authorized jointly with what A has already run.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from webcb import db
from webcb.billing import asks, catalog, cost, credentials, ledger, limit, never, query, slices
from webcb.billing.authorization import (
    Application,
    Facts,
    Reason,
    Refusal,
    SoleAuthorization,
    authorize,
    authorize_alone,
)
from webcb.billing.facts import facts_of
from webcb.billing.pricing import Pricing
from webcb.billing.query import Row, micros
from webcb.billing.reception import LegNumbers, account_named, shown_ani, translated_id
from webcb.billing.route_choices import choices
from webcb.billing.routing import RouteChoice
from webcb.billing.slices import UNLIMITED_MICROS, Alone, Waiting
from webcb.billing.trusted import account_of_number
from webcb.number import Kind, Number, NumberError, parse_number

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Trigger:
    """What a voice application wants of the voice on leg A; `ani` is the account ID that the number of A names, "" none.

    `code` is what it says alone, "" none; the languages begin with that of the page that asked for it.
    """

    kind: str
    languages: tuple[str, ...]
    prompts_folder: str
    confirm_by_key: bool
    ani: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """What leg A is charged by from now on, and what is set aside for it: see reception.Begun."""

    pricing_a: Pricing
    pricing_a_if_b_fails: Pricing | None
    funds_micros: int
    slice_seconds: int | None
    beyond_balance: bool


@dataclass(frozen=True, slots=True)
class BegunAlone:
    """Everything the engine needs to call A."""

    terms: Terms
    routes_a: tuple[RouteChoice, ...]
    ring_seconds_a: int
    talk_seconds_max: int
    leg_a: LegNumbers


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The account that leg A is on now: what there is to spend, and its language."""

    terms: Terms
    balance_micros: int
    currency: str
    language: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """A destination that may be called, for so long; `funds_micros` is set aside for the callback in all, `spare_micros` is there
    besides."""

    talk_seconds: int
    pricing_b: Pricing
    routes_b: tuple[RouteChoice, ...]
    ring_seconds_b: int
    leg_b: LegNumbers
    funds_micros: int
    spare_micros: int


_TRIGGER = """
    SELECT callback.kind, callback.account_id, callback.node_id, callback.state, requested_from,
           path, languages, prompts_folder, confirm_by_key,
           use_account_id_as_ani, account_id_rule, ring_seconds_a, ring_seconds_b, talk_seconds_max, default_country,
           account.login, account.wallet_id, leg.cli AS cli_a, leg.cld AS cld_a, phone_proof.language AS code_language
      FROM callback
      JOIN voice_application ON voice_application.id = callback.voice_application_id
      JOIN account ON account.id = callback.account_id
      JOIN leg ON leg.callback_id = callback.id AND leg.name = 'A'
      LEFT JOIN phone_proof ON phone_proof.callback_id = callback.id
     WHERE callback.id = ?
"""


def trigger(callback_id: str) -> Trigger:
    """The settings of a callback's trigger. LookupError: there is no such callback."""
    found = _found(callback_id)
    languages = tuple(found["languages"].split(","))
    wanted = found["code_language"]
    return Trigger(
        found["kind"],
        (wanted, *(each for each in languages if each != wanted)) if wanted in languages else languages,
        found["prompts_folder"],
        bool(found["confirm_by_key"]),
        _ani(found) if found["kind"] == "hosted" else "",
        credentials.spoken_code(callback_id) if found["kind"] == "code" else "",
    )


def _ani(found: Row) -> str:
    """The account that the number of A names: the one that trusts it, else the one whose ID the trigger makes of it, if any."""
    trusting = account_of_number(found["cld_a"])
    if trusting is not None or not found["use_account_id_as_ani"]:
        return trusting or ""
    application = catalog.book().applications.get(found["path"])
    return found["cld_a"] if application is None else translated_id(found["cld_a"], application)


def _found(callback_id: str) -> Row:
    found = query.row(_TRIGGER, callback_id)
    if found is None:
        raise LookupError(f"there is no callback {callback_id}")
    return found


@db.transaction
def begin(callback_id: str, at: datetime) -> BegunAlone | Refusal:
    """Authorize leg A of a claimed callback that has no B yet, or never one, and set aside what its first minute costs."""
    found = _found(callback_id)
    query.hold("SELECT id FROM wallet WHERE id = ?", found["wallet_id"])
    verdict = authorize_alone(_facts(found, _number_a(found), 0, at))
    if isinstance(verdict, Refusal):
        return verdict
    if found["kind"] == "code":
        verdict = replace(verdict, pricing_a_if_b_fails=None)  # there is no B that could have failed
    terms = _terms(verdict, 0, at, found["talk_seconds_max"])
    if isinstance(terms, Refusal):
        return terms
    locked_micros = _locked(terms)
    if not ledger.lock_funds(callback_id, found["wallet_id"], locked_micros, at, beyond_balance=terms.beyond_balance):
        return Refusal(Reason.NO_FUNDS)
    _freeze_a(callback_id, verdict)
    routes = choices(route.connection for route in verdict.routes_a)
    leg_a = LegNumbers(found["cli_a"], found["cld_a"])
    return BegunAlone(terms, routes, found["ring_seconds_a"], found["talk_seconds_max"], leg_a)


@db.transaction
def log_in(callback_id: str, typed: str, ran_us: int, at: datetime, *, by_ani: bool = False) -> LoggedIn | Refusal:
    """Put leg A, which has run `ran_us`, on the account of this ID: its lock and its prices go over with it.

    The account pays for all of A, from its answer on, with the tariff's fee for a log-in. Refused: everything stays as it was.
    What was typed and is none is counted, over all calls of the phone; `by_ani`: the number of A says it, and nobody tries.
    """
    found = _found(callback_id)
    verdict = _log_in(found, callback_id, typed, ran_us, at, by_ani=by_ani)
    # A number that names no account is asked for a PIN: nothing was refused.
    if not by_ani or not isinstance(verdict, Refusal) or verdict.reason is not Reason.WRONG_CREDENTIALS:
        _count(found, verdict, at)
    return verdict


def _count(found: Row, verdict: object, at: datetime) -> None:
    """Count a refusal, as those of the pages are."""
    if isinstance(verdict, Refusal) and found["state"] != "ended":
        asks.note_refusal(found["path"], verdict, found["requested_from"], at)


def _log_in(found: Row, callback_id: str, typed: str, ran_us: int, at: datetime, *, by_ani: bool) -> LoggedIn | Refusal:
    held = query.row("SELECT wallet_id, amount_micros FROM lock WHERE callback_id = ? AND state = 'held'", callback_id)
    if held is None or found["state"] == "ended":
        return Refusal(Reason.APPLICATION_CLOSED)
    if not by_ani and not asks.may_try_pin(found["cld_a"], found["requested_from"], at):
        return Refusal(Reason.TOO_MANY_TRIES, "A")
    application = catalog.book().applications.get(found["path"])
    named = None if application is None else _named(typed, application)
    if named is None or named["id"] == found["account_id"]:  # the internal account is nobody's to log in to
        if not by_ani:
            asks.note_wrong_pin(found["cld_a"], found["requested_from"], at)
        return Refusal(Reason.WRONG_CREDENTIALS)
    for wallet_id in sorted(
        {held["wallet_id"], named["wallet_id"]}
    ):  # always in this order: two never wait for each other
        query.hold("SELECT id FROM wallet WHERE id = ?", wallet_id)
    open_callbacks = query.values(_OPEN, named["id"])[0]
    facts = _facts({**found, "account_id": named["id"]}, _number_a(found), open_callbacks, at, but=callback_id)
    if held["wallet_id"] == named["wallet_id"]:
        facts = facts._replace(available_micros=facts.available_micros + held["amount_micros"])
    verdict = authorize_alone(facts)
    if isinstance(verdict, Refusal):
        return verdict
    terms = _terms(_with_login(verdict), ran_us, at, found["talk_seconds_max"])
    if isinstance(terms, Refusal):
        return terms
    locked_micros = _locked(terms)
    query.change(
        "UPDATE wallet SET locked_micros = locked_micros - ? WHERE id = ?", held["amount_micros"], held["wallet_id"]
    )
    query.change("UPDATE wallet SET locked_micros = locked_micros + ? WHERE id = ?", locked_micros, named["wallet_id"])
    query.change(
        "UPDATE lock SET wallet_id = ?, amount_micros = ?, locked_at = ? WHERE callback_id = ?",
        named["wallet_id"],
        locked_micros,
        micros(at),
        callback_id,
    )
    query.change("UPDATE callback SET account_id = ?, logged_in = ? WHERE id = ?", named["id"], True, callback_id)
    _freeze_a(callback_id, verdict)
    return LoggedIn(terms, facts.available_micros, facts.currency, named["language"])


_OPEN = "SELECT COUNT(*) FROM callback WHERE account_id = ? AND state <> 'ended'"


def _named(typed: str, application: Application) -> Row | None:
    account = account_named(typed, application)
    if account is None:
        return None
    return query.row("SELECT id, login, wallet_id, language FROM account WHERE id = ?", account["id"])


@db.transaction
def choose(
    callback_id: str, typed: str, pricings_of_a: tuple[Pricing, ...], ran_us: int, at: datetime
) -> Chosen | Refusal:
    """Authorize a destination typed by keys jointly with leg A, which is charged by `pricings_of_a` and has run `ran_us`."""
    found = _found(callback_id)
    verdict = _choose(found, callback_id, typed, pricings_of_a, ran_us, at)
    _count(found, verdict, at)
    return verdict


def _choose(
    found: Row, callback_id: str, typed: str, pricings_of_a: tuple[Pricing, ...], ran_us: int, at: datetime
) -> Chosen | Refusal:
    if found["state"] == "ended":
        return Refusal(Reason.APPLICATION_CLOSED)
    query.hold("SELECT id FROM wallet WHERE id = ?", found["wallet_id"])
    number_b = _typed_number(typed, found["default_country"])
    if number_b is None:
        return Refusal(Reason.BAD_NUMBER)
    application = catalog.book().applications.get(found["path"])
    if application is not None:
        source = found["requested_from"]
        refusal = asks.refusal_of_b(found["path"], application.guards, number_b.digits, source, at)
        if refusal is not None:
            return refusal
    lock = query.row("SELECT amount_micros FROM lock WHERE callback_id = ? AND state = 'held'", callback_id)
    held_micros = 0 if lock is None else int(lock["amount_micros"])
    facts = _facts(found, _number_a(found), 0, at, number_b, but=callback_id)
    facts = facts._replace(available_micros=facts.available_micros + held_micros)
    verdict = authorize(facts)
    if isinstance(verdict, Refusal):
        return verdict
    protection, beyond_balance = verdict.protection, verdict.beyond_balance
    pricing_b = verdict.pricing_b.answered(at)
    is_unlimited = protection.kind == "none" and not beyond_balance
    most_micros = UNLIMITED_MICROS if is_unlimited else facts.usable_micros
    talk_seconds = limit.joint_limit(pricings_of_a[0], pricing_b, ran_us, most_micros, found["talk_seconds_max"])
    if talk_seconds < 1:
        return Refusal(Reason.NO_FUNDS)
    leg_b = LegNumbers(_cli_b(found), number_b.digits)
    query.change(
        "INSERT INTO leg (callback_id, name, cli, cld, pricing, vendor_pricings) VALUES (?, 'B', ?, ?, ?, ?)",
        callback_id,
        leg_b.cli,
        leg_b.cld,
        verdict.pricing_b.as_json(),
        cost.frozen(verdict.routes_b),
    )
    held = ledger.Held(UNLIMITED_MICROS, 0)
    if not is_unlimited:
        seconds = min(protection.slice_seconds, found["talk_seconds_max"]) if protection.kind != "whole balance" else 1
        need = Waiting(pricings_of_a, pricing_b, ran_us, seconds)
        held = ledger.hold(callback_id, need, at, beyond_balance=beyond_balance)
    routes = choices(route.connection for route in verdict.routes_b)
    return Chosen(talk_seconds, verdict.pricing_b, routes, found["ring_seconds_b"], leg_b, *held)


@db.transaction
def never_call(callback_id: str, at: datetime) -> None:
    """Remember that the number of leg A is never to be called again; once is enough."""
    never.remember(_found(callback_id)["cld_a"], at)


# Under the door ----------------------------------------------------------------------------------------------------------


def _number_a(found: Row) -> Number:
    return Number(found["cld_a"], "", Kind.ORDINARY)  # judged when it was typed


def _typed_number(typed: str, default_country: str) -> Number | None:
    """With its country code, as the prompt asks for; else as it is dialled in the trigger's country."""
    for text in (f"+{typed}", typed):
        try:
            return parse_number(text, default_country)
        except NumberError:
            continue
    return None


def _cli_b(found: Row) -> str:
    return (shown_ani(found["login"]) if found["use_account_id_as_ani"] else "") or str(found["cld_a"])


def _facts(
    found: Row, number_a: Number, open_callbacks: int, at: datetime, number_b: Number | None = None, *, but: str = ""
) -> Facts:
    account_id, path, source, numbers = (
        found["account_id"],
        found["path"],
        found["requested_from"],
        (number_a, number_b),
    )
    return facts_of(account_id, path, found["node_id"], numbers, open_callbacks, at, source, held=True, but=but)


def _with_login(verdict: SoleAuthorization) -> SoleAuthorization:
    fails = verdict.pricing_a_if_b_fails
    return replace(verdict, pricing_a=verdict.pricing_a.with_login(), pricing_a_if_b_fails=fails and fails.with_login())


def _terms(verdict: SoleAuthorization, ran_us: int, at: datetime, talk_seconds_max: int) -> Terms | Refusal:
    """What is set aside for A alone: a slice beyond what it has run, all that is available, or nothing (domain 4)."""
    kind, beyond_balance = verdict.charge_a.protection.kind, verdict.beyond_balance
    if kind == "none" and not beyond_balance:
        return Terms(verdict.pricing_a, verdict.pricing_a_if_b_fails, UNLIMITED_MICROS, None, False)
    answered_at = at - ran_us * _MICROSECOND
    pricings = tuple(pricing.answered(answered_at) for pricing in verdict.pricings_of_a)
    seconds = min(verdict.charge_a.protection.slice_seconds, talk_seconds_max)
    need = Alone(pricings, ran_us, seconds)
    if need.funds(1) > verdict.available_micros:
        return Refusal(Reason.NO_FUNDS, "A", need.funds(1), verdict.currency)
    if kind == "whole balance":
        return Terms(verdict.pricing_a, verdict.pricing_a_if_b_fails, verdict.available_micros, None, False)
    funds_micros = slices.fitting(need, verdict.available_micros)
    return Terms(verdict.pricing_a, verdict.pricing_a_if_b_fails, funds_micros, seconds, beyond_balance)


def _locked(terms: Terms) -> int:
    return 0 if terms.funds_micros >= UNLIMITED_MICROS else terms.funds_micros


def _freeze_a(callback_id: str, verdict: SoleAuthorization) -> None:
    """The prices of A on its leg; its vendor's stay what they were when it was called."""
    fails = verdict.pricing_a_if_b_fails
    query.change(
        "UPDATE leg SET pricing = ?, pricing_if_b_fails = ?, vendor_pricings = COALESCE(vendor_pricings, ?)"
        " WHERE callback_id = ? AND name = 'A'",
        verdict.pricing_a.as_json(),
        fails and fails.as_json(),
        cost.frozen(verdict.routes_a),
        callback_id,
    )
