"""Where a carrier sends a call on to, and when it is left alone, in virtual time: only the number that was rated is called."""

import pytest

from tests.billing.rows import NUMBER_A
from tests.engine.test_exchange import assert_over
from tests.engine.world import World
from webcb import models
from webcb.engine.causes import Ending

A = NUMBER_A.digits


def test_who_is_called_may_be_busy_for_long_and_the_connection_is_not(world: World) -> None:
    a = world.phone(A, "A")
    a.script, a.headers = [(0.0, 486)], {"Retry-After": "300"}
    world.place("one")
    world.pass_seconds(0)
    a.script = [(0.0, 100)]
    world.place("two")
    assert len(a.invites) == 2


@pytest.mark.parametrize(
    ("contact", "asked"),
    [
        (f"<sip:{A}@127.0.0.9:5077>", ["127.0.0.1", "127.0.0.9:5077"]),
        ("<sip:19005551234@127.0.0.9>", ["127.0.0.1"]),  # another number: nobody has rated it
        (f"<sip:{A}@127.0.0.1:5060>", ["127.0.0.1"]),
        ("<tel:+1>", ["127.0.0.1"]),
    ],
)
def test_a_redirection_is_followed_to_the_same_number_only(world: World, contact: str, asked: list[str]) -> None:
    a = world.phone(A, "A")
    models.Connection.update(capacity=1).execute()
    a.script, a.headers = [(0.0, 302)], {"Contact": contact}
    callback_id = world.place()
    world.pass_seconds(0)
    assert [invite.uri.rpartition("@")[2] for invite in a.invites] == asked
    assert_over(world, callback_id, Ending.A_UNREACHABLE, {"A": 0})
