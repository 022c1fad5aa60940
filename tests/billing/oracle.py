"""A second opinion: charges and limits by counting seconds one at a time, with fractions, written without the code it judges.

It knows a leg as a plain description (`Terms`), not as a Pricing, and walks every second of a call from the first.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

MINUTE = 60


@dataclass(frozen=True)
class Terms:
    """How a leg is charged. `steps`: ("run", count or None, seconds, price) / ("fee", x) / ("surcharge", ppm) / ("stop",)."""

    steps: tuple[tuple, ...]
    off_peak_steps: tuple[tuple, ...] | None = None
    off_peak_hours: frozenset[int] = frozenset()
    off_peak_minutes: frozenset[int] = frozenset(range(60))
    off_peak_when: str = "starts"
    answered_at: datetime | None = None
    free: int = 0
    connect_fee: int = 0
    surcharge_ppm: int = 0
    decimals: int = 5
    login_fee: int = 0  # charged to whoever has logged in, from the first second on


def bought(terms: Terms, steps: tuple[tuple, ...], seconds_max: int) -> list[int | None]:
    """What a call costs if it is cut after 0, 1, 2, ... seconds; None from where the formula has disconnected it."""
    smallest = 10 ** (6 - terms.decimals)
    free = rounded_up(Fraction(terms.login_fee), smallest)
    costs: list[int | None] = [0, *[free] * min(terms.free, seconds_max)]
    todo, sum_so_far, paid_until, stopped = list(steps), Fraction(terms.connect_fee), 0, False
    total: int | None = free
    for second in range(1, seconds_max - terms.free + 1):
        if second <= paid_until or stopped:
            costs.append(total)
            continue
        while second > paid_until and not stopped:
            step = todo[0]
            if step[0] == "run":
                _, count, seconds, price = step
                sum_so_far += Fraction(price * seconds, MINUTE)
                paid_until += seconds
                if count is not None:
                    todo[0] = ("run", count - 1, seconds, price)
                    if count == 1:
                        todo.pop(0)
                continue
            if step[0] == "stop":
                stopped = True
                continue
            sum_so_far = sum_so_far + step[1] if step[0] == "fee" else sum_so_far * (1 + Fraction(step[1], 10**6))
            todo.pop(0)
        exact = sum_so_far * (1 + Fraction(terms.surcharge_ppm, 10**6)) + terms.login_fee
        total = None if stopped else rounded_up(exact, smallest)
        costs.append(total)
    return costs


def rounded_up(value: Fraction, step: int) -> int:
    return -int(-value // step) * step


def costs(terms: Terms, seconds_max: int) -> list[int | None]:
    """The cost after 0, 1, 2, ... seconds, peak or off-peak as the clock says; the dearer where no clock is known."""
    peak = bought(terms, terms.steps, seconds_max)
    if terms.off_peak_steps is None:
        return peak
    cheap = bought(terms, terms.off_peak_steps, seconds_max)
    chosen = []
    for second, (at_peak, off_peak) in enumerate(zip(peak, cheap, strict=True)):
        if at_peak is None or off_peak is None:
            chosen.append(None)
        elif terms.answered_at is None:
            chosen.append(max(at_peak, off_peak))
        else:
            chosen.append(off_peak if is_off_peak(terms, terms.answered_at, second) else at_peak)
    return chosen


def is_off_peak(terms: Terms, answered_at: datetime, second: int) -> bool:
    start, finish = (
        moment.hour in terms.off_peak_hours and moment.minute in terms.off_peak_minutes
        for moment in (answered_at, answered_at + timedelta(seconds=second))
    )
    return {"starts": start, "finishes": finish, "starts and finishes": start and finish}[terms.off_peak_when]


def joint_limit(
    costs_a: list[int | None], costs_b: list[int | None], ran_a_us: int, funds: int, seconds_max: int
) -> int:
    """The last second up to which a cut at any microsecond leaves the funds enough, tried second by second."""
    for talked in range(1, seconds_max + 1):
        # The first and the last microsecond of this second of B: in between, A begins one more of its own at most.
        for cut_us in ((talked - 1) * 10**6 + 1, talked * 10**6):
            cost_a, cost_b = costs_a[-(-(ran_a_us + cut_us) // 10**6)], costs_b[talked]
            if cost_a is None or cost_b is None or cost_a + cost_b > funds:
                return talked - 1
    return seconds_max
