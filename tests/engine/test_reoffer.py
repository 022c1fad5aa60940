"""Two legs without a codec in common, in virtual time: the one is asked for what the other speaks before the bridge recodes."""

import pytest

from tests.billing.rows import NUMBER_A, NUMBER_B
from tests.engine.test_exchange import assert_over
from tests.engine.world import PCMA, PCMU, Phone, World
from webcb import models
from webcb.engine.causes import Ending
from webcb.engine.codecs import shared_codecs
from webcb.sip.offer_answer import Codec, read_offer
from webcb.sip.sdp import parse_sdp


@pytest.fixture
def phones(world: World) -> tuple[Phone, Phone]:
    """A answers in PCMU, and has PCMA too; B has PCMA alone."""
    a, b = world.phone(NUMBER_A.digits, "A", codecs=(PCMU,)), world.phone(NUMBER_B.digits, "B", codecs=(PCMA,))
    return a, b


def offered(phone: Phone) -> list[list[str]]:
    return [[codec.name for codec in read_offer(request.body).codecs] for request in phone.offers]


def codecs(world: World, callback_id: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the legs have agreed to, by their voices and by the machine."""
    running = world.exchange._running[callback_id]
    by_voice = tuple(running.voices[leg].codecs for leg in ("A", "B"))
    assert by_voice == (running.callback.a.codecs, running.callback.b.codecs)
    return by_voice


def said(world: World, name: str, since: str) -> list[str]:
    """What a phone was told and said from a moment on, without the moment."""
    lines = [line for line in world.ladder if line.split()[1] == name and float(line.split()[0]) >= float(since)]
    return [" ".join(line.split()[2:]) for line in lines]


@pytest.mark.parametrize(
    ("own", "other", "carried", "asked"),
    [
        (("PCMU", "telephone-event"), ("PCMA", "telephone-event"), ("PCMU", "PCMA"), ("PCMA", "telephone-event")),
        (("PCMU",), ("PCMA", "telephone-event"), ("pcmu", "pcma"), ("PCMA",)),
        (("PCMU", "PCMA"), ("PCMA",), ("PCMU", "PCMA"), ("PCMA",)),  # it speaks its first
        (("PCMU",), ("G722", "PCMA"), ("PCMU", "PCMA", "G722"), ("G722", "PCMA")),
        (("PCMU",), ("G722", "PCMA"), ("PCMU", "PCMA"), ()),  # B would go on speaking G.722
        (("PCMU", "PCMA"), ("PCMA", "PCMU"), ("PCMU", "PCMA"), ()),  # each understands what the other speaks
        (("PCMU", "telephone-event"), ("PCMU",), ("PCMU", "PCMA"), ()),
        (("PCMU",), ("PCMA",), ("PCMU",), ()),  # not over this connection
        (("telephone-event",), ("PCMA",), ("PCMU", "PCMA"), ()),
        ((), ("PCMA",), ("PCMA",), ()),
    ],
)
def test_what_a_leg_is_asked_for(
    own: tuple[str, ...], other: tuple[str, ...], carried: tuple[str, ...], asked: tuple[str, ...]
) -> None:
    assert shared_codecs(own, other, carried) == asked


def test_a_takes_the_codec_of_b(world: World, phones: tuple[Phone, Phone]) -> None:
    a, _ = phones
    a.codecs = (PCMU,)
    callback_id = world.place()
    world.pass_seconds(7)
    a.codecs = (PCMU, PCMA)
    world.pass_seconds(3)
    assert offered(a) == [["PCMA"]]
    assert [parse_sdp(each.body).version for each in (a.invites[0], a.offers[0])] == ["1", "2"]
    assert said(world, "A", "8.0") == ["-> INVITE", "<- 200 INVITE", "-> ACK"]
    assert codecs(world, callback_id) == (("PCMA",), ("PCMA",))
    deadline_us = world.row(callback_id).deadline_at
    world.pass_seconds(10)
    assert world.row(callback_id).deadline_at >= deadline_us
    world.request(a, "BYE")
    assert_over(world, callback_id, Ending.A_HUNG_UP, {"A": 16, "B": 12})
    assert {leg.name: leg.codec for leg in world.legs(callback_id).values()} == {"A": "PCMA", "B": "PCMA"}


@pytest.mark.parametrize("status", [488, 403, 500, 603])
def test_a_that_refuses_keeps_its_codec_and_is_not_asked_again(
    world: World, phones: tuple[Phone, Phone], status: int
) -> None:
    a, _ = phones
    a.decisions = [status]
    callback_id = world.place()
    world.pass_seconds(20)
    assert offered(a) == [["PCMA"]]
    assert codecs(world, callback_id) == (("PCMU",), ("PCMA",))
    assert world.exchange._running[callback_id].voices["A"].proposed == b""
    assert '"proposed":""' in world.legs(callback_id)["A"].voice
    world.request(a, "INVITE", world.sdp(a))  # it says what is as it was: nobody is asked anything
    world.request(a, "ACK")
    world.pass_seconds(10)
    assert offered(a) == [["PCMA"]]
    assert not phones[1].offers
    world.request(a, "BYE")
    assert_over(world, callback_id, Ending.A_HUNG_UP, {"A": 26, "B": 22})


def test_both_at_once_a_is_asked_once_more(world: World, phones: tuple[Phone, Phone]) -> None:
    a, _ = phones
    a.decisions = [491]
    callback_id = world.place()
    world.pass_seconds(8)
    a.codecs = (PCMU, PCMA)
    world.pass_seconds(4.1)
    assert offered(a) == [["PCMA"], ["PCMA"]]
    assert a.offers[0].body == a.offers[1].body
    assert codecs(world, callback_id) == (("PCMA",), ("PCMA",))
    world.request(a, "BYE")
    assert world.row(callback_id).ending == Ending.A_HUNG_UP


def test_a_makes_an_offer_itself_while_ours_waits(world: World, phones: tuple[Phone, Phone]) -> None:
    """Hers is about the newer state: ours is dropped, and where hers does not meet B either, she is asked anew."""
    a, _ = phones
    a.decisions = [491]
    callback_id = world.place()
    world.pass_seconds(8)
    a.codecs = (PCMU, PCMA)
    world.request(a, "INVITE", world.sdp(a, 31_000))
    assert codecs(world, callback_id) == (("PCMA",), ("PCMA",))
    world.request(a, "ACK")
    world.pass_seconds(10)
    assert len(a.offers) == 1
    world.request(a, "BYE")
    assert world.row(callback_id).ending == Ending.A_HUNG_UP


def test_b_that_changes_its_codec_in_mid_call_makes_a_change_too(world: World, phones: tuple[Phone, Phone]) -> None:
    a, b = phones
    a.codecs = (PCMU, PCMA)
    b.codecs = (PCMU,)
    callback_id = world.place()
    world.pass_seconds(10)
    assert not a.offers
    b.codecs = (PCMA,)
    world.request(b, "INVITE", world.sdp(b))
    world.request(b, "ACK")
    world.pass_seconds(1)
    assert offered(a) == [["PCMA"]]
    assert not b.offers
    assert codecs(world, callback_id) == (("PCMA",), ("PCMA",))
    world.request(b, "BYE")
    assert_over(world, callback_id, Ending.B_HUNG_UP, {"A": 7, "B": 3})


def test_a_that_knows_the_call_no_longer_ends_it(world: World, phones: tuple[Phone, Phone]) -> None:
    a, _ = phones
    a.decisions = [481]
    callback_id = world.place()
    world.pass_seconds(9)
    row = world.row(callback_id)
    assert (row.state, row.ending) == ("ended", Ending.PEER_LOST)
    assert said(world, "B", "8.0") == ["<- 200 INVITE", "-> ACK", "-> BYE", "<- 200 BYE"]


def test_a_that_never_decides_is_recoded_for_and_ended_in_the_end(world: World, phones: tuple[Phone, Phone]) -> None:
    a, _ = phones
    a.decisions = [0]
    callback_id = world.place()
    world.pass_seconds(39)
    assert world.row(callback_id).state == "talking"
    assert codecs(world, callback_id) == (("PCMU",), ("PCMA",))
    world.pass_seconds(2)
    assert world.row(callback_id).ending == Ending.PEER_LOST


def test_nothing_is_offered_before_it_is_written(world: World, phones: tuple[Phone, Phone]) -> None:
    """A process after this one must know that A may have agreed; the call does not wait for the database."""
    a, b = phones
    a.codecs = (PCMU, PCMA)
    callback_id = world.place()
    world.pass_seconds(7.9)
    a.codecs = (PCMU, PCMA)
    world.journal.is_away = True
    world.pass_seconds(5)
    assert b.is_confirmed
    assert not a.offers
    world.journal.is_away = False
    world.journal.go_on()
    assert '"proposed":"v=0' in world.legs(callback_id)["A"].voice
    world.pass_seconds(1)
    assert offered(a) == [["PCMA"]]
    assert codecs(world, callback_id) == (("PCMA",), ("PCMA",))
    assert '"proposed":""' in world.legs(callback_id)["A"].voice
    world.request(a, "BYE")
    assert world.row(callback_id).ending == Ending.A_HUNG_UP


@pytest.mark.parametrize("agreed", [True, False])
def test_engine_that_dies_with_its_offer_open_makes_the_same_again(
    world: World, phones: tuple[Phone, Phone], agreed: bool
) -> None:
    """Whether A had agreed nobody knows: the next engine says the same, under the same version and a number never used."""
    a, _ = phones
    a.decisions = [] if agreed else [0]
    callback_id = world.place()
    world.pass_seconds(7.9)
    a.codecs = (PCMU, PCMA)
    world._from_phone = lambda *_: None if len(a.offers) else World._from_phone(world, *_)  # type: ignore[method-assign]
    world.pass_seconds(1)
    del world._from_phone
    assert len(a.offers) == 1
    world.crash()
    world.pass_seconds(1)
    world.engine()
    world.pass_seconds(1)
    assert [each.body for each in a.offers] == [a.offers[0].body] * 2
    assert a.offers[1].cseq > a.offers[0].cseq
    assert codecs(world, callback_id) == (("PCMA",), ("PCMA",))
    world.request(a, "BYE")
    assert world.row(callback_id).ending == Ending.A_HUNG_UP
    assert models.Wallet.get_by_id(world.house.account.wallet_id).locked_micros == 0


def test_a_that_takes_the_second_best_is_not_asked_for_the_best_again(
    world: World, phones: tuple[Phone, Phone]
) -> None:
    """B speaks PCMA and would take PCMU, which is all that A has: B is recoded for A, and A is left alone."""
    a, b = phones
    b.codecs = (PCMA, PCMU)
    callback_id = world.place()
    world.pass_seconds(20)
    assert offered(a) == [["PCMA", "PCMU"]]
    assert codecs(world, callback_id) == (("PCMU",), ("PCMA", "PCMU"))
    world.request(a, "BYE")
    assert world.row(callback_id).ending == Ending.A_HUNG_UP


OPUS = Codec("opus", 111, 48_000, channels=2)


def test_a_that_speaks_opus_is_asked_for_what_b_has(world: World) -> None:
    """It has PCMU, too, and has said so: nobody is left unheard, and no route is passed over for it."""
    models.Connection.update(codecs="opus,PCMU,PCMA").execute()
    a = world.phone(NUMBER_A.digits, "A", codecs=(OPUS, PCMU))
    b = world.phone(NUMBER_B.digits, "B", codecs=(PCMU,))
    callback_id = world.place()
    world.pass_seconds(10)
    assert [codec.name for codec in read_offer(a.invites[0].body).codecs][:3] == ["opus", "PCMU", "PCMA"]
    assert {codec.name for codec in read_offer(b.invites[0].body).codecs} >= {"opus", "PCMU"}
    assert offered(a) == [["PCMU"]]
    assert said(world, "A", "8.0") == ["-> INVITE", "<- 200 INVITE", "-> ACK"]
    assert codecs(world, callback_id) == (("PCMU",), ("PCMU",))


def test_two_that_speak_opus_are_asked_for_nothing(world: World) -> None:
    models.Connection.update(codecs="opus,PCMU,PCMA").execute()
    a = world.phone(NUMBER_A.digits, "A", codecs=(OPUS, PCMU))
    b = world.phone(NUMBER_B.digits, "B", codecs=(OPUS,))
    callback_id = world.place()
    world.pass_seconds(10)
    assert not a.offers and not b.offers
    assert codecs(world, callback_id)[1] == ("opus",)


def test_a_that_has_opus_alone_reaches_no_b_without_it(world: World) -> None:
    models.Connection.update(codecs="opus,PCMU").execute()
    world.phone(NUMBER_A.digits, "A", codecs=(OPUS,))
    b = world.phone(NUMBER_B.digits, "B", codecs=(PCMU,))
    callback_id = world.place()
    world.pass_seconds(60)
    assert [codec.name for codec in read_offer(b.invites[0].body).codecs] == ["opus"]
    assert world.row(callback_id).state == "ended"
    assert not any(phone.up for phone in world.phones.values())


def test_an_a_that_is_spoken_to_is_not_offered_what_cannot_be_spoken(world: World) -> None:
    models.Connection.update(codecs="opus,PCMU").execute()
    models.VoiceApplication.update(confirm_by_key=True).execute()
    a = world.phone(NUMBER_A.digits, "A", codecs=(OPUS, PCMU))
    world.place()
    world.pass_seconds(6)
    assert "opus" not in [codec.name for codec in read_offer(a.invites[0].body).codecs]
    world.pass_seconds(60)
