"""Digest access authentication, the client's side (RFC 3261, 22; RFC 7616; RFC 8760). Never Basic, never a server.

`DigestClient` keeps what one session learned from challenges and writes the headers that answer them.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from webcb.sip.grammar import ProtocolError, parse_parameters, quote, split_outside_quotes, unquote
from webcb.sip.message import Request, Response

# Weakest first. SHA-512-256 is there only where the platform's OpenSSL has it.
ALGORITHMS: Final[dict[str, str]] = {
    algorithm: function
    for algorithm, function in (("MD5", "md5"), ("SHA-256", "sha256"), ("SHA-512-256", "sha512_256"))
    if function in hashlib.algorithms_available
}
STRENGTH: Final = {name: rank for rank, name in enumerate(f"{a}{s}" for a in ALGORITHMS for s in ("", "-SESS"))}
CHALLENGES_MAX: Final = 8  # read of one response
CNONCE_BYTES: Final = 8
CREDENTIAL_HEADERS: Final[tuple[str, str]] = ("Authorization", "Proxy-Authorization")


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name and password; `realm` where they are for one realm only, None for whoever asks."""

    username: str
    password: str
    realm: str | None = None


@dataclass(frozen=True, slots=True)
class Challenge:
    """One WWW-Authenticate or Proxy-Authenticate value that we can answer. `qop` is our choice among those offered."""

    realm: str
    nonce: str
    algorithm: str = ""  # as written; "" where the challenge named none, which means MD5
    qop: str = ""
    opaque: str | None = None
    stale: bool = False
    proxy: bool = False

    @property
    def strength(self) -> int:
        """The rank of the algorithm: what is harder to break is higher."""
        return STRENGTH[self.algorithm.upper() or "MD5"]


def digest_response(
    credentials: Credentials, challenge: Challenge, method: str, uri: str, nc: str, cnonce: str, body: bytes = b""
) -> str:
    """The `response` value (RFC 7616, 3.4.1): `nc` and `cnonce` as they stand in the header, unused without a qop."""
    algorithm = challenge.algorithm.upper() or "MD5"
    family = algorithm.removesuffix("-SESS")

    def hashed(*parts: str) -> str:
        joined = ":".join(parts).encode("utf-8", "surrogateescape")
        return hashlib.new(ALGORITHMS[family], joined, usedforsecurity=False).hexdigest()

    secret = hashed(credentials.username, challenge.realm, credentials.password)
    if family != algorithm:
        secret = hashed(secret, challenge.nonce, cnonce)
    if challenge.qop == "auth-int":
        body_hash = hashlib.new(ALGORITHMS[family], body, usedforsecurity=False).hexdigest()
        asked = hashed(method, uri, body_hash)
    else:
        asked = hashed(method, uri)
    if challenge.qop:
        return hashed(secret, challenge.nonce, nc, cnonce, challenge.qop, asked)
    return hashed(secret, challenge.nonce, asked)  # RFC 2069, which RFC 3261, 22.4 keeps alive


def parse_challenge(value: str, proxy: bool = False) -> Challenge | None:
    """One challenge; None where it is not Digest, or of an algorithm or qop that we do not have.

    ProtocolError: no realm, no nonce, malformed parameters.
    """
    scheme, _, rest = value.partition(" ")
    if scheme.lower() != "digest":
        return None
    parameters = parse_parameters(";".join(split_outside_quotes(rest, ",")))
    if "realm" not in parameters or "nonce" not in parameters:
        raise ProtocolError("a challenge lacks realm or nonce")
    algorithm = unquote(parameters.get("algorithm", ""))
    if algorithm.upper() not in STRENGTH and algorithm:
        return None
    offered = [qop.strip().lower() for qop in unquote(parameters.get("qop", "")).split(",") if qop.strip()]
    qop = next((known for known in ("auth", "auth-int") if known in offered), "")
    if offered and not qop:
        return None
    return Challenge(
        realm=unquote(parameters["realm"]),
        nonce=unquote(parameters["nonce"]),
        algorithm=algorithm,
        qop=qop,
        opaque=unquote(parameters["opaque"]) if "opaque" in parameters else None,
        stale=unquote(parameters.get("stale", "")).lower() == "true",
        proxy=proxy,
    )


def read_challenges(response: Response) -> list[Challenge]:
    """The challenges of a 401 or 407 that we can answer, the strongest of each realm; a malformed one is left out."""
    best: dict[tuple[bool, str], Challenge] = {}
    for proxy, header in ((False, "WWW-Authenticate"), (True, "Proxy-Authenticate")):
        for value in response.fields.get(header, ())[:CHALLENGES_MAX]:
            try:
                challenge = parse_challenge(value, proxy)
            except ProtocolError:
                continue
            if challenge:
                key = (proxy, challenge.realm)
                if key not in best or challenge.strength > best[key].strength:
                    best[key] = challenge
    return list(best.values())


class DigestClient:
    """What one session knows of the realms that challenged it. The nonce count goes on from request to request."""

    __slots__ = ("_challenges", "_cnonce", "_credentials", "_entropy", "_uses")

    def __init__(self, credentials: Credentials | None, entropy: Callable[[int], bytes]) -> None:
        self._credentials = credentials
        self._entropy = entropy
        self._challenges: dict[tuple[bool, str], Challenge] = {}
        self._uses: dict[tuple[bool, str], int] = {}
        self._cnonce: dict[tuple[bool, str], str] = {}

    def learn(self, response: Response, answered: set[tuple[bool, str]]) -> bool:
        """Take up the challenges of a 401 or 407; whether the request is worth sending once more.

        `answered` are the realms this request has answered already, and is added to: a second challenge of one realm means
        that the password is wrong, unless it says that only the nonce was stale (RFC 3261, 22.2).
        """
        if self._credentials is None:
            return False
        worth = False
        for challenge in read_challenges(response):
            key = (challenge.proxy, challenge.realm)
            if self._credentials.realm not in (None, challenge.realm) or (key in answered and not challenge.stale):
                continue
            self._challenges[key] = challenge
            self._uses[key] = 0
            self._cnonce[key] = self._entropy(CNONCE_BYTES).hex()
            answered.add(key)
            worth = True
        return worth

    def authorize(self, request: Request) -> None:
        """Write the header that answers each challenge known, onto a request that is otherwise finished."""
        if self._credentials is None:
            return
        for key, challenge in self._challenges.items():
            self._uses[key] += 1
            header = CREDENTIAL_HEADERS[challenge.proxy]
            value = self._answer(self._credentials, challenge, request, f"{self._uses[key]:08x}", self._cnonce[key])
            request.fields.setdefault(header, []).append(value)

    @staticmethod
    def _answer(credentials: Credentials, challenge: Challenge, request: Request, nc: str, cnonce: str) -> str:
        response = digest_response(credentials, challenge, request.method, request.uri, nc, cnonce, request.body)
        pieces = [
            f"Digest username={quote(credentials.username)}",
            f"realm={quote(challenge.realm)}",
            f"nonce={quote(challenge.nonce)}",
            f"uri={quote(request.uri)}",
            f'response="{response}"',
        ]
        if challenge.algorithm:
            pieces.append(f"algorithm={challenge.algorithm}")
        if challenge.opaque is not None:
            pieces.append(f"opaque={quote(challenge.opaque)}")
        if challenge.qop:
            pieces.append(f'qop={challenge.qop}, nc={nc}, cnonce="{cnonce}"')
        elif challenge.algorithm.upper().endswith("-SESS"):
            pieces.append(f'cnonce="{cnonce}"')
        return ", ".join(pieces)
