"""Carriers that make it hard: one that asks who we are, one that is overloaded, one that never says a word."""

import re
from hashlib import md5

from tests.callback.configuration import (
    SWITCH_PASSWORD,
    SWITCH_USERNAME,
    charge_a,
    charge_a_if_b_fails,
    charge_b,
)
from tests.callback.installation import Installation
from tests.callback.outcome import HUNG_UP, NO_RESPONSE, NORMAL, Billed, assert_ended, refused, said
from webcb.models import Attempt

BOTH_TALKED = {"A": Billed(charge_a, True, NORMAL), "B": Billed(charge_b, True, NORMAL)}


def digest(text: str) -> str:
    return md5(text.encode()).hexdigest()


def test_a_carrier_that_asks_who_calls_is_told(webcb: Installation) -> None:
    webcb.phone("A", "challenges")
    webcb.phone("B", "hangs_up", ring_ms=0, talk_ms=500)
    callback = webcb.place()
    assert_ended(webcb, callback, "B hung up", BOTH_TALKED)
    assert said(webcb, "A") == [*refused(407), *HUNG_UP]
    answered = [each for each in webcb.messages("A") if each.name == "INVITE"][-1]
    said_who = dict(re.findall(r'(\w+)="?([^",]+)"?', answered.header("Proxy-Authorization")))
    # RFC 7616, 3.4.1, worked out here once more.
    secret = digest(f"{SWITCH_USERNAME}:{said_who['realm']}:{SWITCH_PASSWORD}")
    nonce = ":".join(said_who[name] for name in ("nonce", "nc", "cnonce", "qop"))
    assert said_who["response"] == digest(f"{secret}:{nonce}:{digest('INVITE:' + said_who['uri'])}")


def test_the_next_carrier_is_tried_where_one_is_overloaded(webcb: Installation) -> None:
    webcb.phone("A", "is_overloaded")
    webcb.phone("spare", "answers")
    webcb.phone("B", "hangs_up", ring_ms=0, talk_ms=500)
    callback = webcb.place()
    assert_ended(webcb, callback, "B hung up", BOTH_TALKED, a_by="spare")
    assert said(webcb, "A") == refused(503)
    assert said(webcb, "spare") == said(webcb, "B") == HUNG_UP
    attempts = Attempt.select().where(Attempt.position == 2)
    assert [(attempt.connection.name, attempt.status) for attempt in attempts] == [("Carrier spare", 200)]


def test_a_silent_carrier_is_given_up(webcb: Installation) -> None:
    """A's first carrier is silent, so the spare one is tried; B's is silent, and there is no other."""
    webcb.phone("A", "is_silent")
    webcb.phone("spare", "answers", is_asked=True)
    webcb.phone("B", "is_silent")
    callback = webcb.place()
    webcb.wait_for_state(callback, "ended", 60)
    billed = {"A": Billed(charge_a_if_b_fails, True, NORMAL), "B": Billed(charge_b, False, NO_RESPONSE)}
    assert_ended(webcb, callback, "B unreachable", billed, a_by="spare")
    assert said(webcb, "A") == said(webcb, "B") == ["INVITE"]  # which cannot be cancelled before a word came back
    asked = ["OPTIONS", "200 OPTIONS"]
    assert [each for each in said(webcb, "spare") if each not in asked] == HUNG_UP
    assert set(asked) <= set(said(webcb, "spare"))
