"""The rates of a tariff: their list and their form, as the handbook has it."""

from typing import Any

from flask import url_for

from webcb.models import Destination, Rate, Tariff
from webcb.web.admin.catalog import AREA
from webcb.web.admin.editor import Editor, Item, Panel
from webcb.web.admin.finding import Contains
from webcb.web.admin.listing import Choice, Column, Listing
from webcb.web.admin.screen import parts


def _off_peak(field: str, label: str, hint: str) -> Item:
    return Item(field, label, hint, with_field="mode", with_values=("off-peak",))


RATES_EDITOR = Editor(
    "rates",
    "tariffs",
    "Rate",
    AREA,
    (
        Panel(
            "Rate details",
            (
                Item("prefix", "Destination", "A prefix of the register of destinations; | stands for all others."),
                Item(
                    "mode",
                    "Rating mode",
                    "One price at any time, or others in the off-peak period of the tariff.",
                    words={"flat": "Flat rate", "off-peak": "Separate peak / off-peak rate"},
                ),
                Item("first_interval_seconds", "First interval, seconds", "First billing unit in seconds."),
                Item("next_interval_seconds", "Next interval, seconds", "Next billing unit in seconds."),
                Item("first_price", "First price", "Per minute, for the first interval."),
                Item("next_price", "Next price", "Per minute, for the next intervals."),
                _off_peak(
                    "off_peak_first_interval_seconds",
                    "Off-peak first interval",
                    "First billing unit in seconds for off-peak time.",
                ),
                _off_peak(
                    "off_peak_next_interval_seconds",
                    "Off-peak next interval",
                    "Next billing unit in seconds for off-peak time.",
                ),
                _off_peak(
                    "off_peak_first_price",
                    "Off-peak first price",
                    "Per minute, for the first interval in off-peak time.",
                ),
                _off_peak(
                    "off_peak_next_price", "Off-peak next price", "Per minute, for the next intervals in off-peak time."
                ),
                Item(
                    "formula",
                    "Rate formula",
                    "As in 1x60@first; 2x60@1.80; fee 0.50; *x6@next. Empty: the intervals above.",
                    aid="rate",
                ),
                Item("effective_from", "Effective from", "Empty, or a past moment: now."),
                Item("forbidden", "Forbidden", "Calls there are refused."),
                Item("discontinued", "Discontinued", "As if the tariff had no such rate."),
                Item("hidden", "Hidden", "Used, and left out of the rate sheets that users see."),
            ),
        ),
    ),
    child="rates",
    fill=lambda tariff: (
        {"mode": "off-peak"} if tariff.off_peak_period_id else {}
    ),  # as the handbook has its fields appear
)


def _rates_of(tariff: Any) -> Listing:
    return Listing(
        "rates",
        f"Rates of {tariff.name}",
        lambda: Rate.select(Rate, Destination).join(Destination).where(Rate.tariff == tariff.id),
        Rate.id,
        (
            Column(
                "prefix",
                "Destination",
                lambda row: row.destination.prefix,
                order=Destination.prefix,
                filter=Contains(Destination.prefix, from_start=True),
                link=lambda row: url_for("admin.rates_edit", parent_id=tariff.id, row_id=row.id),
            ),
            Column(
                "country",
                "Country",
                lambda row: row.destination.country,
                shown=False,
                filter=Contains(Destination.country, by=Rate.destination),
            ),
            Column("description", "Description", lambda row: row.destination.description),
            Column(
                "intervals",
                "Intervals, s",
                lambda row: f"{row.first_interval_seconds} / {row.next_interval_seconds}",
            ),
            Column(
                "first_price",
                "First price",
                lambda row: row.first_price_micros,
                "amount",
                order=Rate.first_price_micros,
            ),
            Column(
                "next_price", "Next price", lambda row: row.next_price_micros, "amount", order=Rate.next_price_micros
            ),
            Column(
                "mode",
                "Rating mode",
                lambda row: row.mode,
                filter=Choice(("flat", "off-peak"), lambda value: Rate.mode == value),
            ),
            Column(
                "off_peak_next_price",
                "Off-peak price",
                lambda row: row.off_peak_next_price_micros,
                "amount",
                shown=False,
            ),
            Column("formula", "Formula", lambda row: row.formula),
            Column("effective_at", "Effective from", lambda row: row.effective_at, "instant", order=Rate.effective_at),
            Column("remark", "", _remark, "state"),
        ),
        "prefix",
        search=(
            Contains(Destination.prefix, from_start=True),
            Contains(Destination.description, by=Rate.destination),
        ),
        empty="This tariff has no rates yet. Enter them one by one, or upload a rate sheet.",
        actions=(("Upload, download …", url_for("admin.rate_sheet", tariff_id=tariff.id), "catalog.change"),),
    )


def _remark(row: Any) -> str:
    return ", ".join(name for name in ("forbidden", "discontinued", "hidden") if getattr(row, name))


parts("tariffs", AREA, Tariff, _rates_of, RATES_EDITOR, Rate)
