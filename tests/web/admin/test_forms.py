"""Forms: what is created, changed, renamed, refused beside its field, removed; each audited with before and after."""

import re

import pytest

from tests.web.admin.conftest import Operator, text_of
from webcb.models import (
    Account,
    Audit,
    Customer,
    Destination,
    Node,
    OffPeakPeriod,
    Product,
    Rate,
    Tariff,
    UsageCharge,
    VoiceApplication,
)
from webcb.provisioning.entries import SECTIONS
from webcb.web.admin import screen
from webcb.web.admin.editor import Editor

# What the pages do not show: it stays as the file or the command line has written it.
NOT_SHOWN: dict[str, set[str]] = {}


def error_of(page: str, field: str) -> str:
    found = re.search(rf'id="{field}-error">([^<]*)<', page)
    assert found is not None, field
    return found[1].replace("&#39;", "'").strip()


def test_a_tariff_from_nothing_to_a_rate(admin: Operator) -> None:
    answer = admin.post("/admin/tariffs/new", name="Night", currency="USD", applied_to="customer", off_peak_when="starts",
                        connect_fee="0.05", decimals="2")  # fmt: skip
    tariff = Tariff.get(name="Night")
    assert answer.headers["Location"] == f"/admin/tariffs/{tariff.id}"
    assert (tariff.connect_fee_micros, tariff.decimals, tariff.free_seconds) == (50_000, 2, 0)
    rate = {"prefix": "55", "mode": "flat", "first_interval_seconds": "60", "next_interval_seconds": "6", "first_price": "0.10",
            "next_price": "0.20", "effective_from": "2035-12-31T18:00", "effective_from_zone": "America/Sao_Paulo"}  # fmt: skip
    admin.post(f"/admin/tariffs/{tariff.id}/rates/new", **rate)
    row = Rate.get(Rate.tariff == tariff)
    assert (row.destination.prefix, row.first_price_micros, row.next_interval_seconds) == ("55", 100_000, 6)
    assert f"{row.effective_at:%Y-%m-%dT%H:%M%z}" == "2035-12-31T21:00+0000"
    page = admin.get(f"/admin/tariffs/{tariff.id}/rates/{row.id}")
    assert 'value="2035-12-31T21:00:00"' in page  # in the operator's own zone, UTC
    admin.post(f"/admin/tariffs/{tariff.id}/rates/{row.id}", **rate | {"next_price": "0.30"})
    assert Rate.get(Rate.tariff == tariff).next_price_micros == 300_000
    assert Rate.select().where(Rate.tariff == tariff).count() == 1
    detail = Audit.select().order_by(Audit.id.desc()).first()
    assert (detail.made_by, "next_price: 0.20 -> 0.30" in detail.detail) == ("user:administrator", True)
    admin.post(f"/admin/tariffs/{tariff.id}/rates/{row.id}", step="remove")
    assert Rate.select().where(Rate.tariff == tariff).count() == 0


def test_what_is_wrong_stands_beside_its_field_and_nothing_is_lost(admin: Operator) -> None:
    page = admin.post(
        "/admin/tariffs/new", 422, name="", currency="usd", connect_fee="much", decimals="9", description="Mine"
    ).text
    assert error_of(page, "name") == "Missing; write 1 to 64 characters on one line"
    assert error_of(page, "currency").startswith("'usd' is not good; write the three letters")
    assert error_of(page, "connect_fee").startswith("'much' is not good; write an amount")
    assert error_of(page, "decimals") == "'9' is not good; write a whole number from 0 to 6"
    assert "Mine</textarea>" in page
    assert 'value="much"' in page


def test_a_rate_of_a_tariff_with_an_off_peak_period_begins_as_separate(admin: Operator) -> None:
    """Its off-peak fields are there with the mode, or where the tariff has a period (handbook, Enter rates)."""
    page = admin.get("/admin/tariffs/1/rates/new")
    assert re.search(r'<option selected value="flat">', page)
    assert page.count('data-with="mode" data-with-values="off-peak"') == 4
    nights = OffPeakPeriod.create(name="Nights", definition="hr{6pm-5am}")
    Tariff.update(off_peak_period=nights).where(Tariff.id == 1).execute()
    assert re.search(r'<option selected value="off-peak">', admin.get("/admin/tariffs/1/rates/new"))


