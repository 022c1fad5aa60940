"""The way in: every refusal by real rows, prices, legs, routes, one callback an order."""

import threading
from datetime import timedelta
from itertools import pairwise

import pytest

from tests.billing import rows
from tests.billing.rows import NOON, PASSWORD
from webcb import db, models
from webcb.billing import credentials, ledger, reception, settlement
from webcb.billing.authorization import Authorization, Pricing, Reason, Refusal

pytestmark = pytest.mark.usefixtures("database")


def block_account(house):
    models.Account.update(blocked=True).execute()


def close_account(house):
    models.Account.update(closed=True).execute()


def make_inactive(house):
    models.Account.update(activated=False).execute()


def expire(house):
    models.Account.update(expires_at=NOON).execute()


def block_customer(house):
    models.Customer.update(status="blocked").execute()


def close_customer(house):
    models.Customer.update(status="closed").execute()


def take_the_usage_charge(house):
    models.UsageCharge.delete().execute()


def take_rate(prefix):
    def change(house):
        destination = models.Destination.get(prefix=prefix)
        models.Rate.delete().where(models.Rate.tariff == house.tariff, models.Rate.destination == destination).execute()

    return change


def forbid(prefix):
    def change(house):
        rows.rate(house.tariff, prefix, forbidden=True)

    return change


def change_currency(house):
    models.Tariff.update(currency="EUR").where(models.Tariff.id == house.tariff).execute()


def stop_carriers(house):
    models.Connection.update(active=False).execute()


def never_route(prefix):
    def change(house):
        models.Route.create(tariff=house.vendor_tariff, destination=models.Destination.get(prefix=prefix), preference=0)

    return change


def spend(house):
    ledger.post(house.account.wallet_id, None, "manual charge", -4_800_001, "spent", "test", "", NOON)


def spend_no_more_today(house):
    models.Account.update(daily_spend_max_micros=199_999).execute()


def talk_thrice(house):
    for turn in range(3):
        rows.place(house, f"before-{turn}")


def close_application(house):
    models.VoiceApplication.update(active=False).execute()


def own(number):
    def change(house):
        models.OwnNumber.create(digits=number.digits)

    return change


def bar(prefix):
    def change(house):
        models.VoiceApplication.update(barred_prefixes=prefix).execute()

    return change


def keep_quiet(house):
    models.VoiceApplication.update(quiet_hours="9-10").execute()


def block_product(house):
    models.Product.update(blocked=True).execute()


def block_tariff(house):
    models.Tariff.update(blocked=True).where(models.Tariff.id == house.tariff.id).execute()


def block_vendor_tariff(house):
    models.Tariff.update(blocked=True).where(models.Tariff.id == house.vendor_tariff.id).execute()


def nothing(house):
    """What is asked for is wrong by itself."""


ALL_AT_ONCE = [
    # In the order of Reason: whatever else is wrong further down, the first is said.
    (Reason.WRONG_CREDENTIALS, None, nothing, {"password": "wrong"}),
    (Reason.ACCOUNT_BLOCKED, None, block_account, {}),
    (Reason.ACCOUNT_CLOSED, None, close_account, {}),
    (Reason.ACCOUNT_INACTIVE, None, make_inactive, {}),
    (Reason.ACCOUNT_EXPIRED, None, expire, {}),
    (Reason.CUSTOMER_BLOCKED, None, block_customer, {}),
    (Reason.PRODUCT_BLOCKED, None, block_product, {}),
    (Reason.NOT_PERMITTED, None, take_the_usage_charge, {}),
    (Reason.EMERGENCY, "B", nothing, {"number_b": rows.number("911")}),
    (Reason.PREMIUM, "B", nothing, {"number_b": rows.number("+1 900 555 0123")}),
    (Reason.OWN_NUMBER, "B", own(rows.NUMBER_B), {}),
    (Reason.BARRED, "B", bar("1206"), {}),
    (Reason.QUIET_HOURS, "A", keep_quiet, {}),
    (Reason.TARIFF_BLOCKED, "A", block_tariff, {}),
    (Reason.NO_RATE, "B", take_rate("1"), {}),
    (Reason.FORBIDDEN, "B", forbid("1206"), {}),
    (Reason.NO_ROUTE, "B", never_route("1"), {}),
    (Reason.NO_FUNDS, None, spend, {}),
    (Reason.DAILY_SPEND, None, spend_no_more_today, {}),
    (Reason.TOO_MANY, None, talk_thrice, {}),
    (Reason.APPLICATION_CLOSED, None, close_application, {}),
    (Reason.SAME_NUMBER, "B", nothing, {"number_b": rows.NUMBER_A}),
]


