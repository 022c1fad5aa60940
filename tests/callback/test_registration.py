"""Registered with a real registrar: challenged, told 423, refreshed, dropped, taken back; calls go where we are registered only."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.callback.configuration import charge_a, charge_b
from tests.callback.installation import Installation
from tests.callback.outcome import NORMAL, Billed, assert_ended
from tests.callback.peers import behind_a_proxy, proxy_port
from tests.callback.wire import Message
from tests.ports import free_ports
from webcb import db
from webcb.models import Connection

BOTH_TALKED = {"A": Billed(charge_a, True, NORMAL), "B": Billed(charge_b, True, NORMAL)}


@pytest.fixture
def webcb(tmp_path: Path) -> Iterator[Installation]:
    """An installation whose engine has not been started."""
    with free_ports() as ports:
        installation = Installation.make(tmp_path, ports)
        try:
            yield installation
            assert "Traceback" not in installation.log()
        finally:
            installation.close()


def registers(webcb: Installation, user: str) -> list[Message]:
    """What was said about a user's registration, without what was lost and sent again."""
    said = [each for each in webcb.wire.messages(proxy_port(webcb)) if each.method == "REGISTER"]
    return list({each.text: each for each in said if f":{user}@" in each.header("To")}.values())


def registration(carrier: str) -> str:
    return str(Connection.get(Connection.name == f"Carrier {carrier}").registration)


def test_a_registration_from_its_beginning_to_its_end(webcb: Installation) -> None:
    webcb.phone("A", "answers")
    webcb.phone("B", "hangs_up", ring_ms=0, talk_ms=300)
    with db.writing():
        for carrier, user, seconds in (("A", "alice", 600), ("B", "bob", 60)):
            Connection.update(
                must_register=True, registrar="carrier.example", register_user=user, register_seconds=seconds
            ).where(Connection.name == f"Carrier {carrier}").execute()
    with behind_a_proxy(webcb, "MUST_REGISTER"):
        webcb.start_engine()
        webcb.wire.wait(lambda: registration("A") == registration("B") == "registered", 5, "both are registered")
        callback = webcb.place()
        assert_ended(webcb, callback, "B hung up", BOTH_TALKED)

        # alice is refreshed once; then she is not answered, and her binding runs out.
        webcb.wire.wait(lambda: registration("A") == "unregistered", 10, "alice's binding has run out")
        alice = registers(webcb, "alice")
        assert [each.name for each in alice[:6]] == ["REGISTER", "401", "REGISTER", "200", "REGISTER", "200"]
        assert {each.name for each in alice[6:]} == {"REGISTER"}
        asked = [each for each in alice if each.name == "REGISTER"]
        assert len({each.header("Call-ID") for each in asked}) == len({each.header("Contact") for each in asked}) == 1
        assert asked[0].header("Contact").startswith("<sip:")
        assert 1.9 <= asked[2].at - asked[1].at <= 2.3  # half of the four seconds that were granted

        # Without a registration nobody is called there.
        invites = len([each for each in webcb.wire.messages(proxy_port(webcb)) if each.name == "INVITE"])
        ended = webcb.wait_for_state(webcb.place("again"), "ended", 5)
        assert ended.ending == "A unreachable"
        assert len([each for each in webcb.wire.messages(proxy_port(webcb)) if each.name == "INVITE"]) == invites

        # bob asks for longer when he is told to, and is taken back at the end; nobody answers about alice, so nothing is.
        bob = registers(webcb, "bob")
        assert [each.name for each in bob[:6]] == ["REGISTER", "401", "REGISTER", "423", "REGISTER", "200"]
        assert [each.header("Expires") for each in bob[:6] if each.name == "REGISTER"] == ["60", "60", "120"]
        webcb.stop_engine()
        last = registers(webcb, "bob")[-2:]
        assert [(each.name, each.method) for each in last] == [("REGISTER", "REGISTER"), ("200", "REGISTER")]
        assert last[0].header("Contact").endswith(";expires=0")
        assert "Contact:" not in last[1].text
