"""Whole callbacks in virtual time: real user agent, exchange, rows and bridge; the phones are played message by message."""

import pytest

from tests.billing import rows
from tests.billing.rows import NOON, NUMBER_A, NUMBER_B
from tests.engine.world import PCMA, PCMU, World
from webcb import models
from webcb.billing import reception
from webcb.engine.causes import Ending
from webcb.sip.events import Address
from webcb.sip.location import Located, NextHop
from webcb.sip.offer_answer import Codec

A, B = NUMBER_A.digits, NUMBER_B.digits


@pytest.fixture
def phones(world: World) -> tuple:
    return world.phone(A, "A"), world.phone(B, "B")


def assert_over(world: World, callback_id: str, ending: str, charged: dict[str, int]) -> None:
    """Nothing is left of the callback but its bill: seconds used by leg, 10,000 micros each."""
    row = world.row(callback_id)
    assert (row.state, row.ending) == ("ended", ending)
    xdrs = world.xdrs(callback_id)
    assert {leg: xdr.used_quantity for leg, xdr in xdrs.items()} == charged
    assert {leg: xdr.charged_micros for leg, xdr in xdrs.items()} == {leg: s * 10_000 for leg, s in charged.items()}
    assert {leg.state for leg in world.legs(callback_id).values()} == {"ended"}
    assert models.Wallet.get_by_id(world.house.account.wallet_id).locked_micros == 0
    assert {lock.state for lock in models.Lock.select()} <= {"settled", "released"}
    world.pass_seconds(40)
    assert world.exchange.is_idle
    assert not any(phone.up for phone in world.phones.values())


def test_a_callback_from_end_to_end(world: World, phones: tuple) -> None:
    a, b = phones
    callback_id = world.place()
    world.pass_seconds(2)
    assert world.row(callback_id).state == "calling A"
    assert world.legs(callback_id)["A"].state == "ringing"
    world.pass_seconds(3)
    row, legs = world.row(callback_id), world.legs(callback_id)
    assert (row.state, legs["A"].state, legs["B"].state) == ("calling B", "answered", "ringing")
    world.pass_seconds(5)
    assert world.row(callback_id).state == "talking"
    assert world.legs(callback_id)["B"].dialog
    world.request(b, "BYE")
    assert world.ladder == [
        "0.0 A -> INVITE",
        "0.0 A <- 100 INVITE",
        "1.0 A <- 180 INVITE",
        "4.0 A <- 200 INVITE",
        "4.0 A -> ACK",
        "4.0 B -> INVITE",
        "4.0 B <- 100 INVITE",
        "5.0 B <- 180 INVITE",
        "8.0 B <- 200 INVITE",
        "8.0 B -> ACK",
        "10.0 B <- BYE",
        "10.0 B -> 200",
        "10.0 A -> BYE",
        "10.0 A <- 200 BYE",
    ]
    a.up = b.up = False
    assert_over(world, callback_id, Ending.B_HUNG_UP, {"A": 6, "B": 2})


def test_every_moment_is_on_its_row(world: World, phones: tuple) -> None:
    callback_id = world.place()
    world.pass_seconds(10)

    def seconds(instant: object) -> float:
        return (instant - NOON).total_seconds()  # type: ignore[operator]

    row, legs = world.row(callback_id), world.legs(callback_id)
    assert [seconds(at) for at in (row.claimed_at, row.talking_at, row.deadline_at)] == [
        0,
        8,
        66,
    ]  # a minute of both is set aside
    assert [seconds(at) for at in (legs["A"].placed_at, legs["A"].ringing_at, legs["A"].answered_at)] == [0, 1, 4]
    assert [seconds(at) for at in (legs["B"].placed_at, legs["B"].ringing_at, legs["B"].answered_at)] == [4, 5, 8]
    attempts = list(models.Attempt.select().order_by(models.Attempt.id))
    assert [(seconds(each.placed_at), seconds(each.ended_at), each.setup_ms) for each in attempts] == [
        (0, 4, 1000),
        (4, 8, 1000),
    ]
    assert legs["A"].rtp_port == world.voices(callback_id)["A"].port.rtp_port
    world.request(phones[1], "BYE")
    xdrs = world.xdrs(callback_id)
    assert [seconds(at) for at in (xdrs["A"].connect_time, xdrs["A"].disconnect_time)] == [4, 10]
    assert [seconds(at) for at in (xdrs["B"].connect_time, xdrs["B"].disconnect_time)] == [8, 10]
    assert seconds(world.row(callback_id).ended_at) == 10


