"""What is said to the user when a callback is refused: beside which field, in which words, and what would be right.

Pure but for the reader's language. Why it is refused is `billing.authorization.Reason`; a test holds that every reason has its words.
"""

from dataclasses import dataclass

from webcb.billing.authorization import Reason, Refusal
from webcb.billing.reception import CallbackKind
from webcb.web.languages import gettext, marked
from webcb.web.printing import money


@dataclass(frozen=True, slots=True)
class Words:
    """A refusal as the page says it; `field` is the name of the form's field, or "" for the form as a whole."""

    field: str
    text: str


_NUMBER_FIELDS = {"A": "number_a", "B": "number_b"}

_BLOCKED = marked("The service of this account is blocked at the moment. Ask the service provider.")

# Unknown ID and wrong password are one reason and one sentence: nobody learns here which account IDs exist.
_WORDS = {
    Reason.WRONG_CREDENTIALS: Words(
        "password", marked("Account ID and password do not match. Check both; capital letters count in the password.")
    ),
    Reason.ACCOUNT_BLOCKED: Words("login", marked("This account is blocked. Ask the service provider to unblock it.")),
    Reason.ACCOUNT_CLOSED: Words("login", marked("This account is closed. Use another account.")),
    Reason.ACCOUNT_INACTIVE: Words(
        "login",
        marked("This account is not active yet. Ask the service provider to activate it, or wait for its first day."),
    ),
    Reason.ACCOUNT_EXPIRED: Words("login", marked("This account has expired. Ask the service provider to extend it.")),
    Reason.CUSTOMER_BLOCKED: Words(
        "login", marked("The customer this account belongs to is blocked. Ask the service provider.")
    ),
    Reason.PRODUCT_BLOCKED: Words("login", _BLOCKED),
    Reason.TARIFF_BLOCKED: Words("login", _BLOCKED),
    Reason.NOT_PERMITTED: Words(
        "login", marked("This account's product does not include callback. Ask the service provider to add it.")
    ),
    Reason.DAILY_SPEND: Words(
        "login",
        marked("What may be spent in a day is spent. Call again tomorrow, or ask the service provider."),
    ),
    Reason.TOO_MANY: Words(
        "login", marked("This account has as many calls going on as it may have. Wait until one of them has ended.")
    ),
    Reason.APPLICATION_CLOSED: Words("", marked("This service is closed at the moment. Try again later.")),
    Reason.BAD_NUMBER: Words("number_b", marked("This is not a telephone number. Enter it with its country code.")),
    Reason.NEVER_CALL: Words(
        "number_a",
        marked(
            "Who has this number asked never to be called by this service. Ask the service provider to allow it again."
        ),
    ),
    Reason.KIND_CLOSED: Words("", marked("This kind of callback is not offered here.")),
    Reason.SOURCE_BARRED: Words("", marked("Calls cannot be asked for from where you are. Ask the service provider.")),
    Reason.LINK_NEEDED: Words(
        "",
        marked(
            "This page works by the link that you were given, for a while. Open that link again, or ask the service provider"
            " for a new one."
        ),
    ),
    Reason.CHALLENGE_UNSOLVED: Words(
        "",
        marked(
            "Your browser has not done the sum that keeps robots away. Allow scripts for this page and press again."
        ),
    ),
    Reason.CODE_NEEDED: Words(
        "code",
        marked(
            "Whose phone this is has to be proven first, by a code that is said there. Ask for the call on the page, or in"
            " self-care."
        ),
    ),
    Reason.CODE_WRONG: Words("code", marked("This is not the code that was said. Type it again.")),
    Reason.CODE_OVER: Words("code", marked("This code is not good any more. Have another one said.")),
    Reason.CODES_TOO_OFTEN: Words(
        "", marked("Too many codes were asked for. Wait twenty minutes before you ask for another.")
    ),
    Reason.TOO_MANY_TRIES: Words(
        "password", marked("That was tried too often. Wait a quarter of an hour, then type the password again.")
    ),
    Reason.TOO_OFTEN: Words(
        "", marked("Too many calls were asked for within a minute. Wait a minute and press again.")
    ),
    Reason.SERVICE_FULL: Words("", marked("All lines are busy at the moment. Try again in a few minutes.")),
    Reason.SAME_NUMBER: Words(
        "number_b", marked("This is the number to be called at. Enter the number of the person you want to talk to.")
    ),
}

# Reasons that lie in one of the two numbers; the refusal says in which.
_NUMBER_WORDS = {
    Reason.EMERGENCY: marked("Emergency numbers cannot be called from here. Dial it directly on your phone."),
    Reason.PREMIUM: marked("Premium-rate and satellite numbers cannot be called. Enter an ordinary number."),
    Reason.OWN_NUMBER: marked("This number leads back to this service, so it cannot be called. Enter another number."),
    Reason.BARRED: marked("This service does not call this destination. Enter a number of another destination."),
    Reason.QUIET_HOURS: marked("It is night where this phone is, and nobody is rung then. Try again in the morning."),
    Reason.TOO_MANY_TO_NUMBER: marked("This phone is being called already. Wait until that call has ended."),
    Reason.NO_RATE: marked("There is no price for this number, so it cannot be called. Check its country code."),
    Reason.FORBIDDEN: marked("Calls to this destination are not allowed. Enter a number of another destination."),
    Reason.NO_ROUTE: marked("This number cannot be reached at the moment. Try another number, or try again later."),
}


_PINS = Words(
    "number_a", marked("The PIN was wrong too often on this phone. Wait a quarter of an hour, then ask again.")
)
_NO_ACCOUNT = Words("login", marked("There is no account with this ID. Check it."))
# What of the operator's own, his account or his number, is not as it should be is no caller's affair.
_OPERATORS_AFFAIR = {"simple": ("number_b",), "hosted": ("login", "password", "number_b")}


def words(refusal: Refusal, kind: CallbackKind = "extended") -> Words:
    """What to say about a refusal of a callback of this kind, and where."""
    if kind == "simple" and refusal.reason is Reason.WRONG_CREDENTIALS:
        return Words(_NO_ACCOUNT.field, gettext(_NO_ACCOUNT.text))
    if kind == "hosted" and refusal.reason is Reason.TOO_MANY_TRIES:
        return Words(_PINS.field, gettext(_PINS.text))
    said = _words(refusal)
    if said.field in _OPERATORS_AFFAIR.get(kind, ()):
        return Words("", gettext(_WORDS[Reason.APPLICATION_CLOSED].text))
    return said


def _words(refusal: Refusal) -> Words:
    if refusal.reason in _NUMBER_WORDS:
        return Words(_NUMBER_FIELDS.get(refusal.leg or "", ""), gettext(_NUMBER_WORDS[refusal.reason]))
    if refusal.reason is Reason.NO_FUNDS:
        return Words("login", _no_funds(refusal))
    said = _WORDS[refusal.reason]
    return Words(said.field, gettext(said.text))


def _no_funds(refusal: Refusal) -> str:
    if not refusal.needed_micros:
        return gettext("The funds of this account are too low for these two calls. Top it up and try again.")
    return gettext(
        "The funds of this account are too low for these two calls: they need at least %(amount)s. Top it up and try again.",
        amount=money(refusal.needed_micros, refusal.currency),
    )
