"""The set-up checklist: the handbook's printed table, which looks for itself what is done; and the test callback at its end.

A line that is not done names what is missing, with a link that opens the form for it filled in.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from flask import current_app, flash, redirect, render_template, request, url_for

from webcb import clock, db, doorbell
from webcb.billing import catalog, credentials, product, reception
from webcb.billing.authorization import Refusal
from webcb.billing.product import LegName
from webcb.billing.tariff import rate_in_force
from webcb.models import (
    Account,
    Audit,
    Connection,
    Customer,
    Destination,
    Node,
    Product,
    Tariff,
    UsageCharge,
    Vendor,
    VoiceApplication,
)
from webcb.number import Number, NumberError, country_names, example_number, parse_number, prefixes
from webcb.prompts.library import Library
from webcb.web import refusals, visitor
from webcb.web.admin import signing
from webcb.web.admin.screen import blueprint
from webcb.web.admin.signing import guarded
from webcb.web.forms import PressForm

HEARD_WITHIN: Final = timedelta(minutes=1)
SAMPLE_B: Final = "+1 206 555 0123"
NUMBER_LENGTH_MAX: Final = 40


@dataclass(frozen=True)
class Line:
    """A line of the table. `detail` says what there is, or what is missing; `link` leads to where it is mended."""

    group: str
    text: str
    is_done: bool
    detail: str
    link: str = ""


@dataclass(frozen=True)
class Sample:
    """The call for which everything is looked at: from A's country, as in the handbook."""

    application: Any
    number_a: Number
    number_b: Number

    @property
    def typed_a(self) -> str:
        return f"+{self.number_a.digits}"

    @property
    def typed_b(self) -> str:
        return f"+{self.number_b.digits}"


def sample(path: str, typed_a: str, typed_b: str) -> Sample:
    """The sample call of what was typed; what is no number, or nothing, becomes an example."""
    rows = list(VoiceApplication.select().order_by(~VoiceApplication.active, VoiceApplication.id))
    application = next((row for row in rows if row.path == path), rows[0] if rows else None)
    country = application.default_country if application else "BR"
    numbers = []
    for typed, instead in ((typed_a, example_number(country)), (typed_b, SAMPLE_B)):
        try:
            numbers.append(parse_number(typed[:NUMBER_LENGTH_MAX] or instead, country))
        except NumberError:
            numbers.append(parse_number(instead, country))
    return Sample(application, *numbers)


def lines(of: Sample, library: Library, at: datetime) -> list[Line]:
    """The table."""
    return [*_general(library, at), *_application(of), *_rating(of, at), *_accounts(of)]


# The groups of the table ---------------------------------------------------------------------------------------------


def _general(library: Library, at: datetime) -> Iterator[Line]:
    group = "General configuration"
    heard = [row.name for row in Node.select() if row.heard_at and at - row.heard_at < HEARD_WITHIN]
    detail = f"{', '.join(heard)}: heard from" if heard else "no engine was heard of within a minute: start webcb serve"
    yield Line(group, "A node is running", bool(heard), detail, url_for("admin.nodes"))
    tariff = Tariff.select().where(Tariff.applied_to == "vendor").order_by(Tariff.id).first()
    new = url_for("admin.tariffs_new", name="Carrier", currency="USD", applied_to="vendor")
    yield _exists(group, "A tariff for what a carrier charges", tariff, "tariff applied to Vendor", new)
    vendor = Vendor.select().order_by(Vendor.id).first()
    currency = tariff.currency if tariff else "USD"
    new = url_for("admin.vendors_new", name="Carrier", currency=currency)
    yield _exists(group, "A vendor", vendor, "vendor", new)
    connection = Connection.select().where(Connection.active).order_by(Connection.id).first()
    filled: dict[str, Any] = {
        "vendor": vendor.name if vendor else "",
        "tariff": tariff.name if tariff else "",
        "probe_seconds": 30,
    }
    new = url_for("admin.connections_new", name="Carrier 1", **filled)
    yield _exists(group, "A connection to its switch", connection, "active connection", new)
    for row in Connection.select().where(Connection.active).order_by(Connection.name):
        yield _standing(group, row)
    unmade = library.unmade()
    said = f"not spoken yet in {', '.join(unmade)}: webcb prompts makes them" if unmade else "in every language"
    yield Line(group, "The prompts are complete", not unmade, said, url_for("admin.prompts"))


