"""Connections that we register with, and what becomes of calls while that does not succeed, in virtual time."""

from collections.abc import Iterator

import pytest

from tests.engine.world import World
from webcb import models
from webcb.engine import registrar
from webcb.sip.events import Address
from webcb.sip.location import Located
from webcb.sip.message import Request, Response, read_message

ECHOED = ("Via", "From", "To", "Call-ID", "CSeq", "Contact")


class Switch:
    """The carrier: `status` for every REGISTER and OPTIONS, or nothing where it is 0; `registers` are what came."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.status = 200
        self.headers: dict[str, str] = {}
        self.registers: list[Request] = []
        self._to_phone = world.line._send
        world.line._send = self._take  # type: ignore[method-assign]

    def _take(self, data: bytes, address: Address) -> None:
        message = read_message(data)
        if not isinstance(message, Request) or message.method not in ("REGISTER", "OPTIONS"):
            self._to_phone(data, address)
            return
        if message.method == "REGISTER" and message.cseq not in {
            each.cseq for each in self.registers if each.call_id == message.call_id
        }:
            self.registers.append(message)
        if self.status:
            fields = {name: message.fields[name] for name in ECHOED if name in message.fields}
            fields |= {name: [value] for name, value in self.headers.items()}
            self.world.time.call_at(self.world.time.now, self._answer, Response(self.status, "So", fields), address)

    def _answer(self, response: Response, address: Address) -> None:
        self.world.line.receive(response.encode(), address)
        self.world.line.flush()


@pytest.fixture
def switch(world: World) -> Iterator[Switch]:
    models.Connection.update(
        must_register=True, username="alice", registrar="home.example", register_seconds=600
    ).execute()
    made = Switch(world)
    yield made
    world.registrations.close()


def begin(world: World) -> None:
    world.registrations.look()
    world.pass_seconds(0.1)


def state() -> tuple[str, str]:
    row = models.Connection.get()
    return row.registration, row.registration_reason


def test_it_is_registered_and_calls_go_from_its_domain(world: World, switch: Switch) -> None:
    switch.headers = {"Service-Route": "<sip:core.example;lr>"}
    begin(world)
    assert state() == ("registered", "for 600 s")
    (register,) = switch.registers
    assert (register.uri, register.first("To")) == ("sip:home.example", "<sip:alice@home.example>")
    since = models.Connection.get().registration_at
    world.pass_seconds(541)
    assert len(switch.registers) == 2
    assert models.Connection.get().registration_at == since  # a refresh is no news
    callback_id = world.place()
    (invite,) = [request for phone in world.phones.values() for request in phone.invites]
    assert invite.from_.uri.endswith("@home.example")
    assert invite.fields["Route"] == ["<sip:core.example;lr>"]
    world.exchange.release(callback_id, "operator released")  # type: ignore[arg-type]
    world.pass_seconds(40)


def test_who_refuses_us_gets_no_calls_until_we_are_registered(world: World, switch: Switch) -> None:
    switch.status = 403
    begin(world)
    assert state() == ("unregistered", "403 So")
    assert world.row(world.place()).ending == "A unreachable"
    assert world.ladder == []
    switch.status = 200
    world.pass_seconds(61)
    assert state() == ("registered", "for 600 s")
    callback_id = world.place("again")
    assert world.row(callback_id).state == "calling A"
    world.exchange.release(callback_id, "operator released")  # type: ignore[arg-type]
    world.pass_seconds(40)


def test_before_the_first_answer_calls_are_tried(world: World, switch: Switch) -> None:
    switch.status = 0
    begin(world)
    assert state() == ("none", "")
    callback_id = world.place()
    assert world.row(callback_id).state == "calling A"
    world.exchange.release(callback_id, "operator released")  # type: ignore[arg-type]
    world.pass_seconds(33)
    assert state() == ("unregistered", "408 no answer")


@pytest.mark.parametrize("change", [{"must_register": False}, {"active": False}])
def test_who_wants_it_no_longer_is_left(world: World, switch: Switch, change: dict[str, object]) -> None:
    begin(world)
    models.Connection.update(**change).execute()
    world.pass_seconds(registrar.LOOK_SECONDS)
    assert state() == ("none", "")
    assert [each.first("Expires") for each in switch.registers] == ["600", "0"]
    assert world.registrations.is_idle
    world.pass_seconds(3600)
    assert len(switch.registers) == 2


def test_what_is_configured_anew_is_registered_anew(world: World, switch: Switch) -> None:
    begin(world)
    models.Connection.update(register_user="bob").execute()
    world.pass_seconds(registrar.LOOK_SECONDS)
    said = [(each.first("To"), each.first("Expires")) for each in switch.registers]
    assert said == [
        ("<sip:alice@home.example>", "600"),
        ("<sip:alice@home.example>", "0"),
        ("<sip:bob@home.example>", "600"),
    ]
    assert state() == ("registered", "for 600 s")


def test_an_engine_that_starts_again_finds_its_own_binding(world: World, switch: Switch) -> None:
    begin(world)
    world.crash()
    world.engine()
    again = Switch(world)
    begin(world)
    (before,), (after,) = switch.registers, again.registers
    assert before.first("Contact") == after.first("Contact")
    world.registrations.close()


def test_at_the_end_every_binding_is_taken_back(world: World, switch: Switch) -> None:
    begin(world)
    world.registrations.leave_all()
    assert not world.registrations.is_idle
    world.pass_seconds(0.1)
    assert world.registrations.is_idle
    assert switch.registers[-1].first("Expires") == "0"


def test_a_host_without_an_address_is_told_and_asked_for_again(world: World, switch: Switch) -> None:
    models.Connection.update(host="no.such.example").execute()
    begin(world)
    ((hop, found),) = world.names.asked
    assert hop.host == "no.such.example"
    found(Located((), "no.such.example has no address"))
    world.pass_seconds(0)
    assert state() == ("unregistered", "no.such.example has no address")
    world.names.known["no.such.example"] = (Address("127.0.0.1", 5060),)
    world.pass_seconds(registrar.LOOK_SECONDS)
    assert state() == ("registered", "for 600 s")


def test_a_password_that_cannot_be_opened_is_told(world: World, switch: Switch) -> None:
    models.Connection.update(sealed_password="nonsense").execute()
    begin(world)
    assert state()[0] == "unregistered"
    assert "set the connection's password again" in state()[1]
    assert switch.registers == []


def test_the_next_address_of_the_host_is_tried(world: World, switch: Switch) -> None:
    models.Connection.update(host="trunk.example").execute()
    world.names.known["trunk.example"] = (Address("127.0.0.1", 5060), Address("127.0.0.2", 5060))
    switch.status = 503
    begin(world)
    assert len(switch.registers) == 2
    assert state() == ("unregistered", "503 So")


def test_a_carrier_that_was_away_is_registered_with_as_soon_as_it_is_back(world: World, switch: Switch) -> None:
    """It may have started anew, and know nobody."""
    models.Connection.update(probe_seconds=30).execute()
    begin(world)
    world.prober.look()
    world.pass_seconds(1)
    assert (models.Connection.get().state, len(switch.registers)) == ("up", 1)
    switch.status = 0
    world.pass_seconds(70)
    assert (models.Connection.get().state, len(switch.registers)) == ("down", 1)
    switch.status = 200
    world.pass_seconds(40)
    assert (models.Connection.get().state, len(switch.registers)) == ("up", 2)
    assert state() == ("registered", "for 600 s")
    world.prober.close()
