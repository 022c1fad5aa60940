"""The guards (domain 9): destinations, quiet hours, loops; how often and how many at a time, exactly, and over a restart."""

from datetime import datetime, timedelta

import pytest

from tests.billing import rows
from tests.billing.rows import NOON, PASSWORD
from tests.billing.test_on_postgresql import at_once
from webcb import db, models
from webcb.billing import guard, ledger, reception, settlement, tally
from webcb.billing.authorization import Reason, Refusal
from webcb.billing.guard import Guards
from webcb.billing.settlement import LegUsage
from webcb.billing.slices import Talking
from webcb.number import Kind, Number, time_zones


@pytest.mark.parametrize(
    ("allowed", "barred", "digits", "is_allowed"),
    [
        ("", "", "12065554123", True),
        ("55, 1206", "", "12065554123", True),
        ("55", "", "12065554123", False),
        ("", "1", "12065554123", False),
        ("1206", "1", "12065554123", True),
        ("1", "1206", "12065554123", False),
        ("", "+53, 12065", "12065554123", False),
    ],
)
def test_destinations(allowed: str, barred: str, digits: str, is_allowed: bool) -> None:
    assert guard.allows(Guards(allowed_prefixes=allowed, barred_prefixes=barred), digits) is is_allowed


@pytest.mark.parametrize(
    ("hours", "digits", "is_quiet"),
    [
        ("", "5511999887766", False),
        ("9-10", "5511999887766", True),  # noon UTC is nine in São Paulo
        ("10-12", "5511999887766", False),
        ("22-10", "5511999887766", True),
        ("22-9", "5511999887766", False),
        ("22-7", "12065554123", True),  # and four in Seattle
        ("14-24", "79161234567", True),  # a mobile of Russia may be in any of its zones: most of them decide
    ],
)
def test_quiet_hours_are_those_of_the_phone(hours: str, digits: str, is_quiet: bool) -> None:
    assert guard.is_quiet(Guards(quiet_hours=hours), digits, NOON) is is_quiet


@pytest.mark.parametrize("text", ["22", "25-7", "7-7", "24-1", "a-b", "-", "²-3"])
def test_hours_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="as in 22-7"):
        guard.read_quiet_hours(text)


def test_of_a_number_nothing_is_known_of_it_is_utc() -> None:
    assert time_zones("999") == ("UTC",)
    assert time_zones("12065554123") == ("America/Los_Angeles",)


def test_who_has_one_address_of_ipv6_has_all_of_its_64() -> None:
    assert guard.source_network("2001:db8::1") == guard.source_network("2001:db8::ffff:1") == "2001:db8::/64"
    assert guard.source_network("192.0.2.7") == "192.0.2.7"
    assert guard.source_network("no address") == "no address"


def limit(**limits: object) -> None:
    models.VoiceApplication.update(**limits).execute()


def refused(house: rows.House, key: str, **fields: object) -> str | None:
    at: datetime = fields.pop("at", NOON)  # type: ignore[assignment]
    placed = reception.place(rows.order(house, key, **fields), at)
    return placed.reason if isinstance(placed, Refusal) else None


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("kind", sorted(guard.BARRED_KINDS, key=str))
def test_dear_kinds_are_barred_unless_allowed(kind: Kind) -> None:
    house = rows.house()
    dear = Number("12065550100", "US", kind)
    assert reception.quote(rows.order(house, number_b=dear), NOON) == Refusal(Reason.PREMIUM, "B")
    assert reception.quote(rows.order(house, number_a=dear), NOON) == Refusal(Reason.PREMIUM, "A")
    limit(premium_allowed=True)
    assert not isinstance(reception.quote(rows.order(house, number_b=dear), NOON), Refusal)


