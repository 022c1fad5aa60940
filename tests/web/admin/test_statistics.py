"""Statistics: every number is what SQL by hand gives; pictures without script; what a role sees; active calls."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from zoneinfo import ZoneInfo

import pytest

from tests.web import scene
from tests.web.admin.conftest import Operator, text_of
from tests.web.hand import Hand
from tests.web.test_kinds import Visitor
from webcb import clock, db
from webcb.billing import query, settlement
from webcb.models import Callback, Connection, Leg, RefusalCount, User, Xdr
from webcb.watching.going_on import active_calls
from webcb.web.admin import statistics

BY_HAND = """
    SELECT COUNT(*), COUNT(connect_time), SUM(used_quantity), AVG(setup_ms), SUM(charged_micros), SUM(cost_micros)
      FROM xdr WHERE kind = 'charge' AND {where}
"""


@pytest.fixture
def busy(admin: Operator) -> Operator:
    """Some calls: two that talked, one whose B did not answer, one refund; A's leg went over the connection."""
    client = admin.client.application.test_client()
    carrier = Connection.get()
    for used_a, used_b in ((61, 61), (125, 120), (30, 0)):
        engine = scene.Engine(Hand(client).connect())
        engine.talk(ago=used_a)
        at = clock.utc_now()
        legs = [
            settlement.LegUsage(name, at if used else None, at, used * 1_000_000, 700 + used, 16, carrier.id)  # type: ignore[arg-type]
            for name, used in (("A", used_a), ("B", used_b))
        ]
        settlement.settle(engine.callback_id, legs, "A hung up" if used_b else "B did not answer", bool(used_b), at)
    first = Xdr.select().where(Xdr.leg == "B").order_by(Xdr.id).first()
    settlement.refund(first.callback.id, "B", 50_000, "test", "test", "", clock.utc_now())
    return admin


def one(sql: str, *values: object) -> tuple[object, ...]:
    return next(iter(query.tuples(sql, *values)))


@pytest.mark.parametrize(
    ("by", "where"),
    [
        ("connection", "connection_id = (SELECT id FROM connection WHERE name = ?)"),
        ("destination", "destination = ?"),
        ("customer", "customer_id = (SELECT id FROM customer WHERE name = ?)"),
        ("day", "CAST(? AS TEXT) IS NOT NULL"),
    ],
)
def test_every_number_is_that_of_sql_by_hand(busy: Operator, by: str, where: str) -> None:
    lines = list(csv.DictReader(io.StringIO(busy.get(f"/admin/statistics?by={by}&export=csv"))))
    assert lines
    for line in lines:
        name = next(iter(line.values()))
        legs, answered, seconds, pdd, charged, cost = one(BY_HAND.format(where=where), name)
        (refunded,) = one(f"SELECT COALESCE(SUM(charged_micros), 0) FROM xdr WHERE kind = 'refund' AND {where}", name)
        assert (line["Legs"], line["Answered"], line["Seconds"]) == (str(legs), str(answered), str(seconds))
        assert line["ASR, %"] == f"{100 * answered / legs:.1f}"  # type: ignore[operator]
        assert line["ACD, s"] == f"{seconds / answered:.1f}"  # type: ignore[operator]
        assert line["PDD, ms"] == f"{pdd:.1f}"
        revenue = round(float(line["Revenue"]) * 1_000_000)
        assert revenue == charged + refunded  # type: ignore[operator]
        assert cost > 0  # type: ignore[operator]
        assert round(float(line["Cost"]) * 1_000_000) == cost
        assert round(float(line["Margin"]) * 1_000_000) == revenue - cost  # type: ignore[operator]


