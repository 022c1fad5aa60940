"""Rate sheets as values: every cell that is wrong is said, and every line is compared with what holds at its moment."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from webcb.billing import rate_sheet
from webcb.billing.formula import Intervals
from webcb.billing.rate_sheet import Kind, Line, Terms

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
HEADS = ["Destination", "First interval", "Next interval", "First price", "Next price"]


def terms(price: int = 100_000, first: int = 60, following: int = 60, **fields: object) -> Terms:
    return Terms(Intervals(first, following, price, price), **fields)  # type: ignore[arg-type]


def test_a_sheet_is_read() -> None:
    heads = [*HEADS, "effective from", "DESCRIPTION", "Country", "Forbidden"]
    sheet = rate_sheet.read(
        [
            [],
            heads,
            ["+55 11", "60", "6", "0.10", "0.2", "2026-12-31", "Sao Paulo", "BR", ""],
            [],
            ["|", "1", "1", "1", "1", "2026-12-31T18:00:00Z", "", "", "yes"],
        ],
        ZoneInfo("America/Sao_Paulo"),
    )
    assert sheet.problems == []
    assert sheet.lines == [
        Line(
            3,
            "5511",
            Terms(Intervals(60, 6, 100_000, 200_000)),
            datetime(2026, 12, 31, 3, tzinfo=UTC),  # midnight in Sao Paulo
            "BR",
            "Sao Paulo",
        ),
        Line(
            5, "|", Terms(Intervals(1, 1, 1_000_000, 1_000_000), forbidden=True), datetime(2026, 12, 31, 18, tzinfo=UTC)
        ),
    ]


def test_off_peak_prices() -> None:
    heads = [*HEADS, "Off-peak first interval", "Off-peak next interval", "Off-peak first price", "Off-peak next price"]
    sheet = rate_sheet.read([heads, ["55", "60", "60", "1", "1", "30", "6", "0.5", "0.4"]], UTC)
    assert sheet.problems == []
    assert sheet.lines[0].terms.off_peak == Intervals(30, 6, 500_000, 400_000)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["5a"], "Destination: '5a' is no prefix; write 1 to 15 digits as in 5511, or | for all others"),
        (["055"], "Destination: '055' is no prefix; write 1 to 15 digits as in 5511, or | for all others"),
        ([""], "Destination: missing"),
        (["1" * 16], f"Destination: '{'1' * 16}' is no prefix; write 1 to 15 digits as in 5511, or | for all others"),
        (["55", "0"], "First interval: '0' is no interval; write whole seconds, 1 to 86400"),
        (["55", "60", "1.5"], "Next interval: '1.5' is no interval; write whole seconds, 1 to 86400"),
        (["55", "60", "60", "0,10"], "First price: '0,10' is not an amount; write digits with a point, as in 0.10"),
        (["55", "60", "60", "-1"], "First price: '-1' is no price; write 0 to 1000000"),
        (["55", "60", "60", "0.1234567"], "First price: '0.1234567' has more than 6 decimals"),
        (["55", "60", "60", "1", ""], "Next price: missing"),
        (
            ["55", "60", "60", "1", "1", "31.12.2026"],
            "Effective from: '31.12.2026' is no date; write 2026-12-31 or 2026-12-31 18:00",
        ),
        (["55", "60", "60", "1", "1", "", "maybe"], "Forbidden: 'maybe' is not good; write yes or no"),
        (
            ["55", "60", "60", "1", "1", "", "", "1x60"],
            "Rate formula: element 1, '1x60': write 2x60@0.10, fee 0.50, surcharge 5% or disconnect",
        ),
        (
            ["55", "60", "60", "1", "1", "", "", "", "Brazil"],
            "Country: 'Brazil' is no country; write two capital letters, as in BR",
        ),
        (
            ["55", "60", "60", "1", "1", "", "", "", "", "30"],
            "Off-peak next interval: missing; an off-peak price has all four fields",
        ),
    ],
)
def test_what_is_wrong_with_a_cell(cells: list[str], said: str) -> None:
    good = ["55", "60", "60", "1", "1"]
    heads = [*HEADS, "Effective from", "Forbidden", "Rate formula", "Country", "Off-peak first interval"]
    sheet = rate_sheet.read([heads, [*cells, *good[len(cells) :]]], UTC)
    assert sheet.lines == []
    found = [problem.said() for problem in sheet.problems]
    assert found == [f"line 2, {said}"]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ([], "the file is empty; its first line names the columns"),
        ([[], []], "the file is empty; its first line names the columns"),
        ([HEADS], "the file has no rates below its heads"),
        ([["Prefix"]], "line 1, Prefix: no such column; write Destination, Country"),
        ([[*HEADS, "first price"]], "line 1, first price: the column is there twice"),
        ([HEADS[1:]], "line 1, Destination: the column is missing"),
        (
            [HEADS, ["55", "60", "60", "1", "1"], ["55", "1", "1", "1", "1"]],
            "line 3, Destination: 55 stands in line 2 already",
        ),
    ],
)
def test_what_is_wrong_with_a_sheet(table: list[list[str]], said: str) -> None:
    sheet = rate_sheet.read(table, UTC)
    assert sheet.problems[0].said().startswith(said)


def test_all_problems_are_said() -> None:
    table = [HEADS, ["x", "0", "y", "z", ""], ["55", "60", "60", "1", "1"], ["56", "60", "60", "1", "w"]]
    sheet = rate_sheet.read(table, UTC)
    assert [line.prefix for line in sheet.lines] == ["55"]
    assert [problem.line for problem in sheet.problems] == [2, 2, 2, 2, 2, 4]


# Comparing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (None, terms(), Kind.NEW),
        (terms(discontinued=True), terms(), Kind.NEW),
        (terms(), terms(), Kind.SAME),
        (terms(), terms(price=100_001), Kind.DEARER),
        (terms(), terms(price=99_999), Kind.CHEAPER),
        (terms(), terms(first=30, following=30), Kind.CHEAPER),
        (terms(first=1, following=1), terms(), Kind.DEARER),
        (terms(), terms(price=110_000, first=1, following=1), Kind.OTHER),  # a short call is cheaper, a long one dearer
        (terms(), terms(formula="1x60@0.1; *x60@0.2"), Kind.DEARER),
        (terms(), terms(off_peak=Intervals(60, 60, 50_000, 50_000)), Kind.CHEAPER),
        (terms(), terms(off_peak=Intervals(60, 60, 100_000, 100_000)), Kind.OTHER),
        (terms(), terms(forbidden=True), Kind.FORBIDDEN),
        (terms(), terms(discontinued=True), Kind.DISCONTINUED),
    ],
)
def test_what_a_line_would_do(before: Terms | None, after: Terms, kind: Kind) -> None:
    known = {} if before is None else {"55": [(AT - HOUR, before)]}
    (change,) = rate_sheet.changes([Line(2, "55", after)], known, AT, "add")
    assert (change.kind, change.before, change.effective_at) == (kind, before, AT)


def test_a_past_moment_becomes_now() -> None:
    (change,) = rate_sheet.changes([Line(2, "55", terms(), AT - HOUR)], {}, AT, "add")
    assert change.effective_at == AT


def test_a_line_is_compared_with_what_holds_at_its_moment() -> None:
    """2 of the tariff's now, 3 to come in an hour; the file says 3 in two hours (the same), and 4 in three (dearer)."""
    known = {"55": [(AT - HOUR, terms(2)), (AT + HOUR, terms(3))]}
    lines = [Line(2, "55", terms(4_000_000), AT + 3 * HOUR), Line(3, "55", terms(3), AT + 2 * HOUR)]
    found = rate_sheet.changes(lines, known, AT, "add")
    assert [(each.line, each.kind) for each in found] == [(2, Kind.DEARER), (3, Kind.SAME)]


def test_what_the_file_does_not_have_stays_or_goes() -> None:
    known = {
        "1": [(AT - HOUR, terms())],
        "44": [(AT - HOUR, terms()), (AT + HOUR, terms(2))],
        "55": [(AT - HOUR, terms()), (AT + HOUR, terms(2))],
        "7": [(AT - HOUR, terms(discontinued=True))],
    }
    lines = [Line(2, "55", terms())]
    assert [each.kind for each in rate_sheet.changes(lines, known, AT, "add")] == [Kind.SAME]
    found = rate_sheet.changes(lines, known, AT, "replace")
    assert [(each.prefix, each.kind, each.effective_at) for each in found] == [
        ("55", Kind.SAME, AT),
        ("1", Kind.DISCONTINUED, AT),
        ("44", Kind.DISCONTINUED, AT),
        ("44", Kind.WITHDRAWN, AT + HOUR),
        ("55", Kind.WITHDRAWN, AT + HOUR),
    ]
    assert found[1].terms == replace(terms(), discontinued=True)