@pytest.mark.usefixtures("database")
def test_what_the_voice_application_does_not_call() -> None:
    house = rows.house()
    limit(barred_prefixes="1206")
    assert reception.quote(rows.order(house), NOON) == Refusal(Reason.BARRED, "B")
    limit(barred_prefixes="", allowed_prefixes="1")
    assert reception.quote(rows.order(house), NOON) == Refusal(Reason.BARRED, "A")
    limit(allowed_prefixes="", quiet_hours="9-10")
    assert reception.quote(rows.order(house), NOON) == Refusal(Reason.QUIET_HOURS, "A")


@pytest.mark.usefixtures("database")
def test_what_leads_back_to_us_is_never_called() -> None:
    house = rows.house()
    models.Connection.update(register_user="+12065554123").execute()
    assert reception.quote(rows.order(house), NOON) == Refusal(Reason.OWN_NUMBER, "B")
    models.Connection.update(register_user="").execute()
    assert not isinstance(reception.quote(rows.order(house), NOON), Refusal)
    models.OwnNumber.create(digits="5511999887766")
    assert reception.quote(rows.order(house), NOON) == Refusal(Reason.OWN_NUMBER, "A")


LIMITS = [
    ("asks_per_minute", {}, {"number_a": Number("5511911112222", "BR", Kind.ORDINARY), "requested_from": "192.0.2.8"}),
    ("asks_per_minute_account", {}, {"requested_from": "192.0.2.8"}),
    ("asks_per_minute_a", {"number_a": Number("5511911112222", "BR", Kind.ORDINARY)}, {}),
    ("asks_per_minute_b", {"number_b": Number("12065554999", "US", Kind.ORDINARY)}, {}),
    ("asks_per_minute_block", {"number_b": Number("12065559123", "US", Kind.ORDINARY)}, {}),
    ("asks_per_minute_source", {"requested_from": "192.0.2.8"}, {}),
]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(("name", "free", "counted"), LIMITS, ids=[each[0] for each in LIMITS])
def test_how_often_may_be_asked(name: str, free: dict[str, object], counted: dict[str, object]) -> None:
    house = rows.house()
    limit(concurrent_per_account=100, concurrent_per_a=None, **{name: 2})
    assert [refused(house, str(n), **counted) for n in range(3)] == [None, None, "asked too often"]
    assert refused(house, "0", **counted) is None, "the same order again is the callback it made"
    if free:
        assert refused(house, "another", **free) is None
    db.database.close()  # rows, not memory: another process finds them
    db.database.connect()
    assert refused(house, "3", **counted, at=NOON + timedelta(seconds=29)) == "asked too often"
    assert refused(house, "4", **counted, at=NOON + timedelta(seconds=30)) is None
    assert refused(house, "5", **counted, at=NOON + timedelta(seconds=31)) == "asked too often"


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("concurrent_per_a", "too many callbacks to the number"),
        ("concurrent_per_b", "too many callbacks to the number"),
        ("concurrent_per_block", "service full"),
        ("concurrent_per_source", "service full"),
        ("concurrent_max", "service full"),
    ],
)
def test_how_many_go_on_at_a_time(name: str, reason: str) -> None:
    house = rows.house()
    limit(**{"concurrent_per_account": 100, "concurrent_per_a": None, name: 2})
    first = rows.place(house, "1")
    assert [refused(house, str(n)) for n in (2, 3)] == [None, reason]
    models.Callback.update(state="ended", ended_at=NOON, ending="A busy").where(models.Callback.id == first).execute()
    assert refused(house, "4") is None


@pytest.mark.usefixtures("database")
def test_the_operator_at_the_command_line_is_not_counted() -> None:
    house = rows.house()
    limit(concurrent_per_account=100, concurrent_per_a=1, asks_per_minute_account=1)
    assert [refused(house, str(n), requested_from="cli") for n in range(3)] == [None] * 3


EVERY_LIMIT = [
    "asks_per_minute",
    "asks_per_minute_account",
    "asks_per_minute_a",
    "asks_per_minute_b",
    "asks_per_minute_block",
    "asks_per_minute_source",
    "concurrent_max",
    "concurrent_per_account",
    "concurrent_per_a",
    "concurrent_per_b",
    "concurrent_per_block",
    "concurrent_per_source",
]