MORE = [
    (Reason.WRONG_CREDENTIALS, None, nothing, {"login": "cb9999"}),
    (Reason.CUSTOMER_BLOCKED, None, close_customer, {}),
    (Reason.EMERGENCY, "A", nothing, {"number_a": rows.number("190", "BR")}),
    (Reason.PREMIUM, "A", nothing, {"number_a": rows.number("+881 6 1234 5678")}),
    (Reason.OWN_NUMBER, "A", own(rows.NUMBER_A), {}),
    (Reason.BARRED, "A", bar("55"), {}),
    (Reason.NO_RATE, "A", take_rate("55"), {}),
    (Reason.NO_RATE, "A", change_currency, {}),
    (Reason.FORBIDDEN, "A", forbid("55119"), {}),
    (Reason.NO_ROUTE, "A", stop_carriers, {}),
    (Reason.NO_ROUTE, "A", block_vendor_tariff, {}),
    (Reason.APPLICATION_CLOSED, None, nothing, {"voice_application": "nowhere"}),
]


BEFORE_BILLING_IS_ASKED = {
    Reason.BAD_NUMBER,
    Reason.NEVER_CALL,
    Reason.KIND_CLOSED,
    Reason.SOURCE_BARRED,
    Reason.LINK_NEEDED,
    Reason.CHALLENGE_UNSOLVED,
}
COUNTED = {Reason.TOO_MANY_TRIES, Reason.TOO_OFTEN, Reason.TOO_MANY_TO_NUMBER, Reason.SERVICE_FULL}  # see test_guard.py
CODES = {Reason.CODE_NEEDED, Reason.CODE_WRONG, Reason.CODE_OVER, Reason.CODES_TOO_OFTEN}  # see test_code_call.py


def test_every_reason_is_in_the_table_in_its_order():
    assert [reason for reason, *_ in ALL_AT_ONCE] == [
        each for each in Reason if each not in BEFORE_BILLING_IS_ASKED | COUNTED | CODES
    ]


@pytest.mark.parametrize(("reason", "leg", "change", "fields"), ALL_AT_ONCE + MORE)
def test_refusals(reason, leg, change, fields):
    house = rows.house()
    change(house)
    order = rows.order(house, **{"password": PASSWORD} | fields)
    refusal = reception.quote(order, NOON)
    assert isinstance(refusal, Refusal), refusal
    assert (refusal.reason, refusal.leg) == (reason, leg)
    before = models.Callback.select().count()
    assert reception.place(order, NOON) == refusal
    assert models.Callback.select().count() == before


def neighbours():
    """Each reason with the next in order; where both concern a number, the later one concerns that of leg A."""
    of_leg_a = {reason: case for case in MORE if (reason := case[0]) and case[1] == "A"}
    for earlier, later in pairwise(ALL_AT_ONCE):
        yield earlier, of_leg_a.get(later[0], later)


@pytest.mark.parametrize(("earlier", "later"), list(neighbours()))
def test_of_two_reasons_the_first_in_order_is_said(earlier, later):
    house = rows.house()
    # Callbacks under way come before whatever would have kept them from being placed.
    for _, _, change, _ in sorted((later, earlier), key=lambda case: case[0] is not Reason.TOO_MANY):
        change(house)
    order = rows.order(house, **{"password": PASSWORD} | later[3] | earlier[3])
    refusal = reception.quote(order, NOON)
    assert isinstance(refusal, Refusal)
    assert (refusal.reason, refusal.leg) == earlier[:2]


