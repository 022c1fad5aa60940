"""Rate sheets on pages: previewed, applied, undone, refused by line, downloaded; larger than a form may be, and bounded."""

import io
import re
from html import unescape

from tests.web.admin.conftest import Operator, text_of
from webcb.billing import rate_sheet, workbook
from webcb.models import Destination, Rate, RateImport, Tariff
from webcb.web.admin import rate_sheets


def _bytes(rows: list[list[str]]) -> bytes:
    content = workbook.write(rate_sheet.HEADS, rows, "csv")
    return content if isinstance(content, bytes) else b"".join(content)


def line(prefix: str, price: str, country: str = "BR", description: str = "Brazil") -> list[str]:
    """A line as the columns want it."""
    cells = dict.fromkeys(rate_sheet.COLUMNS, "")
    named = {"prefix": prefix, "country": country, "description": description, "first_seconds": "60", "next_seconds": "6",
             "first_price": price, "next_price": price}  # fmt: skip
    unknown = set(named) - set(cells)
    assert not unknown, (unknown, list(cells))
    return list((cells | named).values())


def address() -> str:
    return f"/admin/tariffs/{Tariff.get(name='Callback').id}/sheet"


def upload(operator: Operator, content: bytes, status: int = 200, **fields: str) -> str:
    fields = {"step": "preview", "mode": "add", "time_zone": "UTC"} | fields
    return operator.post(address(), status, file=(io.BytesIO(content), "../new<b>.csv"), **fields).text


def waiting(page: str) -> dict[str, str]:
    return {
        name: unescape(re.search(rf'name="{name}" value="([^"]*)"', page)[1])
        for name in ("waiting", "name", "mode", "time_zone")
    }  # type: ignore[index]


def price_of(prefix: str) -> list[int]:
    rates = (
        Rate.select().join(Destination).where(Destination.prefix == prefix, Rate.tariff == Tariff.get(name="Callback"))
    )
    return [row.first_price_micros for row in rates.order_by(Rate.effective_at)]


def test_preview_changes_nothing_then_it_is_applied_and_undone(admin: Operator) -> None:
    page = upload(admin, _bytes([line("55", "0.06"), line("1", "0.01", "US", "USA")]))
    said = text_of(page)
    assert "1 dearer, 1 cheaper" in said
    assert re.search(r"55 dearer 0\.06 / 0\.06 0\.05 / 0\.05", said)
    assert "<b>.csv" not in page
    assert price_of("55") == [50_000]
    admin.post(address(), step="apply", **waiting(page))
    assert price_of("55") == [50_000, 60_000]
    assert RateImport.get().file_name == "new<b>.csv"
    assert not list((rate_folder(admin)).iterdir())
    admin.post(address(), step="undo")
    assert price_of("55") == [50_000]
    admin.post(address(), 422, step="apply", **waiting(page))  # the file is forgotten


def rate_folder(operator: Operator):  # type: ignore[no-untyped-def]
    return operator.client.application.extensions["webcb_settings"].data_dir / rate_sheets.FOLDER


def test_replace_discontinues_and_register_registers(admin: Operator) -> None:
    page = upload(
        admin, _bytes([line("55", "0.05"), line("44", "0.02", "GB", "Great Britain")]), mode="replace", register="y"
    )
    said = text_of(page)
    assert "2 discontinued" in said
    assert "1 destinations registered" in said
    admin.post(address(), step="apply", register="y", **waiting(page))
    assert price_of("44") == [20_000]
    assert Destination.get(prefix="44").description == "Great Britain"


def test_every_problem_is_said_by_its_line(admin: Operator) -> None:
    page = upload(admin, _bytes([line("55", "much"), line("x", "1"), line("99", "1")]), 422)
    said = text_of(page)
    assert "problems: nothing is changed" in said, said[:900]
    for number in ("2", "3", "4"):
        assert f'<td class="is-number" data-label="Line">{number}</td>' in page
    assert 'value="apply"' not in page


def test_what_is_no_file_is_said(admin: Operator) -> None:
    assert "choose a file that is not empty" in upload(admin, b"", 422)
    assert "not UTF-8 text" in upload(admin, b"\xff\xfe\x00", 422)
    upload(admin, b"PK\x03\x04 no archive", 422)
    for token in ("../webcb.db", "0" * 32, ""):
        admin.post(address(), 422, step="apply", waiting=token, name="x", mode="add", time_zone="UTC")


def test_a_sheet_may_be_larger_than_a_form_and_is_bounded(admin: Operator, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    many = [line(f"55{number:04d}", "0.05") for number in range(1000)]
    assert len(_bytes(many)) > 16 * 1024
    page = upload(admin, _bytes(many), register="y")
    assert "1,000 new" in text_of(page)
    assert text_of(page).count("new 0.05") == rate_sheets.CHANGES_SHOWN_MAX
    big = {"name": "x" * 20_000, "login": "x", "role": "support", "time_zone": "UTC"}
    admin.post("/admin/users/new", 413, **big)
    view = admin.client.application.view_functions["admin.rate_sheet"]
    monkeypatch.setattr(view, "body_bytes_max", 20_000)
    upload(admin, _bytes(many), 413)


def test_downloads_are_read_back(admin: Operator, reader: Operator) -> None:
    tariff = Tariff.get(name="Callback")
    for as_format in ("csv", "xlsx"):
        content = reader.client.get(f"/admin/tariffs/{tariff.id}/sheet/{as_format}").data
        page = upload(admin, content, mode="replace")
        assert "The tariff has all of this already." in page
    assert admin.client.get("/admin/tariffs/template/xlsx").data.startswith(b"PK")
    admin.get("/admin/tariffs/template/exe", 404)
    reader.get(address(), 403)
