"""Rate formulas: what is read from their text, and what is said about text that is none."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webcb.billing import formula
from webcb.billing.formula import Disconnect, Fee, FormulaError, Intervals, OwnRun, Run, Surcharge

OWN = Intervals(60, 6, 200_000, 100_000)


@pytest.mark.parametrize(
    ("text", "elements"),
    [
        ("*x6@next", (OwnRun(None, 6, "next"),)),
        (
            "1x1@1.80; 2x60@1.80; fee 0.50; *x6@next",
            (OwnRun(1, 1, 1_800_000), OwnRun(2, 60, 1_800_000), Fee(500_000), OwnRun(None, 6, "next")),
        ),
        (
            " 1 x FIRST @ first ;surcharge 2.5% ; 3x10@0;DISCONNECT; ",
            (OwnRun(1, "first", "first"), Surcharge(25_000), OwnRun(3, 10, 0), Disconnect()),
        ),
    ],
)
def test_reading(text, elements):
    assert formula.parse(text) == elements


def test_a_flat_rate_is_a_formula_too():
    assert formula.plan("", OWN) == (Run(1, 60, 200_000), Run(None, 6, 100_000))
    assert formula.plan("2xnext@first; *xfirst@next", OWN) == (Run(2, 6, 200_000), Run(None, 60, 100_000))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1 to 32 elements"),
        (";", "element 1, ''"),
        ("hello", "element 1, 'hello': write 2x60@0.10, fee 0.50, surcharge 5% or disconnect"),
        ("1x60@0.10", "the last element must be"),
        ("fee 1", "the last element must be"),
        ("disconnect", "needs an interval right before disconnect"),
        ("fee 1; disconnect", "needs an interval right before disconnect"),
        ("1x6@0.10; fee 1; disconnect", "needs an interval right before disconnect"),
        ("*x6@0.10; fee 1", "element 1, '*x6@0.10': nothing can follow it"),
        ("disconnect; *x6@0.10", "element 1, 'disconnect': nothing can follow it"),
        ("0x6@0.10; *x6@0", "'0' must be a whole number from 1 to 86400"),
        ("1x0@0.10; *x6@0", "'0' must be a whole number"),
        ("1x86401@0.10; *x6@0", "'86401' must be a whole number"),
        ("99999x1@0.10; *x6@0", "'99999' must be a whole number"),
        ("-1x6@0.10; *x6@0", "'-1' must be a whole number"),
        ("1x6@-0.10; *x6@0", "from 0 to 1000000"),
        ("1x6@free; *x6@0", "is not an amount"),
        ("1x6@1.2345678; *x6@0", "more than 6 decimals"),
        ("fee x; *x6@0", "'fee x': 'x' is not an amount"),
        ("surcharge 5; *x6@0", "write the surcharge with a percent sign"),
        ("surcharge 1001%; *x6@0", "from 0% to 1000%"),
        ("surcharge -1%; *x6@0", "from 0% to 1000%"),
        ("²x6@0.10; *x6@0", "'²' must be a whole number"),
        ("1x6@0.10;" * 33, "1 to 32 elements"),
        ("1" * 501, "at most 500 characters"),
    ],
)
def test_what_is_no_formula_is_said_with_what_would_be_right(text, said):
    with pytest.raises(FormulaError) as wrong:
        formula.parse(text)
    assert said in str(wrong.value)


@settings(max_examples=300)
@given(st.text(alphabet="0123456789x@*;. %-firstnexdcoug", max_size=60))
def test_any_text_is_a_formula_or_a_formula_error(text):
    try:
        elements = formula.parse(text)
    except FormulaError:
        return
    assert 1 <= len(elements) <= formula.ELEMENTS_MAX
