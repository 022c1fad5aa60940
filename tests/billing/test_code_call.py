"""That A is proven by a code (domain 9): who needs one, what it takes and costs, and that it plagues nobody."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.billing import rows
from tests.billing.rows import NOON, NUMBER_A
from tests.billing.test_on_postgresql import at_once
from webcb import models
from webcb.billing import code_call, credentials, hosted, never, proof, reception
from webcb.billing.authorization import Reason, Refusal
from webcb.billing.code_call import Asked
from webcb.billing.hosted import BegunAlone
from webcb.billing.reception import Order, Placed

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
OTHER_A = rows.number("+5511999887700")


@pytest.fixture(autouse=True)
def key() -> None:
    credentials.use_key("0" * 64)


@pytest.fixture
def house(database: object) -> rows.House:
    """A house whose one voice application wants A to be proven, always; it has an internal account."""
    made = rows.house()
    desk = models.Customer.create(name="Desk", wallet=rows.wallet("0", credit_limit="10"))
    internal = rows.account(
        desk, made.product, "internal", wallet=desk.wallet, type="credit", balance_control="subordinate"
    )
    models.VoiceApplication.update(
        prove_a="always",
        kinds="simple,extended,hosted",
        internal_account=internal,
        second_number="12065550123",
        languages="en,pt",
    ).execute()
    return made


def ask(order: Order, code: str = "", at=NOON, **more: bool):
    return code_call.place(order, code, "pt", at, **more)


def said(callback_id: str) -> str:
    return credentials.spoken_code(callback_id)


def end(callback_id: str) -> None:
    models.Callback.update(state="ended", ended_at=NOON, ending="code said").where(
        models.Callback.id == callback_id
    ).execute()


def test_a_code_is_said_to_a_alone_and_then_the_callback_is_placed(house: rows.House) -> None:
    order = rows.order(house)
    assert reception.place(order, NOON) == Refusal(Reason.CODE_NEEDED, "A")
    assert code_call.payer(order, NOON) == "account"
    told = ask(order)
    assert isinstance(told, Asked) and told.is_new
    (row,) = models.Callback.select()
    assert (row.kind, row.account_id, [leg.cld for leg in models.Leg.select()]) == (
        "code",
        house.account.id,
        [NUMBER_A.digits],
    )
    trigger = hosted.trigger(told.callback_id)
    assert (trigger.languages, trigger.code) == (("pt", "en"), said(told.callback_id))
    assert isinstance(hosted.begin(told.callback_id, NOON), BegunAlone)
    placed = ask(order, f" {trigger.code[:3]} {trigger.code[3:]}", NOON + MINUTE)
    assert isinstance(placed, Placed)
    assert models.Callback.get_by_id(placed.callback_id).kind == "extended"
    assert models.Callback.get_by_id(told.callback_id).release_asked_by == "user", "the phone is set free"
    assert code_call.payer(replace(order, idempotency_key="next"), NOON + MINUTE) is None


def test_a_proven_number_needs_no_code_for_so_many_days_and_only_for_its_account(house: rows.House) -> None:
    told = ask(rows.order(house))
    ask(rows.order(house), said(told.callback_id))
    assert isinstance(reception.place(rows.order(house, "later"), NOON + 89 * DAY), Placed)
    assert reception.place(rows.order(house, "too late"), NOON + 91 * DAY) == Refusal(Reason.CODE_NEEDED, "A")
    elsewhere = rows.order(house, "elsewhere", number_a=OTHER_A)
    assert reception.place(elsewhere, NOON + DAY) == Refusal(Reason.CODE_NEEDED, "A")
    rows.account(house.customer, house.product, "cb2002")
    stranger = rows.order(house, "stranger", login="cb2002")
    assert reception.place(stranger, NOON + DAY) == Refusal(Reason.CODE_NEEDED, "A")
    models.VoiceApplication.update(proof_days=0).execute()
    assert reception.place(rows.order(house, "at once"), NOON + DAY) == Refusal(Reason.CODE_NEEDED, "A")


@pytest.mark.parametrize(
    ("wanted", "needed_by"),
    [("never", set()), ("without password", {"simple", "hosted"}), ("always", {"simple", "hosted", "extended"})],
)
def test_for_which_kinds(house: rows.House, wanted: str, needed_by: set[str]) -> None:
    models.VoiceApplication.update(prove_a=wanted).execute()
    simple = rows.order(house, "s", kind="simple", number_b=None)
    alone = rows.order(house, "h", kind="hosted", login="", number_b=None, holder="visitor")
    orders = {"extended": rows.order(house, "e"), "simple": simple, "hosted": alone}
    assert {kind for kind, order in orders.items() if code_call.payer(order, NOON)} == needed_by
    assert {kind for kind, order in orders.items() if isinstance(ask(order), Asked)} == needed_by


def test_what_an_operator_asks_for_needs_none(house: rows.House) -> None:
    assert isinstance(reception.place(rows.order(house, requested_from="cli"), NOON), Placed)


def test_a_hosted_proof_is_its_visitors_alone_and_paid_by_the_internal_account(house: rows.House) -> None:
    order = rows.order(house, "h", kind="hosted", login="", number_b=None, holder="visitor")
    told = ask(order)
    assert models.Callback.get_by_id(told.callback_id).account.login == "internal"
    assert code_call.payer(order, NOON) == "internal account"
    assert isinstance(ask(replace(order, holder="other", idempotency_key="o")), Asked), (
        "who has not heard it is told one"
    )
    assert isinstance(ask(order, said(told.callback_id)), Placed)
    assert isinstance(ask(replace(order, holder="third", idempotency_key="t")), Asked)


def test_the_operator_may_pay_for_the_code(house: rows.House) -> None:
    models.VoiceApplication.update(code_paid_by="internal account").execute()
    told = ask(rows.order(house))
    assert models.Callback.get_by_id(told.callback_id).account.login == "internal"
    assert isinstance(ask(rows.order(house), said(told.callback_id)), Placed), (
        "the number is the account's all the same"
    )


def test_five_tries_and_ten_minutes(house: rows.House) -> None:
    order = rows.order(house)
    first = ask(order)
    wrong = "000000" if said(first.callback_id) != "000000" else "000001"
    for _ in range(proof.TRIES_MAX):
        assert ask(order, wrong) == Refusal(Reason.CODE_WRONG, "A")
    assert ask(order, said(first.callback_id)) == Refusal(Reason.CODE_OVER, "A"), "guessed too often"
    second = ask(order)
    assert second.is_new
    assert ask(order, said(second.callback_id), NOON + 11 * MINUTE) == Refusal(Reason.CODE_OVER, "A")
    assert models.Callback.select().where(models.Callback.kind == "extended").count() == 0


def test_many_tries_at_once_are_no_more_than_five(house: rows.House) -> None:
    told = ask(rows.order(house))
    claim = proof.Claim(house.account.id, NUMBER_A.digits)
    wrong = "000000" if said(told.callback_id) != "000000" else "000001"
    answers = at_once(proof.enter, [(claim, wrong, NOON)] * 20)
    assert answers.count(proof.Answer.WRONG) == proof.TRIES_MAX
    assert answers.count(proof.Answer.OVER) == 20 - proof.TRIES_MAX


def test_pressing_twice_rings_once_and_again_rings_when_it_has_ended(house: rows.House) -> None:
    order = rows.order(house)
    first = ask(order)
    assert ask(order) == Asked(first.callback_id, is_new=False)
    assert ask(order, again=True) == Asked(first.callback_id, is_new=False), "it is still being said"
    end(first.callback_id)
    assert ask(order) == Asked(first.callback_id, is_new=False), "it can be typed yet"
    second = ask(order, again=True)
    assert second.is_new
    assert ask(order, said(first.callback_id)) == Refusal(Reason.CODE_WRONG, "A"), "the last one said counts"
    assert isinstance(ask(order, said(second.callback_id)), Placed)


def test_nobodys_phone_is_made_to_ring_more_than_three_times_an_hour(house: rows.House) -> None:
    """From any account, any source, with any number of visitors."""
    rung = 0
    for turn in range(8):
        login = f"mob{turn}"
        rows.account(house.customer, house.product, login)
        order = rows.order(house, f"k{turn}", login=login, requested_from=f"198.51.100.{turn}")
        verdict = ask(order, at=NOON + turn * MINUTE)
        rung += isinstance(verdict, Asked)
        if turn >= code_call.OF_NUMBER:
            assert verdict == Refusal(Reason.CODES_TOO_OFTEN, "A")
    assert rung == code_call.OF_NUMBER


def test_one_source_and_one_account_have_no_more_than_ten_numbers_rung_an_hour(house: rows.House) -> None:
    models.VoiceApplication.update(concurrent_per_account=1000).execute()
    verdicts = [
        ask(rows.order(house, f"k{turn}", number_a=rows.number(f"+55119998870{turn:02}"))) for turn in range(12)
    ]
    assert [isinstance(each, Asked) for each in verdicts] == [True] * 10 + [False] * 2


def test_what_would_be_refused_anyway_rings_nowhere(house: rows.House) -> None:
    never.remember(OTHER_A.digits, NOON)
    assert ask(rows.order(house, number_a=OTHER_A)) == Refusal(Reason.NEVER_CALL, "A")
    premium = rows.order(house, "p", number_b=rows.number("+1 900 555 0123"))
    assert ask(premium) == Refusal(Reason.PREMIUM, "B")
    models.Account.update(blocked=True).execute()
    assert ask(rows.order(house, "b")).reason is Reason.ACCOUNT_BLOCKED
    assert models.Callback.select().count() == 0


def test_a_code_is_nowhere_in_the_rows_and_another_key_says_another(house: rows.House) -> None:
    told = ask(rows.order(house))
    code = said(told.callback_id)
    assert len(code) == credentials.CODE_DIGITS
    stored = [value for table in models.ALL_TABLES for row in table.select().tuples() for value in row]
    assert code not in map(str, stored)
    credentials.use_key("1" * 64)
    assert said(told.callback_id) != code
