"""A quote as it is printed: prices, what matched and why, routes with their cost, funds. Pure."""

from collections.abc import Mapping

from webcb.billing import product, rating
from webcb.billing.authorization import Authorization
from webcb.billing.explanation import terms_in_words
from webcb.billing.pricing import Pricing
from webcb.billing.product import LegName, Place, UsageCharge
from webcb.billing.reception import Order, Survey
from webcb.billing.routing import COST_SECONDS, Route
from webcb.cli.printing import duration
from webcb.money import format_amount
from webcb.number import display_number

Nodes = Mapping[int, str]


def lines(survey: Survey, order: Order, access_code: str, nodes: Nodes) -> list[str]:
    """The lines of a quote; `nodes` are their names, `access_code` the application's."""
    verdict = survey.authorization
    legs: tuple[tuple[LegName, str, Pricing, UsageCharge, tuple[Route, ...]], ...] = (
        ("A", order.number_a.digits, verdict.pricing_a, verdict.charge_a, verdict.routes_a),
        ("B", order.digits_b, verdict.pricing_b, verdict.charge_b, verdict.routes_b),
    )
    found = []
    for leg, digits, pricing, charge, routes in legs:
        found.append(f"{leg}  {display_number(digits)}  {_price(pricing)}")
        found.append(
            f"   tariff {pricing.tariff_name}, prefix {pricing.destination}, {_matched(survey, charge, access_code, leg, nodes)}"
        )
        found += [f"   {line}" for line in terms_in_words(pricing)]
        found += _routes(routes, pricing)
    return found + _if_b_fails(verdict) + _funds(survey)


def _price(pricing: Pricing) -> str:
    return f"{format_amount(pricing.price_per_minute_micros)} {pricing.currency} per minute"


def _matched(survey: Survey, charge: UsageCharge, access_code: str, leg: LegName, nodes: Nodes) -> str:
    """Which usage charge matched, and the places that were looked at before it."""
    here = charge.node_id, charge.access_code
    places = list(dict.fromkeys(product.places(survey.node_id, access_code, leg)))
    before = places[: places.index(here)]
    instead = f"; there is none for {', '.join(_place(place, nodes) for place in before)}" if before else ""
    return f"by the usage charge for {_place(here, nodes)}{instead}"


def _place(place: Place, nodes: Nodes) -> str:
    node_id, access_code = place
    where = "" if node_id is None else f" on {nodes.get(node_id, node_id)}"
    return f"{access_code or 'any code'}{where}"


def _routes(routes: tuple[Route, ...], pricing: Pricing) -> list[str]:
    """The routes in the order they are tried, each with what a minute of it costs and leaves."""
    minute_micros = rating.amount(pricing, COST_SECONDS)
    said = []
    for position, route in enumerate(routes, 1):
        if route.minute_micros is None:
            price = f"its cost in {pricing.currency} is not known: there is no exchange rate"
        else:
            left = format_amount(minute_micros - route.minute_micros)
            price = f"a minute costs {format_amount(route.minute_micros)}, leaves {left}"
        said.append(f"   route {position}: {route.connection.name}, {price}")
    return said


def _if_b_fails(verdict: Authorization) -> list[str]:
    pricing = verdict.pricing_a_if_b_fails
    if pricing is None:
        return []
    head = f"A if B fails  {_price(pricing)}"
    where = f"   tariff {pricing.tariff_name}, prefix {pricing.destination}, by {pricing.access_code}"
    return [head, where, *(f"   {line}" for line in terms_in_words(pricing))]


def _funds(survey: Survey) -> list[str]:
    verdict = survey.authorization
    minute_micros = sum(rating.amount(pricing, COST_SECONDS) for pricing in (verdict.pricing_a, verdict.pricing_b))
    longest = duration(verdict.longest_seconds)
    return [
        f"first minute  {format_amount(minute_micros)} {verdict.currency} for both legs",
        f"available     {format_amount(verdict.available_micros)} {verdict.currency}",
        f"locked        {format_amount(survey.locked_micros)} {verdict.currency} when the call begins",
        f"longest talk  {longest}",
    ]
