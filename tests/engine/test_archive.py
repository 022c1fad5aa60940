"""When a callback's messages are written and forgotten; in virtual time, its database a real one."""

import pytest

from tests.billing.rows import NOON, NUMBER_A, NUMBER_B
from tests.engine.world import World
from webcb.engine import archive
from webcb.models import Message

A, B = NUMBER_A.digits, NUMBER_B.digits


def rungs() -> list[str]:
    """The kept messages, as the ladder of the world tells them."""
    told = []
    for each in Message.select().order_by(Message.position):
        words = each.text.split()
        method = each.text.partition("CSeq:")[2].split()[1]
        said = words[0] if words[0] != "SIP/2.0" else words[1] if each.sent else f"{words[1]} {method}"
        told.append(f"{(each.at - NOON).total_seconds():.1f} {each.leg} {'->' if each.sent else '<-'} {said}")
    return told


def test_what_is_kept_is_what_was_said(world: World) -> None:
    world.phone(A, "A")
    b = world.phone(B, "B")
    world.place()
    world.pass_seconds(10)
    assert rungs() == []  # nothing on the way of a call
    world.request(b, "BYE")
    world.pass_seconds(40)
    assert rungs() == world.ladder
    assert {each.octets for each in Message.select()} >= {len(each.text) for each in Message.select()}


def test_the_last_answer_is_waited_for(world: World) -> None:
    a, b = world.phone(A, "A", answers_bye=False), world.phone(B, "B")
    callback_id = world.place()
    world.pass_seconds(10)
    world.request(b, "BYE")
    world.pass_seconds(20)
    assert world.row(callback_id).state == "ended"
    assert rungs() == []  # our BYE to A is sent again and again
    world.pass_seconds(20)
    assert rungs() == world.ladder
    assert rungs().count("10.0 A -> BYE") == 1
    assert len([each for each in rungs() if "A -> BYE" in each]) > 5
    a.up = False


def test_every_attempt_at_a_leg_is_kept(world: World) -> None:
    world.phone(A, "A", script=[(0.0, 100), (1.0, 486)])
    world.place()
    world.pass_seconds(40)
    assert [each.split(" ", 1)[1] for each in rungs()] == [
        "A -> INVITE",
        "A <- 100 INVITE",
        "A <- 486 INVITE",
        "A -> ACK",
    ]
    assert world.line._notes == world.line._traced == {}


def test_each_callback_has_its_own(world: World) -> None:
    world.phone(A, "A", script=[(0.0, 100), (1.0, 486)])
    first = world.place("one")
    world.pass_seconds(2)
    second = world.place("two")
    world.pass_seconds(40)
    for callback_id in (first, second):
        assert Message.select().where(Message.callback == callback_id).count() == 4


def test_many_messages_are_written_in_pieces(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MESSAGES_PER_INSERT", 3)
    world.phone(A, "A")
    b = world.phone(B, "B")
    world.place()
    world.pass_seconds(10)
    world.request(b, "BYE")
    world.pass_seconds(40)
    assert rungs() == world.ladder
