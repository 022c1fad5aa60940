"""Plans to run callbacks by: by the second at 0.60 a minute for each leg, one route each, unless a test says otherwise."""

from datetime import UTC, datetime

from webcb.billing.formula import Intervals
from webcb.billing.pricing import Pricing
from webcb.billing.routing import RouteChoice
from webcb.engine.callback import Plan
from webcb.engine.events import LegPlan
from webcb.engine.ivr import Setup

ORIGIN_AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECOND = 1_000_000


def per_second(price_per_minute_micros: int) -> Pricing:
    return Pricing(Intervals(1, 1, price_per_minute_micros, price_per_minute_micros))


def route(connection_id: int = 1, **changes: object) -> RouteChoice:
    values = {
        "connection_id": connection_id,
        "name": f"carrier {connection_id}",
        "host": f"192.0.2.{connection_id}",
        "port": 5060,
        "username": "",
        "password": "",
        "tech_prefix": "",
        "codecs": ("PCMU", "PCMA"),
        "capacity": None,
    }
    return RouteChoice(**(values | changes))  # type: ignore[arg-type]


def plan(
    *,
    funds_micros: int = 10_000_000,
    talk_seconds_max: int = 7200,
    routes_a: tuple[RouteChoice, ...] = (route(1),),
    routes_b: tuple[RouteChoice, ...] = (route(2),),
    pricing_a: Pricing | None = None,
    pricing_b: Pricing | None = None,
    pricing_a_if_b_fails: Pricing | None = None,
    callback_id: str = "c" * 20,
    slice_seconds: int | None = None,
    menu: Setup | None = None,
) -> Plan:
    """Both legs at 0.60 a minute by the second: 10,000 micros a second each."""
    return Plan(
        callback_id,
        pricing_a or per_second(600_000),
        pricing_a_if_b_fails,
        pricing_b or per_second(600_000),
        funds_micros,
        talk_seconds_max,
        LegPlan("12065550100", "551130000000", routes_a, 45, "US"),
        LegPlan("551130000000", "12065550100", routes_b, 60, "BR"),
        0,
        ORIGIN_AT,
        slice_seconds,
        menu=menu,
    )
