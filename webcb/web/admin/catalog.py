"""Service catalog: destinations, off-peak periods, tariffs with their rates, products with their usage charges."""

from typing import Any

from flask import url_for
from peewee import JOIN, fn

from webcb import models
from webcb.models import Destination, OffPeakPeriod, Product, Rate, Tariff, UsageCharge
from webcb.provisioning.entries import SELF_CARE
from webcb.web.admin.editor import Editor, Given, Item, Panel
from webcb.web.admin.finding import Contains
from webcb.web.admin.listing import Choice, Column, Listing
from webcb.web.admin.screen import parts, screen

AREA = "catalog"

# Destinations --------------------------------------------------------------------------------------------------------

DESTINATIONS = Listing(
    "destinations",
    "Destinations",
    Destination.select,
    Destination.id,
    (
        Column(
            "prefix",
            "Prefix",
            lambda row: row.prefix,
            order=Destination.prefix,
            filter=Contains(Destination.prefix, from_start=True),
            link=lambda row: url_for("admin.destinations_edit", row_id=row.id),
        ),
        Column(
            "country",
            "Country",
            lambda row: row.country,
            order=Destination.country,
            filter=Contains(Destination.country),
        ),
        Column(
            "description",
            "Description",
            lambda row: row.description,
            order=Destination.description,
            filter=Contains(Destination.description),
        ),
    ),
    "prefix",
    search=(
        Contains(Destination.prefix, from_start=True),
        Contains(Destination.description),
        Contains(Destination.country),
    ),
    empty="The register is empty. A prefix must stand here before a rate can use it.",
)
screen(
    "destinations",
    AREA,
    DESTINATIONS,
    Editor(
        "destinations",
        "destinations",
        "Destination",
        AREA,
        (
            Panel(
                "General info",
                (
                    Item(
                        "prefix",
                        "Prefix",
                        "The first digits of the numbers, country code first; | stands for every number.",
                    ),
                    Item("country", "Country", "Two letters, as in BR."),
                    Item("description", "Description", "What pages show for it, as in Brazil, Sao Paulo."),
                ),
            ),
        ),
    ),
    Destination,
)

# Off-peak periods ----------------------------------------------------------------------------------------------------

screen(
    "off-peak-periods",
    AREA,
    Listing(
        "off-peak-periods",
        "Off-peak periods",
        OffPeakPeriod.select,
        OffPeakPeriod.id,
        (
            Column(
                "name",
                "Name",
                lambda row: row.name,
                order=OffPeakPeriod.name,
                link=lambda row: url_for("admin.off_peak_periods_edit", row_id=row.id),
            ),
            Column("definition", "Definition", lambda row: row.definition, order=OffPeakPeriod.definition),
        ),
        "name",
        search=(Contains(OffPeakPeriod.name),),
        empty="There is no off-peak period yet. A tariff names one where calls cost less at certain hours.",
    ),
    Editor(
        "off_peak_periods",
        "off_peak_periods",
        "Off-peak period",
        AREA,
        (
            Panel(
                "General info",
                (
                    Item("name", "Name", "As in Nights and weekends; tariffs choose it."),
                    Item(
                        "definition",
                        "Definition",
                        "Time::Period text, as in hr{6pm-5am} wd{mo-fr}, md{1 24-26} mo{dec}. Hours are whole: 5am runs to 05:59:59.",
                        aid="period",
                    ),
                ),
            ),
        ),
    ),
    OffPeakPeriod,
)

# Tariffs -------------------------------------------------------------------------------------------------------------


def _tariffs() -> Any:
    return (
        Tariff.select(Tariff, fn.COUNT(Rate.id).alias("rates_count"))
        .join(Rate, JOIN.LEFT_OUTER, on=Rate.tariff == Tariff.id)
        .group_by(Tariff.id)
    )


