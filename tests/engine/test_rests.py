"""503 with Retry-After: a connection is left alone for as long as it says, and no longer (RFC 3261, 21.5.4)."""

import pytest

from tests.billing import rows
from tests.billing.rows import NUMBER_A
from tests.engine.world import World


@pytest.mark.parametrize(("said", "rests"), [("30", 30), ("100000", 300), ("", 0)])
def test_a_503_rests_its_connection_for_as_long_as_it_says(world: World, said: str, rests: int) -> None:
    rows.no_limits(concurrent_per_account=10, talk_seconds_max=20)
    phone = world.phone(NUMBER_A.digits, "A", script=[(0.0, 503)], headers={"Retry-After": said} if said else {})
    world.place("first")
    assert len(phone.invites) == 1
    if rests:
        world.pass_seconds(rests - 0.1)
        world.place("while it rests")
        assert len(phone.invites) == 1
        world.pass_seconds(0.2)
    world.place("afterwards")
    assert len(phone.invites) == 2
