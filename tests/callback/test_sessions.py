"""Carriers that use more of SIP than they must: reliable progress, session timers, offers in mid-call, redirection.

The bill is as it would be without.
"""

import pytest

from tests.callback.configuration import charge_a, charge_b
from tests.callback.installation import Installation
from tests.callback.outcome import (
    HUNG_UP,
    NORMAL,
    TIMER_EXPIRED,
    Billed,
    assert_ended,
    refused,
    said,
    used_on_wire,
)

BOTH_TALKED = {"A": Billed(charge_a, True, NORMAL), "B": Billed(charge_b, True, NORMAL)}


@pytest.mark.parametrize(("early", "other"), [("A", "B"), ("B", "A")])
def test_the_answer_comes_in_a_reliable_183(webcb: Installation, early: str, other: str) -> None:
    webcb.phone(early, "speaks_before_it_answers")
    webcb.phone(other, "hangs_up", ring_ms=0, talk_ms=1500)
    callback = webcb.place()
    assert_ended(webcb, callback, f"{other} hung up", BOTH_TALKED)
    assert said(webcb, early) == ["INVITE", "PRACK", "200 PRACK", *HUNG_UP[1:]]


@pytest.mark.parametrize(
    ("phone", "between"),
    [
        ("wants_refreshing", ["UPDATE", "200 UPDATE"]),
        ("collides", ["INVITE", "INVITE", "491 INVITE", "ACK", "200 INVITE", "ACK"]),
    ],
)
def test_we_refresh_the_session(webcb: Installation, phone: str, between: list[str]) -> None:
    webcb.phone("A", "answers")
    webcb.phone("B", phone)
    callback = webcb.place()
    assert_ended(webcb, callback, "B hung up", BOTH_TALKED)
    assert said(webcb, "B") == [*HUNG_UP[:3], *between, *HUNG_UP[3:]]


def test_a_session_that_nobody_refreshes_is_ended_before_it_expires(webcb: Installation) -> None:
    """Ten seconds less a third of them: six whole ones, and a part that counts as one."""
    webcb.phone("A", "answers")
    webcb.phone("B", "forgets_to_refresh")
    callback = webcb.place()
    billed = {"A": Billed(charge_a, True, NORMAL), "B": Billed(charge_b, True, TIMER_EXPIRED)}
    assert_ended(webcb, callback, "connection lost", billed)
    assert said(webcb, "B") == HUNG_UP
    assert 6.6 <= used_on_wire(webcb, "B") <= 6.8


def test_a_longer_session_is_asked_for(webcb: Installation) -> None:
    webcb.phone("A", "answers")
    webcb.phone("B", "wants_longer_sessions")
    callback = webcb.place()
    assert_ended(webcb, callback, "B hung up", BOTH_TALKED)
    assert said(webcb, "B") == [*refused(422), *HUNG_UP]


def test_offers_in_mid_call(webcb: Installation) -> None:
    """When B wants the other law, A is asked for it, and refuses."""
    webcb.phone("A", "speaks_one_law", quiet_ms=0)
    webcb.phone("B", "changes_its_mind")
    callback = webcb.place()
    assert_ended(webcb, callback, "B hung up", BOTH_TALKED)
    reinvite = ["INVITE", "200 INVITE", "ACK"]
    assert said(webcb, "B") == [*reinvite, *reinvite, *reinvite, *reinvite, "UPDATE", "200 UPDATE", "BYE", "200 BYE"]
    assert said(webcb, "A") == [*reinvite, "INVITE", "488 INVITE", "ACK", "BYE", "200 BYE"]


def test_a_redirection_is_followed(webcb: Installation) -> None:
    webcb.phone("A", "answers")
    webcb.phone("spare", "hangs_up", ring_ms=0, talk_ms=500)
    webcb.phone("B", "redirects", target_port=webcb.phones["spare"].sip_port)
    callback = webcb.place()
    assert_ended(webcb, callback, "B hung up", BOTH_TALKED, b_at="spare")
    assert said(webcb, "B") == refused(302)
    assert said(webcb, "spare") == HUNG_UP
