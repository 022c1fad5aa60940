"""What is typed wrongly into the forms of prices, products, customers, accounts, and what is said: a table, mistakes.txt.

Money by hand, vouchers, generated accounts, sheets, the price calculator: test_bad_input.py. Commands: tests/cli/mistakes.txt.
"""

import re
from html import unescape
from itertools import zip_longest
from pathlib import Path

import pytest

from tests.web.admin.conftest import Operator
from webcb.models import Audit, Product, Tariff
from webcb.web.admin import screen

Cases = dict[str, list[tuple[str, str]]]  # by field: what is typed, what is said

# A box to tick, a free text, a secret, and one of a list, of which what is there is looked for only where all else is right.
NOT_TYPED_WRONGLY = {
    "destinations": {"description"},
    "off_peak_periods": set(),
    "tariffs": {"off_peak_period", "second_off_peak_period", "blocked", "description"},
    "products": {"visible_name", "profit_guarantee", "blocked", "description"},
    "usage_charges": {"node", "access_code"},
    "rates": {"forbidden", "discontinued", "hidden"},
    "routes": {"huntstop"},
    "customers": {"web_login", "web_password"},
    "accounts": {
        "service_password", "distributor", "blocked", "activated", "closed", "web_login", "web_password", "e_commerce",
    },
    "distributors": set(),
    "currencies": set(),
    "vendors": set(),
}  # fmt: skip


def table() -> dict[str, Cases]:
    found: dict[str, Cases] = {}
    for line in (Path(__file__).parent / "mistakes.txt").read_text().splitlines():
        if line.startswith("/"):
            cases = found[line] = {}
        elif line.startswith("    "):
            field, _, rest = line.strip().partition(": ")
            typed, _, said = rest.partition(" -> ")
            cases.setdefault(field, []).append(("" if typed == '""' else typed, said))
    return found


TABLE = table()


def errors_of(page: str) -> dict[str, str]:
    found = re.findall(r'id="(\w+)-error">([^<]*)<', page)
    return {field: unescape(said).strip() for field, said in found}


def test_every_field_that_can_be_typed_wrongly_is_in_the_table() -> None:
    wrong = {}
    for (address, cases), (endpoint, others) in zip(TABLE.items(), NOT_TYPED_WRONGLY.items(), strict=True):
        (editor,) = (each for each in screen.EDITORS if each.endpoint == endpoint)
        if {item.field for item in editor.items} != set(cases) | others:
            wrong[address] = {item.field for item in editor.items} ^ (set(cases) | others)
    assert wrong == {}


@pytest.mark.parametrize("address", TABLE)
def test_what_is_wrong_is_said_beside_its_field_and_stays_there(admin: Operator, address: str) -> None:
    path = address.format(tariff=Tariff.get(name="Callback").id, product=Product.get().id)
    token = re.findall(r'name="csrf_token"[^>]*value="([^"]+)"', admin.get(path))[0]
    before = Audit.select().count()
    for turn in zip_longest(*([(field, *each) for each in cases] for field, cases in TABLE[address].items())):
        typed = {field: value for field, value, _ in filter(None, turn)}
        page = admin.client.post(path, data={"csrf_token": token, **typed}).text
        said = errors_of(page)
        assert {field: said.get(field) for field in typed} == {field: each for field, _, each in filter(None, turn)}
        for field, value in typed.items():
            is_chosen = re.search(rf'<select[^>]*name="{field}"|name="{field}"[^>]*type="checkbox"', page)
            assert is_chosen or re.search(rf'value="{re.escape(value)}"|>\s*{re.escape(value)}</textarea>', page), field
    assert Audit.select().count() == before
