"""Every page of the admin site on a real PostgreSQL: lists by every column and filter, searches, files, figures, forms."""

import csv
import io
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from flask import Flask

from tests import databases
from tests.web import scene
from tests.web.admin.conftest import PASSWORD, Operator, enter, text_of
from tests.web.admin.test_roles import PERMISSION
from tests.web.hand import Hand
from webcb import clock, db
from webcb.billing import credentials, settlement, voucher
from webcb.models import (
    Audit,
    Batch,
    Connection,
    Customer,
    Distributor,
    ExchangeRate,
    OffPeakPeriod,
    Route,
    Tariff,
    User,
    Xdr,
)
from webcb.web import create_app
from webcb.web.admin import statistics


@pytest.fixture(scope="module")
def site(postgresql_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """The site over the scene on PostgreSQL, with two calls, one that goes on, and a row of everything that has a page."""
    folder: Path = tmp_path_factory.mktemp("on-postgresql")
    with databases.database_of(postgresql_url) as url:
        chosen = scene.settings(folder, database_url=url)
        scene.build(chosen)
        app = create_app(chosen)
        at = clock.utc_now()
        db.database.connect(reuse_if_open=True)
        User.create(login="ann", password=credentials.hash_password(PASSWORD), role="administrator")
        OffPeakPeriod.create(name="Nights", definition="hr{6pm-5am}")
        Distributor.create(name="Kiosk")
        Batch.create(name="First", customer=Customer.get(), created_at=at)
        ExchangeRate.create(currency="EUR", day="2026-01-01", per_base_micros=920_000)
        carrier = Tariff.get(Tariff.name == "Carrier")
        Route.create(tariff=carrier, destination=1)
        voucher.make("Kiosk", 3, 1_000_000, "USD", None, "test", at)
        Audit.create(at=at, made_by="test", action="test", subject="test")
        db.database.close()
        client = app.test_client()
        connection_id = Connection.get().id
        for used in ((61, 61), (30, 0), None):
            engine = scene.Engine(Hand(client).connect())
            engine.talk(ago=60)
            if used:
                ended = clock.utc_now()
                legs = [
                    settlement.LegUsage(name, ended if each else None, ended, each * 1_000_000, 700, 16, connection_id)  # type: ignore[arg-type]
                    for name, each in zip("AB", used, strict=True)
                ]
                settlement.settle(engine.callback_id, legs, "A hung up", bool(used[1]), ended)
        db.database.close()
        yield app


@pytest.fixture
def ann(site: Flask) -> Operator:
    client = site.test_client()
    assert enter(client, "ann").status_code == 303
    return Operator(client, "ann")


def pages(site: Flask) -> list[str]:
    """The address of every page that is only looked at, of row 1 where there are rows."""
    found = []
    for rule in site.url_map.iter_rules():
        if rule.endpoint in PERMISSION and "GET" in rule.methods and not rule.endpoint.startswith("sign_in."):
            values = {name: "x" * 20 if name == "callback_id" else 1 for name in rule.arguments}
            found.append(rule.build(values, append_unknown=False)[1])
    return found


def test_every_page(site: Flask, ann: Operator) -> None:
    seen = {address: ann.client.get(address).status_code for address in pages(site)}
    assert {address for address, status in seen.items() if status >= 500} == set()
    assert sum(status == 200 for status in seen.values()) > 50
    db.database.connect(reuse_if_open=True)
    calls = [bill.__data__["callback"] for bill in Xdr.select()]
    db.database.close()
    for callback_id in calls:
        assert "xDRs" in ann.get(f"/admin/callbacks/{callback_id}")


def test_every_list_by_every_column_and_filter(site: Flask, ann: Operator) -> None:
    for address in pages(site):
        page = ann.client.get(address).text
        if 'aria-label="Filter of the list"' not in page:
            continue
        sorts = re.findall(r"[?&](?:amp;)?sort=(\w+)", page)
        for name, falling in product(dict.fromkeys(sorts), "01"):
            ann.get(f"{address}?sort={name}&desc={falling}")
        for name, values in re.findall(r'(?s)<select[^>]* name="(\w+)">(.*?)</select>', page):
            for value in re.findall(r'value="([^"]+)"', values):
                ann.get(f"{address}?{name}={value}")
        for name in re.findall(r'<input class="form-control" id="f-[\w]+" name="(\w+)"', page):
            ann.get(f"{address}?{name}=a")
        for name in re.findall(r'type="date" name="(\w+)_from"', page):
            ann.get(f"{address}?{name}_from=2026-01-01&{name}_to=2199-01-01")
        ann.get(f"{address}?q=a")
        assert ann.client.get(f"{address}?export=csv").data


def test_figures_are_those_of_sql_by_hand(ann: Operator) -> None:
    by_hand = "SELECT COUNT(*), SUM(charged_micros), SUM(used_quantity) FROM xdr"
    db.database.connect(reuse_if_open=True)
    legs, charged, seconds = db.database.execute_sql(by_hand).fetchone()
    db.database.close()
    for by in statistics.WAYS:
        lines = list(csv.DictReader(io.StringIO(ann.get(f"/admin/statistics?by={by}&export=csv"))))
        assert sum(int(line["Legs"]) for line in lines) == legs == 4
        assert sum(round(float(line["Revenue"]) * 1_000_000) for line in lines) == charged
        assert sum(int(line["Seconds"]) for line in lines) == seconds
    assert "A hung up 2" in text_of(ann.get("/admin/statistics"))


def test_a_form_is_saved_renamed_removed(ann: Operator) -> None:
    ann.post("/admin/distributors/new", name="Second")
    ann.post("/admin/distributors/2", name="Third")
    assert "Third" in ann.get("/admin/distributors")
    ann.post("/admin/distributors/2", step="remove")
    assert "Third" not in ann.get("/admin/distributors")
    ann.post("/admin/tariffs/1/rates/new", prefix="1900", first_price="1", next_price="1", first_interval_seconds="1",
             next_interval_seconds="1", mode="flat")  # fmt: skip
    assert "1900" in ann.get("/admin/tariffs/1/rates?prefix=19")
