"""What is said when a callback has ended: `callback.ending` in plain words, and in a word for each phone.

Pure but for the reader's language. The endings are named by the engine, which the pages do not know:
an unknown one is said neutrally.
"""

from dataclasses import dataclass

from webcb.web.languages import gettext, marked


@dataclass(frozen=True, slots=True)
class EndingWords:
    """`headline` says it in two or three words, `detail` as a sentence.

    `leg_a`, `leg_b` say what became of a phone where the ending itself tells; else its row does. `is_free`: that nothing was charged
    is said as well.
    """

    headline: str
    detail: str
    leg_a: str = ""
    leg_b: str = ""
    is_free: bool = False


_ENDINGS = {
    "A hung up": EndingWords(marked("Call ended"), marked("You hung up."), leg_a=marked("Hung up")),
    "B hung up": EndingWords(marked("Call ended"), marked("The other side hung up."), leg_b=marked("Hung up")),
    "time is out": EndingWords(marked("Call ended"), marked("The funds of your account were used up.")),
    "longest talk reached": EndingWords(
        marked("Call ended"), marked("The longest talk this service allows was reached.")
    ),
    "user released": EndingWords(marked("Call ended"), marked("You ended the call from this page.")),
    "operator released": EndingWords(marked("Call ended"), marked("The service provider ended the call.")),
    "account blocked": EndingWords(marked("Call ended"), marked("The account was blocked, so the call was ended.")),
    "customer blocked": EndingWords(marked("Call ended"), marked("The account was blocked, so the call was ended.")),
    "product blocked": EndingWords(marked("Call ended"), marked("This service was blocked, so the call was ended.")),
    "tariff blocked": EndingWords(marked("Call ended"), marked("This service was blocked, so the call was ended.")),
    "media lost": EndingWords(marked("Call ended"), marked("The voice of both sides was lost, so the call was ended.")),
    "connection lost": EndingWords(
        marked("Call ended"), marked("The connection to one of the phones was lost, so the call was ended.")
    ),
    "engine stopped": EndingWords(marked("Call ended"), marked("The service was restarted and had to end the call.")),
    "engine fault": EndingWords(
        marked("Call ended"), marked("Something went wrong on our side, so the call was ended.")
    ),
    "expired": EndingWords(marked("Call not made"), marked("The call could not be started in time."), is_free=True),
    "A busy": EndingWords(
        marked("Your phone was busy"), marked("Hang up and call again."), marked("Busy"), is_free=True
    ),
    "A did not answer": EndingWords(
        marked("You did not answer"), marked("Your phone rang, but nobody answered."), marked("No answer"), is_free=True
    ),
    "A unreachable": EndingWords(
        marked("Your phone could not be reached"), marked("Check its number."), marked("Unreachable"), is_free=True
    ),
    "A refused": EndingWords(
        marked("Your phone refused the call"), marked("Check its number."), marked("Refused"), is_free=True
    ),
    "B busy": EndingWords(
        marked("The other side is busy"), marked("Try again in a few minutes."), leg_b=marked("Busy")
    ),
    "B did not answer": EndingWords(
        marked("The other side did not answer"), marked("It rang, but nobody answered."), leg_b=marked("No answer")
    ),
    "B unreachable": EndingWords(
        marked("The other side could not be reached"),
        marked("Check the number you dialled."),
        leg_b=marked("Unreachable"),
    ),
    "B refused": EndingWords(
        marked("The other side refused the call"),
        marked("Try again later, or check the number."),
        leg_b=marked("Refused"),
    ),
    "B not in service": EndingWords(
        marked("This number is not in service"), marked("Check the number you dialled."), leg_b=marked("Unreachable")
    ),
    "no key pressed": EndingWords(
        marked("You did not confirm the call"), marked("Call again, and press the key that the voice asks for.")
    ),
    "asked never to be called again": EndingWords(
        marked("No more calls to this phone"), marked("This phone asked never to be called by this service again.")
    ),
    "not logged in": EndingWords(
        marked("You were not logged in"), marked("The PIN was wrong too often. Call again and check the PIN.")
    ),
    "code said": EndingWords(marked("Code said"), marked("Type the code that you heard.")),
}

_REFUSED = EndingWords(
    marked("Call not made"),
    marked("The service could not go through with it: the account or its funds have changed meanwhile."),
    is_free=True,
)
_UNKNOWN = EndingWords(marked("Call ended"), marked("The service ended the call."))


def words(ending: str) -> EndingWords:
    """What to say about `callback.ending`."""
    found = _REFUSED if ending.startswith("refused:") else _ENDINGS.get(ending, _UNKNOWN)
    detail, free = gettext(found.detail), gettext("Nothing was charged.")
    return EndingWords(
        gettext(found.headline),
        f"{detail} {free}" if found.is_free else detail,
        found.leg_a and gettext(found.leg_a),
        found.leg_b and gettext(found.leg_b),
        found.is_free,
    )
