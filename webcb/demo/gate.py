"""The digest challenge before some phones: the server's side, without memory of its own (RFC 3261, 22.3; RFC 7616).

The nonce carries its own time and seal, so nothing is kept between the challenge and its answer.
"""

import hmac
from dataclasses import dataclass
from enum import Enum

from webcb.sip.digest import Challenge, Credentials, digest_response
from webcb.sip.grammar import ProtocolError, parse_parameters, split_outside_quotes, unquote
from webcb.sip.message import Request

NONCE_SECONDS_MAX = 30
REALM = "demo carrier"


class Verdict(Enum):
    """What became of a request at the gate."""

    PASS = "pass"  # noqa: S105 - a verdict
    ASK = "ask"
    STALE = "stale"
    WRONG = "wrong"


@dataclass(frozen=True)
class Gate:
    """Lets through who knows `credentials`; `secret` seals the nonces."""

    credentials: Credentials
    secret: bytes

    def challenge(self, algorithm: str, now: float, *, stale: bool = False) -> str:
        """A Proxy-Authenticate value; `now` in seconds of any clock, the same in every call."""
        again = ", stale=true" if stale else ""
        return f'Digest realm="{REALM}", nonce="{self._nonce(int(now))}", algorithm={algorithm}, qop="auth"{again}'

    def verdict(self, request: Request, algorithm: str, now: float) -> Verdict:
        """Whether the request answers a challenge of this gate, of this algorithm, given not too long ago."""
        for value in request.fields.get("Proxy-Authorization", ()):
            scheme, _, rest = value.partition(" ")
            try:
                said = {name: unquote(text) for name, text in parse_parameters(_semicolons(rest)).items()}
            except ProtocolError:
                continue
            if scheme.lower() == "digest" and said.get("realm") == REALM:
                return self._judge(said, request, algorithm, now)
        return Verdict.ASK

    def _judge(self, said: dict[str, str], request: Request, algorithm: str, now: float) -> Verdict:
        given_at = said.get("nonce", "").partition("-")[0]
        if not given_at.isdecimal() or not _same(said["nonce"], self._nonce(int(given_at))):
            return Verdict.ASK
        challenge = Challenge(REALM, said["nonce"], algorithm, "auth")
        nc, cnonce = said.get("nc", ""), said.get("cnonce", "")
        right = digest_response(self.credentials, challenge, request.method, request.uri, nc, cnonce)
        if said.get("username") != self.credentials.username or not _same(said.get("response", ""), right):
            return Verdict.WRONG
        return Verdict.PASS if now - int(given_at) <= NONCE_SECONDS_MAX else Verdict.STALE

    def _nonce(self, at: int) -> str:
        return f"{at}-{hmac.digest(self.secret, str(at).encode(), 'sha256').hex()[:32]}"


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogateescape"), other.encode())


def _semicolons(text: str) -> str:
    return ";".join(split_outside_quotes(text, ","))