def test_numbers_on_the_wire(world: World, phones: tuple) -> None:
    models.Connection.update(tech_prefix="77", codecs="PCMA").execute()
    world.phones = {f"77{A}": phones[0]}
    world.place()
    invite = phones[0].invites[0]
    assert invite.uri == f"sip:77{A}@127.0.0.1"
    assert invite.from_.uri == f"sip:{B}@127.0.0.1"
    assert b"PCMA" in invite.body
    assert b"PCMU" not in invite.body


def test_b_that_cannot_take_as_codec_refuses(world: World, phones: tuple) -> None:
    phones[0].codecs = (PCMU,)
    phones[1].script = [(1.0, 488)]
    callback_id = world.place()
    world.pass_seconds(10)
    assert_over(world, callback_id, Ending.B_REFUSED, {"A": 1, "B": 0})


def test_deadline_of_the_money_ends_both_at_once(world: World, phones: tuple) -> None:
    # 5.00 at 0.01 a second for each: A has run 4 s when B answers at 8.0, so T = (500 - 4) / 2 = 248.
    callback_id = world.place()
    world.pass_seconds(255.9)
    assert world.row(callback_id).state == "talking"
    world.pass_seconds(0.2)
    assert [line for line in world.ladder if line.endswith("BYE")][:2] == ["256.0 A -> BYE", "256.0 B -> BYE"]
    assert_over(world, callback_id, Ending.TIME_IS_OUT, {"A": 252, "B": 248})
    assert models.Wallet.get_by_id(world.house.account.wallet_id).balance_micros == 0


RELEASES = {
    "A's phone has not rung yet": (0.5, {"A": 0}),
    "A rings": (2.0, {"A": 0}),
    "B's phone has not rung yet": (4.5, {"A": 1, "B": 0}),
    "B rings": (6.0, {"A": 2, "B": 0}),
    "they talk": (10.0, {"A": 6, "B": 2}),
}


@pytest.mark.parametrize("moment", RELEASES)
@pytest.mark.parametrize("by", ["user", "operator"])
def test_release(world: World, phones: tuple, moment: str, by: str) -> None:
    seconds, charged = RELEASES[moment]
    callback_id = world.place()
    world.pass_seconds(seconds)
    assert reception.ask_release(callback_id, by, world.utc_now())  # type: ignore[arg-type]
    world.lookout.look()
    world.pass_seconds(0)
    ending = Ending.USER_RELEASED if by == "user" else Ending.OPERATOR_RELEASED
    assert_over(world, callback_id, ending, charged)


def test_release_before_the_claim_calls_nobody(world: World) -> None:
    world.journal.is_away = True
    callback_id = world.place()
    reception.ask_release(callback_id, "user", world.utc_now())
    world.journal.is_away = False
    world.journal.go_on()
    world.pass_seconds(1)
    assert_over(world, callback_id, Ending.USER_RELEASED, {})
    assert world.ladder == []


def test_release_without_a_doorbell_is_found_in_a_second(world: World, phones: tuple) -> None:
    callback_id = world.place()
    world.pass_seconds(2)
    reception.ask_release(callback_id, "user", world.utc_now())
    world.pass_seconds(1)
    assert world.row(callback_id).state == "ended"


def test_a_200_that_crosses_the_cancel_is_acked_and_byed_and_costs_nothing(world: World, phones: tuple) -> None:
    b = phones[1]
    b.obeys_cancel = False
    callback_id = world.place()
    world.pass_seconds(7)
    world.request(phones[0], "BYE")  # A gives up; B's phone answers a second later all the same
    assert world.row(callback_id).ending == Ending.A_HUNG_UP
    world.pass_seconds(2)
    assert world.ladder[-4:] == ["8.0 B <- 200 INVITE", "8.0 B -> ACK", "8.0 B -> BYE", "8.0 B <- 200 BYE"]
    assert_over(world, callback_id, Ending.A_HUNG_UP, {"A": 3, "B": 0})


