"""Aids below fields: the week of an off-peak period, what a rate costs, what a translation rule makes; and what writes their texts."""

import re

import pytest

from tests.web.admin.conftest import Operator, text_of
from webcb.models import OffPeakPeriod, Tariff


def week(page: str) -> dict[str, list[str]]:
    """Day -> its hours, as they are read."""
    rows = re.findall(r'<tr><th scope="row">(\w+) [^<]*</th>(.*?)</tr>', page)
    return {day: re.findall(r">([\w-]+)</span>", cells) for day, cells in rows}


def test_the_week_of_a_period(admin: Operator) -> None:
    page = admin.get("/admin/try/period?definition=hr{6pm-5am} wd{mo-fr}&try_day=2026-01-07&try_zone=America/Sao_Paulo")
    shown = week(page)
    assert list(shown) == ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    assert set(shown["Sat"]) == set(shown["Sun"]) == {"peak"}
    assert shown["Mon"] == ["off-peak"] * 6 + ["peak"] * 12 + ["off-peak"] * 6  # 5am runs to 05:59:59
    assert "America/Sao_Paulo" in page
    assert week(admin.get("/admin/try/period?definition=min{0-29}"))["Mon"] == ["partly"] * 24
    assert "Mon 5 Jan" in admin.get("/admin/try/period?definition=md{1}&try_day=2026-01-07")
    wrong = admin.get("/admin/try/period?definition=hr{25}")
    assert week(wrong) == {}
    assert "aid-problem" in wrong


def test_ticking_writes_a_definition_beside_the_one_that_stands_there(admin: Operator) -> None:
    typed = {"name": "Nights", "definition": "hr{6pm-5am} wd{mo-fr}"}
    page = admin.post("/admin/off-peak-periods/new", 200, step="write definition", **typed, try_month=["12"],
                      try_month_day=["1", "24", "25", "26"]).text  # fmt: skip
    assert "hr{6pm-5am} wd{mo-fr}, md{1 24-26} mo{dec}" in page
    assert 'value="Nights"' in page
    assert OffPeakPeriod.select().where(OffPeakPeriod.name == "Nights").count() == 0
    page = admin.post("/admin/off-peak-periods/new", 200, step="write definition", **typed).text
    assert "Choose at least one" in text_of(page) or "choose at least one" in text_of(page)


def test_what_a_rate_costs(admin: Operator) -> None:
    tariff = Tariff.get(Tariff.name == "Callback")
    typed = "first_interval_seconds=60&next_interval_seconds=6&first_price=0.10&next_price=0.10"
    page = text_of(admin.get(f"/admin/try/rate?tariff={tariff.id}&{typed}"))
    assert "61 66 0.11 " in page
    assert "60 60 0.10 " in page
    page = admin.get(f"/admin/try/rate?tariff={tariff.id}&{typed}&formula=1x1@1.80; 2x60@1.80; fee 0.50; *x6@next")
    # 0.03 for the first second, then 2 minutes, the fee, then 6 s at 0.10: 600 s are 121 + 80 x 6.
    assert "600 601 4.93 " in text_of(page)
    plot = re.search(r'src="([^"]+)"', page)
    assert plot is not None
    drawn = admin.client.get(plot[1].replace("&amp;", "&"))
    assert drawn.mimetype == "image/svg+xml"
    assert "<script" not in drawn.text.replace("svg:", "")
    assert "the last element must be" in admin.get(f"/admin/try/rate?{typed}&formula=1x1@1.80")
    for partly in ("", typed.replace("0.10", "x"), typed.replace("60", "0"), "first_interval_seconds=9"):
        assert "is shown here" in admin.get(f"/admin/try/rate?{partly}")
        admin.get(f"/admin/rate-plot.svg?{partly}")


def test_a_formula_is_written_element_by_element(admin: Operator) -> None:
    tariff = Tariff.get(Tariff.name == "Callback")
    address, text = f"/admin/tariffs/{tariff.id}/rates/new", ""
    for element, said in (
        ({"try_element": "run", "try_count": "2", "try_seconds": "60", "try_value": "1.80"}, "2x60@1.80"),
        ({"try_element": "fee", "try_value": "0.50"}, "2x60@1.80; fee 0.50"),
        ({"try_element": "surcharge", "try_value": "5"}, "2x60@1.80; fee 0.50; surcharge 5%"),
        ({"try_element": "run"}, "2x60@1.80; fee 0.50; surcharge 5%; *xnext@next"),
    ):
        page = admin.post(address, 200, step="write formula", formula=text, **element).text
        (text,) = re.findall(r'<textarea[^>]* name="formula"[^>]*>\s*([^<]*)<', page)
        assert text == said
    page = admin.post(address, 200, step="write formula", formula=text, try_element="fee", try_value="1").text
    assert "nothing can follow it" in page


@pytest.mark.parametrize(
    ("rule", "number", "made"),
    [
        ("s/^/cb/", "5511999887766", "cb5511999887766"),
        ("s/^/cb/; s/^cb00/cb/", "005511", "cb005511 → cb5511"),
        ("tr/0-9//cd", "+55 11", None),
    ],
)
def test_what_a_rule_makes_of_a_number(admin: Operator, rule: str, number: str, made: str | None) -> None:
    query = {"account_id_rule": rule, "try_account_id_rule": number}
    said = text_of(admin.client.get("/admin/try/rule", query_string=query).text)
    assert (made in said) if made else ("→" not in said)
    page = admin.post("/admin/voice-applications/new", 200, step="try account_id_rule", name="x", **query).text
    assert (made in text_of(page)) if made else True


def test_a_rule_in_full(admin: Operator) -> None:
    page = admin.get("/admin/connections/1")
    assert page.count('class="aid"') == 2
