"""Why a callback or a leg ended: the endings by name, and the way from a SIP status to one. Pure.

The Q.850 cause of a SIP answer comes with the event (sip.events.Cause); here stand only the causes we give ourselves.
"""

from enum import IntEnum, StrEnum
from typing import Final, Literal

LegName = Literal["A", "B"]

REFUSED_PREFIX: Final = "refused: "  # then the billing Reason, as in "refused: NO_FUNDS"


class Ending(StrEnum):
    """How a callback ended, as written on its row. A refusal at the start is REFUSED_PREFIX and its reason instead."""

    A_HUNG_UP = "A hung up"
    B_HUNG_UP = "B hung up"
    TIME_IS_OUT = "time is out"
    LONGEST_TALK = "longest talk reached"
    USER_RELEASED = "user released"
    OPERATOR_RELEASED = "operator released"
    ACCOUNT_BLOCKED = "account blocked"
    CUSTOMER_BLOCKED = "customer blocked"
    PRODUCT_BLOCKED = "product blocked"
    TARIFF_BLOCKED = "tariff blocked"
    A_BUSY = "A busy"
    A_NO_ANSWER = "A did not answer"
    A_UNREACHABLE = "A unreachable"
    A_REFUSED = "A refused"
    B_BUSY = "B busy"
    B_NO_ANSWER = "B did not answer"
    B_UNREACHABLE = "B unreachable"
    B_REFUSED = "B refused"
    NO_KEY = "no key pressed"
    NEVER_AGAIN = "asked never to be called again"
    NOT_LOGGED_IN = "not logged in"
    CODE_SAID = "code said"
    MEDIA_LOST = "media lost"
    PEER_LOST = "connection lost"
    ENGINE_STOPPED = "engine stopped"
    ENGINE_FAULT = "engine fault"
    EXPIRED = "expired"


class Q850(IntEnum):
    """The Q.850 causes this engine gives by itself: in a Reason header (RFC 3326) and on xDRs."""

    NO_ROUTE = 3
    NORMAL_CLEARING = 16
    NO_USER_RESPONDING = 18
    NO_ANSWER = 19
    NORMAL_UNSPECIFIED = 31
    NO_CIRCUIT = 34
    NETWORK_OUT_OF_ORDER = 38
    TEMPORARY_FAILURE = 41
    CONGESTION = 42
    INCOMPATIBLE_DESTINATION = 88


_RELEASE_CAUSES: Final = {
    Ending.MEDIA_LOST: Q850.NORMAL_UNSPECIFIED,
    Ending.ENGINE_STOPPED: Q850.TEMPORARY_FAILURE,
    Ending.ENGINE_FAULT: Q850.TEMPORARY_FAILURE,
}


def release_cause(ending: Ending, is_answered: bool) -> int:
    """The Q.850 cause with which a leg still up is released when the callback ends so."""
    if not is_answered and ending in (Ending.A_NO_ANSWER, Ending.B_NO_ANSWER):
        return Q850.NO_ANSWER
    return _RELEASE_CAUSES.get(ending, Q850.NORMAL_CLEARING)


# A leg that was not answered ----------------------------------------------------------------------------------------

_BUSY: Final = frozenset({486, 600})
_NOBODY: Final = frozenset({408, 480, 487})  # once it has rung; before that nobody was reached at all
# Who is called, or the switch before them, said no (RFC 3261, 21.4 and 21.6); 488 and 606: no voice in common.
_REFUSED: Final = frozenset({401, 402, 403, 406, 407, 415, 488, 603, 606, 607})
_ENDINGS: Final[dict[LegName, tuple[Ending, Ending, Ending, Ending]]] = {
    "A": (Ending.A_BUSY, Ending.A_NO_ANSWER, Ending.A_REFUSED, Ending.A_UNREACHABLE),
    "B": (Ending.B_BUSY, Ending.B_NO_ANSWER, Ending.B_REFUSED, Ending.B_UNREACHABLE),
}


def leg_ending(leg: LegName, status: int, rang: bool) -> Ending:
    """How a callback ends whose leg got this final SIP status instead of an answer; 0 where no route could be tried."""
    busy, no_answer, refused, unreachable = _ENDINGS[leg]
    if status in _BUSY:
        return busy
    if status in _NOBODY and rang:
        return no_answer
    return refused if status in _REFUSED else unreachable


def hung_up(leg: LegName) -> Ending:
    """How a callback ends in which this leg hung up."""
    return Ending.A_HUNG_UP if leg == "A" else Ending.B_HUNG_UP


def no_answer(leg: LegName) -> Ending:
    """How a callback ends in which this leg rang until its time was over."""
    return _ENDINGS[leg][1]


# The domain's list (section 8), completed: a redirection that is not followed, and 401 and 407 that end an attempt mean that the
# vendor does not accept our credentials; another vendor may carry the call all the same.
_FAIL_OVER: Final = frozenset({0, 401, 407, 408, 415, 488, 606})


def may_fail_over(status: int) -> bool:
    """Whether the next route is tried after an attempt that ended so; 0 is a transport failure (domain 8)."""
    return status in _FAIL_OVER or 300 <= status < 400 or 500 <= status < 600