# Prices --------------------------------------------------------------------------------------------------------------


def test_a_quote_tells_prices_and_the_longest_talk_and_writes_nothing():
    house = rows.house(balance="5.00", first=60, following=60, price="0.10")
    quoted = reception.quote(rows.order(house, password=PASSWORD), NOON)
    assert isinstance(quoted, Authorization)
    assert (quoted.currency, quoted.available_micros, quoted.longest_seconds) == ("USD", 5_000_000, 25 * 60)
    assert (quoted.pricing_a.destination, quoted.pricing_b.destination) == ("55", "1")
    assert quoted.pricing_a.price_per_minute_micros == 100_000
    assert models.Callback.select().count() == models.Lock.select().count() == 0


def test_the_longest_talk_is_never_longer_than_the_application_allows():
    house = rows.house(balance="1000.00")
    assert reception.quote(rows.order(house), NOON).longest_seconds == 7200


def test_a_refusal_for_funds_names_what_is_needed():
    house = rows.house(balance="0.25", price="0.20")
    assert reception.quote(rows.order(house), NOON) == Refusal(Reason.NO_FUNDS, needed_micros=400_000, currency="USD")


@pytest.mark.parametrize(("fail_price", "needed_micros"), [("0.01", 400_000), ("0.39", 400_000), ("0.41", 410_000)])
def test_a_dearer_price_if_b_fails_is_needed_instead_of_b_not_on_top_of_it(fail_price: str, needed_micros: int):
    house = rows.house(balance="0.25", price="0.20")
    fails = rows.tariff("Failed")
    rows.rate(fails, "|", price=fail_price)
    rows.usage_charge(house.product, "CALLBACK_FAIL", fails)
    models.VoiceApplication.update(special_charge_if_leg_b_fails=True).execute()
    refusal = Refusal(Reason.NO_FUNDS, needed_micros=needed_micros, currency="USD")
    assert reception.quote(rows.order(house), NOON) == refusal


def test_a_quote_shows_the_price_of_this_hour():
    house = rows.house()
    period = models.OffPeakPeriod.create(name="noon", definition="hr{12pm}")
    models.Tariff.update(off_peak_period=period).where(models.Tariff.id == house.tariff.id).execute()
    models.Rate.update(
        mode="off-peak",
        off_peak_first_interval_seconds=1,
        off_peak_next_interval_seconds=1,
        off_peak_first_price_micros=60_000,
        off_peak_next_price_micros=50_000,
    ).where(models.Rate.tariff == house.tariff).execute()
    order = rows.order(house)
    assert reception.quote(order, NOON).pricing_b.price_per_minute_micros == 50_000
    assert reception.quote(order, NOON + timedelta(hours=1)).pricing_b.price_per_minute_micros == 100_000


def test_legs_may_have_prices_of_their_own():
    house = rows.house()
    dear = rows.tariff("For leg B")
    rows.rate(dear, "|", price="0.90")
    rows.usage_charge(house.product, "WEBCALLBACK-B", dear)
    quoted = reception.quote(rows.order(house), NOON)
    assert (quoted.pricing_a.tariff_name, quoted.pricing_b.tariff_name) == ("Callback", "For leg B")
    assert quoted.pricing_b.access_code == "WEBCALLBACK-B"


def test_the_rate_of_today_is_found_among_those_of_all_days():
    house = rows.house()
    for days, price in ((-30, "0.31"), (-1, "0.32"), (1, "0.33")):
        rows.rate(house.tariff, "1206", price=price, effective_at=NOON + timedelta(days=days))
    assert reception.quote(rows.order(house), NOON).pricing_b.price_per_minute_micros == 320_000


def test_a_premium_number_may_be_allowed():
    house = rows.house()
    models.VoiceApplication.update(premium_allowed=True).execute()
    quoted = reception.quote(rows.order(house, number_b=rows.number("+1 900 555 0123")), NOON)
    assert isinstance(quoted, Authorization)


