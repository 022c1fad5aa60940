"""Hosted callbacks at the door of billing: internal account, log-in, one destination after the other; Simple; numbers never to call."""

from datetime import timedelta

import pytest

from tests.billing import rows
from tests.billing.rows import NOON, NUMBER_A, PASSWORD
from webcb import models
from webcb.billing import books, hosted, ledger, reception, settlement, trusted
from webcb.billing.authorization import Reason, Refusal
from webcb.billing.hosted import BegunAlone, Chosen, LoggedIn
from webcb.billing.settlement import LegUsage

SECOND = timedelta(seconds=1)
US = 1_000_000


@pytest.fixture
def house(database: object) -> rows.House:
    """A house that offers all three kinds; its internal account may owe 10.00 together with its customer."""
    made = rows.house()
    desk = models.Customer.create(name="Desk", wallet=rows.wallet("0", credit_limit="10"))
    internal = rows.account(
        desk, made.product, "internal", wallet=desk.wallet, type="credit", balance_control="subordinate"
    )
    models.VoiceApplication.update(
        kinds="simple,extended,hosted",
        internal_account=internal,
        second_number="12065550123",
        account_id_rule="s/^/cb/",
        use_account_id_as_ani=True,
        confirm_by_key=True,
        languages="pt,en",
        prompts_folder="brand",
    ).execute()
    return made


def hosted_callback(house: rows.House) -> str:
    return rows.place(house, login="", number_b=None, kind="hosted")


def begun(house: rows.House) -> str:
    callback_id = hosted_callback(house)
    assert isinstance(hosted.begin(callback_id, NOON), BegunAlone)
    return callback_id


def logged_in(callback_id: str, seconds: int = 10) -> LoggedIn:
    found = hosted.log_in(callback_id, "1001", seconds * US, NOON + seconds * SECOND)
    assert isinstance(found, LoggedIn), found
    return found


def chosen(callback_id: str, found: LoggedIn, seconds: int = 20, number: str = "12065554123") -> Chosen:
    pricing = found.terms.pricing_a.with_login()
    verdict = hosted.choose(callback_id, number, (pricing,), seconds * US, NOON + seconds * SECOND)
    assert isinstance(verdict, Chosen), verdict
    return verdict


def used(leg: str, seconds: int, ended: int, *, logged_in: bool = False) -> LegUsage:
    answered_at = NOON + (ended - seconds) * SECOND
    connection = models.Connection.get().id
    return LegUsage(leg, answered_at, NOON + ended * SECOND, seconds * US, 100, 16, connection, logged_in)  # type: ignore[arg-type]


def stand() -> dict[str, tuple[int, int]]:
    """Balance and locked micros by customer, accounts with a wallet of their own by login."""
    wallets = {row.login: row.wallet for row in models.Account.select()}
    return {login: (wallet.balance_micros, wallet.locked_micros) for login, wallet in wallets.items()}


def test_the_internal_account_is_locked_for_a_alone(house: rows.House) -> None:
    callback_id = begun(house)
    assert stand() == {"cb1001": (5_000_000, 0), "internal": (0, 100_000)}  # a minute of A at 0.10
    assert [leg.name for leg in models.Leg.select()] == ["A"]
    trigger = hosted.trigger(callback_id)
    assert trigger.ani == f"cb{NUMBER_A.digits}"
    assert (trigger.languages, trigger.prompts_folder, trigger.confirm_by_key) == (("pt", "en"), "brand", True)


def test_the_account_that_trusts_the_number_is_named_without_any_rule(house: rows.House) -> None:
    models.VoiceApplication.update(use_account_id_as_ani=False).execute()
    callback_id = begun(house)
    assert hosted.trigger(callback_id).ani == ""
    account = models.Account.get(models.Account.login == "cb1001")
    trusted.trust(account.id, account.login, NUMBER_A.digits, "ann", NOON)
    assert hosted.trigger(callback_id).ani == "cb1001"


