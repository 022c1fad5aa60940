"""Routing: in which order the connections are tried, by the route data of vendors' rates; a page of all, and one a vendor tariff."""

from typing import Any, Final

from flask import url_for

from webcb.models import Destination, Route, Tariff
from webcb.web.admin.editor import Editor, Item, Panel
from webcb.web.admin.finding import Contains
from webcb.web.admin.listing import Choice, Column, Listing
from webcb.web.admin.screen import parts, screen

AREA: Final = "infrastructure"
HUNTSTOP: Final = ("stops here", "goes on")


def _columns() -> tuple[Column, ...]:
    return (
        Column(
            "prefix",
            "Destination",
            lambda row: row.destination.prefix,
            order=Destination.prefix,
            filter=Contains(Destination.prefix, from_start=True),
            link=lambda row: url_for("admin.routes_edit", parent_id=row.__data__["tariff"], row_id=row.id),
        ),
        Column("description", "Description", lambda row: row.destination.description),
        Column("category", "Category", lambda row: row.category, "number", order=Route.category),
        Column("preference", "Preference", lambda row: row.preference, "number", order=Route.preference),
        Column(
            "huntstop",
            "After it",
            lambda row: HUNTSTOP[0] if row.huntstop else HUNTSTOP[1],
            filter=Choice(HUNTSTOP, lambda value: Route.huntstop == (value == HUNTSTOP[0])),
        ),
    )


def _routes() -> Any:
    return Route.select(Route, Destination, Tariff).join(Destination).switch(Route).join(Tariff)


screen(
    "routing",
    AREA,
    Listing(
        "routing",
        "Routing",
        _routes,
        Route.id,
        (
            *_columns(),
            Column(
                "tariff",
                "Vendor tariff",
                lambda row: row.tariff.name,
                order=Tariff.name,
                filter=Contains(Tariff.name, by=Route.tariff),
                link=lambda row: url_for("admin.routes", parent_id=row.__data__["tariff"]),
            ),
        ),
        "prefix",
        search=(Contains(Destination.prefix, from_start=True), Contains(Tariff.name, by=Route.tariff)),
        empty="Every route has category 1 and preference 5: the cheapest connection is tried first. What should go another way is "
        "written on the Routes page of a vendor's tariff.",
        actions=(("Test number", "admin.test_number", "monitoring.see"), ("Tariffs", "admin.tariffs", "catalog.see")),
    ),
)

ROUTES_EDITOR: Final = Editor(
    "routes",
    "tariffs",
    "Route",
    AREA,
    (
        Panel(
            "Route",
            (
                Item("prefix", "Destination", "A prefix that the tariff has a rate for."),
                Item("category", "Category", "1 to 100: lower categories are tried first."),
                Item(
                    "preference",
                    "Preference",
                    "10 is tried first in its category, 0 never; of equal ones the cheapest.",
                ),
                Item("huntstop", "Huntstop", "Routes that come after this one are not tried."),
            ),
        ),
    ),
    child="routes",
)


def _routes_of(tariff: Any) -> Listing:
    return Listing(
        "routes",
        f"Routes of {tariff.name}",
        lambda: _routes().where(Route.tariff == tariff.id),
        Route.id,
        _columns(),
        "prefix",
        search=(Contains(Destination.prefix, from_start=True),),
        empty="Without route data its connections have category 1 and preference 5 everywhere.",
    )


parts("tariffs", AREA, Tariff, _routes_of, ROUTES_EDITOR, Route)