# Placing -------------------------------------------------------------------------------------------------------------


def test_a_callback_is_written_with_its_two_legs():
    house = rows.house()
    callback_id = rows.place(house)
    callback = models.Callback.get_by_id(callback_id)
    assert (callback.state, callback.kind, callback.requested_at) == ("requested", "extended", NOON)
    assert (callback.requested_from, callback.account_id) == ("192.0.2.7", house.account.id)
    legs = [(leg.name, leg.cli, leg.cld, leg.state) for leg in callback.legs.order_by(models.Leg.name)]
    assert legs == [
        ("A", "12065554123", "5511999887766", "waiting"),
        ("B", "5511999887766", "12065554123", "waiting"),
    ]


@pytest.mark.parametrize(
    ("fields", "login", "cli_a", "cli_b"),
    [
        ({"cli": "18005550100"}, "cb1001", "18005550100", "5511999887766"),
        ({"use_account_id_as_ani": True, "cli": "18005550100"}, "cb1001", "1001", "1001"),
        ({"use_account_id_as_ani": True}, "cb5511999887766", "5511999887766", "5511999887766"),
        ({"use_account_id_as_ani": True}, "alice", "12065554123", "5511999887766"),
        ({"use_account_id_as_ani": True}, "1" * 20, "1" * 15, "1" * 15),
    ],
)
def test_what_number_is_shown(fields, login, cli_a, cli_b):
    house = rows.house(login=login)
    models.VoiceApplication.update(**fields).execute()
    legs = {leg.name: leg.cli for leg in models.Callback.get_by_id(rows.place(house)).legs}
    assert legs == {"A": cli_a, "B": cli_b}


def test_the_same_order_twice_is_one_callback_even_when_it_would_be_refused_now():
    house = rows.house()
    first = reception.place(rows.order(house), NOON)
    block_account(house)
    assert reception.place(rows.order(house), NOON) == reception.Placed(first.callback_id, is_new=False)
    assert reception.place(rows.order(house, "another"), NOON).reason is Reason.ACCOUNT_BLOCKED


