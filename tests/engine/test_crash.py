"""kill -9 in virtual time: the engine that starts again carries on who talks, ends what was being set up, and charges exactly."""

import json
from dataclasses import replace
from itertools import pairwise

import pytest

from tests.billing import rows
from tests.billing.rows import NUMBER_A, NUMBER_B
from tests.engine.test_exchange import assert_over
from tests.engine.world import World
from webcb import models
from webcb.engine import recovery
from webcb.engine.causes import Ending
from webcb.sip.events import Address

A, B = NUMBER_A.digits, NUMBER_B.digits
PHONE = Address("127.0.0.1", 5060)


@pytest.fixture
def phones(world: World) -> tuple:
    return world.phone(A, "A"), world.phone(B, "B")


def ladder(world: World, *methods: str) -> list[str]:
    """What was sent to the phones of these methods."""
    return [line for line in world.ladder if "->" in line and line.split()[-1] in methods]


def test_two_that_talk_go_on_and_are_charged_as_if_nothing_had_been(world: World, phones: tuple) -> None:
    callback_id = world.place()
    world.pass_seconds(20.4)
    ports = {leg.name: leg.rtp_port for leg in world.legs(callback_id).values()}
    world.crash()
    world.pass_seconds(2.2)
    world.engine()
    world.pass_seconds(1)
    assert {name: voice.port.rtp_port for name, voice in world.voices(callback_id).items()} == ports
    voices = world.voices(callback_id)
    assert voices["A"].joined_to is voices["B"].port
    assert world.row(callback_id).state == "talking"
    assert ladder(world, "BYE", "CANCEL") == []
    world.pass_seconds(6.4)
    world.request(phones[1], "BYE")
    assert ladder(world, "BYE") == ["30.0 A -> BYE"]
    assert_over(world, callback_id, Ending.B_HUNG_UP, {"A": 26, "B": 22})


def test_what_was_noted_of_the_voice_is_kept(world: World, phones: tuple) -> None:
    """The ports of the next engine measure anew; what the first one had noted stays before it."""
    callback_id = world.place()
    world.pass_seconds(20)
    noted = "[[1795694400000000,5,[440,null]]]"
    models.Leg.update(scores=noted).where(models.Leg.callback == callback_id).execute()
    world.crash()
    world.engine()
    models.Leg.update(scores=None).where(models.Leg.callback == callback_id).execute()
    world.pass_seconds(11)
    assert [leg.scores for leg in world.legs(callback_id).values()] == [noted, noted]  # as they talk
    models.Leg.update(scores=None).where(models.Leg.callback == callback_id).execute()
    world.request(phones[1], "BYE")
    assert [leg.scores for leg in world.legs(callback_id).values()] == [noted, noted]


def test_the_deadline_of_the_money_stands(world: World, phones: tuple) -> None:
    callback_id = world.place()
    world.pass_seconds(200)
    world.crash()
    world.pass_seconds(1)
    world.engine()
    world.pass_seconds(55.5)
    assert ladder(world, "BYE") == ["256.0 A -> BYE", "256.0 B -> BYE"]
    assert_over(world, callback_id, Ending.TIME_IS_OUT, {"A": 252, "B": 248})
    assert models.Wallet.get_by_id(world.house.account.wallet_id).balance_micros == 0


def test_a_deadline_that_passed_meanwhile_is_not_exceeded(world: World, phones: tuple) -> None:
    callback_id = world.place()
    world.pass_seconds(250)
    world.crash()
    world.pass_seconds(10)
    world.engine()
    assert ladder(world, "BYE") == ["260.0 A -> BYE", "260.0 B -> BYE"]
    assert_over(world, callback_id, Ending.TIME_IS_OUT, {"A": 252, "B": 248})
    assert models.Wallet.get_by_id(world.house.account.wallet_id).balance_micros == 0


def test_slices_are_renewed_by_the_next_engine(world: World, phones: tuple) -> None:
    callback_id = world.place()
    world.pass_seconds(30)
    first = world.row(callback_id).deadline_at
    world.crash()
    world.engine()
    world.pass_seconds(60)
    assert world.row(callback_id).deadline_at > first
    world.request(phones[0], "BYE")
    assert_over(world, callback_id, Ending.A_HUNG_UP, {"A": 86, "B": 82})


