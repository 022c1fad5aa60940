"""The asks door: who asks for callbacks too often or has too many going on, who guesses passwords (domain 9).

What the limits are is the voice application's (guard.py), how often somebody asked is in rows (tally.py).
"""

from datetime import datetime, timedelta

from webcb import db
from webcb.billing import guard, query, tally
from webcb.billing.authorization import Reason, Refusal
from webcb.billing.guard import OPERATOR, Guards

ASKS_WINDOW = timedelta(minutes=1)
TRIES_WINDOW = timedelta(minutes=15)
TRIES_OF_ACCOUNT_AND_SOURCE, TRIES_OF_ACCOUNT, TRIES_OF_SOURCE = 5, 50, 30
PINS_OF_PHONE, PINS_OF_SOURCE = 9, 30  # in the same window; in one call there are three (domain 7)


def _tries(login: str, source: str) -> list[tally.Ask]:
    network = guard.source_network(source)
    return [
        tally.Ask(f"try {network} {login}", TRIES_OF_ACCOUNT_AND_SOURCE),
        tally.Ask(f"try of {login}", TRIES_OF_ACCOUNT),
        tally.Ask(f"try from {network}", TRIES_OF_SOURCE),
    ]


def may_try(login: str, source: str, at: datetime) -> bool:
    """Whether a password for this account ID, of an account or of none, is looked at; else it is too often wrong of late."""
    return not tally.full(_tries(login, source), TRIES_WINDOW, at)


@db.transaction
def note_wrong_try(login: str, source: str, at: datetime) -> None:
    """Count a password that was wrong, or an ID that does not exist."""
    tally.take(_tries(login, source), TRIES_WINDOW, at)


def _pins(digits_a: str, source: str) -> list[tally.Ask]:
    return [
        tally.Ask(f"pin of {digits_a}", PINS_OF_PHONE),
        tally.Ask(f"pin from {guard.source_network(source)}", PINS_OF_SOURCE),
    ]


def may_try_pin(digits_a: str, source: str, at: datetime) -> bool:
    """Whether a PIN pressed on the phone of A, which somebody at `source` has had called, is looked at; by all calls of late."""
    return source == OPERATOR or not tally.full(_pins(digits_a, source), TRIES_WINDOW, at)


@db.transaction
def note_wrong_pin(digits_a: str, source: str, at: datetime) -> None:
    """Count a PIN that was none."""
    if source != OPERATOR:
        tally.take(_pins(digits_a, source), TRIES_WINDOW, at)


@db.transaction
def note_refusal(path: str, refusal: Refusal, source: str, at: datetime) -> None:
    """Count a refusal; of an operator's own asks none is counted."""
    if source != OPERATOR:
        application = query.row("SELECT id FROM voice_application WHERE path = ?", path)
        tally.note_refusal(refusal.reason, application["id"] if application else None, at)


def is_barred_source(kind: str, guards: Guards, source: str) -> bool:
    """Whether a callback of this kind may not be asked for from there: of kinds without a password networks can be named."""
    return kind in guard.UNPROVEN and source != OPERATOR and not guard.is_from_allowed(guards, source)


def refusal_of_asks(
    path: str, guards: Guards, account_id: int | None, digits: tuple[str, str], source: str, at: datetime
) -> Refusal | None:
    """Count an ask for a callback to A and B (E.164 digits, B and account unknown in a hosted one); who asks too often is refused.

    In the transaction that places the callback: the rows are held to its end, and those who ask at once stand in line.
    """
    if source == OPERATOR:
        return None
    number_a, number_b = digits
    limits = (
        ("", guards.asks_per_minute, guards.concurrent_max),
        (f"account {account_id}", guards.asks_per_minute_account if account_id is not None else None, None),
        (f"a {number_a}", guards.asks_per_minute_a, guards.concurrent_per_a),
        *_of_b(guards, number_b),
        (f"from {guard.source_network(source)}", guards.asks_per_minute_source, guards.concurrent_per_source),
    )
    asks = [tally.Ask(f"ask {path} {of}", most) for of, most, at_once in limits if most or at_once]
    return Refusal(Reason.TOO_OFTEN) if tally.take(asks, ASKS_WINDOW, at) else None


