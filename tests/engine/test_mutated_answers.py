"""Answers that are nearly right, to live INVITEs of the whole engine: a leg connects, or fails cleanly and costs nothing."""

import random

import pytest

from tests.billing import rows as house_rows
from tests.engine.world import Phone, World
from tests.sip.mutation import mutated
from webcb import models
from webcb.engine.causes import LegName
from webcb.sip.events import Address
from webcb.sip.message import Message, Request
from webcb.sip.offer_answer import Codec
from webcb.sip.timers import TIMEOUT

CALLBACKS = 100
MUTATED_SHARE = 0.6  # of the answers, so that some legs get as far as B
STATUSES = (183, 200, 486)
PRICE_MICROS = 10_000


class MutatingWorld(World):
    """The phones' answers are changed by the rules of tests/sip/mutation.py."""

    draw = random.Random(77)

    def _from_phone(self, phone: Phone, message: Message, what: str) -> None:
        data = message.encode()
        if not isinstance(message, Request) and message.status in STATUSES and self.draw.random() < MUTATED_SHARE:
            data = mutated(self.draw, data, [data])
        self._note(phone, "<-", what)
        self.line.receive(data, Address("127.0.0.1", 5060))
        self.line.flush()
        self.pass_seconds(0)


@pytest.fixture
def mutating(database: str) -> MutatingWorld:
    world = MutatingWorld(balance="5.00", first=1, following=1, price="0.60")
    yield world
    world.close()


def test_a_mutated_answer_connects_or_costs_nothing(mutating: MutatingWorld) -> None:
    world = mutating
    connected: dict[LegName, int] = {"A": 0, "B": 0}
    for index in range(CALLBACKS):
        script = [(0.0, 100), (0.5, 183), (1.0, random.Random(index).choice((200, 200, 486)))]
        for digits, name in ((house_rows.NUMBER_A.digits, "A"), (house_rows.NUMBER_B.digits, "B")):
            world.phone(digits, name, script=script, early_media=True, codecs=(Codec("PCMU", 0, 8000),))
        account = house_rows.account(world.house.customer, world.house.product, f"cb3{index:04}", "0.40")
        callback_id = world.place(f"key {index}", login=account.login)
        row = world.row(callback_id)
        for _ in range(10):
            if row.state != "ended":
                world.pass_seconds(20)  # the money is out before the last of them
                row = world.row(callback_id)
        assert row.state == "ended", index
        total = 0
        for leg, xdr in world.xdrs(callback_id).items():
            answered = world.legs(callback_id)[leg].answered_at is not None
            connected[leg] += answered
            assert bool(xdr.charged_micros) == answered, (index, leg, row.ending)
            assert xdr.charged_micros == xdr.used_quantity * PRICE_MICROS
            total += xdr.charged_micros
        wallet = models.Wallet.get_by_id(account.wallet_id)
        assert (wallet.balance_micros, wallet.locked_micros) == (400_000 - total, 0)
        world.pass_seconds(2 * TIMEOUT)
        assert world.exchange.is_idle, index
        assert world.line.sessions == 0, index
    assert 10 < connected["A"] < CALLBACKS  # both happened
    assert connected["B"]
