"""What a leg is offered, and what of an answer the other leg may be offered then."""

import pytest

from webcb.engine.codecs import askable_codecs, heard_codecs, offered_codecs, spoken_codecs


@pytest.mark.parametrize(
    ("route", "wanted", "offered"),
    [
        (("PCMU", "PCMA"), ("PCMA", "PCMU", "telephone-event"), ("PCMA", "PCMU", "telephone-event")),
        (("pcma",), ("PCMU", "PCMA", "telephone-event"), ("PCMA", "telephone-event")),
        (("PCMU", "PCMA"), ("PCMA",), ("PCMA", "PCMU")),
        (("PCMU",), ("PCMA", "telephone-event"), ("PCMU", "telephone-event")),
        (("G722", "PCMA"), ("PCMU",), ("PCMA",)),
        (("G722",), ("PCMU", "telephone-event"), ("G722", "telephone-event")),
        (("PCMU", "PCMA"), ("G722",), ("PCMU", "PCMA")),
        (("G729",), ("G729", "telephone-event"), ()),
        (("OPUS", "g722", "PCMA"), ("G722", "opus"), ("G722", "opus", "PCMA")),
        (("PCMA", "PCMU"), ("opus", "telephone-event"), ()),
        (("opus",), ("PCMU", "telephone-event"), ()),
        ((), ("PCMU",), ()),
    ],
)
def test_offered(route: tuple[str, ...], wanted: tuple[str, ...], offered: tuple[str, ...]) -> None:
    assert offered_codecs(route, wanted) == offered


@pytest.mark.parametrize(
    ("answered", "heard"),
    [
        (("PCMU", "telephone-event"), ("PCMU", "telephone-event")),
        (("PCMA", "PCMU"), ("PCMA", "PCMU")),
        (("G722", "opus", "PCMU"), ("G722", "PCMU")),
        (("opus", "PCMU", "telephone-event"), ("opus", "telephone-event")),
        (("PCMU", "opus", "telephone-event"), ("PCMU", "telephone-event")),
        (("telephone-event", "opus"), ("telephone-event", "opus")),
    ],
)
def test_what_a_leg_speaks_must_be_understood_by_the_other(answered: tuple[str, ...], heard: tuple[str, ...]) -> None:
    assert heard_codecs(answered) == heard


@pytest.mark.parametrize(
    ("answered", "offered"),
    [
        (("opus", "PCMU", "telephone-event"), ("opus", "telephone-event", "PCMU")),
        (("PCMU", "opus", "telephone-event"), ("PCMU", "telephone-event", "opus")),
        (("PCMA",), ("PCMA",)),
        (("opus",), ("opus",)),
    ],
)
def test_what_b_may_be_offered_of_what_a_has(answered: tuple[str, ...], offered: tuple[str, ...]) -> None:
    assert askable_codecs(answered) == offered


def test_what_can_be_spoken_is_offered_to_who_is_spoken_to() -> None:
    assert spoken_codecs(("opus", "PCMU", "g722")) == ("PCMU", "g722")
    assert spoken_codecs(("opus",)) == ("opus",)
