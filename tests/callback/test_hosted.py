"""A hosted callback led by a real phone's keys: what it hears is compared with the files of the prompts, and what it costs."""

import struct
from array import array
from collections.abc import Sequence
from itertools import pairwise
from math import sqrt
from operator import mul

from rtpbridge import change_rate
from tests.callback.configuration import A, B, charge_a, charge_b, media_port
from tests.callback.installation import Installation
from tests.callback.outcome import assert_no_leg_is_up
from tests.callback.peers import decoded
from tests.callback.voice import PACKET_MS, SAMPLES, Timed
from tests.callback.wire import Rtp
from webcb import clock, db, doorbell
from webcb.billing import books, ledger, reception
from webcb.billing.authorization import Reason, Refusal
from webcb.models import Account, Attempt, Customer, Leg, NeverCall, VoiceApplication, Wallet, Xdr
from webcb.prompts.library import Library

EVENTS = 101  # the phone's payload number of keys
KEYS = "0123456789*#"
KEY_MS, KEY_EVERY_MS = 4 * PACKET_MS, 120
CLOCK_HZ = 8000
PIECE = slice(400, 1200)  # of a prompt: the tenth of a second by which it is known
ALIKE = 0.95
FILTER_SAMPLES = range(10, 13)
PIN = "4711"


def keys(at_ms: int, pressed: str) -> list[Timed]:
    """Packets of keys: when, RTP timestamp, payload. Of the three that say that a key has ended, two are lost (RFC 4733, 2.5.1.4)."""
    packets = []
    for place, key in enumerate(pressed):
        began_ms = at_ms + place * KEY_EVERY_MS
        for number in range(1, 5):
            volume = 0x8A if number == 4 else 0x0A
            payload = struct.pack("!BBH", KEYS.index(key), volume, number * SAMPLES)
            packets.append((began_ms + (number - 1) * PACKET_MS, began_ms * 8, payload))
    return packets


def offer_hosted(webcb: Installation, **changes: object) -> None:
    """An account with the PIN and 5.00, an internal account, and a trigger that offers Hosted in English."""
    alice = Account.get_by_id(webcb.account_id)
    desk = Customer.create(name="Desk", wallet=Wallet.create(currency="USD", credit_limit_micros=10_000_000))
    with db.writing():
        internal = Account.create(
            login="internal",
            customer=desk,
            product=alice.product,
            wallet=desk.wallet,
            type="credit",
            balance_control="subordinate",
        )
        wallet = Wallet.create(currency="USD")
        user = Account.create(login=PIN, customer=alice.customer, product=alice.product, wallet=wallet)
        values = {"kinds": "extended,hosted", "internal_account": internal, "languages": "en"} | changes
        VoiceApplication.update(**values).execute()
    ledger.post(wallet.id, user.id, "opening balance", 5_000_000, f"opening:{PIN}", "test", "", clock.utc_now())


def place_hosted(webcb: Installation) -> str:
    order = reception.Order("-", "", None, A, None, "once", "127.0.0.1", "hosted")
    placed = reception.place(order, clock.utc_now())
    assert isinstance(placed, reception.Placed), placed
    doorbell.ring(webcb.settings.doorbell)
    return placed.callback_id


def heard_by_a(webcb: Installation) -> tuple[list[int], list[int]]:
    """The samples that A received, each where its timestamp puts it, silence where nothing came; and where packets begin."""
    packets = webcb.wire.rtp_to(media_port(webcb.ports, "A"))
    assert {packet.payload_type for packet in packets} == {0}
    return laid_out(packets)


def laid_out(packets: list[Rtp]) -> tuple[list[int], list[int]]:
    """The samples of one stream, each where its timestamp puts it, and where its packets begin."""
    first = packets[0].timestamp
    samples = [0] * ((packets[-1].timestamp - first) % 2**32 + SAMPLES)
    starts = [(packet.timestamp - first) % 2**32 for packet in packets]
    for at, packet in zip(starts, packets, strict=True):
        samples[at : at + SAMPLES] = decoded([packet])
    return samples, starts


def assert_said(library: Library, heard: tuple[list[int], list[int]], said: Sequence[tuple[str, ...]]) -> None:
    """These prompts were heard in this order, those of one row without a pause."""
    samples, starts = heard
    at = 0
    for row in said:
        found = find(samples, [start for start in starts if start >= at], spoken(library, row[0]))
        assert found is not None, f"{row[0]} is not heard after {at / CLOCK_HZ:.1f} s"
        at = found
        for before, name in pairwise(row):
            at += len(spoken(library, before))
            assert max(likeness(samples, at + off, spoken(library, name)) for off in (-1, 0, 1)) > ALIKE, name


