"""The first set-up: four short pages with sensible defaults, each saved as it is left; then the checklist and a test callback.

What a page writes are entries of the provisioning file, like those of every form; what is there already keeps what the page does
not ask for.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import available_timezones

from flask import abort, flash, redirect, render_template, request, url_for
from flask_wtf import FlaskForm
from wtforms import BooleanField, SelectField, StringField
from wtforms.fields.choices import SelectChoice

from webcb import clock
from webcb.models import Account, Connection, Customer, Destination, Product, Rate, Tariff, Vendor, VoiceApplication
from webcb.money import AmountError, parse_amount
from webcb.number import country_names
from webcb.provisioning import apply as provisioning
from webcb.provisioning import document, export
from webcb.provisioning.books import TABLES
from webcb.provisioning.entries import SECTIONS
from webcb.web.admin import signing
from webcb.web.admin.editor import Ticks
from webcb.web.admin.screen import blueprint
from webcb.web.admin.signing import guarded

TARIFF: Final = "Callback"
TARIFF_FAILED: Final = "Callback failed"
PRODUCT: Final = "Callback Services"
INTERNAL: Final = "internal"
EVERYWHERE: Final = {"prefix": "|", "country": "", "description": "Everywhere"}
TYPED: Final = {"maxlength": 253}
PROBE_SECONDS: Final = "30"

Tree = dict[str, list[dict[str, Any]]]


def _countries() -> list[SelectChoice]:
    return [SelectChoice(code, f"{code} (+{prefix})") for code, prefix in sorted(country_names().items())]


# Prices of the pages: in the entries they are those of rates, whose names say nothing to who looks at the page.
_PRICES: Final = ("cost", "price_a", "price_b", "elsewhere", "failed")


def _is_price(text: str) -> bool:
    try:
        return parse_amount(text) >= 0
    except AmountError:
        return False


class CarrierForm(FlaskForm):  # type: ignore[misc]
    """Who takes the calls."""

    vendor = StringField("Name of the carrier", default="Carrier", render_kw={"maxlength": 60})
    currency = StringField("Currency", default="USD", render_kw={"maxlength": 3})
    host = StringField("SIP address", render_kw=TYPED)
    port = StringField("Port", default="5060", render_kw={"maxlength": 5, "inputmode": "numeric"})
    transport = SelectField("Transport", choices=[SelectChoice(each, each.upper()) for each in ("udp", "tcp", "tls")])
    username = StringField("User name", render_kw=TYPED)
    password = StringField("Password", render_kw={"type": "password", "autocomplete": "new-password", "maxlength": 128})
    must_register = BooleanField("Register there")
    cost = StringField("What it charges a minute", default="0.01", render_kw={"inputmode": "decimal"})


class PricesForm(FlaskForm):  # type: ignore[misc]
    """What people pay."""

    country_a = SelectField("Your users are in", default="BR")
    price_a = StringField("Price a minute to call them (leg A)", default="0.05", render_kw={"inputmode": "decimal"})
    country_b = SelectField("They mostly call", default="US")
    price_b = StringField("Price a minute there (leg B)", default="0.05", render_kw={"inputmode": "decimal"})
    elsewhere = StringField("Price a minute to everywhere else", render_kw={"inputmode": "decimal"})
    failed = StringField(
        "Price a minute of leg A where B is not reached", default="0", render_kw={"inputmode": "decimal"}
    )


class ServiceForm(FlaskForm):  # type: ignore[misc]
    """Where callbacks are asked for."""

    name = StringField("Name", default="Web callback", render_kw={"maxlength": 64})
    kinds = Ticks(
        "Kinds of callback",
        choices=[SelectChoice(each, each.capitalize()) for each in ("simple", "extended", "hosted")],
        default=["extended"],
        validate_choice=False,
    )
    second_number = StringField("The second number to connect", render_kw={"maxlength": 15, "inputmode": "tel"})


class AccountForm(FlaskForm):  # type: ignore[misc]
    """Who may call."""

    customer = StringField("Customer", default="Easy Call", render_kw={"maxlength": 64})
    credit_limit = StringField("Its credit limit", default="10", render_kw={"inputmode": "decimal"})
    time_zone = SelectField("Its time zone", default="UTC", choices=sorted(available_timezones()))
    login = StringField("ID of a first account", default="cb1000", render_kw={"maxlength": 64})
    opening_balance = StringField("Its opening balance", default="5", render_kw={"inputmode": "decimal"})
    visible_name = StringField("Name of its product for end users", default="Callback", render_kw={"maxlength": 64})


HINTS: Final = {
    "vendor": "Its tariff, its connection and its routes get this name.",
    "currency": "Of all prices; it cannot be changed later.",
    "host": "Host name or IP address of its switch.",
    "port": "5060 for most; 5061 with TLS.",
    "username": "Empty: it knows us by our address.",
    "must_register": "On if the carrier wants a REGISTER before calls.",
    "cost": "Everywhere alike for now; a rate sheet can be uploaded later.",
    "price_a": "Charged for the first minute whole, then in steps of 6 seconds.",
    "elsewhere": "Empty: only these two countries can be called.",
    "failed": "0: an attempt that reaches nobody costs nothing.",
    "kinds": "Extended asks for the password. Simple and Hosted do not: limit who can reach their page.",
    "second_number": "Whom a Simple callback is connected with, such as your helpdesk; country code first.",
    "credit_limit": "Pays for Hosted callbacks until somebody has logged in; debit accounts have funds of their own.",
    "time_zone": "In which its days and months begin.",
    "login": "Letters and digits; cards are made later by the account generator.",
    "opening_balance": "For the test callback; a debit account spends what is there.",
}


# What the pages write ------------------------------------------------------------------------------------------------


def _entry(section: str, key: str, **fields: Any) -> dict[str, Any]:
    """An entry with these fields; of one that is there already, the others as they are."""
    kind: Any = SECTIONS[section]
    table: Any = TABLES[section]
    row = table.get_or_none(getattr(table, kind.column(kind.KEY[0])) == key)
    stored: Mapping[str, Any] = export.entry(kind, row) if row is not None else {}
    kept = {name: text for name, text in stored.items() if text is not None and name not in kind.CHILDREN}
    return {**kept, kind.KEY[0]: key, **{name: text for name, text in fields.items() if text != ""}}


def _rate(prefix: str, price: str, *, first: str = "60", following: str = "6") -> dict[str, str]:
    return {
        "prefix": prefix,
        "first_price": price,
        "next_price": price,
        "first_interval_seconds": first,
        "next_interval_seconds": following,
    }


def _carrier(form: Any) -> Tree:
    name, currency = form.vendor.data.strip(), form.currency.data.strip()
    rates = [_rate("|", form.cost.data.strip(), first="1", following="1")]
    tariff = _entry("tariffs", f"{name} costs"[:64], currency=currency, applied_to="vendor", rates=rates)
    connection = _entry(
        "connections",
        f"{name} 1"[:64],
        vendor=name,
        tariff=tariff["name"],
        host=form.host.data.strip(),
        port=form.port.data.strip(),
        transport=form.transport.data,
        username=form.username.data.strip(),
        password=form.password.data,
        must_register="true" if form.must_register.data else "false",
        probe_seconds=PROBE_SECONDS,
    )
    return {
        "destinations": [
            _entry("destinations", "|", **{name: text for name, text in EVERYWHERE.items() if name != "prefix"})
        ],
        "tariffs": [tariff],
        "vendors": [_entry("vendors", name, currency=currency)],
        "connections": [connection],
    }


def _prices(form: Any) -> Tree:
    currency = _currency()
    codes = country_names()
    prices = {str(codes[form.country_a.data]): form.price_a.data.strip()}
    prices |= {str(codes[form.country_b.data]): form.price_b.data.strip()}
    if form.elsewhere.data.strip():
        prices["|"] = form.elsewhere.data.strip()
    countries = {str(codes[each.data]): each.data for each in (form.country_b, form.country_a)}
    destinations = [_entry("destinations", prefix, country=country) for prefix, country in countries.items()]
    destinations.append(_entry("destinations", "|", description=EVERYWHERE["description"]))
    rates = [_rate(prefix, price) for prefix, price in prices.items()]
    return {
        "destinations": destinations,
        "tariffs": [
            _entry("tariffs", TARIFF, currency=currency, applied_to="customer", rates=rates),
            _entry(
                "tariffs",
                TARIFF_FAILED,
                currency=currency,
                applied_to="customer",
                rates=[_rate("|", form.failed.data.strip())],
            ),
        ],
    }


def _account(form: Any) -> Tree:
    customer, login, zone = (form[name].data.strip() for name in ("customer", "login", "time_zone"))
    codes = {"WEBCALLBACK": TARIFF, "CALLBACK_FAIL": TARIFF_FAILED}
    charges = [{"access_code": code, "tariff": tariff} for code, tariff in codes.items()]
    product = _entry(
        "products", PRODUCT, currency=_currency(), visible_name=form.visible_name.data.strip(), usage_charges=charges
    )
    credit = {"balance_control": "postpaid", "credit_limit": form.credit_limit.data.strip()}
    owner = _entry("customers", customer, currency=_currency(), billing_time_zone=zone, **credit)
    tree: Tree = {"products": [product], "customers": [owner]}
    if not Account.select().where(Account.login == login).exists():
        fields = {"opening_balance": form.opening_balance.data.strip(), "service_password": secrets.token_urlsafe(9)}
        tree["accounts"] = [_entry("accounts", login, customer=customer, product=PRODUCT, time_zone=zone, **fields)]
    return tree


def _service(form: Any) -> Tree:
    name, kinds = form.name.data.strip(), form.kinds.data
    row = VoiceApplication.get_or_none(VoiceApplication.name == name)
    front_is_taken = VoiceApplication.select().where(VoiceApplication.path == "-").exists()
    tree: Tree = {}
    internal = "" if row is None or row.internal_account is None else row.internal_account.login
    owner = Customer.select().order_by(Customer.id).first()
    if "hosted" in kinds and not internal and owner is not None:
        internal = INTERNAL
        fields = {"type": "credit", "balance_control": "subordinate"}
        tree["accounts"] = [_entry("accounts", INTERNAL, customer=owner.name, product=PRODUCT, **fields)]
    application = _entry(
        "voice_applications",
        name,
        path=row.path if row else ("callback" if front_is_taken else "-"),
        kinds=",".join(kinds) or "none",
        second_number=form.second_number.data.strip().lstrip("+"),
        internal_account=internal,
        default_country=_country(),
        special_charge_if_leg_b_fails="true",
    )
    return tree | {"voice_applications": [application]}


def _currency() -> str:
    vendor = Vendor.select().order_by(Vendor.id).first()
    return str(vendor.currency) if vendor else "USD"


def _country() -> str:
    """The country of the users: that of the first rate that was written for them."""
    rates = Rate.select(Rate, Destination).join(Destination).switch(Rate).join(Tariff).where(Tariff.name == TARIFF)
    countries = [rate.destination.country for rate in rates.order_by(Rate.id)]
    return next((str(country) for country in countries if country), "US")


# The pages -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """A page: its form, what it writes, and whether what it writes is there."""

    title: str
    form: type[Any]
    entries: Callable[[Any], Tree]
    is_done: Callable[[], bool]


STEPS: Final = (
    Step("The carrier", CarrierForm, _carrier, lambda: Connection.select().exists()),
    Step("Prices", PricesForm, _prices, lambda: Tariff.select().where(Tariff.applied_to == "customer").exists()),
    Step(
        "A customer and an account",
        AccountForm,
        _account,
        lambda: Product.select().exists() and Account.select().exists(),
    ),
    Step("The service", ServiceForm, _service, lambda: VoiceApplication.select().exists()),
)


def is_needed() -> bool:
    """Whether something of the first set-up is still to do."""
    return not all(step.is_done() for step in STEPS)


@blueprint.get("/setup", endpoint="wizard")
@guarded("setup.change")
def wizard() -> Any:
    """To the first page that is still to do, or to the checklist."""
    todo = next((number for number, step in enumerate(STEPS, 1) if not step.is_done()), None)
    return redirect(url_for("admin.checklist") if todo is None else url_for("admin.wizard_step", number=todo))


@blueprint.route("/setup/<int:number>", methods=["GET", "POST"], endpoint="wizard_step")
@guarded("setup.change")
def wizard_step(number: int) -> Any:
    """One page: shows it, saves it and goes on."""
    if not 1 <= number <= len(STEPS):
        abort(404)
    step = STEPS[number - 1]
    form = step.form()
    for name in ("country_a", "country_b"):
        if name in form:
            form[name].choices = _countries()
    problems: list[str] = []
    if request.method == "POST" and form.validate():
        problems = _saved(step, form)
        if not problems:
            return redirect(_after(number), 303)
    return (
        render_template(
            "admin/wizard.html", step=step, number=number, steps=STEPS, form=form, hints=HINTS, problems=problems
        ),
        422 if request.method == "POST" else 200,
    )


def _saved(step: Step, form: Any) -> list[str]:
    """Apply what the page says; returns what is wrong that belongs to none of its fields, the rest stands beside them."""
    user: Any = signing.current()
    tree = step.entries(form)
    try:
        provisioning.apply(
            document.of(tree), clock.utc_now(), f"user:{user.login}"[:64], file="page:wizard", set_passwords=True
        )
    except provisioning.ApplyRefused as refused:
        above = []
        wrong = [name for name in _PRICES if name in form and form[name].data and not _is_price(form[name].data)]
        wrong += [name for name in _PRICES if name in form and name != "elsewhere" and not form[name].data]
        for name in wrong:
            form[name].errors = ["Write an amount with a point, as in 0.10."]
        for problem in refused.problems:
            if wrong and problem.field.endswith("_price"):
                continue
            name = _NAMED.get(problem.field.rsplit(".", 1)[-1], problem.field.rsplit(".", 1)[-1])
            text = problem.text[:1].upper() + problem.text[1:]
            if name in form:
                form[name].errors = [*form[name].errors, text]
            else:
                above.append(f"{problem.field}: {text}")
        return above or ["Something is not right yet; it is said beside the field."]
    for account in tree.get("accounts", ()):
        if "service_password" in account:
            flash(f"Account {account['login']}; its service password, shown only now: {account['service_password']}")
    return []


# Fields of entries that are called otherwise on the pages.
_NAMED: Final = {"billing_time_zone": "time_zone"}


def _after(number: int) -> str:
    if number < len(STEPS):
        return url_for("admin.wizard_step", number=number + 1)
    return url_for("admin.checklist", _anchor="test-callback")
