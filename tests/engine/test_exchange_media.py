"""What the legs of a callback are offered, in virtual time: codecs of the other leg, keys as the connection wants them."""

import pytest

from tests.billing.rows import NUMBER_A, NUMBER_B
from tests.engine.world import PCMA, World
from webcb import models
from webcb.engine.causes import Ending
from webcb.sip.offer_answer import read_offer


@pytest.fixture
def phones(world: World) -> tuple:
    return world.phone(NUMBER_A.digits, "A"), world.phone(NUMBER_B.digits, "B")


def test_b_is_offered_first_what_a_answered_then_the_law_that_can_be_recoded(world: World, phones: tuple) -> None:
    phones[0].codecs = (PCMA,)
    world.place()
    world.pass_seconds(5)
    assert [codec.name for codec in read_offer(phones[1].invites[0].body).codecs] == ["PCMA", "PCMU"]  # and no digits


@pytest.mark.parametrize(
    ("srtp", "profile", "keys"), [("none", "AVP", 0), ("optional", "AVP", 4), ("required", "SAVP", 4)]
)
def test_srtp_as_the_connection_has_it(world: World, phones: tuple, srtp: str, profile: str, keys: int) -> None:
    """The phones answer without keys: that is good enough where SRTP is not required, and else costs nothing."""
    models.Connection.update(srtp=srtp).execute()
    callback_id = world.place()
    world.pass_seconds(5)
    body = phones[0].invites[0].body
    assert f"RTP/{profile} ".encode() in body
    assert body.count(b"a=crypto:") == keys
    assert bool(phones[1].invites) == (srtp != "required")
    if srtp == "required":
        assert [attempt.status for attempt in models.Attempt.select()] == [488]
        assert world.row(callback_id).ending == Ending.A_REFUSED
        assert world.xdrs(callback_id)["A"].charged_micros == 0