def test_a_new_name_is_the_same_thing(admin: Operator) -> None:
    tariff = Tariff.get(name="Callback")
    page = admin.get(f"/admin/tariffs/{tariff.id}")
    assert re.search(r'<input[^>]*disabled[^>]*id="currency"', page) or re.search(r'id="currency"[^>]*disabled', page)
    admin.post(f"/admin/tariffs/{tariff.id}", name="Callback 2", off_peak_when="starts", decimals="5")
    assert Tariff.get_by_id(tariff.id).name == "Callback 2"
    assert Rate.select().where(Rate.tariff == tariff).count() > 1  # its rates stay
    page = admin.post(f"/admin/tariffs/{tariff.id}", 422, name="Carrier", off_peak_when="starts", decimals="5").text
    assert error_of(page, "name") == "There is a tariff Carrier already; choose another"
    page = admin.post(f"/admin/tariffs/{tariff.id}", 422, name="Callback 3", off_peak_when="starts", decimals="x").text
    assert Tariff.get_by_id(tariff.id).name == "Callback 2"  # refused as a whole


def test_what_is_in_use_is_not_removed_and_it_is_said_by_what(admin: Operator) -> None:
    tariff = Tariff.get(name="Callback")
    page = admin.post(f"/admin/tariffs/{tariff.id}", 422, step="remove").text
    assert "is used by 1 usage charge" in text_of(page)
    assert Tariff.get_or_none(name="Callback") is not None


def test_a_usage_charge_moves_to_another_code(admin: Operator) -> None:
    product = Product.get(name="Callback")
    charge = UsageCharge.get((UsageCharge.product == product) & (UsageCharge.access_code == "WEBCALLBACK"))
    address = f"/admin/products/{product.id}/usage-charges/{charge.id}"
    admin.post(address, access_code="WEBCALLBACK-A", node="", tariff="Callback")
    codes = sorted(row.access_code for row in UsageCharge.select().where(UsageCharge.product == product))
    assert "WEBCALLBACK-A" in codes
    assert "WEBCALLBACK" not in codes


def test_of_another_parent_there_is_no_such_part(admin: Operator) -> None:
    rate = Rate.get(Rate.tariff == Tariff.get(name="Callback"))
    other = Tariff.get(name="Carrier")
    admin.get(f"/admin/tariffs/{other.id}/rates/{rate.id}", 404)


def test_an_account(admin: Operator) -> None:
    customer = Customer.get()
    fields = {
        "login": "cb777",
        "customer": customer.name,
        "product": "Callback",
        "type": "debit",
        "opening_balance": "7.5",
    }
    fields |= {"balance_control": "individual", "service_password": "open sesame", "activated": "y"}
    fields |= {"time_zone": "UTC", "language": "pt"}
    admin.post("/admin/accounts/new", **fields)
    account = Account.get(login="cb777")
    assert (account.wallet.balance_micros, account.language, account.activated) == (7_500_000, "pt", True)
    assert "open sesame" not in admin.get(f"/admin/accounts/{account.id}")
    stored = account.service_password
    admin.post(f"/admin/accounts/{account.id}", **fields | {"blocked": "y", "service_password": ""})
    account = Account.get(login="cb777")
    assert (account.blocked, account.service_password, account.wallet.balance_micros) == (True, stored, 7_500_000)
    admin.post(f"/admin/accounts/{account.id}", **fields | {"service_password": "another word"})
    assert Account.get(login="cb777").service_password != stored
    assert "another word" not in Audit.select().order_by(Audit.id.desc()).first().detail


def test_a_form_is_filled_in_by_its_address(admin: Operator) -> None:
    assert 'value="44"' in admin.get("/admin/destinations/new?prefix=44")


def test_what_a_page_does_not_show_stays(admin: Operator) -> None:
    """An application whose longest talk was written by file is renamed on the page; a field that no panel has stays."""
    application = VoiceApplication.get(path="-")
    VoiceApplication.update(talk_seconds_max=99).where(VoiceApplication.id == application.id).execute()
    page = admin.get(f"/admin/voice-applications/{application.id}")
    assert 'value="99"' in page


@pytest.mark.parametrize("editor", screen.EDITORS, ids=lambda editor: editor.endpoint)
def test_every_field_of_an_entry_is_on_its_page(editor: Editor) -> None:
    shown = {item.field for item in editor.items}
    assert set(editor.kind.model_fields) - shown <= NOT_SHOWN.get(editor.endpoint, set())
    assert shown <= set(editor.kind.model_fields)


def test_every_section_has_its_page() -> None:
    assert {editor.section for editor in screen.EDITORS} == set(SECTIONS)


def test_dangerous_text_is_text(admin: Operator) -> None:
    name = "<script>alert(1)</script>"
    admin.post("/admin/nodes/new", name=name)
    assert Node.get(name=name)
    for page in ("/admin/nodes", "/admin/audit", f"/admin/nodes/{Node.get(name=name).id}"):
        assert "<script>alert" not in admin.get(page)
    admin.post("/admin/destinations/new", prefix="999", country="", description="'\"><img src=x>")
    assert Destination.get(prefix="999").description == "'\"><img src=x>"
    assert "<img src=x>" not in admin.get("/admin/destinations")
