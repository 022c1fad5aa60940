"""A connection whose name has several addresses: which INVITE goes where and when (RFC 3263, 4.3), on a virtual clock."""

import pytest

from tests.billing.rows import NUMBER_A
from tests.engine.world import Phone, World
from webcb import models
from webcb.engine import calls, leg
from webcb.engine.causes import Ending
from webcb.sip.events import Address
from webcb.sip.message import Request

A = NUMBER_A.digits
ONE, TWO, THREE = (Address(f"192.0.2.{each}", 5060) for each in (1, 2, 3))
SILENT: list[tuple[float, int]] = []


@pytest.fixture
def phone(world: World) -> Phone:
    """A's, behind a carrier of three servers that all answer at once."""
    models.Connection.update(host="sbc.example").execute()
    world.names.known["sbc.example"] = (ONE, TWO, THREE)
    return world.phone(A, "A", script=[(0.0, 100), (0.0, 200)])


def attempts() -> list[tuple[int, str, int | None]]:
    return [(each.position, each.address, each.status) for each in models.Attempt.select().order_by(models.Attempt.id)]


def of_a(world: World) -> list[str]:
    """What was said with A's phone, with its moment."""
    return [each for each in world.ladder if " A " in each]


def end(world: World, callback_id: str) -> None:
    world.exchange.release(callback_id, Ending.USER_RELEASED)
    world.pass_seconds(40)
    assert world.row(callback_id).state == "ended"
    assert world.exchange.is_idle
    gate = world.exchange._calls.starts._gates[models.Connection.get().id]
    assert gate._calls == 0


def test_after_503_the_next_address_is_asked_under_the_same_place(world: World, phone: Phone) -> None:
    models.Connection.update(capacity=1).execute()
    phone.scripts = {ONE.host: [(0.0, 100), (1.0, 503)]}
    callback_id = world.place()
    world.pass_seconds(1)
    assert phone.hosts == [ONE.host, TWO.host]
    assert attempts()[:2] == [(1, "udp 192.0.2.1:5060", 503), (2, "udp 192.0.2.2:5060", 200)]
    assert world.names.rests == {}  # it asked for no rest
    first, second = phone.invites
    assert first.via.branch != second.via.branch
    assert first.uri == second.uri == f"sip:{A}@sbc.example"
    end(world, callback_id)


def test_who_says_nothing_is_left_after_seconds_and_rests(world: World, phone: Phone) -> None:
    phone.scripts = {ONE.host: SILENT, TWO.host: SILENT}
    callback_id = world.place()
    world.pass_seconds(2 * leg.ADDRESS_SECONDS_MAX)
    placed = [each.placed_at for each in models.Attempt.select().order_by(models.Attempt.id)][:3]
    assert phone.hosts == [ONE.host, TWO.host, THREE.host]
    assert [round((each - placed[0]).total_seconds()) for each in placed] == [0, 4, 8]
    assert world.legs(callback_id)["A"].state == "answered"
    assert [status for _, _, status in attempts()[:3]] == [408, 408, 200]
    assert world.names.rests == {ONE: calls.REST_SECONDS, TWO: calls.REST_SECONDS}
    end(world, callback_id)


def test_the_silent_one_is_cancelled_when_it_speaks_at_last(world: World, phone: Phone) -> None:
    """A CANCEL before its first word could overtake the INVITE (RFC 3261, 9.1)."""
    phone.scripts = {ONE.host: SILENT}
    callback_id = world.place()
    world.pass_seconds(6)
    assert phone.hosts == [ONE.host, TWO.host]
    assert not [each for each in of_a(world) if "CANCEL" in each]
    heard: list[Request] = []
    on_request = world._on_request

    def listen(phone: Phone, request: Request, address: Address) -> None:
        heard.append(request)
        if request.method != "CANCEL":
            on_request(phone, request, address)

    world._on_request = listen  # type: ignore[method-assign]
    world.respond(phone, phone.invites[0], 180, ONE)
    world.pass_seconds(0)
    (cancel,) = heard
    assert (cancel.method, cancel.via.branch) == ("CANCEL", phone.invites[0].via.branch)
    world.respond(phone, phone.invites[0], 200, ONE, world.sdp(phone))  # it crossed the CANCEL
    world.pass_seconds(0)
    assert [each.method for each in heard[1:]] == ["ACK", "BYE"]
    assert {each.call_id for each in heard} == {phone.invites[0].call_id}
    assert world.legs(callback_id)["A"].state == "answered"  # on the other address, untouched
    world._on_request = on_request  # type: ignore[method-assign]
    end(world, callback_id)


