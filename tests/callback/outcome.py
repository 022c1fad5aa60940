"""What a callback that ended must have left behind: its ending, its xDRs to the micro, books that balance, and a silent wire."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from peewee import fn

from tests.callback.installation import Installation
from webcb.models import Account, Callback, Ledger, Leg, Lock, Xdr

END_SECONDS_MAX = 15
QUIET_SECONDS = 0.2  # ten packets of voice
WIRE_TOLERANCE_SECONDS = 0.15  # between the kernel's stamp and the engine's clock, on noisy cores


# What is said to a leg, as `said` puts it, by what becomes of it.
HUNG_UP = ["INVITE", "200 INVITE", "ACK", "BYE", "200 BYE"]
CANCELLED = ["INVITE", "CANCEL", "200 CANCEL", "487 INVITE", "ACK"]
ANSWERED_TOO_LATE = ["INVITE", "CANCEL", "200 CANCEL", "200 INVITE", "ACK", "BYE", "200 BYE"]

# Q.850
UNALLOCATED, NORMAL, BUSY, NO_RESPONSE, NO_ANSWER, REJECTED, TEMPORARY_FAILURE = 1, 16, 17, 18, 19, 21, 41
TIMER_EXPIRED = 102


def refused(status: int) -> list[str]:
    """What is said to a leg that gets this status for its INVITE."""
    return ["INVITE", f"{status} INVITE", "ACK"]


@dataclass(frozen=True)
class Billed:
    """What the xDR of a leg must say: its price by the seconds used, whether it was answered, its Q.850 cause."""

    charge: Callable[[int], int]
    answered: bool
    cause: int


def assert_ended(
    webcb: Installation, callback_id: str, ending: str, xdrs: dict[str, Billed], a_by: str = "A", b_at: str = "B"
) -> None:
    """The callback ends so, with exactly these xDRs; then no leg is up, no lock is left and the books balance.

    `a_by` is the carrier that carried leg A, `b_at` that at whose phone leg B was, in the end.
    """
    row = webcb.wait_for_state(callback_id, "ended", END_SECONDS_MAX)
    assert row.ending == ending, webcb.ladder()
    found = {xdr.leg: xdr for xdr in Xdr.select().where(Xdr.callback == callback_id)}
    assert found.keys() == xdrs.keys()
    for name, billed in xdrs.items():
        carrier, phone = (a_by, a_by) if name == "A" else (name, b_at)
        _assert_billed(webcb, found[name], billed, carrier, phone)
    assert_no_leg_is_up(webcb, row)
    assert_books_balance(webcb)


def used_on_wire(webcb: Installation, carrier: str) -> float:
    """Seconds from the 200 of the INVITE to the first BYE of either side, as they passed on the wire."""
    # The row may have ended before a loaded host has carried the BYE through a proxy.
    webcb.wire.wait(lambda: any(each.name == "BYE" for each in webcb.messages(carrier)), 5, "a BYE is seen")
    messages = webcb.messages(carrier)
    answered_at = next(each.at for each in messages if (each.name, each.method) == ("200", "INVITE"))
    return next(each.at for each in messages if each.name == "BYE") - answered_at


def said(webcb: Installation, carrier: str) -> list[str]:
    """A leg in short, without provisional answers and retransmissions: `INVITE`, `200 INVITE`, `ACK`, ..."""
    once = {each.text: each for each in webcb.messages(carrier)}.values()
    return [
        each.name if each.name.isalpha() else f"{each.name} {each.method}"
        for each in once
        if not each.name.startswith("1")
    ]


def _assert_billed(webcb: Installation, xdr: Xdr, billed: Billed, carrier: str, phone: str) -> None:
    assert (xdr.connect_time is not None) == billed.answered, xdr.leg
    assert xdr.disconnect_cause == billed.cause, xdr.leg
    assert xdr.connection.name == f"Carrier {carrier}"
    if billed.answered:
        on_wire = used_on_wire(webcb, phone)
        least, most = (max(1, ceil(on_wire + by)) for by in (-WIRE_TOLERANCE_SECONDS, WIRE_TOLERANCE_SECONDS))
        assert least <= xdr.used_quantity <= most, f"leg {xdr.leg}: {on_wire:.3f} s on the wire"
    else:
        assert xdr.used_quantity == 0
    assert xdr.charged_micros == billed.charge(xdr.used_quantity), f"leg {xdr.leg}: {xdr.used_quantity} s"
    booked = [row.amount_micros for row in Ledger.select().where(Ledger.xdr == xdr.id, Ledger.vendor.is_null())]
    assert booked == ([-xdr.charged_micros] if xdr.charged_micros else [])


def assert_no_leg_is_up(webcb: Installation, row: Callback) -> None:
    """The rows say so, every phone saw its call end properly, and no voice flows."""
    for leg in Leg.select().where(Leg.callback == row.id, Leg.placed_at.is_null(False)):
        assert leg.state == "ended", leg.name
    for phone in webcb.phones.values():
        phone.finish(END_SECONDS_MAX)
    media = {phone.media_port for phone in webcb.phones.values()}
    webcb.wire.wait_for_silence(media, QUIET_SECONDS, END_SECONDS_MAX)


def assert_books_balance(webcb: Installation) -> None:
    """Balance = sum of the ledger = what was there less every charge; nothing is locked; `webcb check` says the same."""
    assert not Lock.select().where(Lock.state == "held").count()
    wallet = Account.get_by_id(webcb.account_id).wallet
    charged_micros = Xdr.select(fn.COALESCE(fn.SUM(Xdr.charged_micros), 0)).scalar()
    own = (Ledger.wallet == wallet.id) & Ledger.vendor.is_null()  # what the vendor gets stands there too
    booked_micros = Ledger.select(fn.SUM(Ledger.amount_micros)).where(own).scalar()
    assert wallet.balance_micros == booked_micros == webcb.funds_micros - charged_micros
    assert wallet.balance_micros >= 0
    assert wallet.locked_micros == 0
    checked = webcb.run("check", "--only", "books")
    assert checked.returncode == 0, checked.stdout + checked.stderr
