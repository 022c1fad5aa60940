"""The phones of the demo carrier: which number does what. A table, nothing else; `phone` carries it out.

The numbers are of the kind that films use: well formed, in nobody's hands.
"""

from dataclasses import dataclass
from enum import StrEnum

from webcb.number import display_number


class Voice(StrEnum):
    """What a phone says once it has answered."""

    ODE = "Ode to Joy"
    CANON = "Frère Jacques"
    ECHO = "what it hears"
    SILENCE = "nothing"


OK = 200
KEY_MS = 300
PAUSE_MS = 3000
NOT_FOUND = 404
BUSY_HERE = 486
DECLINE = 603


@dataclass(frozen=True, slots=True)
class Phone:
    """One phone: `decides_ms` after the INVITE it gives the final status `decision`; None: it rings for ever.

    `hangs_up_ms` counts from its answer, `keys` are pressed from
    then on, KEY_MS apart, a space being a pause of PAUSE_MS. `algorithm` is that of the digest the switch asks for before it
    lets a call through, or "".
    """

    number: str
    country: str
    does: str
    decision: int = OK
    decides_ms: int | None = 1500
    voice: Voice = Voice.SILENCE
    hangs_up_ms: int | None = None
    algorithm: str = ""
    keys: str = ""

    @property
    def rings(self) -> bool:
        """Whether the caller is told 180 before the decision."""
        return self.decides_ms != 0


CALLER = Phone("551155550100", "Brazil", "your own phone: rings, answers, plays a tune", voice=Voice.CANON)
SPEAKS = Phone("12065550100", "USA", "rings, answers, plays a tune", voice=Voice.ODE)
ECHOES = Phone("12065550101", "USA", "answers and says back what it hears", voice=Voice.ECHO)
RINGS_OUT = Phone("12065550102", "USA", "rings; nobody is at home", decides_ms=None)
BUSY = Phone("12065550103", "USA", "is busy", decision=BUSY_HERE, decides_ms=0)
SLOW = Phone("12065550104", "USA", "is slow: answers after 8 seconds", decides_ms=8000, voice=Voice.ODE)
SHORT = Phone("12065550105", "USA", "answers, hangs up after 10 seconds", voice=Voice.ODE, hangs_up_ms=10_000)
CHALLENGED_MD5 = Phone("12065550106", "USA", "is behind a digest challenge, MD5", voice=Voice.ODE, algorithm="MD5")
CHALLENGED_SHA256 = Phone(
    "12065550107", "USA", "is behind a digest challenge, SHA-256", voice=Voice.ODE, algorithm="SHA-256"
)
ABSENT = Phone("12065550108", "USA", "is not in service", decision=NOT_FOUND, decides_ms=0)
REJECTS = Phone("12065550109", "USA", "rejects the call after 2 seconds", decision=DECLINE, decides_ms=2000)
HELPDESK = Phone("12065550199", "USA", "the helpdesk, free of charge: answers, plays a tune", voice=Voice.ODE)
SECOND_CALLER = Phone("551155550101", "Brazil", "another phone of yours; nobody is at home", decides_ms=None)
# Trusted by alice's account: it is asked for no PIN, and its keys choose whom to call.
FINGER = Phone(
    "551155550102",
    "Brazil",
    "a phone of alice's: follows a voice, dials the helpdesk by keys",
    voice=Voice.CANON,
    keys=f" 1 {HELPDESK.number}#",
)

PHONES: tuple[Phone, ...] = (
    CALLER,
    SECOND_CALLER,
    FINGER,
    SPEAKS,
    ECHOES,
    RINGS_OUT,
    BUSY,
    SLOW,
    SHORT,
    CHALLENGED_MD5,
    CHALLENGED_SHA256,
    ABSENT,
    REJECTS,
    HELPDESK,
)


def table(phones: tuple[Phone, ...]) -> str:
    """The phones as lines for a person: number, country, what it does."""
    return "\n".join(f"  {display_number(phone.number):<20} {phone.country:<8} {phone.does}" for phone in phones)