def test_a_log_in_moves_leg_a_to_the_user(house: rows.House) -> None:
    models.Tariff.update(login_fee_micros=70_000).where(models.Tariff.id == house.tariff).execute()
    callback_id = begun(house)
    found = logged_in(callback_id)
    assert (found.balance_micros, found.currency, found.language) == (5_000_000, "USD", "en")
    # 70 s from its answer on are two intervals of a minute, and the fee.
    assert stand() == {"cb1001": (5_000_000, 270_000), "internal": (0, 0)}
    callback = models.Callback.get()
    assert (callback.account.login, callback.logged_in) == ("cb1001", True)
    settlement.settle(callback_id, [used("A", 65, 65, logged_in=True)], "A hung up", False, NOON + 65 * SECOND)
    assert stand() == {"cb1001": (4_730_000, 0), "internal": (0, 0)}
    assert models.Xdr.get().account.login == "cb1001"
    assert books.differences() == []


def test_nobody_logged_in_and_the_internal_account_pays(house: rows.House) -> None:
    callback_id = begun(house)
    refused = hosted.log_in(callback_id, "999", 10 * US, NOON + 10 * SECOND)
    assert refused == Refusal(Reason.WRONG_CREDENTIALS)
    assert hosted.log_in(callback_id, "internal", US, NOON) == refused  # nobody's to log in to
    settlement.settle(callback_id, [used("A", 40, 40)], "not logged in", False, NOON + 40 * SECOND)
    assert stand() == {"cb1001": (5_000_000, 0), "internal": (-100_000, 0)}
    assert models.Xdr.get().account.login == "internal"
    assert books.differences() == []


def test_pins_are_not_guessed_call_after_call(house: rows.House) -> None:
    """Nine of a phone in a quarter of an hour, however many calls they are spread over; then not even the right one."""
    rows.no_limits()
    calls = [rows.place(house, f"k{n}", login="", number_b=None, kind="hosted") for n in range(4)]
    for callback_id in calls:
        assert isinstance(hosted.begin(callback_id, NOON), BegunAlone)
    wrong, closed = Refusal(Reason.WRONG_CREDENTIALS), Refusal(Reason.TOO_MANY_TRIES, "A")
    for callback_id in calls[:3]:
        assert [hosted.log_in(callback_id, f"99{n}", US, NOON) for n in range(3)] == [wrong] * 3
        assert hosted.log_in(callback_id, "no number of ours", US, NOON, by_ani=True) == wrong, "nobody's try"
    assert hosted.log_in(calls[3], "1001", US, NOON) == closed
    order = rows.order(house, "next", login="", number_b=None, kind="hosted")
    assert reception.place(order, NOON) == closed, "the phone does not ring in vain"
    elsewhere = rows.order(
        house, "else", login="", number_b=None, kind="hosted", number_a=rows.number("+5511999887700")
    )
    assert isinstance(reception.place(elsewhere, NOON), reception.Placed)
    assert isinstance(hosted.log_in(calls[3], "1001", US, NOON, by_ani=True), LoggedIn), "by its number it is in"
    assert isinstance(reception.place(order, NOON + 15 * 60 * SECOND), reception.Placed)


REFUSED = [
    ({"blocked": True}, Reason.ACCOUNT_BLOCKED),
    ({"closed": True}, Reason.ACCOUNT_CLOSED),
    ({"activated": False}, Reason.ACCOUNT_INACTIVE),
    ({"daily_spend_max_micros": 50_000}, Reason.DAILY_SPEND),
]


@pytest.mark.parametrize(("change", "reason"), REFUSED)
def test_an_account_that_may_not_call_leaves_all_as_it_was(house: rows.House, change: object, reason: Reason) -> None:
    callback_id = begun(house)
    before = stand()
    models.Account.update(**change).where(models.Account.login == "cb1001").execute()  # type: ignore[arg-type]
    found = hosted.log_in(callback_id, "cb1001", 10 * US, NOON + 10 * SECOND)
    assert isinstance(found, Refusal)
    assert found.reason is reason
    assert stand() == before
    assert models.Callback.get().account.login == "internal"


def spend(house: rows.House, micros: int) -> None:
    ledger.post(house.account.wallet_id, None, "manual charge", -micros, f"spent {micros}", "test", "", NOON)


def test_what_a_has_run_must_be_paid_for_as_well(house: rows.House) -> None:
    callback_id = begun(house)
    spend(house, 4_850_000)
    found = hosted.log_in(callback_id, "1001", 61 * US, NOON + 61 * SECOND)
    assert isinstance(found, Refusal)
    assert found.reason is Reason.NO_FUNDS