def _standing(group: str, row: Any) -> Line:
    link = url_for("admin.connections_edit", row_id=row.id)
    text = f"Connection {row.name} is there"
    if row.must_register and row.registration != "registered":
        why = f": {row.registration_reason}" if row.registration_reason else ""
        return Line(group, text, False, f"it does not have us registered ({row.registration}{why})", link)
    if row.state == "down":
        why = f": {row.state_reason}" if row.state_reason else ""
        return Line(group, text, False, f"it does not answer OPTIONS{why}", link)
    if row.state == "up":
        return Line(group, text, True, "it answers OPTIONS", link)
    if row.must_register:
        return Line(group, text, True, "it has us registered", link)
    said = "it was not asked yet" if row.probe_seconds else "it is not asked: write how often under Probe every"
    return Line(group, text, False, said, link)


def _application(of: Sample) -> Iterator[Line]:
    group = "Voice application configuration"
    row = of.application
    new = url_for("admin.voice_applications_new", name="Web callback", path="-", active="true")
    yield _exists(group, "Add a new WEB callback trigger instance", row, "voice application", new)
    if row is None:
        return
    link = url_for("admin.voice_applications_edit", row_id=row.id)
    said = f"kinds: {row.kinds}; access code {row.access_code}" if row.active else "it is switched off"
    yield Line(group, "Configure the parameters of the WEB callback trigger instance", bool(row.active), said, link)
    if "hosted" in row.kinds:
        account = row.internal_account
        said, is_done = "hosted calls have nobody who pays: name an internal account", False
        if account is not None:
            is_done = account.wallet.balance_micros + account.wallet.credit_limit_micros > 0
            said = (
                f"account {account.login}"
                if is_done
                else f"account {account.login} has no funds: give its customer a credit limit"
            )
            link = link if is_done else url_for("admin.customers_edit", row_id=account.customer.id)
        yield Line(group, "An internal account pays for hosted calls", is_done, said, link)


def _rating(of: Sample, at: datetime) -> Iterator[Line]:
    group = "Rating configuration (Customer)"
    code = of.application.access_code if of.application else "WEBCALLBACK"
    tariff = _customer_tariff(code)
    new = url_for("admin.tariffs_new", name="Callback", currency="USD", applied_to="customer")
    yield _exists(group, "Create a tariff for the end users", tariff, "tariff applied to Customer", new)
    for leg, number in (("A", of.number_a), ("B", of.number_b)):
        yield _rate(group, leg, number, tariff, at)
    mine = _product(code)
    currency = tariff.currency if tariff else "USD"
    new = url_for("admin.products_new", name="Callback", currency=currency)
    yield _exists(group, "Create a product for callback services", mine, "product", new)
    yield _charge(group, "Its rating list has an entry with the callback's access code", mine, tariff, code)
    if of.application is not None and of.application.special_charge_if_leg_b_fails:
        text = f"Its rating list has an entry with {product.CALLBACK_FAIL}"
        yield _charge(group, text, mine, tariff, product.CALLBACK_FAIL)


