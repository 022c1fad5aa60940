"""The box at the top of every page: whatever has this number, ID or name, and the role may see."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from flask import render_template, request, url_for

from webcb.models import (
    Account,
    ApiKey,
    Batch,
    Callback,
    Company,
    Connection,
    Customer,
    Destination,
    Distributor,
    Leg,
    Node,
    OffPeakPeriod,
    OwnNumber,
    Product,
    Tariff,
    TrustedNumber,
    User,
    Vendor,
    VoiceApplication,
    Voucher,
)
from webcb.web.admin import signing
from webcb.web.admin.finding import begins, has
from webcb.web.admin.menu import MENU
from webcb.web.admin.permission import may
from webcb.web.admin.screen import blueprint
from webcb.web.admin.signing import guarded

FOUND_MAX: Final = 8  # of each kind
TEXT_LENGTH_MAX: Final = 64
NUMBER_DIGITS_MIN: Final = 5

Found = tuple[str, str, str]  # kind, name, address


@dataclass(frozen=True)
class _Kind:
    """Rows that are found: by a text that an index finds from its start, or by a word within it where there are not many."""

    label: str
    needs: str
    texts: tuple[Any, ...]
    endpoint: str
    parameter: str = "row_id"
    from_start: bool = False

    def find(self, text: str) -> Iterator[Found]:
        model, meet = self.texts[0].model, begins if self.from_start else has
        for each in self.texts:
            for key, name in (
                model.select(model.id, each).where(meet(each, text)).order_by(each).limit(FOUND_MAX).tuples()
            ):
                yield self.label, str(name), url_for(f"admin.{self.endpoint}", **{self.parameter: key})


KINDS: Final = (
    _Kind("Account", "sales.see", (Account.login, Account.web_login), "accounts_edit", from_start=True),
    _Kind("Customer", "sales.see", (Customer.name, Customer.web_login), "customers_edit"),
    _Kind("Batch", "sales.see", (Batch.name,), "batch", "batch_id"),
    _Kind("Distributor", "sales.see", (Distributor.name,), "distributors_edit"),
    _Kind("Destination", "catalog.see", (Destination.prefix,), "destinations_edit", from_start=True),
    _Kind("Destination", "catalog.see", (Destination.description,), "destinations_edit"),
    _Kind("Off-peak period", "catalog.see", (OffPeakPeriod.name,), "off_peak_periods_edit"),
    _Kind("Tariff", "catalog.see", (Tariff.name,), "tariffs_edit"),
    _Kind("Product", "catalog.see", (Product.name, Product.visible_name), "products_edit"),
    _Kind("Voice application", "infrastructure.see", (VoiceApplication.name,), "voice_applications_edit"),
    _Kind("Own number", "infrastructure.see", (OwnNumber.digits,), "own_numbers_edit", from_start=True),
    _Kind("Node", "infrastructure.see", (Node.name,), "nodes_edit"),
    _Kind("Vendor", "infrastructure.see", (Vendor.name,), "vendors_edit"),
    _Kind("Connection", "infrastructure.see", (Connection.name, Connection.host), "connections_edit"),
    _Kind("Company", "setup.see", (Company.name,), "companies_edit"),
    _Kind("User", "setup.see", (User.login, User.name), "user", "user_id"),
    _Kind("API key", "setup.see", (ApiKey.name,), "api_key", "key_id"),
    _Kind("Callback", "monitoring.see", (Callback.id,), "explain", "callback_id", from_start=True),
)  # fmt: skip


@blueprint.get("/search", endpoint="search")
@guarded("")
def search() -> Any:
    """Whatever has this number, ID or name."""
    text = request.args.get("q", "").strip()[:TEXT_LENGTH_MAX]
    user: Any = signing.current()
    return render_template(
        "admin/search.html", text=text, results=list(dict.fromkeys(_found(text, user.role))) if text else []
    )


def _found(text: str, role: str) -> Iterator[Found]:
    for kind in KINDS:
        if may(role, kind.needs):
            yield from kind.find(text)
    digits = "".join(each for each in text if each.isdigit())
    if digits:
        for needs, find in _BY_DIGITS:
            if all(may(role, each) for each in needs):
                yield from find(digits)
    for group in MENU:
        for entry in group.entries:
            if may(role, entry.permission) and text.lower() in entry.label.lower():
                yield "Page", entry.label, url_for(f"admin.{entry.endpoint}")


def _by_control_number(digits: str) -> Iterator[Found]:
    """Of a generated card; the number is as long as it is printed, or without its zeros."""
    for row in Account.select().where(Account.control_number == int(digits[:18])):
        yield "Account", f"{row.login}, card {row.control_number:010d}", url_for("admin.accounts_edit", row_id=row.id)


def _by_trusted_number(digits: str) -> Iterator[Found]:
    if len(digits) < NUMBER_DIGITS_MIN:
        return
    numbers = TrustedNumber.select(TrustedNumber, Account).join(Account).where(begins(TrustedNumber.digits, digits))
    for row in numbers.limit(FOUND_MAX):
        address = url_for("admin.accounts_edit", row_id=row.account.id)
        yield "Account", f"{row.account.login}, calls from +{row.digits}", address


def _by_voucher(digits: str) -> Iterator[Found]:
    for row in Voucher.select().where(Voucher.id == int(digits[:18])):
        yield "Voucher", f"{row.id} of {row.series}", url_for("admin.vouchers", series=row.series)


def _by_called_number(digits: str) -> Iterator[Found]:
    """Numbers that callbacks went to; the list of callbacks has those of each."""
    if len(digits) < NUMBER_DIGITS_MIN:
        return
    for row in Leg.select(Leg.cld).where(begins(Leg.cld, digits)).distinct().limit(FOUND_MAX):
        yield "Number", f"+{row.cld}", url_for("admin.callbacks", q=row.cld)


_BY_DIGITS: Final[tuple[tuple[tuple[str, ...], Callable[[str], Iterator[Found]]], ...]] = (
    (("sales.see",), _by_control_number),
    (("sales.see", "numbers"), _by_trusted_number),
    (("sales.see",), _by_voucher),
    (("monitoring.see", "numbers"), _by_called_number),
)
