"""Connections are probed, and one that does not answer gets no calls, in virtual time."""

from collections.abc import Iterator

import pytest

from tests.engine.world import World
from webcb import models
from webcb.engine import prober
from webcb.sip.events import Address
from webcb.sip.location import Located
from webcb.sip.message import Request, Response, read_message


class Switch:
    """What the carrier's switch does with an OPTIONS: `status`, or nothing where it is 0. `asked` is when it came."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.status = 200
        self.asked: list[float] = []
        self._branches: set[str] = set()
        self._to_phone = world.line._send
        world.line._send = self._take  # type: ignore[method-assign]

    def _take(self, data: bytes, address: Address) -> None:
        message = read_message(data)
        if not isinstance(message, Request) or message.method != "OPTIONS":
            self._to_phone(data, address)
            return
        if message.via.branch not in self._branches:
            self._branches.add(message.via.branch)
            self.asked.append(self.world.time.now - self.world.begun_at)
        if self.status:
            fields = {name: message.fields[name] for name in ("Via", "From", "To", "Call-ID", "CSeq")}
            answer = Response(self.status, "As it is", fields).encode()
            self.world.time.call_at(self.world.time.now, self._answer, answer, address)

    def _answer(self, data: bytes, address: Address) -> None:
        self.world.line.receive(data, address)
        self.world.line.flush()


@pytest.fixture
def switch(world: World) -> Iterator[Switch]:
    models.Connection.update(probe_seconds=30).execute()
    made = Switch(world)
    world.prober.look()
    world.pass_seconds(0.1)
    yield made
    world.prober.close()


def state() -> tuple[str, str]:
    row = models.Connection.get()
    return row.state, row.state_reason


def test_a_connection_that_answers_is_up_and_asked_every_so_often(world: World, switch: Switch) -> None:
    assert state() == ("up", "200 As it is")
    since = models.Connection.get().state_at
    world.pass_seconds(100)
    assert switch.asked == pytest.approx([0, 30, 60, 90])
    assert models.Connection.get().state_at == since


def test_a_connection_that_says_nothing_gets_no_calls_until_it_answers(world: World, switch: Switch) -> None:
    switch.status = 0
    world.pass_seconds(61)
    assert state() == ("up", "200 As it is")  # timer F still runs
    world.pass_seconds(2)
    assert state() == ("down", "408 no answer")
    assert world.row(world.place()).ending == "A unreachable"
    assert not any("INVITE" in step for step in world.ladder)
    switch.status = 405  # whoever refuses OPTIONS is there
    world.pass_seconds(40)
    assert state() == ("up", "405 As it is")
    callback_id = world.place("again")
    assert world.row(callback_id).state == "calling A"
    world.exchange.release(callback_id, "operator released")  # type: ignore[arg-type]
    world.pass_seconds(40)


@pytest.mark.parametrize("change", [{"probe_seconds": None}, {"active": False}])
def test_who_is_probed_no_longer_has_no_state(world: World, switch: Switch, change: dict[str, object]) -> None:
    switch.status = 503
    world.pass_seconds(35)
    assert state() == ("down", "503 As it is")
    connection_id = models.Connection.get().id
    assert world.prober.is_down(connection_id)
    models.Connection.update(**change).execute()
    world.pass_seconds(prober.LOOK_SECONDS)
    assert state() == ("unknown", "")
    assert not world.prober.is_down(connection_id)
    world.pass_seconds(60)
    assert len(switch.asked) == 2


def test_a_host_without_an_address_is_down(world: World) -> None:
    models.Connection.update(probe_seconds=30, host="no.such.example").execute()
    world.prober.look()
    world.pass_seconds(1)
    ((_, found),) = world.names.asked
    found(Located((), "no.such.example has no address"))
    world.pass_seconds(0)
    assert state() == ("down", "503 no.such.example has no address")
    world.prober.close()


def test_a_connection_is_up_while_one_of_its_addresses_is_and_the_silent_one_rests(world: World) -> None:
    models.Connection.update(probe_seconds=30, host="sbc.example").execute()
    one, two = Address("192.0.2.1", 5060), Address("192.0.2.2", 5060)
    world.names.known["sbc.example"] = (one, two)
    silent = {"192.0.2.1"}
    asked: list[tuple[float, str]] = []

    def switch(data: bytes, address: Address) -> None:
        request = read_message(data)
        asked.append((round(world.time.now - world.begun_at), address.host))
        if address.host not in silent and isinstance(request, Request):
            fields = {name: request.fields[name] for name in ("Via", "From", "To", "Call-ID", "CSeq")}
            answer = Response(200, "OK", fields).encode()
            world.time.call_at(world.time.now, world.line.receive, answer, address)
            world.time.call_at(world.time.now, world.line.flush)

    world.line._send = switch  # type: ignore[method-assign]
    world.prober.look()
    world.pass_seconds(1)
    assert state() == ("up", "200 OK")
    world.pass_seconds(33)
    assert state() == ("up", "200 OK")
    assert world.names.rests == {one: 30 + prober.SILENCE_SECONDS}
    assert [at for at, host in asked if host == "192.0.2.2"] == [0, 30]
    silent.add("192.0.2.2")
    world.pass_seconds(75)
    assert state() == ("down", "408 no answer")
    assert set(world.names.rests) == {one, two}
    silent.clear()
    world.pass_seconds(30)
    assert state() == ("up", "200 OK")
    assert world.names.rests == {}
    world.prober.close()
