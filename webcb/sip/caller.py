"""Who calls, in the headers by which carriers want to be told: From, P-Asserted-Identity, P-Preferred-Identity, Remote-Party-ID,
Privacy, Diversion (RFC 3323, 3325, 5806). Which of them a carrier gets is the owner's matter.
"""

from dataclasses import dataclass
from typing import Final

from webcb.sip.grammar import ALPHANUMERIC, quote
from webcb.sip.uri import parse_uri

ANONYMOUS: Final = "anonymous"
ANONYMOUS_NAME: Final = "Anonymous"
ANONYMOUS_HOST: Final = "anonymous.invalid"  # RFC 3323, 4.1.1.3
USER_CHARACTERS: Final = ALPHANUMERIC + "+*#-._"
USER_LENGTH_MAX: Final = 64
IDENTITY_HEADERS: Final = ("P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID")


@dataclass(frozen=True, slots=True)
class Caller:
    """The calling party of one INVITE. Users and domain are as they stand in a URI: see `user_part`.

    `user` is shown in From, "" where nobody is known; `identity` in each of `headers` (of IDENTITY_HEADERS), "" for the same as in
    From. `withheld`: the called party is shown nobody. `is_verified` says in Remote-Party-ID that the number is known to be the
    caller's. `diverting` stands in Diversion, "" for no such header. `anonymous_domain` takes the place of `domain` where nobody is
    shown.
    """

    user: str
    domain: str
    name: str = ""
    identity: str = ""
    headers: tuple[str, ...] = ()
    withheld: bool = False
    is_verified: bool = False
    diverting: str = ""
    anonymous_domain: str = ANONYMOUS_HOST

    @property
    def is_anonymous(self) -> bool:
        """Whether From shows nobody."""
        return self.withheld or not self.user

    @property
    def from_uri(self) -> str:
        """The URI of From."""
        if self.is_anonymous:
            return f"sip:{ANONYMOUS}@{self.anonymous_domain}"
        return f"sip:{self.user}@{self.domain}"

    @property
    def from_name(self) -> str:
        """The display name of From, without quotes."""
        return ANONYMOUS_NAME if self.is_anonymous else self.name


def user_part(text: str) -> str:
    """`text` if it can be the user part of a URI as it is: digits, letters, + * # - . _. ValueError: it cannot, or is empty."""
    if not text or len(text) > USER_LENGTH_MAX or text.strip(USER_CHARACTERS):
        raise ValueError(f"{text[:USER_LENGTH_MAX]!r} cannot stand for a number in a SIP URI")
    return text


def caller_headers(caller: Caller) -> tuple[tuple[str, str], ...]:
    """The headers that an INVITE has beside From, name and value. ValueError: a user or the domain fits no URI."""
    found = []
    identity = caller.identity or caller.user
    if identity:
        shown = f"{quote(caller.name)} " if caller.name else ""
        address = f"{shown}<{_uri(identity, caller.domain)}>"
        party = _party(caller)
        unknown = next((header for header in caller.headers if header not in IDENTITY_HEADERS), None)
        if unknown is not None:
            raise ValueError(f"{unknown!r} is no header of a caller's identity")
        found += [(header, address + (party if header == "Remote-Party-ID" else "")) for header in caller.headers]
    if caller.withheld:
        found.append(("Privacy", "id"))
    if caller.diverting:
        privacy = "full" if caller.withheld else "off"
        address = f"<{_uri(caller.diverting, caller.domain)}>"
        found.append(("Diversion", f"{address};reason=unconditional;counter=1;privacy={privacy}"))
    return tuple(found)


def _party(caller: Caller) -> str:
    """The parameters of Remote-Party-ID (draft-ietf-sip-privacy-04)."""
    screen, privacy = "yes" if caller.is_verified else "no", "full" if caller.withheld else "off"
    return f";party=calling;screen={screen};privacy={privacy}"


def _uri(user: str, domain: str) -> str:
    uri = f"sip:{user_part(user)}@{domain}"
    parse_uri(uri)
    return uri