def test_a_release_while_the_database_is_away_is_settled_when_it_is_back(world: World, phones: tuple) -> None:
    callback_id = world.place()
    world.pass_seconds(10)
    world.journal.is_away = True
    world.request(phones[1], "BYE")
    world.pass_seconds(30)
    assert world.row(callback_id).state == "talking"
    world.journal.is_away = False
    world.journal.go_on()
    world.pass_seconds(0)
    assert_over(world, callback_id, Ending.B_HUNG_UP, {"A": 6, "B": 2})


def test_an_unclaimed_request_expires(world: World) -> None:
    world.journal.is_away = True
    callback_id = world.place()
    world.pass_seconds(61)
    world.crash()
    world.engine()
    assert_over(world, callback_id, Ending.EXPIRED, {})
    assert world.ladder == []


def test_a_refusal_at_the_claim_is_written_and_nobody_called(world: World) -> None:
    world.journal.is_away = True
    callback_id = world.place()
    models.Account.update(blocked=True).execute()
    world.journal.is_away = False
    world.journal.go_on()
    world.pass_seconds(1)
    assert_over(world, callback_id, "refused: account blocked", {})
    assert world.ladder == []


# Routes ----------------------------------------------------------------------------------------------------------------


def second_connection(world: World, **fields: object) -> models.Connection:
    return models.Connection.create(
        **{
            "name": "z second",
            "vendor": world.house.vendor,
            "tariff": world.house.vendor_tariff,
            "host": "127.0.0.2",
        }
        | fields
    )


def test_failover_writes_an_attempt_each(world: World, phones: tuple) -> None:
    second = second_connection(world)
    phones[0].script = [(0.0, 100), (2.0, 503)]
    callback_id = world.place()
    world.pass_seconds(2.5)
    phones[0].script = []
    attempts = list(models.Attempt.select().order_by(models.Attempt.position))
    assert [(each.position, each.status, each.connection_id) for each in attempts] == [
        (1, 503, world.house.connection.id),
        (2, None, second.id),
    ]
    world.exchange.release(callback_id, Ending.USER_RELEASED)
    world.pass_seconds(0)
    assert_over(world, callback_id, Ending.USER_RELEASED, {"A": 0})


def test_a_connection_that_asks_to_be_left_alone_is(world: World, phones: tuple) -> None:
    second_connection(world)
    phones[0].script, phones[0].headers = [(0.0, 503)], {"Retry-After": "30"}
    world.place("one")
    world.pass_seconds(0)
    first_seconds = [invite.uri for invite in phones[0].invites]
    assert [uri.rpartition("@")[2] for uri in first_seconds] == ["127.0.0.1", "127.0.0.2"]
    world.place("two", number_b=world_number("12065550199"))
    assert len(phones[0].invites) == 2  # both rest: nobody is asked


def world_number(digits: str):
    from webcb.number import parse_number

    return parse_number(f"+{digits}", "US")


def test_capacity_counts_legs_until_nothing_is_left_of_them(world: World, phones: tuple) -> None:
    models.Connection.update(capacity=1).execute()
    models.VoiceApplication.update(talk_seconds_max=60).execute()  # so that one callback locks no more than 1.80
    phones[0].script = [(1.0, 486)]
    first = world.place("one")
    second = world.place("two")
    assert len(phones[0].invites) == 1
    world.pass_seconds(0.9)
    assert len(phones[0].invites) == 1
    world.pass_seconds(0.2)
    assert world.row(first).ending == Ending.A_BUSY
    assert len(phones[0].invites) == 2
    assert world.row(second).state == "calling A"
    world.pass_seconds(2)


def test_no_more_callbacks_begin_than_there_is_room_for(world: World) -> None:
    rows.no_limits(talk_seconds_max=10, ring_seconds_b=5, concurrent_per_account=100)
    placed = [world.place(str(number), number_a=world_number(f"1206555012{number}")) for number in range(7)]
    states = [world.row(callback_id).state for callback_id in placed]
    assert states == ["calling A"] * 5 + ["requested"] * 2
    world.exchange.release(placed[0], Ending.USER_RELEASED)
    world.pass_seconds(1)
    assert world.row(placed[5]).state == "calling A"
    assert world.row(placed[6]).state == "requested"
    world.exchange.release_all(Ending.ENGINE_STOPPED)
    world.lookout.claim_no_more()