def test_crashes_in_a_row_use_no_number_twice(world: World, phones: tuple) -> None:
    callback_id = world.place()
    world.pass_seconds(10)
    seen: list[int] = []
    for _ in range(4):
        world.crash()
        world.pass_seconds(0.5)
        world.engine()
        world.pass_seconds(0.5)
        line, session = world.exchange._running[callback_id].sessions["A"]
        dialog = line._agent._sessions[session].conversation.dialog
        assert dialog is not None
        seen.append(dialog.local_cseq)
    assert all(later > earlier for earlier, later in pairwise(seen))
    world.request(phones[1], "BYE")
    assert phones[0].cseqs[-1] > seen[-1]
    assert_over(world, callback_id, Ending.B_HUNG_UP, {"A": 10, "B": 6})


def test_who_hung_up_meanwhile_is_found_by_asking_and_pays_until_the_crash(world: World, phones: tuple) -> None:
    callback_id = world.place()
    world.pass_seconds(20)
    world.crash()
    phones[1].up = False  # its BYE came while nobody listened
    world.pass_seconds(10)
    world.engine()
    world.pass_seconds(0)
    assert ladder(world, "BYE")[0].endswith("BYE")
    assert_over(world, callback_id, Ending.PEER_LOST, {"A": 16, "B": 12})


def test_who_hung_up_before_crashes_in_a_row_pays_until_the_first(world: World, phones: tuple) -> None:
    """His BYE was taken a moment before; nobody who took over lived long enough to find out, nor is their life a proof of his."""
    callback_id = world.place()
    world.pass_seconds(20.4)
    phones[1].is_gone, phones[1].up = True, False
    for _ in range(3):
        world.crash()
        world.pass_seconds(0.5)
        world.engine()
        world.pass_seconds(6)
    world.pass_seconds(60)
    assert_over(world, callback_id, Ending.PEER_LOST, {"A": 16, "B": 12})


def test_who_was_there_after_a_crash_pays_until_the_next(world: World, phones: tuple) -> None:
    callback_id = world.place()
    world.pass_seconds(20.4)
    world.crash()
    world.pass_seconds(0.5)
    world.engine()
    world.pass_seconds(9.1)
    assert json.loads(world.row(callback_id).terms)["proven"] == {}
    world.crash()
    phones[1].is_gone, phones[1].up = True, False
    world.pass_seconds(0.5)
    world.engine()
    world.pass_seconds(60)
    assert_over(world, callback_id, Ending.PEER_LOST, {"A": 26, "B": 22})


def test_after_a_long_absence_the_call_is_ended_and_charged_to_the_last_sign_of_life(
    world: World, phones: tuple
) -> None:
    callback_id = world.place()
    world.pass_seconds(20.4)
    world.crash()
    world.pass_seconds(300)
    world.engine()
    assert [line.split()[1] for line in ladder(world, "BYE")] == ["A", "B"]
    assert_over(world, callback_id, Ending.ENGINE_STOPPED, {"A": 16, "B": 12})


def test_a_port_that_is_taken_ends_the_call(world: World, phones: tuple) -> None:
    callback_id = world.place()
    world.pass_seconds(20)
    models.Leg.update(rtp_port=1, voice="{}").where(models.Leg.name == "B").execute()
    world.crash()
    world.engine()
    world.pass_seconds(1.5)
    assert_over(world, callback_id, Ending.ENGINE_STOPPED, {"A": 16, "B": 12})


def test_a_phone_that_rings_is_cancelled(world: World, phones: tuple) -> None:
    callback_id = world.place()
    world.pass_seconds(2.5)
    world.crash()
    world.pass_seconds(0.5)
    world.engine()
    world.pass_seconds(0)
    said = ["3.0 A -> CANCEL", "3.0 A <- 200 CANCEL", "3.0 A <- 487 INVITE", "3.0 A -> ACK"]
    assert [line for line in world.ladder if line.startswith("3.0")] == said
    assert_over(world, callback_id, Ending.ENGINE_STOPPED, {"A": 0})


def test_b_that_rings_is_cancelled_and_a_is_hung_up(world: World, phones: tuple) -> None:
    callback_id = world.place()
    world.pass_seconds(6.5)
    world.crash()
    world.pass_seconds(0.5)
    world.engine()
    world.pass_seconds(1)
    assert sorted(ladder(world, "BYE", "CANCEL")) == ["7.0 A -> BYE", "7.0 B -> CANCEL"]
    assert_over(world, callback_id, Ending.ENGINE_STOPPED, {"A": 2, "B": 0})
    assert world.xdrs(callback_id)["B"].connect_time is None


def test_a_200_that_comes_after_the_crash_is_acknowledged_and_ended(world: World, phones: tuple) -> None:
    phones[0].obeys_cancel = False
    callback_id = world.place()
    world.pass_seconds(2.5)
    world.crash()
    world.pass_seconds(0.5)
    world.engine()
    world.pass_seconds(1.1)
    assert "4.0 A <- 200 INVITE" in world.ladder
    assert ladder(world, "CANCEL", "ACK", "BYE") == ["3.0 A -> CANCEL", "4.0 A -> ACK", "4.0 A -> BYE"]
    assert_over(world, callback_id, Ending.ENGINE_STOPPED, {"A": 0})


