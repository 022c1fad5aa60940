"""Monitoring > Never called: the list, its export, and who may change it."""

import csv
import io

from tests.web.admin.conftest import Operator
from webcb import clock, models
from webcb.billing import never

NUMBER = "5511999887766"


def test_who_pressed_nine_is_listed_exported_and_called_again(admin: Operator) -> None:
    never.remember(NUMBER, clock.utc_now())
    assert "99988-7766" in admin.get("/admin/never-called")
    (row,) = csv.DictReader(io.StringIO(admin.get("/admin/never-called?export=csv")))
    assert NUMBER in "".join(filter(str.isdigit, row["Number"]))
    admin.post("/admin/never-called", number=f"+{NUMBER}", step="lift")
    assert f"{NUMBER} is called again." in admin.get("/admin/never-called")
    assert models.NeverCall.select().count() == 0
    admin.post("/admin/never-called", number="55 11 99988 7766", step="add")
    assert [each.number for each in models.NeverCall.select()] == [NUMBER]
    assert [each.action for each in models.Audit.select().order_by(models.Audit.id)][-2:] == [
        "call again",
        "never call",
    ]


def test_nonsense_is_said(admin: Operator) -> None:
    for typed in ("", "12", "nobody"):
        admin.post("/admin/never-called", number=typed, step="add")
    assert models.NeverCall.select().count() == 0


def test_who_only_reads_changes_nothing(reader: Operator) -> None:
    assert "Never call it" not in reader.get("/admin/never-called")
    reader.post("/admin/never-called", 403, number=NUMBER, step="add")
    assert models.NeverCall.select().count() == 0
