"""Looks at the rows where many are in progress, in virtual time: each request is claimed when it rings, and all the others are not
read again at each."""

from itertools import pairwise

import pytest

from tests.billing.rows import NUMBER_A, NUMBER_B, no_limits
from tests.engine.world import World
from webcb import models
from webcb.billing import ledger, reception
from webcb.engine import lookout, recovery
from webcb.engine.causes import Ending
from webcb.engine.lookout import WHOLE_GAP_SECONDS

GAP_SECONDS = 0.09
CALLBACKS = 5  # that an engine of this world takes at once


@pytest.fixture
def whole_looks(world: World, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When a look at all in progress was made."""
    world.phone(NUMBER_A.digits, "A")
    world.phone(NUMBER_B.digits, "B")
    no_limits()
    ledger.post(
        world.house.account.wallet_id,
        world.house.account.id,
        "payment",
        100_000_000,
        "enough",
        "test",
        "",
        world.utc_now(),
    )
    world.pass_seconds(5.5)
    looked: list[float] = []
    watch = recovery.watch

    def watched(*about: object) -> recovery.Watched:
        looked.append(world.time.now)
        return watch(*about)  # type: ignore[arg-type]

    monkeypatch.setattr(recovery, "watch", watched)
    monkeypatch.setattr(lookout, "MANY", 1)
    return looked


def test_each_is_claimed_when_it_rings_and_all_are_looked_at_a_few_times_a_second(
    world: World, whole_looks: list[float]
) -> None:
    claimed = []
    for number in range(CALLBACKS):
        world.place(f"place {number}")
        world.pass_seconds(0)
        claimed.append(models.Callback.select().where(models.Callback.state != "requested").count())
        world.pass_seconds(GAP_SECONDS)
    assert claimed == list(range(1, CALLBACKS + 1))
    assert all(later - earlier >= WHOLE_GAP_SECONDS - 1e-6 for earlier, later in pairwise(whole_looks))
    assert len(whole_looks) >= CALLBACKS * GAP_SECONDS / WHOLE_GAP_SECONDS - 1  # nor less often


def test_a_release_is_heard_at_once_and_a_block_a_moment_later(world: World, whole_looks: list[float]) -> None:
    released, blocked = world.place("released"), world.place("blocked")
    world.pass_seconds(6)
    world.place("one more")
    world.pass_seconds(GAP_SECONDS)
    assert reception.ask_release(released, "user", world.utc_now())
    models.Account.update(blocked=True).execute()
    looked = len(whole_looks)
    world.lookout.look()
    world.pass_seconds(0)
    assert len(whole_looks) == looked
    assert (world.row(released).ending, world.row(blocked).ending) == (Ending.USER_RELEASED, None)
    world.pass_seconds(WHOLE_GAP_SECONDS)
    assert world.row(blocked).ending == Ending.ACCOUNT_BLOCKED
