"""Before anybody is called: where a number would go and at which price (Test number), and what a callback would cost."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from flask import abort, render_template, request
from flask_wtf import FlaskForm
from wtforms import SelectField, StringField
from wtforms.fields.choices import SelectChoice

from webcb import clock, db
from webcb.billing import catalog, product, rating, reception
from webcb.billing.authorization import Refusal
from webcb.billing.explanation import terms_in_words
from webcb.billing.pricing import Pricing
from webcb.billing.product import LegName, UsageCharge
from webcb.billing.routing import COST_SECONDS, Market, Route, left_out, routes
from webcb.billing.tariff import pricing, rate_in_force
from webcb.models import Account, Connection, Destination, Node, Product, VoiceApplication
from webcb.number import Number, NumberError, parse_number
from webcb.web import refusals
from webcb.web.admin import signing
from webcb.web.admin.moments import moment, moment_field, zone_field
from webcb.web.admin.permission import may
from webcb.web.admin.screen import blueprint
from webcb.web.admin.signing import guarded
from webcb.web.forms import add_error

NUMBER_LENGTH_MAX: Final = 40


class NumberForm(FlaskForm):  # type: ignore[misc]
    """A number, and for whom it would be called."""

    class Meta:
        csrf = False  # asks only

    number = StringField("Number", render_kw={"maxlength": NUMBER_LENGTH_MAX, "inputmode": "tel"})
    application = SelectField("Voice application", validate_choice=False)
    leg = SelectField("Leg", choices=[SelectChoice("B", "B, the destination"), SelectChoice("A", "A, the user")])
    product = SelectField("Product", validate_choice=False)
    at, at_zone = moment_field("At the moment"), zone_field()


class CalculatorForm(FlaskForm):  # type: ignore[misc]
    """Two numbers, and who pays."""

    class Meta:
        csrf = False  # asks only

    application = SelectField("Voice application", validate_choice=False)
    login = StringField("Account ID", render_kw={"maxlength": 64})
    number_a = StringField("Number to be called at (A)", render_kw={"maxlength": NUMBER_LENGTH_MAX, "inputmode": "tel"})
    number_b = StringField("Number to dial (B)", render_kw={"maxlength": NUMBER_LENGTH_MAX, "inputmode": "tel"})
    at, at_zone = moment_field("At the moment"), zone_field()


@dataclass(frozen=True)
class Charged:
    """What a leg is charged by: which usage charge matched and which were looked for before it, and the terms in words."""

    leg: str
    number: str
    pricing: Pricing
    matched: str
    destination: str
    terms: tuple[str, ...]


@dataclass(frozen=True)
class Way:
    """A route in its place: what a minute of it costs and leaves, in micros; None where it is not known."""

    connection: Any
    minute_micros: int | None
    left_micros: int | None
    trouble: str


@dataclass(frozen=True)
class Tested:
    """What is found out of a number. `charged` None: `why_not` says why."""

    number: Number
    charged: Charged | None
    why_not: str
    ways: tuple[Way, ...]
    left_out: tuple[tuple[str, str], ...]


@blueprint.get("/test-number", endpoint="test_number")
@guarded("monitoring.see")
def test_number() -> Any:
    """Where a number would go."""
    form = NumberForm(request.args)
    form.application.choices = _applications()
    form.product.choices = [SelectChoice("", "— no customer: routes only —"), *_names(Product)]
    result = None
    if form.number.data:
        application = _application(form.application.data)
        number = _number(form.number, application)
        at = _moment(form)
        if number is not None and at is not None and _are_there(form.application, form.leg, form.product):
            with db.reading():
                result = _tested(number, application, form, at)
    return render_template("admin/test_number.html", form=form, result=result, minute_seconds=COST_SECONDS)


@blueprint.get("/price-calculator", endpoint="price_calculator")
@guarded("money")
def price_calculator() -> Any:
    """What a callback of two numbers would cost an account, and for how long its funds would last."""
    user: Any = signing.current()
    if not may(user.role, "monitoring.see"):
        abort(403)
    form = CalculatorForm(request.args)
    form.application.choices = _applications()
    survey, legs, refused = None, [], ""
    application = _application(form.application.data)
    if form.login.data and application is not None and _are_there(form.application):
        numbers = [_number(field, application) for field in (form.number_a, form.number_b)]
        at = _moment(form)
        if Account.get_or_none(Account.login == form.login.data.strip()) is None:
            add_error(form.login, "There is no such account.")
        elif at is not None and numbers[0] is not None and numbers[1] is not None:
            order = reception.Order(
                application.path, form.login.data.strip(), None, numbers[0], numbers[1], "price calculator", "page"
            )
            found = reception.survey(order, at)
            if isinstance(found, Refusal):
                refused = refusals.words(found).text
            else:
                survey = found
                legs = _legs(found, application.access_code, numbers)
    return render_template("admin/price_calculator.html", form=form, survey=survey, legs=legs, refused=refused)


def _legs(survey: Any, access_code: str, numbers: list[Any]) -> list[tuple[Charged, tuple[Way, ...]]]:
    verdict, found = survey.authorization, []
    troubles = _troubles()
    for leg, number, price, charge, ways in (
        ("A", numbers[0], verdict.pricing_a, verdict.charge_a, verdict.routes_a),
        ("B", numbers[1], verdict.pricing_b, verdict.charge_b, verdict.routes_b),
    ):
        minute = rating.amount(price, COST_SECONDS)
        which: LegName = "A" if leg == "A" else "B"
        charged = _charged(which, number.digits, price, charge, survey.node_id, access_code)
        found.append((charged, tuple(_way(each, minute, troubles) for each in ways)))
    return found


# Finding out ---------------------------------------------------------------------------------------------------------


def _tested(number: Number, application: Any, form: NumberForm, at: datetime) -> Tested:
    book = catalog.book()
    leg: LegName = "A" if form.leg.data == "A" else "B"
    row = Product.get_or_none(Product.name == form.product.data) if form.product.data else None
    charges = book.usage_charges.get(row.id, ()) if row else ()
    tariff_ids = {each.tariff_id for each in charges} | {each.tariff_id for each in book.every_connection.values()}
    rates = catalog.rates(tariff_ids, [number.digits], at)
    charged, why_not, price = None, "", None
    node_id = catalog.likely_node_id()
    if row is not None and application is not None:
        charge = product.usage_charge(charges, node_id, application.access_code, leg)
        rate = None if charge is None else rate_in_force(rates, charge.tariff_id, number.digits, at)
        if charge is None:
            why_not = (
                f"Product {row.name} has no usage charge for {application.access_code}: callbacks are not permitted."
            )
        elif rate is None:
            why_not = f"Tariff {book.tariffs[charge.tariff_id].name} has no rate for this number."
        elif rate.forbidden:
            why_not = f"Calls to {rate.prefix} are forbidden in tariff {book.tariffs[charge.tariff_id].name}."
        else:
            price = pricing(book.tariffs[charge.tariff_id], rate, charge.access_code, "UTC").answered(at)
            charged = _charged(leg, number.digits, price, charge, node_id, application.access_code)
    minute = None if price is None else rating.amount(price, COST_SECONDS)
    currency = row.currency if row else (_currencies(book) or ["USD"])[0]
    guaranteed = row is not None and row.id in book.guaranteed
    market = Market(
        book.connections, book.tariffs, rates, book.exchange_rates, currency, minute if guaranteed else None
    )
    troubles = _troubles()
    ways = tuple(_way(each, minute, troubles) for each in routes(market, number.digits, at))
    out = [(connection.name, why) for connection, why in left_out(market, number.digits, at)]
    idle = Connection.select(Connection.name).where(~Connection.active).order_by(Connection.name)
    return Tested(number, charged, why_not, ways, (*out, *((each.name, "it is switched off") for each in idle)))


def _currencies(book: Any) -> list[str]:
    return [book.tariffs[each.tariff_id].currency for each in book.connections]


def _charged(
    leg: LegName, digits: str, price: Pricing, charge: UsageCharge, node_id: int | None, access_code: str
) -> Charged:
    nodes = {node.id: node.name for node in Node.select()}

    def said(place: product.Place) -> str:
        return f"{place[1] or 'any code'}{'' if place[0] is None else f' on {nodes.get(place[0])}'}"

    here = charge.node_id, charge.access_code
    places = list(dict.fromkeys(product.places(node_id, access_code, leg)))
    before = [said(place) for place in places[: places.index(here)]]
    instead = f"; there is none for {', '.join(before)}" if before else ""
    about = Destination.get_or_none(Destination.prefix == price.destination)
    described = f"{price.destination} {about.country} {about.description}".strip() if about else price.destination
    return Charged(leg, digits, price, f"{said(here)}{instead}", described, tuple(terms_in_words(price)))


def _way(route: Route, minute_micros: int | None, troubles: dict[int, str]) -> Way:
    known = minute_micros is not None and route.minute_micros is not None
    left = minute_micros - route.minute_micros if known else None  # type: ignore[operator]
    return Way(route.connection, route.minute_micros, left, troubles.get(route.connection.id, ""))


def _troubles() -> dict[int, str]:
    """What speaks against connections at the moment: they are passed over while it lasts."""
    down = {row.id: "does not answer its probes" for row in Connection.select().where(Connection.state == "down")}
    missing = Connection.select().where(Connection.must_register & (Connection.registration != "registered"))
    return down | {row.id: "does not have us registered" for row in missing}


# Reading the form ----------------------------------------------------------------------------------------------------


def _applications() -> list[SelectChoice]:
    rows = VoiceApplication.select().order_by(VoiceApplication.name)
    return [SelectChoice(row.path, row.name) for row in rows]


def _application(path: str | None) -> Any:
    rows = VoiceApplication.select().order_by(VoiceApplication.name)
    return next((row for row in rows if row.path == path), None) or rows.first()


def _are_there(*fields: SelectField) -> bool:
    """Whether what an address says is in the lists; what is not is said beside its field."""
    for field in fields:
        if field.data and field.data not in [choice.value for choice in field.choices]:
            add_error(field, "There is none of this name: choose one of the list.")
    return not any(field.errors for field in fields)


def _names(table: Any) -> list[SelectChoice]:
    return [SelectChoice(row.name, row.name) for row in table.select(table.name).order_by(table.name)]


def _number(field: Any, application: Any) -> Number | None:
    text = (field.data or "").strip()[:NUMBER_LENGTH_MAX]
    country = application.default_country if application else "US"
    try:
        return parse_number(f"+{text}" if text.isdigit() and len(text) > 10 else text, country)
    except NumberError as wrong:
        add_error(field, str(wrong))
        return None


def _moment(form: Any) -> datetime | None:
    """The moment typed; now where none is."""
    found = moment(form, "at")
    return clock.utc_now() if found is None and not form.at.errors and not form.at_zone.errors else found