def _of_b(guards: Guards, number_b: str) -> tuple[tuple[str, int | None, int | None], ...]:
    """Subjects of B, with how often and how many at a time; none where it is not known, or the operator's own."""
    if not number_b:
        return ()
    return (
        (f"b {number_b}", guards.asks_per_minute_b, guards.concurrent_per_b),
        (f"b {guard.block(number_b)}*", guards.asks_per_minute_block, guards.concurrent_per_block),
    )


def refusal_of_b(path: str, guards: Guards, number_b: str, source: str, at: datetime) -> Refusal | None:
    """Count an ask for a B that A has chosen by keys, as `refusal_of_asks` counts those of a page."""
    if source == OPERATOR:
        return None
    asks = [tally.Ask(f"ask {path} {of}", most) for of, most, at_once in _of_b(guards, number_b) if most or at_once]
    if tally.take(asks, ASKS_WINDOW, at):
        return Refusal(Reason.TOO_OFTEN)
    return _refusal_of_open_b(guards, number_b)


def _refusal_of_open_b(guards: Guards, number_b: str) -> Refusal | None:
    """Too many callbacks that go on, to this B or to the numbers around it."""
    if not number_b or (guards.concurrent_per_b is None and guards.concurrent_per_block is None):
        return None
    block = guard.block(number_b)
    to_b, to_block = query.values(_OPEN_B, number_b, f"{block}000", f"{block}999")
    if guards.concurrent_per_b is not None and to_b >= guards.concurrent_per_b:
        return Refusal(Reason.TOO_MANY_TO_NUMBER, "B")
    is_full = guards.concurrent_per_block is not None and to_block >= guards.concurrent_per_block
    return Refusal(Reason.SERVICE_FULL) if is_full else None


_OPEN_B = """
    SELECT COALESCE(SUM(CASE WHEN cld = ? THEN 1 ELSE 0 END), 0), COUNT(*)
      FROM leg JOIN callback ON callback.id = leg.callback_id
     WHERE leg.name = 'B' AND leg.state <> 'ended' AND leg.cld BETWEEN ? AND ? AND callback.state <> 'ended'
"""

_OPEN = """
    SELECT (SELECT COUNT(*) FROM callback WHERE voice_application_id = application.id AND state <> 'ended') AS here,
           (SELECT COUNT(*) FROM leg JOIN callback ON callback.id = leg.callback_id
             WHERE leg.name = 'A' AND leg.state <> 'ended' AND leg.cld = ? AND callback.state <> 'ended') AS to_a,
           (SELECT COUNT(*) FROM callback WHERE requested_from = ? AND state <> 'ended') AS from_source
      FROM voice_application AS application WHERE path = ?
"""


def refusal_of_open(path: str, guards: Guards, digits: tuple[str, str], source: str) -> Refusal | None:
    """Too many callbacks that go on: of the voice application, to this A or B, or from this source. After `refusal_of_asks`."""
    if source == OPERATOR:
        return None
    number_a, number_b = digits
    open_now = query.rows(_OPEN, number_a, source, path)[0]
    if guards.concurrent_per_a is not None and open_now["to_a"] >= guards.concurrent_per_a:
        return Refusal(Reason.TOO_MANY_TO_NUMBER, "A")
    refusal = _refusal_of_open_b(guards, number_b)
    if refusal is not None:
        return refusal
    is_full = any(
        most is not None and open_now[of] >= most
        for of, most in (("here", guards.concurrent_max), ("from_source", guards.concurrent_per_source))
    )
    return Refusal(Reason.SERVICE_FULL) if is_full else None
