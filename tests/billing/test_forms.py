"""What is ticked in a form becomes the text that is stored, and the text fills the form again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webcb.billing import formula, period
from webcb.billing.forms import PeriodFields, formula_fields, formula_text, period_fields, period_text
from webcb.billing.formula import Disconnect, Fee, FormulaError, OwnRun, Surcharge
from webcb.billing.period import PeriodError


@pytest.mark.parametrize(
    ("definitions", "text"),
    [
        # DOMAIN's: from 6 in the evening to 6 in the morning on working days, and the holidays of December.
        (
            [
                PeriodFields(hours=(*range(18, 24), *range(6)), week_days=(2, 3, 4, 5, 6)),
                PeriodFields(month_days=(1, 24, 25, 26), months=(12,)),
            ],
            "hr{6pm-5am} wd{mo-fr}, md{1 24-26} mo{dec}",
        ),
        ([PeriodFields(hours=(0,))], "hr{12am}"),
        ([PeriodFields(hours=(12,))], "hr{12pm}"),
        ([PeriodFields(hours=tuple(range(24)))], "hr{12am-11pm}"),
        ([PeriodFields(week_days=(7, 1))], "wd{sa-su}"),
        ([PeriodFields(week_days=(1, 3, 5, 6, 7))], "wd{tu th-su}"),
        ([PeriodFields(months=(11, 12, 1), hours=(9,), minutes=(0, 1, 2, 30))], "hr{9am} min{0-2 30} mo{nov-jan}"),
        ([PeriodFields(month_days=(31, 1, 1))], "md{31-1}"),
    ],
)
def test_a_period_as_text(definitions, text):
    assert period_text(definitions) == text
    assert period.parse(period_text(period_fields(text))) == period.parse(text)


@pytest.mark.parametrize(
    ("definitions", "said"),
    [
        ([], "at least one definition"),
        ([PeriodFields()], "choose at least one hour, day or month"),
        ([PeriodFields(hours=(24,))], "hr: choose from 0 to 23"),
        ([PeriodFields(week_days=(0,))], "wd: choose from 1 to 7"),
        ([PeriodFields(month_days=(32,))], "md: choose from 1 to 31"),
        ([PeriodFields(months=(13,))], "mo: choose from 1 to 12"),
        ([PeriodFields(minutes=(-1,))], "min: choose from 0 to 59"),
        ([PeriodFields(hours=(1,))] * 33, "at most 32 definitions"),
    ],
)
def test_fields_that_are_no_period(definitions, said):
    with pytest.raises(PeriodError) as wrong:
        period_text(definitions)
    assert said in str(wrong.value)


def some(low: int, high: int):
    return st.sets(st.integers(low, high)).map(lambda numbers: tuple(sorted(numbers)))


ticked = st.builds(PeriodFields, some(0, 23), some(0, 59), some(1, 7), some(1, 31), some(1, 12))


@given(st.lists(ticked.filter(lambda fields: fields != PeriodFields()), min_size=1, max_size=4))
def test_any_form_means_what_is_ticked(definitions):
    text = period_text(definitions)
    whole = {"hours": 24, "minutes": 60, "week_days": 7, "month_days": 31, "months": 12}
    shown = [
        PeriodFields(
            **{name: () if len(getattr(each, name)) == size else getattr(each, name) for name, size in whole.items()}
        )
        for each in definitions
    ]
    shown = [PeriodFields(hours=tuple(range(24))) if each == PeriodFields() else each for each in shown]
    assert list(period_fields(text)) == shown
    for definition, each in zip(period.parse(text).definitions, definitions, strict=True):
        for name in whole:
            assert not getattr(each, name) or getattr(definition, name) == set(getattr(each, name))


@pytest.mark.parametrize(
    ("elements", "text"),
    [
        (
            [
                OwnRun(1, 1, 1_800_000),
                OwnRun(2, 60, 1_800_000),
                Fee(500_000),
                Surcharge(25_000),
                OwnRun(None, 6, "next"),
            ],
            "1x1@1.80; 2x60@1.80; fee 0.50; surcharge 2.5%; *x6@next",
        ),
        (
            [OwnRun(3, "first", "first"), OwnRun(10, "next", 1), Disconnect()],
            "3xfirst@first; 10xnext@0.000001; disconnect",
        ),
    ],
)
def test_a_formula_as_text(elements, text):
    assert formula_text(elements) == text
    assert list(formula_fields(text)) == elements


@pytest.mark.parametrize(
    ("elements", "said"),
    [
        ([], "1 to 32 elements"),
        ([OwnRun(1, 60, 1)], "the last element must be"),
        ([OwnRun(0, 60, 1), Disconnect()], "'0' must be a whole number"),
        ([OwnRun(1, 0, 1), Disconnect()], "'0' must be a whole number"),
        ([OwnRun(None, 6, -1)], "from 0 to"),
        ([Fee(1), Disconnect()], "needs an interval right before disconnect"),
        ([Surcharge(10_000_001), OwnRun(None, 6, 1)], ""),
        ([OwnRun(1, 1, 1)] * 32 + [OwnRun(None, 1, 1)], "1 to 32 elements"),
    ],
)
def test_rows_that_are_no_formula(elements, said):
    with pytest.raises(FormulaError) as wrong:
        formula_text(elements)
    assert said in str(wrong.value)


own = st.sampled_from(["first", "next"])
runs = st.builds(OwnRun, st.integers(1, 86_400), st.integers(1, 86_400) | own, st.integers(0, 10**12) | own)
others = st.builds(Fee, st.integers(0, 10**12)) | st.builds(Surcharge, st.integers(0, 10_000_000))
ends = st.builds(OwnRun, st.none(), st.integers(1, 86_400) | own, st.integers(0, 10**12) | own) | st.just(Disconnect())


@given(st.lists(runs | others, max_size=8), runs, ends)
def test_any_rows_come_back(elements, last_run, end):
    rows = [*elements, last_run, end]
    try:
        text = formula_text(rows)
    except FormulaError as wrong:
        assert "at most 500 characters" in str(wrong)
        return
    assert list(formula.parse(text)) == rows
