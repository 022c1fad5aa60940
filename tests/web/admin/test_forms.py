"""Forms: what is created, changed, renamed, refused beside its field, removed; each audited with before and after."""

import re
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest

from tests.web.admin.conftest import Operator, text_of
from webcb.models import (
    Account,
    Audit,
    Customer,
    Destination,
    Job,
    Node,
    OffPeakPeriod,
    Product,
    Rate,
    Tariff,
    UsageCharge,
    Vendor,
    VoiceApplication,
    Voucher,
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


def test_every_moment_has_a_calendar_and_a_zone(admin: Operator) -> None:
    """On every page that can be opened by its address alone, and on those of parts and rows."""
    rules = admin.client.application.url_map.iter_rules()
    addresses = [
        each.rule
        for each in rules
        if each.rule.startswith("/admin/") and "GET" in (each.methods or ()) and not each.arguments
    ]
    seen = set()
    for address in [*addresses, "/admin/tariffs/1/rates/new", "/admin/tariffs/1/rates/1", "/admin/accounts/1"]:
        page = admin.client.get(address).text
        for name in re.findall(r'<input[^>]* id="([^"]+)"[^>]* type="datetime-local"', page):
            zone = re.search(
                rf'(?s)<label class="visually-hidden" for="{name}_zone">.*?<select[^>]* name="{name}_zone"[^>]*>(.*?)</select>',
                page,
            )
            assert zone is not None, (address, name)
            assert '<option selected value="UTC">' in zone[1]
            assert '<option value="America/Sao_Paulo">' in zone[1]
            seen.add((address.removeprefix("/admin/"), name))
    assert seen >= {
        ("tariffs/1/rates/new", "effective_from"), ("tariffs/1/rates/1", "effective_from"), ("accounts/new", "activation_at"),
        ("accounts/new", "expires_at"), ("account-generator", "activation_at"), ("account-generator", "expires_at"),
        ("vouchers/new", "expires_at"), ("test-number", "at"), ("price-calculator", "at"),
    }  # fmt: skip


def test_a_moment_in_another_zone_is_that_moment(admin: Operator) -> None:
    there = {"expires_at": "2035-07-01T18:00", "expires_at_zone": "America/Sao_Paulo"}
    order = {"customer": Customer.get().name, "product": "Callback", "type": "debit", "quantity": "2", "batch": "Far", "prefix": "cb",
             "length": "9", "service_passwords": "auto", "self_care": "empty", "time_zone": "UTC", "language": "en",
             "opening_balance": "1", "credit_limit": "0", "method": "Random", "role": "Universal"}  # fmt: skip
    admin.post("/admin/account-generator", **order, **there)
    assert str(int(datetime(2035, 7, 1, 21, tzinfo=UTC).timestamp())) in Job.get().plan
    admin.post("/admin/vouchers/new", 200, series="Far", quantity="1", amount="1", currency="USD", **there)
    assert f"{Voucher.get().expires_at:%Y-%m-%dT%H:%M%z}" == "2035-07-01T21:00+0000"
    account = {"login": "cb778", "customer": Customer.get().name, "product": "Callback", "type": "debit",
               "balance_control": "individual", "opening_balance": "0", "time_zone": "UTC", "language": "en"}  # fmt: skip
    admin.post("/admin/accounts/new", **account, **there)
    assert f"{Account.get(login='cb778').expires_at:%Y-%m-%dT%H:%M%z}" == "2035-07-01T21:00+0000"
    # A rate of a moment that the calculator is asked about in a zone: in force from 21:00 UTC, which is 18:00 there.
    rate = {"prefix": "1206", "mode": "flat", "first_interval_seconds": "60", "next_interval_seconds": "60", "first_price": "7.77",
            "next_price": "7.77", "effective_from": "2035-07-01T18:00", "effective_from_zone": "America/Sao_Paulo"}  # fmt: skip
    Destination.create(prefix="1206", country="US", description="Seattle")
    admin.post(f"/admin/tariffs/{Tariff.get(name='Callback').id}/rates/new", **rate)
    asked = "/admin/test-number?number=%2B12065550123&product=Callback&leg=B&at={}&at_zone={}"
    assert "7.77" in admin.get(asked.format("2035-07-01T18:00", "America/Sao_Paulo"))
    assert "7.77" not in admin.get(asked.format("2035-07-01T18:00", "UTC"))
    assert "7.77" in admin.get(asked.format("2035-07-01T21:00", "UTC"))


@pytest.mark.parametrize(
    ("address", "table"),
    [("tariffs/1", Tariff), ("products/1", Product), ("customers/1", Customer), ("vendors/1", Vendor)],
)
def test_the_currency_is_locked_once_it_is_saved(admin: Operator, address: str, table: type) -> None:
    page = admin.get(f"/admin/{address}")
    field = re.search(r'<(?:input|select)[^>]* id="currency"[^>]*>', page)
    assert field is not None
    assert " disabled" in field[0]
    assert "cannot be changed" in page.partition('id="currency-hint">')[2][:120]
    row = table.get_by_id(1)
    before = currency_of(row)
    fields = {name: value for name, value in posted_as_shown(page).items() if name != "currency"}
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert token is not None
    sent = fields | {"currency": "EUR", "csrf_token": token[1]}  # who sends it all the same is not heard
    assert admin.client.post(f"/admin/{address}", data=sent).status_code == 303
    assert currency_of(table.get_by_id(1)) == before == "USD"
    opened = address.partition("/")[0]
    fresh = re.search(r'<(?:input|select)[^>]* id="currency"[^>]*>', admin.get(f"/admin/{opened}/new"))
    assert fresh is not None
    assert " disabled" not in fresh[0]


def currency_of(row: Any) -> str:
    return str(row.wallet.currency if isinstance(row, Customer) else row.currency)


def posted_as_shown(page: str) -> dict[str, str]:
    """What a browser would send of the form as it stands there."""
    form = page.partition('class="entry"')[2].partition("</form>")[0]
    inputs = re.findall(r"<input[^>]*>", form)
    found = {}
    for each in inputs:
        name, value = re.search(r' name="([^"]*)"', each), re.search(r' value="([^"]*)"', each)
        if name and ' type="checkbox"' not in each and " disabled" not in each:
            found[name[1]] = unescape(value[1]) if value else ""
        elif name and " checked" in each:
            found[name[1]] = value[1] if value else "y"
    for name, options in re.findall(r'(?s)<select[^>]* name="([^"]*)"[^>]*>(.*?)</select>', form):
        chosen = re.search(r'<option selected value="([^"]*)"', options)
        found[name] = unescape(chosen[1]) if chosen else ""
    found |= dict(re.findall(r'(?s)<textarea[^>]* name="([^"]*)"[^>]*>\s*(.*?)</textarea>', form))
    return {name: text for name, text in found.items() if name not in ("csrf_token", "step")}
