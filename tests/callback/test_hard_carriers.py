"""What carriers do to us beyond the plain call, much of it in one callback: forks, auth-int, a challenged BYE, keys, reasons."""

import re
from hashlib import sha256

from tests.callback.configuration import SWITCH_PASSWORD, SWITCH_USERNAME, charge_a, charge_b
from tests.callback.installation import Installation
from tests.callback.outcome import NORMAL, Billed, assert_ended, said
from tests.callback.wire import Message

UNSPECIFIED = 31  # Q.850, as B's network says in its BYE


def hashed(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def assert_who_and_what(request: Message) -> None:
    """The digest covers the body too: RFC 7616, 3.4, worked out here once more."""
    told = dict(re.findall(r'(\w+)="?([^",]+)"?', request.header("Authorization")))
    assert told["qop"] == "auth-int"
    body = request.text.partition("\r\n\r\n")[2]
    secret = hashed(f"{SWITCH_USERNAME}:{told['realm']}:{SWITCH_PASSWORD}")
    asked = hashed(f"{request.name}:{told['uri']}:{hashed(body)}")
    nonce = ":".join(told[name] for name in ("nonce", "nc", "cnonce", "qop"))
    assert told["response"] == hashed(f"{secret}:{nonce}:{asked}")


def test_one_asks_at_every_turn_and_the_other_forks(webcb: Installation) -> None:
    webcb.phone("A", "asks_at_every_turn")
    webcb.phone("B", "forks")
    callback = webcb.place()
    billed = {"A": Billed(charge_a, True, NORMAL), "B": Billed(charge_b, True, UNSPECIFIED)}
    assert_ended(webcb, callback, "B hung up", billed)
    first = ["INVITE", "401 INVITE", "ACK"]
    assert said(webcb, "A") == [
        *(*first, "INVITE", "200 INVITE", "ACK", "INFO", "200 INFO"),
        *("BYE", "401 BYE", "BYE", "200 BYE"),
    ]
    for request in webcb.messages("A"):
        if request.name in ("INVITE", "BYE") and "Authorization:" in request.text:
            assert_who_and_what(request)
    bye = [each for each in webcb.messages("A") if each.name == "BYE"][-1]
    assert bye.header("Reason").startswith("Q.850;cause=16")
    # Of B's two phones the second is let go at once; the first stays until it hangs up itself.
    forked = ["INVITE", "200 INVITE", "ACK", "200 INVITE", "ACK", "BYE", "200 BYE"]
    assert said(webcb, "B") == [*forked, "BYE", "200 BYE"]
