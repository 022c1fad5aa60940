"""A callback that has ended is gone at once, and leaves no circles for the collector of garbage to find.

That looks at what is old once in some thousand callbacks; until then they would all be in memory, and so much more be in use for good.
"""

import gc
import weakref
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.billing.rows import NUMBER_A, NUMBER_B, no_limits
from tests.engine.world import VirtualTime, World
from webcb.engine.callback import Callback
from webcb.engine.leg import Leg
from webcb.engine.media import Voice
from webcb.engine.runner import COLLECT_SECONDS, collect_every_minute
from webcb.engine.running import Running
from webcb.engine.starts import Ticket
from webcb.engine.trace import Trace
from webcb.sip.session import Session
from webcb.sip.timers import TIMEOUT
from webcb.sip.transaction import ClientTransaction, ServerTransaction

OF_A_CALLBACK = (Running, Callback, Leg, Ticket, Trace, Voice, Session, ClientTransaction, ServerTransaction)
ANSWERS = [(0.0, 100), (1.0, 180), (4.0, 200)]
REFUSES = [(0.0, 100), (1.0, 486)]
SILENT: list[tuple[float, int]] = []
RINGS = [(0.0, 100), (1.0, 180)]


class Circle:
    """As a TLS connection of asyncio's."""

    knows: "Circle"


@pytest.fixture(autouse=True)
def nobody_collects() -> Iterator[None]:
    gc.collect()  # what tests before left
    gc.disable()
    yield
    gc.enable()


def there() -> Counter[str]:
    """How many there are of what a callback has, of those that came since nobody collects."""
    return Counter(type(each).__name__ for each in gc.get_objects(generation=0) if isinstance(each, OF_A_CALLBACK))


WAYS: list[tuple[list[tuple[float, int]], list[tuple[float, int]], str]] = [
    (ANSWERS, ANSWERS, "B hung up"),
    (REFUSES, ANSWERS, "A busy"),
    (RINGS, ANSWERS, "A did not answer"),
    (ANSWERS, REFUSES, "B busy"),
    (ANSWERS, RINGS, "B did not answer"),
    (SILENT, ANSWERS, "A unreachable"),
]


def test_what_knows_itself_for_another_reason_is_gone_within_a_minute() -> None:
    time = VirtualTime()
    collect_every_minute(time)
    for _ in range(2):
        line = Circle()
        line.knows, gone = line, weakref.ref(line)
        del line
        time.pass_until(time.now + COLLECT_SECONDS - 1)
        assert gone() is not None
        time.pass_until(time.now + 1)
        assert gone() is None


def test_nothing_is_left_of_callbacks_that_have_ended(world: World) -> None:
    no_limits()
    a, b = world.phone(NUMBER_A.digits, "A"), world.phone(NUMBER_B.digits, "B")
    before = there()
    for a.script, b.script, ending in WAYS:
        callback_id = world.place(ending)
        assert there()["Running"] == 1
        world.pass_seconds(12)
        if b.up:
            world.request(b, "BYE")
        world.pass_seconds(60)
        assert world.row(callback_id).ending == ending
    world.pass_seconds(2 * TIMEOUT)
    assert there() == before