def test_who_said_trying_may_take_its_time(world: World, phone: Phone) -> None:
    phone.scripts = {ONE.host: [(0.0, 100), (15.0, 180), (16.0, 200)]}
    callback_id = world.place()
    world.pass_seconds(17)
    assert phone.hosts == [ONE.host]
    assert world.legs(callback_id)["A"].state == "answered"
    end(world, callback_id)


def test_what_cannot_be_sent_goes_to_the_next_address_at_once(world: World, phone: Phone) -> None:
    to_phone = world.line._send

    def send(data: bytes, address: Address) -> None:
        if address == ONE:
            world.time.call_at(world.time.now, world.line.undeliverable, address, "connection refused")
        else:
            to_phone(data, address)

    world.line._send = send  # type: ignore[method-assign]
    callback_id = world.place()
    world.pass_seconds(0)
    assert phone.hosts == [TWO.host]
    assert models.Attempt.get(position=1).reason == "connection refused"
    assert world.names.rests == {ONE: calls.REST_SECONDS}
    end(world, callback_id)


@pytest.mark.parametrize("status", [404, 408, 486, 500, 603])
def test_a_refusal_of_the_call_is_not_one_of_the_address(world: World, phone: Phone, status: int) -> None:
    phone.scripts = {ONE.host: [(0.0, 100), (0.5, status)]}
    callback_id = world.place()
    world.pass_seconds(1)
    assert phone.hosts == [ONE.host]
    assert world.row(callback_id).state == "ended"
    assert world.names.rests == {}


def test_all_addresses_of_a_route_then_the_next_route(world: World, phone: Phone) -> None:
    models.Connection.create(
        name="zz second", vendor=world.house.vendor, tariff=world.house.vendor_tariff, host="127.0.0.2", port=5060
    )
    phone.scripts = {each.host: [(0.0, 503)] for each in (ONE, TWO, THREE)}
    callback_id = world.place()
    world.pass_seconds(0)
    assert phone.hosts == [ONE.host, TWO.host, THREE.host, "127.0.0.2"]
    assert [address for _, address, _ in attempts()[:4]][-1] == "udp 127.0.0.2:5060"
    end(world, callback_id)


def test_retry_after_of_one_address_leaves_the_connection_in_use(world: World, phone: Phone) -> None:
    phone.scripts = {ONE.host: [(0.0, 503)]}
    phone.headers = {"Retry-After": "120"}
    callback_id = world.place()
    world.pass_seconds(0)
    assert world.names.rests == {ONE: 120}
    end(world, callback_id)
    again = world.place("again")
    world.pass_seconds(0)
    assert phone.hosts == [ONE.host, TWO.host, TWO.host]
    end(world, again)


def test_a_leg_whose_first_address_is_silent_takes_one_place_of_the_capacity(world: World, phone: Phone) -> None:
    """The session that nobody answers goes on for its 32 s beside the one that is up."""
    models.Connection.update(capacity=2).execute()
    phone.scripts = {ONE.host: SILENT}
    first = world.place("one")
    world.pass_seconds(leg.ADDRESS_SECONDS_MAX)
    gate = world.exchange._calls.starts._gates[models.Connection.get().id]
    assert world.line.sessions == 3  # A's silent one, A's, and B's
    assert gate._calls == 2
    end(world, first)


def test_a_release_between_two_addresses_leaves_nothing(world: World, phone: Phone) -> None:
    phone.scripts = {ONE.host: SILENT, TWO.host: [(0.0, 100)]}
    callback_id = world.place()
    world.pass_seconds(leg.ADDRESS_SECONDS_MAX + 1)
    end(world, callback_id)
    assert [status for _, _, status in attempts()] == [408, None]
    assert [each.split(maxsplit=1)[1] for each in of_a(world) if "CANCEL" in each][:1] == ["A -> CANCEL"]