def _rate(group: str, leg: str, number: Number, tariff: Any, at: datetime) -> Line:
    text = f"A rate for leg {leg}, as for +{number.digits}"
    if tariff is None:
        return Line(group, text, False, "there is no tariff yet")
    rate = rate_in_force(catalog.rates([tariff.id], [number.digits], at), tariff.id, number.digits, at)
    if rate is not None:
        said = f"{rate.prefix} is forbidden in tariff {tariff.name}" if rate.forbidden else f"prefix {rate.prefix}"
        return Line(group, text, not rate.forbidden, said, url_for("admin.rates", parent_id=tariff.id))
    known = [row.prefix for row in Destination.select().where(Destination.prefix.in_(prefixes(number.digits)))]
    if not known:
        code = str(country_names().get(number.country, "")) or number.digits[:2]
        new = url_for("admin.destinations_new", prefix=code, country=number.country)
        return Line(group, text, False, f"the register of destinations has no prefix of it, as {code}", new)
    prefix = max(known, key=len)
    filled: dict[str, Any] = {
        "prefix": prefix,
        "mode": "flat",
        "first_interval_seconds": 60,
        "next_interval_seconds": 6,
    }
    new = url_for("admin.rates_new", parent_id=tariff.id, **filled)
    return Line(group, text, False, f"tariff {tariff.name} has none", new)


def _charge(group: str, text: str, mine: Any, tariff: Any, code: str) -> Line:
    if mine is None:
        return Line(group, text, False, "there is no product yet")
    charges = list(UsageCharge.select().where(UsageCharge.product == mine))
    codes = {row.access_code for row in charges}
    leg_names: tuple[LegName, LegName] = ("A", "B")
    whole = {code, ""} if code != product.CALLBACK_FAIL else {code}
    is_done = bool(codes & whole) or all(f"{code}-{leg}" in codes for leg in leg_names)
    if is_done:
        return Line(group, text, True, f"product {mine.name}", url_for("admin.usage_charges", parent_id=mine.id))
    new = url_for("admin.usage_charges_new", parent_id=mine.id, access_code=code, tariff=tariff.name if tariff else "")
    instead = "; the ordinary entry is used" if code == product.CALLBACK_FAIL and codes else ""
    return Line(group, text, False, f"product {mine.name} has none for {code}{instead}", new)


def _accounts(of: Sample) -> Iterator[Line]:
    group = "Account provisioning"
    code = of.application.access_code if of.application else "WEBCALLBACK"
    mine = _product(code)
    customer = Customer.select().where(Customer.status == "active").order_by(Customer.id).first()
    currency = mine.currency if mine else "USD"
    new = url_for("admin.customers_new", name="Easy Call", currency=currency)
    yield _exists(group, "Create a retail customer who owns the accounts", customer, "active customer", new)
    count = Account.select().where(Account.activated & ~Account.blocked & ~Account.closed).limit(1).count()
    filled: dict[str, Any] = {
        "customer": customer.name if customer else "",
        "product": mine.name if mine else "",
        "prefix": "cb",
    }
    new = url_for("admin.account_generator", **filled)
    said = "there are active accounts" if count else "no account is active: generate some, and activate their batch"
    link = url_for("admin.accounts") if count else new
    yield Line(group, "Generate a batch of accounts (PINs) for this customer", bool(count), said, link)
    internal = VoiceApplication.select().where(VoiceApplication.internal_account.is_null(False)).first()
    is_needed = of.application is not None and "hosted" in of.application.kinds
    said = f"account {internal.internal_account.login}" if internal else "needed where hosted calls are enabled"
    filled = filled | {"login": "internal", "type": "credit", "balance_control": "subordinate", "activated": "true"}
    filled.pop("prefix")
    new = url_for("admin.accounts_new", **filled)
    yield Line(group, "Create an internal account", internal is not None or not is_needed, said, new)
    if internal is not None:
        yield _guarded(group, internal.internal_account)


def _guarded(group: str, account: Any) -> Line:
    """Whether somebody could use the internal account by guessing (the handbook warns of it)."""
    text, link = "The internal account cannot be entered by guessing", url_for("admin.accounts_edit", row_id=account.id)
    if not account.service_password:
        return Line(group, text, True, "it has no service password: nobody logs in with it", link)
    if _is_guessed(account.service_password, account.login):
        return Line(group, text, False, "its service password is among the first that anybody would try", link)
    is_right = account.type == "credit" and account.balance_control == "subordinate"
    said = "its service password is none of the usual ones" if is_right else "make it Credit and Subordinate"
    return Line(group, text, is_right, said, link)