screen(
    "tariffs",
    AREA,
    Listing(
        "tariffs",
        "Tariffs",
        _tariffs,
        Tariff.id,
        (
            Column(
                "name",
                "Name",
                lambda row: row.name,
                order=Tariff.name,
                link=lambda row: url_for("admin.tariffs_edit", row_id=row.id),
            ),
            Column("currency", "Currency", lambda row: row.currency, order=Tariff.currency),
            Column("service", "Service", lambda row: row.service),
            Column(
                "applied_to",
                "Applied to",
                lambda row: row.applied_to.capitalize(),
                order=Tariff.applied_to,
                filter=Choice(("customer", "vendor"), lambda value: Tariff.applied_to == value),
            ),
            Column("managed_by", "Managed by", lambda row: row.managed_by, shown=False),
            Column(
                "rates",
                "Rates",
                lambda row: row.rates_count,
                "number",
                link=lambda row: url_for("admin.rates", parent_id=row.id),
            ),
            Column("description", "Description", lambda row: row.description),
        ),
        "name",
        search=(Contains(Tariff.name), Contains(Tariff.description)),
        empty="There is no tariff yet. Create one for what end users pay, and one for each vendor.",
    ),
    Editor(
        "tariffs",
        "tariffs",
        "Tariff",
        AREA,
        (
            Panel(
                "General info",
                (
                    Item("name", "Name", "A short name; you will see it in the select menus."),
                    Item("currency", "Currency", "The currency is chosen only once, and cannot be changed later."),
                    Given("Service", "Voice calls", "What is rated by it."),
                    Item(
                        "applied_to",
                        "Applied to",
                        "Customer: what end users are charged. Vendor: what a carrier charges.",
                    ),
                    Given("Managed by", "Administrator only", "There are no resellers."),
                    Item("off_peak_period", "Off-peak period", "When the off-peak prices of its rates hold."),
                    Item("second_off_peak_period", "Second off-peak period", "What lies in this one is off-peak, too."),
                    Item("off_peak_when", "Use off-peak rates if the session", "… in the off-peak period."),
                    Item("blocked", "Blocked", "No call by this tariff begins, and those that go on end at once."),
                    Item("description", "Description", "For operators: end users do not see it."),
                ),
            ),
            Panel(
                "Fees and rounding",
                (
                    Item("free_seconds", "Free seconds", "Seconds at the start of a call that cost nothing."),
                    Item("connect_fee", "Connect fee", "Charged once for a call longer than the free seconds."),
                    Item("login_fee", "Login fee", "Charged once when a user logs in by voice."),
                    Item("post_call_surcharge_percent", "Post-call surcharge, %", "Added to the whole charge."),
                    Item("decimals", "Round charged amount to", "Decimals; a charge is rounded up, once."),
                ),
            ),
        ),
    ),
    Tariff,
    context=lambda row: {"tabs": [] if row is None else tariff_tabs(row)},
)


def tariff_tabs(row: Any) -> list[tuple[str, str]]:
    """The pages of a tariff."""
    return [
        ("General info", url_for("admin.tariffs_edit", row_id=row.id)),
        ("Rates", url_for("admin.rates", parent_id=row.id)),
        ("Rate sheet", url_for("admin.rate_sheet", tariff_id=row.id)),
        *([("Routes", url_for("admin.routes", parent_id=row.id))] if row.applied_to == "vendor" else []),
    ]


# Products ------------------------------------------------------------------------------------------------------------

