"""A is proven by a code: a real phone hears the figures, the page takes them, and the callback that it asked for is charged."""

from tests.callback.configuration import A, B, charge_a
from tests.callback.installation import Installation
from tests.callback.outcome import assert_no_leg_is_up
from tests.callback.test_hosted import ALIKE, FILTER_SAMPLES, heard_by_a, likeness, spoken
from tests.web.hand import Hand, error
from webcb.billing import books, credentials
from webcb.models import Account, Callback, Leg, PhoneProof, VoiceApplication, Xdr
from webcb.prompts.library import Library
from webcb.web import create_app

PASSWORD = "open sesame"
FIGURES = [f"number-{figure}" for figure in range(10)]


def heard_code(webcb: Installation, library: Library) -> str:
    """The figures that A has heard after the word for the code, as far as they were said; read from the voice alone."""
    try:
        heard, starts = heard_by_a(webcb)
    except (AssertionError, IndexError):  # nothing was said yet
        return ""
    word = spoken(library, "code")
    begins = next(
        (start + late for start in starts for late in FILTER_SAMPLES if likeness(heard, start + late, word) > ALIKE),
        None,
    )
    if begins is None:
        return ""
    at, code = begins + len(word), ""
    prompts = {name[-1]: spoken(library, name) for name in FIGURES}
    while len(code) < credentials.CODE_DIGITS:
        alike = {
            figure: max(likeness(heard, at + off, prompt) for off in (-1, 0, 1)) for figure, prompt in prompts.items()
        }
        figure = max(alike, key=alike.__getitem__)
        if alike[figure] <= ALIKE:
            return ""
        code, at = code + figure, at + len(prompts[figure])
    return code


def test_the_code_that_the_phone_hears_is_the_one_that_the_page_takes(webcb: Installation) -> None:
    library = Library(webcb.settings.data_dir)
    assert library.make("pt") == ""
    Account.update(service_password=credentials.hash_password(PASSWORD)).execute()
    VoiceApplication.update(prove_a="always", languages="en,pt").execute()
    webcb.phone("A", "speaks", calls=2, is_asked=True, quiet_ms=0)
    webcb.phone("B", "hangs_up", ring_ms=100, talk_ms=1000)
    client = create_app(webcb.settings).test_client()
    hand = Hand(client, "/?lang=pt")
    typed = {"password": PASSWORD, "number_a": f"+{A.digits}", "number_b": f"+{B.digits}"}
    assert "código" in hand.press("quote", **typed).text, "that the phone rings for a code is told before it rings"
    told = hand.press("connect")
    assert told.status_code == 200 and 'name="code"' in told.text
    (code_call,) = Callback.select()

    found = Portuguese(library)
    webcb.wire.wait(lambda: bool(heard_code(webcb, found)), 20, "the code is heard")
    code = heard_code(webcb, found)
    wrong = str((int(code) + 1) % 10**6).zfill(6)
    assert (
        error(hand.press("connect", code=wrong).text, "code") == "Este não é o código que foi dito. Digite-o de novo."
    )
    answer = hand.press("connect", code=code)
    assert answer.status_code == 303, answer.text
    callback_id = answer.headers["Location"].rsplit("/", 1)[1]
    row = webcb.wait_for_state(callback_id, "ended", 15)
    assert row.ending == "B hung up"
    assert_no_leg_is_up(webcb, row)

    proven = PhoneProof.get()
    assert (proven.digits, proven.proven_at is not None, proven.tries) == (A.digits, True, 2)
    assert Callback.get_by_id(code_call.id).ending == "user released", "it was still being said"
    bills = {(xdr.callback_id, xdr.leg): xdr for xdr in Xdr.select()}
    assert bills.keys() == {(code_call.id, "A"), (callback_id, "A"), (callback_id, "B")}
    bill = bills[code_call.id, "A"]
    assert bill.charged_micros == charge_a(bill.used_quantity) > 0
    assert Leg.get(Leg.callback == code_call.id).cld == A.digits
    assert books.differences() == []


class Portuguese:
    """The prompts of the language of the page."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def find(self, folder: str, _: str, name: str):
        return self._library.find(folder, "pt", name)
