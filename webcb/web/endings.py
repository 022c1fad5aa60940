"""What is said when a callback has ended: `callback.ending` in plain words, and in a word for each phone.

Pure. The endings themselves are named by the engine, which the pages do not know: an unknown one is said neutrally.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EndingWords:
    """`headline` says it in two or three words, `detail` as a sentence.

    `leg_a`, `leg_b` say what became of a phone where the ending itself tells; else its row does.
    """

    headline: str
    detail: str
    leg_a: str = ""
    leg_b: str = ""


_NOTHING_CHARGED = "Nothing was charged."

_ENDINGS = {
    "A hung up": EndingWords("Call ended", "You hung up.", leg_a="Hung up"),
    "B hung up": EndingWords("Call ended", "The other side hung up.", leg_b="Hung up"),
    "time is out": EndingWords("Call ended", "The funds of your account were used up."),
    "longest talk reached": EndingWords("Call ended", "The longest talk this service allows was reached."),
    "user released": EndingWords("Call ended", "You ended the call from this page."),
    "operator released": EndingWords("Call ended", "The service provider ended the call."),
    "account blocked": EndingWords("Call ended", "The account was blocked, so the call was ended."),
    "customer blocked": EndingWords("Call ended", "The account was blocked, so the call was ended."),
    "media lost": EndingWords("Call ended", "The voice of both sides was lost, so the call was ended."),
    "engine stopped": EndingWords("Call ended", "The service was restarted and had to end the call."),
    "engine fault": EndingWords("Call ended", "Something went wrong on our side, so the call was ended."),
    "expired": EndingWords("Call not made", f"The call could not be started in time. {_NOTHING_CHARGED}"),
    "no key pressed": EndingWords("Call ended", "No key was pressed on your phone."),
    "asked never to be called again": EndingWords("Call ended", "You asked never to be called again."),
    "not logged in": EndingWords("Call ended", "No valid PIN was entered on your phone."),
    "A busy": EndingWords("Your phone was busy", f"Hang up and call again. {_NOTHING_CHARGED}", "Busy"),
    "A did not answer": EndingWords(
        "You did not answer", f"Your phone rang, but nobody answered. {_NOTHING_CHARGED}", "No answer"
    ),
    "A unreachable": EndingWords(
        "Your phone could not be reached", f"Check its number. {_NOTHING_CHARGED}", "Unreachable"
    ),
    "A refused": EndingWords("Your phone refused the call", f"Check its number. {_NOTHING_CHARGED}", "Refused"),
    "B busy": EndingWords("The other side is busy", "Try again in a few minutes.", leg_b="Busy"),
    "B did not answer": EndingWords(
        "The other side did not answer", "It rang, but nobody answered.", leg_b="No answer"
    ),
    "B unreachable": EndingWords(
        "The other side could not be reached", "Check the number you dialled.", leg_b="Unreachable"
    ),
    "B refused": EndingWords(
        "The other side refused the call", "Try again later, or check the number.", leg_b="Refused"
    ),
}

_REFUSED = EndingWords(
    "Call not made",
    f"The service could not go through with it: the account or its funds have changed meanwhile. {_NOTHING_CHARGED}",
)
_UNKNOWN = EndingWords("Call ended", "The service ended the call.")


def words(ending: str) -> EndingWords:
    """What to say about `callback.ending`."""
    return _REFUSED if ending.startswith("refused:") else _ENDINGS.get(ending, _UNKNOWN)
