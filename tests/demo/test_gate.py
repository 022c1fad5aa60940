"""The digest gate: passes who knows the password, asks anew when a nonce is old, refuses guesses (RFC 7616)."""

import pytest

from webcb.demo.gate import NONCE_SECONDS_MAX, Gate, Verdict
from webcb.sip.digest import Credentials, DigestClient
from webcb.sip.message import Request, Response

GATE = Gate(Credentials("webcb", "right"), b"secret")


def asked(algorithm: str, at: float, credentials: Credentials) -> Request:
    """A request with the answer that `credentials` give to a challenge made at that moment."""
    client = DigestClient(credentials, lambda count: b"\x01" * count)
    client.learn(Response(407, "", {"Proxy-Authenticate": [GATE.challenge(algorithm, at)]}), set())
    request = Request("INVITE", "sip:12065550106@192.0.2.9", {})
    client.authorize(request)
    return request


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@pytest.mark.parametrize(
    ("credentials", "later", "verdict"),
    [
        (Credentials("webcb", "right"), 0.0, Verdict.PASS),
        (Credentials("webcb", "right"), NONCE_SECONDS_MAX, Verdict.PASS),
        (Credentials("webcb", "right"), NONCE_SECONDS_MAX + 1, Verdict.STALE),
        (Credentials("webcb", "wrong"), 0.0, Verdict.WRONG),
        (Credentials("other", "right"), 0.0, Verdict.WRONG),
    ],
)
def test_verdicts(algorithm: str, credentials: Credentials, later: float, verdict: Verdict) -> None:
    assert GATE.verdict(asked(algorithm, 100, credentials), algorithm, 100 + later) is verdict


@pytest.mark.parametrize(
    "value", ["", "Basic abc", 'Digest realm="elsewhere"', 'Digest realm="demo carrier"', "Digest ,;"]
)
def test_what_answers_no_challenge_is_asked(value: str) -> None:
    assert GATE.verdict(Request("INVITE", "sip:x@y", {"Proxy-Authorization": [value]}), "MD5", 0) is Verdict.ASK


def test_a_nonce_of_somebody_elses_making_is_not_believed() -> None:
    other = Gate(GATE.credentials, b"another secret")
    assert other.verdict(asked("MD5", 100, GATE.credentials), "MD5", 100) is Verdict.ASK