@pytest.mark.usefixtures("either_database")
@pytest.mark.parametrize("name", EVERY_LIMIT)
def test_a_hundred_at_once_get_what_the_limit_says(name: str) -> None:
    house = rows.house()
    rows.no_limits(**{name: 2})
    db.database.close()
    placed = at_once(reception.place, [(rows.order(house, str(n)), NOON) for n in range(100)])
    db.database.connect()
    assert sum(isinstance(each, reception.Placed) for each in placed) == 2
    assert models.Callback.select().count() == 2
    assert models.RefusalCount.get().refusals == 98


def test_every_limit_is_tried() -> None:
    limits = {each for each in Guards.__dataclass_fields__ if each.startswith(("asks_per", "concurrent"))}
    assert limits | {"concurrent_per_account"} == set(EVERY_LIMIT)


# What may be spent in a day ------------------------------------------------------------------------------------------


CAPS = [f"daily_spend_max{of}_micros" for of in ("", "_a", "_b", "_block", "_source")]
ELSEWHERE = {
    "requested_from": "192.0.2.8",
    "number_a": Number("5511911112222", "BR", Kind.ORDINARY),
    "number_b": Number("12065559999", "US", Kind.ORDINARY),
}


def begin_and_settle(callback_id: str, at: datetime, seconds: int) -> object:
    begun = reception.begin(callback_id, at)
    if isinstance(begun, Refusal):
        settlement.settle(callback_id, (), f"refused: {begun.reason}", b_answered=False, at=at)
        return begun.reason
    ended = at + timedelta(seconds=seconds)
    usages = [LegUsage(leg, at, ended, seconds * 1_000_000, 100, 16, None) for leg in ("A", "B")]  # type: ignore[arg-type]
    return settlement.settle(callback_id, usages, "A hung up", b_answered=True, at=ended).total_micros


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("cap", CAPS)
def test_what_may_be_spent_in_a_day(cap: str) -> None:
    """A minute of both legs costs 0.20: of 0.50 two are left, then nothing until midnight where the service is."""
    house = rows.house(balance="100")
    rows.no_limits(**{cap: 500_000, "time_zone": "America/Sao_Paulo"})
    assert [begin_and_settle(rows.place(house, str(n)), NOON, 60) for n in range(2)] == [200_000, 200_000]
    assert refused(house, "third") == "daily spend reached"
    other = rows.account(house.customer, house.product, "cb2002")
    assert refused(house, "other", login=other.login) == "daily spend reached", "whoever pays"
    free = {} if cap == CAPS[0] else ELSEWHERE
    assert refused(house, "free", **free) == ("daily spend reached" if cap == CAPS[0] else None)
    assert refused(house, "operator", requested_from="cli") is None
    before_midnight = datetime(2026, 3, 3, 2, 59, tzinfo=NOON.tzinfo)
    assert refused(house, "evening", at=before_midnight) == "daily spend reached"
    assert refused(house, "morning", at=before_midnight + timedelta(minutes=1)) is None


@pytest.mark.usefixtures("either_database")
@pytest.mark.parametrize("cap", CAPS)
def test_a_hundred_at_once_set_no_more_aside_than_may_be_spent(cap: str) -> None:
    house = rows.house(balance="100")
    rows.no_limits(**{cap: 500_000})
    payers = [rows.account(house.customer, house.product, f"cb2{n:03}", balance="10") for n in range(10)]
    placed = [rows.place(house, f"k{n}", login=payers[n % 10].login) for n in range(100)]
    db.database.close()
    begun = at_once(reception.begin, [(each, NOON) for each in placed])
    db.database.connect()
    assert [each for each in begun if isinstance(each, Exception)] == []
    assert sum(isinstance(each, reception.Begun) for each in begun) == 2
    locked = [lock.amount_micros for lock in models.Lock.select()]
    assert sum(locked) <= 500_000


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("cap", CAPS)
def test_a_call_that_goes_on_gets_no_more_than_may_be_spent(cap: str) -> None:
    house = rows.house(balance="100")
    rows.no_limits(**{cap: 500_000})
    callback_id = rows.place(house)
    begun = reception.begin(callback_id, NOON)
    assert isinstance(begun, reception.Begun)
    assert begun.locked_micros == 200_000
    pricings = (begun.authorization.pricing_a, begun.authorization.pricing_b)
    held = ledger.hold(callback_id, Talking(*pricings, 0, 3600), NOON)
    assert held == ledger.Held(400_000, 100_000), "two minutes of an hour; what is left buys no third"