def test_a_name_is_resolved_before_the_invite_and_a_release_meanwhile_sends_none(world: World) -> None:
    models.Connection.update(host="sbc.example").execute()
    callback_id = world.place()
    ((hop, found),) = world.names.asked
    assert hop == NextHop("sbc.example", None, "udp")
    world.exchange.release(callback_id, Ending.USER_RELEASED)
    found(Located((Address("127.0.0.1", 5060),)))
    world.pass_seconds(1)
    assert_over(world, callback_id, Ending.USER_RELEASED, {})
    assert world.ladder == []


def test_a_name_nobody_knows_is_an_unreachable_route(world: World) -> None:
    models.Connection.update(host="sbc.example").execute()
    callback_id = world.place()
    world.names.asked[0][1](Located((), "sbc.example has no address"))
    world.pass_seconds(0)
    assert_over(world, callback_id, Ending.A_UNREACHABLE, {})


# In the call -----------------------------------------------------------------------------------------------------------


def test_an_offer_in_the_call_moves_the_voice_and_is_answered(world: World, phones: tuple) -> None:
    a, _ = phones
    callback_id = world.place()
    world.pass_seconds(10)
    before = world.legs(callback_id)["A"].dialog
    world.request(a, "INVITE", world.sdp(a, 31_000, direction="sendonly"))
    assert world.ladder[-2:] == ["10.0 A -> 100", "10.0 A -> 200"]
    running = world.exchange._running[callback_id]
    assert running.voices["A"].version == 2
    assert world.legs(callback_id)["A"].dialog != before
    assert not running.callback.a.held  # it sends music to wait by
    world.exchange.release(callback_id, Ending.USER_RELEASED)
    a.up = False
    assert_over(world, callback_id, Ending.USER_RELEASED, {"A": 6, "B": 2})


def test_an_offer_of_the_other_law_is_recoded(world: World, phones: tuple) -> None:
    a, b = phones
    b.codecs = (PCMA,)
    callback_id = world.place()
    world.pass_seconds(10)
    a.codecs = (PCMU,)
    world.request(a, "INVITE", world.sdp(a))
    # B, which has nothing else, is asked all the same; it has what it had.
    assert world.ladder[-5:] == [
        "10.0 A -> 100", "10.0 A -> 200", "10.0 B -> INVITE", "10.0 B <- 488 INVITE", "10.0 B -> ACK",
    ]  # fmt: skip
    world.request(a, "ACK")
    assert world.row(callback_id).state == "talking"
    world.request(a, "BYE")
    assert_over(world, callback_id, Ending.A_HUNG_UP, {"A": 6, "B": 2})


def test_an_offer_without_a_codec_of_ours_is_refused_and_the_call_goes_on(world: World, phones: tuple) -> None:
    a, _ = phones
    callback_id = world.place()
    world.pass_seconds(10)
    a.codecs = (Codec("G729", 18, 8000),)
    world.request(a, "INVITE", world.sdp(a))
    assert world.ladder[-1] == "10.0 A -> 488"
    assert world.row(callback_id).state == "talking"
    world.request(a, "BYE")
    assert_over(world, callback_id, Ending.A_HUNG_UP, {"A": 6, "B": 2})


@pytest.mark.parametrize("ack", ["good", "unusable"])
def test_a_peer_that_wants_our_offer_gets_it_and_answers_in_its_ack(world: World, phones: tuple, ack: str) -> None:
    a, _ = phones
    callback_id = world.place()
    world.pass_seconds(10)
    world.request(a, "INVITE")
    assert world.ladder[-2:] == ["10.0 A -> 100", "10.0 A -> 200"]
    sdp = world.sdp(a, 31_000) if ack == "good" else b"v=0\r\nnonsense"
    world.request(a, "ACK", sdp)
    assert world.row(callback_id).state == "talking"
    world.request(a, "BYE")
    assert_over(world, callback_id, Ending.A_HUNG_UP, {"A": 6, "B": 2})


def test_early_media_is_joined_before_the_answer(world: World, phones: tuple) -> None:
    phones[1].script = [(1.0, 183), (4.0, 200)]
    phones[1].early_media = True
    callback_id = world.place()
    world.pass_seconds(6)
    assert world.row(callback_id).state == "calling B"
    assert world.exchange._running[callback_id].callback.hears.name == "B"
    world.pass_seconds(4)
    world.request(phones[1], "BYE")
    assert_over(world, callback_id, Ending.B_HUNG_UP, {"A": 6, "B": 2})


