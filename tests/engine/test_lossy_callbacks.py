"""Five hundred callbacks, a thousand legs, over a network that loses a fifth of everything both ways: ended right, money exact.

The engine is the real one with its rows; the carrier's phones repeat, time out and give up as the RFC has it. What a leg
must cost is told by what crossed our end of the wire alone: the first 200 that came, the first BYE either way.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.billing import rows as house_rows
from tests.engine.world import US, World
from tests.sip.phone import Carrier, Plan
from webcb import db, models
from webcb.engine.causes import Ending
from webcb.sip.events import Address
from webcb.sip.message import Request, read_message
from webcb.sip.offer_answer import Codec, make_offer

CALLBACKS = 500
PEER = Address("127.0.0.1", 5060)
SDP = make_offer("127.0.0.1", 9, (Codec("PCMU", 0, 8000),), 9, 1)  # where nobody listens
OPENING_MICROS = 900_000
PRICE_MICROS = 10_000  # a second of either leg

SPEAKS = Plan(ring=0.5, final=4)
# What A and B do, when somebody asks on the page to end it, and how it may end.
KINDS: tuple[tuple[Plan, Plan, float | None, set[str]], ...] = (
    (SPEAKS, Plan(final=5, hang_up=12), None, {Ending.B_HUNG_UP}),
    (Plan(final=3, hang_up=30), SPEAKS, None, {Ending.A_HUNG_UP}),
    (SPEAKS, SPEAKS, None, {Ending.TIME_IS_OUT}),  # 0.90 pay 90 s of legs
    (Plan(final=2, status=486), SPEAKS, None, {Ending.A_BUSY}),
    (SPEAKS, Plan(final=2, status=486), None, {Ending.B_BUSY}),
    (SPEAKS, Plan(ring=0.1, final=0.3, status=603), None, {Ending.B_REFUSED}),
    (Plan(final=None), SPEAKS, None, {Ending.A_NO_ANSWER}),
    (SPEAKS, SPEAKS, 6.0, {Ending.USER_RELEASED}),
    (SPEAKS, SPEAKS, 15.0, {Ending.USER_RELEASED}),
    (Plan(ring=0.2, final=6), SPEAKS, 6.02, {Ending.USER_RELEASED}),  # CANCEL meets 200
)
# Where every repetition of a message is lost, or comes too late, another end is right as well.
ALSO = {Ending.A_UNREACHABLE, Ending.B_UNREACHABLE, Ending.A_HUNG_UP, Ending.B_HUNG_UP}


@dataclass
class Seen:
    """One leg as it crossed our end of the wire: seconds of virtual time."""

    answered: float | None = None
    ended: float | None = None
    statuses: list[int] = field(default_factory=list)


class LossyWorld(World):
    """An engine before a carrier whose datagrams, and ours to it, are lost, doubled and delayed as one seed draws."""

    callbacks_max = 1000

    def __init__(self, seed: int, plans: dict[str, Plan], loss: float) -> None:
        self.draw = random.Random(seed)
        self.loss = loss
        self.carrier = Carrier(plans, seed, US, SDP)
        self.seen: dict[str, Seen] = {}  # by Call-ID
        self.of: dict[str, str] = {}  # Call-IDs by number
        super().__init__(balance="0.90", first=1, following=1, price="0.60")

    def _to_phone(self, data: bytes, address: Address) -> None:
        message = read_message(data)
        if isinstance(message, Request):
            if message.method == "INVITE":
                self.of.setdefault(message.uri.removeprefix("sip:").partition("@")[0], message.call_id)
            elif message.method == "BYE":
                self._note_end(message.call_id)
        self._throw(self._at_carrier, data)

    def _at_carrier(self, data: bytes) -> None:
        self.carrier.receive(data, US, self.time.now)
        self._carry()

    def _carry(self) -> None:
        layer = self.carrier.layer
        outbox, layer.outbox = layer.outbox, []
        for data, _ in outbox:
            self._throw(self._at_us, data)
        due = layer.timers.next_deadline()
        if due is not None:
            self.time.call_at(due, self._fire)

    def _fire(self) -> None:
        due = self.carrier.layer.timers.next_deadline()
        if due is not None and due <= self.time.now:
            self.carrier.layer.timers.fire(self.time.now)
            self._carry()

    def _at_us(self, data: bytes) -> None:
        message = read_message(data)
        seen = self.seen.setdefault(message.call_id, Seen())
        if isinstance(message, Request):
            if message.method == "BYE" and seen.answered is not None:
                self._note_end(message.call_id)
        elif message.cseq_method == "INVITE" and message.status >= 200:
            seen.statuses.append(message.status)
            if message.status == 200 and seen.answered is None:
                seen.answered = self.time.now
        self.line.receive(data, PEER)
        self.line.flush()

    def _note_end(self, call_id: str) -> None:
        seen = self.seen.setdefault(call_id, Seen())
        seen.ended = self.time.now if seen.ended is None else seen.ended

    def _throw(self, arrive: Any, data: bytes) -> None:
        for _ in range(2 if self.draw.random() < 0.1 else 1):
            if self.draw.random() >= self.loss:
                self.time.call_at(self.time.now + self.draw.uniform(0.001, 0.08), arrive, data)

    def expected_micros(self, number: str, deadline: float | None) -> int:
        """What a leg costs by what was seen of it: from the first 200 to the first BYE, whole seconds, never past the deadline."""
        seen = self.seen.get(self.of.get(number, ""), Seen())
        if seen.answered is None or seen.ended is None:
            return 0
        ended = seen.ended if deadline is None else min(seen.ended, deadline)
        micros = round((ended - seen.answered) * 1_000_000)
        return -(-micros // 1_000_000) * PRICE_MICROS


@pytest.mark.sqlite_alone
@pytest.mark.parametrize(("seed", "loss"), [(21, 0.2)])
def test_callbacks_over_a_network_that_loses(database: str, seed: int, loss: float) -> None:
    db.database.execute_sql("PRAGMA synchronous = OFF")  # what a power cut would lose is not asked here
    plans: dict[str, Plan] = {}
    numbers = []
    for index in range(CALLBACKS):
        a, b = f"55119998{index:05}", f"1206555{2000 + index}"
        plans[a], plans[b] = KINDS[index % len(KINDS)][:2]
        numbers.append((a, b))
    world = LossyWorld(seed, plans, loss)
    house_rows.no_limits(ring_seconds_a=25, ring_seconds_b=40)
    placed: dict[int, tuple[str, models.Account]] = {}

    def place(index: int) -> None:
        account = house_rows.account(world.house.customer, world.house.product, f"cb2{index:04}", "0.90")
        a, b = (house_rows.number(f"+{digits}") for digits in numbers[index])
        placed[index] = world.place(f"key {index}", login=account.login, number_a=a, number_b=b), account
        release_after = KINDS[index % len(KINDS)][2]
        if release_after is not None:
            world.time.call_at(world.time.now + release_after, release, placed[index][0])

    def release(callback_id: str) -> None:
        models.Callback.update(release_asked_at=world.utc_now(), release_asked_by="user").where(
            models.Callback.id == callback_id
        ).execute()
        world.lookout.look()

    begin = world.time.now
    for index in range(CALLBACKS):
        world.time.pass_until(begin + index * 0.5)
        place(index)
    world.pass_seconds(200)
    assert world.exchange.is_idle

    endings = Counter()
    for index, (callback_id, account) in placed.items():
        row, xdrs = world.row(callback_id), world.xdrs(callback_id)
        endings[row.ending] += 1
        assert row.state == "ended"
        assert row.ending in KINDS[index % len(KINDS)][3] | ALSO, (index, row.ending)
        deadline = None
        if row.deadline_at is not None:
            deadline = (row.deadline_at - house_rows.NOON).total_seconds() + world.begun_at
        total = 0
        for leg, number in zip("AB", numbers[index], strict=True):
            expected = world.expected_micros(number, deadline)
            charged = xdrs[leg].charged_micros if leg in xdrs else 0
            assert charged == expected, (index, leg, row.ending)
            assert leg not in xdrs or xdrs[leg].charged_micros == xdrs[leg].used_quantity * PRICE_MICROS
            total += charged
        wallet = models.Wallet.get_by_id(account.wallet_id)
        assert (wallet.balance_micros, wallet.locked_micros) == (OPENING_MICROS - total, 0)
        assert total <= OPENING_MICROS
    rare = sum(count for ending, count in endings.items() if ending in (Ending.A_UNREACHABLE, Ending.B_UNREACHABLE))
    assert rare <= CALLBACKS // 20, endings
    assert world.carrier.unanswered_byes == 0
    assert all(phone.state in ("over", "new", "ringing") for phone in world.carrier.phones.values())
    world.close()
