"""How a connection is told who calls and who is called: its columns, read on the INVITE that a phone gets."""

import pytest

from tests.engine.world import World
from webcb import models
from webcb.sip.message import Request

A, B = "5511999887766", "12065554123"


def invite(world: World, **columns: object) -> Request:
    """The INVITE of leg A on a connection that is configured so."""
    if columns:
        models.Connection.update(**columns).execute()
    callback_id = world.place()
    (sent,) = [request for phone in world.phones.values() for request in phone.invites]
    world.exchange.release(callback_id, "operator released")  # type: ignore[arg-type]
    world.pass_seconds(60)
    return sent


def test_as_it_comes(world: World) -> None:
    sent = invite(world)
    assert sent.uri == f"sip:{A}@127.0.0.1"
    assert sent.first("From").startswith(f"<sip:{B}@127.0.0.1>;tag=")
    assert not {"P-Asserted-Identity", "Privacy", "Diversion", "Route"} & set(sent.fields)


def test_plus_and_a_domain_of_their_own(world: World) -> None:
    sent = invite(world, number_format="plus", from_domain="carrier.example", from_name="Web callback")
    assert sent.uri == f"sip:+{A}@127.0.0.1"
    assert sent.first("From").startswith(f'"Web callback" <sip:+{B}@carrier.example>;tag=')


def test_rules_see_what_would_be_sent_and_the_tech_prefix_stands_before_all(world: World) -> None:
    sent = invite(world, cld_rule=r"s/^55(\d{11})$/0$1/", cli_rule="s/^1/0/; s/^0(...)/0$1-/", tech_prefix="99#")
    assert sent.uri == "sip:99#011999887766@127.0.0.1"
    assert sent.from_.uri == "sip:0206-5554123@127.0.0.1"


def test_a_fixed_user_and_an_identity(world: World) -> None:
    sent = invite(
        world,
        from_user="pilot",
        from_domain="carrier.example",
        identity_headers="P-Asserted-Identity,Remote-Party-ID",
        identity_user="+12065550100",
        diversion_user="+12065550199",
    )
    assert sent.from_.uri == "sip:pilot@carrier.example"
    assert sent.first("P-Asserted-Identity") == "<sip:+12065550100@carrier.example>"
    assert sent.first("Remote-Party-ID") == ("<sip:+12065550100@carrier.example>;party=calling;screen=yes;privacy=off")
    assert sent.first("Diversion").startswith("<sip:+12065550199@carrier.example>;reason=unconditional")


def test_withheld(world: World) -> None:
    sent = invite(world, cli_withheld=True, identity_headers="P-Asserted-Identity")
    assert sent.first("From").startswith('"Anonymous" <sip:anonymous@anonymous.invalid>;tag=')
    assert sent.first("Privacy") == "id"
    assert sent.first("P-Asserted-Identity") == f"<sip:{B}@127.0.0.1>"


def test_a_rule_that_leaves_nothing_of_the_caller_makes_him_anonymous(world: World) -> None:
    sent = invite(world, cli_rule="s/.*//", from_domain="carrier.example")
    assert sent.from_.uri == "sip:anonymous@carrier.example"


@pytest.mark.parametrize("columns", [{"cld_rule": "s/.*//"}, {"cld_rule": "s/^/ /"}, {"cli_rule": 's/^/"x" /'}])
def test_a_connection_whose_rule_makes_nonsense_is_passed_over(world: World, columns: dict[str, str]) -> None:
    models.Connection.update(**columns).execute()
    assert world.row(world.place()).ending == "A unreachable"
    assert world.ladder == []