def test_ringback_goes_on_until_early_media_flows(world: World, phones: tuple) -> None:
    """A 183 with a description promises a voice; many carriers send none, and A would hear nothing."""
    phones[1].script = [(1.0, 183), (9.0, 200)]
    phones[1].early_media = phones[1].promises = True
    callback_id = world.place()
    world.pass_seconds(6)

    def hears() -> str:
        return world.exchange._running[callback_id].callback.hears.name

    assert hears() == "RINGBACK"
    world.begin_voice()
    assert hears() == "B"
    assert world.row(callback_id).state == "calling B"
    world.pass_seconds(10)
    assert world.row(callback_id).state == "talking"
    world.request(phones[1], "BYE")


def test_ringback_ends_with_the_answer_of_who_only_promised_a_voice(world: World, phones: tuple) -> None:
    phones[1].script = [(1.0, 183), (4.0, 200)]
    phones[1].early_media = phones[1].promises = True
    callback_id = world.place()
    world.pass_seconds(10)
    assert world.row(callback_id).state == "talking"
    voices = world.voices(callback_id)
    assert voices["A"].joined_to is voices["B"].port
    world.request(phones[1], "BYE")
    assert_over(world, callback_id, Ending.B_HUNG_UP, {"A": 6, "B": 2})


def test_a_carrier_that_never_answers_the_bye_delays_no_bill(world: World, phones: tuple) -> None:
    phones[0].answers_bye = False
    callback_id = world.place()
    world.pass_seconds(10)
    world.request(phones[1], "BYE")
    assert world.row(callback_id).state == "ended"
    assert_over(world, callback_id, Ending.B_HUNG_UP, {"A": 6, "B": 2})


def test_an_answer_whose_voice_has_no_address_is_hung_up(world: World, phones: tuple) -> None:
    phones[0].sdp_host = "no.address.example"
    callback_id = world.place()
    world.pass_seconds(5)
    assert_over(world, callback_id, Ending.A_REFUSED, {"A": 0})


# Faults ----------------------------------------------------------------------------------------------------------------


def test_a_fault_in_a_step_ends_its_callback_and_no_other(
    world: World, phones: tuple, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    models.VoiceApplication.update(talk_seconds_max=60).execute()
    other = world.place("other", number_a=world_number("5511988776655"), number_b=world_number("12065550199"))
    faulty = world.place("faulty")

    from webcb.engine.commands import Join

    join = world.exchange._carry_out[Join]

    def fail(running: object, command: object) -> None:
        if running.id == faulty:  # type: ignore[attr-defined]
            raise RuntimeError("a fault of ours")
        join(running, command)  # type: ignore[arg-type]

    monkeypatch.setitem(world.exchange._carry_out, Join, fail)
    world.pass_seconds(10)
    assert world.row(faulty).ending == Ending.ENGINE_FAULT
    assert {leg: xdr.used_quantity for leg, xdr in world.xdrs(faulty).items()} == {"A": 4, "B": 0}
    assert faulty in caplog.text
    assert world.row(other).state == "talking"
    world.exchange.release_all(Ending.ENGINE_STOPPED)
    world.pass_seconds(1)
    assert world.row(other).ending == Ending.ENGINE_STOPPED


def test_a_callback_whose_very_ending_fails_is_hung_up_and_settled_from_its_rows(
    world: World, phones: tuple, monkeypatch: pytest.MonkeyPatch
) -> None:
    from webcb.engine import callback

    callback_id = world.place()
    world.pass_seconds(10)

    def fail(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(callback, "step", fail)
    world.exchange.release(callback_id, Ending.USER_RELEASED)
    assert [line for line in world.ladder if line.endswith("BYE")][:2] == ["10.0 A -> BYE", "10.0 B -> BYE"]
    monkeypatch.undo()
    world.pass_seconds(2)
    assert_over(world, callback_id, Ending.ENGINE_STOPPED, {"A": 6, "B": 2})


def test_a_settlement_that_fails_is_tried_again(world: World, phones: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    from webcb.billing import settlement

    callback_id = world.place()
    world.pass_seconds(10)

    def fail(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    with monkeypatch.context() as broken:
        broken.setattr(settlement, "settle", fail)
        world.request(phones[1], "BYE")
        world.pass_seconds(1)
    assert world.row(callback_id).state == "releasing"
    world.pass_seconds(6)
    assert_over(world, callback_id, Ending.B_HUNG_UP, {"A": 6, "B": 2})