screen(
    "products",
    AREA,
    Listing(
        "products",
        "Products",
        Product.select,
        Product.id,
        (
            Column(
                "name",
                "Name",
                lambda row: row.name,
                order=Product.name,
                link=lambda row: url_for("admin.products_edit", row_id=row.id),
            ),
            Column("visible_name", "Name visible to end users", lambda row: row.visible_name),
            Column("currency", "Currency", lambda row: row.currency, order=Product.currency),
            Column(
                "charges",
                "Usage charges",
                lambda row: row.usage_charges.count(),
                "number",
                link=lambda row: url_for("admin.usage_charges", parent_id=row.id),
            ),
            Column("description", "Description", lambda row: row.description),
        ),
        "name",
        search=(Contains(Product.name), Contains(Product.visible_name)),
        empty="There is no product yet. A product says which services its accounts may use, and at which tariffs.",
    ),
    Editor(
        "products",
        "products",
        "Product",
        AREA,
        (
            Panel(
                "General info",
                (
                    Item("name", "Name", "An internal product name, shown to operators only."),
                    Item("visible_name", "Name visible to end users", "Shown on the self-care pages; empty: the name."),
                    Given("Product type", "Main product", "Every account has one."),
                    Item("currency", "Currency", "The currency the product is priced in; it cannot be changed later."),
                    Given("Managed by", "Administrator only", "There are no resellers."),
                    Item(
                        "self_care",
                        "Account default ACL",
                        "The parts of self-care that owners of its accounts see; nothing ticked: their settings alone.",
                        ticked=SELF_CARE,
                    ),
                    Given("Account role", "Universal", "The defined usage of its accounts."),
                    Item("profit_guarantee", "Profit guarantee", "Routes that cost more than is charged are left out."),
                    Item("blocked", "Blocked", "No call of its accounts begins, and those that go on end at once."),
                    Item("description", "Description", "For operators: end users do not see it."),
                ),
            ),
            Panel(
                "Included services",
                (
                    Given(
                        "Voice calls", "Included", "Where it may be used, and at which tariff, say the usage charges."
                    ),
                ),
            ),
        ),
    ),
    Product,
    context=lambda row: {"tabs": [] if row is None else product_tabs(row)},
)


def product_tabs(row: Any) -> list[tuple[str, str]]:
    """The pages of a product."""
    return [
        ("General info", url_for("admin.products_edit", row_id=row.id)),
        ("Usage charges", url_for("admin.usage_charges", parent_id=row.id)),
    ]


USAGE_CHARGES_EDITOR = Editor(
    "usage_charges",
    "products",
    "Usage charge",
    AREA,
    (
        Panel(
            "Usage charge",
            (
                Given("Service", "Voice calls", "What is used and charged."),
                Item("node", "Node", "Only on this node; none: on any."),
                Item(
                    "access_code",
                    "Access code",
                    "WEBCALLBACK charges both legs, WEBCALLBACK-A and -B each its own; CALLBACK_FAIL charges leg A where B was not "
                    "reached. Empty: whatever has no entry of its own.",
                ),
                Item("tariff", "Tariff", "By which calls are charged here."),
                Item(
                    "overdraft_protection",
                    "Overdraft protection",
                    "Slices: sessions share the balance and lock it bit by bit. Whole balance: one session at a time. None: only a "
                    "check at the start.",
                ),
                Item("slice_seconds", "Seconds of a slice", "", "overdraft_protection", ("slices",)),
            ),
        ),
    ),
    child="usage_charges",
)


def _usage_charges_of(product: Any) -> Listing:
    return Listing(
        "usage-charges",
        f"Usage charges of {product.name}",
        lambda: UsageCharge.select(UsageCharge, Tariff).join(Tariff).where(UsageCharge.product == product.id),
        UsageCharge.id,
        (
            Column("service", "Service", lambda row: row.tariff.service),
            Column("node", "Node", lambda row: row.node.name if row.node else "any"),
            Column(
                "access_code",
                "Access code",
                lambda row: row.access_code or "(any)",
                order=UsageCharge.access_code,
                link=lambda row: url_for("admin.usage_charges_edit", parent_id=product.id, row_id=row.id),
            ),
            Column("tariff", "Tariff", lambda row: row.tariff.name, order=Tariff.name),
        ),
        "access_code",
        search=(Contains(UsageCharge.access_code),),
        empty="Without a usage charge the product may be used nowhere: add one with the access code WEBCALLBACK.",
    )


parts("products", AREA, Product, _usage_charges_of, USAGE_CHARGES_EDITOR, models.UsageCharge)