def test_the_destinations_of_one_call_are_charged_one_by_one(house: rows.House) -> None:
    callback_id = begun(house)
    found = logged_in(callback_id)
    first = chosen(callback_id, found)
    # 5.00: A has run 20 s of its first minute; both cost 0.20 a minute from then on, A's minutes beginning 20 s earlier.
    assert first.talk_seconds == 24 * 60 + 40
    assert (first.leg_b.cld, first.leg_b.cli) == ("12065554123", "1001")
    assert stand()["cb1001"] == (5_000_000, first.funds_micros)
    cost = settlement.settle_b(callback_id, used("B", 70, 95), NOON + 95 * SECOND)
    assert cost == 200_000
    assert stand()["cb1001"] == (4_800_000, first.funds_micros - 200_000)
    second = chosen(callback_id, found, 110, "12065557777")
    settlement.settle_b(callback_id, None, NOON + 120 * SECOND)  # no way to it
    third = chosen(callback_id, found, 130, "12065558888")
    assert third.funds_micros >= second.funds_micros
    usages = [used("A", 200, 200, logged_in=True), used("B", 30, 200)]
    settlement.settle(callback_id, usages, "A hung up", True, NOON + 200 * SECOND)
    bills = {xdr.leg: xdr.charged_micros for xdr in models.Xdr.select()}
    assert bills == {"B1": 200_000, "A": 400_000, "B": 100_000}
    assert sorted(leg.name for leg in models.Leg.select()) == ["A", "B", "B1", "B2"]
    assert stand()["cb1001"] == (5_000_000 - 700_000, 0)
    assert books.differences() == []
    assert settlement.settle_b(callback_id, used("B", 30, 200), NOON) == 0  # it has ended


@pytest.mark.parametrize(("of", "free"), [("b", "12065554124"), ("block", "12065557777")])
def test_what_a_day_may_cost_to_one_destination(house: rows.House, of: str, free: str) -> None:
    """0.30 pays for a minute there, as A has begun its second by then; 0.10 are spent, and 0.30 would be needed again."""
    rows.no_limits(**{f"daily_spend_max_{of}_micros": 300_000})
    callback_id = begun(house)
    found = logged_in(callback_id)
    first = chosen(callback_id, found)
    assert first.talk_seconds == 60
    assert first.funds_micros + first.spare_micros == 300_000
    settlement.settle_b(callback_id, used("B", 40, 65), NOON + 65 * SECOND)
    verdict = hosted.choose(callback_id, "12065554123", (found.terms.pricing_a,), 70 * US, NOON + 70 * SECOND)
    assert isinstance(verdict, Refusal)
    assert verdict.reason in (Reason.DAILY_SPEND, Reason.NO_FUNDS)
    assert chosen(callback_id, found, 70, free).talk_seconds == 50, "there nothing is spent; A is in its second minute"
    models.VoiceApplication.update(**{f"daily_spend_max_{of}_micros": 0}).execute()
    simple = rows.place(house, "simple", kind="simple", login="1001", password=None, number_b=None)
    assert isinstance(reception.begin(simple, NOON), reception.Begun), (
        "the operator's own number is nobody to be guarded"
    )


NUMBERS = [
    ("12065554123", "12065554123"),
    ("0115511999887755", "5511999887755"),
    ("00", Reason.BAD_NUMBER),
    ("123", Reason.BAD_NUMBER),
    ("19005550123", Reason.PREMIUM),
    ("911", Reason.EMERGENCY),
    ("33123456789", Reason.NO_RATE),
    (NUMBER_A.digits, Reason.SAME_NUMBER),
]


@pytest.mark.parametrize(("typed", "expected"), NUMBERS)
def test_a_destination_typed_by_keys(house: rows.House, typed: str, expected: str | Reason) -> None:
    callback_id = begun(house)
    pricing = logged_in(callback_id).terms.pricing_a
    verdict = hosted.choose(callback_id, typed, (pricing,), 20 * US, NOON + 20 * SECOND)
    assert (verdict.leg_b.cld if isinstance(verdict, Chosen) else verdict.reason) == expected