def spoken(library: Library, name: str) -> list[int]:
    """A prompt at 8 kHz."""
    recording = library.find("", "en", name)
    assert recording is not None
    return array("h", change_rate(recording.samples, recording.clock_hz, CLOCK_HZ)).tolist()


def likeness(heard: list[int], at: int, prompt: list[int]) -> float:
    """The correlation of a piece of a prompt that begins at a place with what was heard there: 1 is the same, however loud."""
    piece = prompt[PIECE]
    there = heard[at + PIECE.start : at + PIECE.start + len(piece)]
    energy = sum(map(mul, there, there)) * sum(map(mul, piece, piece))
    return sum(map(mul, there, piece)) / sqrt(energy) if energy and len(there) == len(piece) else 0.0


def find(heard: list[int], starts: list[int], prompt: list[int]) -> int | None:
    """Where a prompt begins: with a packet, and late by as much as the bridge's filter."""
    places = (start + late for start in starts for late in FILTER_SAMPLES)
    return next((at for at in places if likeness(heard, at, prompt) > ALIKE), None)


# What is said in one go, as far as A lets it be said. 5.00 at 0.60 a minute and 1.20 by six seconds last about two minutes and a half.
ANNOUNCED = ("you-may-talk", "number-2", "unit-minute-many", "and")
ROWS = [
    ("welcome", "enter-pin"),
    ("balance", "number-5", "unit-dollar-many", "menu"),
    ("destination",),
    ANNOUNCED,
    ("call-ended", "destination"),
    ANNOUNCED,
    ("call-ended", "destination"),
]


def test_log_in_balance_destination_talk_and_a_second_destination(webcb: Installation) -> None:
    library = Library(webcb.settings.data_dir)
    assert library.make("en") == ""
    offer_hosted(webcb)
    number = f"{B.digits}#"
    pressed = [*keys(0, f"{PIN}#"), *keys(5500, "1"), *keys(6800, number), *keys(16_000, number)]
    webcb.phone("A", "speaks", pressed=pressed, payload_type=EVENTS, quiet_ms=1800)
    webcb.phone("B", "hangs_up", calls=2, ring_ms=100, talk_ms=1000)
    callback_id = place_hosted(webcb)
    webcb.wire.wait(lambda: Leg.select().where(Leg.name == "B2").exists(), 40, "two destinations")
    webcb.wire.wait(lambda: Xdr.select().count() == 2, 5, "both charged")
    port_a = media_port(webcb.ports, "A")
    said = len(webcb.wire.rtp_to(port_a)) + 2000 // PACKET_MS
    webcb.wire.wait(lambda: len(webcb.wire.rtp_to(port_a)) > said, 5, "two seconds more")
    webcb.release(callback_id)
    row = webcb.wait_for_state(callback_id, "ended", 10)
    assert row.ending == "user released"
    assert_no_leg_is_up(webcb, row)

    heard, starts = heard_by_a(webcb)
    assert_said(library, (heard, starts), ROWS)
    for name in ("wrong-pin", "busy", "no-funds"):
        assert find(heard, starts, spoken(library, name)) is None, name

    assert (row.account.login, row.logged_in) == (PIN, True)
    bills = {xdr.leg: xdr for xdr in Xdr.select()}
    assert bills.keys() == {"A", "B1", "B2"}
    assert {xdr.account.login for xdr in bills.values()} == {PIN}
    assert bills["A"].charged_micros == charge_a(bills["A"].used_quantity)
    for leg in ("B1", "B2"):
        assert bills[leg].used_quantity in (1, 2)
        assert bills[leg].charged_micros == charge_b(bills[leg].used_quantity)
        assert Attempt.select().join(Leg).where(Leg.name == leg).count() == 1
    assert books.differences() == []


def test_a_key_by_info_alone_ends_it_for_ever(webcb: Installation) -> None:
    """Confirm by key: 9, told by INFO, is remembered. There are no prompts in this installation: it goes on all the same."""
    offer_hosted(webcb, confirm_by_key=True)
    webcb.phone("A", "presses_by_info", key=9)
    callback_id = place_hosted(webcb)
    row = webcb.wait_for_state(callback_id, "ended", 15)
    assert row.ending == "asked never to be called again"
    assert [each.number for each in NeverCall.select()] == [A.digits]
    again = reception.Order("-", "", None, A, None, "again", "127.0.0.1", "hosted")
    assert reception.place(again, clock.utc_now()) == Refusal(Reason.NEVER_CALL, "A")
    (xdr,) = Xdr.select()
    assert (xdr.leg, xdr.account.login) == ("A", "internal")
    assert_no_leg_is_up(webcb, row)
    assert books.differences() == []
