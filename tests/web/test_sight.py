"""The words for what the rows of a callback say at a moment."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from webcb.billing.authorization import Reason, Refusal
from webcb.engine.causes import REFUSED_PREFIX, Ending
from webcb.watching.going_on import running_seconds
from webcb.web import endings, refusals
from webcb.web.forms import ExtendedForm
from webcb.web.sight import LegSight, Sight

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def sight(state: str, leg_a: str = "waiting", leg_b: str = "waiting", **more: object) -> Sight:
    legs = [
        LegSight(name, "15550100", leg, is_placed=leg != "waiting", answered_at=NOON if leg == "answered" else None)
        for name, leg in (("A", leg_a), ("B", leg_b))
    ]
    return Sight(state, legs[0], legs[1], currency="USD", **more)  # type: ignore[arg-type]


def queued(state: str, leg: str, position: int, **more: object) -> Sight:
    seen = sight(state, "answered" if leg == "B" else "waiting", **more)
    if leg == "A":
        return replace(seen, leg_a=replace(seen.leg_a, queue_position=position))
    return replace(seen, leg_b=replace(seen.leg_b, queue_position=position))


@pytest.mark.parametrize(
    ("seen", "headline", "words_a", "words_b"),
    [
        (sight("requested"), "Getting ready", "Waiting", "Waiting"),
        (sight("calling A"), "Calling you", "Waiting", "Waiting"),
        (queued("calling A", "A", 4), "Waiting for a free line, 3 before you", "Waiting", "Waiting"),
        (queued("calling B", "B", 2), "Waiting for a free line, 1 before you", "Connected", "Waiting"),
        (queued("calling B", "B", 1), "Waiting for a free line", "Connected", "Waiting"),
        (queued("calling B", "B", 1, is_release_asked=True), "Ending the call", "Connected", "Waiting"),
        (sight("calling A", "calling"), "Calling you", "Calling", "Waiting"),
        (sight("calling A", "ringing"), "Your phone is ringing", "Ringing", "Waiting"),
        (sight("A answered", "answered"), "You answered", "Connected", "Waiting"),
        (sight("calling B", "answered", "calling"), "Calling the other side", "Connected", "Calling"),
        (sight("calling B", "answered", "ringing"), "It is ringing there", "Connected", "Ringing"),
        (sight("talking", "answered", "answered"), "Talking", "Connected", "Connected"),
        (sight("talking", "answered", "answered", is_release_asked=True), "Ending the call", "Connected", "Connected"),
        (sight("releasing", "ended", "answered"), "Ending the call", "Ended", "Connected"),
        (sight("ended", "answered", "answered", ending="B hung up"), "Call ended", "Ended", "Hung up"),
        (sight("ended", "answered", "answered", ending="A hung up"), "Call ended", "Hung up", "Ended"),
        (sight("ended", "ended", "waiting", ending="user released"), "Call ended", "No answer", "Not called"),
        (sight("ended", "ended", "waiting", ending="A busy"), "Your phone was busy", "Busy", "Not called"),
        (sight("ended", "answered", "ended", ending="B busy"), "The other side is busy", "Ended", "Busy"),
        (sight("ended", ending="refused: no funds"), "Call not made", "Not called", "Not called"),
        (sight("ended", ending="expired"), "Call not made", "Not called", "Not called"),
        (sight("ended", ending="a new one"), "Call ended", "Not called", "Not called"),
    ],
)
def test_words(seen: Sight, headline: str, words_a: str, words_b: str) -> None:
    assert (seen.headline, seen.leg_words(seen.leg_a), seen.leg_words(seen.leg_b)) == (headline, words_a, words_b)
    assert seen.detail.endswith(".")


@pytest.mark.parametrize("ending", list(Ending))
def test_every_ending_of_the_engine_has_its_words(ending: Ending) -> None:
    assert endings.words(ending) != endings.words("not an ending")


def test_a_refusal_by_the_engine_has_words() -> None:
    assert endings.words(f"{REFUSED_PREFIX}{Reason.NO_FUNDS}").headline == "Call not made"


@pytest.mark.parametrize("leg", ["A", "B"])
@pytest.mark.parametrize("reason", list(Reason))
def test_every_refusal_has_its_words_beside_a_field_of_the_form(reason: Reason, leg: str) -> None:
    said = refusals.words(Refusal(reason, leg))  # type: ignore[arg-type]
    assert said.text.endswith(".")
    assert hasattr(ExtendedForm, said.field) or said.field == ""


def test_what_is_still_going_on_can_be_hung_up_and_talking_ticks() -> None:
    talking = sight("talking", "answered", "answered", talking_at=NOON, deadline_at=NOON + timedelta(seconds=760))
    assert talking.is_talking
    assert not talking.is_releasing
    assert talking.talk_seconds_max == 760
    assert not sight("releasing").is_talking


@pytest.mark.parametrize(("after_seconds", "talked"), [(-3, 0), (0, 0), (0.999, 0), (42.5, 42), (760, 760), (900, 760)])
def test_talked_seconds_never_pass_the_deadline_nor_fall_below_nought(after_seconds: float, talked: int) -> None:
    talking = sight("talking", "answered", "answered", talking_at=NOON, deadline_at=NOON + timedelta(seconds=760))
    at = NOON + timedelta(seconds=after_seconds)
    assert talking.talked_seconds(at) == talked
    assert talking.talked_ms(at) == pytest.approx(1000 * min(760, max(0, after_seconds)))


@pytest.mark.parametrize(("ran_seconds", "billed"), [(0, 1), (0.2, 1), (1, 1), (1.01, 2), (60, 60), (61.5, 61)])
def test_running_seconds_are_those_that_would_be_billed(ran_seconds: float, billed: int) -> None:
    deadline_at = NOON + timedelta(seconds=61)
    assert running_seconds(NOON, deadline_at, NOON + timedelta(seconds=ran_seconds)) == billed