def test_every_hour_is_that_of_sql_by_hand_in_the_zone_of_who_looks(busy: Operator) -> None:
    """Moved to three hours of two days as a clock in India shows them, whose hours begin at half past ours."""
    User.update(time_zone="Asia/Kolkata").execute()
    zone = ZoneInfo("Asia/Kolkata")
    day = clock.utc_now().astimezone(zone).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
    on_sqlite = db.dialect() == "sqlite"
    db.database.execute_sql("DROP TRIGGER xdr_unchangeable" if on_sqlite else "DROP TRIGGER xdr_only_erased ON xdr")
    for number, row in enumerate(Xdr.select().order_by(Xdr.id)):
        Xdr.update(bill_time=day + timedelta(hours=number % 3, days=number % 2, minutes=29)).where(
            Xdr.id == row.id
        ).execute()
    first, last = day.date(), day.date() + timedelta(days=1)
    address = f"/admin/statistics?by=hour&from={first}&to={last}&export=csv"
    lines = list(csv.DictReader(io.StringIO(busy.get(address))))
    assert len(lines) == 6
    for line in lines:
        begins = datetime.strptime(line["Hour"], "%Y-%m-%d %H:%M").replace(tzinfo=zone)
        edges = [int((begins + timedelta(hours=hours)).timestamp() * 1_000_000) for hours in (0, 1)]
        legs, answered, seconds, _, charged, cost = one(
            BY_HAND.format(where="bill_time >= ? AND bill_time < ?"), *edges
        )
        (all_charged,) = one("SELECT SUM(charged_micros) FROM xdr WHERE bill_time >= ? AND bill_time < ?", *edges)
        assert (line["Legs"], line["Answered"], line["Seconds"]) == (str(legs), str(answered), str(seconds))
        assert round(float(line["Revenue"]) * 1_000_000) == all_charged
        assert round(float(line["Cost"]) * 1_000_000) == cost
        assert charged is not None


def test_every_ending_is_that_of_sql_by_hand(busy: Operator) -> None:
    by_hand = "SELECT COALESCE(ending, state), COUNT(*) FROM callback GROUP BY 1"
    expected = {(name, str(count)) for name, count in db.database.execute_sql(by_hand).fetchall()}
    page = busy.get("/admin/statistics")
    (table,) = re.findall(r'(?s)aria-label="Endings">(.*?)</table>', page)
    assert set(re.findall(r'<a href="[^"]*">([^<]+)</a></td><td class="is-number">(\d+)</td>', table)) == expected
    assert len(expected) == 2
    for name, count in expected:
        rows = re.findall(r"<tr>", busy.get(f"/admin/callbacks?ending={name}"))
        assert len(rows) - 1 == int(count)
    (dashboard,) = re.findall(r"(?s)How callbacks ended, 24 hours</h2>(.*?)</table>", busy.get("/admin/"))
    assert set(re.findall(r'<td>([^<]+)</td><td class="is-number">(\d+)</td>', dashboard)) == expected


def test_every_refusal_is_that_of_sql_by_hand(busy: Operator, support: Operator) -> None:
    at = clock.utc_now()
    for reason, hours, times in (("no rate", 0, 3), ("no rate", 1, 4), ("no funds", 0, 9), ("no funds", 24 * 40, 50)):
        RefusalCount.create(hour_at=at - timedelta(hours=hours), reason=reason, refusals=times)
    first = at.date() - timedelta(days=2)
    by_hand = "SELECT reason, SUM(refusals) FROM refusal_count WHERE hour_at >= ? GROUP BY reason"
    since = query.micros(datetime(first.year, first.month, first.day, tzinfo=UTC))
    expected = {(name, str(times)) for name, times in query.tuples(by_hand, since)}
    assert expected == {("no rate", "7"), ("no funds", "9")}
    for operator in (busy, support):
        page = operator.get(f"/admin/statistics?from={first}")
        (table,) = re.findall(r'(?s)aria-label="Refusals">(.*?)</table>', page)
        assert set(re.findall(r'<a href="[^"]*">([^<]+)</a></td><td class="is-number">(\d+)</td>', table)) == expected
        lines = list(csv.DictReader(io.StringIO(operator.get(f"/admin/statistics?from={first}&export=refusals"))))
        assert {(each["Reason"], each["Times"]) for each in lines} == expected
    assert "Refused, 24 hours 16 before" in text_of(busy.get("/admin/"))


