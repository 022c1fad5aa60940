"""What holds of all callbacks of a fleet that have ended, whatever happened to its nodes; said of rows and of the carrier's records."""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import ceil, floor
from typing import Final

from tests.fleet import wire
from tests.fleet.configuration import (
    CALLS_PER_SECOND,
    CAPACITY,
    CONCURRENT_MAX,
    LIMITED,
    MICROS_A_SECOND,
    SPEND_MAX_MICROS,
    THRIFTY,
)
from tests.fleet.ground import Ground
from tests.fleet.wire import Calls
from webcb.billing import books
from webcb.models import Account, Callback, Leg, Lock, Wallet, Xdr

ALONE_SECONDS_MAX: Final = 2.0  # a leg whose peer is gone, where an engine runs it
DEAD_SECONDS_MAX: Final = (
    16.0  # until others have ended the calls of a node that died (neighbours.DEAD_SECONDS, and looks)
)
CLOCKS_SECONDS: Final = 0.4  # between what a switch and an engine saw, on a loaded host
SIGN_OF_LIFE_SECONDS: Final = 3.0  # between two of a node, on a loaded host


def assert_laws(
    ground: Ground,
    died: Mapping[str, Sequence[float]] | None = None,
    taken: frozenset[str] = frozenset(),
    held_seconds: float = 0.0,
) -> Calls:
    """Nobody alone, two answered legs two xDRs, each lock settled once, nobody overdrawn, every limit held, the books clean.

    `died` are the nodes that were killed, and each time when; `taken` those whose callbacks others took over while they went on.
    The carrier may have held messages for `held_seconds`: a leg is charged until its BYE is there.
    """
    calls = ground.calls()
    assert not calls.up(), "somebody is on the line"
    began_on = ground.began_on()
    callbacks = list(Callback.select())
    assert {row.state for row in callbacks} <= {"ended"}
    legs: dict[str, dict[str, Leg]] = {}
    for leg in Leg.select():
        legs.setdefault(leg.callback_id, {})[leg.name] = leg
    xdrs: Counter[tuple[str, str]] = Counter((xdr.callback_id, xdr.leg) for xdr in Xdr.select())
    assert set(xdrs.values()) <= {1}, "a leg was charged twice"
    by_leg = {(xdr.callback_id, xdr.leg): xdr for xdr in Xdr.select()}
    for row in callbacks:
        node = began_on.get(row.id, "")
        _assert_legs(
            calls, row, legs[row.id], by_leg, _death(row, (died or {}).get(node, ())), node in taken, held_seconds
        )
    known = {wire.call_id(leg) for each in legs.values() for leg in each.values() if leg.invite is not None}
    assert calls.by_id.keys() <= known, "somebody was called of whom the rows know nothing"
    _assert_funds()
    _assert_limits(calls, callbacks)
    for name, node in ground.nodes.items():
        if node.process is not None and node.process.poll() is None:
            checked = ground.run(name, "check")
            assert checked.returncode == 0, checked.stdout + checked.stderr
    return calls


def _death(row: Callback, moments: Sequence[float]) -> float | None:
    """When the node of a callback died under it."""
    began, ended = row.claimed_at, row.ended_at.timestamp()
    return next((at for at in moments if began is not None and began.timestamp() <= at <= ended), None)


def _assert_legs(
    calls: Calls,
    row: Callback,
    legs: dict[str, Leg],
    xdrs: dict[tuple[str, str], Xdr],
    died_at: float | None,
    is_taken: bool,
    held_seconds: float,
) -> None:
    story = f"{row.id} {row.ending} {[(each, calls.of(leg)) for each, leg in legs.items()]}"
    at_switch = {name: call for name, leg in legs.items() if (call := calls.of(leg)) is not None}
    assert {name for _, name in xdrs if _ == row.id} == {name for name, leg in legs.items() if leg.placed_at}, story
    ends = [
        call.over_at for call in at_switch.values() if call.acknowledged_at is not None and call.over_at is not None
    ]
    if ends:
        alone_until = min(ends) + ALONE_SECONDS_MAX + held_seconds
        if died_at is not None:
            alone_until = max(alone_until, died_at + DEAD_SECONDS_MAX)
        assert max(ends) <= alone_until, f"alone: {story}"
    for name, call in at_switch.items():
        xdr = xdrs[row.id, name]
        assert xdr.charged_micros == xdr.used_quantity * MICROS_A_SECOND, story
        most = ceil(call.seconds + CLOCKS_SECONDS + held_seconds)
        least = floor(call.seconds - CLOCKS_SECONDS - held_seconds) if died_at is None and not is_taken else 0
        if died_at is not None and call.answered_at is not None and call.heard_at is not None:
            most = max(most, ceil(call.heard_at - call.answered_at + CLOCKS_SECONDS))  # nobody heard its BYE any sooner
        if died_at is not None and call.answered_at is not None and call.answered_at < died_at:
            least = floor(min(call.seconds, died_at - call.answered_at) - SIGN_OF_LIFE_SECONDS)
        assert least <= xdr.used_quantity <= most, f"{name}: {xdr.used_quantity} s: {story}"


def _assert_funds() -> None:
    assert {lock.state for lock in Lock.select()} <= {"settled", "released"}
    for wallet in Wallet.select():
        assert wallet.locked_micros == 0
        assert wallet.balance_micros + wallet.credit_limit_micros >= 0, "overdrawn"
    assert books.differences() == []


def _assert_limits(calls: Calls, callbacks: list[Callback]) -> None:
    assert calls.at_once_max(LIMITED) <= CAPACITY
    assert calls.in_a_second_max(LIMITED) <= CALLS_PER_SECOND
    for account in Account.select():
        spans = [
            (row.requested_at.timestamp(), row.ended_at.timestamp())
            for row in callbacks
            if row.account_id == account.id
        ]
        assert wire.most_at_once(spans) <= CONCURRENT_MAX, account.login
        if account.login == THRIFTY:
            spent = sum(xdr.charged_micros for xdr in Xdr.select().where(Xdr.account == account))
            assert spent <= SPEND_MAX_MICROS