@lru_cache(maxsize=64)
def _is_guessed(hashed: str, login: str) -> bool:
    """Whether the password is one of the usual; asked once of each hash, for it takes a while."""
    guesses = (
        login,
        f"{login}1",
        f"{login}123",
        login[::-1],
        "password",
        "123456",
        "12345678",
        "1234",
        "secret",
        "admin",
    )
    return any(credentials.verify_password(hashed, guess) for guess in guesses)


def _exists(group: str, text: str, row: Any, noun: str, new: str) -> Line:
    return Line(group, text, row is not None, f"{row.name}" if row else f"there is no {noun} yet", "" if row else new)


def _product(code: str) -> Any:
    """The product that has the code, else any."""
    with_code = Product.select().join(UsageCharge).where(UsageCharge.access_code.in_([code, f"{code}-A", ""]))
    return with_code.order_by(Product.id).first() or Product.select().order_by(Product.id).first()


def _customer_tariff(code: str) -> Any:
    """The tariff the code is charged by, else any for customers."""
    of_code = Tariff.select().join(UsageCharge, on=UsageCharge.tariff == Tariff.id)
    found = of_code.where(UsageCharge.access_code.in_([code, f"{code}-A", ""])).order_by(Tariff.id).first()
    return found or Tariff.select().where(Tariff.applied_to == "customer").order_by(Tariff.id).first()


# The page ------------------------------------------------------------------------------------------------------------


@blueprint.get("/checklist", endpoint="checklist")
@guarded("setup.see")
def checklist() -> Any:
    """The table, and the form of the test callback."""
    asked = [request.args.get(name, "") for name in ("application", "a", "b")]
    return _page(sample(*asked), request.args.get("login", ""), "")


@blueprint.post("/checklist", endpoint="test_callback")
@guarded("setup.change")
def test_callback() -> Any:
    """Make the test callback, and go to where it is shown live."""
    user: Any = signing.current()
    given = [request.form.get(name, "") for name in ("application", "a", "b")]
    login = request.form.get("login", "").strip()[:64]
    of = sample(*given)
    if of.application is None:
        return _page(of, login, "There is no voice application yet."), 422
    for typed in given[1:]:
        try:
            parse_number(typed[:NUMBER_LENGTH_MAX], of.application.default_country)
        except NumberError as wrong:
            return _page(of, login, f"{typed[:NUMBER_LENGTH_MAX]}: {wrong}"), 422
    mark = request.form.get("mark", "")
    key = f"test.{mark if visitor.is_mark(mark) else visitor.new_mark()}"
    order = reception.Order(of.application.path, login, None, of.number_a, of.number_b, key, f"user:{user.login}"[:64])
    at = clock.utc_now()
    placed = reception.place(order, at)
    if isinstance(placed, Refusal):
        return _page(of, login, refusals.words(placed).text), 422
    if placed.is_new:
        with db.writing():
            who = f"user:{user.login}"[:64]
            Audit.create(at=at, made_by=who, action="test callback", subject=f"callback {placed.callback_id}")
        doorbell.ring(current_app.extensions["webcb_doorbell"])
        flash("The phones ring. This page follows the call.")
    return redirect(url_for("admin.explain", callback_id=placed.callback_id), 303)


def _page(of: Sample, login: str, wrong: str) -> str:
    data_dir = current_app.extensions["webcb_settings"].data_dir
    with db.reading():
        table = lines(of, Library(data_dir), clock.utc_now())
    usable = Account.select().where(Account.activated & ~Account.blocked & ~Account.closed).order_by(Account.id)
    first = usable.first()
    return render_template(
        "admin/checklist.html",
        table=table,
        missing=sum(not line.is_done for line in table),
        sample=of,
        login=login or (first.login if first else ""),
        wrong=wrong,
        applications=list(VoiceApplication.select().order_by(VoiceApplication.name)),
        mark=visitor.new_mark(),
        press=PressForm(formdata=None),
    )