def test_who_still_talks_is_found_from_the_table_of_endings(busy: Operator) -> None:
    scene.Engine(Hand(busy.client.application.test_client()).connect()).talk(ago=5)
    (link,) = re.findall(r'<a href="([^"]*)">talking</a>', busy.get("/admin/statistics"))
    assert len(re.findall("<tr>", busy.get(unescape(link)))) == 2


def test_the_page_has_totals_and_endings(busy: Operator, support: Operator) -> None:
    said = text_of(busy.get("/admin/statistics?by=destination"))
    assert "Total 6 5 83.3" in said
    assert "A hung up 2 B did not answer 1" in said
    assert "Revenue" not in text_of(support.get("/admin/statistics"))
    assert "Revenue" not in support.get("/admin/statistics?export=csv")
    asked, legs = (
        re.sub(r"chart-[0-9a-f-]{36}", "", support.get(f"/admin/statistics/chart.svg?measure={measure}"))
        for measure in ("revenue", "legs")
    )
    assert asked == legs
    for address in ("from=x&to=y", "from=2026-01-01&to=1999-01-01", "by=nothing&measure=nothing", "from=1000-01-01"):
        busy.get(f"/admin/statistics?{address}")


def test_the_dashboard_counts_the_same(busy: Operator) -> None:
    said = text_of(busy.get("/admin/"))
    legs, answered, _, pdd, _, _ = one(BY_HAND.format(where="kind = ?"), "charge")
    assert f"Legs, 24 hours {legs} " in said
    assert f"ASR {round(100 * answered / legs)} %" in said  # type: ignore[operator]
    assert f"PDD {round(pdd)} ms" in said  # type: ignore[call-overload]


@pytest.mark.parametrize("measure", [*statistics.MEASURES])
def test_pictures_have_no_script(busy: Operator, measure: str) -> None:
    for by in ("hour", "connection"):
        answer = busy.client.get(f"/admin/statistics/chart.svg?by={by}&measure={measure}")
        assert answer.mimetype == "image/svg+xml"
        assert "<script" not in answer.text.replace("svg:", "").lower()
        assert not re.search(r"<(\w+:)?script", answer.text)


def test_active_calls_show_what_runs(admin: Operator, support: Operator) -> None:
    assert "Nobody is talking" in admin.get("/admin/active-calls")
    scene.Engine(Hand(admin.client.application.test_client()).connect()).talk(seconds_max=600, ago=61)
    (call,) = active_calls(clock.utc_now(), 10)
    assert call.talked_seconds in (61, 62)
    assert call.seconds_left in (537, 538, 539)
    assert call.cost_micros == 55_000 + 200_000  # 62 s: A 66 s at 0.05, B two minutes at 0.10
    (ended,) = active_calls(clock.utc_now() + timedelta(hours=1), 10)
    assert (ended.talked_seconds, ended.seconds_left) == (600, 0)
    assert call.scores == (None, None)
    Leg.update(scores="[[1795694400000000,5,[440,412]]]").where(Leg.name == "A").execute()
    part = admin.get("/admin/active-calls?part=1")
    assert "4.1 / —" in text_of(part)
    assert "<html" not in part
    assert "0.255" in part
    assert "0.255" not in support.get("/admin/active-calls")
    token = re.search(r'name="csrf_token" value="([^"]+)"', part)
    address = re.search(r'action="([^"]+)"', part)
    assert token is not None
    assert address is not None
    asked = admin.client.post(address[1], data={"csrf_token": token[1]})
    assert "Disconnect this call?" in asked.text
    assert "being ended" not in admin.get("/admin/active-calls")
    assert admin.client.post(address[1], data={"csrf_token": token[1], "sure": "y"}).status_code == 303
    assert "being ended" in admin.get("/admin/active-calls")


def test_who_is_in_the_menu_is_an_active_call_too(admin: Operator) -> None:
    """A hosted callback has no leg B before a destination is dialled."""
    Visitor(admin.client.application.test_client(), "hosted").press("connect")
    engine = scene.Engine(Callback.get().id)
    engine.claim_hosted()
    engine.answer_a(ago=5)
    assert "in the menu" in text_of(admin.get("/admin/active-calls"))