def test_a_hundred_identical_posts_at_once_are_one_callback():
    house = rows.house()
    models.VoiceApplication.update(concurrent_per_account=1).execute()
    placed = []

    def post() -> None:
        with db.database.connection_context():
            placed.append(reception.place(rows.order(house), NOON))

    threads = [threading.Thread(target=post) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(placed) == 100
    assert {each.callback_id for each in placed} == {models.Callback.get().id}
    assert sum(each.is_new for each in placed) == 1


def test_a_password_changed_while_it_was_verified_does_not_count(monkeypatch):
    stored = credentials.hash_password(PASSWORD)  # one that no test before has found right, which would be remembered
    house = rows.house(service_password=stored)

    def slow(_stored, _password):
        models.Account.update(service_password=credentials.hash_password("new")).execute()
        return True

    monkeypatch.setattr(credentials, "verify_password", slow)
    assert reception.place(rows.order(house, password=PASSWORD), NOON) == Refusal(Reason.WRONG_CREDENTIALS)


def test_an_account_without_a_password_lets_nobody_in():
    house = rows.house(service_password="")
    for typed in ("", PASSWORD):
        assert reception.place(rows.order(house, password=typed), NOON) == Refusal(Reason.WRONG_CREDENTIALS)


def test_a_release_is_asked_once_and_not_after_the_end():
    house = rows.house()
    callback_id = rows.place(house)
    later = NOON + timedelta(seconds=5)
    assert reception.ask_release(callback_id, "user", NOON)
    assert reception.ask_release(callback_id, "operator", later)
    callback = models.Callback.get()
    assert (callback.release_asked_by, callback.release_asked_at) == ("user", NOON)
    settlement.settle(callback_id, [], "user released", False, later)
    assert not reception.ask_release(callback_id, "user", later)
    assert not reception.ask_release("unknown", "user", later)


# Beginning -----------------------------------------------------------------------------------------------------------


def test_begin_gives_the_engine_all_it_needs():
    house = rows.house()
    credentials.use_key("key of the test")
    models.Connection.update(
        username="us",
        sealed_password=credentials.seal("trunk"),
        tech_prefix="99",
        codecs="PCMA, PCMU",
        capacity=3,
        calls_per_second=5,
        transport="tls",
        tls_ca_file="/ca.pem",
        tls_certificate_file="/us.pem",
        tls_key_file="/us.key",
    ).execute()
    callback_id = rows.place(house)
    begun = reception.begin(callback_id, NOON)
    route = reception.RouteChoice(
        connection_id=house.connection.id,
        name="carrier",
        host="127.0.0.1",
        port=None,
        username="us",
        password="trunk",
        tech_prefix="99",
        codecs=("PCMA", "PCMU"),
        capacity=3,
        calls_per_second=5,
        transport="tls",
        tls_ca_file="/ca.pem",
        tls_certificate_file="/us.pem",
        tls_key_file="/us.key",
    )
    assert begun.routes_a == begun.routes_b == (route,)
    assert (begun.leg_a.cli, begun.leg_a.cld) == ("12065554123", "5511999887766")
    assert (begun.leg_b.cli, begun.leg_b.cld) == ("5511999887766", "12065554123")
    assert (begun.ring_seconds_a, begun.ring_seconds_b, begun.talk_seconds_max) == (45, 60, 7200)
    assert (begun.locked_micros, begun.funds_micros, begun.slice_seconds) == (200_000, 200_000, 60)
    leg = models.Leg.get(models.Leg.name == "A")
    assert Pricing.from_json(leg.pricing) == begun.authorization.pricing_a
    assert leg.pricing_if_b_fails is None


def test_a_trunk_password_nobody_can_open_leaves_its_connection_out(caplog):
    house = rows.house()
    credentials.use_key("old key")
    models.Connection.update(sealed_password=credentials.seal("trunk")).execute()
    other = rows.connection("spare", house.vendor, house.vendor_tariff)
    credentials.use_key("new key")
    begun = reception.begin(rows.place(house), NOON)
    assert [route.connection_id for route in begun.routes_a] == [other.id]
    assert "connection carrier is left out" in caplog.text


def test_begin_looks_again_as_of_now():
    house = rows.house()
    callback_id = rows.place(house)
    block_account(house)
    assert reception.begin(callback_id, NOON) == Refusal(Reason.ACCOUNT_BLOCKED)
    assert models.Lock.select().count() == 0


def test_begin_takes_the_prices_of_the_node_that_claimed():
    house = rows.house()
    here, there = house.node, models.Node.create(name="two", heard_at=NOON - timedelta(hours=1))
    for node, price in ((here, "0.21"), (there, "0.22")):
        of_node = rows.tariff(f"At {node.name}")
        rows.rate(of_node, "|", price=price)
        rows.usage_charge(house.product, "WEBCALLBACK", of_node, node)
    # The node last heard of will probably claim it: its prices are shown.
    assert reception.quote(rows.order(house), NOON).pricing_b.price_per_minute_micros == 210_000
    callback_id = rows.place(house)
    models.Callback.update(node=there).execute()
    assert reception.begin(callback_id, NOON).authorization.pricing_b.price_per_minute_micros == 220_000


def test_callback_fail_is_frozen_beside_the_ordinary_pricing():
    house = rows.house()
    fails = rows.tariff("Failed")
    rows.rate(fails, "|", price="0")
    rows.usage_charge(house.product, "CALLBACK_FAIL", fails)
    assert reception.begin(rows.place(house), NOON).authorization.pricing_a_if_b_fails is None  # not asked for
    models.Wallet.update(credit_limit_micros=10**9).execute()
    models.VoiceApplication.update(special_charge_if_leg_b_fails=True).execute()
    callback_id = rows.place(house, "second")
    begun = reception.begin(callback_id, NOON)
    assert begun.authorization.pricing_a_if_b_fails.access_code == "CALLBACK_FAIL"
    assert models.Leg.get(models.Leg.callback == callback_id, models.Leg.name == "A").pricing_if_b_fails
