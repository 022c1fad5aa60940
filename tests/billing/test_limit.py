"""How long two legs may talk: worked cases, and thousands of drawn ones against an oracle that counts seconds."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.billing import oracle
from tests.billing.oracle import Terms
from webcb.billing.formula import Intervals
from webcb.billing.limit import joint_funds, joint_limit, sole_limit
from webcb.billing.pricing import OffPeak, Pricing
from webcb.billing.rating import amount, charge
from webcb.billing.slices import Talking, Waiting, fitting
from webcb.billing.stairs import climb, last_that_fits

UNIT = 1_000_000
FREE_OF_CHARGE = Pricing(Intervals(1, 1, 0, 0))


def flat(first: int, following: int, price_micros: int, **fields) -> Pricing:
    return Pricing(Intervals(first, following, price_micros, price_micros), **fields)


@pytest.mark.parametrize(
    ("pricing_a", "pricing_b", "ran_a_us", "funds", "seconds"),
    [
        # The seed's: 5.00 at 0.10 a minute, 60 s intervals -> 50 minutes, A for nothing.
        (FREE_OF_CHARGE, flat(60, 60, 100_000), 0, 5 * UNIT, 50 * 60),
        # Both legs at that price: 25 minutes.
        (flat(60, 60, 100_000), flat(60, 60, 100_000), 0, 5 * UNIT, 25 * 60),
        # A micro less: the 25th minute of the second leg is not paid, so 24.
        (flat(60, 60, 100_000), flat(60, 60, 100_000), 0, 5 * UNIT - 1, 24 * 60),
        # A rang B for 30 s: A 30 + T, B T. 5.00 pays 50 minutes begun in all: T = 1470 is 25 + 25, T = 1471 is 26 + 25.
        (flat(60, 60, 100_000), flat(60, 60, 100_000), 30 * UNIT, 5 * UNIT, 24 * 60 + 30),
        # A ran 30.2 s: T = 1470 would begin A's second 1501, its 26th minute.
        (flat(60, 60, 100_000), flat(60, 60, 100_000), 30_200_000, 5 * UNIT, 24 * 60 + 29),
        # 60/6 at 0.10: 66 s cost 0.11; 0.11 pays 66 s and not 67.
        (FREE_OF_CHARGE, flat(60, 6, 100_000), 0, 110_000, 66),
        # Funds for less than the first interval: not even a second.
        (FREE_OF_CHARGE, flat(60, 60, 100_000), 0, 99_999, 0),
        (flat(1, 1, 60_000), flat(1, 1, 60_000), 0, 1_999, 0),  # 0.001 a second each
        (flat(1, 1, 60_000), flat(1, 1, 60_000), 0, 2_000, 1),
        # A connect fee of 0.05 on B leaves 0.95 of 1.00: at 0.01 a second, 95 s.
        (FREE_OF_CHARGE, flat(1, 1, 600_000, connect_fee_micros=50_000), 0, UNIT, 95),
        # 30 free seconds, then 0.01 a second.
        (FREE_OF_CHARGE, flat(1, 1, 600_000, free_seconds=30), 0, UNIT, 130),
        # No funds and no price: the longest talk.
        (FREE_OF_CHARGE, FREE_OF_CHARGE, 0, 0, 7200),
        (FREE_OF_CHARGE, FREE_OF_CHARGE, 0, -1, 0),
        # A formula that disconnects B after 2 x 60 s; of A after 100 s, of which 40.5 are gone.
        (FREE_OF_CHARGE, flat(1, 1, 0, formula="2x60@0.10; disconnect"), 0, UNIT, 120),
        (flat(1, 1, 0, formula="100x1@0; disconnect"), FREE_OF_CHARGE, 40_500_000, UNIT, 59),
    ],
)
def test_worked_cases(pricing_a, pricing_b, ran_a_us, funds, seconds):
    assert joint_limit(pricing_a, pricing_b, ran_a_us, funds, 7200) == seconds


@pytest.mark.parametrize(
    ("pricings", "funds", "seconds"),
    [
        ([flat(1, 1, 600_000)], UNIT, 100),
        ([flat(1, 1, 600_000), flat(60, 60, 1_200_000)], UNIT, 0),  # 1.20 for the first minute: more than there is
        ([flat(1, 1, 600_000), flat(60, 60, 500_000)], UNIT, 100),  # two minutes at 0.50, but the other ends at 100 s
        ([FREE_OF_CHARGE], 0, 3600),
        ([flat(1, 1, 0, formula="10x6@0; disconnect")], 0, 60),
    ],
)
def test_a_leg_alone_stays_within_every_price_it_may_be_settled_by(pricings, funds, seconds):
    assert sole_limit(pricings, funds, 3600) == seconds


def test_a_fall_of_the_price_does_not_excuse_what_came_before_it():
    """1.00 a minute until 18:00, then 0.10 for the whole call. At 17:59:00 with 0.50: the call would pass 18:00 and be cheap,
    but at 17:59:31 it would have cost more than there is. The safe prefix ends after 30 s."""
    off_peak = OffPeak(Intervals(1, 1, 100_000, 100_000), "hr{18-23}", "UTC", "finishes")
    at = datetime(2026, 3, 2, 17, 59, 0, tzinfo=UTC)
    pricing = Pricing(Intervals(1, 1, 1_000_000, 1_000_000), off_peak, decimals=6).answered(at)
    assert amount(pricing, 31) > 500_000 > amount(pricing, 60)  # 31 s: 0.516667; 60 s: 0.10
    assert joint_limit(FREE_OF_CHARGE, pricing, 0, 500_000, 7200) == 30
    # With 1.00 the minute to 18:00 is paid, and from then on 0.10 a minute: 600 s.
    assert joint_limit(FREE_OF_CHARGE, pricing, 0, 1_000_000, 7200) == 600


# Drawn cases ---------------------------------------------------------------------------------------------------------

SECONDS_MAX = 240
EVENING = frozenset(range(18, 24))
SIX_PM = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)
MINUTES = [(frozenset(range(60)), ""), (frozenset({0, 2}), " min{0 2}")]

intervals = st.builds(
    Intervals,
    st.integers(1, 90),
    st.integers(1, 70),
    st.integers(0, 3 * UNIT),
    st.integers(0, 3 * UNIT),
)
prices = st.integers(0, 300).map(lambda cents: cents * 10_000)
middles = st.one_of(
    st.tuples(st.just("run"), st.integers(1, 4), st.integers(1, 40), prices),
    st.tuples(st.just("fee"), prices),
    st.tuples(st.just("surcharge"), st.integers(0, 50).map(lambda percent: percent * 10_000)),
)
endings = st.one_of(st.tuples(st.just("run"), st.none(), st.integers(1, 60), prices), st.just(("stop",)))
runs = st.tuples(st.just("run"), st.integers(1, 5), st.integers(1, 40), prices)
formulas = st.tuples(runs, st.lists(middles, max_size=3), runs, endings).map(
    lambda parts: (parts[0], *parts[1], parts[2], parts[3])
)


def formula_text(steps) -> str:
    written = []
    for step in steps:
        if step[0] == "run":
            written.append(f"{step[1] or '*'}x{step[2]}@{step[3] // UNIT}.{step[3] % UNIT:06d}")
        elif step[0] == "fee":
            written.append(f"fee {step[1] // UNIT}.{step[1] % UNIT:06d}")
        else:
            written.append("disconnect" if step[0] == "stop" else f"surcharge {step[1] // 10_000}%")
    return "; ".join(written)


def flat_steps(of: Intervals):
    return (
        ("run", 1, of.first_seconds, of.first_price_micros),
        ("run", None, of.next_seconds, of.next_price_micros),
    )


@st.composite
def legs(draw) -> tuple[Pricing, Terms]:
    """The same leg twice: as the product knows it and as the oracle does."""
    own = draw(intervals)
    common = {
        "free_seconds": draw(st.one_of(st.just(0), st.integers(0, 40))),
        "connect_fee_micros": draw(st.one_of(st.just(0), st.integers(0, UNIT))),
        "post_call_surcharge_ppm": draw(st.one_of(st.just(0), st.integers(0, 500_000))),
        "decimals": draw(st.integers(0, 6)),
        "login_fee_micros": draw(st.one_of(st.just(0), st.integers(0, UNIT))),
    }
    logged_in = draw(st.booleans())
    steps, formula, off_peak, off_peak_steps = flat_steps(own), "", None, None
    when = draw(st.sampled_from(["starts", "finishes", "starts and finishes"]))
    minutes, minutes_text = draw(st.sampled_from(MINUTES))
    moments = st.integers(-300 * 2, 120).map(lambda half_seconds: SIX_PM + timedelta(seconds=half_seconds / 2))
    answered_at = draw(st.one_of(st.none(), moments))
    if draw(st.booleans()):
        steps = draw(formulas)
        formula = formula_text(steps)
    if draw(st.booleans()):
        cheap = draw(intervals)
        off_peak = OffPeak(cheap, f"hr{{6pm-11pm}}{minutes_text}", "UTC", when)
        # A formula holds at both rates; what of it says first and next means the rate's own.
        if draw(st.booleans()) or not formula:
            formula, steps, off_peak_steps = "", flat_steps(own), flat_steps(cheap)
        else:
            formula = f"2xfirst@next; {formula}"
            off_peak_steps = (("run", 2, cheap.first_seconds, cheap.next_price_micros), *steps)
            steps = (("run", 2, own.first_seconds, own.next_price_micros), *steps)
    pricing = Pricing(
        own, off_peak, formula, **common, answered_at=answered_at if off_peak else None, logged_in=logged_in
    )
    terms = Terms(
        steps,
        off_peak_steps,
        EVENING,
        minutes,
        when,
        answered_at,
        common["free_seconds"],
        common["connect_fee_micros"],
        common["post_call_surcharge_ppm"],
        common["decimals"],
        common["login_fee_micros"] if logged_in else 0,
    )
    return pricing, terms


@settings(max_examples=300)
@given(leg=legs())
def test_a_charge_is_what_counting_seconds_gives(leg):
    pricing, terms = leg
    for used, due in enumerate(oracle.costs(terms, SECONDS_MAX)):
        if used == 0:
            assert charge(pricing, used).amount_micros == 0
        elif due is None:
            assert pricing.seconds_max is not None and used > pricing.seconds_max
        else:
            assert amount(pricing, used) == due
    rated = charge(pricing, SECONDS_MAX)
    assert rated.amount_micros == amount(pricing, SECONDS_MAX)
    assert pricing.seconds_max is not None or rated.charged_seconds >= SECONDS_MAX - pricing.free_seconds


FALLING = Pricing(
    Intervals(1, 1, UNIT, UNIT),
    OffPeak(Intervals(1, 1, 0, 0), "hr{6pm-11pm}", "UTC", "finishes"),
    answered_at=SIX_PM - timedelta(seconds=30),
)
FALLING_TERMS = Terms(
    flat_steps(FALLING.intervals),
    flat_steps(Intervals(1, 1, 0, 0)),
    EVENING,
    off_peak_when="finishes",
    answered_at=FALLING.answered_at,
)


JOINT = {
    "a": legs(),
    "b": legs(),
    "ran_a_us": st.one_of(st.just(0), st.integers(0, 60).map(lambda s: s * UNIT), st.integers(0, 60 * UNIT)),
    "moments": st.lists(st.integers(1, SECONDS_MAX), min_size=4, max_size=6),
    "drawn_funds": st.integers(0, 30 * UNIT),
}


@settings(max_examples=400)
@given(**JOINT)
@example(  # A, which becomes free at 18:00, begins a second within one of B: cut before it, it must be paid
    a=(FALLING, FALLING_TERMS),
    b=(FREE_OF_CHARGE, Terms(flat_steps(FREE_OF_CHARGE.intervals))),
    ran_a_us=28_500_000,
    moments=[1, 2, 3, 4],
    drawn_funds=UNIT * 29 // 60,
)
def test_the_joint_limit_is_the_last_second_that_fits(a, b, ran_a_us, moments, drawn_funds):
    """Never overdrawn at any cut; and one second more would not fit, so less than an interval of either leg is unused.

    Tried with funds that just pay for a moment, and a micro less, which is where a limit goes wrong: thousands of cases.
    """
    (pricing_a, terms_a), (pricing_b, terms_b) = a, b
    costs_a = oracle.costs(terms_a, ran_a_us // UNIT + SECONDS_MAX + 2)
    costs_b = oracle.costs(terms_b, SECONDS_MAX)
    exact = [(costs_a[-(-ran_a_us // UNIT) + moment] or 0) + (costs_b[moment] or 0) for moment in moments]
    for funds in {drawn_funds, *exact, *(cost - 1 for cost in exact)}:
        seconds = joint_limit(pricing_a, pricing_b, ran_a_us, funds, SECONDS_MAX)
        assert seconds == oracle.joint_limit(costs_a, costs_b, ran_a_us, funds, SECONDS_MAX)
        for cut_us in range(UNIT // 2, seconds * UNIT, 7 * UNIT):  # never overdrawn, wherever it is cut
            used_a, used_b = -(-(ran_a_us + cut_us) // UNIT), -(-cut_us // UNIT)
            assert amount(pricing_a, used_a) + amount(pricing_b, used_b) <= funds


@settings(max_examples=400)
@given(
    a=legs(),
    b=legs(),
    ran_a_us=st.one_of(st.integers(0, 60).map(lambda s: s * UNIT), st.integers(0, 60 * UNIT)),
    seconds=st.integers(1, SECONDS_MAX),
)
def test_the_funds_for_a_talk_are_the_least_that_let_it_last(a, b, ran_a_us, seconds):
    (pricing_a, _), (pricing_b, _) = a, b
    funds = joint_funds(pricing_a, pricing_b, ran_a_us, seconds)
    lasts = joint_limit(pricing_a, pricing_b, ran_a_us, funds, seconds)
    assert lasts == joint_limit(pricing_a, pricing_b, ran_a_us, 10**15, seconds)  # a formula may disconnect before
    assert lasts == 0 or funds == 0 or joint_limit(pricing_a, pricing_b, ran_a_us, funds - 1, seconds) < lasts
    assert funds >= joint_funds(pricing_a, pricing_b, ran_a_us, seconds - 1)


@settings(max_examples=100)
@given(
    a=legs(), b=legs(), ran_us=st.integers(0, 60 * UNIT), seconds=st.integers(1, 100), most=st.integers(0, 20 * UNIT)
)
def test_of_too_little_what_buys_a_second_is_set_aside(a, b, ran_us, seconds, most):
    (pricing_a, _), (pricing_b, _) = a, b
    for need in (
        Waiting((pricing_a, pricing_b), pricing_b, ran_us, seconds),
        Talking(pricing_a, pricing_b, ran_us, seconds),
    ):
        fits = fitting(need, most)
        lengths = [need.funds(length) for length in range(seconds + 1)]
        assert fits == max((funds for funds in lengths if funds <= most), default=fits)
        assert fits in lengths


@settings(max_examples=400)
@given(
    a=legs(),
    b=legs(),
    prices_divided_by=st.sampled_from([1, 100, 10_000]),
    ahead=st.integers(0, 500),
    funds=st.integers(0, 3 * UNIT),
    first=st.integers(1, 100),
)
def test_the_second_that_is_computed_is_the_one_found_by_trying_each(a, b, prices_divided_by, ahead, funds, first):
    """Also where a rounding to whole units makes thousands of intervals cost the same."""
    divided = [
        replace(
            leg[0],
            intervals=replace(
                leg[0].intervals,
                first_price_micros=leg[0].intervals.first_price_micros // prices_divided_by,
                next_price_micros=leg[0].intervals.next_price_micros // prices_divided_by,
            ),
        )
        for leg in (a, b)
    ]
    ends = [pricing.seconds_max or 10_000 for pricing in divided]
    last = min(600, ends[0] - ahead, ends[1])
    stairs_a, stairs_b = (pricing.peak_stairs for pricing in divided)
    fitting = [t for t in range(first, last + 1) if climb(stairs_a, ahead + t) + climb(stairs_b, t) <= funds]
    assert last_that_fits(stairs_a, stairs_b, ahead, funds, first, last) == (fitting[-1] if fitting else first - 1)


def test_a_rounding_coarser_than_the_price_is_searched_through():
    """Two legs at 0.06 a minute, 0.001 a second, each rounded up to whole units: a leg costs 1 up to 1000 s, then 2."""
    dear = flat(1, 1, 60_000, decimals=0)
    assert joint_limit(dear, dear, 0, 2 * UNIT, 7200) == 1000
    assert joint_limit(dear, dear, 0, 4 * UNIT - 1, 7200) == 1000
    assert joint_limit(dear, dear, 250 * UNIT, 4 * UNIT - 1, 7200) == 1000  # A from 1000 s on costs 2, B still 1
    assert joint_limit(dear, dear, 250 * UNIT, 3 * UNIT - 1, 7200) == 750


@settings(max_examples=200)
@given(leg=legs(), funds=st.integers(0, 30 * UNIT), more=st.integers(0, UNIT))
def test_a_sole_limit_is_the_joint_one_beside_a_leg_for_nothing_and_grows_with_the_funds(leg, funds, more):
    alone = sole_limit([leg[0]], funds, SECONDS_MAX)
    assert alone == joint_limit(FREE_OF_CHARGE, leg[0], 0, funds, SECONDS_MAX)
    assert alone <= sole_limit([leg[0]], funds + more, SECONDS_MAX)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("drawn", "cases"),
    [
        (test_a_charge_is_what_counting_seconds_gives, {"leg": legs()}),
        (test_the_joint_limit_is_the_last_second_that_fits, JOINT),
    ],
    ids=["charges", "limits"],
)
def test_thousands_of_drawn_cases(drawn, cases):
    """The same, ten thousand times: every feature of a tariff, together with every other."""
    settings(max_examples=10_000, deadline=None)(given(**cases)(drawn.hypothesis.inner_test))()