def test_an_answer_whose_row_was_not_written_is_not_acknowledged_and_ended_by_the_next_engine(
    world: World, phones: tuple
) -> None:
    """It says its 200 again until an ACK comes: to the engine that starts again, which knows its INVITE."""
    callback_id = world.place()
    world.pass_seconds(3.9)
    world.journal.is_away = True
    world.pass_seconds(0.2)
    assert "4.0 A <- 200 INVITE" in world.ladder
    assert ladder(world, "ACK") == []
    world.crash()
    world.pass_seconds(0.4)
    world.engine()
    phone = phones[0]
    world.respond(phone, phone.invites[0], 200, PHONE, world.sdp(phone))
    assert ladder(world, "ACK", "BYE")[-2:] == ["4.5 A -> ACK", "4.5 A -> BYE"]
    assert_over(world, callback_id, Ending.ENGINE_STOPPED, {"A": 0})


def test_nothing_leaves_before_its_row_is_written(world: World, phones: tuple) -> None:
    world.journal.is_away = False
    begun = world.exchange.begin

    def begin_in_a_stall(plan: object) -> None:
        world.journal.is_away = True
        begun(plan)  # type: ignore[arg-type]

    world.exchange.begin = begin_in_a_stall  # type: ignore[method-assign, assignment]
    callback_id = world.place()
    world.pass_seconds(1)
    assert ladder(world, "INVITE") == []
    assert world.legs(callback_id)["A"].invite is None
    world.journal.is_away = False
    world.journal.go_on()
    world.pass_seconds(0)
    assert ladder(world, "INVITE") == ["1.0 A -> INVITE"]
    assert world.legs(callback_id)["A"].invite


def test_a_second_crash_during_recovery_changes_nothing(
    world: World, phones: tuple, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the BYEs and the settlement: the next one sends them again and settles once, up to the first crash."""
    callback_id = world.place()
    world.pass_seconds(6.5)
    world.crash()
    world.pass_seconds(3)
    with monkeypatch.context() as broken:
        broken.setattr(recovery, "settle", lambda *_: None)
        world.engine()
    assert [line.split()[1] for line in ladder(world, "BYE", "CANCEL")] == ["A", "B"]
    assert world.row(callback_id).state != "ended"
    world.crash()
    world.pass_seconds(3)
    world.engine()
    world.pass_seconds(1)
    assert_over(world, callback_id, Ending.ENGINE_STOPPED, {"A": 2, "B": 0})


def test_who_talked_ended_by_hanging_up_whatever_was_committed_last(world: World, phones: tuple) -> None:
    """The engine dies after each transaction of the end in turn: the bill says why they ended, or that nobody is there any more."""
    endings = []
    for committed in range(4):
        callback_id = world.place(f"{committed}")
        world.pass_seconds(10)
        assert world.row(callback_id).state == "talking"
        world.journal.jobs_left = committed
        world.request(phones[1], "BYE")
        world.crash()
        world.pass_seconds(0.3)
        world.engine()
        world.pass_seconds(1)
        endings.append(world.row(callback_id).ending)
    assert endings == [Ending.PEER_LOST, *[Ending.B_HUNG_UP] * 3]


def test_a_row_that_cannot_be_read_ends_its_own_call_alone(world: World) -> None:
    rows.no_limits()
    other = replace(NUMBER_A, digits=f"{NUMBER_A.digits[:-1]}9"), replace(NUMBER_B, digits=f"{NUMBER_B.digits[:-1]}9")
    broken, whole = world.place("broken"), world.place("whole", number_a=other[0], number_b=other[1])
    world.pass_seconds(10)
    models.Leg.update(dialog="{}").where((models.Leg.callback == broken) & (models.Leg.name == "B")).execute()
    world.crash()
    world.pass_seconds(0.3)
    world.engine()
    world.pass_seconds(1)
    assert world.row(broken).ending == Ending.ENGINE_STOPPED
    assert world.row(whole).state == "talking"


def test_a_callback_of_which_no_invite_left_ends_without_an_xdr(world: World) -> None:
    world.names.known.clear()
    models.Connection.update(host="carrier.example").execute()
    callback_id = world.place()
    world.crash()
    world.engine()
    world.pass_seconds(0)
    assert_over(world, callback_id, Ending.ENGINE_STOPPED, {})