def test_what_is_refused_by_voice_is_counted(house: rows.House) -> None:
    callback_id = begun(house)
    hosted.log_in(callback_id, "5511", US, NOON, by_ani=True)  # names no account, and is asked for a PIN
    hosted.log_in(callback_id, "999", US, NOON)
    pricing = logged_in(callback_id).terms.pricing_a
    for typed in ("19005550123", "911", "12065554123"):
        hosted.choose(callback_id, typed, (pricing,), 20 * US, NOON + 20 * SECOND)
    counted = {each.reason: each.refusals for each in models.RefusalCount.select()}
    assert counted == {"wrong credentials": 1, "premium number": 1, "emergency number": 1}


def test_no_funds_for_both(house: rows.House) -> None:
    callback_id = begun(house)
    found = logged_in(callback_id)
    spend(house, 4_750_000)
    verdict = hosted.choose(callback_id, "12065554123", (found.terms.pricing_a,), 50 * US, NOON + 50 * SECOND)
    assert isinstance(verdict, Chosen)
    assert verdict.talk_seconds == 10  # then A's second minute begins, which is not there
    settlement.settle_b(callback_id, None, NOON)
    spend(house, 100_000)
    verdict = hosted.choose(callback_id, "12065554123", (found.terms.pricing_a,), 59 * US, NOON + 59 * SECOND)
    assert isinstance(verdict, Refusal)
    assert verdict.reason is Reason.NO_FUNDS


# Simple, and what is asked at the way in ---------------------------------------------------------------------------------


def test_simple_needs_an_id_and_connects_with_the_second_number(house: rows.House) -> None:
    callback_id = rows.place(house, kind="simple", login="1001", password=None, number_b=None)  # through the rule
    legs = {leg.name: (leg.cli, leg.cld) for leg in models.Leg.select()}
    assert legs == {"A": ("1001", NUMBER_A.digits), "B": ("1001", "12065550123")}
    assert isinstance(reception.begin(callback_id, NOON), reception.Begun)
    order = rows.order(house, "two", kind="simple", login="nobody", number_b=None)
    assert reception.place(order, NOON) == Refusal(Reason.WRONG_CREDENTIALS)
    assert reception.quote(order, NOON) == Refusal(Reason.WRONG_CREDENTIALS)


def test_an_extended_id_goes_through_the_rule_and_still_needs_its_password(house: rows.House) -> None:
    assert rows.place(house, login="1001", password=PASSWORD)
    order = rows.order(house, "two", login="1001", password="guessed")
    assert reception.place(order, NOON) == Refusal(Reason.WRONG_CREDENTIALS)


@pytest.mark.parametrize("kind", ["simple", "hosted"])
def test_a_kind_that_is_not_offered(house: rows.House, kind: str) -> None:
    models.VoiceApplication.update(kinds="extended").execute()
    assert reception.place(rows.order(house, kind=kind, number_b=None), NOON) == Refusal(Reason.KIND_CLOSED)
    assert reception.quote(rows.order(house, kind=kind, number_b=None), NOON) == Refusal(Reason.KIND_CLOSED)


def test_who_pressed_nine_is_not_called_again(house: rows.House) -> None:
    callback_id = begun(house)
    hosted.never_call(callback_id, NOON)
    hosted.never_call(callback_id, NOON)
    assert [row.number for row in models.NeverCall.select()] == [NUMBER_A.digits]
    for kind, number_b in (("extended", rows.NUMBER_B), ("simple", None), ("hosted", None)):
        order = rows.order(house, f"again {kind}", kind=kind, number_b=number_b)
        assert reception.place(order, NOON) == Refusal(Reason.NEVER_CALL, "A")


def test_a_destination_chosen_by_keys_is_guarded_as_one_that_was_typed(house: rows.House) -> None:
    callback_id = begun(house)
    found = logged_in(callback_id)
    rows.place(house, "another", login="cb1001")
    rows.no_limits(concurrent_per_b=1)
    pricings = (found.terms.pricing_a.with_login(),)
    verdict = hosted.choose(callback_id, "12065554123", pricings, 20 * US, NOON + 20 * SECOND)
    assert verdict == Refusal(Reason.TOO_MANY_TO_NUMBER, "B")
    rows.no_limits(asks_per_minute_block=1)
    assert isinstance(hosted.choose(callback_id, "12065554123", pricings, 20 * US, NOON + 20 * SECOND), Chosen)
    again = hosted.choose(callback_id, "12065554999", pricings, 20 * US, NOON + 21 * SECOND)
    assert again == Refusal(Reason.TOO_OFTEN)
