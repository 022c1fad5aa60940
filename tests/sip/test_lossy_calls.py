"""A thousand calls over a network that loses a fifth of everything both ways: each ends as it should, and nothing is left."""

import random
from collections import defaultdict

import pytest

from tests.sip.phone import Plan, World
from tests.sip.wire import OFFER, PEER
from webcb.sip.events import Answered, Closed, Failed, HungUp
from webcb.sip.useragent import Call

CALLS = 1000
# Kind of call: what the phone does, when we hang up (seconds after the start, or after the answer), the ways it may end.
KINDS = {
    "peer hangs up": (Plan(final=4, hang_up=20), None, {"answered, hung up"}),
    "we hang up": (Plan(final=4), ("answer", 15), {"answered"}),
    "busy": (Plan(final=2, status=486), None, {"failed 486"}),
    "refused": (Plan(ring=0.1, final=0.3, status=603), None, {"failed 603"}),
    "rings out": (Plan(final=None), ("start", 25), {"failed 487"}),
    "at once": (Plan(final=30), ("start", 0), {"failed 487"}),
    "cancel meets answer": (Plan(final=6), ("start", 6.01), {"failed 487", "answered"}),
    "bye meets bye": (Plan(final=2, hang_up=10), ("answer", 10.01), {"answered, hung up", "answered"}),
    "silence": (Plan(ring=1000, final=None), ("start", 10), {"failed 487"}),
}


def story(events: list) -> str:
    """How a session was told to its owner, in one line; a wrong order fails."""
    assert isinstance(events[-1], Closed)
    endings = [event for event in events if isinstance(event, Answered | Failed)]
    assert len(endings) == 1
    assert sum(isinstance(event, Closed) for event in events) == 1
    if isinstance(endings[0], Failed):
        assert events[-2:] == [endings[0], events[-1]]
        return f"failed {endings[0].cause.status}"
    return "answered, hung up" if any(isinstance(event, HungUp) for event in events) else "answered"


@pytest.mark.parametrize(("seed", "loss", "double"), [(11, 0.0, 0.0), (12, 0.2, 0.1)])
def test_a_thousand_calls(seed, loss, double):
    kinds = list(KINDS)
    plans = {str(number): KINDS[kinds[number % len(kinds)]][0] for number in range(CALLS)}
    world = World(plans, seed, loss, double, delay=0.08)
    told = defaultdict(list)
    sessions = {}
    starts = random.Random(seed)

    def start(number: int) -> None:
        call = Call(f"sip:{number}@carrier.example", PEER, "sip:1@webcb.example", offer=OFFER)
        session = world.us.invite(call, world.now)
        sessions[session] = number
        hang_up = KINDS[kinds[number % len(kinds)]][1]
        if hang_up and hang_up[0] == "start":
            world.at(world.now + hang_up[1], lambda: world.us.hang_up(session, world.now))

    def hear(event, now: float) -> None:
        told[event.session].append(event)
        hang_up = KINDS[kinds[sessions[event.session] % len(kinds)]][1]
        if isinstance(event, Answered) and hang_up and hang_up[0] == "answer":
            world.at(now + hang_up[1], lambda: world.us.hang_up(event.session, world.now))

    world.on_event = hear
    for number in range(CALLS):
        world.at(starts.uniform(0, 60), lambda number=number: start(number))
    world.run()

    assert len(told) == CALLS
    for session, number in sessions.items():
        kind = kinds[number % len(kinds)]
        assert story(told[session]) in KINDS[kind][2], (kind, told[session])
        phone = world.carrier.phones[world.carrier.numbers[str(number)]]
        if kind != "silence":
            assert phone.state == "over", kind
        assert not phone.gave_up, kind  # its 200 met an ACK, or at least a BYE
        if any(isinstance(event, Answered) for event in told[session]):
            assert phone.was_up
    assert world.carrier.unanswered_byes == 0
    assert world.us.next_deadline() is None
    assert len(world.us._layer) == 0
    assert not world.us._sessions
    assert not world.us._by_dialog


def test_runs_of_one_seed_are_alike():
    def run() -> list:
        world = World({"1": Plan(final=3, hang_up=5)}, seed=5, loss=0.3, double=0.2)
        world.at(0.0, lambda: world.us.invite(Call("sip:1@x", PEER, "sip:2@y"), world.now))
        world.run()
        return world.told

    assert run() == run()