@pytest.mark.usefixtures("either_database")
@pytest.mark.parametrize("login", ["cb1001", "nobody"])
def test_of_a_hundred_guesses_at_once_five_are_judged(login: str) -> None:
    house = rows.house()
    orders = [rows.order(house, login=login, password=f"guess {n}") for n in range(99)]
    orders.append(rows.order(house, login=login, password=PASSWORD))
    db.database.close()
    said = at_once(reception.quote, [(each, NOON) for each in orders])
    db.database.connect()
    reasons = [each.reason for each in said if isinstance(each, Refusal)]
    assert reasons.count(Reason.WRONG_CREDENTIALS) <= 5
    assert reasons.count(Reason.TOO_MANY_TRIES) >= 94


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("login", ["cb1001", "nobody"])
def test_passwords_are_not_guessed_and_unknown_ids_answer_alike(login: str) -> None:
    house = rows.house()
    wrong = rows.order(house, login=login, password="guess")
    said = [reception.place(wrong, NOON).reason for _ in range(6)]  # type: ignore[union-attr]
    assert said == [Reason.WRONG_CREDENTIALS] * 5 + [Reason.TOO_MANY_TRIES]
    right = rows.order(house, login=login, password=PASSWORD)
    assert reception.place(right, NOON) == Refusal(Reason.TOO_MANY_TRIES), "not even with the right one"
    elsewhere = reception.quote(rows.order(house, password=PASSWORD, requested_from="192.0.2.8"), NOON)
    assert not isinstance(elsewhere, Refusal), "the owner is not locked out by who guesses elsewhere"
    assert isinstance(
        reception.place(rows.order(house, password=PASSWORD), NOON + timedelta(minutes=4)), reception.Placed
    )


@pytest.mark.usefixtures("database")
def test_what_was_refused_is_counted_by_the_hour() -> None:
    house = rows.house(balance="0")
    for minutes in (0, 1, 61):
        reception.quote(rows.order(house), NOON + timedelta(minutes=minutes))
    counted = [
        (row.hour_at, row.reason, row.refusals) for row in models.RefusalCount.select().order_by(models.RefusalCount.id)
    ]
    assert counted == [(NOON, "no funds", 2), (NOON + timedelta(hours=1), "no funds", 1)]


@pytest.mark.usefixtures("database")
def test_rows_that_say_nothing_any_more_are_swept() -> None:
    with db.writing():
        tally.take([tally.Ask("one", 2), tally.Ask("two", 1)], timedelta(minutes=1), NOON)
        assert tally.sweep(NOON + timedelta(seconds=31)) == 1
    assert tally.room(tally.Ask("two", 1), timedelta(minutes=1), NOON) == tally.Room(0, 60)


@pytest.mark.usefixtures("either_database")
def test_a_counter_waits_for_no_disk_and_is_there_for_who_comes_after() -> None:
    setting = "PRAGMA synchronous" if db.dialect() == "sqlite" else "SHOW synchronous_commit"

    def shown() -> object:
        return db.database.execute_sql(setting).fetchone()[0]

    usual = shown()
    with db.counting():
        tally.take([tally.Ask("one", 2)], timedelta(minutes=1), NOON)
        assert shown() in (1, "off")
    assert shown() == usual
    db.database.close()
    db.database.connect()
    assert tally.room(tally.Ask("one", 2), timedelta(minutes=1), NOON).left == 1
